#!/usr/bin/python3
"""Runs in the guest: waits until systemd is up, runs the suites, leaves when done. Started by aa-guest.service.

Comes in: what to run, as aa.NAME=VALUE on the kernel's command line. Goes out: JSON lines on the results port, the first
of which says that the guest is up, and the suites' own words on the console.
"""

import functools
import json
import os
import pathlib
import platform
import subprocess
import sys

SOURCE = pathlib.Path("/aa/src")
BUILD = pathlib.Path("/aa/build")
# Emulated, a processor is ten to fifty times slower: waits are longer, storms smaller, and rounds fewer without --full.
SLOW = {"AA_PATIENCE": "6", "AA_STORM": "1000"}
SPARSE = {"AA_SPARSE": "16"}


@functools.cache
def port():
    """The device of the results; udev, which would give it a name, is not asked."""
    return next(pathlib.Path("/dev", device.name) for device in pathlib.Path("/sys/class/virtio-ports").iterdir()
                if (device / "name").read_text().strip() == "aa.results")


def say(**what):
    with port().open("w", encoding="utf-8") as results:
        results.write(json.dumps(what) + "\n")


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
    quick = told["quick"] == "1"
    done = subprocess.run(
        ["/usr/bin/python3", str(SOURCE / "tests/support/suites.py"), *(["--quick"] if quick else []), "--build", str(BUILD),
         "--results", str(port()), *suites], stdin=subprocess.DEVNULL, cwd=SOURCE, check=False,
        env={**os.environ, "AA_GUEST": "1", "AA_MUST_HOOKS": told["hooks"], **SLOW, **(SPARSE if quick else {})})
    say(event="done", status=done.returncode)
    return 0


if __name__ == "__main__":
    sys.exit(main())
