#!/usr/bin/python3
"""What watching files costs an open, a read and a call that has nothing to do with files, as ratios.

Four tables: a watched open and close as JSON in a file, beside opensnoop and strace; what an unwatched process pays while
another one is watched; ten path rules beside ten thousand; reads told one by one beside reads summed. In each the first arm
comes twice: how much the two differ is what this machine cannot tell apart. What was lost is told by the daemon's counters
and by the workload's own count.
"""

import contextlib
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import arms  # noqa: E402
import snoop  # noqa: E402
from harness import Daemon, PrivateBus, program, wait_until, watch  # noqa: E402
from kernel_maps import KernelMaps  # noqa: E402

SNOOPS = (["opensnoop-bpfcc"], ["opensnoop"], ["opensnoop.bt"])
# Room for all that one run can make: what is compared is the cost of telling, not of losing.
RING = {"file.ring_kib": 262_144}


def provoke():
    with contextlib.suppress(FileNotFoundError):
        open(f"/{snoop.MARK}", encoding="ascii").close()


class Bench:
    def __init__(self, count, folder):
        self.count, self.folder = count, folder
        self.target, self.result = folder / "target", folder / "result"
        self.target.write_bytes(b"x" * 4096)
        self.counts = {}  # by arm: what the workload made, what was told of it, and what is known to be lost
        self.snoop = snoop.first_that_works(SNOOPS, provoke)

    def command(self, call):
        return [program("file_calls"), call, str(self.count), str(self.target), str(self.result)]

    def none(self, call):
        subprocess.run(self.command(call), check=True, stdin=subprocess.DEVNULL)
        return float(self.result.read_text())

    def unwatched(self, call):
        """The daemon runs and watches something else, so that nothing of it rests."""
        with PrivateBus() as bus, Daemon(bus) as daemon, watch(daemon, [program("hold")]) as other:
            other.go()
            return self.none(call)

    def watched(self, arm, call, known=0, **settings):
        """`known`: of so many files the kernel must have taken the number before it is measured."""
        lines = self.folder / "events.jsonl"
        lines.unlink(missing_ok=True)
        with PrivateBus() as bus, Daemon(bus, settings={"jsonl.path": lines, **RING, **settings}) as daemon:
            wait_until(lambda: len(KernelMaps(daemon.pid).objects) >= known, f"{known} files are known to the kernel", 60)
            with watch(daemon, self.command(call), selector={"types": ["target"]}) as client:
                client.run(300)
            counters = daemon.counters()
        told = sum(f'"op":"{call}"' in line and str(self.target) in line for line in lines.open())
        if arm != "summed":
            # The workload opens the file once more, for its reads.
            made = self.count + (call == "open")
            self.count_up(arm, made, told, counters["file.ring-full"] + counters["file.scratch"])
        return float(self.result.read_text())

    def with_rules(self, arm, rules):
        """Each names a file that is there, a hundred in a folder: what is denied is known by numbers, and its names too."""
        paths = [self.folder / f"folder{i // 100}" / f"file{i}" for i in range(rules)]
        for path in paths:
            path.parent.mkdir(exist_ok=True)
            path.touch()
        file = self.folder / "rules"
        file.write_text("".join(f"{path}\n" for path in paths))
        return self.watched(arm, "open", known=rules, **{"paths.shipped": "off", "paths.include": file})

    def opensnoop(self, arm):
        tool = snoop.Snoop(self.snoop, provoke)
        try:
            took = self.none("open")
        finally:
            lines = tool.stop()
        self.count_up(arm, self.count + 1, sum(str(self.target).encode() in line for line in lines))
        return took

    def strace(self, arm):
        log = self.folder / "strace.log"
        subprocess.run(["strace", "-f", "-o", log, "-e", "trace=open,openat,close", *self.command("open")], check=True)
        self.count_up(arm, self.count + 1, sum(str(self.target) in line and "open" in line for line in log.open()))
        return float(self.result.read_text())

    def count_up(self, arm, made, told, lost=None):
        before = self.counts.get(arm, (0, 0, None if lost is None else 0))
        self.counts[arm] = (before[0] + made, before[1] + told, None if lost is None else before[2] + lost)

    def print_counts(self):
        """False when a record of ours is missing."""
        for arm, (made, told, lost) in self.counts.items():
            print(f"{arm}: {made} made, {told} told" + (f", {lost} counted as lost." if lost is not None else "."))
        return all(lost is None or made <= told + lost for made, told, lost in self.counts.values())

    def tables(self):
        """(title, {arm: function})"""
        watched = "aa-ebpfd, watched"
        opens = {"none": lambda: self.none("open"), "none again (A/A)": lambda: self.none("open"),
                 watched: lambda: self.watched(watched, "open")}
        if self.snoop:
            opens[self.snoop[0]] = lambda: self.opensnoop(self.snoop[0])
        opens["strace"] = lambda: self.strace("strace")
        yield "open and close", opens
        for call in ("open", "read", "getppid"):
            yield f"{call}, unwatched", {"none": lambda call=call: self.none(call),
                                         "none again (A/A)": lambda call=call: self.none(call),
                                         "aa-ebpfd, unwatched": lambda call=call: self.unwatched(call)}
        ten = {name: lambda name=name: self.with_rules(name, 10) for name in ("10 rules", "10 rules again (A/A)")}
        yield "open and close, watched", {**ten, "10,000 rules": lambda: self.with_rules("10,000 rules", 10_000)}
        yield "read, watched", {"none": lambda: self.none("read"), "none again (A/A)": lambda: self.none("read"),
                                "summed": lambda: self.watched("summed", "read"),
                                "each": lambda: self.watched("each", "read", **{"file.reads": "each"})}


def main():
    options = arms.parse("Ratios of opens and reads with and without aa-ebpfd.", count=20_000, rounds=5)
    with tempfile.TemporaryDirectory(prefix="aa-bench-") as name:
        bench = Bench(options.count, pathlib.Path(name))
        for title, row in bench.tables():
            table = arms.Arms(row)
            table.run(options.rounds)
            table.print(f"ns for one {title}", lambda ns: f"{ns:.0f}")
            print()
    whole = bench.print_counts()
    arms.print_load()
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
