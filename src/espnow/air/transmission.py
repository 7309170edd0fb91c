"""What the air tells of a frame: who sent it how and when, who heard it, and why somebody did not. Values only."""

from __future__ import annotations

import enum
from typing import NamedTuple

__all__ = ["MissReason", "Reception", "Transmission"]


class Reception(NamedTuple):
    """One station's hearing of a transmission."""

    station: str
    rssi_dbm: int


class MissReason(enum.Enum):
    """Why a station did not get a frame; the value is how a person reads it."""

    NOBODY = "nobody has this address"
    OUT_OF_RANGE = "out of range"
    OTHER_CHANNEL = "on another channel"
    RECEIVER_OFF = "its receiver was off"
    ASLEEP = "asleep in power save"
    RETUNED = "it came to the channel while the frame was on the air"
    SENDING = "it was sending itself"
    NO_LONG_RANGE = "its protocols lack long range"
    COLLIDED = "others sent at the same time"
    LOST = "lost on the way"
    ACK_LOST = "it arrived, and its acknowledgement was lost"


class Transmission(NamedTuple):
    """One frame on the air, each attempt and each acknowledgement its own.

    Attributes:
        at_us: begin of its preamble.
        end_us: end of its last bit.
        station: name of the sending station.
        mpdu: its bytes without FCS.
        channel: 1 to 14.
        rate: ``wifi_phy_rate_t`` number.
        attempt: 1 for the first.
        receptions: who decoded it and handed it up, or (unicast) acknowledged it.
        models: so many stations without programs decoded it besides, if it was for all.
    """

    at_us: int
    end_us: int
    station: str
    mpdu: bytes
    channel: int
    rate: int
    attempt: int
    receptions: tuple[Reception, ...]
    models: int = 0
