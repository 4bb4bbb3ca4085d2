#!/usr/bin/python3
"""What listening costs a TLS call of 1 KiB, as ratios to a machine without any of us.

Comes in: how many calls and rounds. Goes out: a table on standard output, ready for docs/performance.md. A Python program
writes and reads through memory, no socket: what is measured is the thread's own time. The arms take turns within each
round; `none` comes twice: how much the two differ is what this machine cannot tell apart.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from harness import Daemon, PrivateBus, program, watch  # noqa: E402
from tls_server import CERTIFICATE  # noqa: E402

WORKLOAD = """
import ssl, sys, time
count, certificate, result = int(sys.argv[1]), sys.argv[2], sys.argv[3]
here, there = ssl.MemoryBIO(), ssl.MemoryBIO()
server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server.load_cert_chain(certificate)
ends = [ssl._create_unverified_context().wrap_bio(here, there), server.wrap_bio(there, here, server_side=True)]
waiting = list(ends)
while waiting:
    for end in list(waiting):
        try:
            end.do_handshake()
            waiting.remove(end)
        except ssl.SSLWantReadError:
            pass
data = b"a line of text, as conversations have\\n" * 27
begin = time.thread_time_ns()
for _ in range(count):
    ends[0].write(data[:1024])
    ends[1].read(1024)
with open(result, "w") as file:
    file.write(str((time.thread_time_ns() - begin) / (2 * count)))
"""


class Bench:
    def __init__(self, count, folder):
        self.script, self.result = folder / "workload.py", folder / "result"
        self.script.write_text(WORKLOAD)
        self.command = ["/usr/bin/python3", str(self.script), str(count), str(CERTIFICATE), str(self.result)]
        self.lost = 0

    def took(self):
        return float(self.result.read_text())

    def none(self):
        subprocess.run(self.command, check=True)
        return self.took()

    def unwatched(self):
        with PrivateBus() as bus, Daemon(bus) as daemon, watch(daemon, [program("hold")]) as other:
            other.go()
            return self.none()

    def at(self, level):
        def run():
            with PrivateBus() as bus, Daemon(bus, settings={"tls.ring_kib": 65536}) as daemon:
                with watch(daemon, self.command, selector={"types": ["target"]}, options={"tls": level}) as client:
                    client.run(120)
                self.lost += daemon.counters()["tls.ring-full"]
            return self.took()
        return run


def main():
    parser = argparse.ArgumentParser(description="Ratios of TLS calls with and without aa-ebpfd.")
    parser.add_argument("--count", type=int, default=10_000, help="writes, and as many reads, in each run")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("bench: loading programs into the kernel needs root", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="aa-bench-") as name:
        bench = Bench(options.count, pathlib.Path(name))
        arms = {"none": bench.none, "none again (A/A)": bench.none, "aa-ebpfd, unwatched": bench.unwatched,
                **{f"aa-ebpfd, {level}": bench.at(level) for level in ("off", "metadata", "redacted", "full")}}
        ns = {arm: [] for arm in arms}
        for turn in range(options.rounds):
            for arm in list(arms)[turn % len(arms):] + list(arms)[:turn % len(arms)]:
                ns[arm].append(arms[arm]())
    print("| arm | µs of its thread for one call of 1 KiB, median | ratio to none, median of rounds (least to most) |")
    print("| --- | --- | --- |")
    for arm, times in ns.items():
        ratios = [time / base for time, base in zip(times, ns["none"])]
        print(f"| {arm} | {statistics.median(times) / 1000:.1f} | {statistics.median(ratios):.2f} "
              f"({min(ratios):.2f} to {max(ratios):.2f}) |")
    print(f"\n{bench.lost} records lost in all.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
