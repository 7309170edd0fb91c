"""Tries an interface as a radio for real: sends frames, and looks at what is reported of them.

Rules:

- It is opened as any program opens it, and put back afterwards.
- What is sent disturbs nobody: a message to all that says what it is, and some to an address that nobody has.
- A trial takes a few seconds at most, and what fails is a finding, never an exception.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from functools import partial

from espnow.errors import LinkFull, UserError
from espnow.frame import BROADCAST, RATES, build
from espnow.link import Interface, Outcome, RadioConfig
from espnow.radio import open_radio
from espnow.radio.loop import RadioLoop
from espnow.radio.monitor.findings import Finding, Verdict
from espnow.radio.monitor.radio import MonitorRadio

__all__ = ["try_interface"]

#: Addresses that nobody has: locally administered ones.
_OWN = bytes.fromhex("7e6573706e01")
_NOBODY = bytes.fromhex("7e6573706eff")

_INJECTION = "injection"
_MESSAGE = b"espnow doctor"
_WAIT_S = 2.0
_TRIES = 3
_HEAR_S = 0.3


class _Station:
    """Keeps what comes."""

    def __init__(self) -> None:
        self.answers: dict[int, tuple[Outcome, int, int]] = {}
        self.heard = 0
        self._changed = threading.Condition()

    def received(self, mpdu: bytes, rssi_dbm: int, channel: int, rate: int, at_us: int) -> None:
        self.heard += 1

    def outcome(self, token: int, outcome: Outcome, attempts: int, at_us: int) -> None:
        with self._changed:
            self.answers[token] = outcome, attempts, at_us
            self._changed.notify_all()

    def wait_for(self, token: int) -> tuple[Outcome, int, int] | None:
        with self._changed:
            self._changed.wait_for(lambda: token in self.answers, _WAIT_S)
            return self.answers.get(token)


def try_interface(name: str, channel: int) -> list[Finding]:
    """Open an interface, send on a channel, and say what came of it."""
    found, works = _with_radio(f"monitor:{name}", name, channel, _try_sending)
    if works:
        reports = any(one.check == _INJECTION and one.verdict == Verdict.GOOD for one in found)
        try_answering = partial(_try_answering, reports=reports)
        found += _with_radio(f"monitor:{name}?ack=on", name, channel, try_answering)[0]
    return found


_Trial = Callable[[str, MonitorRadio, RadioLoop, _Station, RadioConfig], list[Finding]]


def _with_radio(text: str, name: str, channel: int, trial: _Trial) -> tuple[list[Finding], bool]:
    """Make a trial with a radio; also return whether it could be opened."""
    loop = RadioLoop()
    config = RadioConfig(((Interface.STA, _OWN),), channel=channel, receiver_on=True, attempts=_TRIES)
    try:
        try:
            radio = open_radio(text, loop, lambda _line: None)
        except UserError as error:
            return [Finding(name, f"opening {text}", Verdict.BAD, str(error))], False
        assert isinstance(radio, MonitorRadio)
        try:
            station = _Station()
            radio.station = station
            with loop.lock:
                radio.configure(config)
            if radio.trouble is not None:
                return [Finding(name, f"opening {text}", Verdict.BAD, radio.trouble)], True
            return trial(name, radio, loop, station, config), True
        finally:
            with loop.lock:
                radio.close()
    finally:
        loop.close()


def _send(
    radio: MonitorRadio, loop: RadioLoop, station: _Station, token: int, destination: bytes
) -> tuple[Outcome, int, int] | None:
    """Send a frame and return its answer and how long that took, or None."""
    mpdu = build(destination, _OWN, _MESSAGE, seq=token, random_value=random.SystemRandom().getrandbits(32))
    with loop.lock:
        begin_us = loop.now_us
        try:
            radio.transmit(mpdu, token)
        except LinkFull:
            return None
    answer = station.wait_for(token)
    return None if answer is None else (answer[0], answer[1], answer[2] - begin_us)


def _try_sending(
    name: str, radio: MonitorRadio, loop: RadioLoop, station: _Station, config: RadioConfig
) -> list[Finding]:
    found = []
    answer = _send(radio, loop, station, 1, BROADCAST)
    reports = radio.counts.reports
    if answer is None or answer[0] != Outcome.ACKNOWLEDGED or radio.counts.refused:
        trouble = radio.trouble or "the kernel does not take frames"
        return [Finding(name, _INJECTION, Verdict.BAD, trouble, "use another adapter")]
    if reports:
        told = f"a frame was sent and reported, {answer[2] / 1000:.1f} ms after it was handed over"
        found.append(Finding(name, _INJECTION, Verdict.GOOD, told))
    else:
        told = "the kernel took a frame; the driver does not report whether it was sent"
        found.append(Finding(name, _INJECTION, Verdict.NOTE, told, "look with another radio whether it arrives"))
    found.append(_try_report(name, _send(radio, loop, station, 2, _NOBODY)))
    found.append(_try_rates(name, radio, loop, station, config))
    time.sleep(_HEAR_S)
    told = f"{radio.counts.frames_heard} frames of ESP-NOW heard meanwhile on channel {config.channel}"
    found.append(Finding(name, "reception", Verdict.GOOD, told))
    return found


def _try_report(name: str, answer: tuple[Outcome, int, int] | None) -> Finding:
    """Say whether a frame to nobody is known to have failed."""
    check = "TX status"
    if answer is None or answer[0] == Outcome.UNKNOWN:
        told = "none: whether a frame was acknowledged is told by acknowledgements that are heard, or unknown"
        return Finding(name, check, Verdict.NOTE, told, "use another adapter if you need to know")
    if answer[0] == Outcome.ACKNOWLEDGED:
        told = "wrong: a frame to an address that nobody has is reported as acknowledged"
        return Finding(name, check, Verdict.BAD, told, "use another adapter, or believe no success")
    tries = f"{answer[1]} {'try' if answer[1] == 1 else 'tries'} reported, {_TRIES} were asked for"
    told = f"a frame to nobody is reported as failed; {tries}; espnow ping tells whether success is reported"
    return Finding(name, check, Verdict.GOOD, told)


def _try_rates(name: str, radio: MonitorRadio, loop: RadioLoop, station: _Station, config: RadioConfig) -> Finding:
    """Say with which rates frames are taken; whether they are sent with them, only another radio can tell."""
    taken = []
    for token, rate in enumerate(sorted(radio.abilities.rates), start=10):
        with loop.lock:
            radio.configure(_at_rate(config, rate))
        before = radio.counts.refused
        answer = _send(radio, loop, station, token, BROADCAST)
        if answer is not None and answer[0] == Outcome.ACKNOWLEDGED and radio.counts.refused == before:
            taken.append(rate)
    if len(taken) == len(radio.abilities.rates):
        return Finding(
            name, "rates", Verdict.GOOD, f"all {len(taken)} of 802.11{'b/g/n' if radio.adapter.phy.ht else 'b/g'}"
        )
    missed = ", ".join(RATES[rate].name for rate in sorted(radio.abilities.rates) if rate not in taken)
    return Finding(name, "rates", Verdict.NOTE, f"not taken: {missed}")


def _at_rate(config: RadioConfig, rate: int) -> RadioConfig:
    return RadioConfig(
        config.addresses, channel=config.channel, receiver_on=True, attempts=1, rate=rate, group_rate=rate
    )


def _try_answering(
    name: str, radio: MonitorRadio, loop: RadioLoop, station: _Station, _config: RadioConfig, *, reports: bool
) -> list[Finding]:
    """Say whether the adapter answers for an address, and sends meanwhile; `reports`: whether its driver tells that."""
    check = "acknowledging (?ack=on)"
    if _OWN not in radio.adapter.answers:
        return [Finding(name, check, Verdict.BAD, "the adapter does not answer for an address", "leave ?ack=on out")]
    answer = _send(radio, loop, station, 1, BROADCAST)
    taken = answer is not None and answer[0] == Outcome.ACKNOWLEDGED and not radio.counts.refused
    if taken and not radio.counts.reports and not reports:
        told = "the adapter takes an address to answer for; its driver does not report whether it sends meanwhile"
        return [Finding(name, check, Verdict.NOTE, told, "look with another radio whether it does")]
    if not taken or not radio.counts.reports:
        told = "the adapter answers for an address, but does not send meanwhile"
        return [Finding(name, check, Verdict.BAD, told, "leave ?ack=on out")]
    told = "the adapter takes an address to answer for, and sends from it; a board that sends to it tells the rest"
    return [Finding(name, check, Verdict.GOOD, told)]
