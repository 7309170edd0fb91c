"""The radio that reaches nobody: what it says of frames, on and off."""

from __future__ import annotations

import pytest

from espnow.frame import BROADCAST, build
from espnow.link import Interface, Outcome, RadioConfig
from espnow.radio.none import NoRadio
from espnow.testing import ManualClock

OWN, PEER = bytes.fromhex("18fe34000008"), bytes.fromhex("30aaaaaaaaaa")
ON = RadioConfig(addresses=((Interface.STA, OWN),), receiver_on=True, attempts=5)
ACKNOWLEDGED, NOT_ACKNOWLEDGED = Outcome.ACKNOWLEDGED, Outcome.NOT_ACKNOWLEDGED


class Station:
    def __init__(self) -> None:
        self.outcomes: list[tuple[int, Outcome, int]] = []

    def outcome(self, token: int, outcome: Outcome, attempts: int, at_us: int) -> None:
        self.outcomes.append((token, outcome, attempts))

    def received(self, mpdu: bytes, rssi_dbm: int, channel: int, rate: int, at_us: int) -> None:
        raise AssertionError("it hears")


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (ON, [(1, NOT_ACKNOWLEDGED, 5), (2, ACKNOWLEDGED, 1)]),
        (RadioConfig(), [(1, NOT_ACKNOWLEDGED, 0), (2, NOT_ACKNOWLEDGED, 0)]),
    ],
    ids=["on", "off"],
)
def test_what_becomes_of_a_frame(config: RadioConfig, told: list[tuple[int, Outcome, int]]) -> None:
    clock = ManualClock()
    radio = NoRadio(clock)
    station = radio.station = Station()
    radio.configure(config)
    for token, to in ((1, PEER), (2, BROADCAST)):
        radio.transmit(build(to, OWN, b"x", seq=0, random_value=1), token)
    assert station.outcomes == []  # never from inside
    clock.advance(1_000_000)
    assert station.outcomes == told
