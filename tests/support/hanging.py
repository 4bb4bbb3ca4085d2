"""A file system that never answers, as a FUSE one whose program stands still; usable as root where the kernel has FUSE."""

import os
import pathlib

import mounts


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
