"""What all benches share: arms that take turns, their table, and what was attached to the kernel before each sample.

Comes in: {name: a function that runs once and returns a time}; the first is the bare floor that the others are ratios of.
Goes out: a table on standard output, ready for docs/performance.md.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

GONE_WITHIN = 60  # seconds; the kernel frees the programs of the arm before when nobody can be inside any more


class Arms:
    def __init__(self, arms):
        self._arms = arms
        self.times = {name: [] for name in arms}

    def run(self, rounds):
        """Each arm once a round, beginning with another one each time: a machine that gets slower slows all."""
        names = list(self._arms)
        for turn in range(rounds):
            for name in names[turn % len(names):] + names[:turn % len(names)]:
                expect_none_of_ours(name)
                self.times[name].append(self._arms[name]())

    def print(self, what, shown):
        """`what`: the heading of the times; `shown` makes a string of one."""
        floor, base = next(iter(self.times.items()))
        print(f"| arm | {what}, median | ratio to {floor}, median of rounds (least to most) |\n| --- | --- | --- |")
        for name, times in self.times.items():
            ratios = [mine / its for mine, its in zip(times, base, strict=True)]
            print(f"| {name} | {shown(statistics.median(times))} | {statistics.median(ratios):.2f} "
                  f"({min(ratios):.2f} to {max(ratios):.2f}) |")


def loaded_programs():
    done = subprocess.run(["bpftool", "prog", "show", "-j"], stdout=subprocess.PIPE, check=True)
    return sorted(program.get("name") or program["type"] for program in json.loads(done.stdout))


def expect_none_of_ours(arm):
    """Says on standard error what is in the kernel before a sample; of ours nothing may be: each arm brings its own."""
    end = time.monotonic() + GONE_WITHIN
    while any(name.startswith("aa_") for name in loaded_programs()) and time.monotonic() < end:
        time.sleep(0.2)
    names = loaded_programs()
    print(f"before {arm}: {len(names)} BPF programs {' '.join(names)}", file=sys.stderr)
    if left := [name for name in names if name.startswith("aa_")]:
        raise SystemExit(f"bench: programs of a daemon are in the kernel already: {' '.join(left)}; stop it")


def parse(description, count, rounds):
    """The options of a bench; ends the program where it cannot run."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--count", type=int, default=count, help="of what is measured, in each run")
    parser.add_argument("--rounds", type=int, default=rounds)
    options = parser.parse_args()
    if os.geteuid() != 0:
        parser.exit(1, "bench: loading programs into the kernel needs root\n")
    return options


def print_load():
    print(f"Load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors; above 1 or so these figures say little.")
