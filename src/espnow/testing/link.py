"""A link that does what a test says."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from espnow.errors import LinkFull
from espnow.frame import Frame, ProtectedFrame, build, build_protected, parse
from espnow.frame.kinds import is_wifi
from espnow.link import Abilities, Clock, Outcome, RadioConfig, Station

__all__ = ["ScriptedLink"]

_OUTCOMES = {
    "acknowledge": Outcome.ACKNOWLEDGED,
    "refuse": Outcome.NOT_ACKNOWLEDGED,
    "unknown": Outcome.UNKNOWN,
    "withhold": None,
}


class ScriptedLink:
    """A link (`espnow.link.Link`) on which a test injects frames and decides what becomes of those sent.

    Until told otherwise it acknowledges every unicast frame, 3 ms after it was handed over; broadcast and multicast
    frames are always answered so, and so is what is not ESP-NOW's but Wi-Fi's own, such as a beacon.

    Attributes:
        station: the board above.
        config: what the board asked of its radio last.
        configs: all that it ever asked.
        frames: every MPDU that was handed over, in order, Wi-Fi's own too.
        answer_after_us: how long an answer takes.
        abilities: what it can do.
        trouble: what a test says is wrong with it.
        closed: whether it was closed.
    """

    station: Station
    abilities = Abilities()
    trouble: str | None = None
    closed = False

    def __init__(self, clock: Clock, *, answer_after_us: int = 3_000) -> None:
        self._clock = clock
        self.answer_after_us = answer_after_us
        self.config = RadioConfig()
        self.configs: list[RadioConfig] = []
        self.frames: list[bytes] = []
        self._answer: Outcome | None = Outcome.ACKNOWLEDGED
        self._script: deque[Outcome | None] = deque()
        self._withheld: list[int] = []
        self._full_for: float = 0
        self._seq = 0

    # What the board calls.

    def configure(self, config: RadioConfig) -> None:
        """Keep what the board asks."""
        self.config = config
        self.configs.append(config)

    def transmit(self, mpdu: bytes, token: int) -> None:
        """Take a frame.

        Raises:
            LinkFull: as `run_out_of_memory` said.
        """
        wifi = is_wifi(mpdu)
        if self._full_for > 0 and not wifi:
            self._full_for -= 1
            raise LinkFull
        self.frames.append(mpdu)
        if mpdu[4] & 1 or wifi:
            answer: Outcome | None = Outcome.ACKNOWLEDGED
        else:
            answer = self._script.popleft() if self._script else self._answer
        if answer is None:
            self._withheld.append(token)
        else:
            self._give(token, answer, self.answer_after_us)

    def close(self) -> None:
        """Keep that it was closed."""
        self.closed = True

    # What a test says.

    def acknowledge(self) -> None:
        """Acknowledge what is withheld and what comes."""
        self._set(Outcome.ACKNOWLEDGED)

    def refuse(self) -> None:
        """Answer "not acknowledged" for what is withheld and what comes."""
        self._set(Outcome.NOT_ACKNOWLEDGED)

    def withhold(self) -> None:
        """Give no answer for what comes, until `acknowledge` or `refuse`."""
        self._answer = None

    def script(self, answers: Iterable[str]) -> None:
        """Answer the next unicast frames so, one by one: "acknowledge", "refuse", "unknown" or "withhold"."""
        self._script.extend(_OUTCOMES[answer] for answer in answers)

    def run_out_of_memory(self, times: int | None = None) -> None:
        """Refuse the next `times` frames for lack of memory; None refuses all until ``run_out_of_memory(0)``."""
        self._full_for = float("inf") if times is None else times

    def inject(
        self,
        message: bytes | str,
        *,
        source: bytes = b"\x24\x0a\xc4\x00\x00\x01",
        destination: bytes | None = None,
        rssi_dbm: int = -50,
        after_ms: float = 0,
        version: int = 1,
        random_value: int | None = None,
        retry: bool = False,
        key: bytes | None = None,
        packet_number: int = 1,
    ) -> None:
        """Let a message arrive.

        Args:
            message: its bytes, 0 to 1470.
            source: address of the sender.
            destination: by default the address of the board's first active interface.
            rssi_dbm: signal strength.
            after_ms: virtual time until it arrives; at 0 it has arrived when this returns.
            version: 1 or 2.
            random_value: the four random bytes as a number; by default a new one.
            retry: mark the frame as a retry.
            key: encrypt with this CCMP key (`espnow.frame.derive_key`).
            packet_number: for the encryption.

        Raises:
            ValueError: no destination, because no interface is active.
        """
        if destination is None:
            if not self.config.addresses:
                raise ValueError("no interface of the board is active: name a destination")
            destination = self.config.addresses[0][1]
        body = message.encode() if isinstance(message, str) else message
        self._seq = self._seq + 1 & 0xFFF
        number = self._seq if random_value is None else random_value
        if not body:  # nobody sends such a frame; it can arrive all the same
            whole = build(destination, source, b"x", seq=self._seq, random_value=number, version=version, retry=retry)
            at = len(whole) - len(b"\x18\xfe\x34\x04\x01x") - 1  # the length of its one element
            mpdu = whole[:at] + bytes([whole[at] - 1]) + whole[at + 1 : -1]
        elif key is None:
            mpdu = build(destination, source, body, seq=self._seq, random_value=number, version=version, retry=retry)
        else:
            mpdu = build_protected(
                destination,
                source,
                body,
                seq=self._seq,
                random_value=number,
                key=key,
                packet_number=packet_number,
                version=version,
            )
        self.inject_frame(mpdu, rssi_dbm=rssi_dbm, after_ms=after_ms)

    def inject_frame(self, mpdu: bytes, *, rssi_dbm: int = -50, after_ms: float = 0) -> None:
        """Let any bytes arrive as a frame."""
        at_us = self._clock.now_us + round(after_ms * 1000)

        def arrive() -> None:
            self.station.received(mpdu, rssi_dbm, self.config.channel, self.config.rate, at_us)

        if after_ms > 0:
            self._clock.call_at(at_us, arrive)
        else:
            arrive()

    @property
    def sent(self) -> list[Frame | ProtectedFrame]:
        """The frames of ESP-NOW that were handed over, parsed."""
        return [parse(mpdu) for mpdu in self.frames if not is_wifi(mpdu)]

    @property
    def messages(self) -> list[tuple[bytes, bytes]]:
        """``(destination, message)`` of each frame that was handed over unencrypted."""
        return [(frame.destination, frame.message) for frame in self.sent if isinstance(frame, Frame)]

    def _set(self, answer: Outcome) -> None:
        self._answer = answer
        withheld, self._withheld = self._withheld, []
        for token in withheld:
            self._give(token, answer, 0)

    def _give(self, token: int, answer: Outcome, after_us: int) -> None:
        at_us = self._clock.now_us + after_us
        attempts = 1 if answer is Outcome.ACKNOWLEDGED else self.config.attempts
        self._clock.call_at(at_us, lambda: self.station.outcome(token, answer, attempts, at_us))
