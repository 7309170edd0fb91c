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

import functools
import os
import random
import sys
import threading
import traceback
from dataclasses import replace
from types import FunctionType, ModuleType

from espnow.api import build_module
from espnow.board import PROFILES
from espnow.errors import UserError
from espnow.frame import station_address
from espnow.link import Link
from espnow.live.address import Claim, claim_address
from espnow.live.board import LiveBoard
from espnow.live.cpu import LiveCpu
from espnow.radio import DEFAULT, Choice, check_channel, chosen, open_radio, take_choice
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

_MAX_TIMEOUT_MS = 3_600_000
_TIMEOUT_RANGE = f"more than 0, at most {_MAX_TIMEOUT_MS}"

_making = threading.RLock()
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
    return replace(
        said,
        radio=said.radio or environment.get("ESPNOW_RADIO") or DEFAULT,
        mac=environment.get("ESPNOW_MAC") or None if said.mac is None else said.mac,
        profile=said.profile or environment.get("ESPNOW_PROFILE") or "esp32",
        channel=_channel(said.channel, environment.get("ESPNOW_CHANNEL")),
        capture=said.capture or environment.get("ESPNOW_CAPTURE") or None,
        answer_timeout_ms=_timeout_ms(said.answer_timeout_ms, environment.get("ESPNOW_ANSWER_TIMEOUT_MS")),
    )


def board() -> LiveBoard:
    """Return the process's board; made on the first call.

    Raises:
        UserError: it cannot be as it is to be: why, and what to do.
    """
    with _making:
        if _board is None:
            _begin()
        assert _board is not None
        return _board


def _begin() -> None:
    """Make the process's board."""
    global _board, _claim
    choice = settings()
    if choice.profile not in PROFILES:
        raise UserError(f"the profile is {choice.profile!r}; there are {', '.join(PROFILES)}")
    try:
        mac = station_address(choice.mac) if choice.mac is not None else None
    except (TypeError, ValueError) as error:
        raise UserError(f"the board's MAC address (ESPNOW_MAC, espnow.radio.use): {error}") from None
    claim = None
    if mac is None:
        claim = claim_address(_program())
        mac = claim.address
    try:
        live = _make(choice, mac)
    except BaseException:
        if claim is not None:
            claim.release()
        raise
    _board, _claim = live, claim
    take_choice(True)
    if sys.getswitchinterval() == _USUAL_SWITCH_S:
        sys.setswitchinterval(_SWITCH_S)
    _leave_to_parents()
    processes = sys.modules.get("multiprocessing.process")
    if processes is not None and processes.parent_process() is not None:
        # Its processes may end without `atexit`, and have a way of their own.
        from multiprocessing.util import Finalize

        Finalize(None, close, exitpriority=0)


@functools.cache
def _leave_to_parents() -> None:
    """Let boards be left behind by forks."""
    os.register_at_fork(after_in_child=_forget)


def module(name: str) -> ModuleType:
    """Return `espnow`, `aioespnow` or `network` of the process's board."""
    found = _modules.get(name)
    if found is not None:
        return found
    with _making:
        live = board()
        # What is half done is in a table of its own: other threads look into the first without the lock.
        modules = dict(_modules)
        built = build_module(name, live, modules)
        if name == "network":
            names = vars(built)
            for key, value in tuple(names.items()):
                if isinstance(value, FunctionType):
                    names[key] = live.locked(value)
        _modules.update(modules)
        return built


def close() -> None:
    """Close the process's board: what was sent is sent, and the radio is left as it was found."""
    global _board, _claim
    live, _board = _board, None
    claim, _claim = _claim, None
    _modules.clear()
    take_choice(False)
    if live is not None:
        try:
            live.close(_LAST_FRAMES_US)
        finally:
            if sys.getswitchinterval() == _SWITCH_S:
                sys.setswitchinterval(_USUAL_SWITCH_S)
            if claim is not None:
                claim.release()


def _make(choice: Choice, mac: bytes) -> LiveBoard:
    loop = RadioLoop()
    link: Link | None = None
    try:
        assert choice.radio is not None
        link = open_radio(choice.radio, loop, _report)
        if choice.capture is not None:
            from espnow.radio.record import record

            with loop.lock:
                # `close` ends it, after what is sent last; a call at exit of its own would come before that.
                link = record(link, loop, choice.capture, _report, closes_at_exit=False)
        return _make_board(choice, mac, loop, link)
    except BaseException:
        if link is not None:
            with loop.lock:
                link.close()
        loop.close()
        raise


def _make_board(choice: Choice, mac: bytes, loop: RadioLoop, link: Link) -> LiveBoard:
    assert choice.profile is not None
    assert choice.answer_timeout_ms is not None
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
        first_channel=check_channel(choice, link),
    )
    with loop.lock:
        link.station = live
        live.wifi.timing = replace(live.wifi.timing, answer_timeout_us=round(choice.answer_timeout_ms * 1000))
    return live


def _channel(said: int | None, text: str | None) -> int | None:
    """Return the channel that was said, or else the environment's."""
    if said is not None:
        if isinstance(said, int) and not isinstance(said, bool) and 1 <= said <= 14:
            return said
        raise UserError(f"espnow.radio.use: channel={said!r} must be from 1 to 14")
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= 14:
        return int(text)
    raise UserError(f"ESPNOW_CHANNEL is {text!r}, and must be from 1 to 14")


def _timeout_ms(said: float | None, text: str | None) -> float:
    """Return the time for answers that was said, or else the environment's."""
    if said is not None:
        if isinstance(said, (int, float)) and not isinstance(said, bool) and 0 < said <= _MAX_TIMEOUT_MS:
            return said
        raise UserError(f"espnow.radio.use: answer_timeout_ms={said!r} must be a number, {_TIMEOUT_RANGE}")
    if not text:
        return _ANSWER_TIMEOUT_MS
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= _MAX_TIMEOUT_MS:
        raise UserError(f"ESPNOW_ANSWER_TIMEOUT_MS is {text!r}, and must be a number of milliseconds, {_TIMEOUT_RANGE}")
    return value


def _program() -> str:
    """Return what this process runs, by which its address is chosen."""
    name = sys.argv[0] if sys.argv else ""
    return os.path.realpath(name) if name not in ("", "-c", "-m") else name


def _report(line: str) -> None:
    """Tell a person something; where nobody can read it, nothing happens: a radio is in the middle of its work."""
    if sys.stderr is None:  # `print` would take standard output
        return
    try:
        print(f"espnow: {line}", file=sys.stderr, flush=True)
    except (OSError, ValueError):  # ValueError: it is closed
        pass


def _forget() -> None:
    """Leave the parent's board to the parent."""
    global _board, _claim, _making
    _making = threading.RLock()  # another thread may have held it
    live, _board = _board, None
    claim, _claim = _claim, None
    _modules.clear()
    take_choice(False)
    if live is not None:
        live.abandon()
    if claim is not None:
        claim.release()
