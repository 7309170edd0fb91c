"""The radios of this package pass the checks that any radio must pass."""

from __future__ import annotations

import fcntl
import io
import os
import sys
import termios
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from random import Random

import pytest

from espnow.air import Air
from espnow.frame import ALL_RATES, RATE_LORA_250K, radiotap
from espnow.frame.captures import CaptureParser, build_interface, build_packet, build_section
from espnow.link import Link
from espnow.radio import open_radio
from espnow.radio.loop import RadioLoop
from espnow.radio.pcap import PcapRadio
from espnow.radio.record import Recording, RecordingLink, record
from espnow.radio.udp import UdpRadio
from espnow.testing import LoopRig, ManualClock, OpenLink, RadioChecks, Rig, VirtualRig


class TestNone(RadioChecks):
    @pytest.fixture
    def rig(self) -> Rig:
        return LoopRig("none:", links=1)


def _unread(fifo: int) -> int:
    """Return how many bytes wait in a FIFO: on a busy computer two turns of a loop may come before they are there."""
    return int.from_bytes(fcntl.ioctl(fifo, termios.FIONREAD, bytes(4)), sys.byteorder)


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
        for _ in range(10):  # one that is not configured yet, or closed, reads nothing
            if not any(map(_unread, self._writers.values())):
                break
            super().settle()
        while any(radio._records for radio in self._radios.values()):
            super().settle()


class TestPcap(RadioChecks):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> Rig:
        return PcapRig(tmp_path)


class UdpRig(LoopRig):
    """Radios in a group that no other test has."""

    def __init__(self, settings: str = "", *, wrap: Callable[[Link, RadioLoop], Link] | None = None) -> None:
        name = f"udp:239.24.254.52:{20_000 + os.getpid() % 20_000}{settings}"
        self._all: list[UdpRadio] = []

        def open_one(loop: RadioLoop, report: Callable[[str], None]) -> Link:
            radio = open_radio(name, loop, report)
            assert isinstance(radio, UdpRadio)
            self._all.append(radio)
            return radio if wrap is None else wrap(radio, loop)

        super().__init__(open_one)

    def set_loss(self, probability: float) -> bool:
        for radio in self._all:
            radio._settings = replace(radio._settings, loss=probability)
            radio._random.seed(5)
        return True


class TestUdp(RadioChecks):
    @pytest.fixture
    def rig(self) -> Rig:
        return UdpRig()


class TestUdpUnpaced(RadioChecks):
    @pytest.fixture
    def rig(self) -> Rig:
        return UdpRig("?pace=off")


class TestRecorded(RadioChecks):
    """A radio that is recorded passes as it does alone, and each recording can be read to its end."""

    @pytest.fixture
    def rig(self, tmp_path: Path) -> Iterator[Rig]:
        reports: list[str] = []
        numbers = count()

        def wrap(radio: Link, loop: RadioLoop) -> Link:
            return record(radio, loop, tmp_path / f"{next(numbers)}.pcapng", reports.append)

        yield UdpRig("?pace=off", wrap=wrap)
        assert reports == []
        for path in tmp_path.iterdir():
            parser = CaptureParser()
            parser.feed(path.read_bytes())
            parser.finish()


class TestRecordedAir(RadioChecks):
    """In virtual time, too."""

    @pytest.fixture
    def rig(self) -> Rig:
        clock = ManualClock()
        medium = Air(clock, Random)
        numbers = count()

        def open_one() -> Link:
            link = medium.attach(f"s{next(numbers)}", (0.0, 0.0))
            return RecordingLink(link, clock, Recording(io.BytesIO()), report=pytest.fail, wall_us=lambda: clock.now_us)

        return VirtualRig(open_one, clock)
