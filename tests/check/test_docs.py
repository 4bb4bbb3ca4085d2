#!/usr/bin/python3
"""README.md and docs/ speak of what is there: files, verbs of ./dev, options of the daemon."""

import os
import pathlib
import re
import subprocess
import unittest

import tree

LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
CODE = re.compile(r"`([^`\n]+)`")
TOP = r"(?:bpf|cli|config|daemon|dbus|docs|systemd|tests)"
PATH = re.compile(rf"^{TOP}/[\w./+-]*$")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
VERB = re.compile(r"\./dev ([a-z]+)")


def pages():
    return [tree.ROOT / "README.md", *sorted((tree.ROOT / "docs").glob("*.md"))]


def build():
    return pathlib.Path(os.environ.get("AA_BUILD", tree.ROOT / "build"))


class Docs(unittest.TestCase):
    def test_links_lead_somewhere(self):
        """docs: every link to a file leads to one"""
        broken = [f"{page.name}: {target}" for page in pages() for target in LINK.findall(page.read_text())
                  if not (page.parent / target).exists()]
        self.assertEqual(broken, [])

    def test_named_paths_exist(self):
        """docs: every path of the tree that a page names exists"""
        missing = [f"{page.name}: {word}" for page in pages() for word in CODE.findall(page.read_text())
                   if PATH.match(word) and not (tree.ROOT / word).exists()]
        self.assertEqual(missing, [])

    def test_every_page_is_reached_from_the_readme(self):
        """docs: README.md links to every page"""
        linked = set(LINK.findall((tree.ROOT / "README.md").read_text()))
        self.assertEqual([f"docs/{page.name}" for page in pages()[1:] if f"docs/{page.name}" not in linked], [])

    def test_verbs_of_dev(self):
        """docs: hacking.md has every verb of ./dev, and no page names one that is not there"""
        usage = subprocess.run([tree.ROOT / "dev"], check=True, stdout=subprocess.PIPE, text=True).stdout
        verbs = set(re.findall(r"^  ([a-z]+) ", usage, re.MULTILINE))
        self.assertIn("run", verbs)
        named = {page.name: set(VERB.findall(page.read_text())) for page in pages()}
        self.assertLessEqual(verbs, named["hacking.md"])
        self.assertEqual({name: words - verbs for name, words in named.items() if words - verbs}, {})

    def test_options_of_the_daemon(self):
        """docs: every option of aa-ebpfd is explained in a page"""
        daemon = build() / "daemon/aa-ebpfd"
        if not daemon.exists():
            self.skipTest(f"{daemon} is not built")
        shown = subprocess.run([daemon, "--help"], check=True, stdout=subprocess.PIPE, text=True).stdout
        options = set(OPTION.findall(shown))
        self.assertTrue(options)
        written = "\n".join(page.read_text() for page in pages())
        self.assertEqual(sorted(options - set(OPTION.findall(written))), [])


if __name__ == "__main__":
    unittest.main()
