"""The file of events on a disk that fills up: whole lines only, and what is missing is said in it."""

import contextlib
import json
import subprocess

from harness import Daemon, wait_until, watch
from kernel_case import KernelCase, OwnDaemonCase, read_lines


class FullDisk(KernelCase):
    @classmethod
    def setUpClass(cls):
        cls.mount = subprocess.run(["mktemp", "-d", "/tmp/aa-full-XXXXXX"], check=True, stdout=subprocess.PIPE,
                                   text=True).stdout.strip()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k", "none", cls.mount], check=True)
        cls.addClassCleanup(subprocess.run, ["rmdir", cls.mount])
        cls.addClassCleanup(subprocess.run, ["umount", "-l", cls.mount])
        cls.settings = {"jsonl.path": f"{cls.mount}/events.jsonl"}
        super().setUpClass()

    def test_full_then_room_again(self):
        """jsonl: on a full disk what is missing is counted and told, in the file too once it takes lines again"""
        stream = self.daemon.subscribe()
        self.watched("storm", "fork", 200, 1, "/dev/null")
        wait_until(lambda: self.daemon.counters().get("jsonl.write-error", 0) > 0, "a write error")
        stream.wait_for(lambda e: e["type"] == "loss" and e["loss"]["family"] == "jsonl")
        stream.wait_for(lambda e: e["type"] == "alert" and "jsonl" in e["alert"]["summary"])
        with open(f"{self.mount}/events.jsonl", encoding="utf-8") as lines:
            for line in lines:
                json.loads(line)  # also while the disk is full no half line stands there
        subprocess.run(["mount", "-o", "remount,size=8m", self.mount], check=True)
        self.watched("tiny")
        wait_until(lambda: any(e["type"] == "exit" and e["seq"] > 400 for e in read_lines(self.settings["jsonl.path"])),
                   "events after the gap")
        events = read_lines(self.settings["jsonl.path"])
        told = [e["loss"] for e in events if e["type"] == "loss"]
        self.assertEqual({("jsonl", "write-error")}, {(loss["family"], loss["cause"]) for loss in told})
        counters = self.daemon.counters()
        self.assertEqual(counters["jsonl.write-error"], sum(loss["count"] for loss in told))
        self.assertEqual(counters["jsonl.written"], len(events) - len(told))


class LastSums(OwnDaemonCase):
    def test_stopped(self):
        """jsonl: what was read and written up to the daemon's end is told before it, to the byte, of files that are still open"""
        script = ("import os, sys; file = os.open(sys.argv[1], os.O_RDWR)\n"
                  "for _ in range(1000): os.pread(file, 7, 0)\n"
                  "for _ in range(500): os.pwrite(file, b'abc', 0)\n"
                  "print(flush=True); sys.stdin.read()")
        path, events = self.folder / "file", self.folder / "events.jsonl"
        path.write_text("seven..")
        settings = {"jsonl.path": events, "file.interval_ms": 60_000, "families.tls": "off"}
        with contextlib.ExitStack() as longer, Daemon(self.bus, settings=settings) as daemon:
            reader = longer.enter_context(watch(daemon, ["/usr/bin/python3", "-c", script, str(path)],
                                                stdin=subprocess.PIPE, stdout=subprocess.PIPE))
            longer.enter_context(reader.process.stdin)
            longer.enter_context(reader.process.stdout)
            reader.go()
            reader.process.stdout.readline()
        told = [event["file"] for event in read_lines(events) if event["type"] == "file" and event["file"]["path"] == str(path)]
        for op, count, size in (("read", 1000, 7), ("write", 500, 3)):
            sums = [(body["count"], body["bytes"]) for body in told if body["op"] == op]
            self.assertEqual((count, count * size), tuple(map(sum, zip(*sums))))
