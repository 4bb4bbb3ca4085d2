"""What an exec event says: the file asked for, every argument, where from, and what became of it."""

import base64
import os
import shutil
import socket
import unittest

from harness import exact, program
from kernel_case import KernelCase, pid_of, words

TINY = "tiny"
ARGV_BYTES = 64 * 1024  # lifecycle.argv_bytes' default
PIECE = 1000  # as in tests/programs/long_argv.c


def long_arguments(total):
    """What `long_argv total N` passes."""
    arguments = [b"x", b"0"]
    left = total - 4
    while left > 0:
        take = min(left, PIECE)
        arguments.append(bytes([ord("a") + len(arguments) % 26]) * (take - 1))
        left -= take
    return arguments


def as_in_memory(arguments):
    return b"".join(argument + b"\0" for argument in arguments)


class Exec(KernelCase):
    without = ("file", "tls")

    def last_exec(self, account, pid=None):
        execs = account.execs[account.id_of(pid or self.last.pid)]
        self.assertTrue(execs, "no exec of it")
        return execs[-1]

    def test_first_instruction(self):
        """exec: a program is seen from its first instruction, with file, arguments, folder, ids and image"""
        account, _ = self.watched(TINY, "7", cwd=self.folder)
        (event,) = account.execs[account.id_of(self.last.pid)]
        self.assertEqual(program(TINY), event["exec"]["filename"])
        self.assertEqual([program(TINY), "7"], event["exec"]["argv"])
        self.assertEqual(str(self.folder), event["exec"]["cwd"])
        self.assertEqual(program(TINY), event["process"]["exe"])
        self.assertEqual(TINY, event["process"]["comm"])
        self.assertEqual((0, 0), (event["process"]["uid"], event["process"]["gid"]))
        self.assertEqual(1, event["process"]["image"])
        self.assertEqual(os.getpid(), event["process"]["ppid"])
        flags = ("argv_truncated", "memfd", "deleted")
        self.assertEqual({flag: False for flag in flags}, {flag: event["exec"][flag] for flag in flags})
        self.assertNotIn("interpreter", event["exec"])

    def test_other_user(self):
        """exec: another user's process carries its uid and gid"""
        account, _ = self.watched(TINY, user=65534, group=65534, extra_groups=[], cwd="/")
        event = self.last_exec(account)
        self.assertEqual((65534, 65534), (event["process"]["uid"], event["process"]["gid"]))

    def test_exec_by_thread(self):
        """exec: a thread that is not the leader execs: the process goes on under its id, and ends once"""
        account, said = self.watched("exec_by_thread", program(TINY), "5")
        ((process, thread),) = words(said)["exec"]
        self.assertEqual((self.last.pid, True), (process, thread != process))
        event = self.last_exec(account)
        self.assertEqual([program(TINY), "5"], event["exec"]["argv"])
        self.assertEqual(process, event["process"]["pid"])
        self.assertEqual({account.id_of(process)}, set(account.exits))
        self.assertEqual(5 << 8, account.status_of(process))

    def test_memfd(self):
        """exec: a program that lives in memory only is marked memfd"""
        account, _ = self.watched("exec_nameless", "memfd", program(TINY))
        event = self.last_exec(account)
        self.assertTrue(event["exec"]["memfd"])
        self.assertIn("aa test image", event["process"]["exe"])
        self.assertEqual(["nameless", "11"], event["exec"]["argv"])
        self.assertEqual(11 << 8, account.status_of(self.last.pid))

    def test_deleted(self):
        """exec: a program whose file was unlinked before is marked deleted, and is no memfd"""
        account, _ = self.watched("exec_nameless", "deleted", program(TINY), self.folder)
        event = self.last_exec(account)
        self.assertEqual((True, False), (event["exec"]["deleted"], event["exec"]["memfd"]))
        self.assertEqual(11 << 8, account.status_of(self.last.pid))

    def test_argv_at_the_limit(self):
        """exec: arguments of exactly 64 KiB are whole"""
        account, _ = self.watched("long_argv", "total", ARGV_BYTES, program(TINY))
        event = self.last_exec(account)
        self.assertFalse(event["exec"]["argv_truncated"])
        self.assertEqual(long_arguments(ARGV_BYTES), exact(event["exec"], "argv"))

    def test_argv_above_the_limit(self):
        """exec: arguments of one byte more, and of 2 MiB, are cut at 64 KiB and say so"""
        for total in (ARGV_BYTES + 1, 2 << 20):
            with self.subTest(total=total):
                account, _ = self.watched("long_argv", "total", total, program(TINY))
                event = self.last_exec(account)
                self.assertTrue(event["exec"]["argv_truncated"])
                captured = as_in_memory(exact(event["exec"], "argv"))[:-1]
                self.assertTrue(as_in_memory(long_arguments(total)).startswith(captured), "not the beginning")
                self.assertIn(len(captured), (ARGV_BYTES - 1, ARGV_BYTES))

    def test_empty_arguments(self):
        """exec: three thousand empty arguments are three thousand empty arguments"""
        account, _ = self.watched("long_argv", "empty", 3000, program(TINY))
        event = self.last_exec(account)
        self.assertEqual([""] * 3000, event["exec"]["argv"])
        self.assertFalse(event["exec"]["argv_truncated"])

    def test_any_bytes(self):
        """exec: newlines, control characters and bytes that are not UTF-8 arrive exactly, in whole lines"""
        account, _ = self.watched("long_argv", "bytes", program(TINY))
        event = self.last_exec(account)
        odd = [b"odd", b"0", b"\xff\xfe", b"two\nlines", b"", b"tab\tbell\a", b"\x1b[31mred", "é".encode(),
               "\u202e".encode(), b"\xc3", b'"quoted\\']
        self.assertEqual(odd, exact(event["exec"], "argv"))
        self.assertEqual("\ufffd\ufffd", event["exec"]["argv"][2])
        self.assertEqual(base64.b64encode(b"\xff\xfe").decode(), event["exec"]["argv_base64"][2])

    def test_environment_is_not_there(self):
        """exec: no byte of the environment is in the event"""
        account, _ = self.watched(TINY, env={"SECRET_TOKEN": "do-not-look-here"})
        self.assertNotIn("do-not-look-here", str(account.events))

    def test_deep_folder(self):
        """exec: a working directory whose path is 4095 bytes long is whole"""
        account, _ = self.watched("deep_path", "cwd", self.folder, 4095, program(TINY))
        event = self.last_exec(account)
        self.assertEqual(4095, len(event["exec"]["cwd"]))
        self.assertEqual({"d"}, set(event["exec"]["cwd"].removeprefix(str(self.folder)).replace("/", "")))
        self.assertNotIn("cwd_truncated", event["exec"])

    def test_deep_executable(self):
        """exec: an executable whose path is 4095 bytes long is whole"""
        account, _ = self.watched("deep_path", "exe", self.folder, 4095, program(TINY))
        event = self.last_exec(account)
        self.assertEqual(4095, len(event["process"]["exe"]))
        self.assertTrue(event["process"]["exe"].endswith("/image"))
        self.assertNotIn("exe_truncated", event["exec"])

    def test_too_deep_folder(self):
        """exec: a working directory too deep for a path is shown cut and marked, never as if it were whole"""
        account, _ = self.watched("deep_path", "cwd", self.folder, 6000, program(TINY))
        event = self.last_exec(account)
        self.assertTrue(event["exec"]["cwd_truncated"])

    def test_script(self):
        """exec: a script shows what was asked for, and the interpreter that runs it"""
        script = self.folder / "script"
        script.write_text(f"#!{program(TINY)} 6\n")
        script.chmod(0o755)
        account, _ = self.watched_path(script, "argument")
        event = self.last_exec(account)
        self.assertEqual(str(script), event["exec"]["filename"])
        self.assertEqual(program(TINY), event["exec"]["interpreter"])
        self.assertEqual([program(TINY), "6", str(script), "argument"], event["exec"]["argv"])
        self.assertEqual(program(TINY), event["process"]["exe"])
        self.assertEqual(6 << 8, account.status_of(self.last.pid))

    def test_chroot(self):
        """exec: in a chroot exe and cwd begin at the mount namespace's root: it does not rename a program"""
        shutil.copy(program(TINY), self.folder / "inner")
        account, _ = self.watched("chroot_exec", self.folder, "/inner")
        event = self.last_exec(account)
        self.assertEqual("/inner", event["exec"]["filename"])
        self.assertEqual(str(self.folder), event["exec"]["cwd"])
        self.assertEqual(f"{self.folder}/inner", event["process"]["exe"])

    def test_removed_folder(self):
        """exec: a working directory that was removed is marked"""
        script = f"mkdir {self.folder}/d; cd {self.folder}/d; rmdir ../d; exec {program(TINY)}"
        account, _ = self.watched_path("/bin/sh", "-c", script)
        event = self.last_exec(account)
        self.assertTrue(event["exec"].get("cwd_deleted"))

    def test_relative_and_symlink(self):
        """exec: the name as requested and the file that runs are two things"""
        (self.folder / "link").symlink_to(program(TINY))
        account, _ = self.watched_path("./link", cwd=self.folder)
        event = self.last_exec(account)
        self.assertEqual("./link", event["exec"]["filename"])
        self.assertEqual(os.path.realpath(program(TINY)), event["process"]["exe"])

    def test_image_counts_execs(self):
        """exec: a process that execs three times has images 1, 2, 3, and its exit belongs to the last"""
        account, _ = self.watched_path("/bin/sh", "-c", f"exec /bin/sh -c 'exec {program(TINY)} 2'")
        execs = account.execs[account.id_of(self.last.pid)]
        self.assertEqual([1, 2, 3], [event["process"]["image"] for event in execs])
        (end,) = account.of_type("exit")
        self.assertEqual((3, program(TINY)), (end["process"]["image"], end["process"]["exe"]))

    def test_failed_execs(self):
        """exec: every failed exec is an event with its errno, its path and its arguments, and starts no image"""
        account, said = self.watched("failed_exec", self.folder)
        tried = [line.split(" ", 2) for line in said.splitlines()]
        failed = account.failed_execs[account.id_of(self.last.pid)]
        self.assertEqual([(-int(errno), path) for _, errno, path in tried],
                         [(event["exec"]["result"], event["exec"]["filename"]) for event in failed])
        self.assertEqual([[word.replace("tried", "try"), path] for word, _, path in tried],
                         [event["exec"]["argv"] for event in failed])
        self.assertEqual({1}, {event["process"]["image"] for event in failed})
        self.assertEqual({program("failed_exec")}, {event["process"]["exe"] for event in failed})
        self.assertEqual(1, len(account.execs[account.id_of(self.last.pid)]))

    def test_failed_execs_of_a_child(self):
        """exec: a search along PATH shows each place that was tried"""
        account, _ = self.watched_path("/usr/bin/env", f"PATH=/nowhere:/nor-there:{os.path.dirname(program(TINY))}", TINY)
        failed = account.failed_execs[account.id_of(self.last.pid)]
        self.assertEqual(["/nowhere/tiny", "/nor-there/tiny"], [event["exec"]["filename"] for event in failed])
        self.assertEqual(program(TINY), self.last_exec(account)["exec"]["filename"])

    def test_order(self):
        """exec: a process's fork comes before its exec, and its exec before its exit"""
        account, said = self.watched("spawn_ways", "vfork", program(TINY))
        ((child, _),) = words(said)["fork"]
        mine = [e["type"] for e in account.of_type("fork", "exec", "exit")
                if (e["type"] == "fork" and e["fork"]["child_pid"] == child) or
                (e["type"] != "fork" and pid_of(e.get("process", {}).get("id", "0")) == child)]
        self.assertEqual(["fork", "exec", "exit"], mine)


