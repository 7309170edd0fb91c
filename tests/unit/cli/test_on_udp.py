"""The commands on a real radio: ``udp:``, with another station in this process and a group of its own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from espnow.capture import CaptureReader
from espnow.cli._station import Heard, RadioStation
from espnow.cli.main import main
from espnow.frame import BROADCAST
from espnow.radio import open_radio
from espnow.radio.loop import RadioLoop

OTHER = bytes.fromhex("020000000001")


class Other:
    """Another station, which answers as every radio does."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.heard: list[Heard] = []
        self.loop = RadioLoop()
        self.link = open_radio(name, self.loop, print)
        with self.loop.lock:
            self.station = RadioStation(self.loop, self.link, OTHER, iter(range(1, 10**6)).__next__)
            self.station.hear = self.heard.append
            self.station.tune(6)

    def close(self) -> None:
        with self.loop.lock:
            self.link.close()
        self.loop.close()

    def say_again_and_again(self, destination: bytes) -> None:
        """Send a message a few milliseconds after the one before was answered."""

        def say() -> None:
            self.station.send(destination, b"hello", lambda _answer: self.loop.call_at(self.loop.now_us + 5_000, say))

        with self.loop.lock:
            self.loop.call_at(self.loop.now_us, say)


@pytest.fixture
def other() -> Iterator[Other]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    other = Other(f"udp:239.24.254.52:{port}?pace=off&answer=300")
    yield other
    other.close()


def run(capsys: pytest.CaptureFixture[str], other: Other, command: str, *arguments: object) -> tuple[int, list[str]]:
    code = main([command, "--radio", other.name, *map(str, arguments)])
    return code, capsys.readouterr().out.splitlines()


def test_ping(other: Other, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(capsys, other, "ping", OTHER.hex(":"), "--channel", 6, "-c", 3, "-i", "1ms")
    assert code == 0
    assert "3 sent, 3 acknowledged, 0% loss" in out[-2]


def test_send(other: Other, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(capsys, other, "send", "--channel", 6, OTHER.hex(":"), "hello")
    assert code == 0
    assert "acknowledged after" in out[0]
    assert other.heard[0].mpdu.endswith(b"hello")


def test_scan(other: Other, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(capsys, other, "scan", OTHER.hex(":"), "--channels", "5,6", "--tries", 1)
    assert code == 0
    assert out[-1] == f"{OTHER.hex(':')} answers on channel 6"


def test_listen(other: Other, capsys: pytest.CaptureFixture[str]) -> None:
    mac = "020000000002"
    other.say_again_and_again(bytes.fromhex(mac))
    code, out = run(
        capsys, other, "listen", "--channel", 6, "--count", 3, "--mac", bytes.fromhex(mac).hex(":"), "--for", "30s"
    )
    assert code == 0
    assert [line.split(" B  ")[1] for line in out] == ['"hello"'] * 3


def test_sniff(other: Other, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    other.say_again_and_again(BROADCAST)
    path = tmp_path / "air.pcapng"
    code, out = run(capsys, other, "sniff", "--channel", 6, "--count", 3, "--pcap", path, "--for", "30s")
    assert (code, len(out)) == (0, 3)
    with CaptureReader(str(path)) as reader:
        assert len(list(reader)) == 3


def test_nothing_is_left_behind(other: Other, capsys: pytest.CaptureFixture[str]) -> None:
    before = threading.active_count()
    run(capsys, other, "ping", OTHER.hex(":"), "--channel", 6, "-c", 1)
    assert threading.active_count() == before
