"""Stations without programs among boards: they are heard, answer, collide, and are told of like boards."""

from __future__ import annotations

import json

import pytest

from espnow.air.scene import BROADCAST, Answer, Burst, Flood, Place, Traffic, TrafficKind
from espnow.cli.main import main
from espnow.errors import UserError
from espnow.frame import format_mac, parse
from espnow.lab import Lab, LossReason

HEAR = """
import espnow, network
network.WLAN(0).active(True)
e = espnow.ESPNow()
e.active(True)
while True:
    host, message = e.recv()
    print(host.hex(), message[:8].hex(), len(message), e.peers_table[host][0])
"""

ASK = """
import espnow, network
network.WLAN(0).active(True)
e = espnow.ESPNow()
e.active(True)
for peer in PEERS:
    e.add_peer(peer)
    print(e.send(peer, b'hello'))
"""


def asking(*peers: bytes) -> str:
    return f"PEERS = {peers!r}\n{ASK}"


def test_a_board_hears_what_a_crowd_sends():
    with Lab() as lab:
        board = lab.board(code=HEAR)
        crowd = lab.crowd(
            [Place((10.0, 0.0)), Place((20.0, 0.0))],
            [Traffic(0, size=30, period_us=100_000, first_us=150_000), Traffic(1, size=400, period_us=1_000_000)],
        )
        lab.run(for_ms=1_000)
        first, second = (crowd.mac(crowd.first + number).hex() for number in (0, 1))
        rows = [line.split() for line in board.lines]
        assert {row[0] for row in rows} == {first}  # at 0 s the board had not begun
        assert [int.from_bytes(bytes.fromhex(row[1]), "little") for row in rows] == [
            150_000 + 100_000 * number for number in range(9)
        ]
        assert {row[2] for row in rows} == {"30"}
        assert {row[3] for row in rows} == {str(round(20 - 40.2 - 30))}
        lab.run(for_ms=100)
        # One of version 2 is more than a board of version 1 takes.
        assert [drop[2].name for drop in board.dropped] == ["TOO_LONG"]
        assert board.dropped[0][1].hex() == second
        heard = [one for one in lab.transmissions if one.station.startswith("model")]
        assert [one.station for one in heard] == ["model-0"] * 9 + ["model-1"] + ["model-0"]
        assert all([name for name, _ in one.receptions] == [board.name] for one in heard)
        assert all(one.end_us - one.at_us > 0 and parse(one.mpdu).source.hex() in (first, second) for one in heard)
        assert [result.made for result in crowd.results()] == [10, 2]


def test_what_a_message_holds_can_be_said():
    with Lab() as lab:
        board = lab.board(code=HEAR)
        lab.crowd(
            [Place((1.0, 0.0))] * 2,
            [Traffic(1, size=8, first_us=200_000)],
            message=lambda station, traffic, made_us: bytes((station, traffic)) + made_us.to_bytes(4, "big"),
        )
        lab.run(for_ms=300)
        assert board.lines[0].split()[1:3] == ["01000003" + "0d400000", "8"]


def test_a_station_of_a_crowd_acknowledges_what_is_for_it():
    with Lab() as lab:
        places = [Place((10.0, 0.0)), Place((1e5, 0.0)), Place((10.0, 0.0), channel=6)]
        crowd = lab.crowd(places)
        there, far, elsewhere = (crowd.mac(crowd.first + number) for number in range(3))
        nobody = bytes.fromhex("026d6f000009")
        board = lab.board(code=asking(there, far, elsewhere, nobody))
        lab.run()
        assert board.lines == ["True", "False", "False", "False"]
        data, answer = lab.transmissions[:2]
        assert (data.station, answer.station) == (board.name, "model-0")
        assert answer.receptions[0].station == board.name
        assert data.receptions == (("model-0", -50),)
        assert all(one.receptions == () for one in lab.transmissions[2:])
        reasons = {loss.address: (loss.reason, loss.sentence) for loss in lab.explain()}
        assert there not in reasons
        assert reasons[far][0] is reasons[elsewhere][0] is LossReason.MODEL_MISSED
        assert "out of range" in reasons[far][1]
        assert "on another channel" in reasons[elsewhere][1]
        assert reasons[nobody][0] is LossReason.NOBODY


