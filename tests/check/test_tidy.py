#!/usr/bin/python3
"""clang-tidy finds nothing in daemon/ and cli/, with the checks of .clang-tidy."""

import json
import os
import pathlib
import re
import subprocess
import unittest

import tree

COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # run-clang-tidy asks for it whether there is a terminal or not
FINDING = re.compile(r"^(\S+:\d+:\d+): (?:warning|error): (.*)$", re.MULTILINE)
INCLUDED = re.compile(r"^#include<(.+)>$", re.MULTILINE)  # as Meson writes a source that stands for several


def compiled(build):
    """{source: the sources that it stands for}: what the build compiles of daemon/ and cli/, as Meson puts them together. What
    takes long are the headers of others, so each source by itself takes four times as long."""
    found = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = pathlib.Path(entry["directory"], entry["file"])
        several = INCLUDED.findall(path.read_text()) if re.search(r"-unity\d+\.cpp$", path.name) else []
        stands_for = {os.path.normpath(source) for source in several or [path]}
        if all(checked(source) for source in stands_for):
            found[str(path)] = stands_for
    return found


def checked(source):
    parts = pathlib.Path(os.path.relpath(source, tree.ROOT)).parts
    return parts[0] in ("daemon", "cli")


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
        sources = compiled(build)
        ours = {str(path) for path in tree.files(".cpp") if checked(path)}
        self.assertEqual(sorted(ours - set().union(*sources.values())), [], "not compiled by any meson.build")
        # Options in compile_commands.json, and some attributes, are g++'s; clang 14 need not know them all. What Meson puts
        # together includes sources, which are ours as headers are.
        done = subprocess.run(
            ["run-clang-tidy", "-quiet", "-p", str(build), "-j", str(os.cpu_count()), "-checks=-bugprone-suspicious-include",
             f"-config={(tree.ROOT / '.clang-tidy').read_text()}",
             "-extra-arg=-Wno-unknown-warning-option", "-extra-arg=-Wno-unknown-attributes",
             *(f"^{re.escape(source)}$" for source in sorted(sources))],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        shown = COLOUR.sub("", done.stdout)
        findings = sorted({f"{self.short(build, where)}: {what}" for where, what in FINDING.findall(shown)})
        self.assertEqual("\n".join(findings), "")
        self.assertEqual(done.returncode, 0, shown)


if __name__ == "__main__":
    unittest.main()
