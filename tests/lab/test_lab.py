"""The Lab object, as a person who writes tests of programs uses it."""

import asyncio
import functools

import pytest

import espnow.lab
from espnow.errors import UserError
from espnow.lab import Lab

RADIO = """\
import network, espnow, time
network.WLAN(0).active(True)
e = espnow.ESPNow()
e.active(True)
"""

EVERYBODY = b"\xff" * 6


# Programs.


def test_a_file_is_a_program(lab, tmp_path):
    path = tmp_path / "sensor.py"
    path.write_text("import sys\nprint(__name__, sys.argv, __file__)")
    for given in (path, str(path)):
        lab.board(given, argv=("x", "y"))
    lab.run()
    assert [board.output for board in lab.boards] == [f"__main__ {[str(path), 'x', 'y']} sensor.py\n"] * 2
    assert [board.name for board in lab.boards] == ["sensor", "sensor-2"]


def test_code_is_a_program(lab):
    board = lab.board(code="import sys\nprint(sys.argv, __name__)", argv=("x",))
    lab.run()
    assert board.output == "['-c', 'x'] __main__\n"


def test_a_callable_gets_its_board_if_it_takes_an_argument(lab):
    def with_board(board):
        print(board.name)

    def without(name="default"):
        print(name)

    def with_both(board, suffix="!"):
        print(board.name + suffix)

    for program in (with_board, without, with_both, lambda board: print(board.name)):
        lab.board(program)
    lab.run()
    assert [board.lines for board in lab.boards] == [["with_board"], ["default"], ["with_both!"], ["lambda"]]


def test_other_callables_are_programs(lab):
    seen = []

    class Program:
        def __call__(self, board):
            seen.append(board.name)

        def method(self, board):
            seen.append(board.name)

    lab.board(Program())
    lab.board(Program().method)
    lab.board(functools.partial(Program().method))
    lab.run()
    assert seen == ["program", "method", "program-2"]
    assert [board.state for board in lab.boards] == ["ended"] * 3


def test_a_coroutine_function_runs_in_the_boards_asyncio(lab):
    async def program(board):
        import time

        await asyncio.sleep(2)
        print(board.name, time.ticks_ms())  # type: ignore[attr-defined]

    board = lab.board(program)
    lab.run()
    assert board.lines == ["program 2000"]


def test_a_callables_imports_are_its_boards(lab):
    def program():
        import espnow
        import network

        network.WLAN(0).active(True)
        print(espnow.MAX_DATA_LEN, espnow.ESPNow().active(True))

    one, other = lab.board(program), lab.board(program, profile="esp32-v2")
    lab.run()
    assert (one.output, other.output) == ("250 True\n", "1470 True\n")


def helper(what):
    print("helper", what, len(espnow.MAX_DATA_LEN * "x"))


def test_the_functions_beside_a_callable_are_its_boards_too(lab, capfd):
    def program():
        helper("one")

    board = lab.board(program)
    lab.run()
    assert board.output == "helper one 250\n"
    assert capfd.readouterr().out == ""


def test_a_board_without_a_program_is_only_there(lab):
    board = lab.board()
    assert (board.name, board.state, board.exit_code, board.finished) == ("board", "ended", 0, True)
    radio = board.module("espnow").ESPNow()
    radio.active(True)
    assert (radio.active(), radio.any(), board.received) == (True, False, [])
    lab.run()
    assert lab.now_us == 0


def test_what_waits_in_a_ring_can_be_read_from_outside(lab):
    receiver = lab.board(code=RADIO)
    lab.board(code=RADIO + f"e.add_peer({EVERYBODY})\ne.send({EVERYBODY}, 'hello')")
    lab.run()
    assert [message.message for message in receiver.received] == [b"hello"]
    assert receiver.module("espnow").ESPNow().recv(0)[1] == b"hello"


def test_modules_of_a_board_from_outside(lab):
    board = lab.board(code=RADIO + "e.config(timeout_ms=7)\ntime.sleep(1)")
    lab.run(for_ms=500)
    module = board.module("espnow")
    assert module.ESPNow().config("timeout_ms") == 7
    assert module is board.module("espnow")
    assert board.module("json").loads("1") == 1
    with pytest.raises(ImportError, match="nosuch"):
        board.module("nosuch")


