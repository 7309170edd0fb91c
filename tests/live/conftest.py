"""Programs and boards that live: each test has an air of its own, on a port that was free."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import espnow
import espnow.radio
from espnow import frame, live
from espnow.link import Interface, Outcome, RadioConfig
from espnow.radio import open_radio
from espnow.radio.loop import RadioLoop

#: How long a condition is waited for before a test fails.
LIMIT_S = 20.0

#: A channel without pace, on which a computer that is busy with something else has time to answer.
PATIENT = "pace=off&answer=20000"
PATIENT_MS = "30000"

#: Where programs begin: an active interface, an active ESPNow with the broadcast address, and a `print` whose line is
#: not mixed with those of callbacks and of other processes.
START = """
import espnow, network, sys, time

def print(*words):
    sys.stdout.write(" ".join(map(str, words)) + "\\n")

network.WLAN(network.WLAN.IF_STA).active(True)
e = espnow.ESPNow()
e.active(True)
b = b"\\xff" * 6
e.add_peer(b)
"""


def until(condition: Callable[[], Any], limit_s: float = LIMIT_S) -> Any:
    """Wait for a condition, and return what it is true with."""
    end = time.monotonic() + limit_s
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, "the condition did not come true"
        time.sleep(0.001)


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind(("", 0))
        return int(held.getsockname()[1])


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("ESPNOW_")}


class Program:
    """A process of Python, with what it has printed so far."""

    def __init__(self, arguments: list[str], environment: dict[str, str], folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=folder,
            env={**clean_environment(), **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self.errors: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, args=(stream, lines), daemon=True)
            for stream, lines in ((self.process.stdout, self.lines), (self.process.stderr, self.errors))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: Any, lines: list[str]) -> None:
        lines += (line.removesuffix("\n") for line in stream)

    @property
    def pid(self) -> int:
        return self.process.pid

    def expect(self, text: str, times: int = 1) -> list[str]:
        """Wait until so many lines with this text were printed, and return them."""

        def found() -> list[str]:
            lines = [line for line in self.lines if text in line]
            return lines if len(lines) >= times else []

        try:
            until(lambda: found() or self.process.poll() is not None)
        except AssertionError:
            pass
        self.join_readers()
        assert found(), (text, self.lines, self.errors)
        return found()

    def join_readers(self) -> None:
        if self.process.poll() is not None:
            for reader in self._readers:
                reader.join(LIMIT_S)

    def write(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        """Wait for its end, and return its exit code."""
        code = self.process.wait(LIMIT_S)
        self.join_readers()
        return code

    def finish(self) -> list[str]:
        """Wait for an end without errors, and return what it printed."""
        assert self.wait() == 0, self.errors
        assert self.errors == []
        return self.lines

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(LIMIT_S)
        self.join_readers()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            try:
                stream.close()
            except BrokenPipeError:
                pass


class Programs:
    """Starts programs of one air."""

    def __init__(self, port: int, folder: Path) -> None:
        self.port = port
        self.folder = folder
        self.radio = f"udp::{port}?{PATIENT}"
        self.started: list[Program] = []

    def _start(self, arguments: list[str], environment: dict[str, str]) -> Program:
        usual = {"ESPNOW_RADIO": self.radio, "ESPNOW_ANSWER_TIMEOUT_MS": PATIENT_MS}
        program = Program(arguments, {**usual, **environment}, self.folder)
        self.started.append(program)
        return program

    def file(self, source: str, name: str = "program.py", **environment: str) -> Program:
        """Run a file."""
        (self.folder / name).write_text(source)
        return self._start([name], environment)

    def code(self, source: str, **environment: str) -> Program:
        """Run `START` and what follows, as a file of its own; what it prints goes out at once."""
        name = f"program{len(self.started)}.py"
        (self.folder / name).write_text(START + source)
        return self._start(["-u", name], environment)


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def programs(port: int, tmp_path: Path) -> Iterator[Programs]:
    made = Programs(port, tmp_path)
    yield made
    for program in made.started:
        program.kill()


class Peer:
    """Another radio of the air, in this process: it answers for its address, and keeps what it hears."""

    def __init__(self, radio: str, mac: bytes = b"\x02\0\0\0\0\x01", channel: int = 1) -> None:
        self.mac = mac
        self.heard: list[tuple[bytes, bytes, bytes]] = []
        self.outcomes: dict[int, tuple[Outcome, int]] = {}
        self.reports: list[str] = []
        self.errors: list[BaseException] = []
        self._token = 0
        self.loop = RadioLoop()
        self.loop.on_error = self.errors.append
        self.link: Any = open_radio(radio, self.loop, self.reports.append)
        self.link.station = self
        self.configure(channel=channel)

    def configure(self, **more: Any) -> None:
        values: dict[str, Any] = {"addresses": ((Interface.STA, self.mac),), "receiver_on": True, **more}
        with self.loop.lock:
            self.link.configure(RadioConfig(**values))

    def received(self, mpdu: bytes, rssi_dbm: int, channel: int, rate: int, at_us: int) -> None:
        try:
            parsed = frame.parse(mpdu)
        except frame.FrameError:  # one of Wi-Fi's own
            return
        assert isinstance(parsed, frame.Frame)
        self.heard.append((parsed.destination, parsed.source, bytes(parsed.message)))

    def outcome(self, token: int, outcome: Outcome, attempts: int, at_us: int) -> None:
        self.outcomes[token] = outcome, attempts

    def start(self, to: bytes, message: bytes) -> int:
        """Begin to send, and return the token."""
        with self.loop.lock:
            self._token += 1
            mpdu = frame.build(to, self.mac, message, seq=self._token & 0xFFF, random_value=self._token)
            self.link.transmit(mpdu, self._token)
            self.loop.settle()
            return self._token

    def send(self, to: bytes, message: bytes = b"x") -> bool:
        """Send, and return whether it was acknowledged."""
        token = self.start(to, message)
        until(lambda: token in self.outcomes)
        return self.outcomes[token][0] is Outcome.ACKNOWLEDGED

    @property
    def messages(self) -> list[bytes]:
        return [message for _, _, message in self.heard]

    def close(self) -> None:
        with self.loop.lock:
            self.link.close()
        self.loop.close()
        assert self.errors == []


@pytest.fixture
def new_peer(port: int) -> Iterator[Callable[..., Peer]]:
    """Make other radios on the air of the test."""
    made: list[Peer] = []

    def make(settings: str = PATIENT, **more: Any) -> Peer:
        peer = Peer(f"udp::{port}?{settings}", **more)
        made.append(peer)
        return peer

    yield make
    for peer in made:
        peer.close()


@pytest.fixture
def peer(new_peer: Callable[..., Peer]) -> Peer:
    return new_peer()


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch, port: int) -> Iterator[pytest.MonkeyPatch]:
    """A process that has not used its board yet, and will have none afterwards."""
    assert live._board is None
    for name in os.environ:
        if name.startswith("ESPNOW_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("ESPNOW_RADIO", f"udp::{port}?{PATIENT}")
    monkeypatch.setenv("ESPNOW_ANSWER_TIMEOUT_MS", PATIENT_MS)
    monkeypatch.setattr(espnow.radio, "_choice", espnow.radio.Choice())
    handlers = {number: signal.getsignal(number) for number in (signal.SIGURG, signal.SIGINT)}
    threads = set(threading.enumerate())
    yield monkeypatch
    live.close()
    until(lambda: set(threading.enumerate()) <= threads)
    assert {number: signal.getsignal(number) for number in handlers} == handlers


@pytest.fixture
def own(fresh: pytest.MonkeyPatch) -> SimpleNamespace:
    """The process's own board: `e`, active, its address, and the peers b (broadcast) and p (that of `peer`)."""
    import network

    wlan = network.WLAN(network.WLAN.IF_STA)
    wlan.active(True)
    e = espnow.ESPNow()
    e.active(True)
    broadcast, known = b"\xff" * 6, b"\x02\0\0\0\0\x01"
    e.add_peer(broadcast)
    e.add_peer(known)
    return SimpleNamespace(e=e, wlan=wlan, mac=wlan.config("mac"), b=broadcast, p=known, board=live.board())
