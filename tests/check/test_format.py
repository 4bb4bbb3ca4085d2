#!/usr/bin/python3
"""Every C and C++ file is formatted as .clang-format says."""

import subprocess
import unittest

import tree


class Format(unittest.TestCase):
    def test_every_file_is_as_clang_format_writes_it(self):
        """format: every C and C++ file is as clang-format would write it"""
        found = tree.clang_version("clang-format")
        if found != tree.REFERENCE_CLANG:
            self.skipTest(f"clang-format {found} is here, the tree is formatted by {tree.REFERENCE_CLANG}")
        files = tree.c_files()
        self.assertTrue(files)
        done = subprocess.run(["clang-format", "--dry-run", "-Werror", *map(str, files)], stderr=subprocess.PIPE, text=True)
        wrong = sorted({line.split(":")[0] for line in done.stderr.splitlines() if "-Wclang-format-violations" in line})
        wrong = [name.removeprefix(f"{tree.ROOT}/") for name in wrong]
        self.assertEqual((done.returncode, wrong), (0, []), "run ./dev format")


if __name__ == "__main__":
    unittest.main()
