"""Where links of one kind hear each other, and how time passes there.

Rules:

- A rig opens links that are on one medium of its own: nobody else's frames come there, and nothing is lost unless it is
  told so.
- Each link comes with its clock and its lock, as a board has them; whoever calls the link holds the lock, which may be
  taken again by who holds it.
- Nothing waits for an amount of time to find out that something happened: `Rig.run_until` waits for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple

from espnow.link import Abilities, Clock, Link
from espnow.radio import open_radio
from espnow.radio.loop import RadioLoop
from espnow.testing.bench import ManualClock

__all__ = ["LoopRig", "OpenLink", "Rig", "VirtualRig"]

#: Opens a link that lives in a loop: the loop, and where it reports what a person should know.
LoopOpener = Callable[[RadioLoop, Callable[[str], None]], Link]


class OpenLink(NamedTuple):
    """A link, and by what it lives.

    Attributes:
        link: the link; no station is set.
        clock: its time.
        lock: held in every call of it and of its station.
    """

    link: Link
    clock: Clock
    lock: AbstractContextManager[Any]


class Rig:
    """What the checks need to know of a kind of radio. `VirtualRig` and `LoopRig` are ready; others subclass this.

    Attributes:
        links: how many can be open at once; checks that need more are skipped.
        limit_us: how long anything may take that must happen, on the links' clocks.
        spoken_rates: the `wifi_phy_rate_t` numbers that `say` can put frames on the air with; for radios that only
            hear. None by default: a radio of the rig does it.
        tries: how often something is sent again that should be acknowledged and is not. In real time there is more than
            one: a computer that is busy answers late, and a real air loses something.
        errors: what went wrong behind the links' backs, a line each; a check fails if there is anything.
    """

    links = 3
    limit_us = 10_000_000
    tries = 1
    spoken_rates: frozenset[int] = frozenset()

    def __init__(self) -> None:
        self.errors: list[str] = []
        self._abilities: Abilities | None = None

    @property
    def abilities(self) -> Abilities:
        """What the radio declares that it can do."""
        if self._abilities is None:
            opened = self.open()
            self._abilities = opened.link.abilities
            with opened.lock:
                opened.link.close()
            self.release(opened)
        return self._abilities

    def open(self) -> OpenLink:
        """Open another link on the rig's medium."""
        raise NotImplementedError

    def release(self, opened: OpenLink) -> None:
        """Let go of what a link lived by; it is closed already."""

    def run_until(self, condition: Callable[[], bool], limit_us: int | None = None) -> bool:
        """Let time pass until `condition` is true, and return whether it became so.

        Args:
            condition: looked at whenever something may have happened.
            limit_us: how long at most; None for `limit_us` of the rig.
        """
        raise NotImplementedError

    def settle(self) -> None:
        """Let everything arrive that is under way."""
        raise NotImplementedError

    def deliver(self) -> None:
        """Let arrive what has left its radio, and as little more as can be; by default `settle` does."""
        self.settle()

    def changed(self) -> None:
        """Take notice that a station was called; may come from any thread."""

    def computing(self) -> AbstractContextManager[Any]:
        """Return what lets the process compute in Python meanwhile; by default nothing does."""
        return nullcontext()

    def set_loss(self, probability: float) -> bool:
        """Let frames and acknowledgements be lost with this probability; False if the medium cannot."""
        return False

    def say(self, mpdu: bytes, *, channel: int, rate: int) -> None:
        """Put a frame on the air, for rigs that set `spoken_rates`; it has arrived, or will without more ado."""
        raise NotImplementedError

    def close(self) -> None:
        """Clear up; the checks closed the links."""