class OnTheNetwork(KernelCase):
    without = ("file", "tls")

    def test_standard_input_is_a_connection(self):
        """exec: a shell whose standard input is a network connection is marked, and a critical alert"""
        server = socket.create_server(("127.0.0.1", 0))
        client = socket.create_connection(server.getsockname())
        self.addCleanup(server.close)
        self.addCleanup(client.close)
        client.shutdown(socket.SHUT_WR)
        peer, _ = server.accept()
        self.addCleanup(peer.close)
        account, _ = self.watched_path("/bin/sh", stdin=peer)
        execs = [e for events in account.execs.values() for e in events]
        self.assertTrue(all(e["exec"].get("stdin_inet") for e in execs))
        alerts = [e["alert"] for e in account.of_type("alert")]
        self.assertIn(("reverse-shell", "critical"), [(a["class"], a["severity"]) for a in alerts])

    def test_standard_input_is_a_pair(self):
        """exec: a pair of local sockets, which some runtimes use as pipes, is not marked"""
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        ours.shutdown(socket.SHUT_WR)
        account, _ = self.watched_path("/bin/sh", stdin=theirs)
        self.assertFalse(any("stdin_inet" in e["exec"] for events in account.execs.values() for e in events))


if __name__ == "__main__":
    unittest.main()
