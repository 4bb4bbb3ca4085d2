"""What rows came to: the table at the end, and what failed on the way.

Comes in: rows and their outcomes. Goes out: text.
"""

import collections


def parts(outcome):
    return [report for report in outcome.reports if report.get("event") == "part"]


def passed(outcome):
    found = parts(outcome)
    return not outcome.trouble and bool(found) and not any(part["failed"] for part in found)


def failures(row, outcome):
    """A line for each failed test: row, suite, sentence, why."""
    lines = []
    for part in parts(outcome):
        known = [f"{name}: {why}" for name, why in part["failures"]]
        if part["trouble"]:
            known.append(part["trouble"])
        lines += [f"FAIL {row.name} {part['name']}: {text}" for text in known]
    return lines


def summary(rows, outcomes):
    """{row: what went wrong, a line each}."""
    return {row.name: [*failures(row, outcome), *([outcome.trouble] if outcome.trouble else [])]
            for row, outcome in zip(rows, outcomes, strict=True)}


def text(rows, outcomes, ready, total):
    """row × suite × passed, failed, skipped, time; reasons of skips; what was really run."""
    counts = [by_suite(outcome) for outcome in outcomes]
    first = max(len(row.name) for row in rows)
    second = max(map(len, ("all, with boot and end", *(suite for suites in counts for suite in suites))))
    lines = [f"{'row':<{first}} {'suite':<{second}} {'passed':>6} {'failed':>6} {'skipped':>7} {'seconds':>8}"]
    for row, outcome, suites in zip(rows, outcomes, counts, strict=True):
        for suite, count in suites.items():
            lines.append(f"{row.name:<{first}} {suite:<{second}} {count['passed']:>6} {count['failed']:>6} "
                         f"{count['skipped']:>7} {count['seconds']:>8.1f}")
        if outcome.trouble:
            lines.append(f"{row.name:<{first}} FAILED: {outcome.trouble}")
        lines.append(f"{row.name:<{first}} {'all, with boot and end':<{second}} {'':>21} {outcome.seconds:>8.1f}")
    lines += ["", *skips(rows, outcomes), *(versions(row, outcome) for row, outcome in zip(rows, outcomes, strict=True))]
    good = sum(map(passed, outcomes))
    lines.append(f"{good} of {len(rows)} rows passed in {total / 60:.1f} min, of them {ready / 60:.1f} to make the parts")
    return "\n".join(lines)


def by_suite(outcome):
    counts = {}
    for part in parts(outcome):
        count = counts.setdefault(part["name"].partition(": ")[0], collections.Counter())
        for key in ("passed", "failed", "skipped", "seconds"):
            count[key] += part[key]
    return counts


def skips(rows, outcomes):
    """Each reason once, with the rows it was given in."""
    where = collections.defaultdict(list)
    for row, outcome in zip(rows, outcomes, strict=True):
        for part in parts(outcome):
            for name, why in part["skips"]:
                where[f"{part['name']}: {name}: {why}"].append(row.name)
    return [f"skipped in {', '.join(names)}: {reason}" for reason, names in where.items()]


def versions(row, outcome):
    known = ", ".join(f"{name} {version}" for name, version in outcome.versions.items())
    return f"{row.name}: {known or 'never up'}"
