"""A router of a lab: a station on the air that is nothing but an access point.

Rules:

- It has the same machine as a board's own access point (`espnow.board.accesspoint`), and its own radio.
- Its address, unless the user gives one, is locally administered and numbered; a board's is not, so that routers
  change no board's address.
- What the user gets wrong is a UserError that says what is allowed.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from espnow.board.accesspoint import ApTiming, JoinedStation, ServiceSet
from espnow.board.wifi_values import AccessPoint
from espnow.errors import FrameError, LinkFull, UserError
from espnow.frame import format_mac, is_group, station_address
from espnow.frame.kinds import is_wifi
from espnow.frame.management import ProbeRequest, parse_wifi
from espnow.lab.arguments import check_position
from espnow.link import Clock, Interface, Outcome, ProtocolBit, RadioConfig

if TYPE_CHECKING:
    from espnow.air import AirLink, Position

__all__ = ["Router", "check_router", "check_router_mac"]

#: Addresses of routers without one: locally administered, then a number.
_MAC_PREFIX = bytes.fromhex("026e6574")

#: The network behind every router.
NETWORK = bytes((192, 168, 1))

#: How many stations a router takes. Assumed.
MAX_STATIONS = 32

_WPA2 = 3
_MAX_SSID = 32
_KEY_LENGTHS = range(8, 65)
_CHANNELS = range(1, 15)


class Router:
    """A router. Made by `Lab.router`.

    Attributes:
        name: unique in its lab.
        ssid: the name of its network.
        key: its password; empty for an open network.
        mac: its address, the bssid that a scan shows.
        internet: whether the computer's network is reached through it.
    """

    def __init__(
        self,
        name: str,
        link: AirLink,
        clock: Clock,
        chance: Random,
        *,
        mac: bytes,
        access_point: AccessPoint,
        channel: int,
        tx_power_dbm: float,
        internet: bool,
        attempts: int,
        timing: ApTiming,
        move: Callable[[AirLink, Position], None],
    ) -> None:
        self.name = name
        self.mac = mac
        self.ssid = access_point.ssid.decode(errors="replace")
        self.key = access_point.key.decode(errors="replace")
        self.internet = internet
        self._link = link
        self._clock = clock
        self._chance = chance
        self._tx_power_dbm = tx_power_dbm
        self._attempts = attempts
        self._move = move
        self._token = 0
        self._sequence = 0
        self._service = ServiceSet(self, mac, access_point, channel=channel, network=NETWORK, timing=timing)
        link.station = self
        self.up()

    def __repr__(self) -> str:
        state = f"on channel {self.channel}" if self.is_up else "down"
        return f"<Router {self.name} {self.ssid!r} {format_mac(self.mac)} {state}>"

    @property
    def is_up(self) -> bool:
        """Whether it is there at all."""
        return self._service.running

    @property
    def channel(self) -> int:
        """Where it is, 1 to 14; while it announces another one, still the old one."""
        return self._service.channel

    @property
    def stations(self) -> list[JoinedStation]:
        """Who has joined: each with its `mac`, its `ip` and whether it is in `power_save`."""
        return self._service.joined

    @property
    def position(self) -> Position:
        """Where it stands: metres east, metres north. Can be set; UserError if it is no position."""
        return self._link.position

    @position.setter
    def position(self, position: Position) -> None:
        self._move(self._link, check_position(self.name, position))

    def down(self) -> None:
        """Take its power: it is silent at once, and forgets who had joined."""
        self._service.stop()
        self._link.configure(RadioConfig())

    def up(self) -> None:
        """Give it power again. Harmless while it has some."""
        self._service.start()
        self._tune(self.channel)

    def set_channel(self, channel: int) -> None:
        """Go to another channel: its next beacons announce that, and who has joined follows.

        Raises:
            UserError: no such channel.
        """
        _check_channel(self.name, channel)
        if not self.is_up:
            self._service.channel = channel
        elif channel != self.channel:
            self._service.switch_channel(channel, self._tune)

    def _tune(self, channel: int) -> None:
        self._link.configure(
            RadioConfig(
                addresses=((Interface.AP, self.mac),),
                channel=channel,
                protocols=ProtocolBit.B | ProtocolBit.G | ProtocolBit.N,
                receiver_on=True,
                tx_power_dbm=self._tx_power_dbm,
                attempts=self._attempts,
            )
        )

    # For the access point (`espnow.board.accesspoint.Radio`).

    @property
    def clock(self) -> Clock:
        """The owner of time."""
        return self._clock

    @property
    def at_home(self) -> bool:
        """Always: it never searches."""
        return True

    def send_frame(self, mpdu: bytes) -> None:
        """Hand a frame to the link; one that finds no room is lost."""
        self._token += 1
        try:
            self._link.transmit(mpdu, self._token)
        except LinkFull:
            pass

    def take_sequence(self) -> int:
        """Return its next sequence number."""
        number = self._sequence
        self._sequence = number + 1 & 0xFFF
        return number

    def random_bytes(self, length: int) -> bytes:
        """Return so many random bytes."""
        return self._chance.randbytes(length)

    # From the link (`espnow.link.Station`).

    def received(self, mpdu: bytes, rssi_dbm: int, channel: int, rate: int, at_us: int) -> None:
        """Take a frame: what is Wi-Fi's, and for it or a question to all."""
        if not is_wifi(mpdu):
            return
        try:
            frame = parse_wifi(mpdu)
        except FrameError:
            return
        if isinstance(frame, ProbeRequest) or not is_group(mpdu[4:10]):
            self._service.received(frame)

    def outcome(self, token: int, outcome: Outcome, attempts: int, at_us: int) -> None:
        """Take the link's answer; what matters is asked again by time."""


