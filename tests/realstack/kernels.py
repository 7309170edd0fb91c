"""Debian kernels for a virtual machine: what of their packages is needed, fetched once and kept.

Rules:

- Only apt and dpkg are asked, and nothing is installed: the package is downloaded, unpacked beside, and what is not
  needed of it is thrown away.
- Of a kernel are kept its image and the modules that `MODULES` need, uncompressed, in the order of loading.
- A cache directory may be used by several processes at once.
"""

from __future__ import annotations

import fcntl
import hashlib
import lzma
import os
import re
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["SERIES", "Kernel", "Unavailable", "cache_directory", "fetch"]

#: What a kernel of each series is called in Debian, by the metapackages that may lead to it.
SERIES = {
    "6.12": ("linux-image-6.12-amd64", "linux-image-amd64"),
    "6.1": ("linux-image-amd64",),
}

#: The modules that a guest loads; what they depend on comes before them.
MODULES = (
    "virtio_pci",  # the bus of the next two
    "virtio_console",  # what the command prints
    "9pnet_virtio",
    "9p",  # the host's files
    "overlay",
    "ccm",  # ciphers of an access point
    "cmac",
    "gcm",
    "mac80211",
    "mac80211_hwsim",
)

_XZ = b"\xfd7zXZ\0"


class Unavailable(Exception):
    """A kernel cannot be had; one line that says why."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel, unpacked.

    Attributes:
        series: such as "6.12".
        name: its package and version.
        image: what QEMU boots.
        modules: in the order of loading.
    """

    series: str
    name: str
    image: Path
    modules: tuple[Path, ...]


def cache_directory() -> Path:
    """Return where kernels are kept: ``ESPNOW_REALSTACK_CACHE``, or a directory of the user's cache."""
    chosen = os.environ.get("ESPNOW_REALSTACK_CACHE")
    if chosen:
        return Path(chosen).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "espnow-realstack"


def fetch(series: str, *, renew: bool = False) -> Kernel:
    """Return a kernel of a series: the newest in the cache, or where there is none, or to renew it, apt's newest.

    Raises:
        Unavailable: the cache has none, and apt cannot deliver.
    """
    cache = cache_directory()
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / f"{series}.lock"):
        kept = sorted(cache.glob(f"linux-image-{series}.*_{_mark()}"), key=lambda path: path.stat().st_mtime)
        if kept and not renew:
            directory = kept[-1]
        else:
            package, version = _candidate(series)
            directory = cache / f"{package}_{version}_{_mark()}"
            if not directory.is_dir():
                _download(package, directory)
    modules = tuple(directory / f"{name}.ko" for name in (directory / "order").read_text().split())
    return Kernel(series, directory.name.rpartition("_")[0], directory / "image", modules)


def _mark() -> str:
    """Return what tells a cached kernel with these modules from one with others."""
    return hashlib.sha256(" ".join(MODULES).encode()).hexdigest()[:8]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _run(*command: str, cwd: Path | None = None) -> str:
    """Return what a command prints.

    Raises:
        Unavailable: it cannot be run, or fails.
    """
    environment = os.environ | {"LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    except OSError as error:
        raise Unavailable(f"{command[0]} cannot be run: {error.strerror}") from error
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("E:")] or done.stderr.splitlines()[-1:]
        raise Unavailable(f"{' '.join(command)} failed: {' '.join(said) or f'status {done.returncode}'}")
    return done.stdout


def _candidate(series: str) -> tuple[str, str]:
    """Return the package of the series' newest kernel that apt knows, and its version."""
    for meta in SERIES[series]:
        try:
            printed = _run("apt-cache", "depends", "--important", meta)
        except Unavailable:
            continue
        found = re.search(rf"Depends: (linux-image-{re.escape(series)}\.\S+)", printed)
        if found:
            package = found[1]
            policy = re.search(r"Candidate: (\S+)", _run("apt-cache", "policy", package))
            if policy and policy[1] != "(none)":
                return package, policy[1]
    raise Unavailable(f"apt knows no kernel {series} (of {' or '.join(SERIES[series])}): is apt-get update due?")


def _download(package: str, directory: Path) -> None:
    """Fetch a kernel's package and leave what is needed of it in `directory`."""
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix="fetch-") as scratch:
        work = Path(scratch)
        _run("apt-get", "download", package, cwd=work)
        (archive,) = work.glob("*.deb")
        _run("dpkg-deb", "--extract", str(archive), str(work / "root"))
        made = work / "made"
        made.mkdir()
        (image,) = (work / "root" / "boot").glob("vmlinuz-*")
        (made / "image").write_bytes(_bootable(image.read_bytes()))
        order: list[str] = []
        for name, content in _modules(next((work / "root").glob("**/lib/modules/*"))).items():
            (made / f"{name}.ko").write_bytes(content)
            order.append(name)
        (made / "order").write_text("\n".join(order) + "\n")
        made.rename(directory)


def _bootable(image: bytes) -> bytes:
    """Return the kernel proper if its image holds it xz-compressed, else the image.

    Unpacking xz takes an emulated processor 5 s; QEMU boots what is unpacked (PVH). Layout of the image: the kernel's
    documentation, x86 boot protocol 2.08.
    """
    sectors = image[0x1F1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    payload = image[(sectors + 1) * 512 + offset :][:length]
    if not payload.startswith(_XZ):
        return image
    return lzma.LZMADecompressor().decompress(payload)


def _modules(tree: Path) -> dict[str, bytes]:
    """Return what is to be loaded of a kernel's modules, by name, in order.

    Raises:
        Unavailable: one of `MODULES` is neither there nor built in.
    """
    files = {path.name.partition(".ko")[0].replace("-", "_"): path for path in tree.glob("kernel/**/*.ko*")}
    lines = (tree / "modules.builtin").read_text().splitlines()
    built_in = {Path(line).stem.replace("-", "_") for line in lines}
    loaded: dict[str, bytes] = {}

    def load(name: str) -> None:
        if name in loaded or name in built_in:
            return
        if name not in files:
            raise Unavailable(f"kernel {tree.name} has no module {name}")
        content = files[name].read_bytes()
        if content.startswith(_XZ):
            content = lzma.decompress(content)
        needs = re.search(rb"(?:^|\0)depends=([^\0]*)\0", content)
        for other in needs[1].decode().split(",") if needs else ():
            if other:
                load(other.replace("-", "_"))
        loaded[name] = content

    for name in MODULES:
        load(name)
    return loaded
