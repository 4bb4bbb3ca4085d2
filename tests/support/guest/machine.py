"""One guest: QEMU without KVM, its disks, its console and its results.

Comes in: a row and the folders of its parts. Goes out: an Outcome: what the guest reported, and what was wrong with the
machine itself. Knows nothing of Debian nor of how the project is built.
"""

import json
import lzma
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, field

import console
from place import Unavailable, ext4_image, locked, run

MODULES = ("virtio_pci", "virtio_blk", "virtio_console")  # what a guest cannot reach its disks and its port without
BOOT_SECONDS = 180
SILENT_SECONDS = 420  # neither the console nor the results say anything for so long: it hangs
MEMORY_MIB = 3072
MOST_ORDERS = 2047  # bytes of a kernel's command line, on x86; of more it takes none
# Services of packages that tests need, and of a machine that lives on: half of the time until it is up.
MASKED = ("nginx.service", "systemd-networkd-wait-online.service", "systemd-logind.service", "systemd-udev-trigger.service",
          "e2scrub_reap.service", "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer",
          "fstrim.timer", "man-db.timer", "logrotate.timer")


@dataclass
class Outcome:
    reports: list = field(default_factory=list)
    trouble: str = ""  # what was wrong beyond failed tests, "" when nothing
    up: bool = False  # systemd ran and our unit was started
    seconds: float = 0.0
    log: pathlib.Path = None

    @property
    def versions(self):
        return next((report["versions"] for report in self.reports if report.get("event") == "up"), {})


def modules_in_order(kernel):
    """Paths of MODULES and what they need, what is needed first; what is built in is left out."""
    release, = (kernel / "modules").iterdir()
    needs = {}
    for line in (release / "modules.dep").read_text().splitlines():
        path, _, rest = line.partition(":")
        needs[path] = rest.split()
    names = {pathlib.PurePath(path).name.split(".")[0].replace("-", "_"): path for path in needs}
    order = []
    for name in MODULES:
        if name in names:
            order += [path for path in [*reversed(needs[names[name]]), names[name]] if path not in order]
    return [release / path for path in order]


def initrd(kernel, land, first_init):
    """The file with the first program and the modules it loads. Made anew each time: it takes no time."""
    result = kernel / "initrd"
    with locked(kernel.name + "-initrd"), tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "bin").mkdir()
        (folder / "modules").mkdir()
        shutil.copy(land / "root/bin/busybox", folder / "bin/busybox")
        shutil.copy(first_init, folder / "init")
        (folder / "init").chmod(0o755)
        order = []
        for path in modules_in_order(kernel):
            data = path.read_bytes()
            order.append(path.name.split(".")[0] + ".ko")
            (folder / "modules" / order[-1]).write_bytes(lzma.decompress(data) if path.suffix == ".xz" else data)
        (folder / "modules/order").write_text("".join(f"{name}\n" for name in order))
        run(["sh", "-c", 'cd "$1" && find . | cpio --quiet -o -H newc >"$2.new" && mv "$2.new" "$2"', "sh", folder, result],
            "pack the initrd")
    return result


def modules_image(kernel):
    result = kernel / "modules.img"
    with locked(kernel.name + "-modules"):
        if not result.exists():
            ext4_image(result.with_suffix(".new"), kernel / "modules", spare_mib=16)
            result.with_suffix(".new").rename(result)
    return result


def command(row, kernel, disks, start, extra):
    # Two processors by turns in one thread: with a thread each, a kernel that patches its own code while the other runs
    # it was seen to die of a break point it had just removed. Rows run side by side instead.
    # Not the processor's fast string operations: emulated they go byte by byte, and the kernel clears and copies pages by
    # them where it finds them. Without them a daemon starts in two thirds of the time.
    words = ["qemu-system-x86_64", "-accel", "tcg,thread=single", "-cpu", "max,-erms,-fsrm", "-smp", "2",
             "-m", str(MEMORY_MIB), "-display", "none", "-no-reboot", "-nodefaults", "-kernel", kernel / "vmlinuz", "-initrd", start]
    for disk in disks:
        words += ["-drive", f"file={disk},format=raw,if=virtio,snapshot=on"]
    # loglevel=5: warnings of the kernel reach the console. Some kernels do not trust an emulated processor's time stamps,
    # and ask an emulated clock each time instead.
    line = ["console=ttyS0", "loglevel=5", "panic=-1", "panic_on_oops=1", "tsc=reliable", "systemd.show_status=0",
            *(f"systemd.mask={unit}" for unit in MASKED), *row.append.split()]
    return [str(word) for word in words] + extra + ["-append", " ".join(line)]


