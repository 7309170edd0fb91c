"""Datagrams of strangers: random ones, and real ones changed, from one seed.

Rules:

- `Strangers.next` returns a datagram and for whom it counts: the address that the victim's radio must count it under is
  said here once more, by the table in `espnow.radio.udp.datagram` alone (`verdict`).
- What a victim sends is learned and used (`Strangers.learn`): its number, its address, frames to be answered.
"""

from __future__ import annotations

import importlib.util
import math
import random
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from espnow import frame as frames
from espnow.frame import handshake, management
from espnow.frame.mac80211 import ack

HEADER = struct.Struct("<4sBBBBbBHQIff")
_ME = slice(12, 20)
_RATES = (*range(4), *range(5, 32), 41, 42)
_PLACES = (0.0, -1.0, 1e9, -3.4e38, math.nan, math.inf, -math.inf)
_EVERYBODY = b"\xff" * 6

FOREIGN, OWN, UNHEARD, HEARD = "foreign", "own", "unheard", "heard"


def verdict(datagram: bytes, channel: int, own: bytes, longrange: bool = False) -> str:
    """Return under what a paced radio on a channel counts a datagram of the group."""
    if datagram[:4] == b"ESPN" and len(datagram) >= 56 and datagram[_ME] == own:
        return OWN
    if not 32 + 24 <= len(datagram) <= 32 + 2304:
        return FOREIGN
    magic, version, kind, on, rate, rssi_dbm, attempt, _, _, _, east_m, north_m = HEADER.unpack_from(datagram)
    if (magic, version, kind) != (b"ESPN", 1, 1) or not 1 <= on <= 14 or rate not in _RATES or not attempt:
        return FOREIGN
    if rssi_dbm > 30 or math.isinf(east_m) or math.isinf(north_m):
        return FOREIGN
    return HEARD if on == channel and (longrange or rate < 41) else UNHEARD


def seeds() -> list[bytes]:
    """Return MPDUs of all kinds, of those that fuzzing begins with."""
    folder = Path(__file__).parents[1] / "fuzz"
    sys.path.insert(0, str(folder))
    try:
        spec = importlib.util.spec_from_file_location("_seeds", folder / "seeds.py")
        assert spec is not None
        assert spec.loader is not None
        module: Any = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop("targets", None)
    return [mpdu for mpdu in (*module._mpdus(), *module._sealed(), *module._wifi()) if len(mpdu) >= 24]