def test_what_others_drown_at_a_station_of_a_crowd_is_told_so():
    with Lab(seed=1) as lab:
        crowd = lab.crowd(
            [Place((300.0, 0.0)), Place((400.0, 0.0))], [Traffic(1, size=250, kind=TrafficKind.SATURATED)]
        )
        lab.board(code=asking(crowd.mac(crowd.first)))
        lab.run()
        (loss,) = lab.explain()
        assert loss.sentence.startswith(
            "a station without a program missed it: model-0: others sent at the same time (the frame of model-1)"
        )


def test_a_broadcast_that_only_a_crowd_hears_is_no_loss():
    with Lab() as lab:
        lab.crowd([Place((10.0, 0.0))])
        lab.board(code=asking(b"\xff" * 6))
        lab.run()
        assert list(lab.explain()) == []
        assert [(one.receptions, one.models) for one in lab.transmissions] == [((), 1)]


def test_a_crowd_sends_to_a_board_and_knows_what_arrived():
    with Lab(loss=0.3, seed=5) as lab:
        board = lab.board(code=HEAR)
        silent = lab.board()
        crowd = lab.crowd(
            [Place((5.0, 0.0))],
            [
                Traffic(0, to=1, size=20, period_us=20_000, first_us=200_000),
                Traffic(0, to=2, size=20, period_us=500_000, first_us=200_000),
            ],
            boards=[board, silent],
        )
        lab.run(for_ms=2_000)
        arrived, unheard = crowd.results()
        assert arrived.made > 80
        assert arrived.acknowledged >= arrived.made - 6
        assert arrived.delivered == len(board.lines) >= arrived.acknowledged
        assert arrived.attempts > arrived.made * 1.3
        assert unheard.acknowledged == 0
        assert unheard.failed > 0
        again = [one for one in lab.transmissions if one.station == "model-0" and one.attempt > 1]
        assert again
        assert all(parse(one.mpdu).retry for one in again)


def test_requests_are_answered_and_floods_go_on_while_a_board_listens():
    with Lab() as lab:
        board = lab.board(code=HEAR, at=(0.0, 0.0))
        line = [Place((200.0 * number, 0.0)) for number in range(1, 5)]
        crowd = lab.crowd(
            line,
            [
                Traffic(3, size=20, period_us=500_000, first_us=200_000, flood=Flood(hops=5, jitter_us=5_000)),
                Traffic(0, to=1, size=10, period_us=300_000, first_us=300_000, answer=Answer(size=12, think_us=1000)),
            ],
        )
        lab.run(for_ms=1_000)
        flood, request = crowd.results()
        assert flood.delivered == 4 * flood.made == 8  # a board that hears it counts, too
        assert request.answers is not None
        assert request.answers.delivered == request.made == 3
        rows = [line.split() for line in board.lines]
        assert [row[0] for row in rows] == [crowd.mac(crowd.first).hex()] * 2  # the nearest sent it on
        assert [int.from_bytes(bytes.fromhex(row[1]), "little") for row in rows] == [200_000, 700_000]


def test_a_busy_crowd_keeps_a_board_waiting():
    def took(traffic: list[Traffic]) -> int:
        with Lab(seed=1) as lab:
            lab.crowd([Place((5.0, 0.0)), Place((0.0, 5.0))], traffic)
            board = lab.board(code=asking(lab.crowds[0].mac(lab.crowds[0].first)))
            lab.run()
            assert board.lines == ["True"]
            return lab.now_us

    idle = took([])
    assert took([Traffic(1, kind=TrafficKind.SATURATED, size=250)]) > idle + 2_000


