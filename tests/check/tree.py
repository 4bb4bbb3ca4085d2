#!/usr/bin/python3
"""The files of the tree that checks look at, tracked or about to be. Run alone: C and C++ files, NUL between them."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
REFERENCE_CLANG = 14  # Debian 12's: other versions format differently and know other checks


def files(*suffixes):
    """Paths below ROOT that git tracks or would add, ignored ones left out; all, or those with these suffixes."""
    # safe.directory: the suite runs as root in a clone that somebody else owns.
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, stdout=subprocess.PIPE)
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return sorted(path for path in set(paths) if path.is_file() and (not suffixes or path.suffix in suffixes))


def c_files():
    return files(".c", ".h", ".cpp")


def clang_version(program):
    """Major version of a clang tool, from `program --version`."""
    words = subprocess.run([program, "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    return int(words[words.index("version") + 1].split(".")[0])


if __name__ == "__main__":
    sys.stdout.write("".join(f"{path}\0" for path in c_files()))