def test_a_call_that_waits_from_outside_says_so(lab):
    board = lab.board(code=RADIO + "e.recv(-1)")
    lab.run(for_ms=500)
    module = board.module("espnow")
    with pytest.raises(RuntimeError, match="only the board's own program can wait"):
        module.ESPNow().recv(10)
    assert lab.now_ms == 500
    board.power_off()
    assert module.ESPNow().recv(10) == (None, None)  # nobody else waits there now
    assert lab.now_ms == 510


def test_a_board_without_a_program_is_used_from_outside_and_time_passes_while_it_waits(lab):
    board = lab.board()
    board.module("network").WLAN(0).active(True)
    radio = board.module("espnow").ESPNow()
    radio.active(True)
    assert radio.recv(50) == (None, None)
    begin_ms = lab.now_ms
    other = lab.board(
        code=RADIO + f"e.add_peer({EVERYBODY})\ntime.sleep_ms(20)\ne.send({EVERYBODY}, 'one')\ntime.sleep(9)"
    )
    mac, message = radio.recv(5_000)
    assert (mac, message) == (other.mac, b"one")
    assert begin_ms + 20 < lab.now_ms < begin_ms + 1_000
    radio.add_peer(other.mac)
    assert radio.send(other.mac, "two") is True
    radio.add_peer(b"\x02\0\0\0\0\x01")
    assert radio.send(b"\x02\0\0\0\0\x01", "three") is False
    assert [record.message for record in other.received] == [b"two"]
    with pytest.raises(RuntimeError, match="for ever"):
        radio.recv(-1)


def test_a_timeout_from_outside_is_not_lost_to_a_wake_before_it(lab):
    """What woke the board before the call does not end the call's wait."""
    board = lab.board()
    board.module("network").WLAN(0).active(True)
    radio = board.module("espnow").ESPNow()
    radio.active(True)
    board.type("woken\n")
    begin_us = lab.now_us
    assert radio.recv(30) == (None, None)
    assert lab.now_us - begin_us >= 30_000
    assert board.module("sys").stdin.readline() == "woken\n"


# Names, addresses, places.


@pytest.mark.parametrize("name", ["", "a\x1b[2J", "two\nlines", "\u202eback", "\udcff", 5])
def test_a_name_that_would_change_a_terminal_is_refused(lab, name):
    for make in (lambda: lab.board(code="", name=name), lambda: lab.router("home", name=name)):
        with pytest.raises(UserError) as caught:
            make()
        assert str(caught.value).endswith(f" is named {name!r}: a name is a text of printable characters")
        assert str(caught.value).isprintable()


def test_a_name_that_is_made_of_a_file_can_be_shown(lab, tmp_path):
    program = tmp_path / "a\x1b[2J.py"
    program.write_text("")
    assert lab.board(program).name == r"a\x1b[2J"


def test_names_are_made_unique(lab):
    def sensor():
        pass

    boards = [lab.board(sensor), lab.board(sensor), lab.board(sensor, name="sensor-4"), lab.board(sensor)]
    assert [board.name for board in boards] == ["sensor", "sensor-2", "sensor-4", "sensor-3"]
    assert lab.board(sensor).name == "sensor-5"


def test_addresses_are_numbered_and_leave_room_for_those_given(lab):
    given = lab.board(mac="18:fe:34:00:00:08")
    numbered = [lab.board() for _ in range(3)]
    macs = [board.mac for board in (given, *numbered)]
    assert macs[0] == bytes.fromhex("18fe34000008")
    assert len(set(macs)) == 4
    assert all(mac[0] & 1 == 0 and mac[-1] % 4 == 0 for mac in macs)


def test_an_address_is_bytes_or_text(lab):
    one = lab.board(mac=bytearray(b"\x02\0\0\0\0\x01"))
    other = lab.board(mac="02:00:00:00:00:02")
    assert (one.mac, other.mac) == (b"\x02\0\0\0\0\x01", b"\x02\0\0\0\0\x02")
    assert one.module("network").WLAN(0).config("mac") == one.mac


