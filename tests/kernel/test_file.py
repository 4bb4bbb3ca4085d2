"""What a file event says: the file really used, what was asked for, how much was moved, and what came of it."""

import os
import platform
import re
import shutil
import socket
import subprocess
import unittest

from deadline import wait_until
from file_case import FileCase, KERNEL_SKIPS, of, totals
from harness import kind_of_change, program
from kernel_case import QUICK

# System calls by what they are told as.
CALLS = {
    "open": ("open", "creat", "openat", "openat2", "open_by_handle_at"),
    "read": ("read", "pread64", "readv", "preadv", "preadv2", "sendfile", "sendfile64", "copy_file_range", "splice"),
    "write": ("write", "pwrite64", "writev", "pwritev", "pwritev2"),
    "mmap": ("mmap",),
    "mprotect": ("mprotect", "pkey_mprotect"),
    "truncate": ("truncate", "truncate64", "ftruncate", "ftruncate64"),
    "unlink": ("unlink", "unlinkat"),
    "rmdir": ("rmdir",),
    "mkdir": ("mkdir", "mkdirat"),
    "mknod": ("mknod", "mknodat"),
    "rename": ("rename", "renameat", "renameat2"),
    "link": ("link", "linkat", "linkat-empty"),
    "symlink": ("symlink", "symlinkat"),
    "chmod": ("chmod", "fchmod", "fchmodat", "fchmodat2", "fchmodat2-empty"),
    "chown": ("chown", "lchown", "fchown", "fchownat", "fchownat-empty"),
}
# A 32-bit program's alone; of 6.6; of processors that have such keys.
MAY_LACK = ("truncate64", "ftruncate64", "sendfile64", "fchmodat2", "fchmodat2-empty", "pkey_mprotect")


CLOSES_MEANWHILE = """
import os, sys, threading, time
reads, writes = (os.open(sys.argv[1], os.O_RDWR) for _ in range(2))
def close():
    time.sleep(0.3)
    os.close(reads)
    os.write(writes, b"12345")
threading.Thread(target=close).start()
assert os.read(reads, 99) == b"12345"
"""

# The socket takes less than all at once, so that something can happen in the middle.
SENDS_MEANWHILE = """
import os, socket, sys, threading, time
source, other = (os.open(path, os.O_RDWR) for path in sys.argv[1:])
ours, theirs = socket.socketpair()
sender = threading.Thread(target=lambda: os.sendfile(ours.fileno(), source, 0, 1 << 20))
sender.start()
time.sleep(0.5)
{change}
left = 1 << 20
while left:
    left -= len(theirs.recv(1 << 16))
sender.join()
"""

WAITING = 200  # more than there is memory for
WAIT_AND_READ = f"""
import os, sys, threading, time
waiting = []
def wait():
    waiting.append(1)
    os.close(os.open(sys.argv[1], os.O_RDONLY))
threads = [threading.Thread(target=wait) for _ in range({WAITING})]
for thread in threads:
    thread.start()
while len(waiting) < {WAITING}:
    time.sleep(0.1)
time.sleep(1)
file = os.open(sys.argv[2], os.O_RDONLY)
for size in (10, 20):
    os.pread(file, size, 0)
os.rename(sys.argv[2], sys.argv[2] + ".moved")
held = os.open(sys.argv[1], os.O_WRONLY)
for thread in threads:
    thread.join()
"""

REWRITES_FLAGS = """
import ctypes, os, sys, threading, time
how = (ctypes.c_uint64 * 3)(os.O_WRONLY, 0, 0)
name = ctypes.create_string_buffer(sys.argv[1].encode())
def meet():
    time.sleep(0.5)
    how[0] = os.O_RDWR
    os.close(os.open(sys.argv[1], os.O_RDONLY))
thread = threading.Thread(target=meet)
thread.start()
assert ctypes.CDLL(None).syscall(437, -100, name, how, 24) >= 0
thread.join()
"""
INTERRUPTED = """
import os, signal, sys, threading, time
signal.signal(signal.SIGALRM, lambda *_: None)
signal.siginterrupt(signal.SIGALRM, False)
def meet():
    time.sleep(0.8)
    os.close(os.open(sys.argv[1], os.O_WRONLY))
thread = threading.Thread(target=meet)
thread.start()
signal.setitimer(signal.ITIMER_REAL, 0.3)
os.close(os.open(sys.argv[1], os.O_RDONLY))
thread.join()
"""

OPENED_BEFORE = """
import os, sys
file = os.open(sys.argv[1], os.O_RDWR)
os.read(file, 10)
print(flush=True)
sys.stdin.read()
os.read(file, 99)
os.write(file, bytes(7))
os.ftruncate(file, 0)
"""
REPLACED = """
import os, sys
other = os.open("/dev/null", os.O_RDONLY)
file = os.open(sys.argv[1], os.O_RDONLY)
for size in (10, 20, 30):
    os.pread(file, size, 0)
{call}
os.open(sys.argv[2], os.O_RDONLY)
"""

