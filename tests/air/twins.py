"""The kernel in both forms: its source, and what was compiled of that when espnow was installed."""

import importlib.util
import os
from pathlib import Path

import pytest

from espnow.air import kernel

SOURCE = Path(kernel.__file__).parent / "kernel.py"


def _interpreted():
    spec = importlib.util.spec_from_file_location("interpreted_kernel", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


IS_COMPILED = Path(kernel.__file__) != SOURCE
INTERPRETED = _interpreted() if IS_COMPILED else kernel


def compiled():
    """Return the compiled one, or skip the test: fail it where ESPNOW_REQUIRE_COMPILED is set, or where it is old."""
    if not IS_COMPILED:
        reason = "the kernel is not compiled: there was no C compiler when espnow was installed"
        if os.environ.get("ESPNOW_REQUIRE_COMPILED"):
            pytest.fail(f"ESPNOW_REQUIRE_COMPILED is set, and {reason}")
        pytest.skip(reason)
    sources = [path for path in (SOURCE, SOURCE.with_suffix(".pxd")) if path.exists()]
    if max(path.stat().st_mtime for path in sources) > Path(kernel.__file__).stat().st_mtime:
        pytest.fail("the compiled kernel is older than its source: python -m pip install -e . makes it anew")
    return kernel