MISTAKES = [
    ({"code": "pass", "name": "taken"}, "'taken'"),
    ({"code": "pass", "mac": "02:00:00:00:00:01"}, "02:00:00:00:00:01"),
    ({"code": "pass", "mac": b"\x02\0\0\0\0\x01"}, "'taken'"),
    ({"code": "pass", "mac": "03:00:00:00:00:01"}, "multicast"),
    ({"code": "pass", "mac": "ff:ff:ff:ff:ff:ff"}, "multicast"),
    ({"code": "pass", "mac": "02:00:00:00:00"}, "02:00:00:00:00"),
    ({"code": "pass", "mac": "nonsense"}, "nonsense"),
    ({"code": "pass", "mac": b"12345"}, "6 bytes"),
    ({"code": "pass", "mac": 6}, "board 'code1': a MAC address is 6 bytes or a text, not 6"),
    ({"code": "pass", "at": 3}, "3"),
    ({"code": "pass", "at": "12"}, "'12'"),
    ({"code": "pass", "at": (1, 2, 3)}, "(1, 2, 3)"),
    ({"code": "pass", "at": ("a", "b")}, "metres"),
    ({"code": "pass", "at": (float("nan"), 0)}, "nan"),
    ({"code": "pass", "at": (0, float("nan"))}, "nan"),
    ({"code": "pass", "at": (0, float("inf"))}, "inf"),
    ({"code": "pass", "at": (10**400, 0)}, "metres"),
    ({"code": "pass", "profile": "esp99"}, "esp99"),
    ({"code": "x =", "name": "y"}, "line 1"),
    ({"code": "pass", "program": "x.py"}, "one program"),
    ({"program": "/no/such/file.py"}, "/no/such/file.py"),
    ({"program": "."}, "directory"),
    ({"program": "a\0b"}, "null"),
]


@pytest.mark.parametrize(("options", "says"), MISTAKES, ids=[str(mistake[0]) for mistake in MISTAKES])
def test_a_mistake_is_one_clear_line_and_leaves_no_board(lab, options, says):
    taken = lab.board(name="taken", mac="02:00:00:00:00:01")
    with pytest.raises(UserError) as caught:
        lab.board(**options)
    message = str(caught.value)
    assert says in message
    assert "\n" not in message
    assert lab.boards == [taken]
    lab.board(code="pass", name="y")  # what the refused board would have been called is free
    lab.run()


@pytest.mark.parametrize(
    "options",
    [
        {"profile": "esp99"},
        {"loss": -0.1},
        {"loss": 1.1},
        {"loss": float("nan")},
        {"range_m": -1},
        {"range_m": float("inf")},
        {"range_m": float("nan")},
        {"path_loss_exponent": 0.5},
        {"path_loss_exponent": float("nan")},
    ],
)
def test_a_lab_that_cannot_be_is_refused(options):
    with pytest.raises(UserError) as caught:
        Lab(**options)
    assert next(iter(options)).split("_")[0] in str(caught.value)


def test_a_place_can_change_and_must_be_one(lab):
    board = lab.board(at=(1, 2))
    assert board.position == (1.0, 2.0)
    board.position = (3, 4)
    assert board.position == (3.0, 4.0)
    for wrong in ("12", None, (float("nan"), 0), (0, float("nan")), (1,)):
        with pytest.raises(UserError, match="two numbers"):
            board.position = wrong
    assert board.position == (3.0, 4.0)


def test_losses_must_be_possible_and_between_boards_of_the_lab(lab):
    a, _ = lab.board(name="a"), lab.board(name="b")
    lab.set_loss(a, "b", 1)
    with pytest.raises(UserError, match="'c'"):
        lab.set_loss("a", "c", 0.5)
    for impossible in (-0.1, 2, float("nan")):
        with pytest.raises(UserError, match="from 0 to 1"):
            lab.set_loss("a", "b", impossible)


# Time.


def test_time_stands_where_the_run_was_to_end(lab):
    board = lab.board(code="import time\nfor _ in range(3):\n  time.sleep(1)\n  print(time.ticks_ms())")
    lab.run(for_ms=1_500)
    assert (lab.now_ms, board.lines) == (1_500, ["1000"])
    lab.run(for_ms=0)
    assert (lab.now_us, board.lines) == (1_500_000, ["1000"])
    lab.run(for_ms=500.5)
    assert (lab.now_us, board.lines) == (2_000_500, ["1000", "2000"])
    lab.run()
    assert board.lines == ["1000", "2000", "3000"]
    lab.run(for_ms=60_000)  # nothing happens any more, but time passes
    assert lab.now_us > 62_000_000


