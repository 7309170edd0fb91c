"""The radios of this package pass the checks that any radio must pass."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from espnow.frame import ALL_RATES, RATE_LORA_250K, radiotap
from espnow.frame.captures import build_interface, build_packet, build_section
from espnow.radio.pcap import PcapRadio
from espnow.testing import LoopRig, OpenLink, RadioChecks, Rig


class TestNone(RadioChecks):
    @pytest.fixture
    def rig(self) -> Rig:
        return LoopRig("none:", links=1)


class PcapRig(LoopRig):
    """Captures that grow: each radio reads a FIFO, and what is said is written to all of them."""

    spoken_rates = ALL_RATES - {RATE_LORA_250K}  # which radiotap cannot tell

    def __init__(self, folder: Path) -> None:
        super().__init__([f"pcap:{folder}/{number}?delay=0" for number in range(3)])
        self._folder = folder
        self._writers: dict[int, int] = {}
        self._radios: dict[int, PcapRadio] = {}
        for number in range(3):
            os.mkfifo(folder / str(number))

    def open(self) -> OpenLink:
        opened = super().open()
        assert isinstance(opened.link, PcapRadio)
        self._radios[id(opened.link)] = opened.link
        name = str(self._in_use[id(opened.link)][0])
        path = name.removeprefix("pcap:").partition("?")[0]
        writer = self._writers[id(opened.link)] = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        os.write(writer, build_section() + build_interface(radiotap.LINKTYPE))
        return opened

    def release(self, opened: OpenLink) -> None:
        os.close(self._writers.pop(id(opened.link)))
        del self._radios[id(opened.link)]
        super().release(opened)

    def say(self, mpdu: bytes, *, channel: int, rate: int) -> None:
        packet = radiotap.build(channel=channel, rate=rate, rssi_dbm=-40) + mpdu
        block = build_packet(packet, at_us=time.monotonic_ns() // 1000)
        for writer in self._writers.values():
            try:
                os.write(writer, block)
            except BrokenPipeError:  # that radio is closed
                pass

    def settle(self) -> None:
        """A frame is due so long after it was written as the first one took to be read."""
        super().settle()
        while any(radio._records for radio in self._radios.values()):
            super().settle()


class TestPcap(RadioChecks):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> Rig:
        return PcapRig(tmp_path)


class TestUdp(RadioChecks):
    @pytest.fixture
    def rig(self) -> Rig:
        return LoopRig(f"udp:239.24.254.52:{20_000 + os.getpid() % 20_000}")
