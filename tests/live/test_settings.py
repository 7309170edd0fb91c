"""What the process's board is: from `espnow.radio.use`, the environment, or as usual."""

import socket
import subprocess
import sys

import pytest

import espnow
from espnow import live
from espnow.errors import UserError
from espnow.live.address import claim_address, host_address

from .conftest import until

BOARD = "from espnow import live\nboard = live.board()\n"


def wlan():
    import network

    found = network.WLAN(network.WLAN.IF_STA)
    found.active(True)
    return found


@pytest.mark.parametrize(("profile", "length"), [("esp32", 250), ("esp32-v2", 1470), ("esp8266", 250)])
@pytest.mark.parametrize("said", [True, False])
def test_profile(fresh, profile, length, said):
    if said:
        fresh.setenv("ESPNOW_PROFILE", "esp32" if profile == "esp8266" else "esp8266")
        espnow.radio.use(profile=profile)
    else:
        fresh.setenv("ESPNOW_PROFILE", profile)
    assert length == espnow.MAX_DATA_LEN
    assert hasattr(espnow.ESPNow, "irq") == (profile != "esp8266")


@pytest.mark.parametrize("mac", ["02:aa:bb:cc:dd:ee", bytes.fromhex("02aabbccddee")])
def test_address_that_was_said(fresh, mac):
    fresh.setenv("ESPNOW_MAC", "02:00:00:00:00:01")
    espnow.radio.use(mac=mac)
    assert wlan().config("mac") == bytes.fromhex("02aabbccddee")


def test_address_of_the_environment(fresh):
    fresh.setenv("ESPNOW_MAC", "02-AA-BB-CC-DD-EE")
    assert wlan().config("mac") == bytes.fromhex("02aabbccddee")


@pytest.mark.parametrize("channel", [1, 6, 14])
def test_channel_that_was_said(fresh, channel):
    fresh.setenv("ESPNOW_CHANNEL", "3")
    espnow.radio.use(channel=channel)
    assert wlan().config("channel") == channel


def test_channel_of_the_environment_is_that_of_the_start(fresh, port, new_peer):
    fresh.setenv("ESPNOW_CHANNEL", "11")
    fresh.setenv("ESPNOW_RADIO", f"udp::{port}?pace=off&answer=50")
    station = wlan()
    assert station.config("channel") == 11
    e = espnow.ESPNow()
    e.active(True)
    elsewhere, here = new_peer(), new_peer(channel=11, mac=b"\x02\0\0\0\0\x02")
    for other in (elsewhere, here):
        e.add_peer(other.mac)
    assert not e.send(elsewhere.mac, b"x")
    until(lambda: e.send(here.mac, b"x"))
    station.config(channel=1)
    until(lambda: e.send(elsewhere.mac, b"x"))
    assert not e.send(here.mac, b"x")


def test_radio_that_was_said(fresh):
    fresh.setenv("ESPNOW_RADIO", "nonsense")
    espnow.radio.use("none:")
    assert live.settings().radio == "none:"
    assert type(live.board().link).__name__ == "NoRadio"


def test_the_usual_choice(fresh):
    fresh.delenv("ESPNOW_RADIO")
    fresh.delenv("ESPNOW_ANSWER_TIMEOUT_MS")
    settings = live.settings()
    assert (settings.radio, settings.profile, settings.answer_timeout_ms) == ("udp:", "esp32", 500.0)
    assert (settings.mac, settings.channel, settings.capture) == (None, None, None)


def test_what_is_empty_is_not_said(fresh):
    for name in ("RADIO", "MAC", "PROFILE", "CHANNEL", "CAPTURE", "ANSWER_TIMEOUT_MS"):
        fresh.setenv(f"ESPNOW_{name}", "")
    settings = live.settings()
    assert (settings.radio, settings.profile, settings.answer_timeout_ms) == ("udp:", "esp32", 500.0)
    assert (settings.mac, settings.channel, settings.capture) == (None, None, None)


def test_the_last_choice_counts_whole(fresh):
    espnow.radio.use("none:", channel=3)
    espnow.radio.use(channel=5)
    assert live.settings().channel == 5
    assert live.settings().radio.startswith("udp::")


@pytest.mark.parametrize("said", [True, False])
def test_capture(fresh, tmp_path, said):
    path = tmp_path / "air.pcapng"
    if said:
        fresh.setenv("ESPNOW_CAPTURE", "/nowhere/at/all")
        espnow.radio.use(capture=path)
    else:
        fresh.setenv("ESPNOW_CAPTURE", str(path))
    wlan()
    e = espnow.ESPNow()
    e.active(True)
    e.add_peer(b"\xff" * 6)
    e.send(b"\xff" * 6, b"captured message")
    live.close()
    assert b"captured message" in path.read_bytes()