def test_run_until_a_condition(lab):
    board = lab.board(code="import time\nwhile True:\n  time.sleep(1)\n  print('tick')")
    assert lab.run_until(lambda: len(board.lines) == 3, timeout_ms=10_000)
    assert 3_000 <= lab.now_ms < 3_001
    assert lab.run_until(lambda: True)
    assert 3_000 <= lab.now_ms < 3_001
    assert not lab.run_until(lambda: len(board.lines) == 6, timeout_ms=2_500)
    assert 5_500 <= lab.now_ms < 5_501
    assert lab.run_until(lambda: len(board.lines) == 6)


def test_run_until_gives_up_when_nothing_can_happen(lab):
    lab.board(code=RADIO + "e.recv(-1)")
    assert not lab.run_until(lambda: False)
    assert lab.now_ms < 500


def test_a_condition_that_raises_ends_the_run_and_not_the_lab(lab):
    board = lab.board(code="import time\ntime.sleep(1)\nprint('done')")

    def condition():
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        lab.run_until(condition)
    lab.run()
    assert board.output == "done\n"


def test_a_busy_program_lets_the_condition_be_asked(lab):
    board = lab.board(code="n = 0\nwhile True:\n  n += 1\n  if n == 5000: print('there')")
    assert lab.run_until(lambda: board.output, timeout_ms=1_000)
    assert lab.now_ms < 20


def test_boards_begin_at_one_instant_in_the_order_given(lab):
    boards = [lab.board(code="import time\nprint(time.ticks_us())") for _ in range(3)]
    order = []
    for board in boards:
        board.console.sink = lambda text, name=board.name: order.append(name)
    lab.run()
    assert all(int(board.output) <= 5 for board in boards)  # what looking at the clock takes itself
    assert order == [board.name for board in boards]


def test_a_board_that_is_added_later_begins_then_with_its_own_clock(lab):
    lab.board(code="import time\ntime.sleep(10)")
    lab.run(for_ms=5_000)
    later = lab.board(code="import time\nprint(time.ticks_ms())\ntime.sleep(1)")
    assert later.output == ""
    lab.run_until(lambda: later.finished)
    assert later.output == "0\n"
    assert 6_000 <= lab.now_ms < 6_001


def test_a_program_cannot_run_its_lab(lab):
    board = lab.board(lambda: lab.run())
    lab.run()
    assert "cannot run it" in board.output
    assert board.state == "failed"


def test_all_waiting_for_each_other_ends_the_run(lab):
    boards = [lab.board(code=RADIO + "e.recv(-1)") for _ in range(3)]
    boards.append(lab.board(code="input()"))
    boards.append(lab.board(code="import asyncio\nasync def f():\n  await asyncio.Event().wait()\nasyncio.run(f())"))
    lab.run()
    assert [board.state for board in boards] == ["running"] * 5
    assert lab.now_ms < 500


def test_a_timeout_that_was_not_needed_leaves_nothing_behind(lab):
    lab.board(code=RADIO + "for _ in range(50):\n  e.recv(300000)\n  time.sleep_ms(1)\ne.recv(-1)")
    lab.board(
        code=RADIO + f"e.add_peer({EVERYBODY})\nfor _ in range(50):\n  e.send({EVERYBODY}, 'x')\n  time.sleep_ms(5)"
    )
    lab.run(for_ms=400)
    assert len(lab.clock._heap) < 10
    lab.run()
    assert lab.now_ms < 1_000


def test_a_program_that_ends_with_a_callback_armed_goes_on_hearing(lab):
    armed = lab.board(code=RADIO + "e.irq(lambda e: print(e.recv(0)[1], time.ticks_ms()))\nprint('main done')")
    sender = lab.board(
        code=RADIO + f"e.add_peer({EVERYBODY})\nfor n in range(3):\n  time.sleep(1)\n  e.send({EVERYBODY}, str(n))"
    )
    lab.run()
    assert [line.split()[0] for line in armed.lines] == ["main", "b'0'", "b'1'", "b'2'"]
    assert armed.state == "armed"
    assert armed.exit_code == 0
    assert not armed.finished
    assert sender.finished