# So that many are open at once: four reads and three writes of each.
TAKE_TURNS = """
import os, sys
files = [os.open(path, os.O_RDWR) for path in sys.argv[1:]]
for read, write in ((1000, 201), (500, 202), (500, 203), (10, 0)):
    for file in files:
        os.pread(file, read, 0)
        if write:
            os.pwrite(file, bytes(write), 0)
"""


class Files(FileCase):
    without = ("tls",)

    def test_open_read_write(self):
        """file: a copy is told with its files, their flags, and exactly the bytes that went through"""
        source = self.secret(size=100_000)
        target = self.folder / "copy"
        account, _ = self.watched_path("/usr/bin/dd", f"if={source}", f"of={target}", "bs=1000")
        (opened,) = of(account, op="open", path=str(source))
        self.assertEqual(["O_RDONLY"], opened["flags"])
        self.assertEqual("kernel", opened["resolution"])
        (made,) = of(account, op="create", path=str(target))
        self.assertIn("O_CREAT", made["flags"])
        self.assertEqual(0o666, made["mode"])
        sums = totals(event["file"] for event in account.of_type("file"))
        self.assertEqual([101, 100_000], sums[str(source)][1:3])
        self.assertEqual([100, 100_000], sums[str(target)][3:5])

    def test_failed(self):
        """file: an open that fails is told with its errno and what was asked for"""
        account, _ = self.watched("alias_ops", "plain", f"cd={self.folder}", "not/there", "open", "truncate")
        missing = of(account, requested="not/there")
        self.assertEqual(["open", "truncate"], [body["op"] for body in missing])
        for body in missing:
            self.assertEqual((-2, "user", f"{self.folder}/not/there"),
                             (body["result"], body["resolution"], body["path"]))

    def test_names(self):
        """file: each call that takes names is told with them, both ends of rename, link and symlink"""
        one, two = self.folder / "one", self.folder / "two"
        script = (f"cd {self.folder}; : >one; chmod 600 one; chown 0 one; mkdir d; rmdir d; ln one hard; ln -s one soft; "
                  f"mv one two; rm two; mknod fifo p; truncate -s 5 hard")
        account, _ = self.watched_path("/bin/bash", "-c", script)
        self.assertEqual(1, len(of(account, op="create", path=str(one))))
        for op, name in (("mkdir", "d"), ("rmdir", "d"), ("unlink", "two"), ("mknod", "fifo")):
            with self.subTest(op):
                (body,) = of(account, op=op, result=0)
                self.assertEqual(f"{self.folder}/{name}", body["path"])
        (body,) = of(account, op="rename", result=0)
        self.assertEqual((str(one), str(two)), (body["path"], body["path2"]))
        (body,) = of(account, op="link", result=0)
        self.assertEqual((str(one), f"{self.folder}/hard"), (body["path"], body["path2"]))
        (body,) = of(account, op="symlink", result=0)
        self.assertEqual(("one", f"{self.folder}/soft"), (body["path"].rpartition("/")[2], body["path2"]))
        (body,) = of(account, op="chmod", result=0, path=str(one))
        self.assertEqual(0o600, body["mode"])
        self.assertTrue(of(account, op="chown", path=str(one)))
        self.assertTrue(of(account, op="truncate", path=f"{self.folder}/hard"))

    def test_failed_names(self):
        """file: each call that takes a name is told when there is no such file, by every route to it"""
        ops = ("chmod", "truncate", "chown", "unlink", f"link={self.folder}/new", f"rename={self.folder}/new")
        for route in self.routes("plain", "old", "compat", "compat-old"):
            with self.subTest(route):
                account, said = self.watched("alias_ops", route, "-", self.folder / "absent", *ops)
                names = [op.partition("=")[0] for op in ops]
                self.assertEqual([f"{name} -2" for name in names], said.splitlines())
                self.assertEqual([(name, -2) for name in names],
                                 [(body["op"], body["result"]) for body in of(account, path=f"{self.folder}/absent")])

    def test_failed_calls(self):
        """file: a call that fails is told once with its errno: one that its descriptor does not allow, or whose name is taken"""
        path = self.secret()
        account, said = self.watched("failed_calls", path)
        results = [(op, int(result)) for op, result in map(str.split, said.splitlines())]
        self.assertEqual([("read", -9), ("write", -9), ("mmap", -13), ("mprotect", -13), ("truncate", -22), ("mkdir", -17),
                          ("mknod", -17), ("symlink", -17), ("rmdir", -20)], results)
        mine = [body for body in of(account) if str(path) in (body["path"], body.get("path2"))]
        # What the kernel refuses before it asks its security modules no hook of its functions sees.
        unseen = {"mprotect"} if mine[0]["hook"] != "tracepoint" else set()
        self.assertEqual([row for row in results if row[0] not in unseen],
                         [(body["op"], body["result"]) for body in mine if body["result"] < 0])

    def test_odd_files(self):
        """file: memfd, eventfd, pipe, socket, O_TMPFILE, deleted, unmounted, unplaced, foreign and outer files say what they are"""
        account, said = self.watched("odd_files", self.folder)
        inodes = dict(line.split() for line in said.splitlines())
        writes = [body for body in of(account, op="write") if body["path"] != f"{self.folder}/said"]
        self.assertEqual(list(map(int, inodes.values())), [body["ino"] for body in writes])
        written = dict(zip(inodes, writes))
        wanted = {"memfd": ("memfd:aa test", "detached"), "event-fd": ("[eventfd]", "detached"),
                  "pipe": (f"pipe:[{inodes['pipe']}]", "detached"), "socket": (f"socket:[{inodes['socket']}]", "detached"),
                  "unmounted": ("/inside", "detached"), "tree": ("/in-tree", "detached"),
                  "foreign": (f"{self.folder}/foreign", "detached"),
                  "tmpfile": (f"{self.folder}/#{inodes['tmpfile']}", "deleted"),
                  "deleted": (f"{self.folder}/deleted", "deleted"), "outside": (f"{self.folder}/outside", "outside_root")}
        self.assertEqual(set(wanted), set(written))
        for what, (path, flag) in wanted.items():
            with self.subTest(what):
                body = written[what]
                self.assertEqual((path, [flag], "unresolved" if flag == "detached" else "kernel"),
                                 (body["path"], body["flags_path"], body["resolution"]))

    def test_mount_root(self):
        """file: a file system's own root was never deleted, nor is what is done from there"""
        subprocess.run(["mount", "-t", "tmpfs", "root", self.folder], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.folder], check=True)
        script = f"cd {self.folder} && mkdir made && chmod 700 made && ls . >/dev/null; cat nope; /bin/true"
        account, _ = self.watched_path("/bin/sh", "-c", script)
        told = [body for body in of(account) if str(self.folder) in body["path"]]
        self.assertLessEqual({"mkdir", "chmod", "open"}, {body["op"] for body in told})
        self.assertEqual([[]] * len(told), [body.get("flags_path", []) for body in told])
        execs = [event["exec"] for event in account.of_type("exec") if event["exec"].get("cwd") == str(self.folder)]
        self.assertTrue(execs)
        self.assertEqual([None] * len(execs), [body.get("cwd_deleted") for body in execs])

    def test_chroot(self):
        """file: in a chroot the path is as the process sees it, and the namespace's path beside it"""
        self.secret("inner")
        account, _ = self.watched("alias_ops", "plain", f"chroot={self.folder}", "/inner", "open")
        (body,) = of(account, op="open", path="/inner")
        self.assertEqual(f"{self.folder}/inner", body["ns_path"])

    def test_deep(self):
        """file: a path of all 4096 bytes, with some 2,000 components or with few, is whole; a longer one says that it is not"""
        deepest = (4096 - len(f"{self.folder}/leaf")) // 2  # folders of one letter
        for length, count in ((200, 19), (1, deepest), (1, deepest + 1), (200, 25)):
            with self.subTest(length=length, count=count):
                where = (str(self.folder), str(length), str(count))
                subprocess.run([program("deep_file"), *where, "make"], check=True)
                account, _ = self.watched("deep_file", *where, "leaf")
                subprocess.run([program("deep_file"), *where, "clear"], check=True)
                (body,) = of(account, op="create")
                whole = "/".join([str(self.folder), *["d" * length] * count, "leaf"])
                if len(whole) <= 4096:
                    self.assertEqual((whole, "kernel"), (body["path"], body["resolution"]))
                else:
                    self.assertEqual((["too_long"], "unresolved"), (body["flags_path"], body["resolution"]))
                    self.assertTrue(whole.endswith(body["path"]), body["path"])

    def test_calls(self):
        """file: each system call that touches files is told once, with what it did, of a 64-bit and of a 32-bit caller"""
        for route in self.routes("plain", "compat"):
            folder = self.folder / route
            self.prepare_calls(folder)
            account, said = self.watched("call_variants", route, folder, *(call for calls in CALLS.values() for call in calls))
            results = {call: int(result) for call, result in map(str.split, said.splitlines())}
            for op, call in ((op, call) for op, calls in CALLS.items() for call in calls):
                with self.subTest(route=route, call=call):
                    if results[call] == -38 and call in MAY_LACK:
                        continue
                    self.assertGreaterEqual(results[call], 0, "the call failed")
                    self.assert_call_told(account, op, folder / call, results[call])

    def test_calls_judged(self):
        """file: each of them is judged: in a denied folder it is denied, also by where that is mounted once more"""
        self.addCleanup(self.put_rules)
        for route in self.routes("plain", "compat"):
            for alias in ("itself", "mounted again"):
                folder = seen = self.folder / f"{route} {alias}"
                self.prepare_calls(folder)
                if alias == "mounted again":
                    seen = self.folder / f"{route} again"
                    seen.mkdir()
                    self.mounted(folder, seen)
                self.deny(f"{folder}/")
                account, said = self.watched("call_variants", route, seen, *(call for calls in CALLS.values() for call in calls))
                lacking = {call for call, result in map(str.split, said.splitlines()) if int(result) == -38}
                for op, call in ((op, call) for op, calls in CALLS.items() for call in calls if call not in lacking):
                    told = of(account, op=op, path=str(seen / call))
                    by_text = told and (told[0]["hook"], told[0]["resolution"]) == ("tracepoint", "user")
                    if by_text and seen != folder:
                        continue  # the text names no denied folder
                    with self.subTest(route=route, alias=alias, call=call):
                        self.assertEqual([("deny", f"{folder}/")], [(body["verdict"], body.get("rule")) for body in told])

    def test_fallocate(self):
        """file: room made in a file is told as a write where system calls are told, and not where functions are hooked"""
        for route in self.routes("plain", "compat"):
            with self.subTest(route):
                path = self.folder / "fallocate"
                path.touch()
                account, said = self.watched("call_variants", route, self.folder, "fallocate")
                self.assertEqual("fallocate 0", said.strip())
                (opened,) = of(account, op="open", path=str(path))
                told = [(body["result"], body["bytes"]) for body in of(account, op="write", path=str(path))]
                self.assertEqual([(0, 0)] if opened["hook"] == "tracepoint" else [], told)

    def test_replaced_descriptor(self):
        """file: with dup2 or dup3 over the last descriptor of a file its sum is told, before what comes after"""
        path, after = self.secret(), self.secret("after")
        for call in ("os.dup2(other, file)", "os.dup2(other, file, inheritable=False)"):
            with self.subTest(call):
                account, _ = self.watched_path("/usr/bin/python3", "-c", REPLACED.format(call=call), path, after)
                told = [(body["op"], body.get("count"), body.get("bytes")) for body in of(account)
                        if body["path"] in (str(path), str(after))]
                self.assertEqual([("open", None, None), ("read", 1, 10), ("read", 2, 50), ("open", None, None)], told)

    @staticmethod
    def prepare_calls(folder):
        folder.mkdir()
        for op, calls in CALLS.items():
            for call in calls:
                if op == "rmdir":
                    (folder / call).mkdir()
                elif op not in ("mkdir", "mknod"):
                    (folder / call).write_bytes(b"x" * 256)
        for second in ("sendfile", "sendfile64", "copy_file_range", "renameat2"):
            (folder / f"{second}.to").touch()

    def assert_call_told(self, account, op, path, result):
        told = of(account, op=op, path=str(path))
        self.assertEqual(1, len(told), told)
        self.assertEqual("syscall", told[0]["via"])
        if op in ("read", "write"):
            self.assertEqual((result, 1), (told[0]["bytes"], told[0]["count"]))
        if path.name in ("sendfile", "sendfile64", "copy_file_range"):
            self.assertEqual([result], [body["bytes"] for body in of(account, op="write", path=f"{path}.to")])
        if op in ("rename", "link", "symlink"):
            self.assertEqual(f"{path}.to", told[0]["path2"])

    def test_descriptors_of_others(self):
        """file: a file that another program opened is told by its path, whether inherited or received over a socket"""
        path = self.secret()
        with path.open("rb") as file:
            account, _ = self.watched_path("/bin/cat", stdin=file)
            self.assertEqual(256, totals(of(account))[str(path)][2])
            file.seek(0)
            ours, theirs = socket.socketpair()
            with ours, theirs:
                socket.send_fds(ours, [b"x"], [file.fileno()])
                script = "import os, socket; os.read(socket.recv_fds(socket.socket(fileno=0), 1, 1)[1][0], 99)"
                account, _ = self.watched_path("/usr/bin/python3", "-c", script, stdin=theirs)
            self.assertEqual([99], [body["bytes"] for body in of(account, op="read", path=str(path))])

    def test_opened_before(self):
        """file: what a process opened and read before it was watched is told by its path when it is used after that"""
        path = self.secret()
        with subprocess.Popen(["/usr/bin/python3", "-c", OPENED_BEFORE, path], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            stream = self.daemon.subscribe()
            self.addCleanup(stream.close)
            target = self.daemon.start(process.pid)
            process.stdin.close()
            stream.wait_for(lambda e: e.get("target", {}).get("id") == target and kind_of_change(e) == "exited", 20, "its end")
        told = [event["file"] for event in stream.of_type("file") if event["process"]["pid"] == process.pid]
        self.assertEqual([("read", 99), ("write", 7), ("truncate", None)],
                         [(body["op"], body.get("bytes")) for body in told if body["path"] == str(path)])

    def test_started_program(self):
        """file: what the kernel reads and maps to start a program is not told as the program's doing"""
        account, _ = self.watched("tiny")
        self.assertEqual([], of(account, path=program("tiny")))

    def test_cold_name(self):
        """file: a name that was not in memory as the call began is told all the same"""
        (self.folder / "names").write_bytes(f"{self.folder}/absent\0".encode())
        account, _ = self.watched("cold_name", self.folder / "names")
        (body,) = of(account, op="unlink")
        self.assertEqual((f"{self.folder}/absent", -2), (body["path"], body["result"]))

    def test_quiet_request(self):
        """file: a request of io_uring whose completion may not come is told, or counted as unseen"""
        self.need_uring()
        before = self.daemon.counters().get("file.unseen", 0)
        account, said = self.watched("alias_ops", "uring-quiet", f"cd={self.folder}", "absent", "open")
        if said.strip() != "open -2":
            self.skipTest(f"no such requests here: {said}")
        (body,) = of(account, op="open", path=f"{self.folder}/absent")
        unseen = self.daemon.counters()["file.unseen"] - before
        self.assertEqual(int(body["hook"] == "tracepoint"), unseen)

    def test_unheard(self):
        """file: what a hook set cannot see of io_uring is counted as unseen, and what it sees is not"""
        self.need_uring()
        path = self.folder / "file"
        path.write_text("secret\n")
        for what, by_functions in (("quiet", False), ("direct", True), ("splice", True), ("multishot", False)):
            with self.subTest(what):
                before = self.daemon.counters().get("file.unseen", 0)
                account, said = self.watched("uring_unheard", what, path)
                if said.strip() != f"{what} done":
                    self.skipTest(f"no such requests here: {said}")
                opened = of(account, op="open", path=str(path))
                seen = by_functions and opened[0]["hook"] != "tracepoint"
                self.assertEqual(0 if seen else 1, self.daemon.counters().get("file.unseen", 0) - before)
                told = [body["op"] for body in of(account, path=str(path))][1:]
                # Of what goes into the ring's own table the name is told everywhere.
                self.assertEqual(["open"] if what == "direct" else ["read"] if seen else [], told)

    def test_no_room_for_completions(self):
        """file: a read by io_uring is told, or counted as unseen, whose completion finds no room, or is never looked for"""
        self.need_uring()
        path = self.folder / "file"
        path.write_text("secret\n")
        for how in ("overflow", "unfetched"):
            with self.subTest(how):
                before = self.daemon.counters().get("file.unseen", 0)
                account, said = self.watched("uring_unheard", how, path)
                if "unsupported" in said:
                    self.skipTest(said)
                self.assertEqual(f"{how} done", said.strip())
                told = len(of(account, op="read", path=str(path)))
                self.assertLessEqual(told, 1)
                wait_until(lambda: self.daemon.counters().get("file.unseen", 0) - before + told == 1, "it is counted", 30)

    def test_moved_on(self):
        """file: a name that io_uring was asked for is told by its file, or marked, when its folder is another one at its end"""
        self.assert_unlinked_or_marked("moved")

    def test_left_behind(self):
        """file: a name that a worker of io_uring looks up where its process was before is told by its file, or marked"""
        self.assert_unlinked_or_marked("async", result=0)

    def assert_unlinked_or_marked(self, how, **which):
        """Of the secret that io_uring unlinked in this way, by the one such event."""
        self.need_uring()
        account, said = self.watched("uring_unheard", how, self.secret())
        if "unsupported" in said:
            self.skipTest(said)
        self.assertEqual(f"{how} done", said.strip())
        (body,) = of(account, op="unlink", **which)
        if body["hook"] == "tracepoint":
            self.assertEqual(["changed"], body["flags_path"])
        else:
            self.assertEqual(f"{self.folder}/secret", body["path"])

    def test_flags_rewritten(self):
        """file: what openat2 was asked to do is told as it began, whatever another thread writes over it"""
        path = self.folder / "fifo"
        os.mkfifo(path)
        account, _ = self.watched_path("/usr/bin/python3", "-c", REWRITES_FLAGS, path)
        opened = of(account, op="open", path=str(path))
        self.assertEqual([["O_RDONLY", "O_CLOEXEC"], ["O_WRONLY"]], sorted(body["flags"] for body in opened))

    def test_interrupted(self):
        """file: an open that waits, and begins again after a signal, is told once"""
        path = self.folder / "fifo"
        os.mkfifo(path)
        account, _ = self.watched_path("/usr/bin/python3", "-c", INTERRUPTED, path)
        opened = of(account, op="open", path=str(path))
        self.assertEqual([True, True], [body["result"] >= 0 for body in opened])

    def test_closed_meanwhile(self):
        """file: a read whose descriptor another thread closes meanwhile is told, or counted as unseen"""
        path = self.folder / "fifo"
        os.mkfifo(path)
        before = self.daemon.counters().get("file.unseen", 0)
        account, _ = self.watched_path("/usr/bin/python3", "-c", CLOSES_MEANWHILE, path)
        opened = of(account, op="open", path=str(path))
        told = len(of(account, op="read", path=str(path)))
        unseen = self.daemon.counters().get("file.unseen", 0) - before
        self.assertEqual((0, 1) if opened[0]["hook"] == "tracepoint" else (1, 0), (told, unseen))

    def test_sent_meanwhile(self):
        """file: of a sendfile whose file is replaced or closed meanwhile no other is told, and it is counted as unseen"""
        source, other = self.secret("source", 1 << 20), self.secret("other")
        for change, seen in (("pass", True), ("os.dup2(other, source)", False), ("os.close(source)", False)):
            with self.subTest(change):
                before = self.daemon.counters().get("file.unseen", 0)
                account, _ = self.watched_path("/usr/bin/python3", "-c", SENDS_MEANWHILE.format(change=change), source, other)
                (opened,) = of(account, op="open", path=str(source))
                if opened["hook"] == "tracepoint" and "dup2" in change:
                    continue  # it finds the other file, as it is documented
                told = [(body["path"], body["bytes"]) for body in of(account, op="read") if body["path"] in (str(source), str(other))]
                self.assertEqual([(str(source), 1 << 20)] if seen else [], told)
                self.assertEqual(0 if seen else 1, self.daemon.counters().get("file.unseen", 0) - before)

    def test_many_wait(self):
        """file: however many opens wait, what is done to other files is told: a denied one's open, reads and renaming among it"""
        fifo, secret = self.folder / "fifo", self.secret()
        os.mkfifo(fifo)
        self.deny(secret)
        lost = self.daemon.counters().get("file.scratch", 0)
        account, _ = self.watched_path("/usr/bin/python3", "-c", WAIT_AND_READ, fifo, secret)
        denied = [(body["op"], body.get("bytes")) for body in of(account, verdict="deny")]
        self.assertEqual([("open", None), ("read", 10), ("read", 20), ("rename", None)], denied)
        opened = [body["result"] for body in of(account, op="open", path=str(fifo))]
        self.assertEqual(WAITING + 1, len(opened))
        if of(account, path=str(secret))[0]["hook"] != "tracepoint":
            self.assertGreater(opened.count(-115), WAITING - 150)  # told before they had ended
        self.assertEqual(lost, self.assert_ledger().get("file.scratch", 0))

    def test_long_request(self):
        """file: a name of 3,000 bytes is told as it was passed, by every route"""
        self.secret()
        long = "./" * 1500 + "secret"
        for route in self.routes("plain", "compat", "uring-plain"):
            with self.subTest(route=route):
                if route.startswith("uring"):
                    self.need_uring()
                account, said = self.watched("alias_ops", route, f"cd={self.folder}", long, "open")
                if "unsupported" in said:
                    self.skipTest(said)
                self.assertEqual([long], [body["requested"] for body in of(account, path=f"{self.folder}/secret")])

    def test_forbidden_by_another(self):
        """file: an open that another security module forbids is told with its file, where the kernel's functions are hooked"""
        path = self.secret()
        account, said = self.watched("landlocked", path)
        if "unsupported" in said:
            self.skipTest("this kernel has no Landlock")
        self.assertEqual("open -13", said.strip())
        (body,) = of(account, op="open", path=str(path))
        self.assertEqual(-13, body["result"])
        if body["hook"] != "tracepoint":
            self.assertEqual(("kernel", path.stat().st_ino), (body["resolution"], body["ino"]))

    def test_compat(self):
        """file: a 32-bit caller's operations are told like any other's"""
        self.need_32bit_calls()
        path = self.secret()
        account, said = self.watched("alias_ops", "compat", "-", path, "open", "read", "write", "fchmod", "chmod",
                                     "truncate", "ftruncate", "chown", f"link={path}2", "unlink")
        self.assertNotIn("-", said, "a call failed")
        ops = {body["op"] for body in of(account, path=str(path))}
        self.assertLessEqual({"open", "read", "write", "chmod", "truncate", "chown", "link", "unlink"}, ops)
        self.assertEqual(64, of(account, op="read", path=str(path))[0]["bytes"])

    def test_io_uring(self):
        """file: what goes through io_uring is told, whoever of the kernel's threads does it"""
        self.need_uring()
        for mode in ("plain", "async", "sqpoll"):
            with self.subTest(mode):
                folder = self.folder / mode
                folder.mkdir()
                account, said = self.watched("uring_ops", mode, folder)
                if "unsupported" in said:
                    self.skipTest(said)
                results = {what: int(result) for what, result in map(str.split, said.splitlines())}
                lacking = [what for what, result in results.items() if result == -22]
                events = of(account, via="io_uring")
                f = str(folder)
                wanted = [("create", f"{f}/file", None, results["create"]), ("write", f"{f}/file", None, 7),
                          ("read", f"{f}/file", None, 7), ("open", f"{f}/file", None, results["openat2"]),
                          ("read", f"{f}/file", None, 7), ("write", f"{f}/file", None, 7),
                          ("write", f"{f}/file", None, 0), ("read", f"pipe:[{results['inode']}]", None, 1),
                          ("mkdir", f"{f}/made", None, 0),
                          ("link", f"{f}/file", f"{f}/hard", 0), ("symlink", "file", f"{f}/soft", 0),
                          ("rename", f"{f}/hard", f"{f}/moved", 0), ("unlink", f"{f}/moved", None, 0),
                          ("rmdir", f"{f}/made", None, 0), ("open", f"{f}/nothing", None, -2)]
                if events[0]["hook"] != "tracepoint":
                    wanted.remove(("write", f"{f}/file", None, 0))  # room that is made is not seen there
                told = [(body["op"], "file" if body["op"] == "symlink" else body["path"], body.get("path2"), body["result"])
                        for body in events]
                self.assertEqual([row for row in wanted if row[0] not in lacking], told)
                self.assertEqual({self.last.pid}, {event["process"]["pid"] for event in account.of_type("file")})

    @unittest.skipUnless(platform.machine() == "x86_64", "numbers are x86-64's here")
    def test_number_with_more_above(self):
        """file: a system call is known by the lower half of its number, as the kernel knows it"""
        path = self.secret()
        code = f"import ctypes; ctypes.CDLL(None).syscall(ctypes.c_long(0x77 << 56 | 257), -100, b'{path}', 0)"
        account, _ = self.watched_path("/usr/bin/python3", "-c", code)
        self.assertEqual(1, len(of(account, path=str(path), op="open")))

    def test_storm(self):
        """file: eight processes' opens, reads, writes, mappings and names are all there, to the byte, and the ledger is exact"""
        files = self.folder / "files"
        files.mkdir()
        log = self.folder / "log"
        operations = 5_000 if QUICK else 125_000
        before = self.daemon.counters().get("file.recursion", 0)
        account, _ = self.watched("file_storm", files, 8, operations, log, deadline=300)
        skipped = self.assert_ledger().get("file.recursion", 0) - before
        missing = 0
        for line in log.read_text().splitlines():
            pid, name, *wanted = line.split()
            mine = [event["file"] for event in account.of_type("file") if event["process"]["pid"] == int(pid)]
            wanted = list(map(int, wanted))
            if name == "names":
                wanted *= 3
                seen = [len([body for body in mine if body["op"] == op]) for op in ("link", "rename", "unlink")]
            else:
                mapped = [body for body in mine if body["op"] == "mmap" and body["path"] == f"{files}/{name}"]
                seen = [*totals(mine).get(f"{files}/{name}", [0] * 5), len(mapped)]
            if KERNEL_SKIPS and skipped:  # and so counted
                self.assertTrue(all(one <= most for one, most in zip(seen, wanted)), f"{seen} of {wanted}")
                calls = (0, 1, 2) if name == "names" else (0, 1, 3, 5)
                missing += sum(wanted[at] - seen[at] for at in calls)
            else:
                self.assertEqual(wanted, seen, f"{pid} {name}")
        self.assertLessEqual(missing, skipped)

    def test_order(self):
        """file: all a process did with files is told before its exit"""
        account, _ = self.watched_path("/usr/bin/cat", self.secret())
        kinds = [event["type"] for event in account.events]
        self.assertGreater(kinds.index("exit"), max(at for at, kind in enumerate(kinds) if kind == "file"))

    def test_against_strace(self):
        """file: a clone and a compile touch the same files as strace says"""
        if not all(map(shutil.which, ("strace", "git", "gcc"))):
            self.skipTest("needs strace, git and gcc")
        origin = self.folder / "origin"
        subprocess.run(["git", "init", "-q", origin], check=True)
        (origin / "main.c").write_text("int main(void) { return 0; }\n")
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *identity, "-C", origin, "add", "."], check=True)
        subprocess.run(["git", *identity, "-C", origin, "commit", "-qm", "x"], check=True)
        script = "git clone -q origin $0 && cd $0 && gcc -o main main.c && ./main"
        trace = self.folder / "trace"
        subprocess.run(["strace", "-f", "-y", "-qq", "-e", "trace=openat,open,creat", "-o", trace, "/bin/sh", "-c", script,
                        "first"], cwd=self.folder, check=True)
        account, _ = self.watched_path("/bin/sh", "-c", script, "second", cwd=self.folder, deadline=120)

        def comparable(path):
            """Temporary names differ from run to run, and so does what stands in for a process."""
            name = path.replace("/first", "/second")
            return not any(part in name for part in ("/tmp_", "/proc/", "/tmp/cc", "/pack_", "tmp_obj", "/dev/")) and not \
                re.search(r"/\.git/t\w{6}$", name)

        wanted = set()
        for line in trace.read_text(errors="replace").splitlines():
            result = line.rpartition("= ")[2]
            if result.endswith(">") and "<" in result and result[0].isdigit():
                wanted.add(result[result.index("<") + 1:-1].replace("/first", "/second"))
        seen = {body.get("ns_path", body["path"]) for body in of(account) if body["op"] in ("open", "create") and
                body["result"] >= 0}
        self.assertEqual({path for path in wanted if comparable(path)}, {path for path in seen if comparable(path)})

    def test_ended_unseen(self):
        """file: reads are told of the name that was opened, whatever closed the one before; a descriptor put over itself closes nothing"""
        first = self.folder / "first"
        first.write_bytes(bytes(1000))
        os.link(first, self.folder / "second")
        script = ("import ctypes, os, sys\nos.chdir(sys.argv[1])\nclose_range = ctypes.CDLL(None).close_range\n"
                  "for name in ('first', 'second') * 3:\n    fd = os.open(name, os.O_RDONLY)\n"
                  "    for _ in range(3):\n        os.pread(fd, 10, 0)\n        os.dup2(fd, fd)\n    close_range(fd, fd, 0)")
        account, _ = self.watched_path("/usr/bin/python3", "-c", script, self.folder)
        for path in (str(first), f"{self.folder}/second"):
            with self.subTest(path):
                reads = of(account, op="read", path=path)
                self.assertEqual([(1, 10)] * 3 + [(2, 20)] * 3, sorted((body["count"], body["bytes"]) for body in reads))


