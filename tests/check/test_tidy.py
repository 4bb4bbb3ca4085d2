#!/usr/bin/python3
"""clang-tidy finds nothing in daemon/ and cli/, with the checks of .clang-tidy."""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import tree

COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # run-clang-tidy asks for it whether there is a terminal or not
FINDING = re.compile(r"^(\S+:\d+:\d+): (?:warning|error): (.*)$", re.MULTILINE)
INCLUDED = re.compile(r"^#include<(.+)>$", re.MULTILINE)  # as Meson writes a source that stands for several


def compiled(build):
    """{source: (folder, command)}: how each is compiled. The build compiles several at once; here each stands by itself."""
    found = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = pathlib.Path(entry["directory"], entry["file"])
        several = INCLUDED.findall(path.read_text()) if re.search(r"-unity\d+\.cpp$", path.name) else []
        for source in map(os.path.normpath, several or [path]):
            found[source] = (entry["directory"], entry["command"].replace(f" -c {entry['file']}", f" -c {source}"))
    return found


class Tidy(unittest.TestCase):
    def short(self, build, where):
        """A place relative to the tree: clang-tidy names it in full, or relative to the build folder."""
        return os.path.relpath(os.path.normpath(build / where), tree.ROOT)

    def test_clang_tidy_finds_nothing(self):
        """tidy: clang-tidy finds nothing in daemon/ and cli/"""
        found = tree.clang_version("clang-tidy")
        if found != tree.REFERENCE_CLANG:
            self.skipTest(f"clang-tidy {found} is here, the checks are chosen for {tree.REFERENCE_CLANG}")
        build = pathlib.Path(os.environ.get("AA_BUILD", tree.ROOT / "build")).resolve()
        commands = compiled(build)
        ours = [str(path) for path in tree.files(".cpp")
                if path.relative_to(tree.ROOT).parts[0] in ("daemon", "cli")]
        self.assertEqual([path for path in ours if path not in commands], [], "not compiled by any meson.build")
        # Options in compile_commands.json, and some attributes, are g++'s; clang 14 need not know them all.
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "compile_commands.json").write_text(json.dumps(
                [{"directory": commands[path][0], "command": commands[path][1], "file": path} for path in ours]))
            done = subprocess.run(
                ["run-clang-tidy", "-quiet", "-p", folder, "-j", str(os.cpu_count()),
                 "-extra-arg=-Wno-unknown-warning-option", "-extra-arg=-Wno-unknown-attributes"],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        shown = COLOUR.sub("", done.stdout)
        findings = sorted({f"{self.short(build, where)}: {what}" for where, what in FINDING.findall(shown)})
        self.assertEqual("\n".join(findings), "")
        self.assertEqual(done.returncode, 0, shown)


if __name__ == "__main__":
    unittest.main()