def test_a_callback_that_disarms_itself_ends_the_program(lab):
    armed = lab.board(code=RADIO + "def f(e):\n  print(e.recv(0)[1])\n  e.irq(None)\ne.irq(f)")
    lab.board(code=RADIO + f"e.add_peer({EVERYBODY})\nfor n in range(3):\n  e.send({EVERYBODY}, str(n))")
    lab.run()
    assert armed.lines == ["b'0'"]
    assert (armed.state, armed.finished) == ("ended", True)


# What is known of a board.


def test_what_was_sent_received_dropped_and_transmitted(lab):
    receiver = lab.board(
        code=RADIO + "e.active(False)\ne.config(rxbuf=50)\ne.active(True)\ntime.sleep(1)",
        mac="02:00:00:00:00:01",
        name="receiver",
    )
    sender = lab.board(
        code=RADIO
        + """
for peer in (b"\\x02\\0\\0\\0\\0\\x01", b"\\x02\\0\\0\\0\\0\\x02"):
    e.add_peer(peer)
    for text in (b"x" * 20, b"y" * 20):
        print(e.send(peer, text))
""",
        name="sender",
    )
    lab.run()
    assert sender.lines == ["True", "True", "False", "False"]
    assert [(sent.message[:1], sent.acknowledged) for sent in sender.sent] == [
        (b"x", True),
        (b"y", True),
        (b"x", False),
        (b"y", False),
    ]
    assert [sent.peer[-1] for sent in sender.sent] == [1, 1, 2, 2]
    assert [sent.attempts for sent in sender.sent] == [1, 1, 7, 7]
    assert all(0 <= one.at_us < other.at_us for one, other in zip(sender.sent, sender.sent[1:], strict=False))
    assert [(m.source, m.message) for m in receiver.received] == [(sender.mac, b"x" * 20)]
    assert [(source, reason.name) for _, source, reason in receiver.dropped] == [(sender.mac, "RING_FULL")]
    data = [t for t in lab.transmissions if t.station == "sender"]
    acks = [t for t in lab.transmissions if t.station == "receiver"]
    assert len(data) == 2 + 2 * 7
    assert len(acks) == 2
    assert all(ack.mpdu[0] == 0xD4 and ack.mpdu[4:10] == sender.mac for ack in acks)


def test_a_board_without_espnow_acknowledges_and_hears_nothing(lab):
    deaf = lab.board(code="import network\nnetwork.WLAN(0).active(True)", mac="02:00:00:00:00:01")
    gone = lab.board(code="import network\nnetwork.WLAN(0).active(True)\n1/0", mac="02:00:00:00:00:02")
    off = lab.board(mac="02:00:00:00:00:03")
    sender = lab.board(
        code=RADIO
        + "for n in (1, 2, 3):\n  peer = bytes((2, 0, 0, 0, 0, n))\n  e.add_peer(peer)\n  print(e.send(peer, 'x'))"
    )
    lab.run()
    assert sender.lines == ["True", "True", "False"]
    assert [board.received for board in (deaf, gone, off)] == [[], [], []]


def test_a_lost_acknowledgement_delivers_the_message_once(make_lab):
    lab = make_lab(seed=1)
    receiver = lab.board(
        code=RADIO
        + "seen = []\nwhile True:\n  mac, m = e.recv(1000)\n  if not mac: break\n  seen.append(int(m))\nprint(seen)",
        mac="02:00:00:00:00:01",
    )
    sender = lab.board(
        code=RADIO + "p = b'\\2\\0\\0\\0\\0\\1'\ne.add_peer(p)\nprint([e.send(p, str(n)) for n in range(30)])"
    )
    lab.set_loss(receiver, sender, 0.6)
    lab.run()
    assert receiver.output == f"{list(range(30))}\n"
    reasons = [reason.name for _, _, reason in receiver.dropped]
    assert set(reasons) == {"DUPLICATE"}
    assert len(reasons) == sum(sent.attempts - 1 for sent in sender.sent) > 15
    assert [sent.acknowledged for sent in sender.sent].count(True) > 25


