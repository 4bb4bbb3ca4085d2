"""File systems that do not answer, as a FUSE one whose program stands still: never, or from some time on; or that do not
answer everybody alike. Usable as root where the kernel has FUSE."""

import os
import pathlib
import select
import stat
import struct
import threading

import mounts

# FUSE's protocol, as far as one file needs it.
IN_HEADER = struct.Struct("=IIQQIIII")  # length, opcode, unique, node, uid, gid, the thread, padding
OUT_HEADER = struct.Struct("=IiQ")  # length, error, unique
FORGET, INTERRUPT, BATCH_FORGET = 2, 36, 42  # nobody waits for an answer to these
LOOKUP, GETATTR, READLINK, OPEN, READ, STATFS, RELEASE, FLUSH, INIT, OPENDIR = 1, 3, 5, 14, 15, 17, 18, 25, 26, 27
LONG = 3600  # seconds: what the kernel was told once it does not ask again
ENOENT, ENOSYS = 2, 38


class HangingFolder:
    """Whoever looks into `path` waits until `release()`; then everything fails, and the folder is as it was."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self._fd = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        try:
            mounts.mount("hanging", self.path, "fuse", f"fd={self._fd},rootmode=40755,user_id=0,group_id=0,allow_other")
        except OSError:
            os.close(self._fd)
            raise

    def release(self):
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            mounts.unmount(self.path)


def hanging_folder(case, path):
    """One made at `path` for a test case, which is skipped where there is no FUSE."""
    path.mkdir()
    try:
        hanging = HangingFolder(path)
    except OSError as error:
        case.skipTest(f"needs FUSE: {error}")
    case.addCleanup(hanging.release)
    return hanging


class SilentFile:
    """`path`/file, an executable one with `content`, answers until it is told not to; then whoever asks waits until `release()`."""

    def __init__(self, path, content, opens=None):
        """Opened so often it is silent by itself."""
        self.path, self.content, self._opens = path, content, opens
        self.asked = threading.Event()  # somebody waits for an answer
        self._silent = False
        self._end, self._ender = os.pipe()
        self._fd = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        try:
            mounts.mount("silent", path, "fuse", f"fd={self._fd},rootmode=40755,user_id=0,group_id=0,allow_other")
        except OSError:
            for fd in (self._fd, self._end, self._ender):
                os.close(fd)
            raise
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def be_silent(self):
        self._silent = True

    def release(self):
        """Whoever waits gets an error."""
        if self._fd < 0:
            return
        os.close(self._ender)
        self._thread.join()
        os.close(self._end)
        os.close(self._fd)
        self._fd = -1
        mounts.unmount(self.path)

    def _attributes(self, node):
        mode, size, links = (stat.S_IFDIR | 0o755, 4096, 2) if node == 1 else (stat.S_IFREG | 0o755, len(self.content), 1)
        return struct.pack("=QQQ3Q3IIIIIIII", node, size, (size + 511) // 512, 0, 0, 0, 0, 0, 0, mode, links, 0, 0, 0, 4096, 0)

    def _answer(self, opcode, node, body, _thread):
        if opcode == INIT:
            _, minor = struct.unpack_from("=II", body)
            return struct.pack("=IIIIHHIIHHI28x", 7, min(minor, 31), 65536, 0, 12, 9, 65536, 1, 32, 0, 0)
        if opcode == LOOKUP and body.rstrip(b"\0") == b"file":
            return struct.pack("=QQQQII", 2, 0, LONG, LONG, 0, 0) + self._attributes(2)
        if opcode == GETATTR:
            return struct.pack("=QII", LONG, 0, 0) + self._attributes(node)
        if opcode in (OPEN, OPENDIR):
            return bytes(16)
        if opcode == READ:
            _, offset, size = struct.unpack_from("=QQI", body)
            return self.content[offset:offset + size]
        if opcode == STATFS:
            return bytes(80)
        return b"" if opcode in (RELEASE, FLUSH) else None

    def _serve(self):
        while True:
            ready, _, _ = select.select([self._fd, self._end], [], [])
            if self._end in ready:
                return
            request = os.read(self._fd, 1 << 20)
            _, opcode, unique, node, _, _, thread, _ = IN_HEADER.unpack_from(request)
            if opcode in (FORGET, BATCH_FORGET, INTERRUPT):
                continue
            if self._silent or (opcode == OPEN and self._opens == 0):
                self.asked.set()
                continue
            if opcode == OPEN and self._opens is not None:
                self._opens -= 1
            answer = self._answer(opcode, node, request[IN_HEADER.size:], thread)
            error, answer = (-ENOENT if opcode == LOOKUP else -ENOSYS, b"") if answer is None else (0, answer)
            try:
                os.write(self._fd, OUT_HEADER.pack(OUT_HEADER.size + len(answer), error, unique) + answer)
            except OSError:  # whoever asked is gone
                continue


class LyingLink(SilentFile):
    """`path`/file is a symlink to `truth`; to the process `to` it says `lie`."""

    def __init__(self, path, truth, lie, to):
        self._truth, self._lie, self._to = str(truth).encode(), str(lie).encode(), to
        super().__init__(path, self._truth)

    def _attributes(self, node):
        fields = bytearray(super()._attributes(node))
        if node != 1:
            struct.pack_into("=I", fields, 60, stat.S_IFLNK | 0o777)
        return bytes(fields)

    def _answer(self, opcode, node, body, thread):
        if opcode == READLINK:
            return self._lie if os.path.exists(f"/proc/{self._to}/task/{thread}") else self._truth
        return super()._answer(opcode, node, body, thread)


def lying_link(case, path, truth, lie, to):
    """One made in a folder for a test case, which is skipped where there is no FUSE."""
    path.mkdir()
    try:
        link = LyingLink(path, truth, lie, to)
    except OSError as error:
        case.skipTest(f"needs FUSE: {error}")
    case.addCleanup(link.release)


def silent_file(case, path, content, opens=None):
    """One made in a folder for a test case, which is skipped where there is no FUSE."""
    path.mkdir()
    try:
        file = SilentFile(path, content, opens)
    except OSError as error:
        case.skipTest(f"needs FUSE: {error}")
    case.addCleanup(file.release)
    return file
