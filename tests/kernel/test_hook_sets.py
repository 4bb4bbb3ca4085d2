"""Every way of attaching, by force: what is asked for is what runs, and it sees a whole tree, or its files."""

import os
import pathlib
import subprocess
import tempfile
import unittest

from harness import PATIENCE, Daemon, PrivateBus, daemon_path, program, watch
from kernel_case import only

MUST = os.environ.get("AA_MUST_HOOKS", "").split(",")  # hook sets that this machine must have
LIFE = ("fork", "exec", "exit")
# Beside the trace points, on kernels that preempt programs there.
WHERE_PREEMPTED = {"kprobe/wake_up_new_task", "kprobe/finalize_exec", "kprobe/exit_mm_release"}


class HookSets(unittest.TestCase):
    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("loading programs into the kernel needs root")
        self.bus = PrivateBus()
        self.addCleanup(self.bus.stop)

    def sees_a_tree(self, hooks):
        setting = {"lifecycle.hooks": hooks, **only(("file", "tls"))}
        try:
            daemon = Daemon(self.bus, settings=setting)
        except RuntimeError as error:
            if hooks in MUST:
                self.fail(f"this kernel must have {hooks}: {error}")
            self.skipTest(f"{hooks} does not run here: {error}")
        with daemon, tempfile.TemporaryDirectory(prefix="aa-hooks-") as folder:
            with watch(daemon, [program("failed_exec"), folder]) as watched:
                events = watched.run()
        self.assertEqual({"exec", "exit"}, {e["type"] for e in events if e["type"] in LIFE})
        self.assertTrue([e for e in events if e["type"] == "exec" and e["exec"]["result"] < 0], "no failed exec")
        others = {f"{hooks}/{what}" for what in ("sys_exit", "cgroup_attach_task", "cgroup_mkdir")}
        listed = self.listed(hooks)
        beside = {name for name in listed if name.startswith("kprobe/")}
        self.assertIn(beside, (set(), WHERE_PREEMPTED))
        self.assertEqual({f"{hooks}/sched_process_{what}" for what in LIFE} | others, listed - beside)

    def listed(self, hooks):
        settings = [f"--set={key}={value}" for key, value in {"lifecycle.hooks": hooks, **only(("file", "tls"))}.items()]
        done = subprocess.run([str(daemon_path()), "--list-probes", "--bus", self.bus.address, *settings], check=True,
                              stdout=subprocess.PIPE, text=True, timeout=30 * PATIENCE)
        rows = [line.split("\t") for line in done.stdout.splitlines()]
        return {row[2] for row in rows if row[0] == "exec"}

    def test_tp_btf(self):
        """hooks: with tp_btf by force a program's life is seen, its failed execs too, by nothing else but what makes up for preemption"""
        self.sees_a_tree("tp_btf")

    def test_raw_tp(self):
        """hooks: with raw_tp by force a program's life is seen, its failed execs too, by nothing else but what makes up for preemption"""
        self.sees_a_tree("raw_tp")

    def sees_files(self, hooks):
        with Daemon(self.bus, settings={"file.hooks": hooks, **only(("tls",))}) as daemon:
            states = [row for row in daemon.property("ProbeStates") if row[0] == "file"]
            if all(row[2] == "unavailable" for row in states):
                reason = f"{hooks} does not run here: {states[0][4]}"
                self.fail(reason) if hooks in MUST else self.skipTest(reason)
            self.assertEqual([], [row for row in states if "did not run" in row[4]], "attached, and never run")
            with tempfile.TemporaryDirectory(prefix="aa-hooks-") as folder:
                path = pathlib.Path(folder) / "file"
                path.write_text("seven..")
                with watch(daemon, ["/usr/bin/cat", str(path), f"{folder}/absent"]) as watched:
                    events = watched.run()
        told = [e["file"] for e in events if e["type"] == "file" and e["file"]["path"].startswith(folder)]
        self.assertEqual([("open", str(path)), ("read", str(path)), ("read", str(path)), ("open", f"{folder}/absent")],
                         [(body["op"], body["path"]) for body in told if body["op"] in ("open", "read")][:4])
        self.assertEqual({hooks}, {body["hook"] for body in told})
        self.assertEqual(-2, [body["result"] for body in told if body["path"].endswith("absent")][0])

    def test_fentry(self):
        """hooks: with fentry by force files are told by the kernel's own functions, and by nothing else"""
        self.sees_files("fentry")

    def test_kprobe(self):
        """hooks: with kprobe by force files are told by probes of the kernel's functions, none of which is left behind"""
        self.sees_files("kprobe")
        events = pathlib.Path("/sys/kernel/tracing/kprobe_events")
        self.assertNotIn("aa_ebpfd", events.read_text())

    def test_tracepoint(self):
        """hooks: with tracepoint by force files are told by system calls, and by nothing else"""
        self.sees_files("tracepoint")


if __name__ == "__main__":
    unittest.main()
