#!/usr/bin/python3
"""Runs unittest files by path and says each test as its sentence.

    run_suite.py tests/kernel                    every test_*.py in it
    run_suite.py tests/kernel/test_exec.py -k memfd
    run_suite.py --junit out.xml tests/kernel

A test's docstring is its sentence. With AA_RESULTS set, a JSON line for each test that begins and each that ends is
added to that file, so that a machine that hangs has said in what. Last line: `NAME: N passed, N failed, N skipped`. Exit status: 0 all passed, 1 a
failure or nothing to run, 77 everything was skipped.
"""

import argparse
import importlib.util
import json
import os
import pathlib
import re
import signal
import sys
import time
import unittest
import xml.etree.ElementTree as ElementTree

EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Expired)\b")  # begins a traceback's last words
SUPPORT = pathlib.Path(__file__).resolve().parent


class Result(unittest.TestResult):
    """Prints as it goes; keeps (test, outcome, text, seconds) for the report."""

    def __init__(self):
        super().__init__()
        self.rows = []
        self.current_subtests = []

    def startTest(self, test):
        super().startTest(test)
        self.begin = time.monotonic()
        self.current_subtests = []
        tell(event="begin", test=sentence(test))

    def _say(self, test, outcome, text=""):
        seconds = time.monotonic() - getattr(self, "begin", time.monotonic())
        self.rows.append((test, outcome, text, seconds))
        tell(event="test", test=sentence(test), outcome=outcome, seconds=round(seconds, 2), why=text[-2000:])
        note = f" ({text})" if outcome == "skip" else f" [{seconds:.1f} s]" if seconds >= 1 else ""
        print(f"  {outcome:<4}  {sentence(test)}{note}", flush=True)
        if outcome == "FAIL":
            print("        " + text.rstrip().replace("\n", "\n        "), flush=True)

    def addSuccess(self, test):
        self._say(test, "ok")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._say(test, "FAIL", self._exc_info_to_string(err, test))

    def addError(self, test, err):
        super().addError(test, err)
        self._say(test, "FAIL", self._exc_info_to_string(err, test))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        if not self.current_subtests and not self._has_failed(test):  # else that is what is to be said of it
            self._say(test, "skip", reason)

    def _has_failed(self, test):
        return bool(self.rows) and self.rows[-1][0] is test and self.rows[-1][1] == "FAIL"

    def addExpectedFailure(self, test, err):
        self._say(test, "FAIL", "marked as an expected failure: a test that may fail proves nothing")

    def addUnexpectedSuccess(self, test):
        self._say(test, "ok")

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.current_subtests.append(f"{subtest._subDescription()}\n{self._exc_info_to_string(err, test)}")

    def stopTest(self, test):
        # A test with failed subtests gets no addSuccess.
        if self.current_subtests and not (self.rows and self.rows[-1][0] is test):
            self._say(test, "FAIL", "\n".join(self.current_subtests))
        super().stopTest(test)

    def count(self, outcome):
        return sum(row[1] == outcome for row in self.rows)


def tell(**what):
    if os.environ.get("AA_RESULTS"):
        with open(os.environ["AA_RESULTS"], "a", encoding="utf-8") as results:
            results.write(json.dumps(what) + "\n")


def sentence(test):
    return test.shortDescription() or str(test)


def load(paths, pattern):
    """One suite over all files; a file that cannot be imported is a failed test of its own."""
    files = []
    for path in map(pathlib.Path, paths):
        if not path.exists():
            sys.exit(f"run_suite.py: {path} does not exist")
        files += sorted(path.glob("test_*.py")) if path.is_dir() else [path]
    loader = unittest.TestLoader()
    if pattern:
        loader.testNamePatterns = [f"*{pattern}*"]
    suite = unittest.TestSuite()
    for file in files:
        sys.path.insert(0, str(file.resolve().parent))
        spec = importlib.util.spec_from_file_location(file.stem, file)
        module = importlib.util.module_from_spec(spec)
        sys.modules[file.stem] = module
        try:
            spec.loader.exec_module(module)
        except unittest.SkipTest as skip:
            suite.addTest(unittest.FunctionTestCase(skipper(str(skip)), description=f"all of {file.name}"))
        except Exception as error:
            suite.addTest(unittest.FunctionTestCase(raiser(error), description=f"{file.name} can be loaded"))
        else:
            suite.addTests(loader.loadTestsFromModule(module))
    return suite


def skipper(reason):
    def skip():
        raise unittest.SkipTest(reason)

    return skip


def raiser(error):
    def fail():
        raise error

    return fail


def reason(text):
    """What a traceback says of its exception, in one line."""
    lines = text.strip().splitlines()
    begins = [i for i, line in enumerate(lines) if EXCEPTION.match(line)]
    said = lines[begins[-1]:] if begins else lines[-1:]
    return " ".join(" ".join(said).split())[:500]


def write_junit(file, name, result):
    root = ElementTree.Element("testsuite", name=name, tests=str(len(result.rows)), failures=str(result.count("FAIL")),
                               skipped=str(result.count("skip")))
    for test, outcome, text, seconds in result.rows:
        case = ElementTree.SubElement(root, "testcase", name=printable(sentence(test)), classname=test.id(), time=f"{seconds:.3f}")
        if outcome == "FAIL":
            ElementTree.SubElement(case, "failure", message=printable(reason(text))).text = printable(text)
        elif outcome == "skip":
            ElementTree.SubElement(case, "skipped", message=printable(text))
    ElementTree.ElementTree(root).write(file, encoding="utf-8", xml_declaration=True)


def printable(text):
    """XML has no place for most control characters."""
    return "".join(c if c in "\n\t" or c >= " " else f"\\x{ord(c):02x}" for c in text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+", help="folders or test files")
    parser.add_argument("-k", metavar="WORD", help="only tests whose id contains WORD")
    parser.add_argument("--name", help="suite's name in the last line (default: the first path's)")
    parser.add_argument("--junit", metavar="FILE", help="also write JUnit XML")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as an exception, so that started children are ended
    sys.path.insert(0, str(SUPPORT))
    name = options.name or pathlib.Path(options.paths[0]).resolve().stem
    result = Result()
    load(options.paths, options.k).run(result)
    if options.junit:
        write_junit(options.junit, name, result)
    passed, failed, skipped = (result.count(o) for o in ("ok", "FAIL", "skip"))
    print(f"{name}: {passed} passed, {failed} failed, {skipped} skipped", flush=True)
    if failed or not result.rows:
        return 1
    return 77 if skipped and not passed else 0


if __name__ == "__main__":
    sys.exit(main())
