"""Two sides: here tests start virtual machines, and in one of these `guest` is what is tested.

The folder itself is where its modules are imported from, as they are when vm.py is run by hand.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent

#: Set in a guest, to its kernel's series.
IN_GUEST = bool(os.environ.get("ESPNOW_GUEST"))

collect_ignore = ["test_realstack.py"] if IN_GUEST else ["guest"]

if str(FOLDER) not in sys.path:
    sys.path.insert(0, str(FOLDER))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "realstack: runs in a virtual machine with real kernels; takes a minute or two")