def test_a_lab_that_does_not_record_keeps_nothing(make_lab):
    lab = make_lab(record=False)
    lab.board(code=RADIO)
    sender = lab.board(code=RADIO + f"e.add_peer({EVERYBODY})\ne.send({EVERYBODY}, 'x')\nprint(e.stats())")
    heard = []
    sender.console.sink = heard.append
    lab.run()
    assert (sender.sent, sender.output, lab.transmissions) == ([], "", [])
    assert heard == ["(1, 1, 0, 0, 0)\n"]


def test_output_and_lines(lab):
    board = lab.board(code="print('a', end='')\nprint('b\\x0bc\\u2028d\\r')\nprint()\nprint('end', end='')")
    lab.run()
    assert board.output == "ab\x0bc\u2028d\r\n\nend"
    assert board.lines == ["ab\x0bc\u2028d", "", "end"]
    assert lab.board().lines == []


@pytest.mark.parametrize(
    ("code", "state", "exit_code"),
    [
        ("pass", "ended", 0),
        ("raise SystemExit", "ended", 0),
        ("import sys; sys.exit(3)", "ended", 3),
        ("import sys; sys.exit('no more')", "ended", 1),
        ("1/0", "failed", 1),
        ("raise KeyboardInterrupt", "failed", 130),
        ("raise BaseException('odd')", "failed", 1),
        ("import time; time.sleep(9)", "running", None),
    ],
)
def test_how_a_program_ended(lab, code, state, exit_code):
    board = lab.board(code=code)
    try:
        lab.run(for_ms=100)
    except KeyboardInterrupt:
        assert "Keyboard" in code
    assert (board.state, board.exit_code) == (state, exit_code)
    assert state in repr(board)
    assert (board.error is not None) == (state == "failed")


# Input.


def test_standard_input_is_given_or_typed(lab):
    code = "while True:\n  try:\n    print(repr(input('? ')))\n  except EOFError:\n    break\nprint('end')"
    given = lab.board(code=code, stdin="one\ntwo")
    typed = lab.board(code=code)
    lab.run()
    assert given.output == "? 'one'\n? 'two'\n? end\n"
    assert typed.output == "? "
    typed.type("a\x0bb\u2028c")
    lab.run()
    assert typed.output == "? "
    typed.type("\r\nx\ry\n")
    lab.run()
    assert typed.output == "? 'a\\x0bb\\u2028c'\n? 'x'\n? 'y'\n? "
    typed.type("last")
    typed.close_input()
    lab.run()
    assert typed.output.endswith("? 'last'\n? end\n")
    with pytest.raises(ValueError, match="closed"):
        typed.type("more")


def test_a_program_that_waits_for_input_lets_others_go_on(lab):
    reader = lab.board(code="print(input())")
    other = lab.board(code="import time\nfor _ in range(3):\n  time.sleep(1)\nprint('other')")
    lab.run()
    assert (reader.output, other.output) == ("", "other\n")
    reader.type("now\n")
    lab.run()
    assert reader.output == "now\n"


# Ending.


def test_close_runs_finally_and_nothing_else(lab):
    code = """
import time
try:
    time.sleep(100)
    print("not this")
finally:
    print("a")
    for _ in range(1000):
        pass
    print("b")
    time.sleep(1)
    print("nor this")
"""
    board = lab.board(code=code)
    lab.run(for_ms=10)
    lab.close()
    assert board.lines == ["a", "b"]
    assert (board.state, board.exit_code, board.finished) == ("ended", 0, True)
    assert lab.now_ms == 10
    lab.close()
    lab.run(for_ms=1)
    assert board.lines == ["a", "b"]


STUBBORN = [
    "while True:\n  try:\n    time.sleep(1)\n  except:\n    pass",
    "while True:\n  try:\n    while True:\n      time.sleep(1)\n  except:\n    pass",
    "while True:\n  try:\n    while True: pass\n  except:\n    pass",
    "try:\n  time.sleep(1)\nfinally:\n  while True: pass",
    "def f():\n  while True:\n    try:\n      e.recv(-1)\n    except:\n      print('again')\nf()",
]


@pytest.mark.parametrize("code", STUBBORN)
@pytest.mark.timeout(10)
def test_a_program_that_catches_everything_can_be_ended(lab, code):
    board = lab.board(code=RADIO + code)
    other = lab.board(code="import time\ntime.sleep(1)\nprint('other')")
    lab.run(for_ms=10)
    board.power_off()
    assert board.finished
    lab.run()
    assert other.output == "other\n"


