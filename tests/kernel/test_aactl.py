#!/usr/bin/python3
"""aactl against the real daemon: what it prints, what it passes on, how it refuses."""

import base64
import fcntl
import json
import os
import pathlib
import pty
import pwd
import re
import select
import signal
import subprocess
import tempfile
import time
import unittest

from aactl_case import WITHIN, AactlCase
from harness import Deadline, PrivateBus, aactl_path, wait_until
from tls_server import TlsServer

NOBODY = pwd.getpwnam("nobody")


def ancestors(pid):
    """Pids from the oldest ancestor that can be seen from here (pid 1, outside of containers) down to `pid`."""
    parent = int(re.search(r"PPid:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1))
    return [*(ancestors(parent) if parent else []), pid]


class Aactl(AactlCase):
    # -- run -----------------------------------------------------------------------------------------------------------

    def test_run_tells_what_ran(self):
        """aactl run: shows every program of the tree, and ends with a summary that lost nothing"""
        with tempfile.NamedTemporaryFile() as account:
            status, out, err = self.aactl("run", "--output", account.name, "--", "sh", "-c",
                                          "/bin/echo one; /bin/echo 'two words'; exit 0")
            told = pathlib.Path(account.name).read_text()
        self.assertEqual((status, out, err), (0, "one\ntwo words\n", ""))
        self.assertRegex(told, r"(?m)^\d+ sh -c ")
        # One line each when it ends at once, two when the machine is busy.
        self.assertRegex(told, r"(?m)^├─ \d+ /bin/echo one\b")
        self.assertRegex(told, r"(?m)^├─ (\d+) /bin/echo 'two words'(?: .* ok$|\n(?:.*\n)*?│  └─ \1 echo .* ok$)")
        self.assertRegex(told, r"(?m)^3 processes, 2 distinct programs, deepest level 2; "
                               r"\d+ events delivered, 0 events lost$")

    def test_run_tells_what_it_touched(self):
        """aactl run: ends with the files that were changed, and with whom was spoken over TLS, how many bytes"""
        server = TlsServer()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        with tempfile.TemporaryDirectory() as folder:
            made, moved = pathlib.Path(folder) / "a name", pathlib.Path(folder) / "b"
            account = pathlib.Path(folder) / "account"
            status, out, err = self.aactl("run", "--output", str(account), "--", "sh", "-c",
                                          f"echo hi > '{made}'; mv '{made}' {moved}; rm {moved}; curl -sk {server.url('5000')} | wc -c")
            told = account.read_text()
        self.assertEqual((status, out, err), (0, "5000\n", ""))
        self.assertRegex(told, rf"(?m)^\d+ files read, 3 changed:\n  '{made}'  made, written\n"
                               rf"  '{made}' → {moved}  moved\n  {moved}  removed\n"
                               rf"1 connection over TLS:\n  curl with 127\.0\.0\.1:{server.port}  \d+ bytes sent, 5\.\d kB received\n")

    def test_run_passes_the_exit_status_on(self):
        """aactl run: passes the command's exit status on, and 128 and the signal when it was killed"""
        self.assertEqual(self.aactl("run", "--", "sh", "-c", "exit 7")[0], 7)
        self.assertEqual(self.aactl("run", "--", "sh", "-c", "kill -9 $$")[0], 137)

    def test_run_says_first_what_it_runs(self):
        """aactl run: the line that says what runs comes before anything the command can write"""
        read_end, write_end = os.pipe()
        fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, 4096)
        os.write(write_end, bytes(4096))  # full: that line has to wait for a reader
        with tempfile.TemporaryDirectory() as folder, open(read_end, "rb") as reader:
            ran = pathlib.Path(folder) / "ran"
            process = self.start("run", "--name", "first", "--", "sh", "-c", f"touch {ran}; echo its line",
                                 stdout=write_end)
            os.close(write_end)
            wait_until(lambda: "first" in [t["name"] for t in self.daemon.targets().values()], "the target")
            time.sleep(0.3)
            self.assertFalse(ran.exists())
            told = reader.read().lstrip(bytes(1)).decode()
            self.assertEqual(0, process.wait(WITHIN))
        self.assertRegex(told, r"^watching, as root: sh -c .*\n(.*\n)*its line\n")

    def test_run_shows_no_secret(self):
        """aactl run: what it shows of the command has no secrets"""
        status, out, err = self.aactl("run", "--", "true", "-H", "Authorization: Bearer hunter2hunter2")
        self.assertEqual(0, status)
        self.assertIn("watching, as root: true -H 'Authorization: ", out)
        self.assertNotIn("hunter2", out + err)

    def test_run_sees_the_first_instruction(self):
        """aactl run --json: the command's own exec is the first thing it did, and stdout holds events alone"""
        status, out, err = self.aactl("--json", "run", "--", "true")
        events = [json.loads(line) for line in out.splitlines()]
        self.assertEqual(status, 0)
        execs = [e for e in events if e["type"] == "exec"]
        self.assertEqual(execs[0]["exec"]["argv"], ["true"])
        self.assertEqual([e["exit"]["code"] for e in events if e["type"] == "exit"], [0])
        self.assertIn("0 events lost", err)

    def test_run_command_that_is_not_there(self):
        """aactl run: a command that does not exist is 127, one that cannot be run 126, each with a sentence"""
        status, _, err = self.aactl("run", "--", "no-such-command")
        self.assertEqual((status, err), (127, "aactl: no-such-command: command not found\n"))
        status, _, err = self.aactl("run", "--", "/etc/passwd")
        self.assertEqual((status, err), (126, "aactl: /etc/passwd: cannot be run: Permission denied\n"))

    def test_run_as_the_user_who_called_sudo(self):
        """aactl run: the command runs as the user who called sudo, with their groups and home, no capabilities"""
        sudo = {"SUDO_UID": str(NOBODY.pw_uid), "SUDO_GID": str(NOBODY.pw_gid), "HOME": "/root"}
        script = "id -u; id -G; echo $HOME $USER; grep -E '^Cap(Inh|Prm|Eff|Amb)' /proc/self/status"
        with tempfile.NamedTemporaryFile() as account:
            os.chmod(account.name, 0o666)
            status, out, err = self.aactl("run", "--output", account.name, "--", "sh", "-c", script, env=sudo)
            self.assertIn("as nobody", pathlib.Path(account.name).read_text())
        self.assertEqual((status, err), (0, ""))
        uid, groups, home, *capabilities = out.splitlines()
        self.assertEqual((uid, groups), (str(NOBODY.pw_uid), str(NOBODY.pw_gid)))
        self.assertEqual(home, f"{NOBODY.pw_dir} nobody")
        self.assertEqual({line.split()[1] for line in capabilities}, {"0" * 16})

    def test_run_as_root(self):
        """aactl run --as-root: the command stays root whoever called sudo"""
        sudo = {"SUDO_UID": str(NOBODY.pw_uid), "SUDO_GID": str(NOBODY.pw_gid)}
        with tempfile.NamedTemporaryFile() as account:
            _, out, _ = self.aactl("run", "--as-root", "--output", account.name, "--", "id", "-u", env=sudo)
        self.assertEqual(out, "0\n")

    def test_run_refused_runs_nothing(self):
        """aactl run: when the daemon refuses to watch, the command never runs"""
        with tempfile.TemporaryDirectory() as folder:
            trace = pathlib.Path(folder) / "ran"
            status, _, err = self.aactl("run", "--name", "12345", "--", "touch", str(trace))
            self.assertEqual(status, 1)
            self.assertRegex(err, r"^aactl: .+\n$")
            self.assertFalse(trace.exists())

    def test_run_needs_root(self):
        """aactl run: without root it says what to do"""
        become = ["setpriv", f"--reuid={NOBODY.pw_uid}", "--clear-groups"]
        process = subprocess.run([*become, aactl_path(), "run", "--", "true"], stdin=subprocess.DEVNULL,
                                 capture_output=True, text=True, timeout=WITHIN)
        if process.returncode == 127:
            self.skipTest(f"nobody cannot reach {aactl_path()}")
        self.assertEqual(process.returncode, 1)
        self.assertIn("run it with sudo", process.stderr)

    def test_run_leaves_what_lives_on_watched(self):
        """aactl run: a process that outlives the command is counted, stays watched, and its target is named in the last line"""
        script = "sleep 600 >/dev/null 2>&1 & echo $!"
        status, out, _ = self.aactl("run", "--name", "outlived", "--", "sh", "-c", script)
        sleeper = int(re.search(r"(?m)^(\d+)$", out).group(1))
        self.addCleanup(os.kill, sleeper, signal.SIGKILL)
        self.assertEqual(status, 0)
        self.assertRegex(out, "1 process is still running and watched: aactl events -f --target [0-9a-f-]{36}\n")
        self.assertIn("running", {t["state"] for t in self.daemon.targets().values() if t["name"] == "outlived"})

    def test_run_signals(self):
        """aactl run: SIGTERM is handed to the command, SIGINT is the command's own affair"""
        process = self.start("run", "--", "sh", "-c", "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done")
        seen = ""
        while "ready\n" not in seen:
            seen += process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=WITHIN)
        self.assertEqual(process.returncode, 5)
        self.assertIn("exit 5", out)

    def test_run_without_a_reader(self):
        """aactl run: a reader of the account that goes away does not end the command"""
        read_end, write_end = os.pipe()
        os.close(read_end)
        with tempfile.TemporaryDirectory() as folder:
            done = pathlib.Path(folder) / "done"
            process = self.start("run", "--", "touch", str(done), stdout=write_end)
            os.close(write_end)
            process.communicate(timeout=WITHIN)
            self.assertEqual(process.returncode, 0)
            self.assertTrue(done.exists())

    def test_output_that_cannot_be_written(self):
        """aactl: what cannot be written is said and ends with 1; a command that runs keeps its own exit status"""
        for verb in (["targets"], ["status", "--json"]):
            with open("/dev/full", "w") as full:
                status, _, err = self.aactl(*verb, stdout=full)
            self.assertEqual(1, status)
            self.assertIn("No space left", err)
        with open("/dev/full", "w") as full:
            status, _, err = self.aactl("run", "--", "sh", "-c", "exit 7", stdout=full)
        self.assertEqual(7, status)
        self.assertIn("the output cannot be written", err)
        self.assertIn("this account is incomplete", err)

    def test_run_shows_no_raw_bytes(self):
        """aactl run: control, bidirectional and invalid bytes of a command reach a terminal only as \\xNN"""
        _, out, _ = self.aactl("run", "--", "sh", "-c", ":", b"\x1b[2J\xff", "\u202e")
        self.assertIn(r"$'\x1b[2J\xff' $'\xe2\x80\xae'", out)
        self.assertNotIn("\x1b", out)

    def test_run_on_a_terminal(self):
        """aactl run: on a terminal there are colours, with NO_COLOR there are none"""
        coloured = self.on_a_terminal("run", "--", "true")
        self.assertIn(b"\x1b[", coloured)
        self.assertNotIn(b"\x1b[", self.on_a_terminal("run", "--", "true", env={"NO_COLOR": "1"}))

    @staticmethod
    def pipes_of(pid):
        return sum(os.readlink(link).startswith("pipe:") for link in pathlib.Path(f"/proc/{pid}/fd").iterdir())

    def on_a_terminal(self, *arguments, env=None):
        ours, theirs = pty.openpty()
        process = self.start(*arguments, env={"TERM": "xterm", **(env or {})}, stdout=theirs, stderr=theirs, text=False)
        os.close(theirs)
        shown, deadline = b"", Deadline(WITHIN, "the end of aactl on a terminal")
        try:
            while select.select([ours], [], [], deadline.left())[0]:
                shown += os.read(ours, 65536)
        except OSError:
            pass  # EIO: the other side is closed
        os.close(ours)
        process.wait(WITHIN)
        return shown

    # -- the other verbs -----------------------------------------------------------------------------------------------

    def test_watch_list_unwatch(self):
        """aactl watch, targets, unwatch: what was enrolled is listed, then released"""
        process = self.held()
        status, out, err = self.aactl("watch", str(process.pid), "--name", "sleeper")
        self.assertEqual((status, err), (0, ""))
        self.assertRegex(out, r"^watching sleeper as target [0-9a-f-]{36}: 0 descendants adopted\n$")
        self.assertRegex(self.aactl("targets")[1], rf"(?m)^sleeper +{process.pid} +running +1 ")
        listed = [json.loads(line) for line in self.aactl("targets", "--json")[1].splitlines()]
        self.assertIn(("sleeper", "running"), {(t["name"], t["state"]) for t in listed})
        self.assertEqual(self.aactl("unwatch", "sleeper"), (0, "no longer watching sleeper\n", ""))

    def test_refusals(self):
        """aactl: what the daemon refuses is exit status 1 and one sentence"""
        for arguments in (["unwatch", "no-such-target"], ["watch", "0"], ["watch", "4194305"],
                          ["watch", "--unit", "x.service"], ["ancestry", "4194305"], ["tree", "no-such-target"],
                          ["events", "--target", "no-such-target"], ["events", "--type", "no-such-type"],
                          ["events", "--severity", "loud"]):
            with self.subTest(arguments):
                status, out, err = self.aactl(*arguments)
                self.assertEqual((status, out), (1, ""))
                self.assertRegex(err, r"^aactl: [^\n]+\n$")

    def test_usage(self):
        """aactl: wrong usage is exit status 2, one sentence, and where to read more"""
        for arguments in ([], ["no-such-verb"], ["run"], ["run", "true"], ["run", "--"], ["watch"], ["watch", "x"],
                          ["unwatch"], ["targets", "--no-such-option"], ["ancestry"], ["targets", "--", "x"],
                          ["watch", "1", "--unit", "x"], ["targets", "--color", "maybe"]):
            with self.subTest(arguments):
                status, out, err = self.aactl(*arguments)
                self.assertEqual((status, out), (2, ""))
                self.assertRegex(err, r"^aactl: [^\n]+; see aactl --help\n$")

    def rules_file(self, text):
        file = tempfile.NamedTemporaryFile(prefix="aa-rules-")  # closed, and gone, with the test
        self.addCleanup(file.close)
        file.write(text)
        file.flush()
        return file.name

    def assert_runtime_patterns(self, *patterns):
        status, out, err = self.aactl("--json", "paths")
        self.assertEqual((status, err), (0, ""))
        rules = [json.loads(line) for line in out.splitlines()]
        self.assertEqual([rule["pattern"] for rule in rules if rule["layer"] == "runtime"], list(patterns))

    def test_paths_set_refuses(self):
        """aactl paths set: every mistake is told with file and line, bytes that are not UTF-8 too, and nothing changes"""
        self.assertEqual(self.aactl("paths", "set", self.rules_file(b"deny /srv/kept\n"))[0], 0)
        self.addCleanup(self.aactl, "paths", "set", "/dev/null")
        for text, line, what in ((b"/ok\n# caf\xe9\ndeny /srv/caf\xe9\n", 3, "not UTF-8.*paths.include"),
                                 (b"deny target=caf\xe9 /x\n", 1, "not UTF-8.*paths.include"),
                                 (b"/ok\ndeny target=  /x\n", 2, "target= has no value"),
                                 (b"deny ops=read ops=write /y\n", 1, "ops= is given twice")):
            with self.subTest(text):
                file = self.rules_file(text)
                status, out, err = self.aactl("paths", "set", file)
                self.assertEqual((status, out), (1, ""))
                self.assertRegex(err, rf"^aactl: {file}:{line}: [^\n]*{what}[^\n]*\naactl: nothing was changed\n$")
        self.assert_runtime_patterns("/srv/kept")

    def test_paths_set_folder(self):
        """aactl paths set: a folder is wrong usage, as a name and as standard input, and nothing changes"""
        self.assertEqual(self.aactl("paths", "set", self.rules_file(b"deny /srv/kept\n"))[0], 0)
        self.addCleanup(self.aactl, "paths", "set", "/dev/null")
        with tempfile.TemporaryDirectory() as folder:
            status, out, err = self.aactl("paths", "set", folder)
            self.assertEqual((status, out), (2, ""))
            self.assertRegex(err, rf"^aactl: {folder} is a folder; [^\n]+\n$")
            fd = os.open(folder, os.O_RDONLY)
            self.addCleanup(os.close, fd)
            status, out, err = self.aactl("paths", "set", "-", stdin=fd)
            self.assertEqual((status, out), (2, ""))
            self.assertRegex(err, r"^aactl: standard input is a folder; [^\n]+\n$")
            status, out, err = self.aactl("paths", "set", f"{folder}/none")
            self.assertEqual((status, out), (1, ""))
            self.assertIn(f"cannot open {folder}/none: No such file", err)
        self.assert_runtime_patterns("/srv/kept")

    def test_paths_test_bytes(self):
        """aactl paths test: a path that is not UTF-8 is wrong usage, with what to do"""
        status, out, err = self.aactl("paths", "test", b"/srv/caf\xe9")
        self.assertEqual((status, out), (2, ""))
        self.assertRegex(err, r"^aactl: [^\n]+ is not UTF-8[^\n]+; [^\n]*aactl paths[^\n]*\n$")

    def test_unreachable(self):
        """aactl: no bus, or a bus without the daemon, is exit status 3, and run runs nothing"""
        with PrivateBus() as empty, tempfile.TemporaryDirectory() as folder:
            trace = pathlib.Path(folder) / "ran"
            for address in (empty.address, "unix:path=/nonexistent/bus"):
                for arguments in (["targets"], ["events"], ["status"], ["run", "--", "touch", str(trace)]):
                    with self.subTest(address=address, arguments=arguments):
                        status, out, err = self.aactl(*arguments, bus=address)
                        self.assertEqual((status, out), (3, ""))
                        self.assertRegex(err, r"^aactl: [^\n]+\n$")
            self.assertFalse(trace.exists())

    def test_tree(self):
        """aactl tree: children stand below their parents; by target, by pid, and for all targets"""
        process = subprocess.Popen(["sh", "-c", "sleep 600 & exec sleep 601"])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
        child = int(wait_until(children.read_text, "the shell's child").split()[0])
        self.addCleanup(os.kill, child, signal.SIGKILL)
        self.assertEqual(self.aactl("watch", str(process.pid), "--name", "wood")[0], 0)
        drawn = rf"(?m)^{process.pid} .*\n└─ {child} "
        for arguments in (["tree", "wood"], ["tree", str(process.pid)], ["tree"]):
            with self.subTest(arguments):
                status, out, _ = self.aactl(*arguments)
                self.assertEqual(status, 0)
                self.assertRegex(out, drawn)
        rows = [json.loads(line) for line in self.aactl("tree", "wood", "--json")[1].splitlines()]
        self.assertEqual([row["pid"] for row in rows], [process.pid, child])

    def test_ancestry(self):
        """aactl ancestry: one line each from pid 1 down to the process"""
        process = self.watched("leaf")
        status, out, _ = self.aactl("ancestry", str(process.pid))
        lines = out.splitlines()
        self.assertEqual(status, 0)
        self.assertEqual([int(line.split()[0]) for line in lines], ancestors(process.pid))
        self.assertEqual(lines[-1], f"{process.pid} sleep 600")

    def test_status(self):
        """aactl status: version, probes, counters and targets, for people and as one JSON object"""
        status, out, _ = self.aactl("status")
        self.assertEqual(status, 0)
        for part in ("aa-ebpfd ", "Probes\n", "Counters\n", "Targets\n", "attached"):
            self.assertIn(part, out)
        report = json.loads(self.aactl("status", "--json")[1])
        self.assertEqual(report["version"], str(self.daemon.property("Version")))
        self.assertEqual({"version", "config_file", "boot_time_ns", "probes", "counters", "targets"}, set(report))

    def test_events(self):
        """aactl events: JSON Lines when piped, and SIGINT ends it with 0"""
        follower = self.start("events", "--type", "exit,exec")
        process = self.watched("followed")
        wait_until(lambda: self.pipes_of(follower.pid) >= 3, "the stream, besides stdout and stderr")
        process.kill()
        event = json.loads(follower.stdout.readline())
        self.assertEqual((event["type"], event["process"]["pid"], event["exit"]["signal"]), ("exit", process.pid, 9))
        follower.send_signal(signal.SIGINT)
        follower.communicate(timeout=WITHIN)
        self.assertEqual(follower.returncode, 0)

    def test_events_that_nobody_reads(self):
        """aactl events: it ends when it is told to, also while nobody reads what it has written"""
        read_end, write_end = os.pipe()
        fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, 4096)
        follower = self.start("events", stdout=write_end)
        os.close(write_end)
        self.addCleanup(os.close, read_end)
        wait_until(lambda: self.pipes_of(follower.pid) >= 3, "the stream, besides stdout and stderr")
        self.aactl("run", "--", "sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do /bin/true; done")
        syscall = pathlib.Path(f"/proc/{follower.pid}/syscall")
        wait_until(lambda: syscall.read_text().startswith("1 0x1 "), "it is in write(2), to its output")
        for stop in (signal.SIGTERM, signal.SIGINT):
            follower.send_signal(stop)
        follower.communicate(timeout=WITHIN)
        self.assertEqual(follower.returncode, 0)


