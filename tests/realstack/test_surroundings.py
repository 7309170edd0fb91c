"""What starts virtual machines, tested without one: verdicts on what a guest told, kernels, the archive, the script."""

from __future__ import annotations

import gzip
import json
import lzma
import platform
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import guests
import initramfs
import kernels
import pytest
import vm

BUSYBOX = shutil.which("busybox")


def report(*steps: tuple[str, str, str | None]) -> str:
    """Return what a guest writes down: test, step, outcome."""
    lines: list[dict[str, Any]] = []
    for test, step, outcome in steps:
        line: dict[str, Any] = {"test": test, "step": step}
        if outcome is not None:
            line |= {"outcome": outcome, "text": f"why {step} {outcome}", "printed": "", "seconds": 0.5}
        lines.append(line)
    return "".join(json.dumps(line) + "\n" for line in lines)


def steps(test: str, setup: str, call: str | None, teardown: str | None) -> list[tuple[str, str, str | None]]:
    told: list[tuple[str, str, str | None]] = [(test, "start", None), (test, "setup", setup)]
    told += [(test, "call", call)] if call else []
    return told + ([(test, "teardown", teardown)] if teardown else [])


PASSED = steps("g/test_a.py::one", "passed", "passed", "passed")


@pytest.mark.parametrize(
    ("setup", "call", "teardown", "outcome", "text"),
    [
        ("passed", "passed", "passed", "passed", ""),
        ("passed", "failed", "passed", "failed", "why call failed"),
        ("failed", None, "passed", "failed", "why setup failed"),
        ("passed", "passed", "failed", "failed", "why teardown failed"),
        ("passed", "failed", "failed", "failed", "why call failed"),
        ("skipped", None, "passed", "skipped", "why setup skipped"),
        ("passed", "skipped", "passed", "skipped", "why call skipped"),
        ("passed", "skipped", "failed", "failed", "why teardown failed"),
        ("passed", None, None, "unfinished", ""),
        ("passed", "passed", None, "unfinished", ""),
        ("passed", "failed", None, "failed", "why call failed"),
    ],
)
def test_the_worst_step_counts(setup: str, call: str | None, teardown: str | None, outcome: str, text: str) -> None:
    (test,) = guests.read_report(report(*steps("g/test_a.py::one", setup, call, teardown))).values()
    assert (test.outcome, test.text) == (outcome, text)


def test_a_report_cut_anywhere_is_read() -> None:
    whole = report(*PASSED, *steps("g/test_a.py::two", "passed", "passed", "passed"))
    for length in range(len(whole) + 1):
        assert set(guests.read_report(whole[:length])) <= {"g/test_a.py::one", "g/test_a.py::two"}


@pytest.mark.parametrize(
    ("told", "trouble", "outcome", "words"),
    [
        (PASSED, "", "passed", ""),
        (PASSED, "pytest ended with 3", "failed", "pytest ended with 3"),
        ([], "", "failed", "no test of test_a.py was run\nall that it printed"),
        (steps("g/test_b.py::one", "passed", "passed", "passed"), "", "failed", "no test of test_a.py was run"),
        ([("g/test_a.py", "collect", "failed")], "", "failed", "g/test_a.py: failed\nwhy collect failed"),
        (steps("g/test_a.py::two", "passed", None, None), "it hangs", "failed", "g/test_a.py::two: unfinished"),
        ([*PASSED, *steps("g/test_a.py::two", "skipped", None, "passed")], "", "passed", ""),
        (steps("g/test_a.py::two", "skipped", None, "passed"), "", "skipped", "kernel 6.12: why setup skipped"),
        ([*PASSED, *steps("g/test_b.py::two", "passed", "failed", "passed")], "", "passed", ""),
    ],
)
def test_verdicts(told: list[tuple[str, str, str | None]], trouble: str, outcome: str, words: str) -> None:
    tests = guests.read_report(report(*told))
    verdict = guests.judge(guests.Machine("6.12", tests, trouble=trouble, output="all that it printed"), "test_a.py")
    assert verdict.outcome == outcome
    assert words in verdict.text


@pytest.mark.skipif(BUSYBOX is None, reason="there is no busybox")
def test_the_archive_is_one(tmp_path: Path) -> None:
    firmware = tmp_path / "firmware"
    firmware.mkdir()
    for name in ("regulatory.db", "regulatory.db.p7s"):
        (firmware / name).write_text(name)
    module = tmp_path / "one.ko"
    module.write_bytes(b"module")
    archive = initramfs.build(
        busybox=module, modules=(module,), firmware=firmware, job=Path("/tmp/of the job"), radios=2, seconds=7
    )
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    # Devices can be made by root only: what is listed says that they are there.
    listed = subprocess.run([str(BUSYBOX), "cpio", "-t"], input=archive, capture_output=True, check=True).stdout.split()
    assert {b"init", b"dev/console", b"modules/order", b"lib/firmware/regulatory.db"} <= set(listed)
    subprocess.run(
        [str(BUSYBOX), "cpio", "-id", "init", "modules/order", "modules/one.ko"],
        input=archive,
        cwd=unpacked,
        check=True,
        capture_output=True,
    )
    assert (unpacked / "modules" / "order").read_text() == "one\n"
    assert (unpacked / "modules" / "one.ko").read_bytes() == b"module"
    init = (unpacked / "init").read_text()
    assert "@" not in init
    assert 'mkdir -p "/host/tmp/of the job"' in init
    assert "radios=2" in init
    subprocess.run([str(BUSYBOX), "sh", "-n", str(unpacked / "init")], check=True)


