"""The contracts between a board, what carries its frames, and time. Types only.

A *link* is what carries frames: the lab's air, or a radio. A *station* is what stands above it: a board, or a router.
The link is two-way because the radio of a board answers even when no program listens: acknowledging and retrying
belong to the link, and what the station told it with `configure` decides for whom it answers.

Rules:

- Every frame is the whole MPDU, from frame control to the end of the body, without FCS.
- `Link.transmit` returns at once. Its answer comes later through `Station.outcome`, exactly once for each token,
  never from inside `transmit`. Frames of one station leave in the order given.
- `Station.received` gets what the receiver decoded: frames for its addresses and for groups, and it may get others';
  filtering is the station's.
- A link calls its station one call at a time. Where a thread reads frames, it holds the board's lock for each call, and
  the program's calls hold the same lock while they touch node or link (`espnow.radio.loop`). In a lab there is one
  thread.
- Time is integer microseconds since the clock's start. Nobody but a clock reads one or sleeps.
- A link never raises through `received` or `outcome`, and a station never lets an exception out of them.
- What a link cannot do is declared (`Abilities`). What goes wrong with its device meanwhile is its `trouble`, and what
  it then cannot send is answered as not acknowledged; it goes on by itself when the device is back.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import NamedTuple, Protocol

__all__ = [
    "Abilities",
    "Absence",
    "Clock",
    "Cpu",
    "Interface",
    "Link",
    "Outcome",
    "PowerSave",
    "RadioConfig",
    "Station",
    "Timer",
    "ProtocolBit",
    "Wait",
]


class Interface(enum.IntEnum):
    """The two Wi-Fi interfaces of a board, numbered as ESP-IDF and MicroPython number them."""

    STA = 0
    AP = 1


class ProtocolBit(enum.IntFlag):
    """What a receiver decodes; bits of ESP-IDF's ``esp_wifi_set_protocol`` (``WIFI_PROTOCOL_*``)."""

    B = 1
    G = 2
    N = 4
    LR = 8


class Outcome(enum.Enum):
    """What became of a frame that was handed to a link."""

    ACKNOWLEDGED = "acknowledged"
    NOT_ACKNOWLEDGED = "not acknowledged"
    UNKNOWN = "unknown"


class Absence(enum.Enum):
    """Why a receiver is off, or away from its home channel; the value is how a person reads it."""

    OFF = "Wi-Fi is off"
    SCANNING = "scanning for networks"
    SEARCHING = "scanning for its router"
    LIGHT_SLEEP = "in light sleep"
    DEEP_SLEEP = "in deep sleep"
    RESTARTING = "restarting"
    SLEPT_ACTIVE = "deaf since it slept with Wi-Fi active"
    NO_POWER = "without power"


class PowerSave(NamedTuple):
    """When a station in power save has its receiver on: around beacons, and for a while after its own traffic.

    Attributes:
        first_us: begin of one of the times in which the receiver is on.
        period_us: from one of these to the next; with a fraction where the clock is not the air's.
        on_us: how long each lasts.
        linger_us: how long the receiver stays on after a frame that the station sent, or that was addressed to it.
    """

    first_us: int
    period_us: float
    on_us: int
    linger_us: int