@pytest.mark.parametrize("ms", [7.313, 100.0])
def test_how_the_host_slices_a_run_with_a_crowd_changes_nothing(ms):
    def account(step: float) -> str:
        with Lab(seed=3) as lab:
            board = lab.board(code=HEAR)
            lab.board(code=asking(b"\xff" * 6, bytes.fromhex("026d6f000001")), at=(30.0, 0.0))
            crowd = lab.crowd(
                [Place((50.0 * (number % 5), 40.0 * (number // 5))) for number in range(20)],
                [Traffic(number, size=100, period_us=30_000, first_us=1_500 * number) for number in range(20)],
            )
            while lab.now_ms < 1_000:
                lab.run(for_ms=min(step, 1_000 - lab.now_ms))
            return f"{board.output} {lab.transmissions} {crowd.results()} {lab.explain()}"

    whole = account(1_000.0)
    assert whole.count("\n") > 100
    assert account(ms) == whole


def test_waiting_for_a_crowd_is_no_end():
    """A program that waits for a message gets one, however late a crowd sends it."""
    with Lab() as lab:
        board = lab.board(code=HEAR.replace("recv()", "recv(-1)") + "    break\n")
        lab.crowd([Place((1.0, 0.0))], [Traffic(0, first_us=3_600_000_000, period_us=1e9)])
        lab.run()
        assert len(board.lines) == 1
        assert lab.now_ms > 3_600_000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"traffic": [Traffic(1)]},
            "crowd 'model2': traffic 0: station is 1, and must be below 1",
        ),
        (
            {"traffic": [Traffic(0, to=7)]},
            "crowd 'model2': traffic 0: to is 7, and must be below 1",
        ),
        ({"mac": "18:fe:34:00:00:04"}, "crowd 'model2' has addresses of board: give it another mac"),
        ({"mac": "02:ff:ff:ff:ff:ff", "places": [Place((0.0, 0.0))] * 2}, "crowd 'model2': 2 addresses from 02:ff"),
        ({"asleep": [1]}, "crowd 'model2': asleep has 1, and must have numbers of places, below 1"),
        ({"asleep": [-1]}, "crowd 'model2': asleep has -1"),
        ({"mac": 5}, "crowd 'model2': a MAC address is 6 bytes or a text, not 5"),
        ({"mac": "x"}, "crowd 'model2': 'x' is no MAC address"),
        ({"mac": "02:6d:6f:00:00:00"}, "crowd 'model2' has addresses of another crowd: give it another mac"),
    ],
)
def test_a_crowd_that_cannot_be(options, message):
    with Lab() as lab:
        lab.board(name="board")
        lab.crowd([Place((1.0, 0.0))])
        with pytest.raises(UserError, match="crowd 'model2'") as caught:
            lab.crowd(**{"places": [Place((0.0, 0.0))], **options})
        assert str(caught.value).startswith(message)
        with pytest.raises(UserError, match="MAC address of a crowd"):
            lab.board(mac=lab.crowds[0].mac(lab.crowds[0].first))


def test_a_board_answers_for_itself_and_who_sleeps_hears_nothing():
    with Lab() as lab:
        board = lab.board(code=HEAR)
        with pytest.raises(UserError, match="a board's program answers"):
            lab.crowd([Place((1.0, 0.0))], [Traffic(0, to=1, answer=Answer(5))], boards=[board])
        crowd = lab.crowd(
            [Place((1.0, 0.0)), Place((2.0, 0.0))],
            [Traffic(0, to=1, period_us=50_000), Traffic(1, to=0, period_us=50_000, first_us=20_000)],
            asleep=[0],
        )
        lab.run(for_ms=1_000)
        asleep, awake = crowd.results()
        assert asleep.acknowledged == 20
        assert awake.acknowledged == 0


def test_a_board_hears_each_message_as_it_was_sent():
    """Also when another one waits behind it, or the same one is made again at its end."""
    traffic = [
        Traffic(0, size=10, period_us=100_000, first_us=200_000),
        Traffic(0, size=20, period_us=100_000, first_us=200_000),
        Traffic(0, to=1, size=30, period_us=100_000, first_us=200_000),
        Traffic(1, size=40, kind=TrafficKind.SATURATED),
    ]
    with Lab(seed=3) as lab:
        board = lab.board(code=HEAR)
        crowd = lab.crowd(
            [Place((1.0, 0.0)), Place((1e4, 0.0))], traffic, message=lambda _, which, made_us: bytes((which,)) * 8
        )
        lab.run(for_ms=1_100)
        rows = [line.split() for line in board.lines]
        assert [(row[1], row[2]) for row in rows] == [("00" * 8, "10"), ("01" * 8, "20")] * 9
        shown = [t for t in lab.transmissions if t.station == "model-0"]
        assert [len(parse(t.mpdu).message) for t in shown[:2]] == [10, 20]
        airtimes = {len(parse(t.mpdu).message): t.end_us - t.at_us for t in shown}
        assert airtimes[20] - airtimes[10] == 80
        assert crowd.name == "model"


def test_all_of_a_burst_arrive_though_frames_are_lost():
    with Lab(loss=0.3, seed=2) as lab:
        board = lab.board(code=HEAR)
        crowd = lab.crowd(
            [Place((1.0, 0.0))],
            [Traffic(0, to=1, size=10, period_us=100_000, first_us=200_000, burst=Burst(4))] * 2,
            boards=[board],
        )
        lab.run(for_ms=5_000)
        assert sum(result.delivered for result in crowd.results()) == len(board.lines) > 350
        assert board.dropped
        assert {reason.name for _, _, reason in board.dropped} == {"DUPLICATE"}


