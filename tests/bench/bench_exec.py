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
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from harness import Daemon, PrivateBus, program, watch  # noqa: E402

SNOOPS = (["execsnoop-bpfcc", "-x"], ["execsnoop", "-x"], ["execsnoop.bt"])  # the first that works here
# bpftrace finds tracepoints through tracefs; where it is not mounted it is, for the tool alone.
WITH_TRACEFS = ["unshare", "--mount", "sh", "-c",
                '[ -e /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing; exec "$@"', "sh"]


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
        self.snooped = self.snoopable = 0  # execs of the workload: shown by execsnoop, and made
        self.snoop = next((command for command in SNOOPS if self.snoop_works(command)), None)

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
        with tempfile.TemporaryFile() as out:
            snoop = self.start_snoop(self.snoop, out)
            if snoop is None:
                raise SystemExit("bench: execsnoop shows nothing within 60 s")
            try:
                took = timed(storm_command(self.count, self.log))
            finally:
                self.stop_snoop(snoop)
            out.seek(0)
            # The workload's children carry their exit code as only argument; a line too long or lost is not there.
            self.snooped += sum(f"{program('tiny')} ".encode() in line and b"storm" not in line for line in out)
            self.snoopable += self.count
            return took

    @staticmethod
    def start_snoop(command, out):
        """Running, and showing what is executed; None: it does not work here."""
        snoop = subprocess.Popen([*WITH_TRACEFS, *command], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while time.monotonic() < end and snoop.poll() is None:
            subprocess.run(["true", "is-it-there"], check=True)
            if b"is-it-there" in os.pread(out.fileno(), 1 << 20, 0):
                return snoop
            time.sleep(0.1)
        Bench.stop_snoop(snoop)
        return None

    @staticmethod
    def stop_snoop(snoop):
        if snoop.poll() is None:
            snoop.send_signal(signal.SIGINT)
        snoop.wait(60)

    @staticmethod
    def snoop_works(command):
        if not shutil.which(command[0]):
            return False
        with tempfile.TemporaryFile() as out:
            snoop = Bench.start_snoop(command, out)
            if snoop is None:
                return False
            Bench.stop_snoop(snoop)
            return True


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
    if bench.snoop:
        print(f"{bench.snoop[0]} showed {bench.snooped} of {bench.snoopable} execs that the workload made.")
    else:
        print("No execsnoop works here (packages bpfcc-tools with the kernel's headers, or bpftrace): no such arm.")
    print(f"Load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors; above 1 or so these figures say little.")
    return 0 if bench.expected == bench.told + bench.lost else 1


if __name__ == "__main__":
    sys.exit(main())
