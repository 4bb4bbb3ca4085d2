#!/usr/bin/python3
"""What listening costs a TLS call of 1 KiB, as ratios to a machine without any of us.

A program writes and reads through memory, no socket: what is measured is the thread's own time. Each form of the calls has a
table of its own, because other places are probed in each: `aa-ebpfd --list-probes` says which. `none` comes twice: how much the
two differ is what this machine cannot tell apart. `bare trap` is a program that does nothing at the same places: what the kernel
takes of it, whoever listens. sslsniff prints what SSL_write and SSL_read moved, of everybody.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import arms  # noqa: E402
import snoop  # noqa: E402
from harness import Daemon, PrivateBus, program, wait_until, watch  # noqa: E402
from tls_server import CERTIFICATE  # noqa: E402

SNIFFERS = ("sslsniff-bpfcc", "sslsniff")
# Debian 12's does not compile with its own kernel's headers any more: their min() wants constant types inside a function.
REFUSED = "u32 buf_copy_size = min((size_t)MAX_BUF_SIZE, (size_t)len);"
TAKEN = ('u64 buf_copy_size = (u32)len; asm volatile("" : "+r"(buf_copy_size)); '
         "if (buf_copy_size > MAX_BUF_SIZE) buf_copy_size = MAX_BUF_SIZE;")
CANNOT = 77  # bare_trap's word for a kernel that has not what the daemon attaches by


def sniffers(folder):
    """Each as it is installed, then with that one line mended; without GnuTLS and NSS."""
    found = [path for path in map(shutil.which, SNIFFERS) if path]
    for path in list(found):
        mended = folder / "sslsniff-mended"
        mended.write_text(pathlib.Path(path).read_text().replace(REFUSED, TAKEN))
        mended.chmod(0o700)
        found.append(str(mended))
    return [[path, "-g", "-n"] for path in found]


class Bench:
    def __init__(self, form, count, folder):
        self.result = folder / "result"
        self.form = form
        self.command = self.calls(count)
        self.lost = 0
        self.sniffer = snoop.first_that_works(sniffers(folder), self.provoke) if form == "plain" else None

    def calls(self, count):
        return [program("timed_tls"), str(CERTIFICATE), self.form, str(count), str(self.result)]

    def provoke(self):
        subprocess.run(self.calls(1), check=True)

    def took(self):
        return float(self.result.read_text())

    def none(self):
        subprocess.run(self.command, check=True)
        return self.took()

    def has_bare_trap(self):
        return subprocess.run([program("bare_trap")], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL).returncode != CANNOT

    def bare_trap(self):
        with subprocess.Popen([program("bare_trap")], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as trap:
            if trap.stdout.readline() != b"attached\n":
                raise SystemExit("bench: a program that does nothing cannot be attached")
            return self.none()

    def sslsniff(self):
        tool = snoop.Snoop(self.sniffer, self.provoke)
        try:
            return self.none()
        finally:
            tool.stop()

    def unwatched(self):
        with PrivateBus() as bus, Daemon(bus) as daemon, watch(daemon, [program("hold")]) as other:
            other.go()
            return self.none()

    def unwatched_in_scope(self):
        """Another process that has libssl is attached to, by itself."""
        with PrivateBus() as bus, Daemon(bus, settings={"tls.scope": "watched"}) as daemon:
            with watch(daemon, [program("hold")], stdin=subprocess.PIPE, env={**os.environ, "LD_PRELOAD": "libssl.so.3"}) as other:
                other.go()
                wait_until(lambda: daemon.counters()["tls.attached"], "somebody is attached to")
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
    return arms.Arms({"none": bench.none, "none again (A/A)": bench.none,
                      **({"bare trap": bench.bare_trap} if bench.has_bare_trap() else {}),
                      **({pathlib.Path(bench.sniffer[0]).name: bench.sslsniff} if bench.sniffer else {}),
                      "aa-ebpfd, unwatched": bench.unwatched,
                      "aa-ebpfd, unwatched, scope watched": bench.unwatched_in_scope,
                      **{f"aa-ebpfd, {level}": bench.at(level) for level in levels},
                      "aa-ebpfd, full, return probes": bench.at("full", **{"tls.return_probes": "auto"}),
                      "aa-ebpfd, full, scope watched": bench.at("full", **{"tls.scope": "watched", "tls.hold_new_library": "on"}),
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
        if not bench.has_bare_trap():
            print("This kernel has no uprobe_multi, by which the daemon attaches where it can: no bare trap.")
        if form == "plain" and not bench.sniffer:
            print(f"{snoop.why_none([[name] for name in SNIFFERS])} (package bpfcc-tools, with the kernel's headers). No such arm.")
    arms.print_load()
    return 0


if __name__ == "__main__":
    sys.exit(main())
