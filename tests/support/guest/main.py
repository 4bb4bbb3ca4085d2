#!/usr/bin/python3
"""`./dev guest`: rows of tests/guest/rows.py, each in a guest of its own, and a table of what came out.

Comes in: rows and suites by name, and in AA_GUEST_PACKAGES what `dev` says the project needs. Goes out: a line for each suite
of each row as it is known, the last words of what failed, the table; exit status 0 only when nothing failed.
"""

import argparse
import concurrent.futures
import fnmatch
import json
import os
import pathlib
import signal
import sys
import threading
import time

import console
import debian
import machine
import project
import table
from place import ROOT, Unavailable, alone, note, stop_children

sys.path.insert(0, str(ROOT / "tests/guest"))
import rows as matrix  # noqa: E402

STOPPED = 130
UNAVAILABLE = 3  # exit status: no guest could be had, which says nothing about the project


def chosen(words):
    """Rows by name or pattern, as a shell has them; all when none is named."""
    for word in words:
        if not any(fnmatch.fnmatch(row.name, word) for row in matrix.ROWS):
            raise Unavailable(f"no row is called {word}. There are: {', '.join(row.name for row in matrix.ROWS)}")
    return [row for row in matrix.ROWS if not words or any(fnmatch.fnmatch(row.name, word) for word in words)]


def check_suites(names):
    """A suite that is not there would be a row that says nothing."""
    for name in names:
        place = name.partition(":")[0]
        is_there = (ROOT / place).is_file() if place.endswith(".py") else (ROOT / "tests" / place).is_dir()
        if not is_there:
            raise Unavailable(f"no suite is called {name}: name a folder of tests/, or a file as tests/kernel/test_exec.py")


class Parts:
    """What guests are made of, made once each; side by side, for one waits for the network while another computes."""

    def __init__(self, rows, packages, suites):
        """Without suites nothing is built for them."""
        with concurrent.futures.ThreadPoolExecutor() as pool:
            kernels = {version: pool.submit(self.kernel, row) for version, row in {r.kernel: r for r in rows}.items()}
            houses = {release: pool.submit(self.house, release, packages, suites) for release in {r.release for r in rows}}
            self.stop_at_trouble([*kernels.values(), *houses.values()])
        self.kernels = {version: made.result() for version, made in kernels.items()}
        self.houses = {release: made.result() for release, made in houses.items()}

    @staticmethod
    def stop_at_trouble(parts):
        """The first that cannot be had is told at once; what the others would be made for does not come."""
        try:
            for made in concurrent.futures.as_completed(parts):
                made.result()
        except Exception:
            stop_children()
            raise

    @staticmethod
    def kernel(row):
        note(f"kernel {row.kernel} from Debian {row.suite}")
        return debian.kernel(row.suite, row.kernel)

    @staticmethod
    def house(release, packages, suites):
        note(f"Debian {release} user land")
        land = debian.user_land(release, packages)
        if not suites:
            return land, None
        note(f"building in Debian {release}")
        return land, project.image(release, land, suites)

    def of(self, row):
        kernel, (land, image) = self.kernels[row.kernel], self.houses[row.release]
        disks = (land / "root.img", image, machine.modules_image(kernel))
        return kernel, disks, machine.initrd(kernel, land, ROOT / "tests/support/guest/first_init.sh")


def run_row(row, parts, options):
    """Whatever goes wrong with one row, the others are told of."""
    try:
        outcome = booted(row, parts, options)
    except (OSError, ValueError, Unavailable) as error:
        outcome = machine.Outcome(trouble=f"{type(error).__name__}: {error}")
    if row.lsm and outcome.up and row.lsm not in outcome.versions.get("lsm", "").split(","):
        outcome.trouble = outcome.trouble or f"its security modules are {outcome.versions.get('lsm')}, without {row.lsm}"
    tell(row, outcome)
    return outcome


def suites_of(row, options):
    return options.suites or (row.smoke if options.smoke else row.suites)


