"""Stations without links, that send by themselves: models among boards.

The kernel has them alone. A frame of theirs is made here when a station with a link heard it, as a board would have
sent it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from espnow.air.scene import BROADCAST as TO_ALL
from espnow.air.scene import StreamResult, Traffic, stream_results
from espnow.frame import BROADCAST, MAX_V1, build, with_retry

if TYPE_CHECKING:
    from espnow.air.airlink import AirLink
    from espnow.air.medium import Medium

__all__ = ["Crowd", "Message"]

#: Returns what a message holds, by the station's number in the crowd, the number of its traffic, and when it was made.
Message: TypeAlias = Callable[[int, int, int], bytes]

_TIME_LENGTH = 8
_NO_ADDRESS = bytes(6)


class Crowd:
    """Models on an air. Made by `espnow.air.Air.populate`.

    A message holds, unless the crowd was given a function that says otherwise, the microsecond at which it was made, in
    8 bytes from the lowest on. What is longer than the traffic's messages is cut off, and zeros follow what is shorter.
    A flood's message is the same whoever sends it on.

    Attributes:
        name: what it is called.
        names: what its stations are called, in their order.
        first: the number, on the air, of the first of them.
        traffic: what they send.
    """

    def __init__(
        self,
        medium: Medium,
        name: str,
        names: Sequence[str],
        first: int,
        mac: bytes,
        traffic: Sequence[Traffic],
        stream: int,
        links: Sequence[AirLink],
        message: Message | None,
    ) -> None:
        self.first = first
        self.traffic = traffic
        self._medium = medium
        self.name = name
        self.names = names
        self._named = frozenset(names)
        self._count = len(names)
        self._mac = int.from_bytes(mac)
        self._stream = stream
        self._links = links
        self._message = message
        self._asked = [one for one in traffic if one.answer is not None]

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"<Crowd {self.name} of {', '.join(self.names[:3])}{', ...' if self._count > 3 else ''}>"

    def has(self, name: str) -> bool:
        """Return whether one of them is called so."""
        return name in self._named

    def results(self) -> list[StreamResult]:
        """Return what came of each traffic until now."""
        return stream_results(self._medium.kernel, self.traffic, self._stream)

    @property
    def addresses(self) -> tuple[int, int]:
        """The first and the last one's address, as numbers."""
        return self._mac, self._mac + self._count - 1

    def mac(self, number: int) -> bytes:
        """Return the address of a station, by its number on the air."""
        return (self._mac + number - self.first).to_bytes(6)

    def number_of(self, address: bytes) -> int | None:
        """Return the number on the air of the station that has an address; None if none has."""
        number = int.from_bytes(address) - self._mac
        return self.first + number if 0 <= number < self._count else None

    def frame(self, number: int) -> bytes:
        """Return the frame of a station that has just ended."""
        stream, made_us, count, attempt = self._medium.kernel.message()
        which = stream - self._stream
        to, size = self._what(which)
        if self._message is None:
            message = made_us.to_bytes(_TIME_LENGTH, "little")
        else:
            message = bytes(self._message(number - self.first, which, made_us))
        mpdu = build(
            to,
            self.mac(number),
            message[:size].ljust(size, b"\0"),
            seq=count & 0xFFF,
            random_value=(count * 0x9E3779B1 + number) & 0xFFFFFFFF,
            version=1 if size <= MAX_V1 else 2,
        )
        return with_retry(mpdu) if attempt > 1 else mpdu

    def _what(self, which: int) -> tuple[bytes, int]:
        """Return whom a stream's messages are for, and how long they are."""
        if which < len(self.traffic):
            one = self.traffic[which]
            return self._address(one.to), one.size
        asked = self._asked[which - len(self.traffic)]
        assert asked.answer is not None
        return self._address(asked.station), asked.answer.size

    def _address(self, to: int) -> bytes:
        if to == TO_ALL:
            return BROADCAST
        if to < self._count:
            return self.mac(self.first + to)
        return next((address for _, address in self._links[to - self._count].config.addresses), _NO_ADDRESS)
