"""``espnow send``: what leaves, encrypted or not, where messages come from, and what is told of them."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from espnow import frame as wire
from espnow.frame import RATE_1M, RATE_6M, Frame, ProtectedFrame, open_protected
from espnow.link import Abilities, Outcome

PEER = "30:aa:aa:aa:aa:aa"
GROUP = "ff:ff:ff:ff:ff:ff"
LMK = "lmk1234567890123"
PMK = "pmk1234567890123"
OTHER = "otherlmk90123456"
SECRET = "hushhush12345678"


def sent(radio: Any) -> list[bytes]:
    return [message for _, message in radio.link.messages]


def give(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


# What is told.


def test_what_became_of_it(radio: Any) -> None:
    result = radio.run("send", PEER, "hello")
    assert result.out == [f"{PEER}: 5 bytes: acknowledged after 1 attempt, 3.000 ms"]
    assert (result.code, result.err, sent(radio)) == (0, [], [b"hello"])
    assert (radio.link.closed, radio.loop.closed) == (True, True)


@pytest.mark.parametrize(
    ("answer", "line", "code"),
    [
        ("refuse", f"{PEER}: 1 byte: not acknowledged after 7 attempts, 3.000 ms", 1),
        ("unknown", f"{PEER}: 1 byte: sent; this radio cannot tell whether it was acknowledged", 0),
    ],
)
def test_nobody_acknowledges_or_nobody_can_tell(radio: Any, answer: str, line: str, code: int) -> None:
    radio.when_opened(lambda: radio.link.script([answer]))
    result = radio.run("send", PEER, "x")
    assert (result.out, result.code) == ([line], code)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--hex", PEER, "0102"],
        [PEER, "--hex", "0102"],
        [PEER, "0102", "--hex"],
        [PEER, "--hex", "--channel", "6", "0102"],
    ],
)
def test_options_stand_anywhere(radio: Any, arguments: list[str]) -> None:
    assert radio.run("send", *arguments).code == 0
    assert sent(radio) == [b"\1\2"]


@pytest.mark.parametrize("arguments", [[PEER, "--hex", "01", "02"], [PEER, "01", "--hex", "02"]])
def test_there_is_one_message(radio: Any, arguments: list[str]) -> None:
    assert radio.run("send", *arguments).code == 2


@pytest.mark.parametrize("peer", ["broadcast", GROUP])
def test_a_broadcast_is_sent(radio: Any, peer: str) -> None:
    result = radio.run("send", peer, "x")
    assert result.out == [f"{GROUP}: 1 byte: sent"]
    assert radio.link.messages == [(wire.BROADCAST, b"x")]


def test_a_group_is_not_reached_by_a_radio_in_trouble(radio: Any) -> None:
    def fail() -> None:
        radio.link.trouble = "wlan1 is gone"
        radio.link.transmit = lambda _mpdu, token: radio.link._give(token, Outcome.NOT_ACKNOWLEDGED, 1_000)

    radio.when_opened(fail)
    result = radio.run("send", "broadcast", "x")
    assert result.out == [f"{GROUP}: 1 byte: not sent"]
    assert (result.err, result.code) == (["espnow send: the radio is in trouble: wlan1 is gone"], 1)


def test_trouble_that_came_with_the_message_is_told(radio: Any) -> None:
    radio.when_opened(lambda: radio.link.refuse())
    radio.at(1, lambda: setattr(radio.link, "trouble", "wlan1 is gone"))
    result = radio.run("send", PEER, "x")
    assert result.err == ["espnow send: the radio is in trouble: wlan1 is gone"]


def test_several_are_summed_up(radio: Any) -> None:
    radio.when_opened(lambda: radio.link.script(["acknowledge", "refuse", "unknown"]))
    result = radio.run("send", PEER, "x", "--repeat", "4")
    assert (len(result.out), result.code) == (4, 1)
    assert result.err == ["--- 4 messages, 2 acknowledged, 1 not, 1 unknown"]
    assert radio.run("send", "broadcast", "x", "--repeat", "2").err == ["--- 2 messages"]


def test_a_radio_that_tells_no_attempts(radio: Any) -> None:
    radio.abilities = Abilities(tells_attempts=False)
    radio.when_opened(lambda: radio.link.script(["acknowledge", "refuse"]))
    result = radio.run("send", PEER, "x", "--repeat", "2")
    assert result.out == [
        f"{PEER}: 1 byte: acknowledged after 3.000 ms",
        f"{PEER}: 1 byte: not acknowledged after 3.000 ms",
    ]
    told = radio.run("send", PEER, "x", "--json").json[0]
    assert (told["outcome"], told["attempts"], told["ms"]) == ("acknowledged", None, 3.0)


def test_json(radio: Any) -> None:
    radio.when_opened(lambda: radio.link.script(["acknowledge", "refuse"]))
    result = radio.run("send", PEER, "x", "--repeat", "2", "--json")
    first = {"to": PEER, "bytes": 1, "encrypted": False, "outcome": "acknowledged", "attempts": 1, "ms": 3.0}
    assert result.json == [
        first,
        first | {"outcome": "not acknowledged", "attempts": 7},
        {"summary": {"sent": 2, "acknowledged": 1, "not_acknowledged": 1, "unknown": 0}},
    ]
    result = radio.run("send", "broadcast", "x", "--json")
    assert result.json[0]["outcome"] == "sent"
    assert result.json[1] == {"summary": {"sent": 1, "acknowledged": 0, "not_acknowledged": 0, "unknown": 0}}


# What leaves.


def test_the_radio_is_told_channel_address_and_rate(radio: Any) -> None:
    radio.run("send", PEER, "x", "--channel", "6", "--mac", "02:00:00:00:00:09")
    config = radio.link.config
    assert (config.channel, config.rate, config.group_rate) == (6, RATE_1M, RATE_1M)
    (frame,) = radio.link.sent
    assert (frame.source.hex(":"), frame.destination.hex(":")) == ("02:00:00:00:00:09", PEER)
    radio.run("send", PEER, "x", "--rate", "6M")
    assert (radio.link.config.rate, radio.link.config.group_rate) == (RATE_6M, RATE_6M)


def test_the_profile_decides_what_a_frame_is(radio: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    radio.run("send", PEER, "x" * 1470, "--profile", "esp32-v2")
    (frame,) = radio.link.sent
    assert (frame.version, frame.message) == (2, b"x" * 1470)
    radio.run("send", PEER, "x", "--profile", "esp8266")
    (frame,) = radio.link.sent
    assert (frame.bssid.hex(":"), radio.link.config.rate, radio.link.config.group_rate) == (PEER, RATE_6M, RATE_1M)
    monkeypatch.setenv("ESPNOW_PROFILE", "esp32-v2")
    radio.run("send", PEER, "x")
    assert radio.link.sent[0].version == 2


def test_messages_follow_each_other_as_the_interval_says(radio: Any) -> None:
    times: list[int] = []

    def note() -> None:
        transmit = radio.link.transmit
        radio.link.transmit = lambda *frame: (times.append(radio.loop.now_us), transmit(*frame))

    radio.when_opened(note)
    radio.run("send", PEER, "x", "--repeat", "3")
    assert times == [0, 3_000, 6_000]
    times.clear()
    radio.run("send", PEER, "x", "--repeat", "3", "--interval", "100ms")
    assert times == [0, 100_000, 200_000]


def test_a_radio_that_is_full_is_tried_again(radio: Any) -> None:
    radio.when_opened(lambda: radio.link.run_out_of_memory(2))
    assert radio.run("send", PEER, "x").code == 0
    assert sent(radio) == [b"x"]


@pytest.mark.parametrize(("keys", "fits"), [([], 71), (["--lmk", LMK], 55)])
def test_a_radio_that_takes_short_frames_only(radio: Any, keys: list[str], fits: int) -> None:
    radio.abilities = Abilities(max_mpdu=24 + 15 + 71)
    assert radio.run("send", PEER, "x" * fits, *keys).code == 0
    assert len(radio.link.frames[0]) == 24 + 15 + 71
    result = radio.run("send", PEER, "x" * (fits + 1), *keys)
    assert (result.code, radio.link.frames) == (2, [])
    assert result.err[-1] == (
        f"espnow send: this radio takes frames of at most 110 bytes: {fits + 1} do not fit into one"
    )


# Where messages come from.


@pytest.mark.parametrize(
    ("arguments", "stdin", "expected"),
    [
        (["grüße"], b"", ["grüße".encode()]),
        (["--", "-x"], b"", [b"-x"]),
        (["-5"], b"", [b"-5"]),
        (["--hex", "01 02:ff"], b"", [b"\x01\x02\xff"]),
        (["-"], b"one\ntwo\n", [b"one\ntwo\n"]),
        (["-"], b"\xff\x00", [b"\xff\x00"]),
        (["-", "--lines"], b"one\r\n\ntwo\n \nthree", [b"one", b"two", b" ", b"three"]),
        (["-", "--lines", "--hex"], b"01\nff fe\n", [b"\x01", b"\xff\xfe"]),
        (["-", "--hex"], b"01\nff fe\n", [b"\x01\xff\xfe"]),
        (["-", "--lines"], b"", []),
        (["-", "--lines"], b"x" * 250 + b"\r\n" + b"y" * 250, [b"x" * 250, b"y" * 250]),
        (["-", "--lines", "--hex"], b"00 " * 250 + b"\n", [bytes(250)]),
    ],
)
def test_messages(
    radio: Any, monkeypatch: pytest.MonkeyPatch, arguments: list[str], stdin: bytes, expected: list[bytes]
) -> None:
    give(monkeypatch, stdin)
    options = [argument for argument in arguments if argument in ("--hex", "--lines")]
    rest = [argument for argument in arguments if argument not in options]
    result = radio.run("send", *options, PEER, *rest)
    assert (result.code, sent(radio)) == (0, expected)


def test_a_file(radio: Any, tmp_path: Path) -> None:
    path = tmp_path / "message"
    path.write_bytes(b"\x00one\ntwo")
    radio.run("send", PEER, "--file", path)
    assert sent(radio) == [b"\x00one\ntwo"]
    radio.run("send", PEER, "--file", path, "--lines", "--repeat", "2")
    assert sent(radio) == [b"\x00one"] * 2 + [b"two"] * 2


def test_lines_before_a_mistake_are_sent(radio: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, b"one\n" + b"x" * 251 + b"\nthree\n")
    result = radio.run("send", PEER, "-", "--lines")
    assert (result.code, sent(radio)) == (2, [b"one"])
    assert result.err[0].startswith("espnow send: -: line 2: a message of 251 bytes: esp32 sends at most 250 bytes;")


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_lines_before_a_mistake_are_summed_up(radio: Any, monkeypatch: pytest.MonkeyPatch, options: list[str]) -> None:
    give(monkeypatch, b"one\ntwo\n" + b"x" * 251)
    result = radio.run("send", PEER, "-", "--lines", *options)
    assert (result.code, sent(radio)) == (2, [b"one", b"two"])
    assert result.err[-1].startswith("espnow send: -: line 3: a message of 251 bytes")
    if options:
        assert result.json[-1]["summary"]["acknowledged"] == 2
    else:
        assert result.err[0] == "--- 2 messages, 2 acknowledged"


V2 = "; --profile esp32-v2 sends up to 1,470, to boards with ESP-NOW v2"
MISTAKES = [
    ([PEER], 'name one message: MSG, "-" for standard input, or --file FILE; see espnow send --help'),
    ([PEER, "x", "--file", "y"], 'name one message: MSG, "-" for standard input, or --file FILE; see espnow send'),
    ([PEER, ""], "an empty message: ESP-NOW sends at least one byte"),
    ([PEER, "x" * 251], f"a message of 251 bytes: esp32 sends at most 250 bytes{V2}"),
    ([PEER, "ü" * 126], f"a message of 252 bytes: esp32 sends at most 250 bytes{V2}"),
    ([PEER, "x" * 1471], "a message of 1,471 bytes: esp32 sends at most 250 bytes"),
    ([PEER, "x" * 1471, "--profile", "esp32-v2"], "a message of 1,471 bytes: esp32-v2 sends at most 1,470 bytes"),
    ([PEER, "-"], "-: an empty message: ESP-NOW sends at least one byte"),
    ([PEER, "x", "--lines"], '--lines is for what is read: give "-" or --file'),
    ([PEER, "0x01", "--hex"], "--hex: a message is hexadecimal digits in pairs, as in 01ff10"),
    ([PEER, "ü", "--hex"], "--hex: a message is hexadecimal digits in pairs, as in 01ff10"),
    ([PEER, "--file", "no"], "--file no: No such file or directory"),
    ([PEER, "--file", "/"], "--file /: Is a directory"),
    (["all", "x"], "MAC: all is no MAC address: write it as aa:bb:cc:dd:ee:ff"),
    ([PEER, "x", "--repeat", "0"], "--repeat: 0 is no whole number from 1 to 1000000000"),
    ([PEER, "x", "--interval", "-1"], "--interval: -1: a time is a number and a unit"),
    ([PEER, "x", "--profile", "esp"], "--profile: there is no esp; there are esp32, esp32-v2, esp8266"),
    ([PEER, "x", "--pmk", SECRET], "--pmk alone opens nothing"),
    ([PEER, "x", "--lmk", "short"], "--lmk: a key is 16 characters or 32 hexadecimal digits; this has 5 characters"),
    (["broadcast", "x", "--lmk", SECRET], "messages to a group are never encrypted: leave the keys out"),
    ([PEER, "x", "--lmk", SECRET, "--lmk", LMK], f"2 keys are for {PEER}: one must name it with address, or be the"),
    ([SECRET, "x"], "MAC: (not shown: it could be a key) is no MAC address"),
]


@pytest.mark.parametrize(("arguments", "line"), MISTAKES, ids=[line[:40] for _, line in MISTAKES])
def test_a_mistake_is_one_line(radio: Any, monkeypatch: pytest.MonkeyPatch, arguments: list[str], line: str) -> None:
    give(monkeypatch, b"")
    result = radio.run("send", *arguments)
    told = [text for text in result.err if "warning" not in text]
    assert (result.code, result.out, len(told)) == (2, [], 1)
    assert told[0].startswith(f"espnow send: {line}")
    assert SECRET not in "".join(result.err)
    assert not hasattr(radio, "link") or radio.link.frames == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["broadcast", "a", "b"], "one argument too many: b"),
        (["broadcast", "--hex", "a", "b"], "one argument too many: b"),
        (["broadcast", "a", "b", "c", "d"], "3 arguments too many, from b on"),
        (["broadcast", "a", SECRET], "one argument too many: (not shown: it could be a key)"),
        (["broadcast", "a", "\x1b[2J"], "one argument too many: \\x1b[2J"),
    ],
)
def test_too_many_arguments(radio: Any, arguments: list[str], said: str) -> None:
    result = radio.run("send", *arguments)
    line = f"espnow send: {said}; a message with spaces needs quotes; see espnow send --help"
    assert (result.code, result.out, result.err) == (2, [], [line])


def test_a_profile_of_the_environment_that_there_is_not(radio: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESPNOW_PROFILE", "zz")
    line = "espnow send: ESPNOW_PROFILE: there is no zz; there are esp32, esp32-v2, esp8266"
    assert radio.run("send", PEER, "x").err == [line]


def test_too_much_input_is_not_read_whole(radio: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(io.RawIOBase):
        taken = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            self.taken += len(buffer)
            buffer[:] = b"x" * len(buffer)
            return len(buffer)

    for options in (["--lines"], [], ["--lines", "--hex"]):
        endless = Endless()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(endless)))
        result = radio.run("send", PEER, "-", *options)
        assert (result.code, result.out) == (2, [])
        assert "a message too long: esp32 sends at most 250 bytes" in result.err[0]
        assert endless.taken <= 1 << 17


def test_there_is_no_standard_input(radio: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert radio.run("send", PEER, "-").err == ["espnow send: -: there is no standard input"]


# Encryption.


def opened(radio: Any, lmk: str, pmk: bytes = wire.DEFAULT_PMK) -> list[bytes]:
    key = wire.derive_key(pmk, lmk.encode())
    frames = radio.link.sent
    assert all(isinstance(frame, ProtectedFrame) for frame in frames)
    return [open_protected(frame, key).message for frame in frames]


def key_file(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_a_key_file_encrypts(radio: Any, tmp_path: Path) -> None:
    keys = key_file(
        tmp_path / "keys.toml",
        f'[[key]]\nlmk = "{OTHER}"\n[[key]]\nlmk = "{LMK}"\npmk = "{PMK}"\naddress = "{PEER}"\n',
    )
    result = radio.run("send", PEER, "hello", "--keys", keys, "--repeat", "2")
    assert opened(radio, LMK, PMK.encode()) == [b"hello"] * 2
    assert [frame.packet_number for frame in radio.link.sent] == [1, 2]
    assert result.out[0] == f"{PEER}: 5 bytes, encrypted: acknowledged after 1 attempt, 3.000 ms"
    assert result.err == ["--- 2 messages, 2 acknowledged"]
    radio.run("send", "02:00:00:00:00:02", "hello", "--keys", keys)
    assert opened(radio, OTHER) == [b"hello"]


def test_no_run_takes_packet_numbers_of_an_earlier_one(radio: Any) -> None:
    numbers: list[int] = []
    for second in range(2):
        radio.epoch_ns = (1_790_000_000 + second) * 10**9
        radio.run("send", PEER, "hello", "--lmk", LMK, "--repeat", "3")
        assert opened(radio, LMK) == [b"hello"] * 3
        numbers += [frame.packet_number for frame in radio.link.sent]
    first, second = numbers[0], numbers[3]
    assert numbers == [first, first + 1, first + 2, second, second + 1, second + 2]
    assert (first, second - first) == (1_790_000_000 * 10**9 >> 14, 10**9 >> 14)


def test_a_key_file_without_a_key_for_the_peer_sends_nothing_plain(radio: Any, tmp_path: Path) -> None:
    keys = key_file(tmp_path / "keys.toml", f'[[key]]\nlmk = "{SECRET}"\naddress = "02:00:00:00:00:02"\n')
    result = radio.run("send", PEER, "hello", "--keys", keys)
    assert result.err == [f"espnow send: no key is for {PEER}: one must name it with address, or be the only one"]
    assert result.code == 2
    assert not hasattr(radio, "link")


def test_keys_of_the_environment(radio: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESPNOW_LMK", LMK)
    result = radio.run("send", PEER, "hello")
    assert (opened(radio, LMK), result.err) == ([b"hello"], [])
    monkeypatch.setenv("ESPNOW_PMK", PMK)
    radio.run("send", PEER, "hello")
    assert opened(radio, LMK, PMK.encode()) == [b"hello"]
    radio.run("send", "broadcast", "hello")
    assert isinstance(radio.link.sent[0], Frame)


@pytest.mark.parametrize("options", [["--lmk", SECRET], ["--lmk", SECRET, "--pmk", PMK]])
def test_a_key_on_the_command_line_is_warned_of(radio: Any, options: list[str]) -> None:
    result = radio.run("send", PEER, "hello", *options)
    (line,) = result.err
    assert line == (
        "espnow send: warning: everybody on this computer can list the keys of a command line; put them into a file "
        "and name it with --keys, or into ESPNOW_LMK and ESPNOW_PMK"
    )
    assert opened(radio, SECRET, PMK.encode() if len(options) > 2 else wire.DEFAULT_PMK) == [b"hello"]


# How it ends.


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it(radio: Any, number: int, code: int) -> None:
    radio.interrupt(250, number)
    result = radio.run("send", PEER, "x", "--repeat", "100", "--interval", "100ms")
    assert (len(result.out), result.code) == (3, code)
    assert result.err == ["--- 3 messages, 3 acknowledged"]
    assert radio.link.closed


def test_ctrl_c_before_the_answer(radio: Any) -> None:
    radio.when_opened(lambda: radio.link.withhold())
    radio.interrupt(250)
    result = radio.run("send", PEER, "x")
    assert result.out == [f"{PEER}: 1 byte: handed to the radio, which has not answered"]
    assert result.code == 130


def test_ctrl_c_while_it_waits_for_input(radio: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Person(io.RawIOBase):
        typed = False
        went_on = False

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            if not self.typed:
                self.typed = True
                buffer[:4] = b"one\n"
                return 4
            signal.raise_signal(signal.SIGINT)
            self.went_on = True
            return 0

    person = Person()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(person)))
    result = radio.run("send", PEER, "-", "--lines")
    assert (result.code, sent(radio), result.err, person.went_on) == (130, [b"one"], [], False)
    assert radio.link.closed


def test_what_the_radio_tells_meanwhile_is_said_while_it_waits_for_input(
    radio: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []

    class Person(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            said.append(capsys.readouterr().err)
            radio.report("something happened")
            said.append(capsys.readouterr().err)
            radio.loop.advance(1_000_000)
            radio.link.trouble = "wlan1 is gone"
            radio.loop.advance(1_000_000)
            said.append(capsys.readouterr().err)
            return 0

    radio.when_opened(lambda: radio.report("it is slow"))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Person())))
    result = radio.run("send", PEER, "-", "--lines")
    assert said == [
        "espnow send: it is slow\n",
        "espnow send: something happened\n",
        "espnow send: the radio is in trouble: wlan1 is gone\n",
    ]
    assert (result.code, result.err) == (0, [])


def test_frames_that_nobody_takes_are_not_kept(radio: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting: list[int] = []

    class Person(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            calls = radio.link.station.hear.__self__._calls
            before = calls.qsize()
            for _ in range(3):
                radio.link.inject("x", destination=wire.BROADCAST)
            waiting.append(calls.qsize() - before)
            return 0

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Person())))
    assert radio.run("send", PEER, "-", "--lines").code == 0
    assert waiting == [0]


def test_ctrl_c_in_a_process() -> None:
    read, write = os.pipe()
    command = [sys.executable, "-m", "espnow", "send", "--radio", "none:", "--lines", PEER, "-"]
    with subprocess.Popen(command, stdin=read, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        os.write(write, b"one\n")
        assert process.stdout is not None
        assert "not acknowledged" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=50)
    os.close(read)
    os.close(write)
    assert (process.returncode, out, err) == (130, "", "")


def test_it_sends_even_if_nobody_reads_what_it_prints() -> None:
    read, write = os.pipe()
    os.close(read)
    program = (
        "import sys; from espnow.cli import main; from espnow.radio import none; transmit = none.NoRadio.transmit; "
        "none.NoRadio.transmit = lambda *a: (print('sent', file=sys.stderr), transmit(*a)); main.entry()"
    )
    command = [sys.executable, "-c", program, "send", "--radio", "none:", PEER, "hello"]
    run = subprocess.run(
        command,
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        timeout=50,
        check=False,
        env={**os.environ, "ESPNOW_FIXED_HASHES": "1"},
    )
    os.close(write)
    assert (run.returncode, run.stderr) == (1, "sent\n")