@dataclass(frozen=True, slots=True)
class RadioConfig:
    """What a station asks of its radio; replaces the previous one whole.

    Attributes:
        addresses: the active interfaces and their MAC addresses (6 bytes); empty while Wi-Fi is off: what waits then is
            not sent any more, and answered as not acknowledged. The link acknowledges unicast frames to these, and
            refuses to answer for any other.
        channel: 1 to 14, one for all interfaces.
        protocols: what the receiver decodes.
        receiver_on: False while the receiver sleeps: nothing is heard and nothing is acknowledged.
        rate: the ``wifi_phy_rate_t`` number that unicast action frames leave with, as ESP-NOW's are; Wi-Fi's own leave
            with 1 Mb/s.
        group_rate: the same for broadcast and multicast ones.
        tx_power_dbm: transmit power.
        attempts: how often a unicast frame is tried in all before it counts as not acknowledged.
        power_save: the receiver, while on, is so at these times only; None for always. A radio that cannot sleep in
            this way may ignore it.
        absence: why the receiver is off, or on another channel than the station's own, for whoever asks why a frame
            was missed.
        promiscuous: hand up what is heard for others, too: every management frame, and acknowledgements. Of data
            frames a radio may hand up none.
    """

    addresses: tuple[tuple[Interface, bytes], ...] = ()
    channel: int = 1
    protocols: ProtocolBit = ProtocolBit.B | ProtocolBit.G | ProtocolBit.N
    receiver_on: bool = False
    rate: int = 0
    group_rate: int = 0
    tx_power_dbm: float = 20.0
    attempts: int = 7
    power_save: PowerSave | None = None
    absence: Absence | None = None
    promiscuous: bool = False


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a link can do. What is declared here is checked, and what is not is skipped, by `espnow.testing`.

    Attributes:
        sends: frames leave it; one that replays a capture only hears.
        acknowledges: it answers unicast frames to its addresses, so that their senders see success.
        tells_outcome: it tells a frame that was acknowledged from one that was not, rather than that it is unknown.
        tells_attempts: the number of attempts in an outcome is what happened on the air.
        retries: it tries again a unicast frame that was not acknowledged, as often as it is told.
        promiscuous: it hears frames for others when it is told to.
        channels: that it can be configured to.
        rates: `wifi_phy_rate_t` numbers that it sends with as it is told; another is replaced.
        max_mpdu: longest frame that it takes, in bytes without FCS.
    """

    sends: bool = True
    acknowledges: bool = True
    tells_outcome: bool = True
    tells_attempts: bool = True
    retries: bool = True
    promiscuous: bool = True
    channels: frozenset[int] = frozenset(range(1, 15))
    rates: frozenset[int] = frozenset((*range(4), *range(5, 32), 41, 42))
    max_mpdu: int = 2304


class Station(Protocol):
    """What stands above a link."""

    def received(self, mpdu: bytes, rssi_dbm: int, channel: int, rate: int, at_us: int) -> None:
        """Take a frame that the receiver decoded; `at_us` is the time of its last bit."""

    def outcome(self, token: int, outcome: Outcome, attempts: int, at_us: int) -> None:
        """Take the answer for the frame that was transmitted with `token`."""


class Link(Protocol):
    """What carries the frames of one station.

    Attributes:
        station: who is above it; set before the first `configure`.
    """

    station: Station

    @property
    def abilities(self) -> Abilities:
        """What it can do."""

    @property
    def trouble(self) -> str | None:
        """What is wrong with its device now, one line that says what to do; None while it works."""

    def configure(self, config: RadioConfig) -> None:
        """Make the radio work as `config` says from now on."""

    def transmit(self, mpdu: bytes, token: int) -> None:
        """Queue a frame, sent from the interface whose address is its transmitter address.

        Raises:
            LinkFull: no room now; the frame was not taken, and there will be no outcome for `token`.
        """

    def close(self) -> None:
        """Leave everything as it was found. Nothing is called afterwards, and it may be called again."""


class Timer(Protocol):
    """A call that waits for its time."""

    def cancel(self) -> None:
        """Forget the call. Harmless when it was made already."""


class Clock(Protocol):
    """The owner of time."""

    @property
    def now_us(self) -> int:
        """Microseconds since this clock's start."""

    def call_at(self, at_us: int, function: Callable[[], None], *, background: bool = False) -> Timer:
        """Call `function` at `at_us`, or as soon as possible if that is past; calls of one time keep their order.

        Args:
            at_us: when.
            function: what to call; it must not block.
            background: a chore that repeats for ever, such as a beacon: a run that waits for something to happen does
                not wait for this.
        """


class Cpu(Protocol):
    """A board's one thread of control, as its program's blocking calls see it."""

    def pause(self, until_us: int | None) -> None:
        """Let time pass until `wake` is called or `until_us` is reached (None: no limit); may return early.

        Called by the program's own thread of control only.
        """

    def wake(self) -> None:
        """End the pause that the program is in. One that comes while it is in none may end the next pause at once."""

    def spend(self, us: int) -> None:
        """Let the program compute for `us` microseconds: time passes, events happen, nothing is waited for."""


class Wait(Protocol):
    """Where a thread waits on the host."""

    def wait(self, timeout_s: float, readable: Collection[int]) -> set[int]:
        """Wait for one of the descriptors, for `wake`, or for so many seconds; return the descriptors that are ready.

        One that is broken is ready: using it tells why.
        """

    def wake(self) -> None:
        """End the wait, or the next one; from any thread. From the thread itself only where it does not wait."""

    def interrupt(self) -> None:
        """Do so in a handler of a signal."""

    def close(self) -> None:
        """Give back what it waits with; may be called again."""
