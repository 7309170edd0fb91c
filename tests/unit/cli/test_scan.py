"""``espnow scan``: the channel on which a board answers, and who is heard where."""

from __future__ import annotations

import signal
import sys
from typing import Any

import pytest

from espnow import frame as wire
from espnow.cli import _show
from espnow.cli.scan import ChannelResult, best_of
from espnow.link import Abilities, Outcome

PEER = "30:aa:aa:aa:aa:aa"
A = bytes.fromhex("30aaaaaaaaaa")


def answers_on(radio: Any, answers: dict[int, list[int]]) -> None:
    """Let frames be acknowledged after so many attempts on some channels; 0 for not at all."""

    def opened() -> None:
        link = radio.link

        def transmit(mpdu: bytes, token: int) -> None:
            link.frames.append(mpdu)
            left = answers.get(link.config.channel, [])
            attempts = left.pop(0) if left else 0
            outcome = Outcome.ACKNOWLEDGED if attempts else Outcome.NOT_ACKNOWLEDGED
            at_us = radio.loop.now_us + 1_000
            radio.loop.call_at(at_us, lambda: link.station.outcome(token, outcome, attempts or 7, at_us))

        link.transmit = transmit

    radio.when_opened(opened)


# With an address.


def test_a_table_of_channels_and_the_best(radio: Any) -> None:
    radio.abilities = Abilities(channels=frozenset((1, 5, 6, 7)))
    answers_on(radio, {5: [0, 4, 0], 6: [1, 1, 2], 7: [3, 0, 0]})
    result = radio.run("scan", PEER)
    assert result.out == [
        "channel  answered  attempts",
        "      1       0/3",
        "      5       1/3       4.0",
        "      6       3/3       1.3  best",
        "      7       1/3       3.0",
        f"{PEER} answers on channel 6",
    ]
    assert (result.code, result.err) == (0, [])
    assert [config.channel for config in radio.link.configs] == [1, 5, 6, 7]
    assert len(radio.link.frames) == 12
    assert (radio.link.closed, radio.loop.closed) == (True, True)


def test_it_answers_nowhere(radio: Any) -> None:
    answers_on(radio, {})
    result = radio.run("scan", "--channels", "1,3-4", "--tries", "1", PEER)
    assert result.out == [
        "channel  answered  attempts",
        "      1       0/1",
        "      3       0/1",
        "      4       0/1",
        f"{PEER} answered on no channel",
    ]
    assert result.code == 1


def test_json(radio: Any) -> None:
    answers_on(radio, {2: [2, 0]})
    result = radio.run("scan", "--channels", "1,2", "--tries", "2", "--json", PEER)
    assert result.json == [
        {"channel": 1, "tries": 2, "answered": 0, "attempts": None},
        {"channel": 2, "tries": 2, "answered": 1, "attempts": 2.0},
        {"best": 2},
    ]


def test_a_radio_that_tells_no_attempts(radio: Any) -> None:
    radio.abilities = Abilities(tells_attempts=False, channels=frozenset((1,)))
    answers_on(radio, {1: [1, 1, 1]})
    assert radio.run("scan", PEER).out[:2] == ["channel  answered  attempts", "      1       3/3            best"]


@pytest.mark.parametrize(
    ("results", "best"),
    [
        ([], None),
        ([ChannelResult(1, 3, 0, 0)], None),
        ([ChannelResult(1, 3, 1, 1), ChannelResult(2, 3, 2, 14)], 2),
        ([ChannelResult(1, 3, 2, 5), ChannelResult(2, 3, 2, 4)], 2),
        ([ChannelResult(1, 3, 2, 4), ChannelResult(2, 3, 2, 4)], 1),
    ],
)
def test_the_best(results: list[ChannelResult], best: int | None) -> None:
    found = best_of(results)
    assert (None if found is None else found.channel) == best


@pytest.mark.parametrize(
    ("abilities", "line"),
    [
        (
            Abilities(tells_outcome=False),
            "this radio cannot tell whether a frame was acknowledged, so it cannot find who answers",
        ),
        (Abilities(sends=False), "radio scripted: sends nothing: it only hears"),
    ],
)
def test_a_radio_that_cannot(radio: Any, abilities: Abilities, line: str) -> None:
    radio.abilities = abilities
    result = radio.run("scan", PEER)
    assert (result.code, result.out, result.err) == (2, [], [f"espnow scan: {line}"])
    assert radio.link.closed


def test_a_radio_that_learns_that_it_cannot(radio: Any) -> None:
    radio.when_opened(lambda: radio.link.script(["refuse", "unknown"]))
    radio.at(4, lambda: setattr(radio.link, "abilities", Abilities(tells_outcome=False)))
    result = radio.run("scan", PEER)
    assert (result.code, result.out, len(result.err)) == (2, [], 1)


