"""The matrix: on which kernel, in which user land, what must work. A row more is a line more.

Comes in: nothing. Goes out: ROWS. What a row's words mean is said at the class; how a guest is made is not known here.
"""

from dataclasses import dataclass

# What a row runs, so that the whole table takes minutes: of the kernel suite what tells most of a kernel, with each hook set
# by force among it. With --full all of it on every row, and what tells most once more as a whole with each set by force.
FILES = ("hook_sets", "file", "file_races", "file_rules")
CORE = tuple(f"tests/kernel/test_{name}.py" for name in (*FILES, "exec", "exit", "forks", "ledger", "tls_calls"))
SUITES = (*CORE, "tests/kernel/test_tls_harm.py", "tests/kernel/test_tls_peers.py", "guest")
LAND_SUITES = ("unit", "golden", "dbus")  # they ask the user land, not the kernel: on one row of each
FULL_SUITES = (*LAND_SUITES, "kernel", *(f"{file}:{hooks}" for hooks in ("raw_tp", "kprobe", "tracepoint") for file in CORE),
               "guest")
# What the smoke suite runs, and on which rows: the least that says whether it works where users have it.
SMOKE = ("6.1", "6.12")
SMOKE_SUITES = ("tests/kernel/test_hook_sets.py", "tests/kernel/test_file_rules.py", "tests/kernel/test_tls_calls.py", "guest")


@dataclass(frozen=True)
class Row:
    name: str  # as it is asked for on the command line
    kernel: str  # which kernel; the fetched package must have this version
    suite: str  # the Debian suite whose linux-image-cloud-amd64 that is
    release: int  # user land: 12 or 13
    hooks: tuple = ("tp_btf", "raw_tp", "fentry", "kprobe", "tracepoint")  # hook sets that must work here: a test of one of these may not be skipped
    suites: tuple = SUITES
    append: str = ""  # words for the kernel's command line


ROWS = (
    Row("5.10", "5.10", "bullseye", 12),
    Row("5.10-lsm", "5.10", "bullseye", 12, suites=CORE[:len(FILES)], append="lsm=lockdown,yama,integrity,apparmor,bpf"),
    Row("6.1", "6.1", "bookworm", 12, suites=(*LAND_SUITES, *SUITES)),
    Row("6.12", "6.12", "trixie", 13, suites=(*LAND_SUITES, *SUITES)),
    Row("7.2", "7.2", "sid", 13),
)