@pytest.mark.timeout(10)
def test_a_callable_that_catches_everything_can_be_ended(lab):
    def program():
        import time

        while True:
            try:
                time.sleep(1)
            except BaseException:
                pass

    board = lab.board(program)
    lab.run(for_ms=10)
    lab.close()
    assert board.finished


def test_ctrl_c_reaches_every_program(lab):
    code = """
import time
try:
    time.sleep(100)
except KeyboardInterrupt:
    print("a")
    print("b")
    for _ in range(100):
        pass
    print("c")
"""
    boards = [lab.board(code=code), lab.board(code="import time\ntime.sleep(100)"), lab.board(code="print('x')")]
    lab.run(for_ms=10)
    lab.interrupt()
    assert boards[0].lines == ["a", "b", "c"]
    assert [board.state for board in boards] == ["ended", "failed", "ended"]
    assert [board.exit_code for board in boards] == [0, 130, 0]


def test_ctrl_c_at_one_board(lab):
    board = lab.board(
        code="import time\ntry:\n  time.sleep(9)\nexcept KeyboardInterrupt:\n  time.sleep(1)\n  print('x')"
    )
    other = lab.board(code="import time\ntime.sleep(5)\nprint('other')")
    third = lab.board(code="import time\ntime.sleep(5)\nprint('third')")
    lab.run(for_ms=10)
    board.interrupt()
    other.interrupt()
    lab.run()
    assert board.output == "x\n"
    assert (other.state, other.exit_code, other.output) == ("failed", 130, "")
    assert third.output == "third\n"


def test_ctrl_c_before_a_program_began(lab):
    board = lab.board(code="print('never')")
    board.interrupt()
    assert (board.state, board.exit_code) == ("failed", 130)
    lab.run()
    assert board.output == ""


def test_soft_reset_begins_anew(lab):
    board = lab.board(
        code=RADIO
        + "print('boot', e.stats()[0], e.peer_count()[0])\n"
        + f"e.add_peer({EVERYBODY})\ne.send({EVERYBODY}, 'x')\ntime.sleep(100)\nprint('never')"
    )
    lab.run(for_ms=200)
    module = board.module("espnow")
    board.soft_reset()
    assert board.state == "running"
    assert board.module("network").WLAN(0).active()
    lab.run(for_ms=200)
    assert board.lines == ["boot 0 0", "boot 0 0"]
    assert board.module("espnow") is not module
    assert len(board.sent) == 2


def test_soft_reset_of_a_program_that_is_over(lab):
    for code, state in (("print('x')", "ended"), ("print('x')\n1/0", "failed")):
        board = lab.board(code=code)
        lab.run()
        board.soft_reset()
        assert (board.state, board.error, board.exit_code) == ("running", None, None)
        lab.run()
        assert (board.state, board.output.count("x\n")) == (state, 2)


def test_a_program_may_reset_itself_over_and_over(lab):
    board = lab.board(code="import machine\nprint('boot')\nmachine.soft_reset()")
    lab.run(for_ms=1_000)
    assert 2 <= len(board.lines) < 1_000
    assert lab.now_ms == 1_000


def test_soft_reset_from_a_condition_and_from_another_program(lab):
    board = lab.board(code="import time\nprint('boot')\ntime.sleep(1)\nprint('end')", name="board")

    def other():
        import time

        time.sleep(0.5)
        board.soft_reset()
        time.sleep(0.1)
        print("after", time.ticks_ms())  # type: ignore[attr-defined]

    resetter = lab.board(other)
    lab.run()
    assert board.lines == ["boot", "boot", "end"]
    assert resetter.lines == ["after 600"]

    done = []

    def condition():
        if lab.now_ms > 1_700 and not done:
            done.append(board.soft_reset())
        return False

    lab.board(code="import time\ntime.sleep(5)")
    lab.run_until(condition)
    assert board.lines[3:] == ["boot", "end"]


def test_a_program_may_switch_off_itself_and_another(lab):
    other = lab.board(code="import time\nwhile True:\n  time.sleep(1)\n  print('tick')", name="other")

    def program(board):
        import time

        time.sleep(2.5)
        other.power_off()
        print("off")
        board.power_off()
        print("never")

    board = lab.board(program)
    lab.run(for_ms=9_000)
    assert other.lines == ["tick", "tick"]
    assert board.lines == ["off"]
    assert board.state == other.state == "ended"


