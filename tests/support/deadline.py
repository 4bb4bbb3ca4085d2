"""Waiting with an end, and children that do not outlive the tests."""

import atexit
import os
import shutil
import time

PATIENCE = float(os.environ.get("AA_PATIENCE") or 1)  # a machine so many times slower; what is measured does not change
_children = []


class Deadline:
    """Polls until a point in time: `while not done: deadline.pause()`. Overdue raises TimeoutError saying what for."""

    def __init__(self, seconds, what):
        self.seconds = seconds * PATIENCE
        self.what = what
        self.end = time.monotonic() + self.seconds

    def left(self):
        return max(0.0, self.end - time.monotonic())

    def check(self, note=""):
        if self.left() == 0:
            raise TimeoutError(f"not within {self.seconds} s: {self.what}{': ' + note if note else ''}")

    def pause(self, seconds=0.005):
        self.check()
        time.sleep(min(seconds, self.left()))


def wait_until(condition, what, seconds=10):
    """Asks until `condition()` is true and returns its value."""
    deadline = Deadline(seconds, what)
    while True:
        value = condition()
        if value:
            return value
        deadline.pause(0.02)


def end_at_exit(process, *folders):
    _children.append((process, folders))


@atexit.register
def _end_children():
    for process, folders in reversed(_children):
        if process.poll() is None:
            process.kill()
            process.wait()
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
