"""The lab's air passes the checks that any radio must pass."""

from __future__ import annotations

from itertools import count
from random import Random

import pytest

from espnow.air import Air
from espnow.testing import ManualClock, RadioChecks, Rig, VirtualRig


class TestAir(RadioChecks):
    @pytest.fixture
    def rig(self) -> Rig:
        clock = ManualClock()
        air = Air(clock, Random)
        names = count()

        def set_loss(probability: float) -> None:
            air.loss = probability

        return VirtualRig(lambda: air.attach(f"s{next(names)}", (0.0, 0.0)), clock, set_loss=set_loss)
