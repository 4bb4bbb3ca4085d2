#!/usr/bin/python3
"""What watching costs a fork, an exec and an exit, as ratios to a machine without any of us.

`none` comes twice: how much the two differ is what this machine cannot tell apart. What was lost is told by the daemon's
counters and by the workload's own count.
"""

import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import arms  # noqa: E402
import snoop  # noqa: E402
from harness import Daemon, PrivateBus, program, watch  # noqa: E402

SNOOPS = (["execsnoop-bpfcc", "-x"], ["execsnoop", "-x"], ["execsnoop.bt"])


def provoke():
    subprocess.run(["true", snoop.MARK], check=True)


class Bench:
    def __init__(self, count, folder):
        self.count = count
        self.command = [program("storm"), "exec", str(count), "1", str(folder / "log"), program("tiny")]
        (folder / "log").touch()  # workers append
        self.file = folder / "events.jsonl"
        self.lost = self.told = self.expected = 0
        self.snooped = self.snoopable = 0  # execs of the workload: shown by execsnoop, and made
        self.snoop = snoop.first_that_works(SNOOPS, provoke)

    def none(self):
        begin = time.perf_counter()
        subprocess.run(self.command, check=True, stdin=subprocess.DEVNULL)
        return time.perf_counter() - begin

    def unwatched(self):
        """The daemon runs and watches something else, so that nothing of it rests."""
        with PrivateBus() as bus, Daemon(bus) as daemon, watch(daemon, [program("hold")]) as other:
            other.go()
            return self.none()

    def watched(self):
        self.file.unlink(missing_ok=True)
        with PrivateBus() as bus, Daemon(bus, settings={"jsonl.path": self.file}) as daemon:
            with watch(daemon, self.command, selector={"types": ["target"]}) as storm:
                begin = time.perf_counter()
                storm.go()
                storm.process.wait(300)
                took = time.perf_counter() - begin
                storm.finish(60)
            counters = daemon.counters()
        self.lost += sum(counters.get(f"exec.{cause}", 0) for cause in ("ring-full", "scratch", "recursion"))
        lines = self.file.read_text().splitlines()
        self.told += sum(f'"type":"{kind}"' in line for line in lines for kind in ("fork", "exec", "exit"))
        self.expected += 3 * self.count + 4  # each child's, the root's exec and exit, its worker's fork and exit
        return took

    def execsnoop(self):
        tool = snoop.Snoop(self.snoop, provoke)
        try:
            took = self.none()
        finally:
            lines = tool.stop()
        # The workload's children carry their exit code as only argument; a line too long or lost is not there.
        self.snooped += sum(f"{program('tiny')} ".encode() in line and b"storm" not in line for line in lines)
        self.snoopable += self.count
        return took


def main():
    options = arms.parse("Ratios of fork+exec+exit with and without aa-ebpfd.", count=5000, rounds=7)
    with tempfile.TemporaryDirectory(prefix="aa-bench-") as name:
        bench = Bench(options.count, pathlib.Path(name))
        table = arms.Arms({"none": bench.none, "none again (A/A)": bench.none, "aa-ebpfd, unwatched": bench.unwatched,
                           "aa-ebpfd, watched": bench.watched,
                           **({bench.snoop[0]: bench.execsnoop} if bench.snoop else {})})
        table.run(options.rounds)
    table.print("µs for one fork+exec+exit", lambda seconds: f"{seconds / options.count * 1e6:.0f}")
    print(f"\n{options.rounds} rounds of {options.count} processes; watched: {bench.expected} events made, {bench.told} in the "
          f"file, {bench.lost} counted as lost.")
    if bench.snoop:
        print(f"{bench.snoop[0]} showed {bench.snooped} of {bench.snoopable} execs that the workload made.")
    else:
        print("No execsnoop works here (packages bpfcc-tools with the kernel's headers, or bpftrace): no such arm.")
    arms.print_load()
    return 0 if bench.expected == bench.told + bench.lost else 1


if __name__ == "__main__":
    sys.exit(main())