class ConfiguredPaths(AactlCase):
    """Rules of a file that the configuration includes, with bytes and in numbers that the bus does not carry."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="aa-rules-")
        cls.addClassCleanup(folder.cleanup)
        cls.files = [pathlib.Path(folder.name) / name for name in ("one.rules", "two.rules")]
        cls.settings = {"paths.include": ",".join(str(file) for file in cls.files), "paths.shipped": "off"}
        cls.write(b"deny /srv/caf\xe9\n")
        super().setUpClass()

    @classmethod
    def write(cls, text, more=b""):
        for file, content in zip(cls.files, (text, more)):
            file.write_bytes(content)

    def test_bytes(self):
        """aactl paths: a pattern that is not UTF-8 is shown byte for byte"""
        status, out, err = self.aactl("paths")
        self.assertEqual((status, err), (0, ""))
        self.assertIn(r"/srv/caf\xe9 ", out)
        rule = json.loads(self.aactl("--json", "paths")[1])
        self.assertEqual(rule["pattern"], "/srv/caf\ufffd")
        self.assertEqual(base64.b64decode(rule["pattern_base64"]), b"/srv/caf\xe9")

    def test_too_many(self):
        """aactl paths: rules that take more than the bus carries are refused with what to do, and judged all the same"""
        self.addCleanup(self.aactl, "reload")
        self.addCleanup(self.write, b"deny /srv/caf\xe9\n")
        rest = ("/" + "x" * 200) * 19
        lines = [f"deny /srv/{i}{rest}\n".encode() for i in range(4600)]
        self.write(b"".join(lines[:2300]), b"".join(lines[2300:]))
        self.assertEqual(self.aactl("reload")[0], 0)
        status, out, err = self.aactl("paths")
        self.assertEqual((status, out), (1, ""))
        self.assertRegex(err, r"^aactl: the 4600 path rules [^\n]*16 MiB[^\n]*paths\.include[^\n]*\n$")
        status, out, err = self.aactl("paths", "test", f"/srv/4599{rest}")
        self.assertEqual((status, err), (0, ""))
        self.assertIn("deny by /srv/4599/", out)


if __name__ == "__main__":
    unittest.main()
