"""``ESPNOW_CAPTURE`` and the commands on a radio: what each sends and hears is in the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from espnow import frame as wire
from espnow.capture import CapturedFrame, CaptureReader, Dissector

PEER = "30:aa:aa:aa:aa:aa"


def messages(path: Path) -> list[bytes]:
    dissector = Dissector()
    with CaptureReader(str(path)) as reader:
        found = [dissector.dissect(record) for record in reader]
    return [one.frame.message for one in found if isinstance(one, CapturedFrame) and isinstance(one.frame, wire.Frame)]


@pytest.mark.parametrize(
    ("arguments", "recorded"),
    [
        (["send", PEER, "hello"], [b"hello"]),
        (["ping", PEER, "-c", "1", "--size", "8"], [b"espnow p"]),
        (["scan", PEER, "--channels", "1", "--tries", "1"], [b"espnow ping 1......."]),
        (["listen", "--for", "10ms"], [b"here"]),
        (["sniff", "--for", "10ms"], [b"here"]),
    ],
    ids=lambda value: value[0] if isinstance(value[0], str) else "",
)
def test_a_command_is_recorded(
    radio: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], recorded: list[bytes]
) -> None:
    path = tmp_path / "air.pcapng"
    monkeypatch.setenv("ESPNOW_CAPTURE", str(path))
    radio.hear(5, "here", destination=wire.BROADCAST)
    result = radio.run(*arguments)
    assert result.code == 0
    assert messages(path) == recorded
    assert (radio.link.closed, radio.loop.closed) == (True, True)


@pytest.mark.parametrize("command", [["listen"], ["sniff"], ["send", PEER, "x"], ["ping", PEER], ["scan"]])
def test_what_cannot_be_recorded_is_not_done(radio: Any, monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    monkeypatch.setenv("ESPNOW_CAPTURE", "no/such/folder")
    result = radio.run(*command)
    line = f"espnow {command[0]}: cannot record to no/such/folder: No such file or directory"
    assert (result.code, result.out, result.err) == (2, [], [line])
    assert (radio.link.frames, radio.link.closed, radio.loop.closed) == ([], True, True)


def test_a_capture_that_is_replayed_is_not_overwritten(
    radio: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "air.pcapng"
    path.write_bytes(b"precious")
    monkeypatch.setenv("ESPNOW_CAPTURE", str(path))
    result = radio.run("listen", "--radio", f"pcap:{path}?pace=fast")
    line = "espnow listen: ESPNOW_CAPTURE names the capture that is replayed: unset it, or name another file"
    assert (result.code, result.err) == (2, [line])
    assert path.read_bytes() == b"precious"
