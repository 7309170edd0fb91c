"""From a captured packet to what ESP-NOW said in it.

Rules:

- Reads whatever a capture holds and says what is odd about it; drops nothing that can be recognised as ESP-NOW.
- A key or a decoder adds to what is told and never hides what was there.
- Bounded: what is remembered does not grow with the capture. What is not told is counted.
"""

from __future__ import annotations

from typing import NamedTuple

from espnow.capture.keys import KeyRing
from espnow.errors import FrameError
from espnow.frame import Examined, Frame, Freshness, Oddity, ProtectedFrame, ReplayCheck, examine
from espnow.frame.captured import find_mpdu
from espnow.frame.captures import Interface, Record
from espnow.frame.decoders import Decoded, Decoders
from espnow.frame.mac80211 import FCS_LENGTH, fcs_is_right
from espnow.frame.radiotap import Radiotap

__all__ = ["CapturedFrame", "Dissector", "OtherFrame"]

_new = tuple.__new__


class CapturedFrame(NamedTuple):
    """One ESP-NOW frame of a capture.

    Attributes:
        at_ns: time since 1970, UTC, or None when the capture has none.
        interface: what it was captured on, or None when it comes from no capture.
        radio: what radiotap tells, or None when there is none.
        frame: the plain frame; an encrypted one, if no key opened it.
        oddities: what is odd about it.
        protected: the encrypted frame as it was captured, if it was encrypted.
        key: name of the key that opened it, or None.
        freshness: what its packet number says, if a key opened it.
        decoded: what a message decoder made of its message, or None.
    """

    at_ns: int | None
    interface: Interface | None
    radio: Radiotap | None
    frame: Frame | ProtectedFrame
    oddities: tuple[Oddity, ...]
    protected: ProtectedFrame | None = None
    key: str | None = None
    freshness: Freshness | None = None
    decoded: Decoded | None = None

    @property
    def accepted(self) -> bool | None:
        """Whether current firmware takes the frame; None if not enough of it is there to tell."""
        return Examined(self.frame, self.oddities).accepted


class OtherFrame(NamedTuple):
    """A frame of 802.11 that is not ESP-NOW's.

    Attributes:
        interface: what it was captured on.
        mpdu: without FCS, if the capture told that there is one; the capture may have cut it off.
    """

    interface: Interface
    mpdu: bytes

    def __repr__(self) -> str:
        """Return it for people, without the bytes."""
        return f"OtherFrame(interface={self.interface.number}, {len(self.mpdu)} bytes)"


class Dissector:
    """Makes ESP-NOW frames of captured packets.

    Attributes:
        packets: how many packets it was given.
        frames: how many of them were ESP-NOW's.
        unreadable: packets whose radiotap header makes no sense.
        other_links: packets of a link type that is not 802.11's.
    """

    __slots__ = ("_decoders", "_keys", "_replays", "frames", "other_links", "packets", "unreadable")

    def __init__(self, keys: KeyRing | None = None, decoders: Decoders | None = None) -> None:
        """Take what opens encrypted frames and what explains messages."""
        self._keys = keys
        self._decoders = decoders
        self._replays = ReplayCheck()
        self.packets = 0
        self.frames = 0
        self.unreadable = 0
        self.other_links = 0

    @property
    def keys(self) -> int:
        """How many keys there are."""
        return 0 if self._keys is None else len(self._keys)

    def __repr__(self) -> str:
        """Return what it has counted."""
        return f"<Dissector: {self.frames} ESP-NOW frames of {self.packets} packets>"

    def dissect(self, record: Record) -> CapturedFrame | OtherFrame | None:
        """Return the frame in a captured packet, or None if none can be found in it.

        Another frame than ESP-NOW's, whose FCS is wrong, is none.
        """
        self.packets += 1
        try:
            found = find_mpdu(record)
        except FrameError:
            self.unreadable += 1
            return None
        if found is None:
            self.other_links += 1
            return None
        mpdu, radio, has_fcs, missing, bad_fcs = found
        at_ns, interface, _, _ = record
        oddity = Oddity.WRONG_FCS if bad_fcs else None
        try:
            frame, oddities = examine(mpdu, has_fcs=has_fcs, missing=missing)
        except FrameError:
            if not has_fcs or missing:
                return None if bad_fcs else OtherFrame(interface, mpdu)
            if bad_fcs or not fcs_is_right(mpdu):
                return None  # no bit of it can be believed
            return OtherFrame(interface, mpdu[:-FCS_LENGTH])
        if oddity is not None and oddity not in oddities:
            oddities = (*oddities, oddity)
        self.frames += 1
        if self._decoders is None and type(frame) is Frame:
            return _new(CapturedFrame, (at_ns, interface, radio, frame, oddities, None, None, None, None))
        return self._explain(at_ns, interface, radio, frame, oddities)

    def examine(self, mpdu: bytes, radio: Radiotap | None = None, *, at_ns: int | None = None) -> CapturedFrame | None:
        """Return the frame that an MPDU without FCS is, or None if it is none of ESP-NOW's."""
        self.packets += 1
        try:
            frame, oddities = examine(mpdu)
        except FrameError:
            return None
        self.frames += 1
        return self._explain(at_ns, None, radio, frame, oddities)

    def _explain(
        self,
        at_ns: int | None,
        interface: Interface | None,
        radio: Radiotap | None,
        frame: Frame | ProtectedFrame,
        oddities: tuple[Oddity, ...],
    ) -> CapturedFrame:
        """Open an encrypted frame, and let a decoder explain the message."""
        protected: ProtectedFrame | None = None
        key: str | None = None
        freshness: Freshness | None = None
        if type(frame) is ProtectedFrame:
            protected = frame
            opened = self._keys.open(frame) if self._keys is not None else None
            if opened is not None:
                (frame, inner), key = opened
                oddities = tuple(oddity for oddity in Oddity if oddity in oddities or oddity in inner)
                heard_by = None if interface is None else interface.number
                pair = frame.source, frame.destination, heard_by, key
                freshness = self._replays.check(pair, protected.packet_number)
                if freshness is Freshness.REPLAYED:  # said once; a sender that was reset counts on from here
                    self._replays.forget(pair)
                    self._replays.check(pair, protected.packet_number)
        decoded: Decoded | None = None
        if self._decoders is not None and type(frame) is Frame and Oddity.CUT_OFF not in oddities:
            decoded = self._decoders.decode(frame.message, source=frame.source, destination=frame.destination)
        return _new(CapturedFrame, (at_ns, interface, radio, frame, oddities, protected, key, freshness, decoded))
