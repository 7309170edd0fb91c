"""Names of radios, and what becomes of them."""

import importlib.metadata

import pytest
from hypothesis import given
from hypothesis import strategies as st

import espnow.radio
from espnow.errors import UserError
from espnow.radio import DEFAULT, KINDS, Choice, RadioName, chosen, open_radio, parse_name, take_choice, use
from espnow.radio.loop import RadioLoop

GOOD = {
    "udp:": RadioName("udp:", "udp", "", {}),
    "udp:?loss=0.1": RadioName("udp:?loss=0.1", "udp", "", {"loss": "0.1"}),
    "udp:239.1.2.3:5000@eth0?pace=off&at=3,4": RadioName(
        "udp:239.1.2.3:5000@eth0?pace=off&at=3,4", "udp", "239.1.2.3:5000@eth0", {"pace": "off", "at": "3,4"}
    ),
    "monitor:wlan1": RadioName("monitor:wlan1", "monitor", "wlan1", {}),
    "pcap:/a/b=c?pace=fast": RadioName("pcap:/a/b=c?pace=fast", "pcap", "/a/b=c", {"pace": "fast"}),
    "x:?a=b=c": RadioName("x:?a=b=c", "x", "", {"a": "b=c"}),
    "x:?a=": RadioName("x:?a=", "x", "", {"a": ""}),
    "x:?": RadioName("x:?", "x", "", {}),
}

BAD = {
    "": "colon",
    "udp": "write udp:",
    "monitor": "write monitor:",
    "wlan1": "write udp: or monitor:wlan1",
    "udp:?loss": "key=value",
    "udp:?=1": "key=value",
    "udp:?loss=1&loss=0": "each once",
    "udp:?loss=1&": "key=value",
}


@pytest.fixture
def loop():
    loop = RadioLoop()
    yield loop
    loop.close()


@pytest.mark.parametrize("text", GOOD)
def test_parts(text):
    assert parse_name(text) == GOOD[text]


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_name(text):
    with pytest.raises(UserError, match=BAD[text]) as caught:
        parse_name(text)
    assert "\n" not in str(caught.value)


@given(st.text())
def test_any_text_is_a_name_or_refused_in_one_line(text):
    try:
        name = parse_name(text)
    except UserError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert name.text == text
        assert text.startswith(f"{name.kind}:{name.rest}")


@pytest.mark.parametrize("kind", ["radio", "UDP", "", "u dp"])
def test_a_kind_that_is_none(loop, kind):
    with pytest.raises(UserError) as caught:
        open_radio(f"{kind}:", loop, print)
    text = str(caught.value)
    assert repr(kind) in text
    for there in KINDS:
        assert f"{there}:" in text


def test_every_kind_has_its_opener():
    for module, function in KINDS.values():
        assert callable(getattr(importlib.import_module(module), function))
    assert parse_name(DEFAULT).kind in KINDS


@pytest.mark.parametrize("text", ["none:x", "none:?loss=1", "udp:?los=1", "pcap:"])
def test_mistakes_in_settings_are_one_line_with_the_name(loop, text):
    with pytest.raises(UserError) as caught:
        open_radio(text, loop, print)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_kind_of_another_package(loop, monkeypatch):
    class Point:
        name = "mine"

        def load(self):
            return lambda name, loop, report: (name.rest, loop.lock.is_owned(), report)

    asked = []

    def points(**wanted):
        asked.append(wanted)
        return [Point()] if wanted == {"group": "espnow.radios", "name": "mine"} else []

    monkeypatch.setattr(importlib.metadata, "entry_points", points)
    assert open_radio("mine:here", loop, print) == ("here", True, print)
    with pytest.raises(UserError):
        open_radio("other:", loop, print)
    assert len(asked) == 2


NAME = parse_name("x:?n=5&word=off&bad=many&inf=inf&nan=nan")


def test_settings_as_numbers():
    assert NAME.number("n", 1, 0, 10) == 5.0
    assert NAME.number("absent", 1.5, 0, 1) == 1.5
    for key, least, most in (("n", 6, 10), ("n", 0, 4), ("bad", 0, 10), ("inf", 0, 10), ("nan", 0, 10)):
        with pytest.raises(UserError, match=f"{key}=.*from {least} to {most}"):
            NAME.number(key, 0, least, most)


def test_settings_of_few_values():
    assert NAME.one_of("word", "on", ("on", "off")) == "off"
    assert NAME.one_of("absent", "on", ("on", "off")) == "on"
    with pytest.raises(UserError, match="bad='many' must be one of on, off"):
        NAME.one_of("bad", "on", ("on", "off"))


def test_settings_that_are_known():
    NAME.check_settings(("n", "word", "bad", "inf", "nan"))
    with pytest.raises(UserError, match="'nan'; there are n, word, bad, inf"):
        NAME.check_settings(("n", "word", "bad", "inf"))
    with pytest.raises(UserError, match="'n'; it has none"):
        NAME.check_settings(())


# The choice of the process's own board.


@pytest.fixture
def choice(monkeypatch):
    monkeypatch.setattr(espnow.radio, "_choice", Choice())
    monkeypatch.setattr(espnow.radio, "_taken", False)


def test_the_last_choice_counts_whole(choice):
    assert chosen() == Choice()
    use("none:", mac="02:00:00:00:00:01", channel=5)
    use(profile="esp8266", capture="file", answer_timeout_ms=5)
    assert chosen() == Choice(profile="esp8266", capture="file", answer_timeout_ms=5)


def test_a_choice_that_is_no_name_is_refused_and_the_one_before_stays(choice):
    use("none:")
    with pytest.raises(UserError, match="colon"):
        use("udp")
    assert chosen().radio == "none:"


def test_while_there_is_a_board_it_is_too_late(choice):
    take_choice(True)
    with pytest.raises(UserError, match="too late"):
        use("none:")
    take_choice(False)
    use("none:")
    assert chosen().radio == "none:"
