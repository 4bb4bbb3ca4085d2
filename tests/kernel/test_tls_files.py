"""TLS: files that are not as they should be, or not for long: a state and a sentence, never a crash."""

import contextlib
import itertools
import os
import pathlib
import resource
import select
import shutil
import signal
import subprocess
import threading
import time
import unittest

import dbus

import mounts

from hanging import silent_file
from harness import PATIENCE, program, wait_until, watch
from kernel_case import QUICK
from tls_case import TlsCase, streams_of

PYTHON = "/usr/bin/python3"
# Maps a file to be executed, says so, and waits for its standard input's end.
MAPPER = """
import mmap, os, sys
file = os.open(sys.argv[1], os.O_RDONLY)
held = mmap.mmap(file, 4096, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC)
print("mapped", flush=True)
sys.stdin.read()
"""
MAPPER_IN_TURN = """
import mmap, os, sys
held = []
for line in sys.stdin:
    held.append(mmap.mmap(os.open(line.strip(), os.O_RDONLY), 4096, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC))
    print("mapped", flush=True)
"""
# Does so much with files that a small ring cannot hold it, and then maps one to be executed.
MAPPER_IN_A_FLOOD = """
import mmap, os, sys
sys.stdin.readline()
for number in range(500):
    os.close(os.open("/dev/null", os.O_RDONLY))
held = mmap.mmap(os.open(sys.argv[1], os.O_RDONLY), 4096, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC)
print("mapped", flush=True)
sys.stdin.read()
"""
# Maps it to be read, and makes it executable then.
MAPPER_IN_TWO_STEPS = """
import ctypes, mmap, os, sys
sys.stdin.readline()
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
at = libc.mmap(None, 4096, mmap.PROT_READ, mmap.MAP_PRIVATE, os.open(sys.argv[1], os.O_RDONLY), 0)
assert libc.mprotect(at, 4096, mmap.PROT_READ | mmap.PROT_EXEC) == 0
print("mapped", flush=True)
sys.stdin.read()
"""
# Maps so many files without a name to be executed, and then some more, one after the other; a library is the last.
MAPPER_OF_MANY = """
import ctypes, os, sys, time
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
def map_file(text):
    file = os.memfd_create("nameless")
    os.write(file, text)
    assert libc.mmap(None, 4096, 5, 2, file, 0) != ctypes.c_void_p(-1).value  # PROT_READ | PROT_EXEC, MAP_PRIVATE
    os.close(file)
sys.stdin.readline()
for number in range(int(sys.argv[2])):
    map_file(b"x")
for number in range(100):
    map_file(b"x")
    time.sleep(0.02)
with open(sys.argv[1], "rb") as library:
    map_file(library.read())
print("mapped", flush=True)
sys.stdin.read()
"""
MANY = 2_000 if QUICK else 28_000
# Maps so many libraries, and before them 15,000 files, all of names of nearly 4 KiB.
MAPPER_OF_LONG_NAMES = """
import ctypes, os, sys
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
carrier = open(sys.argv[2], "rb").read()
os.chdir(sys.argv[1])
for _ in range(15):
    os.mkdir("d" * 250)
    os.chdir("d" * 250)
def map_file(name, text):
    file = os.open(name, os.O_RDWR | os.O_CREAT, 0o755)
    os.write(file, text)
    assert libc.mmap(None, 4096, 5, 2, file, 0) != ctypes.c_void_p(-1).value  # PROT_READ | PROT_EXEC, MAP_PRIVATE
    os.close(file)
for number in range(15_000):
    map_file(f"x{number}", b"x")
for number in range(int(sys.argv[3])):
    map_file(f"carrier{number}", carrier)
print("mapped", flush=True)
sys.stdin.read()
"""
CARRIERS = 160
# Maps all files that it finds in folders to be executed: those of the first at once, then one folder for each line it is told.
MAPPER_OF_FOLDERS = """
import mmap, os, sys
held = []
def map_all(folder):
    for path in sorted(os.scandir(folder), key=lambda file: file.path):
        file = os.open(path.path, os.O_RDONLY)
        held.append(mmap.mmap(file, 4096, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC))
        os.close(file)
    print("mapped", flush=True)
map_all(sys.argv[1])
for line in sys.stdin:
    map_all(line.strip())
"""
# Forks so many times, and says who, once it is told to; they wait for its end.
FORKING_MAPPER = MAPPER_OF_FOLDERS.replace("for line in sys.stdin:", """
sys.stdin.readline()
def fork():
    child = os.fork()
    if child == 0:
        sys.stdin.read()
        os._exit(0)
    return child
print(*[fork() for _ in range(int(sys.argv[2]))], flush=True)
for line in sys.stdin:""")
LIBRARIES = 900  # of one process: each takes a millisecond or more to attach to
MOST_LIBRARIES = 2048  # that the daemon knows
CLIENT = """
import http.client, ssl, sys
link = http.client.HTTPSConnection("127.0.0.1", int(sys.argv[1]), context=ssl._create_unverified_context())
link.request("GET", "/1000")
assert len(link.getresponse().read()) == 1000
link.close()
"""