def test_what_the_radio_counts_is_told_while_it_is_recorded(fresh, tmp_path):
    espnow.radio.use(capture=tmp_path / "air.pcapng")
    wlan()
    e = espnow.ESPNow()
    e.active(True)
    e.add_peer(b"\xff" * 6)
    e.send(b"\xff" * 6, b"counted")
    assert live.board().link.counts.frames_sent == 1


@pytest.mark.parametrize("said", [True, False])
def test_answer_timeout(fresh, said):
    """Its radio never answers: a link that swallows frames."""
    if said:
        fresh.setenv("ESPNOW_ANSWER_TIMEOUT_MS", "9000")
        espnow.radio.use(answer_timeout_ms=30)
    else:
        fresh.setenv("ESPNOW_ANSWER_TIMEOUT_MS", "30")
    wlan()
    e = espnow.ESPNow()
    e.active(True)
    e.add_peer(b"\xff" * 6)
    board = live.board()
    fresh.setattr(board.link, "transmit", lambda mpdu, token: None)
    begin_us = board.clock.now_us
    with pytest.raises(OSError, match="ETIMEDOUT") as caught:
        e.send(b"\xff" * 6, b"x")
    assert caught.value.args == (116,)
    assert 30_000 <= board.clock.now_us - begin_us < 400_000
    e.active(False)


#: Environment or `use`: what is said, and what the line must say.
WRONG = [
    ({"ESPNOW_PROFILE": "esp99"}, {}, ("esp99", "esp32-v2")),
    ({}, {"profile": "esp99"}, ("esp99", "esp32-v2")),
    ({"ESPNOW_MAC": "nonsense"}, {}, ("ESPNOW_MAC", "nonsense")),
    ({"ESPNOW_MAC": "03:00:00:00:00:01"}, {}, ("ESPNOW_MAC", "multicast")),
    ({}, {"mac": b"12345"}, ("MAC", "6 bytes")),
    ({}, {"mac": b""}, ("MAC", "6 bytes")),
    ({}, {"mac": ""}, ("MAC",)),
    ({}, {"mac": 5}, ("espnow.radio.use: mac=5 must be a MAC address, as text or 6 bytes",)),
    ({"ESPNOW_CHANNEL": "15"}, {}, ("ESPNOW_CHANNEL", "'15'", "1 to 14")),
    ({"ESPNOW_CHANNEL": "0"}, {}, ("ESPNOW_CHANNEL", "'0'", "1 to 14")),
    ({"ESPNOW_CHANNEL": "six"}, {}, ("ESPNOW_CHANNEL", "'six'")),
    ({"ESPNOW_CHANNEL": "²"}, {}, ("ESPNOW_CHANNEL",)),
    ({"ESPNOW_CHANNEL": "1" * 5000}, {}, ("ESPNOW_CHANNEL",)),
    ({"ESPNOW_CHANNEL": "3"}, {"channel": 15}, ("espnow.radio.use", "15", "1 to 14")),
    ({}, {"channel": "6"}, ("espnow.radio.use", "'6'", "1 to 14")),
    ({"ESPNOW_ANSWER_TIMEOUT_MS": "soon"}, {}, ("ESPNOW_ANSWER_TIMEOUT_MS", "'soon'")),
    ({"ESPNOW_ANSWER_TIMEOUT_MS": "nan"}, {}, ("ESPNOW_ANSWER_TIMEOUT_MS",)),
    ({"ESPNOW_ANSWER_TIMEOUT_MS": "0"}, {}, ("ESPNOW_ANSWER_TIMEOUT_MS", "more than 0, at most 3600000")),
    ({"ESPNOW_ANSWER_TIMEOUT_MS": "3600001"}, {}, ("'3600001'", "more than 0, at most 3600000")),
    ({}, {"answer_timeout_ms": -1}, ("espnow.radio.use", "-1")),
    ({}, {"answer_timeout_ms": 0}, ("espnow.radio.use", "=0 ", "more than 0, at most 3600000")),
    ({}, {"answer_timeout_ms": 3600001}, ("espnow.radio.use", "=3600001 ", "more than 0, at most 3600000")),
    ({}, {"answer_timeout_ms": True}, ("espnow.radio.use", "=True ", "more than 0")),
    ({}, {"radio": 5}, ("espnow.radio.use: radio=5 must be the name of a radio",)),
    ({}, {"radio": b"udp:"}, ("espnow.radio.use: radio=b'udp:' must be the name of a radio",)),
    ({}, {"profile": ["esp32"]}, ("espnow.radio.use: profile=['esp32'] must be the name of a profile",)),
    ({}, {"capture": 5}, ("espnow.radio.use: capture=5 must be the path of a file",)),
    ({}, {"capture": b"air"}, ("espnow.radio.use: capture=b'air' must be the path of a file",)),
    ({}, {"channel": True}, ("espnow.radio.use: channel=True must be from 1 to 14",)),
    ({"ESPNOW_RADIO": "udp"}, {}, ("'udp'", "colon")),
    ({"ESPNOW_RADIO": "radio:"}, {}, ("'radio'", "udp:", "monitor:")),
    ({"ESPNOW_RADIO": "udp:?los=1"}, {}, ("udp:?los=1", "'los'", "loss")),
    ({"ESPNOW_CAPTURE": "/nowhere/at/all"}, {}, ("/nowhere/at/all",)),
]


