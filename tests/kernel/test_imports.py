"""An agent's own promises: what its files deny it when it starts is denied, to it alone, until it ends."""

import json
import os
import pathlib
import pwd
import subprocess
import unittest

from deadline import end_at_exit
from hanging import hanging_folder
from harness import wait_until
from kernel_case import QUICK
from test_reload import ReloadCase

STARTS = 30 if QUICK else 200

# Reads each file it is told of, and says so.
AGENT = "#!/bin/bash\nwhile read -r name; do read -r line <\"$name\"; echo \"$name\"; done\n"


class Agent:
    """A program that opens what it is told to, in a folder of its own."""

    def __init__(self, case, path, user=None):
        self.process = subprocess.Popen([path], cwd=path.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        stderr=subprocess.DEVNULL, user=user)
        end_at_exit(self.process)
        case.addCleanup(self.end)
        self.pid = self.process.pid

    def read(self, name):
        self.process.stdin.write(f"{name}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline().strip() == str(name)

    def end(self):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()


class Imports(ReloadCase):
    settings = {"discovery.agents": ""}  # nobody else is told of

    def setUp(self):
        super().setUp()
        self.folder.chmod(0o755)
        self.agent = self.folder / "promising"
        self.agent.write_text(AGENT)
        self.agent.chmod(0o755)
        (self.folder / ".claude").mkdir()
        self.settings_file = self.folder / ".claude/settings.json"
        for name in ("key", "free", "later"):
            self.secret(name)
        self.stream = self.daemon.subscribe(types=["alert", "target"])
        self.addCleanup(self.stream.close)
        self.addCleanup(wait_until, lambda: not self.rules(), "no promise is left")
        self.addCleanup(self.reload, "")
        self.reload(f'[[targets]]\nexe = "{self.agent}"\nimport = ["claude:.claude/settings.json", ".gitignore"]\n')

    def promise(self, *entries):
        self.settings_file.write_text(json.dumps({"permissions": {"deny": entries}}))

    def rules(self):
        rows = self.daemon.manager.GetPathFilter()[1]
        return [(str(row[0]), str(row[3]["target"])) for row in rows if str(row[2]) == "imported"]

    def alerts(self, kind, agent=None):
        found = [event for event in self.stream.until_quiet() if event["type"] == "alert" and event["alert"]["kind"] == kind]
        return [event for event in found if agent is None or event["process"]["pid"] == agent.pid]

    def start(self, count, **options):
        """An agent whose `count` promises are in force."""
        agent = Agent(self, self.agent, **options)

        def its_own():
            ids = self.running(agent.pid)
            return [pattern for pattern, target in self.rules() if target in ids]

        wait_until(lambda: len(its_own()) == count, f"its {count} rules are in force")
        return agent

    def test_its_own_rule(self):
        """imports: an agent that breaks its own rule is an alert, and nobody else who does the same"""
        self.promise("Read(./key)", "Edit(./free)")
        agent = self.start(4)
        agent.read("key")
        agent.read("free")
        account, _ = self.watched_path("/bin/cat", self.folder / "key")
        self.assertEqual([], [e for e in account.of_type("alert") if e["alert"]["kind"] == "sensitive-path"])
        told = self.alerts("sensitive-path")
        self.assertEqual([agent.pid], [event["process"]["pid"] for event in told])
        self.assertIn(f"opened {self.folder}/key, denied by the rule {self.folder}/key", told[0]["alert"]["summary"])
        self.assertEqual({told[0]["target"]["id"]}, {target for _, target in self.rules()})
        agent.end()
        wait_until(lambda: not self.rules(), "its rules go with it")

    def test_in_a_nested_target(self):
        """imports: whom root watches by itself below an agent keeps the agent's promises all the same"""
        self.agent.write_text(AGENT.replace("while", "(while").replace("done\n", "done); true\n"))
        self.promise("Read(./key)")
        agent = self.start(2)
        (child,) = wait_until(lambda: pathlib.Path(f"/proc/{agent.pid}/task/{agent.pid}/children").read_text().split(),
                              "it has a child, which reads for it")
        nested = self.daemon.start(int(child), name="nested")
        agent.read("key")
        told = self.alerts("sensitive-path")
        self.assertEqual([(int(child), nested)], [(event["process"]["pid"], event["target"]["id"]) for event in told])

    def test_a_promise_taken_back(self):
        """imports: a deny that the agent removes, or a reload that comes meanwhile, changes nothing until it ends"""
        self.promise("Read(./key)")
        agent = self.start(2)
        self.promise()
        self.reload(self.file.read_text() + '[[paths.rules]]\npattern = "/nonexistent/x"\n')
        agent.read("key")
        self.assertEqual(1, len(self.alerts("sensitive-path", agent)))
        agent.end()
        wait_until(lambda: not self.rules(), "its rules go with it")
        other = Agent(self, self.agent)
        self.stream.wait_for(lambda e: e["type"] == "target" and e["target_change"]["change"] == "added" and
                             e["target"]["id"] in self.running(other.pid), 20, "the next one is watched")
        other.read("key")
        self.assertEqual([], self.alerts("sensitive-path", other))

    def running(self, pid):
        return [key for key, row in self.daemon.targets().items() if row["pid"] == pid]

    def test_what_is_no_rule(self):
        """imports: entries that are no rules and files that are broken are alerts, and the configuration stays good"""
        self.promise("Bash(rm *)", "Read(./key)")
        (self.folder / ".gitignore").symlink_to(self.settings_file)
        agent = self.start(2)
        self.assertEqual(['of what promising promised (claude:.claude/settings.json, line 1), the entry "Bash(rm *)" is no '
                          "rule: it speaks of something else than files"],
                         [event["alert"]["summary"] for event in self.alerts("import-skipped")])
        broken = self.alerts("import-broken")
        self.assertEqual([f"of what promising promised (.gitignore): {self.folder}/.gitignore is reached through a symbolic "
                          "link, which is not followed for root"], [event["alert"]["summary"] for event in broken])
        self.assertEqual(["promising"], [event["target"]["name"] for event in broken])
        self.reload()
        agent.read("key")
        self.assertEqual(1, len(self.alerts("sensitive-path", agent)))

    def test_by_user(self):
        """imports: a file that the target's user may not read tells nothing, whoever wrote its name there"""
        user = pwd.getpwnam("nobody").pw_uid
        self.promise("Read(./key)")
        self.settings_file.chmod(0o600)
        (self.folder / ".gitignore").write_text("later\n")
        agent = self.start(1, user=user)
        self.assertIn("cannot be opened: Permission denied", self.alerts("import-broken")[0]["alert"]["summary"])
        os.chown(self.settings_file, user, -1)
        agent.end()
        wait_until(lambda: not self.rules(), "its rules go with it")
        self.start(3, user=user)

    def test_through_links(self):
        """imports: who keeps his settings elsewhere and links to them is read through the link, with his own rights; no device is opened"""
        user = pwd.getpwnam("nobody").pw_uid
        self.promise("Read(./key)")
        kept = self.settings_file.rename(self.folder / "kept.json")
        os.chown(kept, user, -1)
        kept.chmod(0o600)
        self.settings_file.symlink_to("../kept.json")
        (self.folder / ".gitignore").symlink_to("/dev/zero")
        self.start(2, user=user)
        self.assertEqual([f"of what promising promised (.gitignore): {self.folder}/.gitignore is not a regular file"],
                         [event["alert"]["summary"] for event in self.alerts("import-broken")])

    def test_hanging_file_system(self):
        """imports: a user's files on a file system that does not answer hold up nobody else's; after ten seconds that is an alert (not when quick)"""
        folder = self.folder / "hang"
        hanging_folder(self, folder)
        self.promise("Read(./key)")
        hung = self.agent.with_name("hung")
        hung.write_text(AGENT)
        hung.chmod(0o755)
        self.reload(self.file.read_text() + f'[[targets]]\nexe = "{hung}"\nimport = ["codex:{folder}/config.toml"]\n')
        waiting = Agent(self, hung, user=pwd.getpwnam("nobody").pw_uid)
        wait_until(lambda: self.running(waiting.pid), "it is watched")
        agent = self.start(2)
        agent.read("key")
        self.assertEqual(1, len(self.alerts("sensitive-path", agent)))
        if not QUICK:
            told = self.stream.wait_for(lambda e: e["type"] == "alert" and e["alert"]["kind"] == "import-broken", 15, "it is told")
            self.assertIn("could not be read within 10 seconds", told["alert"]["summary"])

    def test_of_a_user(self):
        """imports: of a target that is a user, each process outside of one of his before promises what is in its folder and his"""
        user = pwd.getpwnam("nobody")
        self.reload(f'[[targets]]\nuser = "nobody"\nimport = ["claude:.claude/settings.json"]\n')
        self.promise("Read(./key)")
        agent = self.start(2, user=user.pw_uid)
        agent.read("key")
        self.assertEqual(1, len(self.alerts("sensitive-path", agent)))

    def test_for_who_runs_already(self):
        """imports: a process that runs when the configuration comes promises what its files say then"""
        self.reload("")
        self.promise("Read(key)")
        agent = Agent(self, self.agent)
        agent.read("free")
        self.reload(f'[[targets]]\npid = {agent.pid}\nimport = ["claude:.claude/settings.json"]\n')
        wait_until(lambda: [f"{self.folder}/**/key/"] == [pattern for pattern, _ in self.rules()], "its rule is in force")
        agent.read("key")
        self.assertEqual(1, len(self.alerts("sensitive-path", agent)))

    def test_root_that_ends_at_once(self):
        """imports: an agent whose first process ends at once is held to its promises, or it is said that it is not"""
        self.promise("Read(./key)")
        self.agent.write_text("#!/bin/sh\n(/bin/sleep 4; :) & exit 0\n")
        ends = [subprocess.Popen([self.agent], cwd=self.folder, stdin=subprocess.PIPE) for _ in range(10)]
        for end in ends:
            self.addCleanup(end.wait)
            self.addCleanup(end.stdin.close)

        def accounted():
            running = {str(i) for i, row in self.daemon.targets().items() if str(row["state"]) == "running"}
            told = {e["target"]["id"] for e in self.alerts("import-broken")} | accounted.told
            accounted.told = told
            return len(running) == 10 and running <= told | {target for _, target in self.rules()}

        accounted.told = set()
        wait_until(accounted, "each has its rule, or an alert says that it has not")

    def test_many_starts(self):
        """imports: 200 starts in a row (30 when quick) leave no rule behind, and nothing is lost"""
        self.promise("Read(./key)", "Read(**/*.pem)")
        before = int(self.daemon.property("PathFilterGeneration"))
        for _ in range(STARTS):
            subprocess.run([self.agent], cwd=self.folder, stdin=subprocess.DEVNULL, check=False, timeout=20)
        wait_until(lambda: not [row for row in self.daemon.targets().values() if row["state"] == "running"], "all have ended")
        wait_until(lambda: not self.rules(), "their rules are gone")
        self.assertLessEqual(int(self.daemon.property("PathFilterGeneration")), before + 2 * STARTS)
        self.assertEqual([], self.alerts("import-broken"))
        self.assert_ledger()


if __name__ == "__main__":
    unittest.main()
