"""Programs in the styles of whole projects: wrappers, protocols over bytes, settings in files, displays, bridges.

Each is run as it stands; what it prints is what its source says.
"""

import pytest


@pytest.fixture
def run(lab):
    """Return a function that runs a program alone, and returns its lines."""

    def run(code, for_ms=10_000, **options):
        board = lab.board(code=code, **options)
        lab.run(for_ms=for_ms)
        assert board.error is None, board.output
        return board.lines

    return run


# Bytes and text, where MicroPython's types are less strict.


@pytest.mark.parametrize(
    "digits", ["'2462abe6b0b5'", "b'2462abe6b0b5'", "bytearray(b'2462abe6b0b5')", "'24 62abe6 b0b5'"]
)
def test_fromhex_takes_digits_of_any_kind(run, digits):
    assert run(f"print(bytes.fromhex({digits}), bytearray.fromhex({digits}))") == [
        r"b'$b\xab\xe6\xb0\xb5' bytearray(b'$b\xab\xe6\xb0\xb5')"
    ]


def test_a_bytearray_is_made_longer_by_text(run):
    assert run(
        """
address = "30:aa"
message = bytearray(b"\\xff\\x13")
message.extend(address)
print(message)
letters = [1]
letters.extend(address[:2])
print(letters)
"""
    ) == [r"bytearray(b'\xff\x1330:aa')", "[1, '3', '0']"]


def test_methods_of_a_programs_own_class_may_be_named_alike(run):
    assert run(
        """
class Log:
    def extend(self, *lines):
        return lines
    def fromhex(self, digits, base=16):
        return digits, base

log = Log()
print(log.extend("a"), log.extend("a", "b"), log.fromhex("f", base=2))
"""
    ) == ["('a',) ('a', 'b') ('f', 2)"]


JOINS = {
    'print(b"at " + place)': "b'at home'",
    "print(mac + place)": r"b'0\xaa\xaa\xaa\xaa\xaahome'",
    'print(hexlify(mac) + ":" + place)': "b'30aaaaaaaaaa:home'",
    "print(mac[4:] + place)": r"b'\xaa\xaahome'",
    'line = b"a"; line += place; print(line)': "b'ahome'",
    "line = bytearray(1); line += place; print(line)": r"bytearray(b'\x00home')",
    'box.rest += "x"; print(box.rest + place)': "b'xhome'",
    'host, msg = e.recv(); print(msg + " from " + hexlify(host))': "b'hello from 30bbbbbbbbbb'",
    # What was bytes elsewhere, and is none here.
    'mac = "text"; print(mac + place); mac += "!"; print(mac)': "texthome\ntext!",
    "mac = 3; print(mac + 4); mac += 1; print(mac)": "7\n4",
    "print(mac + b'!', mac + bytearray(1))": r"b'0\xaa\xaa\xaa\xaa\xaa!' b'0\xaa\xaa\xaa\xaa\xaa\x00'",
}


@pytest.mark.parametrize("code", JOINS)
def test_bytes_are_joined_with_text(lab, code):
    board = lab.board(
        code=f"""
import network, espnow
from binascii import hexlify
wlan = network.WLAN(network.STA_IF)
wlan.active(True)
e = espnow.ESPNow()
e.active(True)
mac = wlan.config("mac")
place = "home"
class Box:
    def __init__(self):
        self.rest = b""
box = Box()
{code}
""",
        mac="30:aa:aa:aa:aa:aa",
    )
    lab.board(
        code="""
import network, espnow, time
network.WLAN(network.STA_IF).active(True)
e = espnow.ESPNow()
e.active(True)
e.add_peer(b"\\xff" * 6)
time.sleep(1)
e.send(b"\\xff" * 6, "hello")
""",
        mac="30:bb:bb:bb:bb:bb",
    )
    lab.run(for_ms=2_000)
    assert board.output == JOINS[code] + "\n"


@pytest.mark.parametrize("code", ["print('at ' + mac)", "print(mac + 1)", "mac += 1", "print(mac + None)"])
def test_what_micropython_does_not_join_is_refused(lab, code):
    board = lab.board(code=f"mac = bytes(6)\n{code}")
    lab.run(for_ms=100)
    assert isinstance(board.error, TypeError)


# Classes over ESP-NOW.


def test_a_class_derives_from_the_firmwares_own_base(lab):
    code = """
from _espnow import *
import network, time

class Radio(ESPNowBase):
    record = [None, bytearray(MAX_DATA_LEN)]

    def __init__(self, channel=0):
        super().__init__()
        self.active(True)
        self.add_peer(b"\\xff" * 6, channel=channel)

    def read(self):
        length = self.recvinto(self.record, 0)
        return bytes(self.record[1]) if length else None

    def listen(self, handler):
        super().irq(handler, self)

network.WLAN(network.STA_IF).active(True)
radio = Radio(1)
radio.listen(lambda it: print(it is radio, it.read()))
time.sleep(1)
radio.send(b"\\xff" * 6, "from " + str(network.WLAN(0).config("mac")[5]))
time.sleep(1)
radio.irq(None)
time.sleep(1)
radio.send(b"\\xff" * 6, "unheard")
"""
    boards = [lab.board(code=code, mac=f"30:aa:aa:aa:aa:0{n}") for n in (1, 3)]
    lab.run(for_ms=5_000)
    assert [board.lines for board in boards] == [["True b'from 3'"], ["True b'from 1'"]]
    assert [board.error for board in boards] == [None, None]


def test_the_base_has_the_names_of_the_module(run):
    assert run(
        """
import _espnow, espnow
print(_espnow.MAX_DATA_LEN, _espnow.KEY_LEN, hasattr(_espnow, "ESPNow"), _espnow.RATE_1M == espnow.RATE_1M)
try:
    _espnow.ESPNowBase().irq(5, None)
except ValueError as error:
    print(error)
"""
    ) == ["250 16 False True", "invalid handler"]


# What boot.py files begin with.

BOOT = """
import esp
esp.osdebug(None)
import uos, machine
uos.dupterm(None, 1)
import gc, network
import webrepl
network.WLAN(network.AP_IF).active(AP)
webrepl.start(PASSWORD)
webrepl.stop()
gc.collect()
"""


def test_a_prompt_over_the_network_is_not_configured(run):
    code = BOOT.replace("AP)", "True)").replace("PASSWORD", "")
    assert run(code) == ["WebREPL is not configured, run 'import webrepl_setup'"]


@pytest.mark.parametrize(("password", "mode"), [("", "normal"), ("password='secret'", "manual override")])
@pytest.mark.parametrize("is_ap", [True, False])
def test_a_prompt_over_the_network_says_where_it_would_be(lab, tmp_path, password, mode, is_ap):
    (tmp_path / "boot.py").write_text(BOOT.replace("AP)", f"{is_ap})").replace("PASSWORD", password))
    if not password:
        (tmp_path / "webrepl_cfg.py").write_text("PASS = 'secret'\n")
    board = lab.board(tmp_path)
    lab.run(for_ms=1_000)
    where = ["WebREPL server started on http://192.168.4.1:8266/"] if is_ap else []
    assert board.lines == [*where, f"Started webrepl in {mode} mode"]
