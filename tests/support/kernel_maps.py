"""What a daemon's maps in the kernel hold, without the numbers that only tell how it came about.

Comes in: a daemon's pid. Goes out: plain values that can be compared with another daemon's of the same boot: path rules
by file and name, what is looked for, target rows and watched processes. A slot, another number in each daemon, is called
by its target's root or control group.
"""

import contextlib
import ctypes
import mmap
import os
import pathlib
import re
import struct

ROOT, PARENT_CURRENT = 1, 2  # AA_WATCHED_*
TLS_LEVEL_OFF = 0  # AA_TLS_LEVEL_OFF
OBJECT_IDS = 4
LIBBPF = ctypes.CDLL("libbpf.so.1", use_errno=True)
ARRAY_OF_MAPS = 12  # BPF_MAP_TYPE_ARRAY_OF_MAPS


class Info(ctypes.Structure):
    """The beginning of the kernel's struct bpf_map_info."""

    _fields_ = [(name, ctypes.c_uint32) for name in ("type", "id", "key_size", "value_size", "max_entries", "flags")]
    _fields_ += [("name", ctypes.c_char * 16)]


@contextlib.contextmanager
def opened(number):
    """(descriptor, Info) of the map with that id."""
    fd = LIBBPF.bpf_map_get_fd_by_id(number)
    if fd < 0:
        raise OSError(ctypes.get_errno(), f"there is no map {number}")
    try:
        info, size = Info(), ctypes.c_uint32(ctypes.sizeof(Info))
        if LIBBPF.bpf_obj_get_info_by_fd(fd, ctypes.byref(info), ctypes.byref(size)) != 0:
            raise OSError(ctypes.get_errno(), f"map {number} cannot be asked")
        yield fd, info
    finally:
        os.close(fd)


def rows(number):
    """{key: value} of a map, as bytes. A map of maps has ids as values."""
    held = {}
    with opened(number) as (fd, info):
        before, key = None, ctypes.create_string_buffer(info.key_size)
        while LIBBPF.bpf_map_get_next_key(fd, before, key) == 0:
            value = ctypes.create_string_buffer(info.value_size)
            if LIBBPF.bpf_map_lookup_elem(fd, key, value) == 0:
                held[key.raw] = value.raw
            before = ctypes.create_string_buffer(key.raw, info.key_size)
    return held


def maps_of(pid):
    """{name: id} of the maps that a process has open; those inside a map of maps go by the same name and are left out."""
    ids, of_maps = {}, {}
    for entry in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found = re.search(r"^map_id:\t(\d+)$", entry.read_text(), re.MULTILINE)
            if not found:
                continue
            with opened(int(found.group(1))) as (_, info):
                (of_maps if info.type == ARRAY_OF_MAPS else ids)[info.name.decode()] = info.id
    return {**ids, **of_maps}


def ring_bytes(number):
    """All bytes that a ring buffer has ever given to records, their headers among them."""
    with opened(number) as (fd, _), mmap.mmap(fd, mmap.PAGESIZE, mmap.MAP_SHARED, mmap.PROT_READ, offset=mmap.PAGESIZE) as page:
        return struct.unpack_from("Q", page)[0]


class KernelMaps:
    NAMES = ("aa_rule_objects", "aa_rule_names", "aa_names", "aa_targets", "aa_watched", "aa_units", ".data.file")

    def __init__(self, pid):
        ids = maps_of(pid)
        held = {name: rows(ids[name]) for name in self.NAMES}
        self.generation = struct.unpack_from("Q", *held[".data.file"].values())[0]
        self._slots = {}
        self._read_watched(held["aa_watched"])
        self._read_units(held["aa_units"])
        self._read_targets(held["aa_targets"])
        self.looked_for = {struct.unpack("Q", key)[0] for key in held["aa_names"]}
        self.objects = self._in_force(held["aa_rule_objects"], "QII")
        self.names = self._in_force(held["aa_rule_names"], "QII48s")

    def _in_force(self, outer, key_format):
        """{key: object} of the inner map that the generation selects; of a daemon that never had a rule there is none."""
        inner = outer.get(struct.pack("I", self.generation & 1))
        if inner is None:
            return {}
        inner, = struct.unpack("I", inner)
        return {struct.unpack(key_format, key): self._object(value) for key, value in rows(inner).items()}

    @staticmethod
    def _object(value):
        """(ids of rules, flags, the inode's generation)."""
        *ids, flags, generation = struct.unpack_from(f"{OBJECT_IDS}III", value)
        return tuple(sorted(filter(None, ids))), flags, generation

    def _read_watched(self, held):
        entries = [(struct.unpack("I", key)[0], *struct.unpack_from("QQIIII", value)) for key, value in held.items()]
        for tgid, start, _, _, slot, _, flags in entries:
            if flags & ROOT:
                self._slots[slot] = f"{tgid}-{start}"
        self.watched = {f"{tgid}-{start}": (f"{parent}-{parent_start}", self._slots.get(slot), flags & (ROOT | PARENT_CURRENT))
                        for tgid, start, parent_start, parent, slot, _, flags in entries}

    def _read_units(self, held):
        """Control groups that are targets."""
        self.units = {}
        for key, value in held.items():
            group, slot = struct.unpack("Q", key)[0], struct.unpack("I", value)[0]
            self._slots.setdefault(slot, f"group {group}")
            self.units[group] = self._slots[slot]

    def _read_targets(self, held):
        """{target: (TLS level, share, living processes)} of the rows in use."""
        self.targets = {}
        for value in held.values():
            active, slot, tls, limit, live, *_ = struct.unpack_from("IIIIQQQQ", value)
            if active and slot in self._slots:
                self.targets[self._slots[slot]] = (tls, limit, live)

    def forget_numbers(self):
        """Of the rules that an object is for only how many remain."""
        for held in (self.objects, self.names):
            held.update({key: (len(ids), *more) for key, (ids, *more) in held.items()})

    def comparable(self):
        """All of it as a mapping of plain values; the generation, which differs between any two daemons, is left out."""
        return {"objects": self.objects, "names": self.names, "looked for": self.looked_for, "rows": self.targets,
                "watched": self.watched, "units": self.units}