def test_two_crowds_are_not_each_others_shadow():
    with Lab() as lab:
        one, other = (
            lab.crowd([Place((1.0, 0.0))], [Traffic(0, size=20, kind=TrafficKind.POISSON, period_us=50_000)])
            for _ in range(2)
        )
        lab.board(code=HEAR)
        lab.run(for_ms=5_000)
        (first,), (second,) = one.results(), other.results()
        assert (one.name, other.name) == ("model", "model2")
        assert min(first.heard, second.heard) > 150
        with pytest.raises(UserError, match="two crowds are named 'model'"):
            lab.crowd([Place((1.0, 0.0))], name="model")
        with pytest.raises(UserError, match="a station of a crowd is named 'model2-0'"):
            lab.board(name="model2-0")


def test_a_condition_is_asked_while_models_send():
    with Lab(record=True) as lab:
        lab.board(code=HEAR)
        lab.crowd(
            [Place((1.0, float(n))) for n in range(3)], [Traffic(n, kind=TrafficKind.SATURATED) for n in range(3)]
        )
        assert lab.run_until(lambda: len(lab.transmissions) >= 10, timeout_ms=5_000)
        assert len(lab.transmissions) == 10


def test_whoever_looks_on_and_raises_leaves_no_station_waiting():
    with Lab() as lab:
        board = lab.board(code=asking(b"\xff" * 6))

        def raises(_):
            lab.air.observer = None
            raise ZeroDivisionError

        lab.air.observer = raises
        with pytest.raises(ZeroDivisionError):
            lab.run()
        lab.run()
        assert board.lines == ["True"]


def test_its_stations_are_counted_from_0_and_have_addresses_in_a_row():
    with Lab() as lab:
        lab.board()
        one = lab.crowd([Place((0.0, 0.0))] * 3)
        other = lab.crowd([Place((0.0, 0.0))] * 2, name="meter", mac="02:00:00:00:10:00")
        assert (len(one), repr(other)) == (3, "<Crowd meter of meter-0, meter-1>")
        assert [format_mac(crowd.mac(crowd.first + 1)) for crowd in (one, other)] == [
            "02:6d:6f:00:00:01",
            "02:00:00:00:10:01",
        ]
        assert BROADCAST == -1


LAB = """
crowd = "field.toml"

[[board]]
name = "hub"
program = "hub.py"

[[board]]
name = "leaf[2]"
code = '''
import espnow, network, time
network.WLAN(0).active(True)
e = espnow.ESPNow()
e.active(True)
e.add_peer(b'\\xff' * 6)
e.send(b'\\xff' * 6, b'from the board')
'''
"""

PLAN = """
duration = "10s"

[[station]]
name = "leaf"
count = 5
grid = 20

[[station]]
name = "hub"
at = [40, 30]
antenna = 3

[[traffic]]
from = "leaf"
to = "hub"
size = 40
every = "1s"
"""


@pytest.fixture
def files(tmp_path):
    (tmp_path / "field.toml").write_text(PLAN)
    (tmp_path / "hub.py").write_text(HEAR)
    (tmp_path / "lab.toml").write_text(LAB)
    return tmp_path