def test_a_lab_is_a_context_manager():
    with Lab() as lab:
        board = lab.board(code="import time\ntry:\n  time.sleep(9)\nfinally:\n  print('bye')")
        lab.run(for_ms=1)
    assert board.output == "bye\n"


# The host's own event loop.


def test_a_lab_in_a_running_loop_of_the_host():
    program = """
import asyncio
async def main():
    try:
        await asyncio.sleep(0.5)
        print("half")
        await asyncio.sleep(100)
    except KeyboardInterrupt:
        pass
asyncio.run(main())
"""

    async def main():
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def same():
            return asyncio.get_running_loop() is loop and asyncio.current_task() is task

        with Lab() as lab:
            boards = [lab.board(code=program) for _ in range(4)]
            lab.run(for_ms=1_000)
            assert same()
            boards[0].interrupt()
            assert same()
            boards[1].soft_reset()
            assert same()
            boards[2].power_off()
            assert same()
            lab.run(for_ms=1_000)
            assert same()
        assert same()
        await asyncio.sleep(0)
        return [board.lines for board in boards]

    assert asyncio.run(main()) == [["half"], ["half", "half"], ["half"], ["half"]]


def test_a_board_is_used_from_outside_in_a_running_loop_of_the_host(lab):
    program = lab.board(
        code="import asyncio\nasync def f():\n  for _ in range(3):\n    await asyncio.sleep_ms(10)\n  print('done')\n"
        "asyncio.run(f())"
    )
    board = lab.board()

    async def main():
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        board.module("time").sleep_ms(100)
        return asyncio.get_running_loop() is loop and asyncio.current_task() is task

    assert asyncio.run(main())
    assert program.output == "done\n"
    assert lab.now_ms == 100


def test_the_lab_is_exported_whole():
    for name in espnow.lab.__all__:
        assert hasattr(espnow.lab, name)


def test_a_board_without_power_acknowledges_nothing(lab):
    receiver = lab.board(code=RADIO + "time.sleep(100)")
    sender = lab.board(
        code=RADIO + f"e.add_peer({receiver.mac!r})\n"
        f"print(e.send({receiver.mac!r}, 'one'))\ntime.sleep(1)\nprint(e.send({receiver.mac!r}, 'two'))"
    )
    lab.run(for_ms=500)
    receiver.power_off()
    lab.run()
    assert sender.lines == ["True", "False"]


def test_a_chip_reset_switches_wifi_off_and_draws_other_numbers(lab):
    board = lab.board(
        code="import machine, network, random, time\n"
        "sta = network.WLAN(0)\nprint(sta.active(), time.ticks_ms(), random.getrandbits(32))\nsta.active(True)\n"
        "time.sleep(1)\nmachine.reset()"
    )
    lab.run(for_ms=2_000)
    first, second = (line.split() for line in board.lines)
    assert (first[0], second[0]) == ("False", "False")
    assert (int(first[1]), int(second[1])) == (0, 0)
    assert first[2] != second[2]


@pytest.mark.parametrize("ms", [-1, float("nan"), float("inf"), "x"])
def test_times_that_cannot_be(lab, ms):
    with pytest.raises(UserError, match="for_ms"):
        lab.run(ms)
    with pytest.raises(UserError, match="timeout_ms"):
        lab.run_until(lambda: True, timeout_ms=ms)


def test_a_run_until_all_have_ended_stops_nobody_on_the_way():
    """Time may leap over all that no program hears, and a program may compute without a look at anything."""
    code = "import time\nbegin = time.ticks_us()\nwhile time.ticks_diff(time.ticks_us(), begin) < 300_000:\n    pass"
    runs = {}
    for name, go in (("run", Lab.run), ("run_until", lambda lab: lab.run_until(lab.finished))):
        with Lab() as lab:
            board = lab.board(code=code)
            asked = []
            ended, lab.finished = lab.finished, lambda ended=lab.finished, asked=asked: (asked.append(1), ended())[1]
            go(lab)
            assert ended()
            runs[name] = lab.now_us, board.finished, len(asked)
    assert runs["run"][:2] == runs["run_until"][:2]
    assert runs["run"][2] < 10 < runs["run_until"][2]