def test_progress_is_shown_over_a_second(radio: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_show, "_AFTER_S", 0)
    monkeypatch.setattr(_show, "_EVERY_S", 0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    answers_on(radio, {1: [1]})
    result = radio.run("scan", "--channels", "1,2", "--tries", "2", PEER)
    bars = "\n".join(result.err)
    assert "[#######                       ] channel 1" in bars
    assert "[######################        ] channel 2" in bars
    assert result.err[-1].strip() == ""


# Without.


def hear(radio: Any, ms: float, channel: int, source: bytes = A, rssi_dbm: int = -50, seq: int = 1) -> None:
    mpdu = wire.build(wire.BROADCAST, source, b"x", seq=seq, random_value=seq)

    def arrive() -> None:
        if radio.link.config.channel == channel:
            radio.link.inject_frame(mpdu, rssi_dbm=rssi_dbm)

    radio.at(ms, arrive)


def test_who_is_heard_where(radio: Any) -> None:
    radio.abilities = Abilities(channels=frozenset((1, 2, 3)))
    for ms in range(10, 3_000, 100):
        hear(radio, ms, 2, seq=ms)
        hear(radio, ms, 2, rssi_dbm=-60, seq=ms + 1)
    hear(radio, 2_500, 3, bytes.fromhex("020000000001"))
    result = radio.run("scan")
    assert result.out == [
        "channel  station            frames  dBm  rate",
        "      2  30:aa:aa:aa:aa:aa      20  -55    1M",
        "      3  02:00:00:00:00:01       1  -50    1M",
    ]
    assert (result.code, result.err, radio.link.frames) == (0, [], [])
    assert [config.channel for config in radio.link.configs] == [1, 2, 3]
    assert all(config.promiscuous and not config.addresses for config in radio.link.configs)
    assert radio.loop.now_us == 3_000_000


def test_nobody_is_heard(radio: Any) -> None:
    result = radio.run("scan", "--channels", "1-2", "--dwell", "250ms")
    assert (result.out, result.code, radio.loop.now_us) == (["no ESP-NOW station was heard"], 1, 500_000)


def test_json_of_who_is_heard(radio: Any) -> None:
    hear(radio, 1_500, 6)
    (told,) = radio.run("scan", "--channels", "1,6", "--json").json
    assert (told["station"], told["channel"], told["frames"]) == (PEER, 6, 1)


def test_hostile_numbers_of_stations_are_cut(radio: Any) -> None:
    for number in range(1_100):
        hear(radio, 10, 1, b"\x02" + number.to_bytes(5, "big"))
    result = radio.run("scan", "--channels", "1")
    assert (len(result.out), result.out[-1]) == (202, "... and 824 more")


# How it ends.


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_what_was_found(radio: Any, number: int, code: int) -> None:
    hear(radio, 100, 1)
    radio.interrupt(1_500, number)
    result = radio.run("scan")
    assert (len(result.out), result.code) == (2, code)
    assert [config.channel for config in radio.link.configs] == [1, 2]


def test_a_signal_ends_the_asking(radio: Any) -> None:
    answers_on(radio, {1: [1, 1, 1]})
    radio.interrupt(4.5)
    result = radio.run("scan", PEER)
    assert result.out[1] == "      1       3/3       1.0  best"
    assert result.out[2] == f"{PEER} answers on channel 1; 1 of 14 channels was asked"
    assert (len(result.out), result.code) == (3, 130)


@pytest.mark.parametrize(("ms", "asked"), [(0.5, "0 of 3 channels were asked"), (6.5, "2 of 3 channels were asked")])
def test_a_signal_before_an_answer_tells_how_many_channels_were_asked(radio: Any, ms: float, asked: str) -> None:
    answers_on(radio, {6: [1, 1, 1]})
    radio.interrupt(ms)
    result = radio.run("scan", "--channels", "1,2,6", PEER)
    assert (result.out[-1], result.code) == (f"{PEER} answered on no channel; {asked}", 130)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--tries", "3"], "--tries says how often a board is asked; name it, or give --dwell"),
        ([PEER, "--dwell", "1s"], "--dwell says how long it listens when no MAC is named; give --tries"),
        (["broadcast"], "ff:ff:ff:ff:ff:ff is a group's address: nobody acknowledges what is for a group"),
        (["--channel", "6"], "--channel: scan goes round channels; say which with --channels, as in 6 or 1,6,11"),
        ([PEER, "--channel=6"], "--channel: scan goes round channels; say which with --channels, as in 6 or 1,6,11"),
        (["ff:ff:ff:ff:ff:ff"], "ff:ff:ff:ff:ff:ff is a group's address: nobody acknowledges what is for a group"),
        ([PEER, "--tries", "0"], "--tries: 0 is no whole number from 1 to 1000"),
        (["--dwell", "0"], "--dwell 0: a time must be at least 1 ms"),
        (["--channels", "0"], "--channels: 0 is no whole number from 1 to 14"),
    ],
)
def test_a_mistake_is_one_line(radio: Any, arguments: list[str], line: str) -> None:
    result = radio.run("scan", *arguments)
    assert (result.code, result.out, result.err) == (2, [], [f"espnow scan: {line}"])
