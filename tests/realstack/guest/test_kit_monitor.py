"""The radio of Linux's monitor mode passes the checks that any radio must pass.

Twice: as it is, where nobody acknowledges what is sent to it, and with the acknowledging option. The kernel's own air
carries the frames, but for the checks that it cannot serve. The adapters stay plugged in from test to test, as a
person's do: each finds them as the one before left them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hwsim import Hwsim, Radio
from medium import Medium

from espnow.link import Abilities, Link
from espnow.radio import open_radio
from espnow.radio.loop import RadioLoop
from espnow.radio.monitor import MonitorRadio
from espnow.testing import LoopRig, OpenLink, RadioChecks, Rig

#: The kernel's own air makes no second try, and loses nothing; the medium has no HT rates.
_NEED_MEDIUM = {"it_tries_as_often_as_it_is_told", "accounts_hold_when_frames_are_lost"}

#: What radios with these settings declared: asking costs a second in an emulated machine.
_declared: dict[str, Abilities] = {}


@pytest.fixture(scope="module")
def driver() -> Iterator[Hwsim]:
    with Hwsim() as hwsim:
        for _ in range(3):
            hwsim.plug()
        yield hwsim


class MonitorRig(LoopRig):
    """Three adapters."""

    def __init__(self, adapters: list[Radio], medium: Medium | None, settings: str) -> None:
        super().__init__(self._open_one)
        self._adapters = adapters
        self._medium = medium
        self._settings = settings
        self._idle = list(adapters)

    def close(self) -> None:
        super().close()
        if self._medium is not None:
            self._medium.close()

    @property
    def abilities(self) -> Abilities:
        if self._settings not in _declared:
            _declared[self._settings] = super().abilities
        return _declared[self._settings]

    def release(self, opened: OpenLink) -> None:
        super().release(opened)
        assert isinstance(opened.link, MonitorRadio)
        name = opened.link.adapter.name
        self._idle += [adapter for adapter in self._adapters if adapter.interface == name]

    def set_loss(self, probability: float) -> bool:
        if self._medium is None:
            return False
        for sender in self._adapters:
            for receiver in self._adapters:
                self._medium.path(sender, receiver).loss = probability
        return True

    def _open_one(self, loop: RadioLoop, report: Callable[[str], None]) -> Link:
        return open_radio(f"monitor:{self._idle.pop(0).interface}{self._settings}", loop, report)


class MonitorChecks(RadioChecks):
    settings = ""

    @pytest.fixture
    def rig(self, request: pytest.FixtureRequest, driver: Hwsim) -> Rig:
        needed = request.node.callspec.params["check"].name in _NEED_MEDIUM
        return MonitorRig(driver.radios, Medium(driver) if needed else None, self.settings)


class TestMonitor(MonitorChecks):
    pass


class TestMonitorThatAcknowledges(MonitorChecks):
    settings = "?ack=on"
