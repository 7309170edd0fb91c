"""Constants, and exceptions as a program sees them: one row a statement, with where it comes from."""

from __future__ import annotations

import pytest

PEER = b"\x24\x0a\xc4\x00\x00\x01"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_DATA_LEN", 250),
        ("KEY_LEN", 16),
        ("ADDR_LEN", 6),
        ("MAX_TOTAL_PEER_NUM", 20),
        ("MAX_ENCRYPT_PEER_NUM", 6),
    ],
)
def test_documented_constants(bench, name, value):
    """document: constants."""
    assert getattr(bench.espnow, name) == value
    assert type(getattr(bench.espnow, name)) is int


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("1M", 0),
        ("2M", 1),
        ("5M", 2),
        ("11M", 3),
        ("24M", 9),
        ("12M", 10),
        ("6M", 11),
        ("54M", 12),
        ("LORA_250K", 41),
        ("LORA_500K", 42),
    ],
)
def test_rates(bench, name, value):
    """firmware."""
    assert getattr(bench.espnow, f"RATE_{name}") == value


@pytest.mark.parametrize(
    "name",
    [
        "active",
        "config",
        "send",
        "recv",
        "irecv",
        "recvinto",
        "any",
        "stats",
        "set_pmk",
        "add_peer",
        "del_peer",
        "get_peer",
        "peer_count",
        "get_peers",
        "mod_peer",
        "irq",
        "peers_table",
    ],
)
def test_esp32_has_every_documented_method(bench, name):
    """document: all of it."""
    assert hasattr(bench.espnow.ESPNow(), name)


@pytest.mark.parametrize("name", ["asend", "arecv", "airecv"])
def test_plain_object_is_not_asynchronous(bench, name):
    """document: asyncio, a supplementary module."""
    assert not hasattr(bench.espnow.ESPNow(), name)
    assert hasattr(bench.aioespnow.AIOESPNow(), name)


def test_modules_have_their_names(bench):
    """document."""
    assert (bench.espnow.__name__, bench.aioespnow.__name__) == ("espnow", "aioespnow")


class TestOSError:
    @pytest.fixture
    def error(self, bench):
        with pytest.raises(OSError) as caught:
            bench.espnow.ESPNow().recv()
        return caught.value

    def test_has_number_and_name(self, error):
        """document: exceptions; firmware: the number is negative."""
        assert error.args == (-12389, "ESP_ERR_ESPNOW_NOT_INIT")
        assert len(error.args) == 2

    def test_errno_is_the_number(self, error):
        """firmware."""
        assert error.errno == -12389

    def test_text_is_the_tuple(self, error):
        """firmware."""
        assert str(error) == "(-12389, 'ESP_ERR_ESPNOW_NOT_INIT')"
        assert f"{error}" == str(error)

    def test_is_shown_as_oserror(self, error):
        """firmware."""
        assert repr(error) == "OSError(-12389, 'ESP_ERR_ESPNOW_NOT_INIT')"
        assert type(error).__name__ == "OSError"

    def test_is_no_valueerror(self, error):
        """ours: only what the document calls a ValueError is one."""
        assert not isinstance(error, ValueError)

    def test_traceback_names_it_as_a_board_does(self, bench):
        """firmware."""
        bench.module("micropython").schedule(lambda _: bench.espnow.ESPNow().recv(), None)
        bench.advance(1)
        assert bench.output.splitlines()[-1] == "OSError: (-12389, 'ESP_ERR_ESPNOW_NOT_INIT')"

    @pytest.mark.parametrize(
        ("number", "name", "call"),
        [
            (12390, "ARG", lambda e: e.send(PEER, bytes(251))),
            (12393, "NOT_FOUND", lambda e: e.send(PEER, b"x")),
            (12393, "NOT_FOUND", lambda e: e.get_peer(PEER)),
            (12397, "CHAN", lambda e: e.add_peer(PEER, channel=9)),
            (12395, "EXIST", lambda e: [e.add_peer(PEER) for _ in range(2)]),
            (12392, "FULL", lambda e: [e.add_peer(bytes((0, 0, 0, 0, 0, n))) for n in range(21)]),
            (12396, "IF", lambda e: [e.add_peer(PEER, ifidx=1), e.send(PEER, b"x")]),
        ],
        ids=["arg", "send", "get", "chan", "exist", "full", "if"],
    )
    def test_numbers(self, e, number, name, call):
        """document: exceptions, the names; firmware: the numbers."""
        with pytest.raises(OSError) as caught:
            call(e)
        assert caught.value.args == (-number, f"ESP_ERR_ESPNOW_{name}")

    def test_no_memory(self, bench, e):
        """as above."""
        e.add_peer(PEER)
        bench.link.run_out_of_memory()
        with pytest.raises(OSError) as caught:
            e.send(PEER, b"x")
        assert caught.value.args == (-12391, "ESP_ERR_ESPNOW_NO_MEM")

    def test_timeout_has_one_argument(self, bench, e):
        """firmware: the number of its own network stack."""
        e.add_peer(PEER)
        bench.link.withhold()
        with pytest.raises(OSError) as caught:
            e.send(PEER, b"x")
        assert caught.value.args == (116,)
        assert caught.value.errno == bench.module("errno").ETIMEDOUT == 116
        assert str(caught.value) == "[Errno 116] ETIMEDOUT"

    def test_caught_in_a_program(self, bench):
        """document: exceptions."""
        source = """
import espnow
try:
    espnow.ESPNow().send(b'123456', 'x')
except OSError as err:
    found = (err.args[0], err.args[1], err.errno, str(err), repr(err))
"""
        name = "ESP_ERR_ESPNOW_NOT_INIT"
        pair = f"(-12389, '{name}')"
        assert bench.run(source)["found"] == (-12389, name, -12389, pair, f"OSError{pair}")


