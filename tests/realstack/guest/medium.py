"""The air between simulated radios, in user space: who hears what, how strong, and whether an acknowledgement comes.

While a `Medium` is open the kernel gives it every frame that a radio of the driver sends, and it gives them on. It is
the hardware of all radios: it makes the tries that the sender's rate control asked for, marks repeats, and answers for
a radio if one of its interfaces has the address, as mac80211 tells it. Besides radios there are virtual stations, which
a test scripts: boards that are not there.

Rules:

- Nothing is lost, and every frame is heard by all, until a test says otherwise (`Medium.path`).
- There is no airtime: what is sent has arrived. Chance has a seed.
- A frame's report goes back before anybody acts on what he heard, as an acknowledgement comes before an answer.
- Frames cost some milliseconds each in an emulated machine: for traffic at full rate open none; the kernel then passes
  frames itself, loses none, and radios acknowledge.

Follows Linux's ``drivers/net/wireless/virtual/mac80211_hwsim.h``; the same on kernels 6.1 and 6.12.
"""

from __future__ import annotations

import os
import queue
import random
import select
import threading
from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct, iter_unpack
from typing import NamedTuple, Self

from hwsim import FAMILY, Hwsim, Radio

from espnow.frame import format_mac, is_group, radiotap, with_retry
from espnow.radio.monitor import device
from espnow.radio.monitor.netlink import GenericNetlink, Message, attribute, parse_u32, u32
from espnow.radio.monitor.nl80211 import Mode, Nl80211

__all__ = ["Heard", "Medium", "Path", "Transmission", "VirtualStation"]

# Commands and attributes of the family.
_REGISTER, _FRAME, _TX_INFO_FRAME, _ADD_ADDRESS, _DEL_ADDRESS = 1, 2, 3, 7, 8
_RECEIVER, _TRANSMITTER, _MPDU, _FLAGS, _RX_RATE, _SIGNAL, _TX_INFO, _COOKIE, _FREQUENCY = 1, 2, 3, 4, 5, 6, 7, 8, 19

# Flags of a frame: it wants no acknowledgement; it was acknowledged.
_NO_ACK = 2
_ACKNOWLEDGED = 4

#: A rate control's wish: index of the rate, tries. Four of them, the end marked by -1.
_WISH = Struct("=bB")
_WISHES = 4
_S32 = Struct("=i")

#: The last index of the 2.4 GHz band's rates: 1, 2, 5.5, 11, 6, 9, 12, 18, 24, 36, 48, 54 Mb/s.
_LAST_RATE = 11

_ANSWERING = (Mode.STATION, Mode.AP)
_WAIT_S = 30.0
_BUFFER_BYTES = 1 << 20


class Heard(NamedTuple):
    """A frame that a virtual station heard.

    Attributes:
        mpdu: the frame, without FCS.
        rssi_dbm: how strong.
        rate_index: place of its rate among 1, 2, 5.5, 11, 6, 9, 12, 18, 24, 36, 48, 54 Mb/s.
    """

    mpdu: bytes
    rssi_dbm: int
    rate_index: int


@dataclass(frozen=True, slots=True)
class Transmission:
    """A frame that was sent.

    Attributes:
        sender: who sent it.
        mpdu: as it was first sent.
        channel: 1 to 14.
        wishes: indexes of rates with the tries that the sender asked for.
        attempts: tries that were made.
        acknowledged: whether an acknowledgement came.
        wanted: whether one was wanted.
    """

    sender: Radio | VirtualStation
    mpdu: bytes
    channel: int
    wishes: tuple[tuple[int, int], ...]
    attempts: int
    acknowledged: bool
    wanted: bool


class Path:
    """The way of one station's frames to another one.

    Attributes:
        rssi_dbm: how strong they arrive.
        loss: the share that is lost, by chance.
    """

    def __init__(self, chance: random.Random) -> None:
        self.rssi_dbm = -40
        self.loss = 0.0
        self._chance = chance
        self._lose = 0
        self._lose_answers = 0

    def lose(self, frames: int) -> None:
        """Lose the next frames, repeats counted."""
        self._lose = frames

    def lose_answers(self, frames: int) -> None:
        """Let the next frames arrive and lose the acknowledgements that come back for them."""
        self._lose_answers = frames

    def carries(self) -> bool:
        """Tell whether the next frame arrives; the medium's own question."""
        if self._lose:
            self._lose -= 1
            return False
        return self.loss <= 0 or self._chance.random() >= self.loss

    def carries_answer(self) -> bool:
        """Tell whether the acknowledgement of what just arrived comes back; the medium's own question."""
        if self._lose_answers:
            self._lose_answers -= 1
            return False
        return True