def booted(row, parts, options):
    if options.stopped.is_set():
        return machine.Outcome(trouble="stopped")
    kernel, disks, start = parts.of(row)
    folder = options.logs / row.name
    orders = {"suites": ",".join(suites_of(row, options)), "hooks": ",".join(row.hooks), "quick": "0" if options.full else "1"}
    note(f"{row.name}: booting")
    outcome = machine.boot(row, kernel, disks, start, folder, options.seconds, orders)
    if not outcome.up and not options.stopped.is_set():
        note(f"{row.name}: did not boot ({outcome.trouble}); once more")
        first = outcome.log.read_text(errors="replace") if outcome.log.exists() else ""
        outcome = machine.boot(row, kernel, disks, start, folder, options.seconds, orders)
        (folder / "first-boot.log").write_text(first)
        if not outcome.up:
            outcome.trouble = f"did not boot, twice: {outcome.trouble}"
    return outcome


def tell(row, outcome):
    for line in table.failures(row, outcome):
        print(line)
    if outcome.trouble and outcome.log is None:
        print(f"---- {row.name}: {outcome.trouble}")
    elif outcome.trouble:
        print(f"---- {row.name}: {outcome.trouble}; the last lines of {outcome.log}:")
        print(console.last_lines(outcome.log.read_text(errors="replace")))
    sys.stdout.flush()


def at_least_one(word):
    if not word.isdigit() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"{word} is no number from 1 on")
    return int(word)


def main():
    arguments = sys.argv[1:]
    split = arguments.index("--") if "--" in arguments else len(arguments)
    parser = argparse.ArgumentParser(prog="./dev guest", description="Boot kernels and run suites on them.",
                                     usage="./dev guest [OPTION…] [KERNEL…] [-- TEST…]")
    parser.add_argument("rows", nargs="*", metavar="KERNEL", help="rows of tests/guest/rows.py (default: all)")
    parser.add_argument("--logs", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--summary", type=pathlib.Path, help="write what came of each row to this file, as JSON")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--smoke", action="store_true", help="what ./dev test smoke runs")
    length.add_argument("--full", action="store_true", help="also what takes minutes")
    parser.add_argument("--shell", action="store_true", help="a console on KERNEL instead of suites")
    parser.add_argument("--fetch", action="store_true", help="only fetch what the guests are made of")
    parser.add_argument("--jobs", type=at_least_one, default=os.cpu_count(), help="guests at a time (default: one for each core)")
    parser.add_argument("--seconds", type=int, help="how long one guest may take (default: half an hour, with --full four)")
    options = parser.parse_args(arguments[:split])
    options.suites = arguments[split + 1:] or list(matrix.FULL_SUITES if options.full else ())  # none: the row's own
    options.seconds = options.seconds or (14_400 if options.full else 1800)
    options.stopped = threading.Event()

    def stop(*_):
        options.stopped.set()
        stop_children()
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        with alone():
            return run_rows(options)
    except Unavailable as error:
        note(str(error))
    except (OSError, ValueError) as error:
        note(f"{type(error).__name__}: {error}")
    except KeyboardInterrupt:
        note("stopped")
        return STOPPED
    return UNAVAILABLE


def run_rows(options):
    begin = time.monotonic()
    rows = [row for row in chosen(options.rows) if suites_of(row, options)]
    if not rows:
        raise Unavailable("nothing of these rows is part of smoke: leave --smoke out")
    suites = [suite for row in rows for suite in suites_of(row, options)]
    check_suites(suites)
    if options.shell:
        machine.need_terminal()
        if len(rows) != 1:
            raise Unavailable("a console is of one row: --shell ROW")
    packages = os.environ.get("AA_GUEST_PACKAGES", "").split()
    if not packages:
        raise Unavailable("which packages the project needs is known to ./dev: use ./dev guest, or ./dev test smoke")
    parts = Parts(rows, packages, [] if options.fetch else suites)
    if options.fetch:
        return 0
    if options.shell:
        machine.shell(rows[0], *parts.of(rows[0]))
    ready = time.monotonic() - begin
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        outcomes = list(pool.map(lambda row: run_row(row, parts, options), rows))
    print(table.text(rows, outcomes, ready, time.monotonic() - begin))
    if options.summary:
        options.summary.write_text(json.dumps(table.summary(rows, outcomes)))
    return 0 if all(table.passed(outcome) for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