class Rings(FileCase):
    without = ("tls",)
    settings = {"file.ring_kib": 16}

    def test_ring_full(self):
        """file: what a full ring could not take is counted, told as losses, and attempts are delivered + lost"""
        files = self.folder / "files"
        files.mkdir()
        self.watched("file_storm", files, 4, 20_000, self.folder / "log", deadline=120, sound=False)
        counters = self.assert_ledger()
        self.assertGreater(counters["file.ring-full"], 0, "nothing was lost: this proves nothing")
        self.assertEqual(counters["exec.attempt"], counters["exec.delivered"], "a flood of files cost an exec")


class Each(FileCase):
    without = ("tls",)
    settings = {"file.reads": "each"}

    def test_each(self):
        """file: with file.reads = each, every read is an event"""
        source = self.secret(size=10_000)
        account, _ = self.watched_path("/usr/bin/dd", f"if={source}", "of=/dev/null", "bs=1000")
        self.assertEqual([1000] * 10 + [0], [body["bytes"] for body in of(account, op="read", path=str(source))])


class FewSums(FileCase):
    without = ("tls",)
    settings = {"file.sums": 16}

    def test_no_room(self):
        """file: a file that finds no room among the sums is told call by call, and each call and byte is there once"""
        paths = [self.secret(f"f{i}", 3000) for i in range(40)]
        account, _ = self.watched_path("/usr/bin/python3", "-c", TAKE_TURNS, *paths)
        sums = totals(event["file"] for event in account.of_type("file"))
        self.assertEqual({str(path): [1, 4, 2010, 3, 606] for path in paths},
                         {str(path): sums[str(path)] for path in paths})
        self.assertGreater(self.daemon.counters()["file.sum-full"], 0)
        moves = [body for body in of(account) if body["op"] in ("read", "write") and body["path"] in map(str, paths)]
        self.assertLess(len(moves), 40 * 7, "nothing was summed: this proves nothing")


if __name__ == "__main__":
    unittest.main()
