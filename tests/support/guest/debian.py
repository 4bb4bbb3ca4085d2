"""Debian packages from where this machine gets its own: user lands by mmdebstrap, kernels by apt.

Comes in: apt's configuration. Goes out: folders. No address is written here: a machine with a mirror or a proxy uses it.
"""

import re
import shutil

from place import ROOT, Unavailable, ext4_image, part, run

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
CODENAMES = {12: "bookworm", 13: "trixie"}
# What a guest needs beyond what the project's own lists name.
SYSTEM = ("systemd", "systemd-sysv", "udev", "kmod", "procps", "iproute2", "passwd", "busybox-static", "e2fsprogs")
LEFT_OUT = ("doc", "man", "locale", "info")
# An older kernel is one package, a newer one several; their names carry the version.
KERNEL_PACKAGE = re.compile(r"^linux-(?:image|binary|modules)-\d\S*-cloud-amd64$")
RECIPE = 1  # to be raised when what is done below changes


def mirror():
    """Address of the Debian archive this machine is set up with."""
    lines = run(["apt-get", "indextargets", "--format", "$(LABEL)|$(RELEASE)|$(REPO_URI)", "Created-By: Packages"],
                "read apt's configuration", stderr=None)  # its warnings are none of it
    for line in lines.splitlines():
        label, release, address = line.split("|", 2)
        if label == "Debian" or release in CODENAMES.values():  # without its lists apt knows no label
            return address
    raise Unavailable("apt on this machine has no Debian archive among its sources: add one, and run apt-get update")


def network_settings():
    """How this machine's apt reaches the network: proxies, and what it does not check."""
    lines = run(["apt-config", "dump"], "read apt's configuration", stderr=None).splitlines()
    return [line for line in lines if re.match(r"Acquire::(?:https?::|Check-|Retries)", line) and '""' not in line]


def user_land(release, packages):
    """Folder with `root/`, a Debian system of this release, and `root.img`, the same as a file system."""
    wanted = sorted({*SYSTEM, *packages})

    def make(folder):
        options = [f"--aptopt={line}" for line in network_settings()]
        options += [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in LEFT_OUT]
        root = folder / "root"
        run(["mmdebstrap", "--mode=root", "--variant=apt", f"--include={','.join(wanted)}", *options,
             CODENAMES[release], root, mirror()], f"make a Debian {release} system")
        for mount_point in ("aa/src", "aa/build"):
            (root / mount_point).mkdir(parents=True)
        ext4_image(folder / "root.img", root, spare_mib=1024)

    return part(f"debian-{release}", [RECIPE, release, wanted], make)


def kernel(suite, version):
    """Folder with `vmlinuz`, `modules/RELEASE/` (with modules.dep), and `package`, the package's version."""

    def make(folder):
        apt = Apt(folder / "apt", suite)
        apt("-o", "APT::Update::Error-Mode=any", "update")
        tree = apt("depends", "--recurse", "--no-recommends", "--no-suggests", "linux-image-cloud-amd64",
                   tool="apt-cache")
        names = sorted({line for line in map(str.strip, tree.splitlines()) if KERNEL_PACKAGE.match(line)})
        if not names:
            raise Unavailable(f"Debian {suite} has no linux-image-cloud-amd64")
        apt("download", *names, cwd=folder / "apt")
        for package in (folder / "apt").glob("*.deb"):
            run(["dpkg", "-x", package, folder / "files"], f"unpack {package.name}")
            (folder / "package").write_text(package.name.split("_")[1])
        shutil.rmtree(folder / "apt")
        collect(folder)
        if not (folder / "package").read_text().startswith(version + "."):
            raise Unavailable(f"Debian {suite} has {(folder / 'package').read_text()}, not {version}: change its row")

    return part(f"kernel-{version}", [RECIPE, suite, version], make)


def collect(folder):
    """From a package's layout to ours."""
    files = folder / "files"
    image, = [path for path in files.rglob("vmlinuz*") if path.is_file()]
    image.rename(folder / "vmlinuz")
    release, = {path.name for path in files.glob("**/lib/modules/*") if (path / "kernel").is_dir()}
    modules, = [path for path in files.glob(f"**/lib/modules/{release}") if (path / "kernel").is_dir()]
    (folder / "lib/modules").mkdir(parents=True)
    modules.rename(folder / "lib/modules" / release)
    run(["depmod", "-b", folder, release], "list the kernel's modules")
    (folder / "lib/modules").rename(folder / "modules")
    shutil.rmtree(folder / "lib")
    shutil.rmtree(files)


class Apt:
    """apt with one suite of this machine's archive, in a folder of its own."""

    def __init__(self, folder, suite):
        for name in ("lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True)
        (folder / "status").touch()
        (folder / "sources").write_text(f"deb [arch=amd64 signed-by={KEYRING}] {mirror()} {suite} main\n")
        settings = {"Dir::Etc::sourcelist": folder / "sources", "Dir::Etc::sourceparts": "-",
                    "Dir::State::lists": folder / "lists", "Dir::Cache": folder / "cache",
                    "Dir::State::status": folder / "status", "APT::Architecture": "amd64", "APT::Sandbox::User": "root"}
        self.options = [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
        self.suite = suite

    def __call__(self, *words, tool="apt-get", **options):
        return run([tool, "-q", *self.options, *words], f"get Debian {self.suite}'s kernel", **options)


def in_user_land(root, command, build):
    """The command to run `command` in a user land, with the source tree at /aa/src and a build folder at /aa/build."""
    script = """
mount --make-rprivate /
mount --bind "$2" "$1/aa/src" && mount -o remount,bind,ro "$1/aa/src"
mount --bind "$3" "$1/aa/build"
mount -t proc proc "$1/proc" && mount -t tmpfs tmpfs "$1/tmp" && mount -t devtmpfs dev "$1/dev"
root=$1
shift 3
exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root "$@"
"""
    return ["unshare", "--mount", "bash", "-ec", script, "bash", root, ROOT, build, *command]
