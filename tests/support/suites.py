#!/usr/bin/python3
"""Runs suites and adds their results up.

Comes in: build folders and suite names. A suite is the programs that Meson lists under its name, and the test_*.py
files of tests/NAME; the path of one such file is a suite too. NAME:HOOKS runs it with that hook set forced. Programs
called unit_* are Catch2's and report each test case; any other counts as one test, by its exit status (77: skipped). As
many programs run at a time as there are processors, a folder's files by themselves: they watch the whole machine. Goes
out: a line for each part, the output of what failed, and one last line `N passed, N failed, N skipped`; with --results
also a JSON line for each part, as it ends. A part that crashes, hangs or reports no test at all counts as failed: silence
is not success. Exit status 0 only when nothing failed and something passed.
"""

import argparse
import concurrent.futures
import contextlib
import itertools
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTHON_SUITE_TIMEOUT = 1800 * float(os.environ.get("AA_PATIENCE") or 1)  # seconds
EXIT_SKIPPED = 77
SANITIZER_ENV = {
    "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}


@dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped


@dataclass
class Part:
    name: str
    command: list
    report: pathlib.Path  # JUnit; None for a program that has only its exit status
    log: pathlib.Path
    timeout: float
    env: dict
    is_alone: bool  # nothing else runs meanwhile

    @property
    def is_catch(self):
        return self.report is not None and not self.is_alone


def read_junit(report):
    """What a JUnit file says; None when there is none or a crash cut it short."""
    try:
        tree = ElementTree.parse(report)
    except (OSError, ElementTree.ParseError):
        return None
    count = Count()
    for case in tree.iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            count.failed += 1
        elif case.find("skipped") is not None:
            count.skipped += 1
        else:
            count.passed += 1
    return count


running = set()  # process groups


def run_limited(part):
    """The exit status; None when the time was up. The part leads its own process group, so that a hang leaves no one."""
    with part.log.open("wb") as log:
        child = subprocess.Popen(part.command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                 env={**os.environ, **part.env}, cwd=ROOT, start_new_session=True)
        running.add(child.pid)
        try:
            return child.wait(part.timeout)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            return None
        finally:
            running.discard(child.pid)


def stop_running():
    for group in list(running):
        with contextlib.suppress(OSError):
            os.killpg(group, signal.SIGTERM)


def judge(part, status):
    """What to count, and what is wrong beyond failed tests ("" when nothing)."""
    if status is None:
        return Count(failed=1), f"not finished after {part.timeout:.0f} s"
    if part.report is None:
        failed = status not in (0, EXIT_SKIPPED)
        count = Count(passed=int(status == 0), failed=int(failed), skipped=int(status == EXIT_SKIPPED))
        return count, f"exit status {status}" if failed else ""
    count = read_junit(part.report)
    trouble = ""
    if count is None:
        count, trouble = Count(), f"no results, exit status {status}"
    elif status not in (0, EXIT_SKIPPED) and count.failed == 0:
        trouble = f"exit status {status} although no test failed"
    elif count == Count():
        trouble = "reported no test"
    count.failed += bool(trouble)
    return count, trouble


def run_part(part):
    """Its count, what is wrong beyond failed tests, and how many seconds it took."""
    if part.report:
        part.report.unlink(missing_ok=True)
    begin = time.monotonic()
    count, trouble = judge(part, run_limited(part))
    return count, trouble, time.monotonic() - begin


def tell(part, count, trouble, seconds, results):
    """Its line; on failure its output too."""
    print(f"{part.name:<34} {count} ({seconds:.1f} s)", flush=True)
    if results:
        report(part, count, trouble, seconds, results)
    if count.failed:
        show_failures(part)
        print(f"---- {part.name}: {trouble or 'failed'}; the output above is kept in {part.log.parent}", flush=True)
    elif count.skipped:
        show_skips(part)


def show_failures(part):
    """What the part printed, and what only its report has: Catch2 prints nothing beside that."""
    output = part.log.read_text(errors="replace").rstrip()
    if output:
        print(output)
    for name, why in cases(part, "failure", "error") if part.is_catch else []:
        print(f"    failed: {name}: {why}")


def show_skips(part):
    for name, reason in cases(part, "skipped"):
        print(f"    skipped: {name}: {reason}")


def cases(part, *outcomes):
    """(sentence, why) of the tests that a JUnit report has under these outcomes; a program's last line without one."""
    if part.report is None:
        return [(part.name, part.log.read_text(errors="replace").strip()[-500:])]
    try:
        tree = ElementTree.parse(part.report)
    except (OSError, ElementTree.ParseError):
        return []
    found = [(case.get("name"), node) for case in tree.iter("testcase") for outcome in outcomes
             for node in case.findall(outcome)]
    if part.is_catch:  # whose message is the expression alone, without its values, place and INFO
        return [(name, (node.text or "").strip() or node.get("message")) for name, node in found]
    return [(name, node.get("message") or (node.text or "").strip()) for name, node in found]


def report(part, count, trouble, seconds, results):
    line = {"event": "part", "name": part.name, "seconds": round(seconds, 1), "trouble": trouble,
            "passed": count.passed, "failed": count.failed, "skipped": count.skipped,
            "failures": cases(part, "failure", "error") if count.failed else [],
            "skips": cases(part, "skipped") if count.skipped else []}
    with results.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def meson_tests(build):
    return json.loads((build / "meson-info/intro-tests.json").read_text())


def parts_of(word, build, tests, sanitized, quick):
    label = f"{word} (sanitized)" if sanitized else word
    suite, _, hooks = word.partition(":")
    logs = build / "test-logs"
    logs.mkdir(exist_ok=True)
    env = {"AA_BUILD": str(build), "AA_QUICK": "1" if quick else "", **(SANITIZER_ENV if sanitized else {})}
    if hooks:
        env["AA_HOOKS"] = hooks
    parts = []
    for test in tests:
        # Meson names a suite with its project before it: "aa-ebpfd:unit".
        if suite not in [name.rpartition(":")[2] for name in test["suite"]]:
            continue
        program = pathlib.Path(test["cmd"][0]).name
        if program.startswith("python"):
            continue  # a test_*.py of the suite's folder, which runs below
        report = logs / f"{suite}-{test['name']}.xml" if program.startswith("unit_") else None
        command = [*test["cmd"], *(["-r", "junit", "-o", str(report)] if report else [])]
        parts.append(Part(f"{label}: {test['name']}", command, report, logs / f"{suite}-{test['name']}.log",
                          test["timeout"] * 3, {**test["env"], **env}, is_alone=False))
    place = ROOT / suite if suite.endswith(".py") else ROOT / "tests" / suite
    if place.is_file() or any(place.glob("test_*.py")):
        report = logs / f"{word.replace('/', '-')}.xml"
        command = ["/usr/bin/python3", str(ROOT / "tests/support/run_suite.py"), "--junit", str(report), str(place)]
        parts.append(Part(label, command, report, report.with_suffix(".log"), PYTHON_SUITE_TIMEOUT, env, is_alone=True))
    return parts


def run_round(suites, build, sanitized, quick, results):
    total = Count()
    if not suites:
        return total
    tests = meson_tests(build)
    for suite in suites:
        parts = parts_of(suite, build, tests, sanitized, quick)
        if not parts:
            print(f"{suite}: there is nothing in this suite", flush=True)
            total.failed += 1
        for is_alone, group in itertools.groupby(parts, key=lambda part: part.is_alone):
            total.add(run_group(list(group), 1 if is_alone else os.cpu_count(), results))
    return total


def run_group(parts, at_a_time, results):
    """Told in their order, each as soon as it and those before it have ended."""
    total = Count()
    with concurrent.futures.ThreadPoolExecutor(at_a_time) as pool:
        try:
            for part, (count, trouble, seconds) in zip(parts, pool.map(run_part, parts)):
                tell(part, count, trouble, seconds, results)
                total.add(count)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            stop_running()
            raise
    return total


def main():
    parser = argparse.ArgumentParser(description="Run suites and add their results up.")
    parser.add_argument("--quick", action="store_true", help="tests that read AA_QUICK leave out what takes minutes")
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--sanitized-build", type=pathlib.Path)
    parser.add_argument("--sanitized", nargs="*", default=[], metavar="SUITE", help="run these in --sanitized-build too")
    parser.add_argument("--results", type=pathlib.Path, help="add a JSON line for each part and test to this file")
    parser.add_argument("--note", default="", help="what to add to the last line")
    parser.add_argument("suites", nargs="+", metavar="SUITE")
    options = parser.parse_args()
    if options.results:
        os.environ["AA_RESULTS"] = str(options.results)  # for run_suite.py
    total = run_round(options.suites, options.build.resolve(), False, options.quick, options.results)
    if options.sanitized:
        total.add(run_round(options.sanitized, options.sanitized_build.resolve(), True, options.quick,
                            options.results))
    print(f"{total} ({options.note})" if options.note else total)
    return 0 if total.failed == 0 and total.passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
