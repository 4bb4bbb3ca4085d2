#!/usr/bin/python3
"""What listening costs a TLS call of 1 KiB, as ratios to a machine without any of us.

A Python program writes and reads through memory, no socket: what is measured is the thread's own time. `none` comes
twice: how much the two differ is what this machine cannot tell apart.
"""

import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import arms  # noqa: E402
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
    options = arms.parse("Ratios of TLS calls of 1 KiB with and without aa-ebpfd.", count=10_000, rounds=5)
    with tempfile.TemporaryDirectory(prefix="aa-bench-") as name:
        bench = Bench(options.count, pathlib.Path(name))
        table = arms.Arms({"none": bench.none, "none again (A/A)": bench.none, "aa-ebpfd, unwatched": bench.unwatched,
                           **{f"aa-ebpfd, {level}": bench.at(level) for level in ("off", "metadata", "redacted", "full")}})
        table.run(options.rounds)
    table.print("µs of its thread for one call of 1 KiB", lambda ns: f"{ns / 1000:.1f}")
    print(f"\n{bench.lost} records lost in all.")
    arms.print_load()
    return 0


if __name__ == "__main__":
    sys.exit(main())
