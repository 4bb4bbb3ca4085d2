"""Path rules in force: a denied file is known under every name, and each event is judged by the rules it names."""

import collections
import os
import pathlib
import subprocess
import tempfile
import time
import unittest

import dbus

from deadline import wait_until
from file_case import FileCase, of, path_alerts
from harness import CALL_TIMEOUT, watch
from kernel_case import QUICK, Account

DESCRIPTORS = ("open", "read", "write", "mmap", "mprotect", "ftruncate", "fchmod")
NAMED = ("chmod", "truncate", "chown", "unlink", "link", "rename", "rename_onto", "symlink")
FOLLOWING = ("chmod", "truncate", "chown")  # go through a symlink at the path's end; the others mean the symlink itself
OTHER_END = {"link": "new", "rename": "new", "rename_onto": "old", "symlink": "new"}
OP_OF = {"ftruncate": "truncate", "fchmod": "chmod", "rename_onto": "rename"}
RINGS = ("uring-plain", "uring-async", "uring-sqpoll")
SPARSE = bool(os.environ.get("AA_SPARSE"))  # where it takes long, one of those that are alike
RING_NAMES = ("unlink", "link", "rename", "rename_onto", "symlink")  # the operations with names that io_uring has
ALIASES = ("absolute", "relative", "dots", "symlink", "symlinked folder", "hard link", "bind mount", "bind mounted folder",
           "/proc/self/root", "/proc/self/fd", "chroot", "mount namespace", "dirfd", "overlay")
# What cannot be done by an alias: these mean the symlink itself, or a mount, which cannot be moved; truncate and a symlink's
# text take no folder.
LACKING = {alias: tuple(op for op in NAMED if op not in FOLLOWING) for alias in ("symlink", "bind mount", "/proc/self/fd")}
LACKING["dirfd"] = ("truncate", "symlink")
# What the name itself tells, so that it is judged also where only system calls are hooked.
TOLD_BY_TEXT = ("absolute", "relative", "dots", "chroot", "mount namespace", "dirfd", "overlay")
COPY_TWICE = """
import os, sys
source, copy = os.open(sys.argv[1], os.O_RDONLY), os.open(sys.argv[2], os.O_RDWR | os.O_CREAT)
for _ in range(2):
    try:
        print(os.copy_file_range(source, copy, 400))
    except OSError as error:
        print(-error.errno)
"""
READ_AND_WRITE = """
import os, sys
file = os.open(sys.argv[1], os.O_RDWR)
for size in (10, 20, 30):
    os.pread(file, size, 0)
    os.pwrite(file, bytes(size + 1), 0)
"""
READ_ON = """
import os, sys, time
file = os.open(sys.argv[1], os.O_RDONLY)
for _ in range(3):
    os.pread(file, 10, 0)
os.close(os.open(sys.argv[2] + "/half", os.O_CREAT | os.O_WRONLY))
while not os.path.exists(sys.argv[2] + "/on"):
    time.sleep(0.01)
for _ in range(3):
    os.pread(file, 10, 0)
"""


def succeeded(case, said, ops, may_lack=()):
    """The operations that a program says it did; all must be there but those that a kernel may lack."""
    if "unsupported" in said:
        case.skipTest(f"io_uring: {said}")
    results = dict(line.split() for line in said.splitlines())
    case.assertEqual(set(ops), set(results))
    failed = {op for op, result in results.items() if int(result) < 0}
    case.assertLessEqual(failed, set(may_lack), f"a call failed: {results}")
    return [op for op in ops if op not in failed]


# Gets at a folder as a part of a tree that is mounted nowhere, or as the root of a namespace, and reads `secret` there.
PART_IN_NO_TREE = """
import ctypes, os, sys
way, part, folder = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)
def ok(result):
    assert result >= 0, os.strerror(ctypes.get_errno())
    return result
def mount(what, where, flags):
    return ok(libc.mount(what.encode(), where.encode(), None, ctypes.c_ulong(flags), None))
ok(libc.unshare(0x20000))
mount("none", "/", 0x44000)  # private, and all below it
if way == "clone":
    root = ok(libc.syscall(428, -100, part.encode(), 1))
else:
    mounted = folder + "/mounted"
    os.makedirs(mounted, exist_ok=True)
    mount(part, mounted, 0x1000)
    root = os.open(mounted, os.O_PATH)
    if way == "unmounted":
        ok(libc.umount2(mounted.encode(), 2))
    else:
        os.chdir(mounted)
        ok(libc.syscall(155, b".", b"."))
        ok(libc.umount2(b".", 2))
        os.chdir("/")
name = "/secret" if way == "root" else "secret"
print(os.read(os.open(name, os.O_RDONLY, dir_fd=root), 9).decode())
"""


