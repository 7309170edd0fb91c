"""``espnow doctor`` on computers with and without Wi-Fi, and the trial of an interface."""

from __future__ import annotations

import errno
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from espnow.cli.main import main
from espnow.frame import BROADCAST, radiotap
from espnow.radio import parse_name
from espnow.radio.monitor import device, findings, open_monitor, state, trial
from espnow.radio.monitor.drivers import DRIVERS, UNTOLD, Verdict, about, untold
from espnow.radio.monitor.findings import range_text
from espnow.radio.monitor.nl80211 import Mode, PhyChannel

Doctor = Callable[..., tuple[int, str]]


@pytest.fixture
def doctor(system: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """Run the command, and return its exit code and what it printed."""
    monkeypatch.setattr(findings.sys, "platform", "linux")

    def run(*arguments: str) -> tuple[int, str]:
        code = main(["doctor", *arguments])
        return code, capsys.readouterr().out

    return run


def test_a_computer_without_wifi(system: Any, doctor: Doctor) -> None:
    system.present = False
    code, out = doctor()
    assert code == 1
    assert "BAD   Wi-Fi" in out
    assert "a container sees only what its host gives it" in out
    assert out.endswith("1 thing is bad: see above what to do\n")


def test_no_linux(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings.sys, "platform", "darwin")
    code, out = doctor()
    assert code == 1
    assert "monitor: needs Linux" in out


def test_no_adapter(doctor: Doctor) -> None:
    code, out = doctor()
    assert code == 1
    assert "BAD   adapters  none" in out


def test_a_good_adapter(system: Any, doctor: Doctor) -> None:
    system.plug_in()
    code, out = doctor()
    assert code == 0
    assert "interface wlan1  managed, down" in out
    assert "1-11 to send and receive; 12-14 to receive only (no-IR)" in out
    assert "00, the world's" in out
    assert "espnow doctor INTERFACE tries one for real" in out
    assert system.done == []


def test_findings_with_what_to_do(system: Any, doctor: Doctor) -> None:
    one = system.plug_in("wlan0", modes=frozenset((Mode.STATION,)), channels=(PhyChannel(1, False, True),))
    one.ssid = b"home"
    system.blocked.add(one.phy)
    system.running = {"NetworkManager": 5}
    system.forbidden = True
    code, out = doctor("--json")
    assert code == 1
    told = json.loads(out)
    found = {finding["check"]: finding for finding in told["findings"]}
    assert found["monitor mode"]["cure"] == "use another adapter"
    assert found["acknowledging"]["verdict"] == "note"
    assert found["rfkill"]["cure"] == "sudo rfkill unblock wifi"
    assert found["channels"]["verdict"] == "bad"
    assert found["interface wlan0"]["told"] == "managed, down, in use for the network 'home'"
    assert "nmcli device set INTERFACE managed no" in found["other programs"]["cure"]
    assert "sudo setcap cap_net_admin,cap_net_raw+ep /" in found["CAP_NET_ADMIN"]["cure"]
    assert told["bad"] == 3


def test_every_finding_that_is_bad_says_what_to_do(system: Any, doctor: Doctor) -> None:
    one = system.plug_in("wlan0", modes=frozenset(), channels=())
    system.blocked.add(one.phy)
    told = json.loads(doctor("--json")[1])
    assert all(finding["cure"] for finding in told["findings"] if finding["verdict"] == "bad")


@pytest.mark.parametrize("name", ["wlan1", "monitor:wlan1"])
def test_one_adapter_of_two(system: Any, doctor: Doctor, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    system.plug_in("wlan0")
    system.plug_in("wlan1")
    monkeypatch.setattr(trial, "try_interface", lambda name, channel: tried.append(name) or [])
    tried: list[str] = []
    code, out = doctor(name)
    assert tried == ["wlan1"]
    assert code == 0
    assert "wlan1" in out
    assert "wlan0" not in out
    assert out.endswith("all is well\n")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_a_trial_in_order(
    system: Any, doctor: Doctor, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, code: int
) -> None:
    done = []

    def trial_that_is_ended(_name: str, _channel: int) -> Any:
        assert signal.getsignal(number) != signal.SIG_DFL
        try:
            signal.raise_signal(number)
        finally:
            signal.raise_signal(number)
            done.append("put back")

    system.plug_in()
    monkeypatch.setattr(trial, "try_interface", trial_that_is_ended)
    with pytest.raises(SystemExit) as ended:
        doctor("wlan1")
    assert (ended.value.code, done) == (code, ["put back"])
    assert signal.getsignal(number) == signal.SIG_DFL


def test_a_trial_leaves_signals_that_somebody_else_takes(
    system: Any, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    during = []
    system.plug_in()
    monkeypatch.setattr(
        trial, "try_interface", lambda _name, _channel: during.append(signal.getsignal(signal.SIGHUP)) or []
    )
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        doctor("wlan1")
    finally:
        signal.signal(signal.SIGHUP, before)
    assert during == [signal.SIG_IGN]


def test_names_cannot_move_the_cursor(system: Any, doctor: Doctor) -> None:
    one = system.plug_in("wl\x1bn1")
    one.ssid = b"\x1b[2Jevil"
    assert "\x1b" not in doctor()[1]


def test_what_was_left_and_restored(system: Any, doctor: Doctor) -> None:
    one = system.plug_in()
    one.mode, one.up, one.mtu = Mode.MONITOR, True, 2304
    path = state.save(state.Before("wlan1", one.index, one.address, Mode.STATION, False, 1500, None))
    assert f"wlan1 is used by process {os.getpid()}" in doctor()[1]
    path.write_text(json.dumps({**json.loads(path.read_text()), "started": 1}))
    code, out = doctor()
    assert code == 1
    assert "ended without putting wlan1 back" in out
    assert "-> espnow doctor --restore" in out
    assert doctor("--restore")[0] == 0
    assert (one.mode, one.up, one.mtu) == (Mode.STATION, False, 1500)
    assert "left behind  nothing" in doctor("--restore")[1]


def test_what_may_not_be_restored_stays_written_down(system: Any, doctor: Doctor) -> None:
    one = system.plug_in()
    one.mode = Mode.MONITOR
    path = state.save(state.Before("wlan1", one.index, one.address, Mode.STATION, False, 1500, None))
    path.write_text(json.dumps({**json.loads(path.read_text()), "started": 1}))
    system.forbidden = True
    code, out = doctor("--restore")
    assert code == 1
    assert "CAP_NET_ADMIN" in out
    assert path.exists()


def test_one_interface_is_enough(system: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["doctor", "wlan0", "wlan1"])
    line = "espnow doctor: one argument too many: wlan1; see espnow doctor --help\n"
    assert tuple(capsys.readouterr()) == ("", line)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--radio", "udp:"],
        ["--radio", "monitor:"],
        ["udp:"],
        ["monitor:"],
        [""],
        ["monitor:wlan0", "--radio", "monitor:wlan1"],
        ["wlan0", "--radio", "monitor:wlan1"],
        ["wlan0", "--restore"],
        ["wlan0", "--channel", "15"],
    ],
)
def test_mistakes(system: Any, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(["doctor", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("espnow doctor: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("numbers", "text"),
    [([], ""), ([1], "1"), ([1, 2, 3], "1-3"), ([1, 3, 4, 13], "1, 3-4, 13"), (list(range(1, 15)), "1-14")],
)
def test_ranges(numbers: list[int], text: str) -> None:
    assert range_text(numbers) == text


@pytest.mark.parametrize(
    ("driver", "verdict"),
    [
        ("mt76x2u", Verdict.NOTE),
        ("mt76x0u", Verdict.GOOD),
        ("rtw88_8821cu", Verdict.GOOD),
        ("rtw_8812au", Verdict.GOOD),
        ("rtl8821ae", None),
        ("88XXau", Verdict.NOTE),
        ("brcmfmac", Verdict.BAD),
    ],
)
def test_drivers_by_the_begin_of_their_name(driver: str, verdict: Verdict | None) -> None:
    assert (about(driver) or (None,))[0] == verdict
    assert findings._driver("phy0", driver)[0].verdict == (verdict or Verdict.NOTE)


@pytest.mark.parametrize(
    ("driver", "plain", "answering"),
    [
        ("ath9k_htc", False, True),
        ("rtl8xxxu", False, False),
        ("mt7601u", False, False),
        ("mt76x0u", False, False),
        ("mt76x2u", False, False),
        ("rt2800usb", True, True),
        ("mac80211_hwsim", True, True),
    ],
)
def test_whose_reports_are_believed(system: Any, doctor: Doctor, driver: str, plain: bool, answering: bool) -> None:
    assert (untold(driver, answering=False) is None) == plain
    assert (untold(driver, answering=True) is None) == answering
    system.plug_in()
    system.driver = driver
    assert ("not believed: it reports" in doctor()[1]) == (not plain)


@pytest.mark.parametrize(
    ("module", "driver", "name"),
    [
        ("88XXau", "rtl8812au", "88XXau"),
        ("rtw88_8812au", "rtw_8812au", "rtw88_8812au"),
        (None, "ath9k_htc", "ath9k_htc"),
    ],
)
def test_a_driver_is_called_by_its_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str | None, driver: str, name: str
) -> None:
    monkeypatch.setattr(device, "_NET", tmp_path / "net")
    bus = tmp_path / "bus" / driver
    bus.mkdir(parents=True)
    adapter = tmp_path / "net" / "wlan1" / "phy80211" / "device"
    adapter.mkdir(parents=True)
    (adapter / "driver").symlink_to(bus)
    if module is not None:
        (tmp_path / module).mkdir()
        (bus / "module").symlink_to(tmp_path / module)
    assert device.driver_of("wlan1") == name
    assert device.driver_of("wlan2") == ""


def test_what_is_said_of_drivers_says_where_it_was_read() -> None:
    for _, told in DRIVERS.values():
        assert "/" in told or "measured" in told
    for driver in UNTOLD.values():
        assert driver.source.startswith("drivers/net/wireless/")


# The trial, with a radio that a test says.


@pytest.fixture
def tried(monitor: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Any, bytes], None]], dict[str, Any]]:
    """Try wlan1 over a kernel that answers each injected packet as a test says."""

    def run(answer: Callable[[Any, bytes], None]) -> dict[str, Any]:
        monkeypatch.setattr(trial, "RadioLoop", lambda: monitor.loop)
        monitor.loop.close = lambda: None
        monkeypatch.setattr(
            trial, "open_radio", lambda text, loop, report: open_monitor(parse_name(text), loop, report)
        )
        monkeypatch.setattr(trial.time, "sleep", lambda _s: None)

        def wait_for(station: Any, token: int) -> Any:
            for _ in range(3):
                for packet in monitor.injected():
                    answer(monitor, packet)
                monitor.loop.turn()
                monitor.loop.advance(700_000)
            return station.answers.get(token)

        monkeypatch.setattr(trial._Station, "wait_for", wait_for)
        return {finding.check: finding for finding in trial.try_interface("wlan1", 6)}

    return run


