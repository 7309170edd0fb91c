"""Two sides: here tests start virtual machines, and in one of these `guest` is what is tested.

The folder itself is where its modules are imported from, as they are when vm.py is run by hand.

The machines of the tests that were chosen start as soon as these are known, and run beside all others, in one pytest a
machine and in an order of the same seed as here; their tests come last. They end with pytest, however that ends.
"""

from __future__ import annotations

import functools
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent

#: Set in a guest, to its kernel's series.
IN_GUEST = bool(os.environ.get("ESPNOW_GUEST"))

collect_ignore = ["test_realstack.py"] if IN_GUEST else ["guest"]

if str(FOLDER) not in sys.path:
    sys.path.insert(0, str(FOLDER))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name == "test_realstack.py" and item.path.parent == FOLDER)


def pytest_collection_finish(session: pytest.Session) -> None:
    if IN_GUEST or session.config.option.collectonly:
        return
    import guests
    import vm

    chosen: dict[str, list[Path]] = {}
    for item in session.items:
        if isinstance(item, pytest.Function) and item.originalname == "test_guest" and item.path.parent == FOLDER:
            kernel, name = (str(item.callspec.params[key]) for key in ("kernel", "name"))
            chosen.setdefault(kernel, []).append(FOLDER / "guest" / name)
    machines = session.config.stash[guests.MACHINES] = {kernel: guests.Machine(kernel) for kernel in chosen}
    if vm.missing():
        return
    seed = session.config.getoption("randomly_seed", None)
    options = [] if seed is None else ["-p", "pytest_randomly", f"--randomly-seed={seed}"]
    for kernel, machine in machines.items():
        job = Path(tempfile.mkdtemp(prefix="espnow-guest-"))
        session.config.add_cleanup(functools.partial(shutil.rmtree, job, ignore_errors=True))
        session.config.add_cleanup(machine.end)  # before that
        machine.begin(sorted(chosen[kernel]), job, options)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "realstack: runs in a virtual machine with real kernels; takes a minute or two")
