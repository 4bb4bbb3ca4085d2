#!/usr/bin/python3
"""clang-tidy finds nothing in daemon/ and cli/, with the checks of .clang-tidy."""

import json
import os
import pathlib
import re
import subprocess
import unittest

import tree

FINDING = re.compile(r"^(/[^:]+:\d+:\d+): (?:warning|error): (.*)$", re.MULTILINE)


class Tidy(unittest.TestCase):
    def test_clang_tidy_finds_nothing(self):
        """tidy: clang-tidy finds nothing in daemon/ and cli/"""
        if os.environ.get("AA_QUICK"):
            self.skipTest("takes minutes; leave out --quick to run it")
        found = tree.clang_version("clang-tidy")
        if found != tree.REFERENCE_CLANG:
            self.skipTest(f"clang-tidy {found} is here, the checks are chosen for {tree.REFERENCE_CLANG}")
        build = pathlib.Path(os.environ.get("AA_BUILD", tree.ROOT / "build"))
        commands = json.loads((build / "compile_commands.json").read_text())
        ours = [str(path) for path in tree.files(".cpp")
                if path.relative_to(tree.ROOT).parts[0] in ("daemon", "cli")]
        known = {os.path.normpath(os.path.join(entry["directory"], entry["file"])) for entry in commands}
        self.assertEqual([path for path in ours if path not in known], [], "not compiled by any meson.build")
        # -Wno-…: options in compile_commands.json are g++'s; clang 14 need not know them all.
        done = subprocess.run(
            ["run-clang-tidy", "-quiet", "-p", str(build), "-j", str(os.cpu_count()),
             "-extra-arg=-Wno-unknown-warning-option", *(f"^{re.escape(path)}$" for path in ours)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        findings = sorted({f"{where.removeprefix(f'{tree.ROOT}/')}: {what}" for where, what in FINDING.findall(done.stdout)})
        self.assertEqual(findings, [])
        self.assertEqual(done.returncode, 0, done.stdout)


if __name__ == "__main__":
    unittest.main()
