"""The matrix: on which kernel, in which user land, what must work. A row more is a line more.

Comes in: nothing. Goes out: ROWS. What a row's words mean is said at the class; how a guest is made is not known here.
"""

from dataclasses import dataclass

# What a row runs: of the kernel suite what tells most of a kernel, so that the whole table takes minutes; with --full all
# of it, and once more with each hook set by force.
SUITES = ("unit", "golden", "dbus", *(f"tests/kernel/test_{name}.py" for name in (
    "hook_sets", "exec", "exit", "file", "file_rules", "forks", "ledger", "tls_calls")), "guest")
FULL_SUITES = ("unit", "golden", "dbus", "kernel", "kernel:raw_tp", "kernel:kprobe", "kernel:tracepoint", "guest")
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
    append: str = ""  # words for the kernel's command line


ROWS = (
    Row("5.10", "5.10", "bullseye", 12),
    Row("5.10-lsm", "5.10", "bullseye", 12, append="lsm=lockdown,yama,integrity,apparmor,bpf"),
    Row("6.1", "6.1", "bookworm", 12),
    Row("6.12", "6.12", "trixie", 13),
    Row("7.2", "7.2", "sid", 13),
)