class VirtualRig(Rig):
    """Links in virtual time, such as those of the lab's air.

    Attributes:
        clock: the time of all of them.
    """

    def __init__(
        self, open_link: Callable[[], Link], clock: ManualClock, *, set_loss: Callable[[float], None] | None = None
    ) -> None:
        """Make a rig of links that live by one clock.

        Args:
            open_link: makes another link on the medium.
            clock: the clock that they live by.
            set_loss: lets the medium lose frames with a probability; None if it cannot.
        """
        super().__init__()
        self.clock = clock
        self._open_link = open_link
        self._set_loss = set_loss

    def open(self) -> OpenLink:
        """Open another link."""
        return OpenLink(self._open_link(), self.clock, nullcontext())

    def run_until(self, condition: Callable[[], bool], limit_us: int | None = None) -> bool:
        """Do one thing after the other until `condition` is true."""
        until_us = self.clock.now_us + (self.limit_us if limit_us is None else limit_us)
        while not condition():
            if not self.clock.step(until_us):
                self.clock.advance(until_us - self.clock.now_us)
                return condition()
        return True

    def settle(self) -> None:
        """Let half a second pass."""
        self.clock.advance(500_000)

    def deliver(self) -> None:
        """Nothing: a frame leaves when it is on the air, and no time has passed since."""

    def set_loss(self, probability: float) -> bool:
        """Let the medium lose frames."""
        if self._set_loss is None:
            return False
        self._set_loss(probability)
        return True


class LoopRig(Rig):
    """Radios as programs have them: each in a `RadioLoop` of its own, in real time.

    Attributes:
        reports: what the radios reported, a line each.
    """

    tries = 5

    def __init__(
        self,
        radio: str | LoopOpener | Sequence[str | LoopOpener],
        *,
        links: int = 3,
        settle_ms: float = 0,
        set_loss: Callable[[float], None] | None = None,
    ) -> None:
        """Make a rig of radios.

        Args:
            radio: a radio's name, such as ``"udp:"``, or what opens one, for all links; or a list, one for each link,
                such as ``["monitor:wlan0", "monitor:wlan1"]``.
            links: how many can be open at once; a list says it by its length.
            settle_ms: how long a frame may still be on its way when it is answered. 0 where it has arrived by then,
                though it may not have been read.
            set_loss: lets the medium lose frames with a probability; None if it cannot.
        """
        super().__init__()
        several = not isinstance(radio, str) and not callable(radio)
        self._free: list[str | LoopOpener] = list(radio) if several else [radio] * links  # type: ignore[arg-type, list-item]
        self.links = len(self._free)
        self.reports: list[str] = []
        self._settle_s = settle_ms / 1000
        self._set_loss = set_loss
        self._changed = threading.Event()
        self._in_use: dict[int, tuple[str | LoopOpener, RadioLoop]] = {}

    def open(self) -> OpenLink:
        """Open another radio, in a loop of its own."""
        source = self._free.pop(0)
        loop = RadioLoop()
        loop.on_error = self._keep_error
        try:
            if callable(source):
                with loop.lock:
                    link = source(loop, self.reports.append)
            else:
                link = open_radio(source, loop, self.reports.append)
        except BaseException:
            loop.close()
            self._free.append(source)
            raise
        self._in_use[id(link)] = source, loop
        return OpenLink(link, loop, loop.lock)

    def release(self, opened: OpenLink) -> None:
        """Close a radio's loop."""
        source, loop = self._in_use.pop(id(opened.link))
        loop.close()
        self._free.append(source)

    def run_until(self, condition: Callable[[], bool], limit_us: int | None = None) -> bool:
        """Wait until `condition` is true; it is looked at when a station was called."""
        until_s = time.monotonic() + (self.limit_us if limit_us is None else limit_us) / 1e6
        while True:
            self._changed.clear()
            if condition():
                return True
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                return False
            self._changed.wait(min(left_s, 0.1))

    def settle(self) -> None:
        """Let each loop look twice at what there is to read."""
        if self._settle_s:
            time.sleep(self._settle_s)
        for _ in range(2):
            for _, loop in list(self._in_use.values()):
                passed = threading.Event()
                with loop.lock:
                    loop.call_at(loop.now_us, passed.set)
                passed.wait(self.limit_us / 1e6)

    def changed(self) -> None:
        """Let `run_until` look."""
        self._changed.set()

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Let a thread compute in Python, as a program would."""
        stop = threading.Event()

        def compute() -> None:
            while not stop.is_set():
                sum(range(5_000))

        thread = threading.Thread(target=compute, name="a program that computes")
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def set_loss(self, probability: float) -> bool:
        """Let the medium lose frames."""
        if self._set_loss is None:
            return False
        self._set_loss(probability)
        return True

    def close(self) -> None:
        """End the loops of links that a failure left open."""
        for _, loop in self._in_use.values():
            loop.close()
        self._in_use.clear()

    def _keep_error(self, error: BaseException) -> None:
        self.errors.append(f"a call of the loop raised {type(error).__name__}: {error}")
