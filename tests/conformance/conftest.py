"""The document that binds, read in place: nothing of it is copied."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path

import pytest

from espnow.errors import EspNowCode
from espnow.testing import Bench


def _find_document() -> Path | None:
    named = os.environ.get("ESPNOW_DOCUMENT")
    if named:
        return Path(named)
    around = Path(__file__).parents[3]
    return next(iter(sorted(around.glob("*/documents/espnow.rst"))), None)


def literal_blocks(text: str) -> list[str]:
    """Return the literal blocks of a reStructuredText document, dedented, in order."""
    blocks: list[str] = []
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if not line.rstrip().endswith("::") or line.lstrip().startswith(".."):
            continue
        indent = len(line) - len(line.lstrip())
        block: list[str] = []
        while number < len(lines):
            following = lines[number]
            if following.strip() and len(following) - len(following.lstrip()) <= indent:
                break
            block.append(following)
            number += 1
        blocks.append(textwrap.dedent("\n".join(block)).strip("\n") + "\n")
    return blocks


class Document:
    """MicroPython's document of the module espnow."""

    def __init__(self, text: str) -> None:
        self.blocks = literal_blocks(text)

    def program(self, *marks: str) -> str:
        """Return the one program in which all these marks stand."""
        found = [block for block in self.blocks if all(mark in block for mark in marks)]
        assert len(found) == 1, f"{len(found)} programs with {marks}"
        return found[0]


@pytest.fixture(scope="session")
def document() -> Document:
    path = _find_document()
    if path is None or not path.is_file():
        pytest.skip("MicroPython's docs/library/espnow.rst is not here: name it in ESPNOW_DOCUMENT")
    return Document(path.read_text())


@pytest.fixture
def bench() -> Bench:
    """A board that was just switched on."""
    return Bench()


@pytest.fixture
def e(bench):
    """The ESPNow object of `bench`, with the STA interface and ESP-NOW on."""
    return bench.start()


@pytest.fixture
def code_of():
    """Call something that ESP-NOW refuses, and return which ESP_ERR_ESPNOW_* that is, without the prefix."""

    def call(function, *args, **more) -> str:
        with pytest.raises(OSError) as caught:
            function(*args, **more)
        number, name = caught.value.args
        code = EspNowCode[name.removeprefix("ESP_ERR_ESPNOW_")]
        assert name.startswith("ESP_ERR_ESPNOW_")
        assert number == caught.value.errno == -int(code)
        return code.name

    return call
