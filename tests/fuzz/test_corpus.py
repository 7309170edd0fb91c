"""The corpus as ordinary tests, without atheris; and that each target notices a parser that breaks its word."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from espnow import errors, frame
from espnow.capture import dissect, summary
from espnow.cli import _frames
from espnow.errors import FrameError
from espnow.frame import captures, decoders, radiotap
from espnow.node import Node
from espnow.radio.udp import Malformed, UdpRadio
from espnow.radio.udp import datagram as datagrams
from espnow.radio.udp import radio as udp_radio

FOLDER = Path(__file__).parent


def load(name: str) -> ModuleType:
    """Return a module of this folder."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


with pytest.MonkeyPatch.context() as patch:
    # By these names they import each other.
    patch.setitem(sys.modules, "live_targets", live_targets := load("live_targets"))
    patch.setitem(sys.modules, "targets", targets := load("targets"))
    seeds = load("seeds")
run = load("run")

FILES = sorted(path for path in (FOLDER / "corpus").rglob("*") if path.is_file())


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_corpus(path: Path) -> None:
    targets.TARGETS[path.parent.name](path.read_bytes())


@pytest.mark.parametrize("name", targets.TARGETS)
def test_seeds(name: str) -> None:
    made = seeds.make(name)
    assert len(set(made)) == len(made)
    for seed in made:
        assert len(seed) <= run.LENGTHS[name]
        targets.TARGETS[name](seed)


@pytest.mark.parametrize("name", targets.TARGETS)
@pytest.mark.parametrize("content", [b"", b"\0", b"\1", b"\xff" * 2, b"\xff" * 300, bytes(300)])
def test_any_bytes(name: str, content: bytes) -> None:
    targets.TARGETS[name](content)


def test_the_lists_name_the_same_targets() -> None:
    folders = {path.name for path in (FOLDER / "corpus").iterdir()}
    assert folders == set(targets.TARGETS) == set(run.LENGTHS) == set(seeds.WORDS)


def test_the_corpus_is_small() -> None:
    assert len(FILES) < 200
    assert sum(path.stat().st_size for path in FILES) < 300_000


@pytest.mark.parametrize("arguments", [[], ["frames"], ["-runs=1"]])
def test_a_wrong_target_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(arguments) == 2
    assert "pcapng" in capsys.readouterr().out


def test_the_fraction_comes_from_the_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "thorough", False)
    chosen = [number for number in range(800) if targets._one_in(8, b"%d" % number)]
    assert 50 < len(chosen) < 150


@pytest.mark.parametrize("content", [b"", b"abc", bytes(3000)])
def test_pieces_are_the_whole(content: bytes) -> None:
    assert b"".join(targets._pieces(content)) == content


Broken = Callable[[Callable[..., Any]], Callable[..., Any]]