class TestBoth:
    """ours: where document and firmware differ, one class is both."""

    @pytest.mark.parametrize(
        "call",
        [
            lambda e: e.send(PEER, b""),
            lambda e: e.add_peer(PEER, channel=15),
            lambda e: e.add_peer(PEER, ifidx=2),
            lambda e: e.config(rate=99),
        ],
        ids=["length", "channel", "ifidx", "rate"],
    )
    def test_oserror_and_valueerror(self, e, call):
        e.add_peer(b"\x24\x0a\xc4\x00\x00\x09")
        with pytest.raises(OSError) as caught:
            call(e)
        assert isinstance(caught.value, ValueError)
        assert len(caught.value.args) == 2
        assert caught.value.errno == caught.value.args[0] < 0
        assert type(caught.value).__name__ == "OSError"

    @pytest.mark.parametrize(
        "call",
        [
            lambda e: e.recv("a"),
            lambda e: e.config(bogus=1),
            lambda e: e.config(timeout_ms=1.5),
            lambda e: e.add_peer(PEER, bogus=1),
            lambda e: e.add_peer(PEER, channel="1"),
        ],
        ids=["timeout", "keyword", "value", "peer-keyword", "channel"],
    )
    def test_valueerror_and_typeerror(self, e, call):
        with pytest.raises(ValueError) as caught:
            call(e)
        assert isinstance(caught.value, TypeError)
        assert type(caught.value).__name__ == "ValueError"


def test_a_traceback_names_no_exception_but_the_programs(bench):
    """Ours: what a board shows is its program's own exception, not how it came about inside."""
    source = (
        "try:\n    e.send(b'\\xa0' * 6, 'x')\nexcept OSError as error:\n    import sys\n    sys.print_exception(error)"
    )
    bench.start()
    bench.run("import espnow\ne = espnow.ESPNow()\n" + source)
    assert bench.output.splitlines()[-1] == "OSError: (-12393, 'ESP_ERR_ESPNOW_NOT_FOUND')"
    assert "NodeError" not in bench.output
    assert "During handling" not in bench.output
