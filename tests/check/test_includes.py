#!/usr/bin/python3
"""Who may include whom: the rule of docs/architecture.md, read off the #include lines."""

import re
import unittest

import tree

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.MULTILINE)

# A room may include itself and these.
ROOMS = {
    "base": set(),
    "event": {"base"},
    "state": {"base", "event"},
    "source": {"base", "event", "state"},
    "sink": {"base", "event", "state"},
    "probe": {"base", "event", "state"},
    "control": {"base", "event", "state"},
    "config": {"base", "event", "state"},
}
MAIN = set(ROOMS)  # daemon/main.cpp knows all the others

# A library, by how its headers begin, is used in these places only.
CONFINED = {
    "libbpf": (re.compile(r"^(bpf/|linux/bpf\.h)"), {"source", "probe"}),
    "bpftool skeletons": (re.compile(r"\.skel\.h$"), {"source", "probe"}),
    "bpf/abi": (re.compile(r"^abi/"), {"event", "source", "probe"}),
    "sdbus-c++": (re.compile(r"^sdbus-c\+\+/"), {"control", "sink/dbus", "cli", "main"}),
    "toml++": (re.compile(r"^(toml\+\+|toml\.hpp)"), {"config"}),
    "zlib": (re.compile(r"^zlib\.h"), {"event", "cli"}),
    "libbrotlidec": (re.compile(r"^brotli/"), {"event"}),
    "libzstd": (re.compile(r"^zstd"), {"event"}),
    "Zydis": (re.compile(r"^Zydis/"), {"probe"}),
    "libnghttp2": (re.compile(r"^nghttp2/"), {"event"}),
    "CLI11": (re.compile(r"^CLI/"), {"cli", "main"}),
}


def place(path):
    """Where a file lives: a room's name, "main", "cli", or None when the rule does not speak of it."""
    parts = path.relative_to(tree.ROOT).parts
    if parts[0] == "cli":
        return "cli"
    if parts[0] == "daemon":
        return "main" if len(parts) == 2 else parts[1]
    return None


def includes(path):
    return [name for _, name in INCLUDE.findall(path.read_text())]


def room_faults(path, where):
    allowed = MAIN if where in ("main", "cli") else ROOMS[where] | {where}
    for name in includes(path):
        room = name.split("/")[0]
        if "/" in name and room in ROOMS and room not in allowed:
            yield f"{path.relative_to(tree.ROOT)} includes {name}: {where} must not know {room}"


def library_faults(path, where):
    allowed_here = {where}
    if where == "sink" and path.stem.startswith("dbus"):
        allowed_here.add("sink/dbus")
    for name in includes(path):
        for library, (pattern, places) in CONFINED.items():
            if pattern.search(name) and not places & allowed_here:
                yield f"{path.relative_to(tree.ROOT)} includes {name}: {library} belongs to {', '.join(sorted(places))}"


class Includes(unittest.TestCase):
    def setUp(self):
        self.placed = [(path, place(path)) for path in tree.files(".h", ".cpp") if place(path)]
        self.assertTrue(self.placed)

    def test_every_folder_of_the_daemon_is_a_known_room(self):
        """includes: every folder of daemon/ is a room the rule speaks of"""
        self.assertLessEqual({where for _, where in self.placed}, set(ROOMS) | {"main", "cli"})

    def test_rooms_include_only_what_lies_before_them(self):
        """includes: base, event, state, then the others, then main; nothing against the flow"""
        self.assertEqual([fault for path, where in self.placed for fault in room_faults(path, where)], [])

    def test_libraries_stay_where_they_belong(self):
        """includes: libbpf, sdbus-c++, toml++ and CLI11 stay in the rooms that own them"""
        self.assertEqual([fault for path, where in self.placed for fault in library_faults(path, where)], [])

    def test_bpf_programs_know_nothing_of_user_space(self):
        """includes: bpf/ includes kernel headers, libbpf's BPF side and itself, and nothing of daemon/"""
        faults = []
        for path in tree.files(".h", ".c"):
            if path.relative_to(tree.ROOT).parts[0] != "bpf":
                continue
            faults += [f"{path.relative_to(tree.ROOT)} includes {name}" for name in includes(path)
                       if name.split("/")[0] in ROOMS]
        self.assertEqual(faults, [])


if __name__ == "__main__":
    unittest.main()
