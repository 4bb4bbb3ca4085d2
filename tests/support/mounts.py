"""Mounts that a test makes and takes away, by system call: mount(8) would be a process for each.

Comes in: what, where. Goes out: nothing, or an OSError that says both.
"""

import ctypes
import os

LIBC = ctypes.CDLL(None, use_errno=True)
BIND = 0x1000  # MS_BIND
DETACH = 2  # MNT_DETACH


def mount(what, where, kind=None, options=None):
    """Of file system `kind`; without one, `what` is bound to `where`."""
    what_is, place, system, data = (None if word is None else os.fsencode(word) for word in (what, where, kind, options))
    if LIBC.mount(what_is, place, system, ctypes.c_ulong(0 if kind else BIND), data) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"mount {what} at {where}: {os.strerror(error)}")


def unmount(where):
    """Gone from the tree at once, from the kernel when nobody uses it any more."""
    if LIBC.umount2(os.fsencode(where), DETACH) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"unmount {where}: {os.strerror(error)}")
