#!/usr/bin/python3
"""Golden lines, docs/events.schema.json and docs/events.md say the same."""
import json
import pathlib
import re
import unittest

import jsonschema

TREE = pathlib.Path(__file__).resolve().parents[2]
SCHEMA = json.loads((TREE / "docs/events.schema.json").read_text())
LINES = [json.loads(line) for line in (TREE / "tests/golden/events.jsonl").read_text().splitlines()]
PAGE = (TREE / "docs/events.md").read_text()


def resolved(node):
    """The node a $ref points to."""
    while "$ref" in node:
        name = node["$ref"].removeprefix("#/$defs/")
        node = SCHEMA["$defs"][name]
    return node


def schema_members(node, prefix=""):
    """Dotted names of every member the schema knows."""
    node = resolved(node)
    if "items" in node:
        return schema_members(node["items"], prefix)
    found = set()
    for name, child in node.get("properties", {}).items():
        found.add(prefix + name)
        found |= schema_members(child, prefix + name + ".")
    return found


def line_members(value, prefix=""):
    """Dotted names of every member a line has."""
    if isinstance(value, list):
        return set().union(*(line_members(item, prefix) for item in value)) if value else set()
    if not isinstance(value, dict):
        return set()
    found = set()
    for name, child in value.items():
        found.add(prefix + name)
        found |= line_members(child, prefix + name + ".")
    return found


def page_members():
    """First column of every table under a heading `### name` (or `### every event`, which has no prefix)."""
    found = set()
    prefix = None
    for line in PAGE.splitlines():
        if line.startswith("#"):
            heading = re.fullmatch(r"### (?:`([\w.]+)`|every event)", line)
            prefix = None if heading is None else (heading[1] + "." if heading[1] else "")
        cell = re.match(r"\| `(\w+)` \|", line)
        if cell and prefix is not None:
            found.add(prefix + cell[1])
    return found


def objects_of(node):
    """Every object schema, with those in $defs."""
    if isinstance(node, dict):
        if node.get("type") == "object":
            yield node
        for child in node.values():
            yield from objects_of(child)
    elif isinstance(node, list):
        for child in node:
            yield from objects_of(child)


class Schema(unittest.TestCase):
    def validator(self):
        cls = jsonschema.validators.validator_for(SCHEMA)
        cls.check_schema(SCHEMA)
        return cls(SCHEMA)

    def test_every_golden_line_is_valid(self):
        """Every golden line validates against the schema."""
        validator = self.validator()
        self.assertGreater(len(LINES), 25)
        for number, line in enumerate(LINES, 1):
            with self.subTest(line=number):
                self.assertEqual([], [error.message for error in validator.iter_errors(line)])

    def test_a_line_with_one_more_member_is_invalid(self):
        """No object of a golden line may carry a member the schema does not know."""
        validator = self.validator()
        for line in LINES:
            for name in [None] + [name for name, value in line.items() if isinstance(value, dict)]:
                changed = json.loads(json.dumps(line))
                (changed if name is None else changed[name])["surprise"] = 1
                self.assertFalse(validator.is_valid(changed), name)

    def test_a_line_without_its_own_member_is_invalid(self):
        """An event without the member its type promises is refused."""
        validator = self.validator()
        for line in LINES:
            own = "target_change" if line["type"] == "target" else line["type"]
            self.assertFalse(validator.is_valid({name: value for name, value in line.items() if name != own}))

    def test_objects_are_closed(self):
        """Every object of the schema refuses members it does not list."""
        for node in objects_of(SCHEMA):
            self.assertIs(node.get("additionalProperties"), False, sorted(node["properties"]))

    def test_lines_use_every_member(self):
        """The golden lines use every member of the schema, and none besides."""
        used = set().union(*(line_members(line) for line in LINES))
        self.assertEqual(schema_members(SCHEMA), used)

    def test_page_documents_every_member(self):
        """docs/events.md describes every member of the schema, and none besides."""
        self.assertEqual(schema_members(SCHEMA), page_members())

    def test_lines_show_every_type_and_state(self):
        """Every value of every enumeration occurs, so that none is only on paper."""
        def seen(path):
            values = set()
            for line in LINES:
                value = line
                for name in path:
                    value = value.get(name, {}) if isinstance(value, dict) else {}
                if isinstance(value, str):
                    values.add(value)
            return values

        def allowed(path):
            node = SCHEMA
            for name in path:
                node = resolved(resolved(node)["properties"][name])
            return set(node["enum"])

        for path in (["type"], ["alert", "severity"], ["target_change", "change"], ["probe", "state"],
                     ["file", "op"], ["file", "verdict"], ["file", "resolution"], ["file", "hook"], ["file", "via"]):
            self.assertEqual(allowed(path), seen(path), path)


if __name__ == "__main__":
    unittest.main()
