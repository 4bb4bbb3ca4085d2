#!/usr/bin/python3
"""docs/aactl.md speaks of the verbs and options that aactl has: all of them, and no others."""

import os
import pathlib
import re
import subprocess
import unittest

import tree

OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
VERB = re.compile(r"^  ([a-z]+) ", re.MULTILINE)
SECTION = re.compile(r"^## `aactl ([a-z]+)", re.MULTILINE)


def aactl():
    return pathlib.Path(os.environ.get("AA_BUILD", tree.ROOT / "build")) / "cli/aactl"


def help_of(*verb):
    done = subprocess.run([aactl(), *verb, "--help"], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def options_in(text):
    return set(OPTION.findall(text))


class CliDocs(unittest.TestCase):
    def setUp(self):
        if not aactl().exists():
            self.skipTest(f"{aactl()} is not built")
        self.page = (tree.ROOT / "docs/aactl.md").read_text()
        head, *sections = re.split(r"(?m)^(?=## `aactl )", self.page)
        self.head = head
        self.sections = {SECTION.match(section).group(1): section for section in sections}
        self.verbs = VERB.findall(help_of().partition("Subcommands:")[2].partition("\n\n")[0])

    def test_verbs(self):
        """docs: aactl.md has a section for each verb of aactl --help, in that order"""
        self.assertTrue(self.verbs)
        self.assertEqual(list(self.sections), self.verbs)

    def test_common_options(self):
        """docs: aactl.md explains each option that every verb has"""
        common = options_in(help_of().partition("Subcommands:")[0])
        self.assertEqual(options_in(self.head.partition("| option |")[2]), common)

    def test_options_of_verbs(self):
        """docs: aactl.md explains each option of each verb, and names none that is not there"""
        common = options_in(help_of())
        for verb in self.verbs:
            with self.subTest(verb):
                own = options_in(help_of(verb)) - {"--help"}
                written = options_in(self.sections[verb]) - common
                self.assertEqual(written, own - common)

    def test_examples(self):
        """docs: aactl --help and each verb's own help show an example, which aactl.md shows too"""
        for verb in self.verbs:
            with self.subTest(verb):
                example = re.search(r"Example: (sudo aactl .+)", help_of(verb)).group(1)
                self.assertIn(f"sudo aactl {verb}", help_of())
                self.assertIn(example, self.sections[verb])


if __name__ == "__main__":
    unittest.main()
