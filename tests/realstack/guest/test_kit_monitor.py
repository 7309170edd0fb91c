"""The radio of Linux's monitor mode passes the checks that any radio must pass.

As it is, where nobody acknowledges what is sent to it, and with the acknowledging option, as far as that makes a
difference. The kernel's own air carries the frames, but for the checks that it cannot serve. The adapters stay plugged
in from test to test, as a person's do: each finds them as the one before left them.
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
from espnow.testing.kit import Check

#: The kernel's own air makes no second try, loses nothing, and on 6.1 passes frames of other channels (measured); the
#: medium has no HT rates.
_NEED_MEDIUM = {
    "accounts_hold_when_frames_are_lost",
    "it_tries_as_often_as_it_is_told",
    "other_channels_are_not_heard",
}

#: Besides those of acknowledgements: where access points of the radio's own stand between it and its adapter.
_OTHER_WITH_ACCESS_POINTS = {
    "closing_gives_everything_back",
    "each_channel_works",
    "frames_are_answered_when_it_is_switched_off",
    "own_frames_are_not_heard",
    "the_channel_may_change_with_frames_under_way",
}

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


def make_rig(check: Check, driver: Hwsim, settings: str = "") -> Rig:
    return MonitorRig(driver.radios, Medium(driver) if check.name in _NEED_MEDIUM else None, settings)


class TestMonitor(RadioChecks):
    @pytest.fixture
    def rig(self, check: Check, driver: Hwsim) -> Rig:
        return make_rig(check, driver)


class TestMonitorThatAcknowledges(RadioChecks):
    @pytest.fixture
    def rig(self, check: Check, driver: Hwsim) -> Rig:
        if "acknowledges" not in check.needs and check.name not in _OTHER_WITH_ACCESS_POINTS:
            pytest.skip("as without acknowledging")
        return make_rig(check, driver, "?ack=on")
