"""The process's own board: what ``import espnow`` in an ordinary Python program uses.

The same board and node as in the lab, on the wall clock and on a radio that reaches others: by default ``udp:``, the
air between the processes of this computer. `espnow.radio.use`, or the environment, chooses it before the first use.

Rules:

- There is one board a process, made when something of `espnow` or `network` is first used, and closed when the
  interpreter ends: what was sent is sent, and the radio is left as it was found.
- A thread of its own, the radio's loop, hears, answers and keeps time, whatever the program does; it and the program's
  threads touch the board under one lock (`espnow.live.board`).
- Callbacks run on the main thread only, between its steps, and inside its sleeps and waits (`espnow.live.callbacks`).
- A process that is forked off has no board of its parent's; it makes its own if it asks for one.
"""

from __future__ import annotations

import atexit
import os
import random
import sys
import traceback
from dataclasses import replace
from types import FunctionType, ModuleType

from espnow.api import build_module
from espnow.board import PROFILES
from espnow.errors import UserError
from espnow.frame import station_address
from espnow.live.address import Claim, claim_address
from espnow.live.board import LiveBoard
from espnow.live.cpu import LiveCpu
from espnow.radio import DEFAULT, Choice, chosen, open_radio
from espnow.radio.loop import RadioLoop

__all__ = ["board", "close", "module", "settings"]

#: How long a synchronous send waits before it raises ETIMEDOUT, unless something else is said. Longer than a board's
#: 100 ms: a computer may be busy with something else.
_ANSWER_TIMEOUT_MS = 500.0

#: How long the end of the program waits for what it sent last.
_LAST_FRAMES_US = 500_000

#: How long a thread of Python's may compute while the radio's waits: CPython's usual 5 ms would be what an
#: acknowledgement takes. Set only where the program has not chosen itself.
_SWITCH_S = 0.001
_USUAL_SWITCH_S = 0.005

_modules: dict[str, ModuleType] = {}
_board: LiveBoard | None = None
_claim: Claim | None = None


class _HostConsole:
    """The process's standard streams (`espnow.board.Console`)."""

    def write(self, text: str) -> None:
        sys.stdout.write(text)

    def read_line(self) -> str:
        return sys.stdin.readline()

    def has_input(self) -> bool:
        return True

    def read_part(self) -> str:
        return ""

    def has_part(self) -> bool:
        return False

    def exception(self, error: BaseException) -> None:
        traceback.print_exception(error)


def settings() -> Choice:
    """Return what the process's board is to be: what `espnow.radio.use` said, else the environment, else as usual.

    Raises:
        UserError: something of it cannot be.
    """
    said = chosen()
    environment = os.environ
    channel: int | None = said.channel
    where = "espnow.radio.use: channel"
    if channel is None and environment.get("ESPNOW_CHANNEL"):
        where, text = "ESPNOW_CHANNEL", environment["ESPNOW_CHANNEL"]
        channel = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else -1
    if channel is not None and not 1 <= channel <= 14:
        raise UserError(f"{where} is {environment.get('ESPNOW_CHANNEL', channel)!r}, and must be from 1 to 14")
    timeout_ms = said.answer_timeout_ms
    if timeout_ms is None:
        timeout_ms = _timeout_ms(environment.get("ESPNOW_ANSWER_TIMEOUT_MS"))
    return replace(
        said,
        radio=said.radio or environment.get("ESPNOW_RADIO") or DEFAULT,
        mac=said.mac or environment.get("ESPNOW_MAC") or None,
        profile=said.profile or environment.get("ESPNOW_PROFILE") or "esp32",
        channel=channel,
        capture=said.capture or environment.get("ESPNOW_CAPTURE") or None,
        answer_timeout_ms=timeout_ms,
    )


def board() -> LiveBoard:
    """Return the process's board; made on the first call.

    Raises:
        UserError: it cannot be as it is to be: why, and what to do.
    """
    global _board, _claim
    if _board is None:
        choice = settings()
        if choice.profile not in PROFILES:
            raise UserError(f"the profile is {choice.profile!r}; there are {', '.join(PROFILES)}")
        try:
            mac = station_address(choice.mac) if choice.mac is not None else None
        except (TypeError, ValueError) as error:
            raise UserError(f"the board's MAC address (ESPNOW_MAC, espnow.radio.use): {error}") from None
        if mac is None:
            _claim = claim_address(_program())
            mac = _claim.address
        _board = _make(choice, mac)
        if sys.getswitchinterval() == _USUAL_SWITCH_S:
            sys.setswitchinterval(_SWITCH_S)
        atexit.register(close)
        os.register_at_fork(after_in_child=_forget)
    return _board


def module(name: str) -> ModuleType:
    """Return `espnow`, `aioespnow` or `network` of the process's board."""
    if name in _modules:
        return _modules[name]
    live = board()
    built = build_module(name, live, _modules)
    if name == "network":
        names = vars(built)
        for key, value in tuple(names.items()):
            if isinstance(value, FunctionType):
                names[key] = live.locked(value)
    return built


def close() -> None:
    """Close the process's board: what was sent is sent, and the radio is left as it was found."""
    global _board, _claim
    live, _board = _board, None
    _modules.clear()
    if live is not None:
        live.close(_LAST_FRAMES_US)
        if sys.getswitchinterval() == _SWITCH_S:
            sys.setswitchinterval(_USUAL_SWITCH_S)
    if _claim is not None:
        _claim.release()
        _claim = None


def _make(choice: Choice, mac: bytes) -> LiveBoard:
    loop = RadioLoop()
    assert choice.radio is not None
    assert choice.profile is not None
    link = open_radio(choice.radio, loop, _report)
    if choice.capture is not None:
        from espnow.radio.record import record

        with loop.lock:
            link = record(link, loop, choice.capture, _report)
    chance = random.SystemRandom()
    live = LiveBoard(
        PROFILES[choice.profile],
        "live",
        mac=mac,
        loop=loop,
        cpu=LiveCpu(loop),
        link=link,
        console=_HostConsole(),
        random_u32=lambda: chance.getrandbits(32),
        first_channel=choice.channel or 1,
    )
    with loop.lock:
        link.station = live
        assert choice.answer_timeout_ms is not None
        live.wifi.timing = replace(live.wifi.timing, answer_timeout_us=round(choice.answer_timeout_ms * 1000))
    return live


def _timeout_ms(text: str | None) -> float:
    if not text:
        return _ANSWER_TIMEOUT_MS
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= 3_600_000:
        raise UserError(f"ESPNOW_ANSWER_TIMEOUT_MS is {text!r}, and must be a number of milliseconds")
    return value


def _program() -> str:
    """Return what this process runs, by which its address is chosen."""
    name = sys.argv[0] if sys.argv else ""
    return os.path.realpath(name) if name not in ("", "-c", "-m") else name


def _report(line: str) -> None:
    print(f"espnow: {line}", file=sys.stderr, flush=True)


def _forget() -> None:
    """Leave the parent's board to the parent."""
    global _board, _claim
    live, _board, _claim = _board, None, None
    _modules.clear()
    if live is not None:
        live.abandon()