def reported(monitor: Any, packet: bytes, *, failed: bool) -> None:
    told = radiotap.parse(packet)
    assert told.data_retries is not None
    head = bytes.fromhex("00000d00048002000200") + bytes((int(failed), 0, told.data_retries if failed else 0))
    monitor.kernels[0].send(head + packet[told.length :])


def is_group(packet: bytes) -> bool:
    at = radiotap.parse(packet).length
    return packet[at + 4 : at + 10] == BROADCAST


def test_a_good_driver(tried: Any) -> None:
    found = tried(lambda one, packet: reported(one, packet, failed=not is_group(packet)))
    assert [finding.verdict for finding in found.values()] == [Verdict.GOOD] * 5
    assert "3 tries reported, 3 were asked for" in found["TX status"].told
    assert "all 28" in found["rates"].told


def test_a_driver_that_reports_nothing(tried: Any) -> None:
    found = tried(lambda one, packet: None)
    assert found["injection"].verdict == Verdict.NOTE
    assert found["TX status"].verdict == Verdict.NOTE
    assert found["acknowledging (?ack=on)"].verdict == Verdict.NOTE


def test_a_driver_that_lies(tried: Any) -> None:
    found = tried(lambda one, packet: reported(one, packet, failed=False))
    assert found["TX status"].verdict == Verdict.BAD


def test_an_interface_that_cannot_be_opened(tried: Any, monitor: Any) -> None:
    monitor.system.refuses["mode"] = errno.EOPNOTSUPP
    found = tried(lambda one, packet: None)
    assert list(found) == ["opening monitor:wlan1"]
    assert found["opening monitor:wlan1"].verdict == Verdict.BAD


def test_acknowledging_that_does_not_work(tried: Any, monitor: Any) -> None:
    monitor.system.refuses["start"] = errno.EOPNOTSUPP
    found = tried(lambda one, packet: reported(one, packet, failed=not is_group(packet)))
    assert found["opening monitor:wlan1?ack=on"].verdict == Verdict.BAD
