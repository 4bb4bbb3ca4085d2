#!/usr/bin/python3
"""The man pages and the bash completion have every verb and option that the programs have, and no others."""

import os
import pathlib
import re
import subprocess
import unittest

import tree

OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
LISTED = re.compile(r"^ +(?:-\w,)?(--[a-z][a-z-]*)", re.MULTILINE)  # not those of other programs in examples
VERB = re.compile(r"^  ([a-z]+) ", re.MULTILINE)


def built(path):
    return pathlib.Path(os.environ.get("AA_BUILD", tree.ROOT / "build")) / path


def help_of(program, *verb):
    return subprocess.run([program, *verb, "--help"], check=True, stdout=subprocess.PIPE, text=True).stdout


def plain(page):
    """A man page's words: its escapes taken off."""
    text = (tree.ROOT / "docs/man" / page).read_text()
    return re.sub(r"\\f.", "", text.replace("\\-", "-"))


class Man(unittest.TestCase):
    def setUp(self):
        self.daemon, self.aactl = built("daemon/aa-ebpfd"), built("cli/aactl")
        for program in (self.daemon, self.aactl):
            if not program.exists():
                self.skipTest(f"{program} is not built")
        self.verbs = VERB.findall(help_of(self.aactl).partition("Subcommands:")[2].partition("\n\n")[0])
        self.options = set(OPTION.findall(help_of(self.aactl)))
        for verb in self.verbs:
            self.options |= set(OPTION.findall(help_of(self.aactl, verb)))

    def test_daemon(self):
        """man: aa-ebpfd(8) has every option of the daemon, and no other"""
        self.assertEqual(set(OPTION.findall(plain("aa-ebpfd.8"))), set(LISTED.findall(help_of(self.daemon))))

    def test_aactl(self):
        """man: aactl(1) has every verb and option of aactl, and no other"""
        page = plain("aactl.1")
        verbs = page.partition(".SH VERBS")[2].partition(".SH OPTIONS")[0]
        self.assertEqual(re.findall(r"^\.TP\n\.BI? ([a-z]+)", verbs, re.MULTILINE), self.verbs)
        self.assertEqual(set(OPTION.findall(page)), self.options)

    def test_completion(self):
        """completion: bash offers every verb and option of aactl, and no other"""
        script = (tree.ROOT / "cli/aactl.bash-completion").read_text()
        self.assertEqual(re.search(r'verbs="([a-z ]+)"', script).group(1).split(), self.verbs)
        self.assertEqual(set(OPTION.findall(script)), self.options)
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)

    def test_pages_are_well_formed(self):
        """man: the pages have their sections and end in a newline"""
        for page in ("aa-ebpfd.8", "aa-ebpfd.toml.5", "aactl.1"):
            text = (tree.ROOT / "docs/man" / page).read_text()
            for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", '"EXIT STATUS"', '"SEE ALSO"'):
                self.assertIn(".SH " + section.strip('"'), text)
            self.assertTrue(text.endswith("\n"))


if __name__ == "__main__":
    unittest.main()