def raising(wrong: Exception, *, of: type[Exception] | None = None) -> Broken:
    """Let a function raise something: always, or in place of what it raises itself."""

    def broken(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if of is None:
                raise wrong
            try:
                return function(*arguments, **options)
            except of:
                raise wrong from None

        return call

    return broken


def changed(change: Callable[[Any], Any]) -> Broken:
    """Let a function return something else."""

    def broken(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments, **options: change(function(*arguments, **options))

    return broken


def forgiving(value: Any) -> Broken:
    """Let a function return something where it should raise FrameError."""

    def broken(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            try:
                return function(*arguments, **options)
            except FrameError:
                return value

        return call

    return broken


def replaced(**values: Any) -> Broken:
    return changed(lambda found: found._replace(**values) if set(values) <= set(found._fields) else found)


def without_oddities(found: frame.Examined) -> frame.Examined:
    return found._replace(oddities=())


def shorter(found: frame.Examined) -> frame.Examined:
    if isinstance(found.frame, frame.Frame):
        return found._replace(frame=found.frame._replace(message=found.frame.message[:-1]))
    return found


def forgetful(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a parser of captures forget what a piece left over."""

    def feed(parser: captures.CaptureParser, piece: bytes) -> list[captures.Record]:
        found: list[captures.Record] = function(parser, piece)
        if len(piece) < 10:
            parser._pending.clear()
        return found

    return feed


def twice(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arguments: function(*arguments) * 2


def twice_called(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let the radio tell twice what became of a frame."""

    def call(radio: UdpRadio, sending: Any, outcome: Any) -> None:
        function(radio, sending, outcome)
        radio.station.outcome(sending.token, outcome, 1, 0)

    return call


def swallow(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arguments: None


def other_each_time(function: Callable[..., Any]) -> Callable[..., Any]:
    calls: list[int] = []

    def call(*arguments: Any) -> Any:
        calls.append(1)
        return f"{function(*arguments)}{len(calls)}"

    return call


WRONG = IndexError("no parser may raise this")
OTHER_ERROR = type("OtherError", (errors.FrameError,), {})("nor a relative of it")

# Target, what holds a function, its name, how it is broken.
BROKEN: list[tuple[str, Any, str, Broken]] = [
    ("frame", frame, "parse", raising(WRONG, of=FrameError)),
    ("frame", frame, "parse", raising(OTHER_ERROR, of=FrameError)),
    ("frame", frame, "parse", raising(FrameError("nothing is right"))),
    ("frame", frame, "parse", replaced(retry=True)),
    ("frame", frame, "parse", replaced(version=1)),
    ("frame", frame, "parse", replaced(packet_number=1)),
    ("frame", frame, "parse_header", raising(WRONG, of=FrameError)),
    ("frame", frame, "parse_header", replaced(fragment=0)),
    ("frame", frame, "parse_body", raising(WRONG, of=FrameError)),
    ("frame", frame, "parse_body", forgiving(frame.Message(0, 1, b""))),
    ("frame", frame, "parse_ack", raising(WRONG, of=FrameError)),
    ("frame", frame, "parse_ack", changed(lambda receiver: receiver[::-1])),
    ("frame", frame, "build", changed(lambda mpdu: mpdu + b"\0")),
    ("frame", frame, "examine", raising(WRONG, of=FrameError)),
    ("frame", frame, "examine", raising(FrameError("nothing is right"))),
    ("frame", frame, "examine", changed(without_oddities)),
    ("frame", frame, "examine", changed(shorter)),
    ("encrypted", frame, "parse", raising(WRONG, of=FrameError)),
    ("encrypted", frame, "decrypt", raising(WRONG, of=FrameError)),
    ("encrypted", frame, "decrypt", forgiving(b"")),
    ("encrypted", frame, "decrypt", changed(lambda body: body[:-1])),
    ("encrypted", frame, "encrypt", changed(lambda sealed: bytes(8) + sealed[8:])),
    ("encrypted", frame, "open_protected", raising(WRONG, of=FrameError)),
    ("encrypted", frame, "open_protected", replaced(message=b"")),
    ("encrypted", frame, "build_protected", changed(lambda mpdu: mpdu[:-1])),
    ("encrypted", frame, "examine", changed(without_oddities)),
    ("encrypted", frame, "examine_opened", raising(WRONG, of=FrameError)),
    ("encrypted", frame, "examine_opened", changed(without_oddities)),
    ("encrypted", frame, "examine_opened", changed(shorter)),
    ("radiotap", radiotap, "parse", raising(WRONG, of=FrameError)),
    ("radiotap", radiotap, "parse", raising(FrameError("nothing is right"))),
    ("radiotap", radiotap, "parse", forgiving(radiotap.Radiotap(8))),
    ("radiotap", radiotap, "parse", replaced(length=8)),
    ("radiotap", radiotap, "parse", replaced(rssi_dbm=None)),
    ("radiotap", radiotap, "parse", replaced(frequency_mhz=2412)),
    ("radiotap", radiotap, "build", changed(lambda header: header[:8] + bytes(len(header) - 8))),
    ("radiotap", radiotap.Radiotap, "__repr__", changed(lambda text: f"{text}\n")),
]
for _name in ("pcap", "pcapng"):
    BROKEN += [
        (_name, captures.CaptureParser, "feed", raising(WRONG)),
        (_name, captures.CaptureParser, "feed", forgetful),
        (_name, captures.CaptureParser, "feed", twice),
        (_name, captures.CaptureParser, "feed", changed(lambda records: records[1:])),
        (_name, captures.CaptureParser, "finish", swallow),
        (_name, captures.CaptureParser, "finish", raising(WRONG, of=FrameError)),
        (_name, captures, "build_packet", changed(lambda block: block[:-8])),
        (_name, dissect, "examine", raising(WRONG, of=FrameError)),
        (_name, radiotap, "parse", raising(WRONG, of=FrameError)),
        (_name, radiotap, "parse", raising(WRONG)),
        (_name, dissect.Dissector, "dissect", swallow),
        (_name, summary.Summary, "add", swallow),
        (_name, summary.Summary, "add", raising(WRONG)),
        (_name, summary.Summary, "add_other", raising(WRONG)),
        (_name, summary.Summary, "skip", raising(WRONG)),
        (_name, summary, "parse_header", raising(WRONG, of=FrameError)),
        (_name, _frames, "as_line", changed(lambda line: f"{line}\x1b[2J")),
        (_name, _frames, "as_json", changed(lambda shown: {**shown, "hex": b""})),
        (_name, _frames, "as_json", changed(lambda shown: {**shown, "rssi_dbm": float("nan")})),
    ]
BROKEN += [
    ("toml", decoders.Decoders, "from_toml", raising(WRONG, of=FrameError)),
    ("toml", decoders.Decoders, "from_toml", raising(OTHER_ERROR, of=FrameError)),
    ("toml", decoders.Decoders, "from_toml", forgiving(decoders.Decoders())),
    ("toml", decoders, "_short", changed(lambda said: f"{said}\n")),
    ("toml", decoders, "_short", other_each_time),
    ("toml", decoders, "_utf8", changed(lambda said: f"{said}x")),
    ("toml", decoders.Decoders, "decode", swallow),
    ("toml", decoders.Decoders, "decode", raising(WRONG)),
    ("toml", decoders.Decoded, "__str__", changed(lambda said: f"{said}\u202e")),
    ("toml", decoders.Decoded, "as_dict", changed(lambda content: {**content, "rest": b""})),
    ("toml", decoders.FieldValue, "text", changed(lambda said: f"1{said}")),
    ("toml", decoders, "printable", changed(lambda said: f"{said}\0")),
    ("toml", decoders, "_for_json", changed(lambda value: float("inf") if isinstance(value, float) else value)),
]
BROKEN += [
    ("udp", datagrams, "parse", raising(WRONG, of=Malformed)),
    ("udp", datagrams, "parse", raising(Malformed("nothing is right"))),
    ("udp", datagrams, "parse", replaced(channel=2)),
    ("udp", datagrams, "parse", replaced(mpdu=b"")),
    ("udp", datagrams, "build", changed(lambda built: built + b"\0")),
    ("udp", datagrams, "build", changed(lambda built: built[:6] + b"\1" + built[7:])),
    ("live", udp_radio, "parse", raising(WRONG, of=Malformed)),
    ("live", udp_radio, "parse", raising(Malformed("nothing is right"))),
    ("live", udp_radio, "pack", changed(lambda packed: packed[:7] + b"\xff" + packed[8:])),
    ("live", udp_radio, "ack", changed(lambda mpdu: mpdu + b"\0")),
    ("live", UdpRadio, "_hear", swallow),
    ("live", UdpRadio, "_hear_answer", swallow),
    ("live", UdpRadio, "_finish", swallow),
    ("live", UdpRadio, "_finish", twice_called),
    ("live", Node, "received", raising(WRONG)),
    ("live", Node, "outcome", swallow),
]


@pytest.mark.parametrize(
    ("name", "holder", "attribute", "broken"),
    BROKEN,
    ids=[f"{name}-{attribute}-{number}" for number, (name, _, attribute, _) in enumerate(BROKEN)],
)
def test_a_broken_parser_is_noticed(
    name: str, holder: Any, attribute: str, broken: Broken, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = [*seeds.make(name), *(path.read_bytes() for path in FILES if path.parent.name == name)]
    monkeypatch.setattr(holder, attribute, broken(getattr(holder, attribute)))
    for content in inputs:
        try:
            targets.TARGETS[name](content)
        except Exception:  # whatever it is, the fuzzer would stop here
            return
    pytest.fail("nothing was noticed")
