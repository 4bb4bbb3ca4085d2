#!/usr/bin/python3
"""docs/dbus.md, the interface XML, the access table and the error names say the same."""

import re
import unittest
import xml.etree.ElementTree as ElementTree

import tree

PAGE = tree.ROOT / "docs/dbus.md"
XML = sorted((tree.ROOT / "dbus").glob("org.agentassembly.Ebpfd1.*.xml"))
KINDS = ("method", "property", "signal")
ERROR = re.compile(r"\b(NoSuch\w+|NotAuthorized|NotSupported|LimitReached|Invalid\w+|\w+Failed|Failed)\b")
ASYNC = "org.freedesktop.DBus.Method.Async"
EMITS = "org.freedesktop.DBus.Property.EmitsChangedSignal"


def interfaces():
    """(interface's last name, element) for each; comments are kept as children."""
    for path in XML:
        parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
        for interface in ElementTree.parse(path, parser).getroot().findall("interface"):
            yield interface.get("name").rpartition(".")[2], interface


def members():
    """(interface, kind, element, the comment right before it or "")."""
    for name, interface in interfaces():
        comment = ""
        for child in interface:
            if child.tag is ElementTree.Comment:
                comment = child.text
                continue
            yield name, child.tag, child, comment
            comment = ""


def signature(member):
    """As the page writes it: `u pid, a{sv} options → s target`."""
    if member.tag == "property":
        return member.get("type")
    words = {way: ", ".join(f"{arg.get('type')} {arg.get('name')}" for arg in member.findall("arg")
                            if arg.get("direction", "in") == way) for way in ("in", "out")}
    return (words["in"] + (f" → {words['out']}" if words["out"] else "")).strip()


def tables():
    """{heading of the first column: [cells of each row]}, of all tables with that heading."""
    found, heading = {}, None
    for line in PAGE.read_text().splitlines():
        if not line.startswith("| "):
            heading = None
            continue
        cells = [cell.strip() for cell in line.strip()[1:-1].split("|")]
        if heading is None:
            heading = cells[0]
            found.setdefault(heading, [])
        elif not set(line) <= set("|- "):
            found[heading].append(cells)
    return found


def rows(heading):
    return {cells[0].strip("`"): cells for cells in tables()[heading]}


def access_rows():
    """{(interface, member): (who, action)} as access.cpp has it."""
    text = (tree.ROOT / "daemon/control/access.cpp").read_text()
    actions = dict(re.findall(r'std::string_view (k\w+) = "([^"]+)"', text))
    found = re.findall(r'AccessRow\{"(\w+)", "(\w+)", Allowed::(\w+), (\w+|"")', text)
    return {(interface, member): (who, actions.get(action, "")) for interface, member, who, action in found}


def flat(text):
    return " ".join(text.split())


class DbusDocs(unittest.TestCase):
    def test_every_member_has_its_text(self):
        """dbus: every member of the XML is described in the XML"""
        bare = [f"{name}.{member.get('name')}" for name, _, member, comment in members() if not comment.strip()]
        self.assertEqual(bare, [])

    def test_every_method_is_asynchronous(self):
        """dbus: every method may wait for an access check, every property says whether it announces changes"""
        for _, kind, member, _ in members():
            annotations = {note.get("name"): note.get("value") for note in member.findall("annotation")}
            with self.subTest(member=member.get("name")):
                if kind == "method":
                    self.assertEqual(annotations.get(ASYNC), "server")
                if kind == "property":
                    self.assertIn(annotations.get(EMITS), ("const", "true", "false"))

    def test_members_and_signatures(self):
        """dbus: docs/dbus.md has exactly the members of the XML, with their arguments"""
        for kind in KINDS:
            in_xml = {member.get("name"): signature(member) for _, tag, member, _ in members() if tag == kind}
            in_page = {name: cells[1].strip("`") for name, cells in rows(kind).items()}
            self.assertTrue(in_xml)
            self.assertEqual(in_page, in_xml)

    def test_errors_of_each_method(self):
        """dbus: docs/dbus.md names the errors of each method as the XML does"""
        for _, kind, member, comment in members():
            if kind != "method":
                continue
            with self.subTest(member=member.get("name")):
                in_xml = set(ERROR.findall(flat(comment).partition("Errors: ")[2]))
                in_page = set(ERROR.findall(rows("method")[member.get("name")][3]))
                self.assertTrue(in_xml)
                self.assertEqual(in_page, in_xml)

    def test_error_names(self):
        """dbus: docs/dbus.md explains every error the code can name, and no other"""
        code = (tree.ROOT / "daemon/control/refuse.cpp").read_text()
        self.assertEqual(set(rows("error")), set(re.findall(r'return "(\w+)";', code)))

    def test_access_table_and_xml(self):
        """dbus: the access table has a row for every method and property of the XML, and no other"""
        in_xml = {(name, member.get("name")) for name, kind, member, _ in members() if kind != "signal"}
        self.assertEqual(set(access_rows()), in_xml)

    def test_access_table_and_page(self):
        """dbus: docs/dbus.md says who may call what as the access table does"""
        in_page = {name: (cells[1], cells[2].strip("`")) for name, cells in rows("member").items()}
        in_code = {member: row for (_, member), row in access_rows().items()}
        self.assertEqual(in_page, in_code)


if __name__ == "__main__":
    unittest.main()
