"""The project, built inside a user land, and as a file system for a guest.

Comes in: a user land. Goes out: an image with `src/` (the tree) and `build/` (its build folder), at the paths that the
build itself saw: /aa/src and /aa/build. The build folder is kept, so that the next build has little to do.
"""

import json
import os
import shutil
import subprocess

import debian
from place import ROOT, Unavailable, cache, clone, ext4_image, locked, remove

MESON_OPTIONS = ("-Dprefix=/usr", "-Dsysconfdir=/etc", "-Dtests=true")


def build_folder(release):
    """One for each clone."""
    return cache() / f"build-{release}-{clone()}"


def image(release, land, suites):
    """Builds what these suites need, and returns the image's path; a compiler's words go to standard error."""
    build = build_folder(release)
    with locked(build.name):
        build.mkdir(exist_ok=True)
        if not (build / "build.ninja").exists():
            in_land(land, ["meson", "setup", "/aa/build", "/aa/src", *MESON_OPTIONS], build)
        in_land(land, ["ninja", "--quiet", "-C", "/aa/build", "build.ninja"], build)  # else old targets are asked for
        # As many at a time as there are processors: the other release is built meanwhile, and a compiler takes up to 1 GB.
        in_land(land, ["ninja", "--quiet", f"-j{os.cpu_count()}", "-C", "/aa/build", *targets(build, suites)], build)
        return pack(build)


def targets(build, suites):
    """None: everything. The tests of single rooms take longer to compile than all the rest; often they are not asked for."""
    if {suite.partition(":")[0] for suite in suites} & {"unit", "golden", "dbus"}:
        return []
    known = json.loads((build / "meson-info/intro-targets.json").read_text())
    return [name.removeprefix("/aa/build/") for target in known for name in target["filename"]
            if target["installed"] or "/tests/programs/" in name]


def in_land(land, command, build):
    words = [str(word) for word in debian.in_user_land(land / "root", command, build)]
    if subprocess.run(words, stdin=subprocess.DEVNULL, stdout=2, check=False).returncode != 0:
        raise Unavailable(f"{command[0]} failed in {land.name}: see the lines above")


def pack(build):
    staging = build.with_name(build.name + ".staging")
    remove(staging)
    listed = subprocess.run(["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others",
                             "--exclude-standard"], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (staging / "src" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, staging / "src" / name)
    # Objects stay behind; what is linked from them is what a guest runs. A link costs no copy.
    shutil.copytree(build, staging / "build", copy_function=os.link, symlinks=True,
                    ignore=shutil.ignore_patterns("*.p", "*.a", "test-logs", ".ninja_*"))
    result = build.with_suffix(".img")
    ext4_image(result, staging, spare_mib=512)
    remove(staging)
    return result