FROM_TOO_DEEP = """
import os, sys
folder = sys.argv[1]
os.mkdir(folder + "/deep")
os.chdir(folder + "/deep")
for _ in range(20):
    os.mkdir("d" * 250)
    os.chdir("d" * 250)
for name in "abcd":
    open(name, "w").close()
os.rename("a", folder + "/secret")
os.rename("b", folder + "/vault/b")
os.rename("c", folder + "/.env")
os.link("d", folder + "/vault/d")
"""


class Rules(FileCase):
    without = ("tls",)

    def ways(self):
        """{alias: (prepare, file)} of the secret, which a rule names by its plain path."""
        secret = self.secret()
        folder = self.folder
        os.symlink(secret, folder / "soft")
        os.symlink(folder, folder / "softdir")
        os.link(secret, folder / "hard")
        (folder / "bind").touch()
        self.mounted(secret, folder / "bind")
        jail = folder / "jail"
        jail.mkdir()
        self.mounted(folder, jail)
        return {
            "absolute": ("-", secret),
            "relative": (f"cd={folder}", "secret"),
            "dots": ("-", folder / "jail/.." / "secret"),
            "symlink": ("-", folder / "soft"),
            "symlinked folder": ("-", folder / "softdir/secret"),
            "hard link": ("-", folder / "hard"),
            "bind mount": ("-", folder / "bind"),
            "bind mounted folder": ("-", jail / "secret"),
            "/proc/self/root": ("-", f"/proc/self/root{secret}"),
            "/proc/self/fd": (f"fd={secret}", "/proc/self/fd/%d"),
            "dirfd": (f"dir={folder}", "secret"),
            "chroot": (f"chroot={jail}", "/secret"),
            "mount namespace": ("unshare", secret),
        }

    def test_alias_matrix(self):
        """rules: through a descriptor, every alias of a denied file is seen and judged, 64-bit and 32-bit"""
        ways = self.ways()
        self.deny(self.folder / "secret")
        for route in self.routes("plain", "compat"):
            for alias, (prepare, file) in ways.items():
                with self.subTest(route=route, alias=alias):
                    self.unskipped("file", lambda: self.assert_descriptors_judged(route, prepare, file))

    def test_alias_matrix_io_uring(self):
        """rules: so it is through io_uring, whoever of the kernel's threads does the work"""
        self.need_uring()
        ways = self.ways()
        self.deny(self.folder / "secret")
        for route in RINGS:
            for alias, (prepare, file) in ways.items():
                with self.subTest(route=route, alias=alias):
                    self.unskipped("file", lambda: self.assert_descriptors_judged(route, prepare, file, {"ftruncate"}))  # of 6.9

    def assert_descriptors_judged(self, route, prepare, file, may_lack=()):
        account, said = self.watched("alias_ops", route, prepare, file, *DESCRIPTORS)
        done = succeeded(self, said, DESCRIPTORS, may_lack)
        denied = of(account, verdict="deny", rule=str(self.folder / "secret"))
        self.assertEqual(set(), {OP_OF.get(op, op) for op in done} - {body["op"] for body in denied})
        by_ring = {body["op"] for body in denied if body["via"] == "io_uring"}
        self.assertEqual({"open", "read", "write"} if route in RINGS else set(), by_ring - {"truncate"})
        self.assertEqual(1, len(path_alerts(account)), "alerts")

    def names(self, base, ops):
        """{alias: (prepare, secret, folder)} with %s for the operation: each has its own secret in a folder of BASE, which
        a rule names by its plain path. `folder` is that folder as the program sees it."""
        for op in ops:
            (base / op / "d").mkdir(parents=True)
            for name in ("secret", "old"):
                (base / op / name).write_bytes(b"x" * 100)
            (base / op / "bind").touch()
            os.symlink(base / op / "secret", base / op / "soft")
            os.link(base / op / "secret", base / op / "hard")
        os.symlink(base, base / "all")
        (base / "jail").mkdir()
        return {
            "absolute": ("-", f"{base}/%s/secret", f"{base}/%s"),
            "relative": (f"cd={base}", "%s/secret", "%s"),
            "dots": ("-", f"{base}/%s/d/../secret", f"{base}/%s"),
            "symlink": ("-", f"{base}/%s/soft", f"{base}/%s"),
            "symlinked folder": ("-", f"{base}/all/%s/secret", f"{base}/all/%s"),
            "hard link": ("-", f"{base}/%s/hard", f"{base}/%s"),
            "bind mounted folder": ("-", f"{base}/jail/%s/secret", f"{base}/jail/%s"),
            "/proc/self/root": ("-", f"/proc/self/root{base}/%s/secret", f"/proc/self/root{base}/%s"),
            "chroot": (f"chroot={base}", "/%s/secret", "/%s"),
            "mount namespace": ("unshare", f"{base}/%s/secret", f"{base}/%s"),
            "dirfd": (f"dir={base}", "%s/secret", "%s"),
            "overlay": ("-", f"{base}/%s/secret", f"{base}/%s"),
            "bind mount": ("-", f"{base}/%s/bind", f"{base}/%s"),
            "/proc/self/fd": (f"fd={base}/%s/secret", "/proc/self/fd/%d", f"{base}/%s"),
        }

    def put_under(self, alias, base, ops):
        """What some aliases need mounted."""
        if alias == "bind mounted folder":
            self.mounted(base, base / "jail")
        if alias == "overlay":
            layers = self.folder / f"layers of {base.name}"
            layers.mkdir()
            self.mounted("layers", layers, "tmpfs")
            self.overlaid(base, layers, base)
        if alias == "bind mount":
            for op in ops:
                self.mounted(base / op / "secret", base / op / "bind")

    def assert_names_judged(self, route, alias, ops=NAMED):
        """Each operation on its secret is denied once, at whichever end the secret stands."""
        ops = [op for op in ops if op not in LACKING.get(alias, ())]
        base = self.folder / f"{route}-{alias.replace('/', '-')}-{len(ops)}-{ops[0]}-{len(os.listdir(self.folder))}"
        prepare, secret, folder = self.names(base, ops)[alias]
        self.put_under(alias, base, ops)
        self.deny(*(base / op / "secret" for op in ops))
        prepare = prepare.replace("%s", ops[0])
        spoken = [f"{op}={folder.replace('%s', op)}/{OTHER_END[op]}" if op in OTHER_END else op for op in ops]
        account, said = self.watched("alias_ops", route, prepare, secret, *spoken)
        ops = succeeded(self, said, ops, {"link", "symlink"} if route in RINGS else ())  # io_uring's from 5.15 on
        hooks = {body["hook"] for body in of(account)}
        for op in ops:
            told = [body for body in of(account, op=OP_OF.get(op, op)) if len(ops) == 1 or
                    f"/{op}/" in body["path"] + body.get("path2", "")]
            self.assertEqual(["io_uring" if route in RINGS else "syscall"], [body["via"] for body in told], op)
            # A symlink's text is what was passed; where it leads is asked only by who follows it.
            if (op == "symlink" or hooks == {"tracepoint"}) and alias not in TOLD_BY_TEXT:
                continue
            if op == "symlink" and alias == "relative":
                continue  # the text is looked up from where the link is: test_symlink_text
            self.assertEqual(("deny", f"{base}/{op}/secret"), (told[0]["verdict"], told[0].get("rule")), op)

    def test_names(self):
        """rules: by every alias, operations that take names are judged, at both ends, where the kernel's functions are hooked"""
        self.assert_all_names_judged("plain")

    def test_old_names(self):
        """rules: so it is by the calls that take a name without a folder"""
        self.assert_all_names_judged("old")

    def test_compat_names(self):
        """rules: so it is by a 32-bit program's calls, with and without a folder"""
        for route in self.routes("compat", *(() if SPARSE else ("compat-old",))):
            self.assert_all_names_judged(route)

    def test_ring_names(self):
        """rules: so it is by names that io_uring takes"""
        self.need_uring()
        for route in ("uring-async",) if SPARSE else RINGS:
            self.assert_all_names_judged(route, RING_NAMES)

    def assert_all_names_judged(self, route, ops=NAMED):
        for alias in ALIASES:
            if alias == "dirfd" and route.endswith("old"):
                continue  # those calls take no folder
            each = [op for op in ops if op not in LACKING.get(alias, ())]
            # A descriptor is of one file: there an operation is a program's run.
            for some in ([op] for op in each) if alias == "/proc/self/fd" else [each] if each else []:
                with self.subTest(route=route, alias=alias, ops=some):
                    self.unskipped("file", lambda: self.assert_names_judged(route, alias, some))

    def test_overlay(self):
        """rules: a file of an overlay is known by its name there, each operation once, before and after it is copied up"""
        self.assert_overlay_judged(*self.routes("plain", "compat"))

    def test_overlay_io_uring(self):
        """rules: so is a file of an overlay through io_uring"""
        self.need_uring()
        self.assert_overlay_judged(*RINGS)

    def assert_overlay_judged(self, *routes):
        self.mounted("layers", self.folder, "tmpfs")
        for name in ("low", "all"):
            (self.folder / name).mkdir()
        for route in routes:
            (self.folder / "low" / route).write_bytes(b"s" * 256)
            os.symlink(self.folder / "all" / route, self.folder / f"soft-{route}")
        self.overlaid(self.folder / "low", self.folder, self.folder / "all")
        self.deny(*(self.folder / "all" / route for route in routes))
        for route in routes:
            for path in (self.folder / "all" / route, self.folder / f"soft-{route}"):
                for ops in (("open", "read"), DESCRIPTORS):  # the second copies it up
                    with self.subTest(route=route, path=path, ops=ops):
                        self.assert_each_once(route, path, self.folder / "all" / route, ops)

    def assert_each_once(self, route, path, secret, ops):
        account, said = self.watched("alias_ops", route, "-", path, *ops)
        done = succeeded(self, said, ops, {"ftruncate"} if route in RINGS else ())  # of 6.9
        denied = of(account, verdict="deny", rule=str(secret))
        self.assertEqual({str(secret)}, {body["path"] for body in denied})
        told = collections.Counter(body["op"] for body in denied)
        wanted = collections.Counter(OP_OF.get(op, op) for op in done)
        wanted["open"] = len(ops)  # each opens its descriptor
        wanted["mmap"] += "mprotect" in done  # and this one maps first
        self.assertEqual(+wanted, told)

    def test_overlay_copy(self):
        """rules: what is copied from file to file in an overlay is told once, of the overlay's files"""
        self.mounted("layers", self.folder, "tmpfs")
        for name in ("low", "apart", "all"):
            (self.folder / name).mkdir()
        self.mounted("apart", self.folder / "apart", "tmpfs")  # from there some kernels refuse to copy
        for number, name in enumerate(("low", "apart")):
            (self.folder / name / f"from{number}").write_bytes(b"s" * 1000)
        self.overlaid(f"{self.folder}/low:{self.folder}/apart", self.folder, self.folder / "all")
        copy = self.folder / "all/to"
        for number in (0, 1):
            source = self.folder / f"all/from{number}"
            self.deny(source, copy)
            account, said = self.watched_path("/usr/bin/python3", "-c", COPY_TWICE, source, copy)
            results = [int(word) for word in said.split()]
            self.assertTrue(results == [400, 400] or number == 1)
            moved = [(body["op"], body["path"], body["result"]) for body in of(account)
                     if body["op"] in ("read", "write") and body["path"] in (str(source), str(copy))]
            wanted = [(op, str(path), result) for op, path in (("read", source), ("write", copy)) for result in results]
            self.assertEqual(wanted, sorted(moved))

    def test_memory_copy(self):
        """rules: what is copied out of a file in memory, which is in nobody's tree either, is told"""
        source = self.secret("source", 1000)
        copy = self.folder / "to"
        script = COPY_TWICE.replace("os.open(sys.argv[1], os.O_RDONLY)", "os.memfd_create('nobodys')")
        account, said = self.watched_path("/usr/bin/python3", "-c", script, source, copy)
        results = [int(word) for word in said.split()]
        reads = [body["result"] for body in of(account, op="read") if "nobodys" in body["path"]]
        self.assertEqual(results, reads if results[0] < 0 else 2 * reads)  # of what succeeds the second is summed up

    def test_folder(self):
        """rules: a denied folder covers all below it, also when it was renamed and seen through a bind mount"""
        inner = self.folder / "vault/a/b"
        inner.mkdir(parents=True)
        (inner / "x").touch()
        self.deny(f"{self.folder}/vault/")
        os.rename(self.folder / "vault", self.folder / "shed")
        (self.folder / "window").mkdir()
        self.mounted(self.folder / "shed/a", self.folder / "window")
        for path in (self.folder / "shed/a/b/x", self.folder / "window/b/x"):
            with self.subTest(path):
                account, _ = self.watched("alias_ops", "plain", "-", path, "open")
                (body,) = of(account, op="open", path=str(path))
                self.assertEqual(("deny", f"{self.folder}/vault/"), (body["verdict"], body.get("rule")))

    def test_replaced(self):
        """rules: a denied file that an unwatched program replaced stays denied, under its other names too"""
        path = self.secret()
        self.deny(path)
        self.secret("new")
        os.rename(self.folder / "new", path)
        os.link(path, self.folder / "alias")
        account, _ = self.watched("alias_ops", "plain", "-", path, "open")
        self.assertEqual(1, len(of(account, op="open", path=str(path), verdict="deny")))
        account, _ = self.watched("alias_ops", "plain", "-", self.folder / "alias", "open")
        self.assertEqual(1, len(of(account, op="open", path=f"{self.folder}/alias", verdict="deny")))

    def shell(self, script):
        """What a shell did in the test's folder, by what is told of files below it."""
        account, _ = self.watched_path("/bin/sh", "-c", f"cd {self.folder}; {script}")
        return [body for body in of(account) if str(self.folder) in body["path"] + body.get("path2", "")]

    def test_symlink_text(self):
        """rules: a symlink's text is told as it was passed, and judged by where it leads from the link, not from the caller"""
        for name in ("a", "b"):
            (self.folder / name).mkdir()
        self.deny(f"{self.folder}/b/secret", f"{self.folder}/a/other")
        told = self.shell("cd a; ln -s secret ../b/one; ln -s other ../b/two; ln -s ../b/secret three")
        links = {body["path2"].rpartition("/")[2]: (body["path"], body["verdict"]) for body in told if body["op"] == "symlink"}
        self.assertEqual({"one": ("secret", "deny"), "two": ("other", "none"), "three": ("../b/secret", "deny")}, links)

    def test_from_within(self):
        """rules: names that lead out of a denied folder are free, and so is what lies in one of which only the name is denied"""
        for name in ("vault", "named", "glob"):
            (self.folder / name).mkdir()
        for name in ("x", "y", "z", "named/f", "named/g", "glob/f", "glob/g"):
            (self.folder / name).touch()
        self.deny(f"{self.folder}/vault/", f"{self.folder}/named", f"{self.folder}/glo*")
        self.shell("ls glob")  # so that the kernel knows it
        time.sleep(0.5)
        told = self.shell("cd vault; chmod 600 ../x; mv ../y ../y2; ln ../z ../z2; mkdir ../d; cat ../nope; touch inside")
        self.assertEqual({f"{self.folder}/vault/inside"}, {body["path"] for body in told if body["verdict"] == "deny"} - {f"{self.folder}/vault"})
        for folder in ("named", "glob"):
            told = self.shell(f"cd {folder}; chmod 600 f; mv f h; rm g; cat nope")
            self.assertEqual([], [(body["op"], body["path"]) for body in told if body["verdict"] == "deny" and f"{folder}/" in body["path"]])
        time.sleep(0.5)  # what could be learned is
        self.assertEqual([["none"]] * 4, [self.verdicts(self.folder / name) for name in ("y2", "z", "z2", "named/h")])

    def test_chroot_climbed(self):
        """rules: in a chroot no name leads above its root, neither to what is denied there nor past what is denied within"""
        for name in ("etc", "jail/etc"):
            (self.folder / name).mkdir(parents=True)
            (self.folder / name / "secret").touch()
        calls = f"import os; os.chroot('{self.folder}/jail'); os.chdir('/'); os.chmod('/../etc/secret', 0o600)"
        for denied, verdict in (("jail/etc/secret", "deny"), ("etc/secret", "none")):
            self.deny(self.folder / denied)
            account, _ = self.watched_path("/usr/bin/python3", "-c", calls)
            self.assertEqual([verdict], [body["verdict"] for body in of(account, op="chmod")])

    def test_one_alert(self):
        """rules: a denied file raises one alert for a process, however it spells the name"""
        (self.folder / "sub").mkdir()
        path = self.secret()
        self.deny(path)
        calls = "import os\nfor name in ('secret', './secret', './/secret', 'sub/../secret'): os.chmod(name, 0o600)"
        account, _ = self.watched_path("/usr/bin/python3", "-c", calls, cwd=self.folder)
        self.assertEqual(4, len(of(account, op="chmod", verdict="deny")))
        self.assertEqual(1, len(path_alerts(account)))

    def test_each_call(self):
        """rules: of a denied file every read and write is told by itself, by its path, its folder, or a glob once it is known"""
        (self.folder / "vault").mkdir()
        paths = [self.secret(name) for name in ("secret", "vault/inside", "x.key")]
        rules = (str(paths[0]), f"{self.folder}/vault/", f"{self.folder}/*.key")
        self.deny(*rules)
        self.learned(paths[2])
        wanted = [(op, size + (op == "write"), 1, "deny") for size in (10, 20, 30) for op in ("read", "write")]
        for path, rule in zip(paths, rules):
            with self.subTest(rule):
                account, _ = self.watched_path("/usr/bin/python3", "-c", READ_AND_WRITE, path)
                told = [body for body in of(account, path=str(path), rule=rule) if body["op"] in ("read", "write")]
                self.assertEqual(wanted, [(body["op"], body["bytes"], body["count"], body["verdict"]) for body in told])

    def test_sum_of_other_rules(self):
        """rules: what was read under other rules is judged by those alone, and told apart from what was read after"""
        path, other = self.secret(), self.secret("other")
        self.put_rules(("allow", path))
        with watch(self.daemon, ["/usr/bin/python3", "-c", READ_ON, str(path), str(self.folder)],
                   selector={"types": ["file", "target"]}) as watched:
            watched.go()
            wait_until((self.folder / "half").exists, "half of the reads", 30)
            self.put_rules(("deny", other))
            (self.folder / "on").touch()
            account = Account(watched.finish(60))
        told = [(body["count"], body["bytes"], body["verdict"]) for body in of(account, op="read", path=str(path))]
        self.assertEqual([(1, 10, "none"), (2, 20, "none")], told)

    def test_many_rules_on_a_path(self):
        """rules: a denied folder counts, however many others that are watched lie below it; what found no room is counted"""
        self.mounted("all", self.folder, "tmpfs")  # in which a rule's path is not the path
        folders = [self.folder / "vault"]
        for number in range(9):
            folders.append(folders[-1] / str(number))
        folders[-1].mkdir(parents=True)
        (folders[-1] / "x").touch()
        (self.folder / "window").mkdir()
        self.mounted(folders[-1], self.folder / "window")
        self.put_rules(("deny", f"{folders[0]}/"), *(("watch", f"{folder}/") for folder in folders[1:]))
        before = self.daemon.counters().get("file.rules-cut", 0)
        self.assertEqual(["deny"], self.verdicts(self.folder / "window/x"))
        self.assertGreater(self.daemon.counters()["file.rules-cut"], before)

    def test_credentials_through_a_symlink(self):
        """rules: an agent's child reads ~/.aws/credentials through a symlink: one alert with path, ancestry and rule"""
        home = self.folder / "home"
        (home / ".aws").mkdir(parents=True)
        (home / ".aws/credentials").write_text("[default]\n")
        os.symlink(home / ".aws", self.folder / "harmless")
        rule = f"{self.folder}/home/.aws/"
        self.deny(rule)
        account, _ = self.watched_path("/bin/sh", "-c", f"/bin/cat {self.folder}/harmless/credentials; true")
        (alert,) = path_alerts(account)
        self.assertEqual(("sensitive-path", rule), (alert["alert"]["kind"], alert["alert"]["rule"]))
        self.assertIn(str(home / ".aws/credentials"), alert["alert"]["summary"])
        first, second = alert["alert"]["ancestry"][:2]
        self.assertEqual("cat", os.path.basename(first["exe"]))
        self.assertEqual(self.last.pid, int(second["id"].partition("-")[0]))
        cause = next(event for event in account.events if event["seq"] == alert["alert"]["cause_seq"])
        self.assertEqual(("deny", True), (cause["file"]["verdict"], cause["file"]["sensitive"]))

    def test_missing(self):
        """rules: asking for a denied file that is not there is an alert"""
        self.deny(self.folder / "nothing")
        account, _ = self.watched("alias_ops", "plain", f"cd={self.folder}", "nothing", "open")
        self.assertEqual(1, len(path_alerts(account)))

    def test_allowed(self):
        """rules: what is allowed is not told"""
        path = self.secret()
        self.rules("allow", path)
        account, _ = self.watched("alias_ops", "plain", "-", path, "open")
        self.assertEqual([], of(account, path=str(path)))

    def test_allowed_and_mounted(self):
        """rules: nothing that is mounted in an allowed place is allowed by it; what the allow means still is"""
        vault, shelf, house, door = (self.folder / name for name in ("vault", "shelf/of/things", "house", "door"))
        for folder in (vault / "public", vault / "inner", shelf / "below", house / "room", door):
            folder.mkdir(parents=True)
        for path in (vault / "known", vault / "key", vault / "public/x", vault / "inner/x", vault / "a.key", shelf / "below/x",
                     shelf / "b.key", house / "room/x", house / "room/c.key"):
            path.write_bytes(b"s")
        self.mounted(house, door)
        self.put_rules(("deny", f"{vault}/"), ("allow", vault / "known"), ("allow", f"{vault}/public/"), ("allow", f"{shelf}/"),
                       ("deny", f"{self.folder}/**/*.key"), ("allow", f"{shelf}/*"), ("deny", f"{door}/"),
                       ("allow", f"{door}/room/"), ("allow", f"{door}/room/*"))
        places = (vault / "known", vault / "public/x", shelf / "below/x", shelf / "b.key")
        self.assertEqual([], [path for path in (*places, door / "room/x", door / "room/c.key") if self.verdicts(path)])
        for what, place in ((vault / "key", places[0]), (vault / "inner", vault / "public"), (vault / "inner", shelf / "below"),
                            (vault / "a.key", places[3])):
            self.mounted(what, place)
        self.assertEqual({path: ["deny"] for path in places}, {path: self.verdicts(path) for path in places})

    def test_part_in_no_tree(self):
        """rules: a part of a denied folder stays denied where it is mounted nowhere, or is a namespace's root"""
        vault = self.folder / "vault"
        (vault / "part").mkdir(parents=True)
        (vault / "part/secret").write_bytes(b"s")
        self.put_rules(("deny", f"{vault}/"))
        for way in ("clone", "unmounted", "root"):
            with self.subTest(way):
                script = self.folder / "part.py"
                script.write_text(PART_IN_NO_TREE)
                account, said = self.watched_path("/usr/bin/python3", "-SE", script, way, vault / "part", self.folder)
                self.assertEqual("s\n", said)
                told = [body for body in of(account, op="open") if body["path"] == "/secret"]
                self.assertEqual(["deny"], [body["verdict"] for body in told])
                self.assertEqual([] if way == "root" else ["detached"], told[0].get("flags_path", []))

    def test_too_deep(self):
        """rules: what lies deeper in a denied folder than a path can say is denied by the folder"""
        vault = self.folder / "vault"
        vault.mkdir()
        self.addCleanup(subprocess.run, ["rm", "-rf", vault], check=True)  # Python goes down by recursion
        self.put_rules(("deny", f"{vault}/"))
        for name, levels in ((250 * "d", 20), ("d", 2500)):
            with self.subTest(name[:3]):
                go_down = f"import os\nfor _ in range({levels}): %sos.chdir({name!r})\n"
                make = go_down % f"os.mkdir({name!r}); "
                subprocess.run(["/usr/bin/python3", "-SEc", make], cwd=vault, check=True)
                use = go_down % "" + "os.close(os.open('leaf', os.O_CREAT)); os.chmod('leaf', 0o600)"
                account, _ = self.watched_path("/usr/bin/python3", "-SEc", use, cwd=vault)
                told = [body for body in of(account, resolution="unresolved") if body.get("requested") == "leaf"]
                self.assertEqual([("create", "deny"), ("chmod", "deny")], [(body["op"], body["verdict"]) for body in told])
                self.assertEqual({("too_long",)}, {tuple(body["flags_path"]) for body in told})

    def test_from_too_deep(self):
        """rules: from a folder that is too deep to be told, what is moved or linked to a denied name is judged all the same"""
        (self.folder / "vault").mkdir()
        self.deny(self.folder / "secret", f"{self.folder}/vault/", "**/.env")
        script = (self.folder / "deep.py")
        script.write_text(FROM_TOO_DEEP)
        self.addCleanup(subprocess.run, ["rm", "-rf", self.folder / "deep"], check=False)
        account, _ = self.watched_path("/usr/bin/python3", script, self.folder)
        for op, name in (("rename", "secret"), ("rename", "vault/b"), ("rename", ".env"), ("link", "vault/d")):
            with self.subTest(name):
                self.assertEqual(["deny"], [body["verdict"] for body in of(account, op=op, path2=f"{self.folder}/{name}")])

    def test_relative_link(self):
        """rules: a glob for any folder holds for a relative name too, wherever a symlink leads from there"""
        (self.folder / ".env").symlink_to(self.secret("real.txt"))
        self.deny("**/.env")
        for name in (".env", "./.env"):
            account, _ = self.watched_path("/bin/cat", name, cwd=self.folder)
            self.assertEqual(["deny"], [body["verdict"] for body in of(account, op="open", path=f"{self.folder}/real.txt")])
        self.assertFalse(self.is_denied(self.folder / "real.txt"))

    def test_mounted_on_a_name(self):
        """rules: what is mounted on a denied name, or in a denied folder, is denied there, and nowhere else"""
        vault, other = self.folder / "vault", self.folder / "other"
        for folder in (vault, other):
            folder.mkdir()
        for path in (self.folder / ".env", other / "innocent", other / "within"):
            path.write_bytes(b"s")
        self.put_rules(("deny", "**/.env"), ("deny", f"{vault}/"))
        mounting = "mount --bind other/innocent .env; mount --bind other vault; cat .env vault/within"
        account, said = self.watched_path("/usr/bin/unshare", "-m", "/bin/sh", "-c", mounting, cwd=self.folder)
        self.assertEqual("ss", said)
        for path in (self.folder / ".env", vault / "within"):
            self.assertEqual({"deny"}, {body["verdict"] for body in of(account, op="open", path=str(path))})
        time.sleep(1)
        self.assertEqual([["none"], ["none"]], [self.verdicts(other / name) for name in ("innocent", "within")])

    def test_second_procfs(self):
        """rules: what is denied of /proc is denied in a second one, and where a process's part of it is mounted"""
        second, part = self.folder / "second", self.folder / "part"
        second.mkdir()
        part.mkdir()
        self.mounted("proc", second, "proc")
        self.mounted(f"/proc/{os.getpid()}", part)
        self.deny("/proc/*/environ")
        for path in (second / str(os.getpid()) / "environ", part / "environ"):
            self.assertEqual(["deny"], self.verdicts(path), path)
        self.assertNotIn("deny", self.verdicts(part / "status"))

    def test_watch(self):
        """rules: of a file, a folder and a glob that are watched each read is told, without alert; of others the sums"""
        (self.folder / "vault").mkdir()
        paths = [self.secret(name, size=10_000) for name in ("file", "vault/inside", "x.log", "other")]
        self.rules("watch", paths[0], f"{self.folder}/vault/", f"{self.folder}/*.log")
        self.assertEqual({"watch"}, {body["verdict"] for body in self.reads(paths[2])})  # sums, until the kernel knows it
        self.learned(paths[2])
        for path in paths[:3]:
            with self.subTest(path):
                told = [(body["bytes"], body["count"], body["verdict"]) for body in self.reads(path)]
                self.assertEqual([(1000, 1, "watch")] * 10 + [(0, 1, "watch")], told)
        others = self.reads(paths[3])
        self.assertEqual({"none"}, {body["verdict"] for body in others})
        self.assertLess(len(others), 11)

    def reads(self, path):
        """The events of eleven reads, of 10,000 bytes in all, which raise no alert."""
        account, _ = self.watched_path("/usr/bin/dd", f"if={path}", "of=/dev/null", "bs=1000")
        told = of(account, op="read", path=str(path))
        self.assertEqual((11, 10_000), (sum(body["count"] for body in told), sum(body["bytes"] for body in told)))
        self.assertEqual([], path_alerts(account))
        return told

    def test_shipped(self):
        """rules: the shipped list is in force from the start"""
        account, _ = self.watched_path("/usr/bin/cat", "/etc/shadow")
        (alert,) = path_alerts(account)
        self.assertEqual("critical", alert["alert"]["severity"])

    def test_flips_under_load(self):
        """rules: while sets are swapped, each event has the verdict and the rule of exactly the generation it names"""
        left, right = (str(self.secret(name)) for name in ("left", "right"))
        flips = 1000 if not QUICK else 20 if SPARSE else 50
        made = {self.deny_quietly(right): right}
        loop = f"while [ ! -e {self.folder}/stop ]; do read x <{left}; read x <{right}; (:); done"
        script = f"({loop}) & ({loop}) & wait"
        with watch(self.daemon, ["/bin/bash", "-c", script], selector={"types": ["file", "target"]}) as watched:
            watched.go()
            for i in range(flips):
                path = left if i % 2 else right
                made[self.deny_quietly(path)] = path
            (self.folder / "stop").touch()
            account = Account(watched.finish(120))
        self.daemon.manager.UpdatePathFilter(dbus.Array([], signature="(ss)"))
        told = [body for body in of(account) if body["path"] in (left, right)]
        self.assertGreater(len({body["generation"] for body in told}), min(flips, 100) // 4)
        for body in told:
            self.assertIn(body["generation"], made, body)
            denied = made[body["generation"]] == body["path"]
            self.assertEqual(("deny", body["path"]) if denied else ("none", None), (body["verdict"], body.get("rule")), body)

    def deny_quietly(self, path):
        rows = dbus.Array([(str(path), "deny")], signature="(ss)")
        return int(self.daemon.manager.UpdatePathFilter(rows, timeout=CALL_TIMEOUT))


class LinkedHome(FileCase):
    without = ("tls",)

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="aa-home-")
        cls.addClassCleanup(folder.cleanup)
        cls.home, cls.real = (pathlib.Path(folder.name) / name / "me" for name in ("home", "data"))
        cls.real.mkdir(parents=True)
        cls.home.parent.symlink_to(cls.real.parent)
        people = pathlib.Path(folder.name) / "passwd"
        people.write_text(pathlib.Path("/etc/passwd").read_text() + f"aa-me:x:4242:4242::{cls.home}:/bin/sh\n")
        subprocess.run(["mount", "--bind", people, "/etc/passwd"], check=True)
        cls.addClassCleanup(subprocess.run, ["umount", "-l", "/etc/passwd"], check=True)
        super().setUpClass()

    def test_linked_home(self):
        """rules: in a home that a symlink leads to, what is made after the rules is denied by the home's name, and found by both"""
        self.deny("~/.aws/", "~/.browser/*/key4")
        for name in (".aws", ".browser/x"):
            (self.real / name).mkdir(parents=True)
        for name in (".aws/credentials", ".browser/x/key4"):
            (self.real / name).touch()
            for folder in (self.home, self.real):
                account, _ = self.watched("alias_ops", "plain", "-", folder / name, "open")
                self.assertEqual(["deny"], [body["verdict"] for body in of(account, op="open", path=str(self.real / name))])


if __name__ == "__main__":
    unittest.main()
