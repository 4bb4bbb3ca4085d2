#!/usr/bin/python3
"""Runs in the guest: waits until systemd is up, runs the suites, leaves when done. Started by aa-guest.service.

Comes in: what to run, as aa.NAME=VALUE on the kernel's command line. Goes out: JSON lines on the results port, the first
of which says that the guest is up, and the suites' own words on the console.
"""

import json
import os
import pathlib
import platform
import subprocess
import sys

PORT = pathlib.Path("/dev/virtio-ports/aa.results")
SOURCE = pathlib.Path("/aa/src")
BUILD = pathlib.Path("/aa/build")
# Emulated, a processor is ten to fifty times slower: waits are longer, storms smaller, rounds fewer.
SLOW = {"AA_PATIENCE": "6", "AA_STORM": "1000", "AA_SPARSE": "8"}


def say(**what):
    with PORT.open("w", encoding="utf-8") as port:
        port.write(json.dumps(what) + "\n")


def version_of(*command):
    return subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True).stdout.split("\n")[0].strip()


def package(name):
    return version_of("dpkg-query", "-W", "-f", "${Version}", name)


def versions():
    return {"kernel": platform.release(), "debian": pathlib.Path("/etc/debian_version").read_text().strip(),
            "systemd": package("systemd"), "libbpf": package("libbpf-dev"), "sdbus-c++": package("libsdbus-c++-dev"),
            "lsm": active_lsm()}


def orders():
    words = pathlib.Path("/proc/cmdline").read_text().split()
    return dict(word.removeprefix("aa.").split("=", 1) for word in words if word.startswith("aa."))


def active_lsm():
    file = pathlib.Path("/sys/kernel/security/lsm")
    return file.read_text() if file.exists() else "unknown"


def main():
    # "degraded" is up too: what of ours must work is tested, not taken from here.
    state = version_of("systemctl", "is-system-running")
    say(event="up", state=state, versions=versions())
    told = orders()
    suites = told["suites"].split(",")
    quick = ["--quick"] if told["quick"] == "1" else []
    done = subprocess.run(
        ["/usr/bin/python3", str(SOURCE / "tests/support/suites.py"), *quick, "--build", str(BUILD), "--results", str(PORT),
         *suites], stdin=subprocess.DEVNULL, cwd=SOURCE, check=False,
        env={**os.environ, "AA_GUEST": "1", "AA_MUST_HOOKS": told["hooks"], **SLOW})
    say(event="done", status=done.returncode)
    return 0


if __name__ == "__main__":
    sys.exit(main())
