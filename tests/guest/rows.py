"""The matrix: on which kernel, in which user land, what must work. A row more is a line more.

Comes in: nothing. Goes out: ROWS. What a row's words mean is said at the class; how a guest is made is not known here.
"""

from dataclasses import dataclass


def kernel_tests(*names):
    return tuple(f"tests/kernel/test_{name}.py" for name in names)


def guest_tests(*names):
    return tuple(f"tests/guest/test_{name}.py" for name in names)


# What every row runs: the least that says whether it works where users have it, with each hook set by force among it. A
# row's own suites besides are spread, so that the whole table takes minutes: each test of the kernel is on the rows that it
# asks most about. With --full all of them are on every row, and what tells most of a kernel once more with each hook set by
# force.
LEAST = kernel_tests("hook_sets", "file_rules", "file_learned", "tls_calls", "tls_sealed")
EVERYWHERE = (*LEAST, *guest_tests("journey"))
# What smoke runs of a row: the hook sets, what they must see, and what systemd of one release does otherwise than another's.
# What the machine's own kernel tells as well is left to the row.
SMOKE_LEAST = (*kernel_tests("hook_sets", "file_rules", "tls_sealed"), *guest_tests("journey"))
FILES = kernel_tests("file", "file_races", "file_rules", "file_learned")
EXECS = kernel_tests("exec", "exit", "forks", "ledger")
LAND_SUITES = ("unit", "golden", "dbus")  # they ask the user land, not the kernel: on one row of each
FORCED = tuple(f"{file}:{hooks}" for hooks in ("raw_tp", "kprobe", "tracepoint")
               for file in (*FILES, *EXECS, *kernel_tests("tls_calls")))
FULL_SUITES = (*LAND_SUITES, "kernel", *FORCED, "guest")


@dataclass(frozen=True)
class Row:
    name: str  # as it is asked for on the command line
    kernel: str  # which kernel; the fetched package must have this version
    suite: str  # the Debian suite whose linux-image-cloud-amd64 that is
    release: int  # user land: 12 or 13
    hooks: tuple = ("tp_btf", "raw_tp", "fentry", "kprobe", "tracepoint")  # hook sets that must work here: a test of one of these may not be skipped
    suites: tuple = EVERYWHERE
    smoke: tuple = ()  # what ./dev test smoke runs of it; none: nothing
    append: str = ""  # words for the kernel's command line
    lsm: str = ""  # a security module that must be on there


# Those that take longest come first: none is alone at the end.
ROWS = (
    Row("7.2", "7.2", "sid", 13, suites=(*kernel_tests("file", "tls_records"), *EVERYWHERE)),
    Row("6.12", "6.12", "trixie", 13, suites=(*LAND_SUITES, *LEAST, "guest"),
        smoke=(*SMOKE_LEAST, *kernel_tests("file_learned"), *guest_tests("pid_reuse", "reload"))),
    Row("6.1", "6.1", "bookworm", 12, suites=(*LAND_SUITES, *LEAST, "guest"),
        smoke=(*SMOKE_LEAST, *guest_tests("recovery", "units"))),
    Row("5.10", "5.10", "bullseye", 12, suites=(*kernel_tests("exec", "exit", "forks"), *EVERYWHERE)),
    Row("5.10-lsm", "5.10", "bullseye", 12, suites=kernel_tests("hook_sets"),
        append="lsm=lockdown,yama,integrity,apparmor,bpf", lsm="bpf"),
    Row("6.12-preempt", "6.12", "trixie", 13, suites=kernel_tests("tls_records", "tls_hold"), append="preempt=full"),
)

SMOKE = tuple(row.name for row in ROWS if row.smoke)
