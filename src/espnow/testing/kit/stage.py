"""What a check works with: stations that write down what their links do, and how to put frames on the air.

Rules:

- A station that is called against the contract notes a fault; every check ends by looking whether there is one.
- What a check opened is closed when it is over, whatever it found.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from espnow.errors import FrameError, LinkFull
from espnow.frame import ALL_RATES, BROADCAST, Frame, build, format_mac, parse
from espnow.link import Interface, Outcome, ProtocolBit, RadioConfig
from espnow.testing.kit.rig import OpenLink, Rig

__all__ = ["NOBODY", "Answer", "Heard", "Probe", "Skip", "Speaker", "Stage", "expect", "same"]

#: An address that no station of a check has.
NOBODY = bytes.fromhex("02e59000dead")

_ALL_PROTOCOLS = ProtocolBit.B | ProtocolBit.G | ProtocolBit.N | ProtocolBit.LR
_MASK = 0xFF & ~0x08  # all bits of the second byte but Retry


class Skip(Exception):
    """A check does not apply to a radio; its text says why."""


def expect(condition: object, text: str) -> None:
    """Let a check fail.

    Raises:
        AssertionError: with this text, if the condition is not true.
    """
    if not condition:
        raise AssertionError(text)


def same(one: bytes, other: bytes) -> bool:
    """Tell whether two MPDUs are the same but for what belongs to the radio: Duration and the Retry bit."""
    return one[:1] == other[:1] and one[4:] == other[4:] and one[1] & _MASK == other[1] & _MASK


class Heard(NamedTuple):
    """A frame that a station was given."""

    mpdu: bytes
    rssi_dbm: int
    channel: int
    rate: int
    at_us: int

    @property
    def retry(self) -> bool:
        """Whether it says that it is a repetition."""
        return self.mpdu[1] & 0x08 != 0

    @property
    def message(self) -> bytes | None:
        """The message in it, or None if there is none."""
        try:
            frame = parse(self.mpdu)
        except FrameError:
            return None
        return frame.message if isinstance(frame, Frame) else None


class Answer(NamedTuple):
    """What a station was told of a frame that it sent."""

    outcome: Outcome
    attempts: int
    at_us: int


class Probe:
    """A station that writes down what its link tells it, and what the link does against the contract.

    Attributes:
        name: for messages.
        address: of its STA interface.
        link: the link below.
        heard: what it heard, in order.
        answers: what became of what it sent, by token, in order.
        handed_us: when it sent what, by token.
        faults: what the link did wrong.
        config: what it asked of its link last, or None before that.
        closed: whether the link is closed.
        on_heard: called from inside `received`, or None.
        on_answer: called from inside `outcome`, or None.
    """

    def __init__(self, rig: Rig, opened: OpenLink, name: str, address: bytes) -> None:
        self.name = name
        self.address = address
        self.link = opened.link
        self.opened = opened
        self.heard: list[Heard] = []
        self.answers: dict[int, Answer] = {}
        self.handed_us: dict[int, int] = {}
        self.faults: list[str] = []
        self.config: RadioConfig | None = None
        self._rig = rig
        self._is_held: Callable[[], bool] | None = getattr(opened.lock, "is_owned", None)
        self._in_call = False
        self._in_transmit = False
        self.closed = False
        self.on_heard: Callable[[], None] | None = None
        self.on_answer: Callable[[], None] | None = None
        self._released = False
        self._valid: tuple[RadioConfig, ...] = ()
        self._token = 0
        self._sequence = itertools.count()
        with opened.lock:
            self.link.station = self

    @property
    def now_us(self) -> int:
        """The time of its link."""
        return self.opened.clock.now_us

    @property
    def messages(self) -> list[bytes | None]:
        """The messages that it heard, in order; None for a frame that holds none."""
        return [heard.message for heard in self.heard]

    # What a check does.

    def configure(self, **changes: Any) -> None:
        """Ask something of the link; what is not said is as usual: on channel 1, with the receiver on."""
        settings: dict[str, Any] = {
            "addresses": ((Interface.STA, self.address),),
            "receiver_on": True,
            "protocols": _ALL_PROTOCOLS,
        }
        config = RadioConfig(**(settings | changes))
        with self.opened.lock:
            before, self.config = self.config, config
            # Meanwhile, what was heard before may be handed up, as it was configured then.
            self._valid = (config,) if before is None else (before, config)
            self.link.configure(config)
            self._valid = (config,)

    def transmit(self, mpdu: bytes) -> int:
        """Send a frame, and return its token.

        Raises:
            LinkFull: it was not taken.
        """
        with self.opened.lock:
            self._token += 1
            token = self._token
            self.handed_us[token] = self.now_us
            self._in_transmit = True
            try:
                self.link.transmit(mpdu, token)
            except LinkFull:
                del self.handed_us[token]
                raise
            finally:
                self._in_transmit = False
        return token

    def frame(self, destination: bytes = BROADCAST, message: bytes = b"x", *, source: bytes | None = None) -> bytes:
        """Return a frame of this station."""
        number = next(self._sequence)
        return build(destination, source or self.address, message, seq=number & 0xFFF, random_value=number)

    def send(self, destination: bytes = BROADCAST, message: bytes = b"x") -> int:
        """Send a message, and return the token of its frame.

        Raises:
            LinkFull: it was not taken.
        """
        return self.transmit(self.frame(destination, message))

    def close_link(self) -> None:
        """Close the link; what it lives by remains."""
        with self.opened.lock:
            self.link.close()
            self.closed = True

    def close(self) -> None:
        """Close the link, and what it lives by."""
        if not self.closed:
            self.close_link()
        if not self._released:
            self._released = True
            self._rig.release(self.opened)

    # What the link calls.

    def received(self, mpdu: bytes, rssi_dbm: int, channel: int, rate: int, at_us: int) -> None:
        """Write down a frame."""
        self._enter("received")
        if type(mpdu) is not bytes:
            self._fault(f"received got a frame of type {type(mpdu).__name__}, not bytes")
        if not all(type(value) is int for value in (rssi_dbm, channel, rate, at_us)):
            self._fault(f"received({rssi_dbm!r}, {channel!r}, {rate!r}, {at_us!r}): all of these are ints")
        elif not -128 <= rssi_dbm <= 0:
            self._fault(f"it heard a frame at {rssi_dbm} dBm")
        elif not 0 <= at_us <= self.now_us:
            self._fault(f"at {self.now_us} us it heard a frame that ended at {at_us} us")
        elif rate not in ALL_RATES:
            self._fault(f"it heard a frame at rate {rate}, which is none")
        wrong = [_why_not(config, mpdu, channel) for config in self._valid]
        if wrong and all(wrong):
            self._fault(str(wrong[-1]))
        self.heard.append(Heard(mpdu, rssi_dbm, channel, rate, at_us))
        self._leave(self.on_heard)

    def outcome(self, token: int, outcome: Outcome, attempts: int, at_us: int) -> None:
        """Write down an answer."""
        self._enter("outcome")
        if self._in_transmit:
            self._fault(f"transmit called outcome({token}) from inside; an answer comes later")
        if token in self.answers:
            self._fault(f"frame {token} was answered twice")
        elif token not in self.handed_us:
            self._fault(f"frame {token} was answered, and never taken")
        elif not isinstance(outcome, Outcome) or type(attempts) is not int or attempts < 0:
            self._fault(f"frame {token} was answered with {outcome!r} after {attempts!r} attempts")
        elif not self.handed_us[token] <= at_us <= self.now_us:
            self._fault(
                f"frame {token}, handed over at {self.handed_us[token]} us, was answered for {at_us} us "
                f"at {self.now_us} us"
            )
        self.answers.setdefault(token, Answer(outcome, attempts, at_us))
        self._leave(self.on_answer)

    def _enter(self, what: str) -> None:
        if self.closed:
            self._fault(f"{what} was called after close")
        if self.config is None:
            self._fault(f"{what} was called before the first configure")
        if self._in_call:
            self._fault(f"{what} was called from within another call of the station")
        if self._is_held is not None and not self._is_held():
            self._fault(f"{what} was called without the lock")
        self._in_call = True

    def _leave(self, then: Callable[[], None] | None) -> None:
        if then is not None:
            then()
        self._in_call = False
        self._rig.changed()

    def _fault(self, text: str) -> None:
        if len(self.faults) < 20:
            self.faults.append(f"{self.name}: {text}")


def _why_not(config: RadioConfig, mpdu: bytes, channel: int) -> str | None:
    """Return why a radio that is configured so does not hear a frame; None if it may."""
    if mpdu[10:16] in [address for _, address in config.addresses]:
        return f"it heard a frame of its own: {mpdu.hex()}"
    if not config.receiver_on:
        return "it heard a frame while its receiver was off"
    if channel != config.channel and not config.promiscuous:
        return f"on channel {config.channel} it heard a frame of channel {channel}"
    return None


class Speaker:
    """Puts frames on the air: a radio of the rig, or the rig itself where its radios only hear.

    Attributes:
        address: what its frames come from, unless they say otherwise.
        rates: `wifi_phy_rate_t` numbers that it can say something with.
    """

    def __init__(self, stage: Stage, probe: Probe | None, address: bytes) -> None:
        self.address = address
        self._stage = stage
        self._probe = probe
        self.rates = stage.rig.spoken_rates if probe is None else stage.abilities.rates
        self._as_said: tuple[bytes, int, int] | None = None
        self._sequence = itertools.count(1)

    def frame(self, destination: bytes = BROADCAST, message: bytes = b"x") -> bytes:
        """Return a frame of it."""
        number = next(self._sequence)
        return build(destination, self.address, message, seq=number & 0xFFF, random_value=number)

    def say(self, mpdu: bytes, *, channel: int | None = None, rate: int = 0) -> None:
        """Say a frame once."""
        channel = channel or self._stage.channel
        if self._probe is None:
            self._stage.rig.say(mpdu, channel=channel, rate=rate)
            return
        wanted = mpdu[10:16], channel, rate
        if wanted != self._as_said:
            self._as_said = wanted
            addresses = ((Interface.STA, mpdu[10:16]),)
            self._probe.configure(addresses=addresses, channel=channel, rate=rate, group_rate=rate, attempts=1)
        self._stage.await_answers(self._probe, [self._probe.transmit(mpdu)])

    def tell(self, message: bytes, destination: bytes = BROADCAST, *, channel: int | None = None) -> bytes:
        """Say a message, and return its frame."""
        mpdu = self.frame(destination, message)
        self.say(mpdu, channel=channel)
        return mpdu


class Stage:
    """One check's view of a rig.

    Attributes:
        rig: the rig.
        abilities: what its radio declares.
        channel: one that it can be on.
        probes: the stations of this check.
    """

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.abilities = rig.abilities
        self.channel = min(self.abilities.channels)
        self.probes: list[Probe] = []
        self._marks = itertools.count(1)

    @property
    def other_channel(self) -> int:
        """Another channel, as far away as there is one.

        Raises:
            Skip: there is one channel only.
        """
        if len(self.abilities.channels) < 2:
            raise Skip("the radio has one channel")
        return max(self.abilities.channels)

    def probe(self, **config: Any) -> Probe:
        """Open a link, with a station that is configured as usual, but for what is said."""
        probe = self.silent_probe()
        probe.configure(**({"channel": self.channel} | config))
        return probe

    def silent_probe(self) -> Probe:
        """Open a link whose station has configured nothing."""
        if len([probe for probe in self.probes if not probe.closed]) >= self.rig.links:
            raise Skip(f"the rig has {self.rig.links} link{'' if self.rig.links == 1 else 's'}")
        number = len(self.probes) + 1
        probe = Probe(self.rig, self.rig.open(), f"station {number}", bytes((2, 0xE5, 0x90, 0, 0, 2 * number)))
        self.probes.append(probe)
        return probe

    def speaker(self) -> Speaker:
        """Return what puts frames on the air.

        Raises:
            Skip: nothing can.
        """
        if self.rig.spoken_rates:
            return Speaker(self, None, bytes.fromhex("02e590000101"))
        if not self.abilities.sends:
            raise Skip("the radio does not send, and the rig does not speak")
        probe = self.silent_probe()
        return Speaker(self, probe, probe.address)

    def await_answers(self, probe: Probe, tokens: Iterable[int]) -> list[Answer]:
        """Wait until frames are answered, and return the answers.

        Raises:
            AssertionError: one is not.
        """
        wanted = list(tokens)
        if not self.rig.run_until(lambda: all(token in probe.answers for token in wanted)):
            missing = [token for token in wanted if token not in probe.answers]
            raise AssertionError(
                f"{probe.name}: {len(missing)} of {len(wanted)} frames got no answer in "
                f"{self.rig.limit_us / 1e6:g} s, the first of them frame {missing[0]}"
            )
        return [probe.answers[token] for token in wanted]

    def expect_acknowledged(self, sender: Probe, destination: bytes, message: bytes, *, when: str) -> Answer:
        """Send something that must be acknowledged, and return its answer.

        Raises:
            AssertionError: it is not.
        """
        for _ in range(self.rig.tries):
            (answer,) = self.await_answers(sender, [sender.send(destination, message)])
            if answer.outcome is Outcome.ACKNOWLEDGED:
                break
        else:
            raise AssertionError(f"{when} a frame was {answer.outcome.value}")
        return answer

    def expect_unanswered(self, sender: Probe, destination: bytes, message: bytes = b"x", *, when: str) -> None:
        """Send something that must not be acknowledged.

        Raises:
            AssertionError: it is.
        """
        (answer,) = self.await_answers(sender, [sender.send(destination, message)])
        expect(answer.outcome is Outcome.NOT_ACKNOWLEDGED, f"{when} a frame was {answer.outcome.value}")

    def send_all(self, probe: Probe, frames: Iterable[bytes]) -> list[int]:
        """Send frames as fast as the link takes them, and return their tokens."""
        tokens: list[int] = []
        for mpdu in frames:
            while True:
                answered = len(probe.answers)
                try:
                    tokens.append(probe.transmit(mpdu))
                except LinkFull:
                    expect(
                        self.rig.run_until(lambda answered=answered: len(probe.answers) > answered),  # type: ignore[misc]
                        f"{probe.name}: its link is full, and answers nothing of what it took",
                    )
                else:
                    break
        return tokens

    def send(self, probe: Probe, *destinations: bytes) -> list[int]:
        """Send a message to each of these, and return the tokens."""
        return self.send_all(probe, [probe.frame(destination) for destination in destinations])

    def mark(self, speaker: Speaker, *listeners: Probe, channel: int | None = None) -> None:
        """Say something that listeners hear for sure, so that nothing that was said before can still come.

        Raises:
            AssertionError: one does not hear it.
        """
        message = b"mark %d" % next(self._marks)
        speaker.tell(message, channel=channel)
        self.await_message(message, *listeners)

    def await_message(self, message: bytes, *listeners: Probe) -> None:
        """Wait until listeners heard a message.

        Raises:
            AssertionError: one does not.
        """
        for listener in listeners:
            expect(
                self.rig.run_until(lambda listener=listener: message in listener.messages),  # type: ignore[misc]
                f"{listener.name} ({format_mac(listener.address)}) did not hear {message!r} on channel "
                f"{listener.config.channel if listener.config else None}; it heard {listener.messages[-5:]}",
            )

    def missing(self, messages: set[bytes], listener: Probe) -> set[bytes]:
        """Wait until a listener heard all of these messages, and return those that it did not."""
        self.rig.run_until(lambda: messages <= set(listener.messages))
        return messages - set(listener.messages)

    def finish(self) -> None:
        """Look whether everything that was sent was answered, and nothing went wrong behind the check's back.

        Raises:
            AssertionError: something did.
        """
        for probe in self.probes:
            if not probe.closed:
                self.await_answers(probe, list(probe.handed_us))
                trouble = probe.link.trouble
                expect(trouble is None, f"{probe.name}: nothing is wrong, and its trouble is {trouble!r}")
        self.rig.settle()
        self.close()
        self.rig.settle()
        faults = [fault for probe in self.probes for fault in probe.faults] + self.rig.errors
        expect(not faults, "; ".join(faults))

    def close(self) -> None:
        """Close what is open."""
        for probe in self.probes:
            probe.close()
