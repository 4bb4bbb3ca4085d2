"""Where guests' parts are kept, and words for what goes wrong. Knows nothing of Debian, QEMU or the project.

Everything that can be had again is in one cache folder; a part's folder carries a digest of what it was made from, so
that a changed recipe makes a new one. A part appears under its name only when it is whole.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

PATIENCE_AT_END = 5  # seconds
ROOT = pathlib.Path(__file__).resolve().parents[3]


class Unavailable(Exception):
    """A guest cannot be had on this machine now: one sentence, with what to do."""


def note(text):
    sys.stderr.write(f"guest: {text}\n")  # at once: parts are made side by side


def cache():
    home = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    folder = pathlib.Path(home) / "aa-ebpfd"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def clone():
    """What tells the parts of this clone from another's."""
    return hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]


def part(kind, recipe, make):
    """The folder of this recipe (anything json can write); `make(folder)` fills a new one."""
    digest = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:12]
    folder = cache() / f"{kind}-{digest}"
    with locked(folder.name):
        if not folder.exists():
            unfinished = folder.with_name(folder.name + ".new")
            remove(unfinished)
            unfinished.mkdir()
            try:
                make(unfinished)
            except BaseException:
                remove(unfinished)
                raise
            unfinished.rename(folder)
    return folder


@contextlib.contextmanager
def locked(name):
    """One process at a time makes or changes what has this name."""
    with open(cache() / f".{name}.lock", "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note(f"waiting: {name} is being made already")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def alone():
    """One run of a clone at a time: its guests use the image that a run makes, and the folder of its rows' results."""
    with open(cache() / f".run-{clone()}.lock", "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unavailable("guests of this clone are running already: wait for their end, or use another clone") from None
        os.set_inheritable(lock.fileno(), True)  # by a console, which takes this process's place
        yield


def stop_children():
    """Has all that this process started, and what that did, end as Ctrl-C would: some of it must tidy up. What does not hear
    that, as nothing does that a script has started in the background, is told in another way."""
    known = set()
    for number in (signal.SIGINT, signal.SIGTERM):
        end, told = time.monotonic() + PATIENCE_AT_END, set()
        while True:
            known |= descendants()  # of whom there may be more meanwhile
            for pid in known - told:
                with contextlib.suppress(OSError):
                    os.kill(pid, number)
            told |= known
            if time.monotonic() >= end or not any(map(is_alive, known)):
                break
            time.sleep(0.1)


def descendants():
    todo = [os.getpid()]
    for pid in todo:  # which grows meanwhile
        with contextlib.suppress(OSError):
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                todo += map(int, (task / "children").read_text().split())
    return set(todo[1:])


def is_alive(pid):
    with contextlib.suppress(OSError):
        return "\nState:\tZ" not in pathlib.Path(f"/proc/{pid}/status").read_text()
    return False


def remove(folder):
    # Not across mounts: a user land that is in use has the source tree inside.
    mounts = [line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
    if any(mount.startswith(f"{folder}/") for mount in mounts):
        raise Unavailable(f"{folder} has mounts below it: unmount them first")
    if folder.exists():
        shutil.rmtree(folder)


def run(command, what, **options):
    """Output of a command; when it fails, Unavailable with its last words."""
    options = {"stderr": subprocess.STDOUT, **options}
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          text=True, errors="replace", check=False, **options)
    if done.returncode != 0:
        said = done.stdout.strip().splitlines()[-30:]
        last = " ".join(said[-2:]) or "without a word"
        raise Unavailable("\n".join([f"cannot {what}: {command[0]} ended with {done.returncode}: {last}", *said[:-1]]))
    return done.stdout


def ext4_image(image, folder, spare_mib):
    """A file system image with what `folder` holds and as much room left."""
    used = int(run(["du", "-sm", "--apparent-size", folder], f"measure {folder}").split()[0])
    files = int(run(["du", "-s", "--inodes", folder], f"count {folder}").split()[0])
    image.unlink(missing_ok=True)
    run(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-N", str(files + 65536),
         "-E", "lazy_itable_init=1,nodiscard,root_owner=0:0", "-d", folder, image, f"{used * 5 // 4 + spare_mib}M"],
        f"make {image}")
