#!/usr/bin/python3
"""What listening costs a TLS call of 1 KiB, as ratios to a machine without any of us.

A program writes and reads through memory, no socket: what is measured is the thread's own time. Each form of the calls has a
table of its own, because other places are probed in each: `aa-ebpfd --list-probes` says which. `none` comes twice: how much the
two differ is what this machine cannot tell apart.
"""

import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import arms  # noqa: E402
from harness import Daemon, PrivateBus, program, watch  # noqa: E402
from tls_server import CERTIFICATE  # noqa: E402

class Bench:
    def __init__(self, form, count, folder):
        self.result = folder / "result"
        self.command = [program("timed_tls"), str(CERTIFICATE), form, str(count), str(self.result)]
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

    def at(self, level, **settings):
        def run():
            with PrivateBus() as bus, Daemon(bus, settings={"tls.ring_kib": 65536, **settings}) as daemon:
                with watch(daemon, self.command, selector={"types": ["target"]}, options={"tls": level}) as client:
                    client.run(120)
                self.lost += daemon.counters()["tls.ring-full"]
            return self.took()
        return run


def arms_of(bench):
    levels = ("off", "metadata", "redacted", "full")
    return arms.Arms({"none": bench.none, "none again (A/A)": bench.none, "aa-ebpfd, unwatched": bench.unwatched,
                      **{f"aa-ebpfd, {level}": bench.at(level) for level in levels},
                      "aa-ebpfd, full, no return probes": bench.at("full", **{"tls.return_probes": "off"}),
                      "aa-ebpfd, full, without files": bench.at("full", **{"families.file": "off"})})


def main():
    options = arms.parse("Ratios of TLS calls of 1 KiB with and without aa-ebpfd.", count=10_000, rounds=5)
    for form, functions in (("plain", "SSL_write and SSL_read"), ("ex", "SSL_write_ex and SSL_read_ex")):
        with tempfile.TemporaryDirectory(prefix="aa-bench-") as name:
            bench = Bench(form, options.count, pathlib.Path(name))
            table = arms_of(bench)
            table.run(options.rounds)
        print(f"\n{functions}:\n")
        table.print("µs of its thread for one call of 1 KiB", lambda ns: f"{ns / 1000:.1f}")
        print(f"\n{bench.lost} records lost in all.")
    arms.print_load()
    return 0


if __name__ == "__main__":
    sys.exit(main())
