"""The life of a board: sleep, wake, restart, power; what outlives what, and what a program finds afterwards."""

from itertools import product

import pytest

from espnow.board import PowerState
from espnow.errors import UserError
from espnow.lab.life import BOOT_US

BOOT_MS = BOOT_US // 1000

RADIO = """
import espnow, machine, network, time
sta = network.WLAN(0)
sta.active(True)
e = espnow.ESPNow()
e.active(True)
"""
GATEWAY = "30:aa:aa:aa:aa:aa"
PEER = bytes.fromhex(GATEWAY.replace(":", ""))
LISTEN = RADIO + "while True:\n    print(e.recv(-1)[1])"


def states(board):
    return [(at_us // 1000, state.value) for at_us, state in board.power_states]


# Deep sleep.


def test_deep_sleep_starts_the_program_from_the_top_after_its_time_and_the_boot(lab):
    board = lab.board(code="import machine\nprint('boot', machine.reset_cause())\nmachine.deepsleep(10_000)")
    lab.run(for_ms=35_000)
    assert board.lines == ["boot 1", "boot 4", "boot 4", "boot 4"]
    cycle = 10_000 + BOOT_MS
    assert states(board)[:5] == [
        (0, "on"),
        (0, "deep sleep"),
        (10_000, "restarting"),
        (cycle, "on"),
        (cycle, "deep sleep"),
    ]


def test_the_time_of_a_start_can_be_set(make_lab):
    lab = make_lab(boot_ms=42.5)
    board = lab.board(
        code="import machine\nmachine.reset() if machine.reset_cause() == 4 else machine.deepsleep(1_000)"
    )
    lab.run(for_ms=1_200)
    assert [at_us for at_us, state in board.power_states if state is PowerState.ON] == [0, 1_042_500, 1_085_000]


def test_nothing_of_the_program_is_left_after_deep_sleep(lab):
    board = lab.board(
        code=RADIO + "import json\nprint(globals().get('left'), json.__dict__.get('left'))\n"
        "print(e.peer_count(), sta.config('channel'))\nleft = json.left = 1\n"
        "e.add_peer(b'\\x30\\xaa\\xaa\\xaa\\xaa\\xaa')\nsta.config(channel=6)\nmachine.deepsleep(1000)"
    )
    lab.run(for_ms=2_500)
    assert board.lines == ["None None", "(0, 0) 1"] * 2


def test_rtc_memory_and_calendar_outlive_deep_sleep_and_reset_and_not_the_power(lab):
    board = lab.board(
        code="import machine, time\nrtc = machine.RTC()\nprint(rtc.memory(), time.time())\n"
        "count = len(rtc.memory()) + 1\nrtc.memory(b'x' * count)\n"
        "if count == 1:\n    machine.deepsleep(5_000)\nif count == 2:\n    time.sleep(1)\n    machine.reset()"
    )
    lab.run(for_ms=10_000)
    assert board.lines == ["b'' 0", "b'x' 5", "b'xx' 6"]
    board.reset()
    lab.run(for_ms=1_000)
    assert board.lines[3:] == ["b'' 0"]


def test_the_ticks_begin_anew_and_the_flash_stays(lab):
    board = lab.board(
        code="import machine, os, time\nprint(time.ticks_ms(), 'log' in os.listdir())\n"
        "with open('log', 'a') as log:\n    log.write('x')\ntime.sleep(2)\nmachine.deepsleep(1000)"
    )
    lab.run(for_ms=4_000)
    assert board.lines == ["0 False", "0 True"]


@pytest.mark.parametrize("ms", ["", "None", "-1"])
def test_without_a_time_it_sleeps_until_a_pin_wakes_it(lab, ms):
    board = lab.board(
        code="import machine, esp32\nprint(machine.wake_reason(), machine.reset_cause())\n"
        "button = machine.Pin(33, machine.Pin.IN, machine.Pin.PULL_UP)\n"
        f"esp32.wake_on_ext0(button, esp32.WAKEUP_ALL_LOW)\nmachine.deepsleep({ms})"
    )
    lab.run(for_ms=60_000)
    assert (board.state, board.power_state.value, board.lines) == ("asleep", "deep sleep", ["0 1"])
    board.pin(33).drive(0)
    lab.run(for_ms=BOOT_MS + 1)
    assert board.lines == ["0 1", "2 4"]


def test_a_pin_wakes_before_the_time_and_the_time_before_a_pin(lab):
    board = lab.board(
        code="import machine, esp32, time\nprint(machine.wake_reason(), time.time())\n"
        "esp32.wake_on_ext0(machine.Pin(4, machine.Pin.IN), esp32.WAKEUP_ANY_HIGH)\nmachine.deepsleep(10_000)"
    )
    lab.at(3_000, lambda: board.pin(4).drive(1))
    lab.at(3_100, lambda: board.pin(4).drive(0))
    lab.run(for_ms=15_000)
    assert board.lines == ["0 0", "2 3", "4 13"]


def test_a_pin_that_has_the_level_already_wakes_it_at_once(lab):
    board = lab.board(
        code="import machine, esp32\nprint(machine.wake_reason())\n"
        "if machine.wake_reason() == 0:\n"
        "    esp32.wake_on_ext0(machine.Pin(4, machine.Pin.IN), esp32.WAKEUP_ANY_HIGH)\n    machine.deepsleep(10_000)"
    )
    board.pin(4).drive(1)
    lab.run(for_ms=BOOT_MS + 5)
    assert board.lines == ["0", "2"]


def test_one_that_sleeps_for_ever_has_finished_and_one_that_wakes_has_not(lab):
    for_ever = lab.board(code="import machine\nmachine.deepsleep()")
    lab.run()
    assert for_ever.finished
    wakes = lab.board(code="import machine\nmachine.deepsleep(1000)")
    lab.run(for_ms=100)
    assert not wakes.finished


def test_a_sleeping_board_neither_hears_nor_answers(lab):
    lab.board(code=RADIO + "time.sleep(1)\nmachine.deepsleep(60_000)", mac=GATEWAY)
    sender = lab.board(
        code=RADIO
        + f"e.add_peer({PEER})\nprint(e.send({PEER}, 'awake'))\ntime.sleep(2)\nprint(e.send({PEER}, 'asleep'))"
    )
    lab.run(for_ms=5_000)
    assert sender.lines == ["True", "False"]


UNWINDING = {
    "except": "try:\n    {sleep}\nexcept:\n    print('except')\n    machine.reset()",
    "finally": "try:\n    {sleep}\nfinally:\n    print('finally')\n    e.send(b'\\xff' * 6, 'finally')\n"
    "    machine.Pin(2, machine.Pin.OUT).on()",
    "loop": "while True:\n    try:\n        {sleep}\n    except:\n        print('again')",
    "computing": "try:\n    {sleep}\nfinally:\n    while True: pass",
    "swallowed": "try:\n    {sleep}\nexcept BaseException:\n    pass\nmachine.RTC().memory(b'swallowed')\n"
    "print('goes on')",
    "raises": "try:\n    {sleep}\nfinally:\n    1 / 0",
    "waits": "try:\n    {sleep}\nfinally:\n    time.sleep(5)",
    "in a callback": "machine.Timer(0).init(mode=machine.Timer.ONE_SHOT, period=10, callback=lambda t: {sleep})\n"
    "while True: time.sleep(1)",
    "in a coroutine": "import asyncio\nasync def main():\n    try:\n        await asyncio.sleep(0.01)\n"
    "        {sleep}\n    finally:\n        print('finally')\nasyncio.run(main())",
}


@pytest.mark.parametrize("style", UNWINDING)
@pytest.mark.parametrize("sleep", ["machine.deepsleep(1000)", "machine.reset()"])
def test_nothing_of_the_program_acts_after_it_fell_asleep(lab, style, sleep):
    listener = lab.board(code=LISTEN)
    board = lab.board(
        code=RADIO
        + "e.add_peer(b'\\xff' * 6)\nprint('boot', machine.reset_cause(), machine.RTC().memory(),"
        + " machine.Pin(2).value())\nmachine.RTC().memory(b'kept')\n"
        + UNWINDING[style].format(sleep=sleep)
    )
    lab.run(for_ms=1_000 + BOOT_MS + 250)
    cause = 4 if "deep" in sleep else 2
    assert board.lines[:2] == ["boot 1 b'' 0", f"boot {cause} b'kept' 0"]
    assert set(board.lines[1:]) == {f"boot {cause} b'kept' 0"}
    assert listener.lines == []
    assert board.error is None


def test_ten_thousand_wakes_leave_nothing_behind(lab):
    import gc

    from greenlet import greenlet

    board = lab.board(
        code="import machine\nprint(len(machine.RTC().memory()))\nmachine.RTC().memory(b'x')\n"
        "try:\n    machine.deepsleep(10)\nfinally:\n    pass"
    )
    lab.run(for_ms=20 * (BOOT_MS + 10))
    gc.collect()
    before = sum(isinstance(thing, greenlet) for thing in gc.get_objects())
    lab.run(for_ms=500 * (BOOT_MS + 10))
    gc.collect()
    assert sum(isinstance(thing, greenlet) for thing in gc.get_objects()) <= before + 2
    assert len(board.lines) > 500


# Light sleep.


def test_light_sleep_keeps_the_program_and_its_variables(lab):
    board = lab.board(
        code="import machine, time\ncount = 0\nwhile count < 3:\n    begin = time.ticks_ms()\n"
        "    machine.lightsleep(10_000)\n    count += 1\n"
        "    print(count, time.ticks_diff(time.ticks_ms(), begin), machine.wake_reason())"
    )
    lab.run()
    assert board.lines == ["1 10000 4", "2 10000 4", "3 10000 4"]
    assert states(board)[:3] == [(0, "on"), (0, "light sleep"), (10_000, "on")]
    assert board.power_ms("light sleep") == board.power_ms(PowerState.LIGHT_SLEEP) == 30_000


def test_light_sleep_loses_the_wifi_configuration_and_keeps_esp_now(lab):
    listener = lab.board(code=RADIO + "sta.config(channel=6)\nwhile True:\n    print(e.recv(-1)[1])", mac=GATEWAY)
    sleeper = lab.board(
        code=RADIO + f"sta.config(channel=6)\ne.add_peer({PEER})\nprint(e.send({PEER}, 'before'))\nsta.active(False)\n"
        "machine.lightsleep(1000)\nsta.active(True)\nprint(sta.config('channel'), e.peer_count())\n"
        f"print(e.send({PEER}, 'wrong channel'))\nsta.config(channel=6)\nprint(e.send({PEER}, 'after'))"
    )
    lab.run(for_ms=5_000)
    assert sleeper.lines == ["True", "1 (1, 0)", "False", "True"]
    assert listener.lines == ["b'before'", "b'after'"]


def test_a_radio_that_slept_active_is_of_no_use_until_it_is_switched_off_and_on(lab):
    gateway = lab.board(
        code=RADIO + f"e.add_peer({PEER[:5] + bytes([1])})\nwhile True:\n    mac, msg = e.recv(-1)\n    print(msg)\n"
        "    print(e.send(mac, b'echo'))",
        mac=GATEWAY,
    )
    sleeper = lab.board(
        code=RADIO + f"e.add_peer({PEER})\nprint(e.send({PEER}, 'before'), e.recv(500)[1])\nmachine.lightsleep(1000)\n"
        f"print(sta.active(), e.send({PEER}, 'deaf'), e.recv(100)[1])\nsta.active(False)\nsta.active(True)\n"
        f"print(e.send({PEER}, 'after'), e.recv(500)[1])",
        mac="30:aa:aa:aa:aa:01",
    )
    lab.run(for_ms=5_000)
    assert sleeper.lines == ["True b'echo'", "True False None", "True b'echo'"]
    assert gateway.lines == ["b'before'", "True", "b'after'", "True"]


def test_a_pin_ends_light_sleep(lab):
    board = lab.board(
        code="import machine, esp32, time\nesp32.wake_on_ext0(machine.Pin(4, machine.Pin.IN, machine.Pin.PULL_UP), 0)\n"
        "machine.lightsleep(60_000)\nprint(machine.wake_reason(), time.ticks_ms())"
    )
    lab.at(5_000, lambda: board.pin(4).press(100))
    lab.run()
    assert board.lines == ["2 5000"]


def test_timers_stand_still_in_light_sleep(lab):
    board = lab.board(
        code="import machine, time\n"
        "def tick(timer):\n    print('timer', time.ticks_ms())\n"
        "machine.Timer(0).init(period=100, mode=machine.Timer.ONE_SHOT, callback=tick)\n"
        "machine.lightsleep(1000)\nprint('woke', time.ticks_ms())\ntime.sleep(1)"
    )
    lab.run()
    assert board.lines == ["woke 1000", "timer 1100"]


@pytest.mark.parametrize("end", ["interrupt", "soft_reset"])
def test_what_ends_a_light_sleep_from_outside_wakes_the_chip(lab, end):
    board = lab.board(
        code=RADIO + "if machine.reset_cause() == 1:\n    try:\n        machine.lightsleep(60_000)\n"
        "    except KeyboardInterrupt:\n        pass\nsta.active(False)\nsta.active(True)\n"
        f"e.add_peer({PEER})\nprint(e.send({PEER}, 'x'))\ntime.sleep(9)",
    )
    gateway = lab.board(code=LISTEN, mac=GATEWAY)
    lab.run(for_ms=1_000)
    assert board.power_state is PowerState.LIGHT_SLEEP
    getattr(board, end)()
    lab.run(for_ms=1_000)
    assert (board.power_state, board.lines, gateway.lines) == (PowerState.ON, ["True"], ["b'x'"])


# Restarts and power.


@pytest.mark.parametrize("thread", [False, True])
@pytest.mark.parametrize("catch", [False, True])
@pytest.mark.parametrize(
    ("act", "starts", "cause", "state"),
    [("reset", 2, 1, PowerState.ON), ("soft_reset", 2, 5, PowerState.ON), ("power_off", 1, 1, PowerState.OFF)],
)
def test_a_program_may_do_it_to_its_own_board(lab, act, starts, cause, state, thread, catch):
    causes = []

    def program(board):
        import _thread
        import time

        import machine

        def do():
            try:
                getattr(board, act)()
            except BaseException:
                if not catch or act == "soft_reset":
                    raise
            time.sleep(1)
            print("went on")

        causes.append(machine.reset_cause())
        if len(causes) == 1:
            _thread.start_new_thread(do, ()) if thread else do()
        time.sleep(60)

    board = lab.board(program)
    lab.run(for_ms=5_000)
    assert (len(causes), causes[-1], board.power_state, board.output) == (starts, cause, state, "")


END = "machine.Pin(4, machine.Pin.OUT).on()\n{0}open('left.txt', 'w').close()"
LEFT_BEHIND = {
    "a task": "async def f():\n    try:\n        await asyncio.sleep(100)\n    finally:\n        "
    + END.format(" " * 8)
    + "\nasync def main():\n    asyncio.create_task(f())\n    await asyncio.sleep(1)\n    {end}\nasyncio.run(main())",
    "finally": "try:\n    {end}\nfinally:\n    " + END.format(" " * 4),
    "except": "try:\n    {end}\nexcept:\n    " + END.format(" " * 4),
}


@pytest.mark.parametrize(
    ("left", "end"),
    [
        *product(LEFT_BEHIND, ["machine.reset()", "machine.deepsleep(100)"]),
        ("a task", "machine.soft_reset()"),
        ("a task", "pass"),
    ],
)
def test_what_is_left_of_a_program_does_nothing_afterwards(lab, left, end):
    code = LEFT_BEHIND[left].format(end=end)
    begin = "import asyncio, machine\nif machine.reset_cause() != 1:\n    raise SystemExit\n"
    board = lab.board(code=begin + code)
    lab.run(for_ms=3_000)
    assert (board.pin(4).history, board.files.kind("/left.txt"), board.error, board.output) == ([], None, None, "")


def test_a_program_that_does_nothing_but_restart_does_not_stop_the_time(make_lab):
    lab = make_lab(boot_ms=0)
    board = lab.board(code="import machine\nmachine.reset()")
    lab.run(for_ms=0.01)
    assert [at_us for at_us, state in board.power_states if state is PowerState.ON] == list(range(11))


def test_reset_causes(lab):
    board = lab.board(code="import machine\nprint(machine.reset_cause())\nmachine.RTC().memory() or step(machine)")
    board.power_off()
    board = lab.board(
        name="causes",
        code="import machine, time\nrtc = machine.RTC()\nn = len(rtc.memory())\nprint(n, machine.reset_cause())\n"
        "rtc.memory(b'x' * (n + 1))\n"
        "if n == 0: machine.reset()\nif n == 1: machine.soft_reset()\nif n == 2: machine.deepsleep(10)\n"
        "if n == 3:\n    machine.WDT(timeout=1000)\n    time.sleep(100)\n",
    )
    lab.run(for_ms=10_000)
    assert board.lines == ["0 1", "1 2", "2 5", "3 4", "4 3"]


def test_wifi_survives_a_soft_reset_and_esp_now_does_not(lab):
    board = lab.board(
        code="import espnow, machine, network\nsta = network.WLAN(0)\ne = espnow.ESPNow()\n"
        "print(sta.active(), sta.config('channel') if sta.active() else '-', e.active())\n"
        "if not sta.active():\n    sta.active(True)\n    sta.config(channel=9)\n    e.active(True)\n"
        "    e.add_peer(b'\\xff' * 6)\n    machine.soft_reset()\n"
        "try:\n    e.send(b'\\xff' * 6, 'x')\nexcept OSError as error:\n    print(error.args[1])\n"
        "e.active(True)\nprint(e.peer_count(), e.stats())"
    )
    lab.run()
    assert board.lines == ["False - False", "True 9 False", "ESP_ERR_ESPNOW_NOT_INIT", "(0, 0) (0, 0, 0, 0, 0)"]


def test_the_reset_button(lab):
    board = lab.board(
        code="import machine, time\nprint(machine.reset_cause(), time.ticks_ms())\nwhile True: time.sleep(1)"
    )
    lab.run(for_ms=5_000)
    board.reset()
    assert (board.state, board.power_state) == ("asleep", PowerState.RESTARTING)
    lab.run(for_ms=BOOT_MS + 1)
    assert board.lines == ["1 0", "1 0"]
    assert (board.state, board.power_state) == ("running", PowerState.ON)


def test_power_off_and_on(lab):
    board = lab.board(code="import time\nprint('on')\ntime.sleep(1)\nprint('done')")
    lab.run(for_ms=500)
    board.power_off()
    lab.run(for_ms=5_000)
    assert (board.lines, board.power_state, board.finished) == (["on"], PowerState.OFF, True)
    board.power_on()
    lab.run()
    assert board.lines == ["on", "on", "done"]
    assert board.power_ms("off") == 5_000
    board.power_on()  # it is on
    lab.run(for_ms=100)
    assert board.lines == ["on", "on", "done"]
    for _ in range(2):
        board.power_off()
    assert [state for _, state in states(board)] == ["on", "off", "restarting", "on", "off"]


@pytest.mark.parametrize("when", [0, 500, 1_100])
def test_power_can_go_at_any_time(lab, when):
    board = lab.board(code="import machine, time\nprint('boot')\ntime.sleep_ms(400)\nmachine.deepsleep(600)")
    lab.at(when, board.power_off)
    lab.run(for_ms=5_000)
    assert (board.power_state, board.finished) == (PowerState.OFF, True)
    assert board.lines == ["boot"]


def test_a_board_that_starts_later(lab):
    board = lab.board(code="import time\nprint(time.ticks_ms())", start_ms=700)
    lab.run(for_ms=699)
    assert (board.lines, board.power_state, board.finished) == ([], PowerState.OFF, False)
    board.interrupt()  # which has nothing to interrupt yet
    assert (board.state, board.exit_code) == ("asleep", None)
    lab.run()
    assert board.lines == ["0"]
    assert lab.now_ms >= 700


def test_who_sleeps_has_no_console(lab):
    board = lab.board(code="import machine\nmachine.deepsleep(1000)")
    lab.run(for_ms=10)
    with pytest.raises(UserError, match=r"is not on \(deep sleep\): it has no console"):
        board.soft_reset()


def test_frames_in_flight_when_a_board_falls_asleep_are_lost_and_do_not_wake_it(lab):
    board = lab.board(
        code=RADIO + f"print('boot')\ne.add_peer({PEER})\nfor n in range(5):\n    e.send({PEER}, str(n), False)\n"
        "machine.deepsleep(60_000)"
    )
    gateway = lab.board(code=LISTEN, mac=GATEWAY)
    lab.run(for_ms=50_000)
    assert board.lines == ["boot"]
    assert len(gateway.lines) < 5


@pytest.mark.parametrize("what", ["at", "start", "boot"])
@pytest.mark.parametrize("ms", [-1, "x", float("inf"), float("nan")])
def test_times_that_cannot_be(make_lab, what, ms):
    act = {
        "at": lambda: make_lab().at(ms, print),
        "start": lambda: make_lab().board(code="", start_ms=ms),
        "boot": lambda: make_lab(boot_ms=ms),
    }[what]
    with pytest.raises(UserError, match="must be a number of milliseconds"):
        act()


def test_the_whole_life_repeats_to_the_byte(make_lab):
    def run():
        lab = make_lab(seed=3, loss=0.2)
        lab.board(code=LISTEN, mac=GATEWAY)
        sensor = lab.board(
            code=RADIO + f"import random\ne.add_peer({PEER})\nfor n in range(3):\n"
            f"    print(e.send({PEER}, str(random.random())))\nmachine.deepsleep(1000 + random.randrange(1000))"
        )
        lab.run(for_ms=20_000)
        return [board.output for board in lab.boards], lab.transmissions, sensor.power_states

    assert run() == run()