def test_a_lab_file_has_the_stations_of_a_plan(files):
    with Lab.from_file(files / "lab.toml") as lab:
        hub, leaf = lab.boards
        assert hub.position == (40.0, 30.0)
        assert leaf.position != (0.0, 0.0)
        assert len(lab.crowds[0]) == 4
        lab.run(for_ms=3_500)
        senders = {line.split()[0] for line in hub.lines}
        assert senders == {lab.crowds[0].mac(lab.crowds[0].first + number).hex() for number in range(4)} | {
            leaf.mac.hex()
        }
        assert 13 <= len(hub.lines) <= 17
        assert sum(result.delivered for result in lab.crowds[0].results()) == len(hub.lines) - 1


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("[air]\nrange = 20\n", "lab.toml: crowd: the plan says what the air is: leave out air.range"),
        ("", "field.toml: No such file"),
        ('[[board]]\nname = "leaf"\ncode = ""\n', "crowd: leaf are 5 stations: call the board leaf[0] to leaf[4], or"),
        ('[[board]]\nname = "leaf[9]"\ncode = ""\n', "crowd: the plan has no leaf[9]; its leaf are 0 to 4"),
        ('[[board]]\nname = "leaf[02]"\ncode = ""\n', "crowd: leaf[02] is no station: write leaf[2]"),
        ('[[board]]\nname = "hub[0]"\ncode = ""\n', "crowd: hub and hub[0] are one station: one board takes its place"),
        ("", "sweep: a lab is one run: leave it out"),
        ("", "station[0].way: a lab's crowd stays where it is: leave it out"),
    ],
)
def test_a_wrong_crowd_is_one_line(files, more, told):
    with (files / "lab.toml").open("a") as file:
        file.write(more)
    if "No such file" in told:
        (files / "field.toml").unlink()
    if "sweep" in told:
        (files / "field.toml").write_text(PLAN + '[sweep]\n"duration" = ["1s", "2s"]\n')
    if ".way" in told:
        (files / "field.toml").write_text(PLAN.replace("grid = 20", 'grid = 20\nway = [["0s", 0, 0], ["9s", 9, 0]]'))
    with pytest.raises(UserError) as caught:
        Lab.from_file(files / "lab.toml")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_stations_of_a_plan_are_called_as_it_calls_them(files, monkeypatch, capsys):
    monkeypatch.chdir(files)
    (files / "field.toml").write_text(PLAN + '[[station]]\nname = "far"\nat = [9000, 0]\n')
    (files / "lab.toml").write_text('crowd = "field.toml"\n[[board]]\nname = "hub"\nprogram = "ask.py"\n')
    (files / "ask.py").write_text(asking(bytes.fromhex("026d6f000003"), bytes.fromhex("026d6f000005"), b"\xff" * 6))
    with (files / "ask.py").open("a") as file:
        file.write("import time\ntime.sleep(3)\n")
    assert main(["run", "--for", "2s", "--log", "--explain", "lab.toml"]) == 0
    shown = capsys.readouterr().err
    assert "(hub to leaf[3])" in shown
    assert "(leaf[0] to hub)" in shown
    assert "(hub to 5 of a crowd)" in shown
    assert 'hub -> far: "hello"' in shown
    assert "a station without a program missed it: far: out of range" in shown
    assert "leaf[0] -> hub: " in shown  # never read
    assert "? ->" not in shown
    assert "model-" not in shown
    assert "02:6d:6f:00:00:05" not in shown.partition("---")[2]


def test_a_station_of_a_plan_has_its_number_where_another_has_its_name(files):
    """A board that is not said to take its place, but is called after its program."""
    (files / "lab.toml").write_text('crowd = "field.toml"\n[[board]]\nprogram = "hub.py"\n')
    with Lab.from_file(files / "lab.toml") as lab:
        assert [board.name for board in lab.boards] == ["hub"]
        assert lab.boards[0].position == (0.0, 0.0)
        assert list(lab.crowds[0].names) == [f"leaf[{number}]" for number in range(5)] + ["hub[0]"]


def test_boards_and_routers_that_come_later_have_names_that_are_free():
    with Lab() as lab:
        crowd = lab.crowd([Place((0.0, 0.0))] * 3, name="field", names=["hear", "router", "code1"])
        assert list(crowd.names) == ["hear", "router", "code1"]
        assert crowd.has("hear")
        assert not crowd.has("field-0")

        def hear():
            pass

        assert lab.board(hear).name == "hear-2"
        assert lab.board(hear).name == "hear-3"
        assert lab.board(code="").name == "code2"
        assert lab.router("home").name == "router-2"
        with pytest.raises(UserError, match="named 'hear' already"):
            lab.router("other", name="hear")
        with pytest.raises(UserError, match="MAC address of a crowd"):
            lab.router("other", mac=crowd.mac(crowd.first))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a"], "crowd 'field': there are 1 names for 2 places: give each its own"),
        (["a", "a"], "crowd 'field': two stations are named 'a': give each its own name"),
        (["a", "b\x1b[2J"], r"crowd 'field': a station is named 'b\x1b[2J': a name is a text of printable characters"),
        (["a", "board"], "'board' is the name of another station already: give the crowd other names"),
        (["a", "model-0"], "'model-0' is the name of another station already: give the crowd other names"),
    ],
)
def test_names_that_cannot_be(names, message):
    with Lab() as lab:
        lab.board(name="board")
        lab.crowd([Place((0.0, 0.0))])
        with pytest.raises(UserError) as caught:
            lab.crowd([Place((0.0, 0.0))] * 2, name="field", names=names)
        assert str(caught.value) == message


