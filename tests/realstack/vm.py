"""A virtual machine with simulated Wi-Fi radios (mac80211_hwsim) under the real stack of a Debian kernel.

    python tests/realstack/vm.py --kernel 6.12 -- COMMAND [ARGUMENT ...]

runs a command in it: as root, in the current directory, with the host's files, Python and virtual environment, and
the variables ESPNOW_*, PYTEST_* and PATH. What it prints is printed here as it comes, and its status is this one's.
The host's files can be read; what is written is gone afterwards, but for the directory that ``$ESPNOW_GUEST_JOB``
names. There are no radios but those of ``--radios N``; tests make their own. For example:

    python tests/realstack/vm.py --kernel 6.1 -- python -m pytest tests/realstack/guest/test_smoke.py -k medium
    python tests/realstack/vm.py --kernel 6.12 --radios 2 -- iw dev
    python tests/realstack/vm.py --fetch                # the newest kernels, and nothing else

It needs no root and no KVM, but x86-64, Debian's apt (kernels are fetched from it, once, into the directory that
``ESPNOW_REALSTACK_CACHE`` names or ~/.cache/espnow-realstack) and the packages qemu-system-x86 busybox-static
wireless-regdb; tests of access points need hostapd. A boot takes 6 to 10 s, and Python is 20 to 40 times slower than
on the host: a processor is emulated.

Rules:

- `run` starts one machine and ends it, whatever happens; one whose host was killed ends by itself, a little after its
  time. It prints nothing.
- Always emulation (TCG): a KVM that is there can fail all the same, and what a test sees should not depend on it.
- When a command's status is not known, the serial console's log says why.
"""

from __future__ import annotations

import argparse
import os
import platform
import selectors
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import initramfs
import kernels

__all__ = ["SERIES", "Finished", "Unavailable", "VmError", "missing", "run"]

SERIES = tuple(kernels.SERIES)
Unavailable = kernels.Unavailable

_QEMU = "qemu-system-x86_64"
_FIRMWARE = Path("/lib/firmware")
_LOADER = b"/lib64/ld-linux-x86-64.so"

#: No mitigations, tests of ciphers or moved kernel: they cost an emulated processor a second. No test of the timer: it
#: fails where the host is busy.
_KERNEL_ARGUMENTS = "console=ttyS0 panic=-1 quiet mitigations=off nokaslr cryptomgr.notests no_timer_check"

#: Of the host's environment, what a command gets.
_PASSED = ("ESPNOW_", "PYTEST_")

_STATUS = "status"
_SERIAL = "serial.log"

#: How much longer than its host waits a guest runs, when nobody is there to end it.
_LONGER_S = 30

#: Lines of the serial console that an error shows.
_SHOWN_LINES = 40


class VmError(Exception):
    """The machine did not get to the end of its command.

    Attributes:
        output: what the command had printed.
    """

    def __init__(self, reason: str, output: str) -> None:
        super().__init__(reason)
        self.output = output


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that ended.

    Attributes:
        status: its exit status.
        output: what it printed.
        seconds: from the start of the machine to its end.
        kernel: package and version.
    """

    status: int
    output: str
    seconds: float
    kernel: str


def missing() -> str | None:
    """Return why no machine can run here, or None."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return "virtual machines need Linux on x86-64"
    for program, package in ((_QEMU, "qemu-system-x86"), ("busybox", "busybox-static")):
        if shutil.which(program) is None:
            return f"there is no {program} (Debian: apt install {package})"
    if _LOADER in _busybox().read_bytes():
        return "busybox is not a static one (Debian: apt install busybox-static)"
    if not (_FIRMWARE / "regulatory.db").exists():
        return "there is no regulatory database (Debian: apt install wireless-regdb)"
    for program in ("apt-get", "apt-cache", "dpkg-deb"):
        if shutil.which(program) is None:
            return f"there is no {program}: kernels come from Debian's packages"
    return None


def run(
    command: Sequence[str],
    *,
    kernel: str,
    job: Path | None = None,
    environment: Mapping[str, str] | None = None,
    radios: int = 0,
    memory_mib: int = 384,
    timeout_s: float = 300,
    printed: Callable[[bytes], None] | None = None,
    begun: Callable[[subprocess.Popen[bytes]], None] | None = None,
    nice: int = 0,
) -> Finished:
    """Run a command in a machine of its own.

    Args:
        command: program and arguments, run in the current directory.
        kernel: one of `SERIES`.
        job: a directory that the guest can write; by default an empty one that is removed at the end.
        environment: more variables.
        radios: simulated radios at the beginning.
        memory_mib: the guest's memory.
        timeout_s: when to give up.
        printed: called with what the command prints as it comes.
        begun: called with the process of the machine, which may be killed.
        nice: how far it gives way to other processes of the host, 0 to 19.

    Raises:
        Unavailable: there is no such kernel.
        VmError: the machine failed, or took too long.
    """
    found = kernels.fetch(kernel)
    with tempfile.TemporaryDirectory(prefix="espnow-vm-") as scratch:
        work = Path(scratch)
        if job is None:
            job = work / "job"
            job.mkdir()
        script = _script(command, job, {"ESPNOW_GUEST": kernel, "ESPNOW_GUEST_JOB": str(job), **(environment or {})})
        (job / initramfs.STARTED).write_text(script)
        archive = initramfs.build(
            busybox=_busybox(),
            modules=found.modules,
            firmware=_FIRMWARE,
            job=job,
            radios=radios,
            seconds=int(timeout_s) + _LONGER_S,
        )
        (work / "initramfs").write_bytes(archive)
        begin = time.monotonic()
        qemu = ["nice", "-n", str(nice), *_qemu(found, work, job, memory_mib)]
        output = _boot(qemu, work, begin + timeout_s, printed, begun)
        try:
            status = int((job / _STATUS).read_text())
        except (OSError, ValueError):
            reason = f"the guest with {found.name} ended before its command did"
            raise VmError(f"{reason}\n{_last_lines(work)}", output) from None
        return Finished(status, output, time.monotonic() - begin, found.name)


