"""ESPNow.config: one row a statement, with where it comes from."""

from __future__ import annotations

import pytest

from espnow.testing import Bench

PEER = b"\x24\x0a\xc4\x00\x00\x01"


@pytest.mark.parametrize(("name", "value"), [("rxbuf", 526), ("timeout_ms", 300_000)])
def test_defaults(bench, name, value):
    """document: config."""
    assert bench.espnow.ESPNow().config(name) == value


@pytest.mark.parametrize("name", ["rxbuf", "timeout_ms"])
@pytest.mark.parametrize("on", [False, True])
def test_set_and_get_active_or_not(bench, name, on):
    """document: config; firmware: also while inactive, as programs do with rxbuf."""
    e = bench.espnow.ESPNow()
    e.active(on)
    assert e.config(**{name: 1234}) is None
    assert e.config(name) == 1234


def test_several_are_set_at_once(e):
    """document: config."""
    assert e.config(rxbuf=2000, timeout_ms=50, rate=e._state.board.profile.rate) is None
    assert (e.config("rxbuf"), e.config("timeout_ms")) == (2000, 50)


def test_without_arguments_gives_nothing(e):
    """firmware."""
    assert e.config() is None


def test_one_parameter_is_asked_for_at_a_time(e):
    """document: config."""
    with pytest.raises(TypeError):
        e.config("rxbuf", "timeout_ms")


@pytest.mark.parametrize("name", ["bogus", "", "RXBUF"])
def test_unknown_name_asked_for(e, name):
    """document: config raises ValueError; firmware: this text."""
    with pytest.raises(ValueError, match=r"^unknown config param$"):
        e.config(name)


def test_rate_cannot_be_read(e):
    """document: config, it is write-only."""
    e.config(rate=0)
    with pytest.raises(ValueError, match="unknown config param"):
        e.config("rate")


@pytest.mark.parametrize("kind", [ValueError, TypeError])
def test_unknown_keyword_is_caught_as_either(e, kind):
    """document: ValueError; firmware: TypeError."""
    with pytest.raises(kind):
        e.config(bogus=1)


@pytest.mark.parametrize("name", ["rxbuf", "timeout_ms", "rate"])
@pytest.mark.parametrize("value", [1.5, "1", None, b"1", [1]])
@pytest.mark.parametrize("kind", [ValueError, TypeError])
def test_value_that_is_no_integer_is_caught_as_either(e, name, value, kind):
    """document: ValueError; firmware: TypeError, also for None and for a float."""
    with pytest.raises(kind):
        e.config(**{name: value})


def test_bool_is_an_integer(e):
    """firmware."""
    e.config(timeout_ms=True)
    assert e.config("timeout_ms") == 1


def test_bad_keyword_changes_nothing(e):
    """firmware: arguments are read before anything is set."""
    with pytest.raises(ValueError):
        e.config(rxbuf=1000, bogus=1)
    with pytest.raises(ValueError):
        e.config(rxbuf=1000, timeout_ms="x")
    assert e.config("rxbuf") == 526


class TestRxbuf:
    def test_takes_effect_only_when_switched_off_and_on(self, bench, e):
        """document: config, rxbuf; firmware: switching on again is not enough."""
        e.config(rxbuf=3 * 263)
        e.active(True)
        for _ in range(3):
            bench.link.inject(bytes(250))
        assert e.stats()[3:] == (2, 1)
        e.active(False)
        e.active(True)
        for _ in range(4):
            bench.link.inject(bytes(250))
        assert e.stats()[3:] == (5, 2)

    def test_can_be_made_smaller(self, bench, e):
        """ours: a ring too small for any message drops all, and nothing breaks."""
        e.config(rxbuf=13)
        e.active(False)
        e.active(True)
        bench.link.inject("x")
        assert e.stats()[3:] == (0, 1)
        assert e.recv(0) == (None, None)

    def test_negative_is_ignored(self, e):
        """firmware."""
        assert e.config(rxbuf=-1) is None
        assert e.config("rxbuf") == 526


class TestTimeout:
    def test_is_what_receiving_calls_wait(self, bench, e):
        """document: config, timeout_ms."""
        e.config(timeout_ms=120)
        for receive in (e.recv, e.irecv, lambda: e.recvinto([None, bytearray(250)]), lambda: next(e)):
            begin_us = bench.clock.now_us
            receive()
            assert bench.clock.now_us - begin_us == 120_000

    def test_default_is_five_minutes(self, bench, e):
        """document: config, timeout_ms."""
        begin_us = bench.clock.now_us
        assert e.recv() == (None, None)
        assert bench.clock.now_us - begin_us == 300_000_000

    def test_zero_does_not_wait(self, bench, e):
        """document: recv, zero."""
        e.config(timeout_ms=0)
        begin_us = bench.clock.now_us
        assert e.recv() == (None, None)
        assert bench.clock.now_us - begin_us < 1000

    @pytest.mark.parametrize("timeout_ms", [-1, -1000])
    def test_negative_waits_for_ever(self, bench, e, timeout_ms):
        """document: config, timeout_ms."""
        e.config(timeout_ms=timeout_ms)
        assert e.config("timeout_ms") == timeout_ms
        bench.link.inject("late", after_ms=3_600_000)
        assert e.recv() == [PEER, b"late"]


class TestRate:
    @pytest.mark.parametrize("name", ["1M", "2M", "5M", "11M", "24M", "12M", "6M", "54M", "LORA_250K", "LORA_500K"])
    def test_frames_leave_with_it(self, bench, e, name):
        """document: config, rate."""
        rate = getattr(bench.espnow, f"RATE_{name}")
        assert e.config(rate=rate) is None
        assert bench.link.config.rate == bench.link.config.group_rate == rate

    @pytest.mark.parametrize("rate", [5, 16, 23, 24, 31])
    def test_numbers_without_a_name_of_their_own_are_allowed(self, bench, e, rate):
        """document: config, any number of the enumeration."""
        e.config(rate=rate)
        assert bench.link.config.rate == rate

    @pytest.mark.parametrize("rate", [4, 32, 40, 43, 255])
    @pytest.mark.parametrize("kind", [ValueError, OSError])
    def test_number_outside_the_table_is_caught_as_either(self, bench, e, rate, kind):
        """document: ValueError; firmware: OSError."""
        with pytest.raises(kind):
            e.config(rate=rate)
        assert bench.link.config.rate == 0

    def test_negative_is_ignored(self, bench, e):
        """firmware."""
        assert e.config(rate=-1) is None
        assert bench.link.config.rate == 0

    def test_default_is_1m(self, bench, e):
        """firmware."""
        assert bench.link.config.rate == 0

    def test_without_wifi_and_without_espnow(self, bench, code_of):
        """document: config raises NOT_INIT."""
        assert code_of(bench.espnow.ESPNow().config, rate=0) == "NOT_INIT"

    def test_without_wifi_but_with_espnow(self, bench):
        """firmware: the radio is not started, ENOENT."""
        e = bench.espnow.ESPNow()
        e.active(True)
        with pytest.raises(OSError) as caught:
            e.config(rate=0)
        assert caught.value.errno == 2

    def test_with_wifi_but_without_espnow(self):
        """firmware: the rate belongs to the radio."""
        bench = Bench()
        bench.network.WLAN(0).active(True)
        bench.espnow.ESPNow().config(rate=11)
        assert bench.link.config.rate == 11