class VirtualStation:
    """A station that a test plays. Made by `Medium.add_station`.

    Attributes:
        address: for which it acknowledges.
        channel: the only one that it hears and sends on.
        acknowledges: whether it does.
        act: called with each frame for it or for all, when its sender has its report; it may send.
        heard: frames for it or for all.
    """

    def __init__(self, medium: Medium, address: bytes, channel: int) -> None:
        self.address = address
        self.channel = channel
        self.acknowledges = True
        self.act: Callable[[Heard], object] | None = None
        self.heard: queue.SimpleQueue[Heard] = queue.SimpleQueue()
        self._medium = medium

    def __repr__(self) -> str:
        return f"VirtualStation({format_mac(self.address)})"

    def send(self, mpdu: bytes, *, rate_index: int = 0, attempts: int = 7) -> Transmission:
        """Send a frame, as often as it takes, and return what became of it."""
        return self._medium.send(self, mpdu, ((rate_index, attempts),))

    def next_heard(self, timeout_s: float = _WAIT_S) -> Heard:
        """Wait for a frame and take it out of `heard`."""
        try:
            return self.heard.get(timeout=timeout_s)
        except queue.Empty:
            raise AssertionError(f"{self} heard nothing for {timeout_s:g} s") from None


class Medium:
    """The air, with a thread of its own; a context manager.

    Attributes:
        sent: every frame that was sent since it was opened.
        reports: whether senders get to know what became of their frames; a driver that does not tell.
    """

    def __init__(self, hwsim: Hwsim, *, seed: int = 0) -> None:
        """Take over the air between the radios of `hwsim`, those that come later too."""
        self.sent: list[Transmission] = []
        self.reports = True
        self._hwsim = hwsim
        self._chance = random.Random(seed)
        self._virtual: list[VirtualStation] = []
        self._paths: dict[tuple[bytes, bytes], Path] = {}
        self._told: dict[bytes, bool] = {}
        self._lock = threading.RLock()
        self._nl80211 = Nl80211()
        self._netlink = GenericNetlink(FAMILY)
        self._netlink.set_buffers(_BUFFER_BYTES)
        self._answering = self._interfaces_up()
        self._netlink.request(_REGISTER)
        self._ended = os.eventfd(0)
        self._thread = threading.Thread(target=self._run, name="medium")
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the air back to the kernel."""
        os.eventfd_write(self._ended, 1)
        self._thread.join()
        os.close(self._ended)
        self._netlink.close()
        self._nl80211.close()

    # What a test says.

    def path(self, sender: Radio | VirtualStation, receiver: Radio | VirtualStation) -> Path:
        """Return the way of one station's frames to another one; the way back is another."""
        ends = sender.address, receiver.address
        with self._lock:
            if ends not in self._paths:
                self._paths[ends] = Path(self._chance)
            return self._paths[ends]

    def add_station(self, address: bytes, channel: int) -> VirtualStation:
        """Return a new station without a radio."""
        station = VirtualStation(self, address, channel)
        with self._lock:
            self._virtual.append(station)
        return station

    def acknowledge(self, radio: Radio, whether: bool | None) -> None:
        """Let a radio acknowledge whatever is sent to its permanent address, or nothing; None: as hardware would."""
        with self._lock:
            if whether is None:
                self._told.pop(radio.address, None)
            else:
                self._told[radio.address] = whether

    def send(self, sender: VirtualStation, mpdu: bytes, wishes: tuple[tuple[int, int], ...]) -> Transmission:
        """Send a virtual station's frame (`VirtualStation.send`)."""
        with self._lock:
            sent, actions = self._carry(sender, mpdu, sender.channel, wishes, wanted=not is_group(mpdu[4:10]))
        _act(actions)
        return sent

    # The thread.

    def _run(self) -> None:
        while True:
            ready, _, _ = select.select([self._netlink.fileno(), self._ended], (), ())
            if self._ended in ready:
                return
            for message in self._netlink.events():
                if message.command == _FRAME:
                    self._take(message.attributes)
                elif message.command in (_ADD_ADDRESS, _DEL_ADDRESS):
                    self._note_address(message)

    def _take(self, told: dict[int, bytes]) -> None:
        """Carry a radio's frame, and report."""
        sender = next((radio for radio in list(self._hwsim.radios) if radio.address == told[_TRANSMITTER]), None)
        channel = radiotap.Radiotap(0, frequency_mhz=parse_u32(told[_FREQUENCY])).channel
        if sender is None or channel is None:
            return
        mpdu, flags = told[_MPDU], parse_u32(told[_FLAGS])
        wishes = tuple(
            (rate, tries) for rate, tries in iter_unpack(_WISH.format, told[_TX_INFO]) if rate >= 0 and tries
        )
        wanted = not is_group(mpdu[4:10]) and not flags & _NO_ACK
        with self._lock:
            sent, actions = self._carry(sender, mpdu, channel, wishes, wanted=wanted)
        if self.reports:
            self._netlink.post(
                _TX_INFO_FRAME,
                attribute(_TRANSMITTER, told[_TRANSMITTER]),
                u32(_FLAGS, flags | (_ACKNOWLEDGED if sent.acknowledged else 0)),
                attribute(_SIGNAL, _S32.pack(-30)),
                attribute(_TX_INFO, _made(sent)),
                attribute(_COOKIE, told[_COOKIE]),
            )
        _act(actions)

    def _carry(
        self,
        sender: Radio | VirtualStation,
        mpdu: bytes,
        channel: int,
        wishes: tuple[tuple[int, int], ...],
        *,
        wanted: bool,
    ) -> tuple[Transmission, list[Callable[[], object]]]:
        """Bring a frame to all who hear it, as often as it takes; return what became of it, and what is to be done."""
        attempts = 0
        acknowledged = False
        actions: list[Callable[[], object]] = []
        for rate in (rate for rate, tries in wishes for _ in range(tries)):
            attempts += 1
            copy = mpdu if attempts == 1 else with_retry(mpdu)
            for receiver in self._stations():
                if receiver is sender:
                    continue
                path = self.path(sender, receiver)
                if isinstance(receiver, VirtualStation) and receiver.channel != channel:
                    continue
                if not path.carries():
                    continue
                self._deliver(receiver, copy, channel, rate, path.rssi_dbm, actions)
                if wanted and self._answers(receiver, mpdu[4:10], channel) and path.carries_answer():
                    acknowledged = True
            if acknowledged or not wanted:
                break
        sent = Transmission(sender, mpdu, channel, wishes, attempts, acknowledged, wanted)
        self.sent.append(sent)
        return sent, actions

    def _stations(self) -> list[Radio | VirtualStation]:
        return [*self._hwsim.radios, *self._virtual]

    def _deliver(
        self,
        receiver: Radio | VirtualStation,
        mpdu: bytes,
        channel: int,
        rate: int,
        rssi_dbm: int,
        actions: list[Callable[[], object]],
    ) -> None:
        if isinstance(receiver, Radio):  # the kernel drops it if the radio is on another channel
            self._netlink.post(
                _FRAME,
                attribute(_RECEIVER, receiver.address),
                attribute(_MPDU, mpdu),
                u32(_RX_RATE, min(rate, _LAST_RATE)),
                attribute(_SIGNAL, _S32.pack(rssi_dbm)),
                u32(_FREQUENCY, radiotap.frequency_mhz(channel)),
            )
        elif is_group(mpdu[4:10]) or mpdu[4:10] == receiver.address:
            heard = Heard(mpdu, rssi_dbm, rate)
            receiver.heard.put(heard)
            act = receiver.act
            if act is not None:
                actions.append(lambda: act(heard))

    # Who acknowledges.

    def _answers(self, receiver: Radio | VirtualStation, address: bytes, channel: int) -> bool:
        if isinstance(receiver, VirtualStation):
            return receiver.acknowledges and address == receiver.address
        told = self._told.get(receiver.address)
        if told is not None:
            return told and address == receiver.address
        if address not in self._answering.get(receiver.address, ()):
            return False
        return any(
            interface.phy == receiver.phy_index and interface.address == address and interface.channel == channel
            for interface in self._nl80211.interfaces()
        )

    def _interfaces_up(self) -> dict[bytes, set[bytes]]:
        """Return for which addresses radios answer already: those of their interfaces that are up."""
        found: dict[bytes, set[bytes]] = {}
        radios = {radio.phy_index: radio.address for radio in self._hwsim.radios}
        for interface in self._nl80211.interfaces():
            if interface.phy in radios and interface.mode in _ANSWERING and device.read_device(interface.name).up:
                found.setdefault(radios[interface.phy], set()).add(interface.address)
        return found

    def _note_address(self, message: Message) -> None:
        """Take notice that a radio answers for an address, or no longer."""
        told = message.attributes
        addresses = self._answering.setdefault(told[_TRANSMITTER], set())
        if message.command == _ADD_ADDRESS:
            addresses.add(told[_RECEIVER])
        else:
            addresses.discard(told[_RECEIVER])


def _act(actions: list[Callable[[], object]]) -> None:
    for action in actions:
        action()


def _made(sent: Transmission) -> bytes:
    """Return the tries that were made, as the kernel has them in a report."""
    left = sent.attempts
    made = []
    for rate, tries in sent.wishes:
        if left:
            made.append((rate, min(tries, left)))
            left -= made[-1][1]
    made += [(-1, 0)] * (_WISHES - len(made))
    return b"".join(_WISH.pack(rate, tries) for rate, tries in made)