ROUTER = '[[router]]\nssid = "home"\n'


@pytest.mark.parametrize(
    ("more", "where", "place"),
    [
        ('[[board]]\ncode = ""\nat = [51, 0]\n', "board[2].at", "[51, 0]"),
        ('[[board]]\ncode = ""\n[[board.stimulus]]\nmove = [5, -1]\n', "board[2].stimulus[0].move", "[5, -1]"),
        (ROUTER + "at = [0, 41]\n", "router[0].at", "[0, 41]"),
        (ROUTER + '[[router.event]]\nat = "1s"\nmove = [99, 9]\n', "router[0].event[0].move", "[99, 9]"),
        (ROUTER + '[[board]]\ncode = ""\nat = [50, 40]\n[[board.stimulus]]\nmove = [0, 0]\n', "", ""),
    ],
)
def test_who_stands_beside_the_floor_of_a_plan_is_one_line(files, more, where, place):
    (files / "field.toml").write_text(PLAN + "[floor]\nsize = [50, 40]\n")
    (files / "lab.toml").write_text(LAB + more)
    if not where:
        Lab.from_file(files / "lab.toml").close()
        return
    with pytest.raises(UserError) as caught:
        Lab.from_file(files / "lab.toml")
    told = f"{where}: {place} is outside the floor, which is [0, 0] to [50, 40], as the plan of its crowd has it"
    assert str(caught.value) == f"{files / 'lab.toml'}: {told}"


@pytest.mark.parametrize("reaction", [{"flood": Flood(3)}, {"to": 1, "answer": Answer(5)}])
def test_behind_a_crowd_that_reacts_there_is_room_for_sixty_and_then_a_line(reaction):
    with Lab(record=False) as lab:
        lab.board(name="first")
        lab.crowd([Place((float(number), 0.0)) for number in range(2)], [Traffic(0, **reaction)])
        for _ in range(60):
            lab.board()
        told = "there is no room for more stations beside a crowd that answers or floods: add that crowd last, when "
        with pytest.raises(UserError) as caught:
            for _ in range(200):
                lab.board()
        assert str(caught.value) == told + "all boards, routers and other crowds are there"
        lab.run(for_ms=100)  # with those that are there


def test_beside_a_crowd_that_reacts_there_is_room_for_so_many_pairs_and_then_a_line():
    with Lab(record=False) as lab:
        speaker = lab.board()
        boards = [lab.board(at=(1e6 * number, 1e6)) for number in range(270)]
        lab.crowd([Place((0.0, 0.0))], [Traffic(0, flood=Flood(3))])
        lab.run(for_ms=100)
        for board in boards:
            board.position = (0.0, 0.0)
        speaker.module("network").WLAN(0).active(True)
        radio = speaker.module("espnow").ESPNow()
        radio.active(True)
        radio.add_peer(b"\xff" * 6)
        with pytest.raises(UserError) as caught:
            radio.send(b"\xff" * 6, "x")
        assert str(caught.value) == (
            "there is no room for more pairs of stations that hear each other beside a crowd that answers or floods: "
            "let fewer come near each other, or add that crowd when they are there"
        )


@pytest.mark.parametrize("rate", [0, 12, 23, 41, 42])
def test_models_hear_each_other_at_every_kind_of_rate(rate):
    with Lab() as lab:
        traffic = Traffic(0, 1, size=30, period_us=100_000, first_us=50_000, rate=rate)
        crowd = lab.crowd([Place((10.0, 0.0)), Place((12.0, 0.0))], [traffic])
        lab.run(for_ms=1_000)
        (result,) = crowd.results()
        assert (result.made, result.acknowledged) == (10, 10)


def test_the_command_tells_what_became_of_a_crowd(files, monkeypatch, capsys):
    monkeypatch.chdir(files)
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["run", "--for", "3500ms", "lab.toml"]) == 0
    shown = capsys.readouterr().err.splitlines()
    assert shown[-2].split() == ["crowd", "stations", "to", "one", "arrived", "to", "all", "heard"]
    name, stations, made, arrived, *to_all = shown[-1].split()
    assert (name, stations, to_all) == ("model", "4", ["0", "0"])
    assert 10 <= int(arrived) <= int(made) <= 16
    assert main(["run", "--for", "3500ms", "--json", "lab.toml"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["crowds"] == [
        {"crowd": "model", "stations": 4, "to one": int(made), "arrived": int(arrived), "to all": 0, "heard": 0}
    ]
