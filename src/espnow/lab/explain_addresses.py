"""Who in the lab has an address, or nearly has it.

Addresses of boards change (``WLAN.config(mac=...)``) without anybody being told: an entry is checked when it is used,
and the book is written anew when something is not in it, but not more often than `_STALE_US`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from espnow.frame import format_mac
from espnow.link import Clock, Interface

if TYPE_CHECKING:
    from espnow.air import AirLink
    from espnow.lab.explain_witness import Witness

__all__ = ["AddressBook"]

#: How old the book may be when it has to say that an address is nobody's, in virtual time.
_STALE_US = 100_000

#: Answers of `AddressBook.describe` that are remembered.
_REMEMBERED = 64


class AddressBook:
    """The addresses of a lab's boards, of interfaces that are off, too."""

    def __init__(self, witnesses: dict[AirLink, Witness], clock: Clock) -> None:
        self._witnesses = witnesses
        self._clock = clock
        self._entries: dict[bytes, tuple[Witness, Interface]] = {}
        self._described: dict[bytes, str] = {}
        self._boards = 0
        self._written_us = 0

    def find(self, address: bytes) -> tuple[Witness, Interface] | None:
        """Return the board that has an address, and of which interface it is; None if it is nobody's."""
        entry = self._entries.get(address)
        if entry is None or entry[0].board.hardware.wifi.mac(entry[1]) != address:
            now_us = self._clock.now_us
            if len(self._witnesses) == self._boards and now_us - self._written_us < _STALE_US:
                return None
            self._write(now_us)
            entry = self._entries.get(address)
        return entry

    def owner(self, address: bytes) -> Witness | None:
        """Return the board that has an address; None if it is nobody's."""
        entry = self.find(address)
        return None if entry is None else entry[0]

    def describe(self, address: bytes) -> str:
        """Return an address that is nobody's, as a person reads it, with the one that it could have been meant for."""
        known = self._described.get(address)
        if known is None:
            known = self._described[address] = format_mac(address) + self._resemblance(address)
            if len(self._described) > _REMEMBERED:
                del self._described[next(iter(self._described))]
        return known

    def _write(self, now_us: int) -> None:
        self._entries.clear()
        self._described.clear()
        for witness in self._witnesses.values():
            wifi = witness.board.hardware.wifi
            for interface in Interface:
                self._entries.setdefault(wifi.mac(interface), (witness, interface))
        self._boards = len(self._witnesses)
        self._written_us = now_us

    def _resemblance(self, address: bytes) -> str:
        backwards = self._entries.get(address[::-1])
        if backwards is not None:
            return f" is the {backwards[1].name} address of {backwards[0].name} backwards"
        best: tuple[int, bytes] | None = None
        for known in self._entries:
            wrong = [ours ^ theirs for ours, theirs in zip(address, known, strict=True) if ours != theirs]
            if len(wrong) == 1:
                digits = (wrong[0] >> 4 != 0) + (wrong[0] & 15 != 0)
                if best is None or digits < best[0]:
                    best = digits, known
        if best is None:
            return ""
        digits, known = best
        witness, interface = self._entries[known]
        what = "one digit" if digits == 1 else "one byte"
        return f"; {what} differs from the {interface.name} address of {witness.name}, {format_mac(known)}"