@pytest.mark.parametrize("compress", [lzma.compress, gzip.compress])
def test_a_kernel_is_unpacked_if_that_is_possible(compress: Any) -> None:
    kernel = b"\x7fELF" + bytes(1000)
    payload = compress(kernel)
    image = bytearray(3 * 512 + 100)
    image[0x1F1] = 2
    struct.pack_into("<II", image, 0x248, 100, len(payload) + 4)
    whole = bytes(image) + payload + len(kernel).to_bytes(4, "little") + b"behind it"
    assert kernels._bootable(whole) == (kernel if compress is lzma.compress else whole)


def kernel_tree(folder: Path, needs: dict[str, str], built_in: str = "") -> Path:
    """Make a tree of modules: names with what they depend on."""
    (folder / "kernel" / "net").mkdir(parents=True)
    (folder / "modules.builtin").write_text(built_in)
    for number, (name, depends) in enumerate(needs.items()):
        content = b"\x7fELF\0license=GPL\0depends=" + depends.encode() + b"\0name=x\0"
        if number % 2:
            (folder / "kernel" / "net" / f"{name}.ko.xz").write_bytes(lzma.compress(content))
        else:
            (folder / "kernel" / "net" / f"{name}.ko").write_bytes(content)
    return folder


def test_modules_come_after_what_they_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "MODULES", ("mac80211_hwsim", "virtio_pci", "overlay"))
    needs = {"mac80211_hwsim": "mac80211,cfg80211", "mac80211": "cfg80211,libarc4", "cfg80211": "rf-kill"}
    tree = kernel_tree(
        tmp_path, needs | {"rf-kill": "", "libarc4": "", "overlay": "", "other": ""}, "kernel/virtio/virtio-pci.ko\n"
    )
    loaded = kernels._modules(tree)
    assert list(loaded) == ["rf_kill", "cfg80211", "libarc4", "mac80211", "mac80211_hwsim", "overlay"]
    assert all(content.startswith(b"\x7fELF") for content in loaded.values())


def test_a_kernel_without_a_module_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "MODULES", ("mac80211_hwsim",))
    with pytest.raises(vm.Unavailable, match="has no module cfg80211"):
        kernels._modules(kernel_tree(tmp_path, {"mac80211_hwsim": "cfg80211"}))


def apt(monkeypatch: pytest.MonkeyPatch, depends: dict[str, str]) -> None:
    """Let apt know these metapackages, each with the package that it depends on."""

    def run(*command: str, cwd: Path | None = None) -> str:
        if command[1] == "depends":
            if command[-1] not in depends:
                raise vm.Unavailable("E: No packages found")
            return f"{command[-1]}\n  Depends: {depends[command[-1]]}\n"
        return f"{command[-1]}:\n  Installed: (none)\n  Candidate: 1.2-3\n"

    monkeypatch.setattr(kernels, "_run", run)


@pytest.mark.parametrize(
    ("series", "depends", "package"),
    [
        ("6.1", {"linux-image-amd64": "linux-image-6.1.0-56-amd64"}, "linux-image-6.1.0-56-amd64"),
        ("6.1", {"linux-image-amd64": "linux-image-6.12.1+deb13-amd64"}, None),
        ("6.12", {"linux-image-6.12-amd64": "linux-image-6.12.117+deb12-amd64"}, "linux-image-6.12.117+deb12-amd64"),
        ("6.12", {"linux-image-amd64": "linux-image-6.12.1+deb13-amd64"}, "linux-image-6.12.1+deb13-amd64"),
        ("6.12", {}, None),
    ],
)
def test_kernels_by_their_metapackages(
    monkeypatch: pytest.MonkeyPatch, series: str, depends: dict[str, str], package: str | None
) -> None:
    apt(monkeypatch, depends)
    if package is None:
        with pytest.raises(vm.Unavailable, match=rf"apt knows no kernel {series}"):
            kernels._candidate(series)
    else:
        assert kernels._candidate(series) == (package, "1.2-3")


def test_a_kernel_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESPNOW_REALSTACK_CACHE", str(tmp_path / "cache"))
    apt(monkeypatch, {"linux-image-amd64": "linux-image-6.1.0-56-amd64"})
    downloads: list[str] = []

    def download(package: str, directory: Path) -> None:
        downloads.append(package)
        directory.mkdir()
        (directory / "order").write_text("one\ntwo\n")

    monkeypatch.setattr(kernels, "_download", download)
    for _ in range(2):
        kernel = kernels.fetch("6.1")
    assert downloads == ["linux-image-6.1.0-56-amd64"]
    assert kernel.name == "linux-image-6.1.0-56-amd64_1.2-3"
    assert [path.name for path in kernel.modules] == ["one.ko", "two.ko"]
    assert kernels.fetch("6.1", renew=True) == kernel
    monkeypatch.setattr(kernels, "MODULES", ("other",))
    kernels.fetch("6.1")
    assert len(downloads) == 2


def test_the_script_of_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESPNOW_CHANNEL", "6")
    monkeypatch.setenv("SOME_SECRET", "x")
    (tmp_path / "a folder").mkdir()
    monkeypatch.chdir(tmp_path / "a folder")
    script = vm._script(["sh", "-c", 'pwd; echo "$1 $ESPNOW_CHANNEL$SOME_SECRET"; exit 3', "-", "it's"], tmp_path, {})
    done = subprocess.run(["sh"], input=script, capture_output=True, text=True, check=True, env={"PATH": "/bin"})
    assert done.stdout == f"{tmp_path}/a folder\nit's 6\n"
    assert (tmp_path / "status").read_text() == "3\n"


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda program: None)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert vm.missing() == "there is no qemu-system-x86_64 (Debian: apt install qemu-system-x86)"
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert vm.missing() == "virtual machines need Linux on x86-64"