def _busybox() -> Path:
    return Path(shutil.which("busybox") or "busybox")


def _script(command: Sequence[str], job: Path, environment: Mapping[str, str]) -> str:
    """Return the shell script that runs a command and writes its status down."""
    passed = {name: value for name, value in os.environ.items() if name.startswith(_PASSED)}
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin:/usr/bin:/bin"
    variables = {"PATH": path, "HOME": "/root", "LC_ALL": "C.UTF-8", **passed, **environment}
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
    return (
        f"cd {shlex.quote(str(Path.cwd()))} || exit\n{exports}"
        f"{shlex.join(command)}\necho $? >{shlex.quote(str(job / _STATUS))}\n"
    )


def _qemu(kernel: kernels.Kernel, work: Path, job: Path, memory_mib: int) -> list[str]:
    """Return QEMU's command line."""

    def share(tag: str, path: Path, options: str = "") -> tuple[str, ...]:
        escaped = str(path).replace(",", ",,")
        return (
            "-fsdev",
            f"local,id={tag},path={escaped},security_model=none,multidevs=remap{options}",
            "-device",
            f"virtio-9p-pci,fsdev={tag},mount_tag={tag}",
        )

    return [
        *(_QEMU, "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-monitor", "none"),
        *("-machine", "q35,accel=tcg", "-cpu", "max", "-smp", "1", "-m", str(memory_mib)),
        *("-kernel", str(kernel.image), "-initrd", str(work / "initramfs"), "-append", _KERNEL_ARGUMENTS),
        *("-serial", f"file:{work / _SERIAL}"),
        *("-chardev", "file,id=output,path=/dev/stdout", "-device", "virtio-serial-pci"),
        *("-device", "virtserialport,chardev=output,nr=1"),
        *share(initramfs.ROOT_SHARE, Path("/"), ",readonly=on"),
        *share(initramfs.JOB_SHARE, job),
    ]


def _boot(
    qemu: Sequence[str],
    work: Path,
    until: float,
    printed: Callable[[bytes], None] | None,
    begun: Callable[[subprocess.Popen[bytes]], None] | None,
) -> str:
    """Run QEMU to its end, and return what came out of the guest.

    Raises:
        VmError: it failed, or `until` has passed.
    """
    pieces: list[bytes] = []

    def output() -> str:
        return b"".join(pieces).decode(errors="replace")

    errors = work / "qemu.log"
    with (
        errors.open("wb") as stderr,
        subprocess.Popen(qemu, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr) as process,
        selectors.DefaultSelector() as selector,
    ):
        assert process.stdout is not None
        try:
            if begun is not None:
                begun(process)
            selector.register(process.stdout, selectors.EVENT_READ)
            while True:
                if not selector.select(max(0.0, until - time.monotonic())):
                    raise VmError(f"the guest did not end in time\n{_last_lines(work)}", output())
                piece = os.read(process.stdout.fileno(), 65536)
                if not piece:
                    break
                pieces.append(piece)
                if printed is not None:
                    printed(piece)
            status = process.wait(max(1.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise VmError(f"QEMU did not end in time\n{_last_lines(work)}", output()) from None
        finally:
            process.kill()
    if status:
        raise VmError(f"QEMU failed ({status}): {errors.read_text(errors='replace').strip()}", output())
    return output()


def _last_lines(work: Path) -> str:
    """Return the end of the serial console's log."""
    try:
        lines = (work / _SERIAL).read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    return "\n".join(["Its serial console:", *(f"    {line}" for line in lines[-_SHOWN_LINES:] or ["(nothing)"])])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run a command under a real Linux Wi-Fi stack with simulated radios.")
    parser.add_argument("--kernel", choices=SERIES, default=SERIES[0], help="series (default: %(default)s)")
    parser.add_argument("--radios", type=int, default=0, metavar="N", help="simulated radios (default: none)")
    parser.add_argument("--memory", type=int, default=384, metavar="MIB", help="memory (default: %(default)s)")
    parser.add_argument("--timeout", type=float, default=300, metavar="S", help="give up after (default: %(default)s)")
    parser.add_argument("--fetch", action="store_true", help="fetch the kernels and end")
    parser.add_argument("command", nargs="*", metavar="COMMAND")
    arguments = parser.parse_args()
    if not arguments.fetch and not arguments.command:
        parser.error("which command?")
    return arguments


def main() -> int:
    """Do what the command line says, and return the exit status; 125 where the command's is not known."""
    arguments = _arguments()
    reason = missing()
    if reason:
        print(f"vm.py: {reason}", file=sys.stderr)
        return 125

    def show(piece: bytes) -> None:
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        if arguments.fetch:
            with ThreadPoolExecutor() as pool:
                for kernel in pool.map(partial(kernels.fetch, renew=True), SERIES):
                    print(kernel.name)
            return 0
        finished = run(
            arguments.command,
            kernel=arguments.kernel,
            radios=arguments.radios,
            memory_mib=arguments.memory,
            timeout_s=arguments.timeout,
            printed=show,
        )
    except (Unavailable, VmError) as error:
        print(f"vm.py: {error}", file=sys.stderr)
        return 125
    print(f"vm.py: status {finished.status}, {finished.seconds:.1f} s, {finished.kernel}", file=sys.stderr)
    return finished.status


if __name__ == "__main__":
    sys.exit(main())