# A guest that runs suites: the console only tells, and no login may take it away (a getty hangs it up after a while).
UNATTENDED = "systemd.mask=serial-getty@ttyS0.service systemd.wants=aa-guest.service"


def boot(row, kernel, disks, start, folder, seconds, orders):
    """Runs a guest to its end, or for `seconds`. `orders` reach inside.py as aa.NAME=VALUE on the kernel's command line."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    log, results = folder / "console.log", folder / "results.jsonl"
    extra = ["-serial", f"file:{log}", "-device", "virtio-serial", "-chardev", f"file,id=results,path={results}",
             "-device", "virtserialport,chardev=results,name=aa.results"]
    line = command(row, kernel, disks, start, extra)
    line[-1] += " " + " ".join([UNATTENDED, *(f"aa.{name}={value}" for name, value in orders.items())])
    if len(line[-1]) > MOST_ORDERS:
        raise Unavailable(f"the suites' names do not fit a kernel's command line ({len(line[-1])} of {MOST_ORDERS} bytes): name fewer")
    begin = time.monotonic()
    with (folder / "qemu.log").open("wb") as said:
        # Should this process be killed, the guest goes too.
        qemu = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *line], stdin=subprocess.DEVNULL, stdout=said,
                                stderr=said)
    try:
        trouble = watch(qemu, log, results, begin, seconds)
    finally:
        if qemu.poll() is None:
            qemu.kill()
        qemu.wait()
    return judge(trouble, folder, begin)


def watch(qemu, log, results, begin, seconds):
    """Waits for the end; says why it had to be ended, "" when it ended by itself."""
    size, changed = (0, 0), begin
    while qemu.poll() is None:
        now = time.monotonic()
        seen = tuple(path.stat().st_size if path.exists() else 0 for path in (log, results))
        if seen != size:
            size, changed = seen, now
        if size[1] == 0 and now - begin > BOOT_SECONDS:
            return f"not up within {BOOT_SECONDS} s"
        if now - changed > SILENT_SECONDS:
            return f"hangs: silent for {SILENT_SECONDS} s"
        if now - begin > seconds:
            return f"not finished within {seconds} s"
        time.sleep(0.2)
    return ""


def judge(trouble, folder, begin):
    reports = []
    results = folder / "results.jsonl"
    for line in results.read_text(errors="replace").splitlines() if results.exists() else []:
        try:
            reports.append(json.loads(line))
        except ValueError:
            break  # the guest died while it wrote
    events = {report.get("event") for report in reports}
    log = folder / "console.log"
    text = log.read_text(errors="replace") if log.exists() else ""
    if not text.strip():
        log = folder / "qemu.log"  # it did not even start
    if not trouble and "done" not in events:
        trouble = "ended before its suites were done" if "up" in events else "ended before it was up"
    if trouble:
        trouble += during(reports)
    elif not any(report.get("failed") for report in reports) and reports[-1].get("status"):
        trouble = "its suites failed, though no test did: a suite is not there, or nothing but skipped"
    complaint = console.complaint(text)
    if complaint:
        trouble = f"the kernel complained: {complaint}" + (f"; {trouble}" if trouble else "")
    return Outcome(reports, trouble, "up" in events, time.monotonic() - begin, log)


def during(reports):
    """The test that had begun and did not end."""
    running = [report["test"] for report in reports if report.get("event") in ("begin", "test")][-1:]
    has_ended = any(report.get("event") == "test" and [report["test"]] == running for report in reports)
    return f", during: {running[0]}" if running and not has_ended else ""


def need_terminal():
    if not os.isatty(0):
        raise Unavailable("a console needs a terminal")


def shell(row, kernel, disks, start):
    """An interactive console; Ctrl-A X ends it."""
    line = command(row, kernel, disks, start, ["-serial", "mon:stdio"])
    line[-1] += " systemd.wants=aa-shell.service systemd.mask=serial-getty@ttyS0.service"
    os.execvp(line[0], line)
