"""Reads a guest's console: did the kernel complain?

Comes in: text. Goes out: the line that matters, "" when there is none. Only lines that the kernel itself stamped count:
the suites' own words are on the same console.
"""

import re

STAMP = r"\[\s*\d+\.\d{6}\](?:\[[^\]]*\])? "
COMPLAINTS = (
    r"Kernel panic",
    r"WARNING:",
    r"BUG:",
    r"kernel BUG at",
    r"Oops:",
    r"general protection fault",
    r"UBSAN:",
    r"KASAN:",
    r"INFO: task .* blocked for more than",
    r"rcu: INFO: .*(?:stall|detected)",
    r"[Ww]atchdog: .*(?:lockup|LOCKUP)",
    r"Watchdog detected hard LOCKUP",
    r"kthread starved",
    r"Bad page (?:state|map)",
    r"list_(?:add|del) corruption",
    r"EXT4-fs error",
    r"possible (?:circular|recursive) locking",
    r"suspicious RCU usage",
    r"inconsistent lock state",
    r"verifier bug",
    r"Out of memory: ",
)
COMPLAINT = re.compile(STAMP + r".*?(" + "|".join(COMPLAINTS) + r").*")


def complaint(text):
    found = COMPLAINT.search(text)
    return found.group(0).strip() if found else ""


def last_lines(text, count=25):
    return "\n".join(text.rstrip().splitlines()[-count:])
