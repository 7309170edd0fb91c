"""An interface made a monitor and put back: what is done, in which order, and what is said when it cannot be."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from espnow.errors import UserError
from espnow.radio.monitor import adapter, state
from espnow.radio.monitor.adapter import Adapter, open_adapter
from espnow.radio.monitor.nl80211 import Mode
from espnow.radio.monitor.restore import restore_all

RADIO = "monitor:wlan1"


def take(name: str = "wlan1", *, answer: bool = False, notes: list[str] | None = None) -> Adapter:
    return open_adapter(f"monitor:{name}", name, (notes if notes is not None else []).append, answer=answer)


def refused(name: str = "wlan1", **more: Any) -> str:
    with pytest.raises(UserError) as caught:
        take(name, **more)
    text = str(caught.value)
    assert "\n" not in text
    return text


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*"))


def test_the_order_and_back(system: Any, tmp_path: Path) -> None:
    interface = system.plug_in()
    interface.up = True
    one = take()
    assert system.done == [
        ("down", "wlan1"),
        ("mode", "wlan1", Mode.MONITOR),
        ("mtu", "wlan1", 2304),
        ("up", "wlan1"),
        ("channel", "wlan1", 1),
    ]
    assert files(tmp_path / "state") == ["wlan1.json"]
    system.done.clear()
    one.close()
    assert system.done == [("down", "wlan1"), ("mode", "wlan1", Mode.STATION), ("mtu", "wlan1", 1500), ("up", "wlan1")]
    assert files(tmp_path / "state") == []


def test_a_monitor_gets_its_channel_back(system: Any) -> None:
    interface = system.plug_in()
    interface.mode, interface.up, interface.mtu, interface.channel = Mode.MONITOR, True, 2304, 3
    one = take()
    assert one.tune(9, ()) is None
    one.close()
    assert interface.channel == 3
    assert (interface.mode, interface.up) == (Mode.MONITOR, True)


def test_one_that_is_ready_needs_no_right_to_configure(system: Any, tmp_path: Path) -> None:
    interface = system.plug_in()
    interface.mode, interface.up, interface.mtu, interface.channel = Mode.MONITOR, True, 2304, 6
    system.forbidden = True
    one = take()
    assert one.tune(6, ()) is None
    trouble = one.tune(7, ())
    assert trouble is not None
    assert "channel 7" in trouble
    assert "CAP_NET_ADMIN" in trouble
    one.close()
    assert system.done == []
    assert files(tmp_path / "state") == []


def test_no_right(system: Any) -> None:
    interface = system.plug_in()
    system.forbidden = True
    text = refused()
    assert "CAP_NET_ADMIN and CAP_NET_RAW" in text
    assert "sudo setcap cap_net_admin,cap_net_raw+ep /" in text
    assert (interface.mode, interface.up) == (Mode.STATION, False)


def test_which_interfaces_there_are(system: Any) -> None:
    system.plug_in("wlan0")
    system.plug_in("wlan1")
    assert refused("wlan7").endswith("there is no Wi-Fi interface 'wlan7'; there are: wlan0, wlan1")
    assert refused("").endswith("which interface? Write monitor:INTERFACE; there are: wlan0, wlan1")
    assert "\x1b" not in refused("\x1b[2J")


def test_no_adapter(system: Any) -> None:
    assert "there are: none; plug an adapter in" in refused()


def test_no_wifi_at_all(system: Any) -> None:
    system.present = False
    assert "this Linux has no Wi-Fi (nl80211)" in refused()


def test_no_linux(system: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter.sys, "platform", "darwin")
    assert "Linux only; this is darwin" in refused()


def test_no_monitor_mode(system: Any) -> None:
    system.plug_in(modes=frozenset((Mode.STATION,)))
    assert "rt2800usb of wlan1 has no monitor mode; use another adapter" in refused()


def test_no_ap_mode(system: Any) -> None:
    system.plug_in(modes=frozenset((Mode.STATION, Mode.MONITOR)))
    assert "no AP mode, so it cannot acknowledge; leave ?ack=on out" in refused(answer=True)
    take().close()


def test_other_bands_only(system: Any) -> None:
    system.plug_in(channels=())
    assert "no channels at 2.4 GHz" in refused()


def test_in_a_network(system: Any) -> None:
    interface = system.plug_in()
    interface.ssid, interface.up = b"home\x1b[31m", True
    system.running = {"NetworkManager": 3}
    text = refused()
    assert r"in use for the network 'home\x1b[31m'" in text
    assert "nmcli device set wlan1 managed no" in text
    assert system.done == []


def test_another_interface_of_the_adapter(system: Any) -> None:
    interface = system.plug_in("wlan1")
    other = system.plug_in("ap0")
    other.phy, other.mode, other.up = interface.phy, Mode.AP, True
    assert "held on its channel by ap0 (AP): sudo ip link set ap0 down" in refused()


def test_blocked(system: Any) -> None:
    interface = system.plug_in()
    system.blocked.add(interface.phy)
    assert "blocked by rfkill (airplane mode): sudo rfkill unblock wifi" in refused()
    assert system.done == []


def test_in_use_by_another_program(system: Any) -> None:
    system.plug_in()
    one = take()
    text = refused()
    assert f"in use by another espnow program (process {os.getpid()}, " in text
    one.close()
    take().close()


@pytest.mark.parametrize("step", ["mode", "mtu", "up", "channel"])
def test_what_the_kernel_refuses_leaves_it_as_it_was(system: Any, tmp_path: Path, step: str) -> None:
    interface = system.plug_in()
    interface.up = step != "up"
    system.refuses = {step: errno.EOPNOTSUPP}
    text = refused()
    assert "wlan1 cannot be" in text
    system.refuses = {}
    restore_all()
    assert (interface.mode, interface.mtu) == (Mode.STATION, 1500)
    assert files(tmp_path / "state") == []


def test_what_a_crash_left_is_taken_over(system: Any, tmp_path: Path) -> None:
    interface = system.plug_in()
    interface.up = True
    left = take()
    path = tmp_path / "state" / "wlan1.json"
    crashed = json.loads(path.read_text())
    crashed["started"] = 1  # as of a process that is gone
    left._claimed.close()  # type: ignore[union-attr]
    path.write_text(json.dumps(crashed))

    again = take()
    again.close()
    assert (interface.mode, interface.up, interface.mtu) == (Mode.STATION, True, 1500)


def test_doctor_restores_what_a_crash_left(system: Any, tmp_path: Path) -> None:
    interface = system.plug_in()
    left = take()
    (finding,) = restore_all()
    assert "left as it is" in finding.told  # this process lives
    path = tmp_path / "state" / "wlan1.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "started": 1}))
    (finding,) = restore_all()  # of another one, which is gone
    assert finding.told.startswith(f"in use by process {os.getpid()}")
    assert interface.mode == Mode.MONITOR
    left._claimed.close()  # type: ignore[union-attr]
    (finding,) = restore_all()
    assert finding.told.startswith("managed, down, MTU 1500")
    assert (interface.mode, interface.up) == (Mode.STATION, False)
    assert files(tmp_path / "state") == []


def test_another_adapter_has_the_name_now(system: Any, tmp_path: Path) -> None:
    system.plug_in()
    left = take()
    path = tmp_path / "state" / "wlan1.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "started": 1}))
    system.unplug("wlan1")
    other = system.plug_in("wlan1")
    other.address = bytes.fromhex("0200000000ee")
    system.done.clear()
    (finding,) = restore_all()
    assert "not there any more" in finding.told
    assert system.done == []
    left._claimed.close()  # type: ignore[union-attr]


@pytest.mark.parametrize("number", [errno.EINTR, errno.ETIMEDOUT])
def test_a_kernel_that_does_not_answer_is_trouble_that_goes_away(system: Any, number: int) -> None:
    system.plug_in()
    one = take()
    for ask in (lambda: one.tune(6, ()), one.problem, lambda: one.find_again(print)):
        system.silent = number
        assert "wlan1 cannot be asked about" in (ask() or "")
        system.silent = 0
        assert ask() is None
    one.close()


def test_a_kernel_that_does_not_answer_while_it_is_opened(system: Any) -> None:
    system.plug_in()
    system.silent = errno.EINTR
    assert "nl80211 cannot be asked" in refused()


def test_what_it_was_is_known_at_the_second_try(system: Any) -> None:
    interface = system.plug_in()
    interface.up = True
    one = take()
    system.blocked.add(interface.phy)
    interface.up = False
    assert "rfkill" in (one.find_again(print) or "")
    system.blocked.clear()
    assert one.find_again(print) is None
    one.close()
    assert (interface.mode, interface.up, interface.mtu) == (Mode.STATION, True, 1500)


def test_renamed_while_it_is_used(system: Any, tmp_path: Path) -> None:
    interface = system.plug_in()
    one = take()
    interface.name = "wlx7e"
    system.interfaces = {"wlx7e": interface}
    assert one.is_gone()
    assert one.find_again(print) is None
    assert files(tmp_path / "state") == ["wlx7e.json"]
    one.close()
    assert (interface.mode, interface.up, interface.mtu) == (Mode.STATION, False, 1500)
    assert files(tmp_path / "state") == []


def test_a_strangers_adapter_is_not_taken_for_one_that_is_gone(system: Any) -> None:
    system.plug_in()
    one = take()
    system.unplug("wlan1")
    other = system.plug_in("wlan1")
    other.address = bytes.fromhex("0200000000ee")
    assert one.find_again(print) == "wlan1 is gone: plug its adapter in again"
    assert other.mode == Mode.STATION
    one.close()


def test_one_that_came_back_and_joined_a_network_is_left_alone(system: Any) -> None:
    system.plug_in()
    one = take()
    system.unplug("wlan1")
    again = system.plug_in("wlan1")
    again.ssid = b"home"
    assert "wlan1 is in use for the network 'home'" in (one.find_again(print) or "")
    again.ssid = None
    assert one.find_again(print) is None
    one.close()


def test_of_two_interfaces_that_came_back_it_takes_the_one_of_its_name(system: Any) -> None:
    system.plug_in()
    one = take()
    system.unplug("wlan1")
    again = system.plug_in("wlan1")
    second = system.plug_in("mon1")
    second.phy, second.index, second.mode, second.up = again.phy, again.index - 5, Mode.MONITOR, True
    second.address = again.address
    assert one.find_again(print) is None
    assert one.name == "wlan1"
    one.close()


def test_an_interface_that_somebody_made_on_the_adapter_is_left_alone(system: Any) -> None:
    address = system.plug_in().address
    one = take()
    system.unplug("wlan1")
    made = system.plug_in("ap0")
    made.mode, made.address = Mode.AP, address
    assert "is gone" in (one.find_again(print) or "")
    assert made.mode == Mode.AP
    one.close()


def test_one_that_is_ready_on_an_unknown_channel(system: Any) -> None:
    interface = system.plug_in()
    interface.mode, interface.up, interface.mtu = Mode.MONITOR, True, 2304
    system.forbidden = True
    one = take()
    assert one.tune(7, ()) is None
    one.close()


def test_acknowledging_needs_the_right_to_configure(system: Any) -> None:
    interface = system.plug_in()
    interface.mode, interface.up, interface.mtu, interface.channel = Mode.MONITOR, True, 2304, 6
    system.forbidden = True
    one = take(answer=True)
    assert "wlan1 cannot acknowledge on channel 6: this needs CAP_NET_ADMIN" in (one.tune(6, (bytes(6),)) or "")
    one.close()


def test_what_no_forked_process_may_keep(system: Any) -> None:
    system.plug_in()
    owned: set[int] = set()
    one = open_adapter("monitor:wlan1", "wlan1", print, answer=False, owned=owned)
    assert one._claimed is not None
    assert owned == {one._claimed.fileno(), 1 << 20}
    one.close()
    assert owned == set()


def test_no_place_to_write_it_down(system: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    system.plug_in()
    monkeypatch.setattr(state, "_folders", list)
    notes: list[str] = []
    take(notes=notes).close()
    (note,) = notes
    assert "cannot be written down" in note
