"""What a virtual machine finds in memory: a static busybox, the modules, and the script that goes on from there.

Rules:

- The guest's root is the host's, read only; what the guest writes goes to memory and is gone with it. One directory,
  the job's, is the host's to read and write, under the same name on both sides.
- Only this file knows how the host's files come into the guest; `machine` names the two shares.
- Format of the archive: the kernel's documentation, "initramfs buffer format" (newc).
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["JOB_SHARE", "OUTPUT_PORT", "ROOT_SHARE", "STARTED", "build"]

#: Names of the two 9p shares, and of the virtio port that takes what the command prints.
ROOT_SHARE = "root"
JOB_SHARE = "job"
OUTPUT_PORT = "/dev/vport0p1"

#: The job's files: the command, and what it ended with.
STARTED = "command.sh"

_DIRECTORIES = ("bin", "dev", "proc", "sys", "run", "lib", "lib/firmware", "modules", "lower", "host")
_REGULATORY = ("regulatory.db", "regulatory.db.p7s")

# The regulatory database is read by the kernel from here, not from the guest's root.
_INIT = """\
#!/bin/busybox sh
exec 2>/dev/console
b=/bin/busybox
fail() { echo "guest: $1 failed"; $b poweroff -f; }
$b mount -t proc proc /proc && $b mount -t sysfs sys /sys && $b mount -t devtmpfs dev /dev || fail "mounting /dev"
while read -r module; do
  options=; [ "$module" = mac80211_hwsim ] && options=radios=@RADIOS@
  $b insmod "/modules/$module.ko" $options || echo "guest: insmod $module failed"
done </modules/order
exec >@PORT@ || fail "opening @PORT@"
share() { $b mount -t 9p -o "trans=virtio,version=9p2000.L,msize=512000,$2" "$1" "$3" || fail "mounting $1"; }
share @ROOT@ ro,cache=loose /lower
$b mount -t tmpfs tmpfs /run && $b mkdir /run/upper /run/work || fail "mounting /run"
$b mount -t overlay -o lowerdir=/lower,upperdir=/run/upper,workdir=/run/work overlay /host || fail "mounting /host"
$b mount -t proc proc /host/proc && $b mount -t sysfs sys /host/sys && $b mount --bind /dev /host/dev &&
  $b mkdir -p /host/dev/shm /host/dev/pts && $b mount -t tmpfs tmpfs /host/dev/shm &&
  $b mount -t devpts devpts /host/dev/pts && $b mount -t debugfs debugfs /host/sys/kernel/debug &&
  $b mount -t tmpfs tmpfs /host/run && $b mkdir -p "/host@JOB@" || fail "mounting what is in /host"
share @SHARE@ rw "/host@JOB@"
$b ip link set lo up
$b hostname guest
exec 2>&1
$b timeout -s KILL @SECONDS@ $b chroot /host /bin/sh "@JOB@/@STARTED@" </dev/null
$b sync
$b poweroff -f
"""


def build(*, busybox: Path, modules: tuple[Path, ...], firmware: Path, job: Path, radios: int, seconds: int) -> bytes:
    """Return the archive.

    Args:
        busybox: a static one.
        modules: in the order of loading.
        firmware: where the regulatory database is.
        job: the directory that host and guest share.
        radios: how many simulated radios there are from the beginning.
        seconds: after which the guest ends by itself, whether anybody waits for it or not.
    """
    values = {
        "RADIOS": str(radios),
        "SECONDS": str(seconds),
        "PORT": OUTPUT_PORT,
        "ROOT": ROOT_SHARE,
        "SHARE": JOB_SHARE,
        "JOB": str(job),
        "STARTED": STARTED,
    }
    init = _INIT
    for name, value in values.items():
        init = init.replace(f"@{name}@", value)
    archive = _Archive()
    for name in _DIRECTORIES:
        archive.add(name, 0o040755)
    archive.add("dev/console", 0o020600, device=(5, 1))
    archive.add("dev/null", 0o020666, device=(1, 3))
    archive.add("bin/busybox", 0o100755, busybox.read_bytes())
    archive.add("init", 0o100755, init.encode())
    for path in modules:
        archive.add(f"modules/{path.name}", 0o100644, path.read_bytes())
    archive.add("modules/order", 0o100644, "".join(f"{path.stem}\n" for path in modules).encode())
    for name in _REGULATORY:
        archive.add(f"lib/firmware/{name}", 0o100644, (firmware / name).read_bytes())
    return archive.end()


class _Archive:
    """A cpio archive as the kernel unpacks it."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._count = 0

    def add(self, name: str, mode: int, content: bytes = b"", *, device: tuple[int, int] = (0, 0)) -> None:
        """Append a file, a directory or a device; `mode` says which."""
        self._count += 1
        encoded = name.encode() + b"\0"
        # inode, mode, owner, group, links, time, length, device of the medium, device, length of the name, checksum
        fields = (self._count, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(encoded), 0)
        self._bytes += b"070701" + b"".join(b"%08x" % field for field in fields) + encoded
        self._pad()
        self._bytes += content
        self._pad()

    def end(self) -> bytes:
        """Return the whole."""
        self.add("TRAILER!!!", 0)
        return bytes(self._bytes)

    def _pad(self) -> None:
        self._bytes += bytes(-len(self._bytes) % 4)
