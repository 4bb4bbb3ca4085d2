"""One subscriber: reads the pipe that Subscribe handed out, line by line.

A thread takes bytes off the pipe as fast as they come, and does nothing else, so that a slow test never looks like a slow
reader to the daemon. Everything seen stays in `events`, in order; whole lines only. A test waits with a deadline for what
it expects.
"""

import base64
import fcntl
import json
import os
import select
import threading
import time

from deadline import PATIENCE

PIPE_BYTES = 1 << 20


def kind_of_change(event):
    """`added`, `removed`, `exited`, `adopted` of a target event, else None."""
    return event["target_change"]["change"] if event["type"] == "target" else None


def adopted_by(event):
    return event["target_change"]["adopted"]


def exact(member, name):
    """The exact bytes of a text member (or a list of them), whichever way the line carries them."""
    value, coded = member[name], member.get(f"{name}_base64")
    if isinstance(value, list):
        coded = coded or [None] * len(value)
        return [text.encode() if code is None else base64.b64decode(code) for text, code in zip(value, coded, strict=True)]
    return value.encode() if coded is None else base64.b64decode(coded)


def describe(event):
    process = event.get("process", {})
    own = event.get(event["type"], event.get("target_change"))
    if event["type"] == "exec":
        own = {"filename": own.get("filename", "")[:80], "result": own.get("result"), "argc": len(own.get("argv", []))}
    return f"{event.get('seq')} {event['type']} {process.get('id')} <- {process.get('parent_id')} {own}"


class EventStream:
    def __init__(self, fd):
        self._events = []
        self._bytes = []  # as they came, not looked at yet
        self._rest = b""
        self.ended = False
        self._fd = fd
        self._stop, self._stopper = os.pipe()
        self._cursor = 0  # collect_until goes on from here
        self._last = time.monotonic()
        self._news = threading.Condition()
        self._parsing = threading.Lock()
        try:
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        except OSError:
            pass  # only a larger cushion
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        data = True
        while data:
            ready, _, _ = select.select([self._fd, self._stop], [], [])
            data = b"" if self._stop in ready else os.read(self._fd, PIPE_BYTES)
            with self._news:
                self._bytes.append(data)
                self.ended = not data
                self._last = time.monotonic()
                self._news.notify_all()

    @property
    def events(self):
        with self._parsing:
            with self._news:
                came, self._bytes = self._bytes, []
            *lines, self._rest = (self._rest + b"".join(came)).split(b"\n")
            self._events.extend(map(json.loads, lines))
            return self._events

    def _search(self, predicate, begin, deadline, what):
        deadline *= PATIENCE
        end = time.monotonic() + deadline
        at = begin
        while True:
            ended = self.ended  # before its last events are taken
            events = self.events
            for index in range(at, len(events)):
                if predicate(events[index]):
                    return index
            at = max(at, len(events))
            left = end - time.monotonic()
            if ended or left <= 0:
                why = "the stream ended" if ended else f"not within {deadline} s"
                seen = "\n  ".join(describe(e) for e in events[-25:])
                raise TimeoutError(f"{why}: {what}; {len(events)} events seen, the last of them:\n  {seen}")
            with self._news:
                self._news.wait_for(lambda: self._bytes or self.ended, left)

    def wait_for(self, predicate, deadline=10, what="an awaited event"):
        """The first event, seen already or to come, that fits."""
        return self.events[self._search(predicate, 0, deadline, what)]

    def collect_until(self, predicate, deadline=10, what="an awaited event"):
        """Every event since the last collect_until, the fitting one included."""
        index = self._search(predicate, self._cursor, deadline, what)
        begin, self._cursor = self._cursor, index + 1
        return self.events[begin : index + 1]

    def until_quiet(self, quiet=0.5, deadline=30):
        """Everything seen once nothing has come for `quiet` seconds. Only for showing that something does not come."""
        end = time.monotonic() + deadline
        with self._news:
            start = time.monotonic()
            while not self.ended:
                now = time.monotonic()
                left = max(self._last, start) + quiet - now
                if left <= 0:
                    break
                if now > end:
                    raise TimeoutError(f"still busy after {deadline} s")
                self._news.wait(left)
        return list(self.events)

    def of_type(self, *types):
        return [e for e in list(self.events) if e["type"] in types]

    def close(self):
        """Leaves: the daemon sees a reader gone."""
        if self._fd is None:
            return
        os.close(self._stopper)
        self._thread.join(5)
        os.close(self._stop)
        os.close(self._fd)
        self._fd = None
