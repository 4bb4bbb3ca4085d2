"""Where things are: the tree, the build folder, the binaries under test. Knows nothing else."""

import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]


def build_dir():
    return pathlib.Path(os.environ.get("AA_BUILD") or ROOT / "build").resolve()


def daemon_path():
    return build_dir() / "daemon" / "aa-ebpfd"


def aactl_path():
    return build_dir() / "cli" / "aactl"


def program(name):
    """A test program of tests/programs."""
    path = build_dir() / "tests" / "programs" / name
    if not path.exists():
        raise FileNotFoundError(f"{path} is not built: run ninja -C {build_dir()} first, or set AA_BUILD")
    return str(path)