class Strangers:
    """Makes datagrams."""

    def __init__(self, seed: int, victim: tuple[bytes, ...], channel: int) -> None:
        """Make one that knows what anybody can know.

        Args:
            seed: same seed, same datagrams, but for what is learned.
            victim: addresses of the victim's interfaces.
            channel: on which it is.
        """
        self._chance = random.Random(seed)
        self._victim = victim
        self._channel = channel
        self._mpdus = seeds()
        self._learned: list[bytes] = []
        self.victim_sender: bytes | None = None
        self._makers: list[Callable[[], bytes]] = [
            self._noise,
            self._flipped,
            self._cut,
            self._too_long,
            self._odd_header,
            self._broken_mpdu,
            self._broken_mpdu,
            self._sealed,
            self._wifi,
            self._wifi,
            self._flood,
            self._flood,
            self._message,
            self._answer,
            self._repeated,
            self._long_airtime,
        ]

    def learn(self, datagram: bytes) -> None:
        """Take notice of a datagram that the victim or its peer sent."""
        if len(self._learned) < 256:
            self._learned.append(datagram)
        else:
            self._learned[self._chance.randrange(256)] = datagram
        if datagram[42:48] in self._victim:
            self.victim_sender = datagram[_ME]

    def next(self) -> bytes:
        """Return the next one."""
        return self._makers[self._chance.randrange(len(self._makers))]()

    # What there is.

    def _header(self, mpdu: bytes, **other: Any) -> bytes:
        parts = {
            "magic": b"ESPN",
            "version": 1,
            "kind": 1,
            "channel": self._channel,
            "rate": 0,
            "rssi": -20,
            "attempt": 1,
            "reserved": 0,
            "sender": self._chance.getrandbits(64),
            "number": self._chance.getrandbits(32),
            "east": math.nan,
            "north": math.nan,
            **other,
        }
        return HEADER.pack(*parts.values()) + mpdu

    def _mpdu(self) -> bytes:
        """Return an MPDU from a stranger, mostly to the victim or to everybody."""
        chance = self._chance
        mpdu = chance.choice(self._mpdus)
        to = chance.choice((*self._victim, _EVERYBODY, mpdu[4:10]))
        return mpdu[:4] + to + chance.randbytes(6) + mpdu[16:]

    def _datagram(self) -> bytes:
        if self._learned and self._chance.random() < 0.3:
            return self._chance.choice(self._learned)
        return self._header(self._mpdu())

    def _noise(self) -> bytes:
        return self._chance.randbytes(self._chance.choice((0, 1, 4, 31, 32, 42, 55, 56, 100, 400, 2335)))

    def _flipped(self) -> bytes:
        changed = bytearray(self._datagram())
        for _ in range(self._chance.randint(1, 6)):
            changed[self._chance.randrange(len(changed))] ^= 1 << self._chance.randrange(8)
        return bytes(changed)

    def _cut(self) -> bytes:
        whole = self._datagram()
        return whole[: self._chance.randrange(len(whole))]

    def _too_long(self) -> bytes:
        return self._datagram() + self._chance.randbytes(self._chance.choice((1, 2304, 9000, 40_000)))

    def _odd_header(self) -> bytes:
        """Return a frame with one part of its header as it cannot be, or as it hardly can."""
        chance = self._chance
        name, values = chance.choice(
            (
                ("magic", (b"espn", b"ESPO", bytes(4))),
                ("version", (0, 2, 255)),
                ("kind", (0, 2, 3, 255)),
                ("channel", (0, 15, 255, 2, 14)),
                ("rate", (4, 32, 43, 255, 41, 42, 12, 31)),
                ("rssi", (127, 31, 30, -128)),
                ("attempt", (0, 255)),
                ("reserved", (1, 65535)),
                ("number", (0, 0xFFFFFFFF)),
                ("east", _PLACES),
                ("north", _PLACES),
            )
        )
        return self._header(self._mpdu(), **{name: chance.choice(values)})

    def _broken_mpdu(self) -> bytes:
        chance = self._chance
        changed = bytearray(self._mpdu())
        for _ in range(chance.randint(1, 4)):
            at = chance.choice((0, 1, 2, 22, 23, chance.randrange(len(changed)), chance.randrange(len(changed))))
            changed[at] = chance.randrange(256)
        mpdu = bytes(changed)
        if chance.random() < 0.3:
            mpdu = mpdu[: chance.randint(24, len(mpdu))]
        return self._header(mpdu)

    def _sealed(self) -> bytes:
        chance = self._chance
        head = b"\xd0\x40\x00\x00" + chance.choice((*self._victim, _EVERYBODY)) + chance.randbytes(6) + _EVERYBODY
        packet_number = chance.randbytes(2) + b"\x00\xe0" + chance.randbytes(4)
        return self._header(
            head + chance.randbytes(2) + packet_number + chance.randbytes(chance.choice((0, 8, 31, 300)))
        )

    def _wifi(self) -> bytes:
        """Return a frame of Wi-Fi's own for the victim."""
        chance = self._chance
        me, to = chance.randbytes(6), chance.choice(self._victim)
        made = chance.randrange(8)
        if made == 0:
            network = management.Advertisement(me, chance.randbytes(8), chance.randint(1, 14), chance.choice((0, 3, 6)))
            mpdu = management.build_advertisement(network, seq=1)
        elif made == 1:
            mpdu = management.build_probe_request(me, b"", seq=1)
        elif made == 2:
            mpdu = management.build_authentication(management.Authentication(to, me, to, 0, 1, 0), seq=1)
        elif made == 3:
            mpdu = management.build_association_request(management.AssociationRequest(me, to, b"x", 0), seq=1)
        elif made == 4:
            mpdu = management.build_farewell(management.Farewell(to, me, to, 1, bool(me[0] & 1)), seq=1)
        elif made == 5:
            mpdu = management.build_null(management.NullData(me, to, bool(me[0] & 1)), seq=1)
        elif made == 6:
            mpdu = b"\x08" + chance.randbytes(3) + to + me + to + chance.randbytes(chance.choice((2, 100, 1500)))
        else:
            keys = handshake.pairwise_keys(bytes(32), to, me, (bytes(32), b"\1" * 32))
            message = chance.choice(list(handshake.KeyMessage))
            mpdu = handshake.build_key_frame(
                message, bssid=to, station=me, replay_counter=1, seq=9, keys=keys, group_key=bytes(16)
            )
        return self._header(mpdu)

    def _flood(self) -> bytes:
        """Return a message like others, from a new sender."""
        return self._header(self._esp_now(_EVERYBODY))

    def _message(self) -> bytes:
        """Return a message for the victim, from a new sender."""
        return self._header(self._esp_now(self._chance.choice(self._victim)))

    def _esp_now(self, to: bytes) -> bytes:
        chance = self._chance
        message = chance.randbytes(chance.choice((1, 20, 250)))
        return frames.build(
            to, chance.randbytes(6), message, seq=chance.randrange(4096), random_value=chance.getrandbits(32)
        )

    def _answer(self) -> bytes:
        """Return an acknowledgement that nobody gave."""
        number = self._chance.getrandbits(32)
        if self._learned:
            number = int.from_bytes(self._chance.choice(self._learned)[20:24], "little")
        return self._header(ack(self._chance.choice((*self._victim, _EVERYBODY))), kind=2, number=number)

    def _repeated(self) -> bytes:
        """Return what somebody else sent, as it is, or as the victim's own."""
        whole = self._datagram()
        if self.victim_sender is not None and self._chance.random() < 0.3:
            return whole[:12] + self.victim_sender + whole[20:]
        return whole[:12] + self._chance.randbytes(8) + whole[20:]

    def _long_airtime(self) -> bytes:
        """Return a frame that keeps the channel busy for long."""
        mpdu = self._mpdu().ljust(2304, b"\0")
        return self._header(mpdu, rate=self._chance.choice((0, 41, 42)))
