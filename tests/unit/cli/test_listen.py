"""``espnow listen``: what is shown, what is not, keys and decoders, and how it ends."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from espnow import frame as wire
from espnow.capture import PcapngWriter
from espnow.cli import _radio, listen
from espnow.link import Abilities

OWN = bytes.fromhex("18fe34000004")
PEER = bytes.fromhex("240ac4000001")
OTHER = bytes.fromhex("240ac4000002")
LMK = "lmk1234567890123"
PMK = "pmk1234567890123"
KEY = wire.derive_key(wire.DEFAULT_PMK, LMK.encode())
WELCOME = "espnow listen: listening as 18:fe:34:00:00:04 on channel 1 of scripted:; Ctrl-C ends it"


def messages(result: Any) -> list[str]:
    return [line.split(" B  ", 1)[1] for line in result.out]


# What is shown.


def test_a_line_a_message_for_this_station_or_a_group(radio: Any) -> None:
    radio.hear(1, "one")
    radio.hear(2, "two", destination=wire.BROADCAST, rssi_dbm=-71)
    radio.hear(3, "three", destination=bytes.fromhex("01005e000001"))
    radio.hear(4, "not for us", destination=OTHER)
    result = radio.run("listen", "--for", "10ms")
    assert (result.code, result.err) == (0, [WELCOME])
    pair = "24:0a:c4:00:00:01 > 18:fe:34:00:00:04"
    assert result.out[0] == f'       0.001000  {pair}  v1  ch  1   -50 dBm      1M         plain         3 B  "one"'
    assert messages(result) == ['"one"', '"two"', '"three"']
    assert "   -71 dBm" in result.out[1]


def test_the_radio_hears_and_answers_for_its_address_alone(radio: Any) -> None:
    radio.run("listen", "--for", "1ms", "--mac", "02:00:00:00:00:09", "--channel", "6")
    config = radio.link.config
    assert [address.hex(":") for _, address in config.addresses] == ["02:00:00:00:00:09"]
    assert (config.channel, config.receiver_on, config.promiscuous) == (6, True, False)
    assert radio.link.frames == []


def test_what_was_tried_again_is_shown_once(radio: Any) -> None:
    def frame(seq: int, random_value: int, *, retry: bool = False, source: bytes = PEER) -> None:
        mpdu = wire.build(OWN, source, b"%d" % seq, seq=seq, random_value=random_value, retry=retry)
        radio.link.inject_frame(mpdu)

    for ms, more in enumerate(
        [
            (1, 7),
            (1, 7, True),
            (1, 7, True),
            (2, 8, True),  # its first attempt was not heard
            (2, 9),  # the same number, another message
            (2, 9),  # no retry: a board takes it for another one, too
        ]
    ):
        seq, random_value, *retry = more
        radio.at(ms, lambda seq=seq, value=random_value, retry=bool(retry): frame(seq, value, retry=retry))
    radio.at(9, lambda: frame(2, 9, retry=True, source=OTHER))
    assert messages(radio.run("listen", "--for", "10ms")) == ['"1"', '"2"', '"2"', '"2"', '"2"']


def test_a_sender_that_begins_anew_repeats_its_numbers_and_not_its_messages(radio: Any) -> None:
    def sealed(message: bytes) -> bytes:
        return wire.build_protected(OWN, PEER, message, seq=1, random_value=7, key=KEY, packet_number=1)

    first, another = sealed(b"one"), wire.with_retry(sealed(b"two"))  # whose first attempt was not heard
    for ms, mpdu in enumerate([first, wire.with_retry(first), another, another]):
        radio.at(ms, lambda mpdu=mpdu: radio.link.inject_frame(mpdu))
    assert messages(radio.run("listen", "--for", "10ms", "--lmk", LMK)) == ['"one"', '"two"']


def test_what_is_remembered_of_senders_is_bounded(radio: Any) -> None:
    def flood() -> None:
        for number in range(5_000):
            source = bytes.fromhex("02") + number.to_bytes(5, "big")
            radio.link.inject_frame(wire.build(OWN, source, b"x", seq=1, random_value=1))

    radio.at(1, flood)
    made: list[Any] = []
    original = listen.Listener.__init__

    def keep(self: Any, *arguments: Any) -> None:
        made.append(self)
        original(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listen.Listener, "__init__", keep)
        result = radio.run("listen", "--for", "10ms", "--json")
    assert len(result.out) == 5_000
    assert len(made[0]._last) == 4_096


def test_json(radio: Any) -> None:
    radio.hear(1, b"\x00\x01", destination=wire.BROADCAST)
    (told,) = radio.run("listen", "--for", "5ms", "--json").json
    assert told["hex"] == "0001"
    assert (told["source"], told["rssi_dbm"], told["channel"], told["at_ns"]) == (PEER.hex(":"), -50, 1, 1_000_000)


def test_times_follow_a_clock_that_is_set(radio: Any) -> None:
    minute_ns, later_ns = 60 * 10**9, 1_790_000_000 * 10**9
    radio.epoch_ns = minute_ns

    def set_clock(to_ns: int) -> None:
        radio.epoch_ns = to_ns

    for second, to_ns in enumerate([minute_ns + 9 * 10**8, later_ns, minute_ns]):
        radio.at(second * 1000, lambda to_ns=to_ns: set_clock(to_ns))
        radio.hear(second * 1000 + 500, "x", destination=wire.BROADCAST, random_value=second)
    told = [line["at_ns"] for line in radio.run("listen", "--for", "5s", "--json").json]
    assert told == [minute_ns + 5 * 10**8, later_ns + 15 * 10**8, minute_ns + 25 * 10**8]


def test_what_came_by_air_moves_no_cursor(radio: Any) -> None:
    radio.hear(1, "\x1b[2Jgone\u202e")
    (line,) = radio.run("listen", "--for", "5ms").out
    assert line.isprintable()


def test_what_is_no_espnow_is_not_shown(radio: Any) -> None:
    radio.at(1, lambda: radio.link.inject_frame(wire.ack(OWN)))
    radio.at(2, lambda: radio.link.inject_frame(b"\x80\x00" + bytes(30)))
    radio.at(3, lambda: radio.link.inject_frame(b""))
    result = radio.run("listen", "--for", "5ms")
    assert (result.code, result.out) == (1, [])


def test_a_radio_that_tells_what_cannot_be_is_survived(radio: Any) -> None:
    mpdu = wire.build(OWN, PEER, b"x", seq=1, random_value=1)
    radio.at(1, lambda: radio.link.station.received(mpdu, -900, 99, 4711, 1_000))
    (line,) = radio.run("listen", "--for", "5ms").out
    assert "ch  ?     ? dBm       ?" in line


def test_a_line_is_there_before_the_command_waits(radio: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []
    lines = 0

    class Reader(io.StringIO):
        def write(self, text: str) -> int:
            nonlocal lines
            lines += text.count("\n")
            return len(text)

        def flush(self) -> None:
            told.append((radio.loop.now_us, lines))

    radio.hear(1, "one")
    radio.hear(1, "two", random_value=2)
    radio.hear(2, "three", random_value=3)
    monkeypatch.setattr(sys, "stdout", Reader())
    radio.run("listen", "--for", "5ms")
    assert {at_us: count for at_us, count in told if at_us < 5_000} == {1_000: 2, 2_000: 3}


# Keys and decoders.


def sealed(radio: Any, ms: float) -> None:
    radio.hear(ms, "secret", key=KEY)


def test_an_encrypted_message_needs_its_key(radio: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = tmp_path / "keys.toml"
    keys.write_text(f'[[key]]\nlmk = "{LMK}"\nname = "greenhouse"\n')
    keys.chmod(0o600)
    sealed(radio, 1)
    assert messages(radio.run("listen", "--for", "5ms")) == ["no key given"]
    result = radio.run("listen", "--for", "5ms", "--keys", keys)
    assert (messages(result), result.err) == (['"secret"'], [WELCOME])
    result = radio.run("listen", "--for", "5ms", "--lmk", LMK)
    assert messages(result) == ['"secret"']
    assert result.err[0].startswith("espnow listen: warning: everybody on this computer can list the keys of a command")
    monkeypatch.setenv("ESPNOW_LMK", LMK)
    result = radio.run("listen", "--for", "5ms")
    assert (messages(result), result.err) == (['"secret"'], [WELCOME])
    monkeypatch.setenv("ESPNOW_PMK", PMK)
    assert messages(radio.run("listen", "--for", "5ms")) == ["no key opens it (wrong MIC)"]


@pytest.mark.parametrize("name", ["ESPNOW_LMK", "ESPNOW_PMK"])
def test_a_key_of_the_environment_that_is_none(radio: Any, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "hushhush")
    result = radio.run("listen", "--for", "5ms")
    assert result.err == [
        f"espnow listen: {name}: a key is 16 characters or 32 hexadecimal digits; this has 8 characters"
    ]
    assert result.code == 2


def test_a_decoder_explains(radio: Any, tmp_path: Path) -> None:
    decoders = tmp_path / "sensors.toml"
    decoders.write_text('[[message]]\nname = "number"\nstruct = "<H"\nfields = ["value"]\n')
    radio.hear(1, b"\x01\x02")
    (line,) = radio.run("listen", "--for", "5ms", "--decoders", decoders).out
    assert line.endswith("0102  number value=513")


# How it ends.


def test_count(radio: Any) -> None:
    for ms in range(5):
        radio.hear(ms, f"{ms}", random_value=ms)
    result = radio.run("listen", "--count", "3")
    assert (messages(result), result.code) == (['"0"', '"1"', '"2"'], 0)
    result = radio.run("listen", "--count", "6", "--for", "20ms")
    assert (len(result.out), result.code) == (5, 1)


def test_nothing_came(radio: Any) -> None:
    result = radio.run("listen", "--for", "20ms")
    assert (result.code, result.out, radio.loop.now_us) == (1, [], 20_000)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_it(radio: Any, number: int, code: int) -> None:
    radio.hear(1, "one")
    radio.interrupt(5, number)
    result = radio.run("listen")
    assert (messages(result), result.code, result.err) == (['"one"'], code, [WELCOME])
    assert (radio.link.closed, radio.loop.closed) == (True, True)


def test_nohup_is_respected(radio: Any) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    radio.interrupt(1, signal.SIGHUP)
    try:
        assert radio.run("listen", "--for", "5ms").code == 1
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_second_signal_ends_it_at_once(radio: Any) -> None:
    def twice() -> None:
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)

    radio.at(5, twice)
    assert radio.run("listen").code == 143


def test_it_ends_with_a_radio_that_ends_and_after_what_that_heard(radio: Any) -> None:
    def end() -> None:
        radio.link.ended = True
        radio.report("capture at its end")

    radio.hear(1, "last")
    radio.at(1, end)
    result = radio.run("listen")
    assert (messages(result), result.code) == (['"last"'], 0)
    assert result.err == [WELCOME, "espnow listen: capture at its end"]


def test_a_radio_that_ends_and_says_nothing(radio: Any) -> None:
    radio.at(1, lambda: setattr(radio.link, "ended", True))
    assert radio.run("listen").code == 1


def test_a_radio_that_acknowledges_nothing_says_so(radio: Any) -> None:
    radio.abilities = Abilities(acknowledges=False)
    result = radio.run("listen", "--for", "1ms")
    assert result.err[1] == ("espnow listen: this radio acknowledges nothing: who sends to this address sees a failure")


def test_a_radio_that_says_so_itself(radio: Any) -> None:
    radio.abilities = Abilities(acknowledges=False)
    radio.when_opened(lambda: setattr(radio.link, "configure", lambda _config: radio.report("it answers nobody")))
    result = radio.run("listen", "--for", "1ms")
    assert result.err == [WELCOME, "espnow listen: it answers nobody"]


def test_frames_that_come_too_fast_are_counted(radio: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def flood() -> None:
        for number in range(20):
            radio.link.inject("x", random_value=number)

    monkeypatch.setattr(_radio, "_MOST_WAITING", 8)
    radio.at(1, flood)
    result = radio.run("listen", "--for", "5ms")
    assert len(result.out) == 8
    assert result.err[-1] == "espnow listen: 12 frames came faster than they could be shown, and are left out"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--for", "0"], "--for 0: a time must be more than nothing"),
        (["--for", "x"], "--for: x: a time is a number and a unit, as in 500ms, 30s, 10m, 2h, 1d"),
        (["--count", "-1"], "--count: -1 is no whole number from 1 to 1000000000"),
        (["--pmk", PMK], "--pmk alone opens nothing: a key is made of a PMK and an LMK; add --lmk"),
        (["--keys", "no.toml"], "--keys no.toml: No such file or directory"),
    ],
)
def test_a_mistake_is_one_line(radio: Any, arguments: list[str], line: str) -> None:
    result = radio.run("listen", *arguments)
    assert (result.code, result.out, result.err[-1]) == (2, [], f"espnow listen: {line}")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["extra"], "one argument too many: extra"),
        (["--count", "1", "a", "b"], "2 arguments too many, from a on"),
        (["--lmkk", "hush_hush_secret"], "unknown option --lmkk"),
    ],
)
def test_too_many_arguments(radio: Any, arguments: list[str], said: str) -> None:
    result = radio.run("listen", *arguments)
    assert (result.code, result.out) == (2, [])
    assert result.err == [f"espnow listen: {said}; see espnow listen --help"]


@pytest.mark.parametrize("command", ["listen", "send", "ping", "scan"])
def test_help_says_whose_address_a_command_has(radio: Any, command: str) -> None:
    told = " ".join(" ".join(radio.run(command, "--help").out).split())
    assert "own address (default: one of this command on this computer; ESPNOW_MAC is for programs)" in told


# In a process of its own, on a capture.


@pytest.fixture
def capture(tmp_path: Path) -> Callable[[int], Path]:
    """Return what writes a capture of so many messages."""

    def write(count: int) -> Path:
        path = tmp_path / "air.pcapng"
        with path.open("wb") as file, PcapngWriter(file) as writer:
            for seq in range(count):
                mpdu = wire.build(wire.BROADCAST, PEER, b"%d" % seq, seq=seq, random_value=seq)
                writer.write(mpdu, at_us=1_000_000 + seq, channel=1, rate=0, rssi_dbm=-50)
        return path

    return write


def espnow(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "espnow", *map(str, arguments)]


def test_a_capture_is_heard_to_its_end_and_nothing_of_it_is_lost(capture: Callable[[int], Path]) -> None:
    """More frames than wait, read faster than they are printed."""
    program = (
        "import sys; from espnow.cli import _radio, main; _radio._MOST_WAITING = 16; "
        f"sys.exit(main.main(['listen', '--json', '--radio', 'pcap:{capture(2_000)}?pace=fast&delay=0']))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False)
    assert (run.returncode, run.stdout.count("\n")) == (0, 2_000)
    assert "2000 frames heard" in run.stderr


def test_the_reader_of_the_output_leaves(capture: Callable[[int], Path]) -> None:
    """It ends although nothing more comes, and says nothing."""
    read, write = os.pipe()
    path = capture(3)
    fifo = path.with_suffix(".fifo")
    os.mkfifo(fifo)
    holder = os.open(fifo, os.O_RDWR)  # so that the capture does not end
    os.write(holder, path.read_bytes())
    with subprocess.Popen(
        espnow("listen", "--radio", f"pcap:{fifo}?delay=0&pace=fast"), stdout=write, stderr=subprocess.PIPE, text=True
    ) as process:
        os.close(write)
        printed = b""
        while printed.count(b"\n") < 3:
            printed += os.read(read, 4096)
        os.close(read)
        _, err = process.communicate(timeout=50)
    os.close(holder)
    assert process.returncode == 1
    assert err.count("\n") == 1
    assert "listening as" in err
