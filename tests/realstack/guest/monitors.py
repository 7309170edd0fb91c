"""A station on a radio ``monitor:``, as a test plays it: it sends frames and waits for what becomes of them."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import NamedTuple, Self

from espnow.frame import build, parse
from espnow.link import Interface, Outcome, RadioConfig
from espnow.radio import open_radio
from espnow.radio.loop import RadioLoop
from espnow.radio.monitor import MonitorRadio

__all__ = ["Answer", "Heard", "MonitorStation"]

#: An emulated processor is slow, and a busy machine slower.
WAIT_S = 60.0


class Heard(NamedTuple):
    """A frame that came."""

    mpdu: bytes
    rssi_dbm: int
    channel: int
    rate: int

    @property
    def message(self) -> bytes:
        return parse(self.mpdu).message  # type: ignore[union-attr]


class Answer(NamedTuple):
    """What became of a frame."""

    outcome: Outcome
    attempts: int


class MonitorStation:
    """A radio and a station on it; a context manager.

    Attributes:
        radio: under test.
        loop: that it lives in.
        address: its own.
        heard: what came, in order.
        answers: by token.
        reports: what a person was told.
        errors: exceptions of the loop's calls.
    """

    radio: MonitorRadio

    def __init__(self, name: str, address: bytes, *, channel: int = 6, **config: object) -> None:
        self.address = address
        self.loop = RadioLoop()
        self.heard: list[Heard] = []
        self.answers: dict[int, Answer] = {}
        self.reports: list[str] = []
        self.errors: list[BaseException] = []
        self._token = 0
        self._sequence = 0
        self._chance = random.Random(address)
        self._changed = threading.Condition()
        self.loop.on_error = self.errors.append
        radio = open_radio(name, self.loop, self._report)
        assert isinstance(radio, MonitorRadio)
        self.radio = radio
        self.radio.station = self
        self.configure(channel=channel, **config)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        assert self.errors == []

    def close(self) -> None:
        with self.loop.lock:
            self.radio.close()
        self.loop.close()

    def configure(self, *, on: bool = True, **config: object) -> None:
        """Configure the radio as a board does."""
        addresses = ((Interface.STA, self.address),) if on else ()
        with self.loop.lock:
            self.radio.configure(RadioConfig(addresses, receiver_on=on, **config))  # type: ignore[arg-type]

    # What the radio calls.

    def received(self, mpdu: bytes, rssi_dbm: int, channel: int, rate: int, at_us: int) -> None:
        with self._changed:
            self.heard.append(Heard(mpdu, rssi_dbm, channel, rate))
            self._changed.notify_all()

    def outcome(self, token: int, outcome: Outcome, attempts: int, at_us: int) -> None:
        with self._changed:
            assert token not in self.answers
            self.answers[token] = Answer(outcome, attempts)
            self._changed.notify_all()

    def _report(self, line: str) -> None:
        with self._changed:
            self.reports.append(line)
            self._changed.notify_all()

    # What a test calls.

    def wait_for(self, condition: Callable[[], object], timeout_s: float = WAIT_S) -> None:
        """Wait until something holds that what comes can change."""
        with self._changed:
            assert self._changed.wait_for(condition, timeout_s), (self.heard, self.answers, self.reports)

    def hear(self, count: int = 1) -> Heard:
        """Wait for so many frames in all, and return the last."""
        self.wait_for(lambda: len(self.heard) >= count)
        return self.heard[-1]

    def frame(self, to: bytes, message: bytes, **more: object) -> bytes:
        """Return a frame of its own."""
        self._sequence = (self._sequence + 1) & 0xFFF
        value = self._chance.getrandbits(32)
        return build(to, self.address, message, seq=self._sequence, random_value=value, **more)  # type: ignore[arg-type]

    def transmit(self, mpdu: bytes) -> int:
        """Hand a frame over, and return its token."""
        self._token += 1
        with self.loop.lock:
            self.radio.transmit(mpdu, self._token)
        return self._token

    def send(self, mpdu: bytes) -> Answer:
        """Hand a frame over, and wait for its answer."""
        token = self.transmit(mpdu)
        self.wait_for(lambda: token in self.answers)
        return self.answers[token]

    def say(self, to: bytes, message: bytes, **more: object) -> Answer:
        """Send a message, and wait for its answer."""
        return self.send(self.frame(to, message, **more))