def system_library(stem):
    """The path of the library that the loader takes for a name that begins so."""
    known = subprocess.run(["/sbin/ldconfig", "-p"], stdout=subprocess.PIPE, text=True, check=True).stdout
    paths = [line.split("=> ")[1] for line in known.splitlines() if line.strip().startswith(stem)]
    return pathlib.Path(paths[0]).resolve()


class NoDescriptors(TlsCase):
    def test_no_descriptors(self):
        """tls: a library that could not be attached to for want of descriptors says so, and is when it is mapped again"""
        path = self.folder / "libssl.so.3"
        shutil.copyfile(system_library("libssl.so"), path)
        script = self.folder / "mapper.py"
        script.write_text(MAPPER_IN_TURN)
        with subprocess.Popen([PYTHON, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            self.daemon.start(process.pid)
            def map_it():
                print(path, file=process.stdin, flush=True)
                process.stdout.readline()
            used = {int(name) for name in os.listdir(f"/proc/{self.daemon.pid}/fd")}
            third_free = next(at for at in itertools.count() if len(set(range(at)) - used) == 3)
            with self.most_descriptors(third_free):
                map_it()
                wait_until(lambda: self.says_so(path), "it is said")
            map_it()
            wait_until(lambda: self.explain(process.pid)[str(path)][0] == "attached", "it is attached to")
            process.stdin.close()

    def test_rewritten(self):
        """tls: one that is rewritten when there are no descriptors is attached to once there are, though nobody maps it again"""
        path, state = self.attached_library()
        with self.most_descriptors(3):  # whatever becomes free when it is let go of
            with path.open("r+b") as file:
                file.write(b"\x7fELF")
            wait_until(lambda: self.says_so(path), "it is said")
        wait_until(lambda: state() == "attached", "it is attached to again")

    def attached_library(self):
        """(path of a library that a process holds and that is attached to, what says its state from then on)"""
        path = self.folder / "own" / "libssl.so.3"
        path.parent.mkdir()
        shutil.copyfile(system_library("libssl.so"), path)
        process = subprocess.Popen([program("hold")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "LD_PRELOAD": str(path)})
        self.addCleanup(process.communicate)
        process.stdout.readline()
        self.daemon.start(process.pid)
        state = lambda: self.explain(process.pid)[str(path)][0]
        wait_until(lambda: state() == "attached", "it is attached to")
        return path, state

    @contextlib.contextmanager
    def most_descriptors(self, most):
        """The daemon opens none from this number on, until the end."""
        limits = resource.prlimit(self.daemon.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(self.daemon.pid, resource.RLIMIT_NOFILE, (most, limits[1]))
        try:
            yield
        finally:
            resource.prlimit(self.daemon.pid, resource.RLIMIT_NOFILE, limits)

    def says_so(self, path):
        """Of the library, or where it could not even be read of a file."""
        return any((str(row[1]), str(row[2])) in ((str(path), "failed"), ("aa_tls_files", "degraded"))
                   for row in self.daemon.property("ProbeStates"))

    def test_left_to_others(self):
        """tls: who brings libraries without end leaves descriptors for those who subscribe, and for what else is asked"""
        most = len(os.listdir(f"/proc/{self.daemon.pid}/fd")) + 200
        for number in range(most):
            (self.folder / f"libssl.so.{number}").write_bytes(b"INPUT ( libssl.so.3 )\n" * 300)
        process = talking(self, "-c", MAPPER_OF_FOLDERS, self.folder, text=True)
        self.assertEqual("mapped\n", process.stdout.readline())
        with self.most_descriptors(most):
            self.daemon.start(process.pid)
            wait_until(lambda: "aa_tls_files" in {str(row[1]) for row in self.daemon.property("ProbeStates")}, "it is said")
            for _ in range(5):
                self.addCleanup(self.daemon.subscribe(types=["loss"]).close)


class NoDescriptorsByProcess(NoDescriptors):
    settings = {"tls.scope": "watched"}

    def test_rewritten_and_read(self):
        """tls: by process one that is rewritten when there are descriptors to read it, and none to attach to it, is attached to once there are"""
        path, state = self.attached_library()
        file = path.open("r+b")
        file.write(b"\x7fELF")
        file.flush()
        wait_until(lambda: state() == "degraded", "it is let go of")
        time.sleep(0.4)  # its descriptors come back; after a second it would be read again
        used = {int(name) for name in os.listdir(f"/proc/{self.daemon.pid}/fd")}
        with self.most_descriptors(next(at for at in itertools.count() if len(set(range(at)) - used) == 4)):
            file.close()
            wait_until(lambda: any("not attached to in process" in str(row[4]) for row in self.daemon.property("ProbeStates")), "it is said")
        wait_until(lambda: state() == "attached", "it is attached to again")


def talking(test, *arguments, **popen):
    """A Python that hears and is heard until the test ends."""
    process = subprocess.Popen([PYTHON, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, **popen)
    test.addCleanup(process.wait)
    test.addCleanup(process.stdout.close)
    test.addCleanup(process.stdin.close)
    return process


def run_ns(pid):
    """How long its first thread ran."""
    return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0])


class MissedMappings(TlsCase):
    settings = {"file.ring_kib": 4}

    def map_by(self, script, stopped):
        """A copy of libssl that a watched process maps is attached to, and told as late."""
        path = self.folder / "libssl.so.3"
        shutil.copyfile(system_library("libssl.so"), path)
        (self.folder / "mapper.py").write_text(script)
        process = talking(self, self.folder / "mapper.py", path, text=True)
        stream = self.daemon.subscribe(types=["loss"])
        self.addCleanup(stream.close)
        self.daemon.start(process.pid)
        if stopped:
            os.kill(self.daemon.pid, signal.SIGSTOP)
        try:
            print(file=process.stdin, flush=True)
            self.assertEqual("mapped\n", process.stdout.readline())
        finally:
            os.kill(self.daemon.pid, signal.SIGCONT)
        wait_until(lambda: self.explain(process.pid).get(str(path), ("",))[0] == "attached", "it is attached to", 20)
        stream.wait_for(lambda e: e["type"] == "loss" and (e["loss"]["family"], e["loss"]["cause"]) == ("tls", "late-attach"))

    def test_missed(self):
        """tls: a library whose mapping was lost in a flood of files is found and attached to, and told as late"""
        before = self.daemon.counters()["file.ring-full"]
        self.map_by(MAPPER_IN_A_FLOOD, stopped=True)
        self.assertLess(before, self.daemon.counters()["file.ring-full"], "nothing was lost: this proves nothing")

    def test_in_two_steps(self):
        """tls: a library that is mapped to be read, and made executable then, is attached to"""
        self.map_by(MAPPER_IN_TWO_STEPS, stopped=False)


class MissedMappingsByProcess(MissedMappings):
    settings = {"file.ring_kib": 4, "tls.scope": "watched"}


class ManyMappings(TlsCase):
    def test_many(self):
        """tls: who has many nameless files mapped to be executed, and maps more, holds nobody up; a library among them is found, what is left out is counted"""
        before = self.daemon.counters()["tls.unseen"]
        process = talking(self, "-c", MAPPER_OF_MANY, program("shared_tls"), str(MANY))
        stream = self.daemon.subscribe(types=["loss"])
        self.addCleanup(stream.close)
        self.daemon.start(process.pid)
        process.stdin.write(b"\n")
        process.stdin.flush()
        began, ran = time.monotonic_ns(), run_ns(self.daemon.pid)
        while not select.select([process.stdout], [], [], 0)[0]:
            self.daemon.property("Version")
            time.sleep(0.1)
        self.assertLess(run_ns(self.daemon.pid) - ran, (time.monotonic_ns() - began) / 2, "the loop does nothing else")
        wait_until(lambda: "attached" in {state for state, _ in self.explain(process.pid).values()}, "the library is found")
        stream.wait_for(lambda e: e["type"] == "loss" and (e["loss"]["family"], e["loss"]["cause"]) == ("tls", "late-attach"))
        self.assertIn(("unknown", "it has more files mapped to be executed than are looked into"), self.explain(process.pid).values())
        wait_until(lambda: self.daemon.counters()["tls.unseen"] - before >= MANY - 1024, "what is left out is counted")
        self.assertIn("aa_tls_mappings", {str(row[1]) for row in self.daemon.property("ProbeStates")})

    def test_long_names(self):
        """tls: who has so many files of names as long as can be mapped that reading them takes long keeps nobody waiting all the time; libraries among them are found"""
        root = self.folder / "root"
        root.mkdir()
        mounts.mount("tmpfs", root, "tmpfs")
        self.addCleanup(mounts.unmount, root)
        process = talking(self, "-c", MAPPER_OF_LONG_NAMES, root, program("shared_tls"), str(CARRIERS))
        self.assertEqual(b"mapped\n", process.stdout.readline())
        self.daemon.start(process.pid)
        began, waited = time.monotonic(), 0
        while sum(state == "attached" for state, _ in self.found()) < CARRIERS:
            self.assertLess(time.monotonic() - began, 60 * PATIENCE, "they are not found")
            for _ in range(50):
                asked = time.monotonic()
                self.daemon.property("Version")
                waited += time.monotonic() - asked
                time.sleep(0.02)
        self.assertLess(waited, (time.monotonic() - began) / 2, "the loop does nothing else")

    def found(self):
        """(state, reason) of each library by its file's name."""
        return [(str(row[2]), str(row[4])) for row in self.daemon.property("ProbeStates") if str(row[1]).rpartition("/")[2].startswith("carrier")]


class ManyLibraries(TlsCase):
    def folder_of(self, name, count, file, contents):
        folder = self.folder / name
        folder.mkdir()
        for number in range(count):
            (folder / f"{file}{number}").write_bytes(contents)
        return folder

    def mapper_of(self, folder):
        process = talking(self, "-c", MAPPER_OF_FOLDERS, folder, text=True)
        self.assertEqual("mapped\n", process.stdout.readline())
        return process

    def longest_answer_until(self, done, what):
        """Seconds that the daemon was silent for until `done`."""
        longest, began = 0, time.monotonic()
        while True:
            asked = time.monotonic()
            is_done = done()
            longest = max(longest, time.monotonic() - asked)
            if is_done:
                return longest
            self.assertLess(asked - began, 60 * PATIENCE, f"never: {what}")


class ManyCarriers(ManyLibraries):
    def attached(self, pid):
        return sum(state == "attached" for state, _ in self.explain(pid).values())

    def enrolled(self):
        """(folder, process, how many of the libraries in the folder that it has mapped are attached to when it is watched)."""
        folder = self.folder_of("own", LIBRARIES, "carries", pathlib.Path(program("shared_tls")).read_bytes())
        process = self.mapper_of(folder)
        began = time.monotonic()
        self.daemon.start(process.pid)
        self.assertLess(time.monotonic() - began, 0.5 * PATIENCE)
        return folder, process, self.attached(process.pid)

    def test_enrolled(self):
        """tls: who is enrolled with hundreds of libraries of its own holds nobody up; each is listened to in the end, and what was late is told"""
        stream = self.daemon.subscribe(types=["loss"])
        self.addCleanup(stream.close)
        _, process, at_once = self.enrolled()
        longest = self.longest_answer_until(lambda: self.attached(process.pid) == LIBRARIES, "each is listened to")
        self.assertLess(longest, 0.5 * PATIENCE)
        if at_once < LIBRARIES:
            stream.wait_for(lambda e: e["type"] == "loss" and (e["loss"]["family"], e["loss"]["cause"]) == ("tls", "late-attach"))

    def test_ended(self):
        """tls: of who was enrolled with hundreds of libraries of its own, and ended before each was looked into, those that are gone are counted"""
        unseen = lambda: self.daemon.counters()["tls.unseen"]
        known = lambda: sum("carries" in str(row[1]) for row in self.daemon.property("ProbeStates"))
        unseen_before, known_before = unseen(), known()
        folder, process, at_once = self.enrolled()
        for file in folder.iterdir():
            file.unlink()
        process.kill()
        wait_until(lambda: unseen() - unseen_before + known() - known_before >= LIBRARIES, "what nobody looked into is counted")
        self.assertLessEqual(unseen() - unseen_before, LIBRARIES - at_once)


class ManyCarriersByProcess(ManyCarriers):
    settings = {"tls.scope": "watched"}

    def test_forks(self):
        """tls: by process forks of who has hundreds of libraries of its own hold nobody up; in each of them each is listened to in the end"""
        count, forks = LIBRARIES // 3, 10
        folder = self.folder_of("own", count, "carries", pathlib.Path(program("shared_tls")).read_bytes())
        process = talking(self, "-c", FORKING_MAPPER, folder, str(forks), text=True)
        self.assertEqual("mapped\n", process.stdout.readline())
        self.daemon.start(process.pid)
        wait_until(lambda: self.attached(process.pid) == count, "it is listened to", 20)
        print(file=process.stdin, flush=True)
        pids = [int(pid) for pid in process.stdout.readline().split()]
        longest = max(self.longest_answer_until(lambda pid=pid: self.attached(pid) == count, "each is listened to") for pid in pids)
        self.assertLess(longest, 0.5 * PATIENCE)


class ManyNames(ManyLibraries):
    def test_many(self):
        """tls: with thousands of files of a library's name one more costs no more than the first; beyond what is kept they are counted, and said"""
        text = b"INPUT ( libssl.so.3 )\n" * 300
        some, half = 50, MOST_LIBRARIES // 2 - 50
        folders = [self.folder_of(str(number), count, f"libssl.so.{number}.", text) for number, count in enumerate((half, half, some, half))]
        def known():
            return sum(".so" in str(row[1]) for row in self.daemon.property("ProbeStates"))
        others = known()
        for folder in folders[:2]:
            self.daemon.start(self.mapper_of(folder).pid)
        last = self.mapper_of(self.folder_of("none", 0, "", b""))
        self.daemon.start(last.pid)
        wait_until(lambda: known() - others >= 2 * half, "they are known", 30)
        ran = run_ns(self.daemon.pid)
        print(folders[2], file=last.stdin, flush=True)
        wait_until(lambda: known() - others >= 2 * half + some, "the others are known", 30)
        self.assertLess((run_ns(self.daemon.pid) - ran) / some, 10_000_000 * PATIENCE, "ns for each")
        before = self.daemon.counters()["tls.unseen"]
        self.daemon.start(self.mapper_of(folders[3]).pid)
        wait_until(lambda: "aa_tls_libraries" in {str(row[1]) for row in self.daemon.property("ProbeStates")}, "it is said", 30)
        wait_until(lambda: self.daemon.counters()["tls.unseen"] - before >= half - 50, "they are counted", 30)
        self.assertLessEqual(known(), MOST_LIBRARIES)


class Files(TlsCase):
    def mapped(self, path):
        """A process that has mapped the file."""
        script = self.folder / "mapper.py"
        script.write_text(MAPPER)
        process = talking(self, script, path)
        self.assertEqual(b"mapped\n", process.stdout.readline())
        return process

    def state_of(self, path):
        """(state, reason) that a watched process has of a file it has mapped."""
        process = self.mapped(path)
        self.daemon.start(process.pid)
        return self.explain(process.pid)[str(path)]

    def still_well(self):
        """It answers, and hears."""
        script = self.folder / "client.py"
        script.write_text(CLIENT)
        self.assert_exact(self.talk(PYTHON, script, self.server.port), 1)

    def told_too_late(self, *ways):
        """Losses of TLS when a program that carries a library has ended before the daemon gets to look; each of `ways` is done before."""
        path = self.folder / "carries"
        shutil.copy(program("shared_tls"), path)
        with watch(self.daemon, [str(path)], selector={"types": ["loss", "target"]}, options={"tls": "full"}) as client:
            os.kill(self.daemon.pid, signal.SIGSTOP)
            try:
                client.go()
                self.assertEqual(0, client.process.wait(20 * PATIENCE))
                for way in ways:
                    way(path)
            finally:
                os.kill(self.daemon.pid, signal.SIGCONT)
            client.finish()
            wait_until(lambda: client.stream.of_type("loss"), "a loss is told")
            losses = [event["loss"] for event in client.stream.of_type("loss")]
        self.assertEqual({"tls"}, {loss["family"] for loss in losses})
        return path, [(loss["cause"], loss["count"]) for loss in losses]

    def test_too_late(self):
        """tls: of a program that has ended before anybody looked into it, it is told that nobody listened; the next one is heard"""
        path, losses = self.told_too_late()
        self.assertEqual([("late-attach", 0)], losses)

        def told():
            [stream] = streams_of(self.talk(path)).values()
            self.assertEqual(b"end", stream["send"])

        self.unskipped("tls", told)

    def test_gone(self):
        """tls: a program that has ended, and whose file is gone, before anybody looked into it is counted"""
        before = self.daemon.counters()["tls.unseen"]
        _, losses = self.told_too_late(pathlib.Path.unlink)
        self.assertEqual([("unseen", 1)], losses)
        self.assertEqual(before + 1, self.daemon.counters()["tls.unseen"])

    def test_other_file(self):
        """tls: a program that has ended, and whose name is another file's by then, is counted: nobody was looked into in its place"""
        _, losses = self.told_too_late(lambda path: path.rename(f"{path}.old"), lambda path: shutil.copy("/usr/bin/true", path))
        self.assertEqual([("unseen", 1)], losses)

    def silent_mapping(self):
        """(file system, process that has mapped its file to be executed, the file): nobody answers for it any more."""
        silent = silent_file(self, self.folder / "silent", pathlib.Path(program("shared_tls")).read_bytes())
        script = self.folder / "mapper.py"
        script.write_text(MAPPER_IN_TURN)
        process = talking(self, script, text=True)
        path = self.folder / "silent/file"
        print(path, file=process.stdin, flush=True)
        self.assertEqual("mapped\n", process.stdout.readline())
        silent.be_silent()
        self.addCleanup(silent.release)  # before the process is ended: its end waits for an answer as well
        return silent, process, str(path)

    def test_silent_file_system(self):
        """tls: a file whose file system stops answering holds nobody up: it is counted, and said, and others are heard meanwhile"""
        before = self.daemon.counters()["tls.unseen"]
        silent, process, path = self.silent_mapping()
        self.daemon.start(process.pid)  # within the time of a call
        self.assertTrue(silent.asked.wait(20 * PATIENCE), "nobody asked it: this proves nothing")
        self.assertEqual(before + 1, self.daemon.counters()["tls.unseen"])
        self.assertEqual(("unknown", "its file system does not answer"), self.explain(process.pid)[path])
        wait_until(lambda: "aa_tls_files" in {str(row[1]) for row in self.daemon.property("ProbeStates")}, "it is said")
        self.still_well()
        silent.release()
        wait_until(lambda: self.explain(process.pid).get(path, ("",))[0] != "unknown", "it is asked again")

    def test_cut(self):
        """tls: a library that is cut in the middle is a failed state that says so"""
        path = self.folder / "libssl.so.3"
        whole = system_library("libssl.so").read_bytes()
        path.write_bytes(whole[:len(whole) // 2])
        state, reason = self.state_of(path)
        self.assertEqual("failed", state)
        self.assertIn("cut", reason)
        self.assertIn(("failed", reason), {(str(row[2]), str(row[4])) for row in self.daemon.property("ProbeStates")})
        self.still_well()

    def test_no_watch(self):
        """tls: a library that nobody can watch for being rewritten in place is listened to, and says so"""
        path = self.folder / "libssl.so.3"
        shutil.copyfile(system_library("libssl.so"), path)
        limit = pathlib.Path("/proc/sys/user/max_inotify_watches")
        if not os.access(limit, os.W_OK):
            self.skipTest("the limit cannot be lowered here")
        self.addCleanup(limit.write_text, limit.read_text())
        limit.write_text("1")
        state, reason = self.state_of(path)
        self.assertEqual("degraded", state)
        self.assertIn("nobody will notice when it is rewritten", reason)
        self.assertIn("SSL_read", reason)

    def test_no_symbols(self):
        """tls: a library by its name that exports nothing of the kind is a failed state that says so"""
        path = self.folder / "libgnutls.so.30"
        shutil.copy(system_library("libc.so.6"), path)
        self.assertEqual(("failed", "it exports none of a TLS library's functions"), self.state_of(path))
        text = self.folder / "libssl.so.1.1"
        text.write_bytes(b"INPUT ( libssl.so.3 )\n" * 300)
        self.assertEqual(("failed", "read its symbols: it is no ELF file"), self.state_of(text))
        self.still_well()

    def test_one_function_less(self):
        """tls: a library that lacks one function that it should have is degraded, and the reason names that one"""
        path = self.folder / "libssl.so.3"
        whole = system_library("libssl.so").read_bytes()
        self.assertIn(b"\0SSL_clear\0", whole)
        path.write_bytes(whole.replace(b"\0SSL_clear\0", b"\0SSL_cleaX\0"))
        state, reason = self.state_of(path)
        self.assertEqual("degraded", state)
        self.assertTrue(reason.startswith("it does not export SSL_clear; "), reason)
        self.assertIn("SSL_read", reason)
        self.assertIn(("degraded", reason), {(str(row[2]), str(row[4])) for row in self.daemon.property("ProbeStates")})
        self.still_well()

    def test_one_path(self):
        """tls: files that have one path after the other have states of their own: what became of one is not told of another"""
        path = self.folder / "libssl.so.3"
        stream = self.daemon.subscribe(types=["alert"])
        self.addCleanup(stream.close)
        for contents in (system_library("libssl.so").read_bytes(),) * 2 + (b"INPUT ( libssl.so.3 )\n" * 300,):
            path.unlink(missing_ok=True)
            path.write_bytes(contents)
            self.daemon.start(self.mapped(path).pid)
        other = self.folder / "carries"
        shutil.copy(program("shared_tls"), other)
        self.assertEqual("attached", self.state_of(other)[0])  # then all are told again
        states = {str(row[1]): str(row[2]) for row in self.daemon.property("ProbeStates") if str(row[1]).startswith(str(path))}
        self.assertEqual(["attached", "attached", "failed"], sorted(states.values()))
        self.assertEqual([], [event["alert"]["summary"] for event in stream.until_quiet() if event["alert"]["kind"] == "probe-lost"])

    def test_one_inode(self):
        """tls: files that have one path and one inode in one file system after the other have states whose names do not grow"""
        place = self.folder / "place"
        place.mkdir()
        path = place / "libssl.so.3"
        for _ in range(4):
            mounts.mount("tmpfs", place, "tmpfs")
            self.addCleanup(mounts.unmount, place)
            shutil.copyfile(system_library("libssl.so"), path)
            self.daemon.start(self.mapped(path).pid)
        names = [str(row[1]) for row in self.daemon.property("ProbeStates") if str(row[1]).startswith(str(path))]
        self.assertEqual(4, len(set(names)))
        self.assertGreaterEqual(1, max(name.count("inode") for name in names), names)

    def test_rewritten_out_of_sight(self):
        """tls: a file that only its process's own tree has, looked into before it was rewritten into a library, is attached to"""
        script, tree = self.folder / "mapper.py", self.folder / "tree"
        script.write_text(MAPPER_IN_TURN)
        tree.mkdir()
        inside = f"mount -t tmpfs none {tree} && for i in $(seq 1000); do echo no library; done > {tree}/file && exec {PYTHON} {script}"
        process = subprocess.Popen(["unshare", "--mount", "sh", "-c", inside], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for step in (process.wait, process.stdout.close, process.stdin.close):
            self.addCleanup(step)
        def map_it():
            print(tree / "file", file=process.stdin, flush=True)
            self.assertEqual("mapped\n", process.stdout.readline())
        map_it()
        self.daemon.start(process.pid)
        self.assertNotIn("attached", {state for state, _ in self.explain(process.pid).values()})
        pathlib.Path(f"/proc/{process.pid}/root{tree}/file").write_bytes(pathlib.Path(program("shared_tls")).read_bytes())
        map_it()
        wait_until(lambda: "attached" in {state for state, _ in self.explain(process.pid).values()}, "it is attached to")

    def test_rewritten(self):
        """tls: a library that is rewritten in place is let go of, and looked into again: its functions lie elsewhere"""
        path = self.folder / "libssl.so.3"
        shutil.copyfile(system_library("libssl.so"), path)
        process = self.mapped(path)
        self.daemon.start(process.pid)
        inode = path.stat().st_ino
        self.assertIn("SSL_read", self.explain(process.pid)[str(path)][1])
        with path.open("r+b") as file:
            file.write(b"\x7fELF")
            file.flush()
            wait_until(lambda: self.explain(process.pid)[str(path)][0] == "degraded", "it is let go of")
            self.assertIn("rewritten", self.explain(process.pid)[str(path)][1])
        wait_until(lambda: self.explain(process.pid)[str(path)][0] == "attached", "it is attached to again")
        shutil.copyfile(system_library("libgnutls.so"), path)
        wait_until(lambda: "gnutls_record_recv" in self.explain(process.pid)[str(path)][1], "its functions are others")
        self.assertNotIn("SSL_read", self.explain(process.pid)[str(path)][1])
        path.write_bytes(b"")
        wait_until(lambda: self.explain(process.pid)[str(path)][0] == "failed", "it is none any more")
        self.assertEqual(inode, path.stat().st_ino)
        shutil.copyfile(system_library("libssl.so"), path)
        wait_until(lambda: "SSL_read" in self.explain(process.pid)[str(path)][1], "it is one again")
        shutil.copy(system_library("libcrypto.so"), self.folder / "libcrypto.so.3")
        script = self.folder / "client.py"
        script.write_text(CLIENT)
        account, _ = self.watched_path(PYTHON, script, self.server.port, options={"tls": "full"},
                                       env={**os.environ, "LD_LIBRARY_PATH": str(self.folder)})
        self.assert_exact(account, 1)

    def test_unreadable_proc(self):
        """tls: of a process whose /proc cannot be read it is said that its libraries are not known, and nothing breaks"""
        empty = self.folder / "empty"
        empty.mkdir()
        for what, over, said in ((empty, "map_files", "cannot be opened"), ("/dev/null", "maps", "cannot be read"),
                                 ("/proc/self/mem", "maps", "cannot be read")):
            path = self.folder / f"libssl.so.{over}"
            shutil.copy(system_library("libssl.so"), path)
            process = self.mapped(path)
            mounts.mount(what, f"/proc/{process.pid}/{over}")
            self.addCleanup(mounts.unmount, f"/proc/{process.pid}/{over}")
            self.daemon.start(process.pid)
            state, reason = self.explain(process.pid)[str(path) if over == "map_files" else ""]
            self.assertEqual("unknown", state)
            self.assertIn(said, reason)
        self.still_well()

    def overlay(self):
        """The folder of an overlay whose lower layer has a libssl."""
        layer, root = self.folder / "layer", self.folder / "root"
        for folder in (layer, root):
            folder.mkdir()
        mounts.mount("tmpfs", layer, "tmpfs")
        self.addCleanup(mounts.unmount, layer)
        for folder in ("up", "work"):
            (layer / folder).mkdir()
        lower = self.copy_of_libssl("lower")
        mounts.mount("overlay", root, "overlay", f"lowerdir={lower},upperdir={layer}/up,workdir={layer}/work,xino=on")
        self.addCleanup(mounts.unmount, root)
        return root

    def test_overlay(self):
        """tls: a library that only a container's overlay has is listened to"""
        root = self.overlay()
        process = self.mapped(root / "libssl.so.3")
        self.daemon.start(process.pid)
        self.assertEqual("attached", self.explain(process.pid)[str(root / "libssl.so.3")][0])
        script = self.folder / "client.py"
        script.write_text(CLIENT)
        account, _ = self.watched_path(PYTHON, script, self.server.port, options={"tls": "full"},
                                       env={**os.environ, "LD_LIBRARY_PATH": str(root)})
        self.assert_exact(account, 1)

    def test_copied_up(self):
        """tls: who maps what an overlay has copied up since is not said to be listened to; who mapped it before is"""
        library = self.overlay() / "libssl.so.3"

        def holder():
            process = subprocess.Popen([program("hold")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       env={**os.environ, "LD_PRELOAD": str(library)})
            self.addCleanup(process.communicate)
            process.stdout.readline()
            self.daemon.start(process.pid)
            return process

        before = holder()
        library.chmod(0o755)
        after = holder()
        self.assertEqual("attached", self.explain(before.pid)[str(library)][0])
        state, reason = self.explain(after.pid)[str(library)]
        self.assertEqual("degraded", state)
        self.assertIn("overlay", reason)

    def test_not_covered(self):
        """tls: libraries of NSS and Java, and others by their names, are recognised, and explained as not covered"""
        for name, stack in (("libnss3.so", "NSS"), ("libssl3.so", "NSS"), ("libjvm.so", "Java"), ("libmbedtls.so.14", "Mbed TLS"),
                            ("libwolfssl.so.35", "wolfSSL")):
            with self.subTest(name):
                path = self.folder / name
                shutil.copy(system_library("libc.so.6"), path)
                state, reason = self.state_of(path)
                self.assertEqual("not-covered", state)
                self.assertIn(stack, reason)

    def test_not_covered_inside(self):
        """tls: what a library carries inside is recognised by what its file holds"""
        for number, (mark, stack) in enumerate(((b"rustls-0.23", "rustls"), (b"ssl/ssl_lib.cc", "BoringSSL"))):
            with self.subTest(stack):
                path = self.folder / f"inside{number}.abi3.so"
                path.write_bytes(system_library("libc.so.6").read_bytes() + mark)
                state, reason = self.state_of(path)
                self.assertEqual("not-covered", state)
                self.assertIn(stack, reason)

    def test_dying(self):
        """tls: processes that die while a library of theirs is attached to harm nobody"""
        for number in range(10):
            path = self.folder / f"libssl.so.{number}"
            shutil.copy(system_library("libssl.so"), path)
            process = subprocess.Popen([program("hold")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       env={**os.environ, "LD_PRELOAD": str(path)})
            process.stdout.readline()
            killer = threading.Timer(number / 1000, process.kill)
            killer.start()
            with contextlib.suppress(dbus.DBusException):
                self.daemon.start(process.pid)
            killer.join()
            for pipe in (process.stdin, process.stdout):
                pipe.close()
            process.wait()
        self.still_well()


del ManyLibraries, TlsCase

if __name__ == "__main__":
    unittest.main()