@pytest.mark.parametrize(("environment", "said", "words"), WRONG)
def test_what_cannot_be_is_one_line_each_time(fresh, environment, said, words):
    for name, value in environment.items():
        fresh.setenv(name, value)
    for _ in range(2):
        with pytest.raises(UserError) as caught:
            espnow.radio.use(**said)
            espnow.ESPNow  # noqa: B018
        text = str(caught.value)
        assert "\n" not in text
        assert [word for word in words if word not in text] == []
        assert live._board is None


def test_a_channel_that_the_radio_does_not_have(fresh, monkeypatch):
    from espnow.link import Abilities
    from espnow.radio.none import NoRadio

    monkeypatch.setattr(NoRadio, "abilities", Abilities(channels=frozenset((1, 6))))
    fresh.setenv("ESPNOW_RADIO", "none:")
    fresh.setenv("ESPNOW_CHANNEL", "14")
    with pytest.raises(UserError, match=r"radio 'none:' has no channel 14; it has 1, 6$"):
        wlan()
    fresh.setenv("ESPNOW_CHANNEL", "6")
    assert wlan().config("channel") == 6


def test_after_a_mistake_another_choice_can_be_made(fresh, tmp_path):
    espnow.radio.use(capture=tmp_path / "no" / "folder")
    with pytest.raises(UserError):
        live.board()
    espnow.radio.use()
    first = live.board().mac
    assert first == host_address(live._program())  # the attempt that failed let go of it


def test_too_late(fresh):
    live.board()
    with pytest.raises(UserError, match="too late"):
        espnow.radio.use("none:")
    live.close()
    espnow.radio.use("none:")
    assert live.board().link.trouble is None


def test_a_program_that_cannot_have_its_board_says_why_in_one_line(programs):
    program = programs.file("import espnow\nespnow.ESPNow()\n", ESPNOW_CHANNEL="99")
    assert program.wait() == 1
    assert program.errors[-1] == "espnow.errors.UserError: ESPNOW_CHANNEL is '99', and must be from 1 to 14"


# Addresses.


def address_of(programs, name, **environment):
    program = programs.file(
        "import network, sys\nw = network.WLAN(0)\nw.active(True)\nprint(w.config('mac').hex(), flush=True)\n"
        "sys.stdin.readline()\n",
        name,
        **environment,
    )
    return program, program.expect("")[0]


def test_programs_have_different_addresses_that_stay_the_same(programs):
    one, address = address_of(programs, "one.py")
    two, other = address_of(programs, "two.py")
    again, second = address_of(programs, "one.py")
    assert len({address, other, second}) == 3
    for program in (one, two, again):
        program.write("\n")
        program.finish()
    for name, expected in (("two.py", other), ("one.py", address)):
        program, found = address_of(programs, name)
        assert found == expected
    assert address_of(programs, "one.py")[1] == second


def test_an_address_is_free_when_its_process_was_killed(programs):
    program, address = address_of(programs, "one.py")
    program.kill()
    assert address_of(programs, "one.py")[1] == address


def test_addresses_are_those_of_stations_and_four_apart():
    seen = set()
    for program in range(500):
        address = host_address(f"/a/program{program}")
        assert address[:3] == bytes.fromhex("18fe34")
        assert address[5] % 4 == 0
        seen.add(address)
    assert len(seen) >= 499


def test_who_finds_an_address_taken_takes_the_next():
    name = f"a program of the test {socket.gethostname()} {id(seen := set())}"
    claims = [claim_address(name) for _ in range(3)]
    assert [claim.address for claim in claims] == [host_address(name, instance) for instance in range(3)]
    seen |= {claim.address for claim in claims}
    assert len(seen) == 3
    claims[1].release()
    claims[1].release()
    again = claim_address(name)
    assert again.address == claims[1].address
    for claim in (*claims, again):
        claim.release()


@pytest.mark.parametrize(
    ("arguments", "name"),
    [(["-c"], "-c"), (["program.py"], "program.py"), (["-m", "program"], "program.py"), (["./link.py"], "program.py")],
)
def test_a_program_is_known_by_its_file(tmp_path, arguments, name):
    source = "from espnow import live; print(live._program())"
    (tmp_path / "program.py").write_text(source)
    (tmp_path / "link.py").symlink_to("program.py")
    if arguments == ["-c"]:
        arguments = ["-c", source]
    done = subprocess.run([sys.executable, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == (name if name == "-c" else str((tmp_path / name).resolve()))
