#!/usr/bin/python3
"""What watching costs a fork, an exec and an exit, as ratios to a machine without any of us.

Comes in: how many processes and rounds. Goes out: a table on standard output, ready for docs/performance.md. The arms take
turns within each round, so that a machine that gets slower slows all; `none` comes twice: how much the two differ is what
this machine cannot tell apart. What was lost is told by the daemon's counters and by the workload's own count.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from harness import Daemon, PrivateBus, program, watch  # noqa: E402

SNOOPS = (["execsnoop-bpfcc", "-x"], ["execsnoop", "-x"], ["execsnoop.bt"])


def storm_command(count, log):
    return [program("storm"), "exec", str(count), "1", log, program("tiny")]


def timed(command):
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return time.perf_counter() - begin


class Bench:
    def __init__(self, count, folder):
        self.count, self.log = count, str(folder / "log")
        (folder / "log").touch()  # workers append
        self.file = folder / "events.jsonl"
        self.lost = self.told = self.expected = 0
        snoops = [command for command in SNOOPS if shutil.which(command[0])]
        self.snoop = snoops[0] if snoops else None

    def none(self):
        return timed(storm_command(self.count, self.log))

    def unwatched(self):
        """The daemon runs and watches something else, so that nothing of it rests."""
        with PrivateBus() as bus, Daemon(bus) as daemon, watch(daemon, [program("hold")]) as other:
            other.go()
            return timed(storm_command(self.count, self.log))

    def watched(self):
        self.file.unlink(missing_ok=True)
        with PrivateBus() as bus, Daemon(bus, settings={"jsonl.path": self.file}) as daemon:
            with watch(daemon, storm_command(self.count, self.log), selector={"types": ["target"]}) as storm:
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
        out = tempfile.TemporaryFile()
        snoop = subprocess.Popen(self.snoop, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        try:
            self._wait_until_it_sees(out)
            return timed(storm_command(self.count, self.log))
        finally:
            snoop.terminate()
            snoop.wait(20)
            out.close()

    @staticmethod
    def _wait_until_it_sees(out):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            subprocess.run(["true"], check=True)
            if os.fstat(out.fileno()).st_size > 200:
                return
            time.sleep(0.1)
        raise SystemExit("bench: execsnoop shows nothing within 60 s")


def main():
    parser = argparse.ArgumentParser(description="Ratios of fork+exec+exit with and without aa-ebpfd.")
    parser.add_argument("--count", type=int, default=5000, help="processes in each run")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("bench: loading programs into the kernel needs root", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="aa-bench-") as name:
        bench = Bench(options.count, pathlib.Path(name))
        arms = {"none": bench.none, "none again (A/A)": bench.none, "aa-ebpfd, unwatched": bench.unwatched,
                "aa-ebpfd, watched": bench.watched}
        if bench.snoop:
            arms[bench.snoop[0]] = bench.execsnoop
        seconds = {arm: [] for arm in arms}
        for turn in range(options.rounds):
            for arm in list(arms)[turn % len(arms):] + list(arms)[:turn % len(arms)]:
                seconds[arm].append(arms[arm]())
    print("| arm | µs for one fork+exec+exit, median | ratio to none, median of rounds (least to most) |")
    print("| --- | --- | --- |")
    for arm, times in seconds.items():
        ratios = [mine / base for mine, base in zip(times, seconds["none"], strict=True)]
        print(f"| {arm} | {statistics.median(times) / options.count * 1e6:.0f} | {statistics.median(ratios):.2f} "
              f"({min(ratios):.2f} to {max(ratios):.2f}) |")
    print(f"\n{options.rounds} rounds of {options.count} processes; watched: {bench.expected} events made, {bench.told} in the "
          f"file, {bench.lost} counted as lost.")
    if not bench.snoop:
        print("execsnoop is not installed (bpfcc-tools, or bpftrace): no such arm.")
    return 0 if bench.expected == bench.told + bench.lost else 1


if __name__ == "__main__":
    sys.exit(main())
