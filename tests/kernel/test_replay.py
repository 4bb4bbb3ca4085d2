"""A recorded run replays, on its own and without privileges, to the bytes that the live run wrote."""

import pathlib
import subprocess
import tempfile

from harness import daemon_path, kind_of_change, program, wait_until, watch
from kernel_case import STORM, KernelCase, read_lines


class Replay(KernelCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="aa-replay-")
        cls.addClassCleanup(folder.cleanup)
        cls.file = pathlib.Path(folder.name) / "events.jsonl"
        cls.capture = pathlib.Path(folder.name) / "run.aacap"
        cls.settings = {"jsonl.path": cls.file}
        cls.options = ("--record", str(cls.capture))
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        if cls.daemon.process.poll() is None:
            cls.daemon.stop()

    def replayed(self):
        """The lines of a replay by nobody, who may not even read the file: it is handed over open."""
        with self.capture.open("rb") as capture:
            done = subprocess.run([daemon_path(), "--replay", "-"], stdin=capture, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, user=65534, group=65534, extra_groups=[], check=False)
        self.assertEqual((0, b""), (done.returncode, done.stderr))
        return done.stdout

    def test_storm(self):
        """replay: a capture of 100,000 processes (--full, else 4,000) gives identical bytes twice, identical to the live JSON Lines"""
        with watch(self.daemon, [program("storm"), "exec", str(STORM), "4", str(self.folder / "log"),
                                 str(program("tiny"))], selector={"types": ["target"]}) as watched:
            watched.run(300)
        target = watched.target

        def complete():
            return any(kind_of_change(e) == "exited" and e["target"]["id"] == target for e in read_lines(self.file))

        wait_until(complete, "the file holds the target's end", 60)
        self.daemon.stop()
        live = self.file.read_bytes()
        self.assertGreaterEqual(live.count(b"\n"), 3 * STORM)
        first = self.replayed()
        self.assertEqual(live, first)
        self.assertEqual(first, self.replayed())
