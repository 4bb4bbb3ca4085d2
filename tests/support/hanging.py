"""A file system that never answers, as a FUSE one whose program stands still; usable as root where the kernel has FUSE."""

import ctypes
import os
import pathlib

LIBC = ctypes.CDLL(None, use_errno=True)
MNT_DETACH = 2


class HangingFolder:
    """Whoever looks into `path` waits until `release()`; then everything fails, and the folder is as it was."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self._fd = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        options = f"fd={self._fd},rootmode=40755,user_id=0,group_id=0,allow_other"
        if LIBC.mount(b"hanging", os.fsencode(self.path), b"fuse", 0, options.encode()) != 0:
            error = ctypes.get_errno()
            os.close(self._fd)
            raise OSError(error, f"mount {self.path}: {os.strerror(error)}")

    def release(self):
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            LIBC.umount2(os.fsencode(self.path), MNT_DETACH)


def hanging_folder(case, path):
    """One made at `path` for a test case, which is skipped where there is no FUSE."""
    path.mkdir()
    try:
        hanging = HangingFolder(path)
    except OSError as error:
        case.skipTest(f"needs FUSE: {error}")
    case.addCleanup(hanging.release)
    return hanging