def check_router(
    name: str, ssid: str | bytes, key: str | bytes, channel: int, tx_power_dbm: float, hidden: bool
) -> AccessPoint:
    """Return what a router's user wants, as an access point.

    Raises:
        UserError: something cannot be.
    """
    for what, value in (("ssid", ssid), ("key", key)):
        if not isinstance(value, str | bytes | bytearray):
            raise UserError(f"router {name!r}: {what} is {value!r}, and must be a str or bytes")
    whole = ssid.encode() if isinstance(ssid, str) else bytes(ssid)
    secret = key.encode() if isinstance(key, str) else bytes(key)
    if not 0 < len(whole) <= _MAX_SSID:
        raise UserError(f"router {name!r}: an ssid has 1 to {_MAX_SSID} bytes, and {ssid!r} has {len(whole)}")
    if secret and len(secret) not in _KEY_LENGTHS:
        raise UserError(
            f"router {name!r}: a key has {_KEY_LENGTHS[0]} to {_KEY_LENGTHS[-1]} characters, not {len(secret)}; "
            "an open network has none"
        )
    _check_channel(name, channel)
    if not isinstance(tx_power_dbm, int | float) or not 0 <= tx_power_dbm <= 30:
        raise UserError(f"router {name!r}: tx_power_dbm is {tx_power_dbm!r}, and must be from 0 to 30")
    return AccessPoint(whole, secret, bool(hidden), _WPA2 if secret else 0, MAX_STATIONS)


def check_router_mac(name: str, mac: bytes | str | None, number: int, taken: dict[bytes, str]) -> bytes:
    """Return the address of a router: the one that is given, or the next that nobody has.

    Raises:
        UserError: it is no station's address, or somebody has it.
    """
    if mac is None:
        while (address := _MAC_PREFIX + number.to_bytes(2, "big")) in taken:
            number += 1
        return address
    try:
        address = station_address(mac)
    except (ValueError, TypeError) as error:
        raise UserError(f"router {name!r}: {error}") from None
    if address in taken:
        raise UserError(f"{taken[address]!r} and router {name!r} have the same MAC address {format_mac(address)}")
    return address


def _check_channel(name: str, channel: int) -> None:
    if not isinstance(channel, int) or isinstance(channel, bool) or channel not in _CHANNELS:
        raise UserError(f"router {name!r}: channel is {channel!r}, and must be from 1 to 14")
