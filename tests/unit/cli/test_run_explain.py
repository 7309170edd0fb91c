"""``espnow run --explain``: what is printed where, and when."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from espnow.cli.main import main

RADIO = """\
import network, espnow, time
wlan = network.WLAN(0)
wlan.active(True)
e = espnow.ESPNow()
e.active(True)
"""

GATEWAY = RADIO + "wlan.config(channel=6)\ntime.sleep(1)\n"
SENSOR = RADIO + "peer = bytes.fromhex('18fe34000004')\ne.add_peer(peer)\ne.send(peer, 'hello')\n"
WHY = "on another channel: sensor sends on 1, gateway listens on 6; 7 attempts"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Return a function that runs the command over the two programs, and returns exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    Path("gateway.py").write_text(GATEWAY)
    Path("sensor.py").write_text(SENSOR)

    def run(*arguments, programs=("gateway.py", "sensor.py")):
        with Path(os.devnull).open() as file:
            monkeypatch.setattr(sys, "stdin", file)
            code = main(["run", "--for", "2s", *arguments, *programs])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_it_is_printed_after_the_summary(run):
    code, out, err = run("--explain")
    assert (code, out) == (0, "")
    summary, _, report = err.partition("\n---\n")
    assert summary.startswith("--- ")
    assert report.startswith("1 message was not delivered (1 sent):\n")
    assert 'sensor -> gateway: "hello"' in report
    assert WHY in report


def test_without_it_nothing_is_said(run):
    assert "not delivered" not in run()[2]


def test_without_a_summary_it_is_printed_all_the_same(run):
    assert run("--explain", "--quiet")[2].startswith("---\n1 message was not delivered")


def test_everything_arrived(run):
    Path("gateway.py").write_text(RADIO + "e.recv(1000)\n")
    assert run("--explain")[2].endswith("---\nEvery message was delivered and read (1 sent).\n")


def test_of_a_single_program(run):
    _, _, err = run("--explain", programs=("sensor.py",))
    assert "sent to itself" in err  # it has the address that it sends to


def test_json(run):
    code, out, err = run("--explain", "--json")
    assert (code, err) == (0, "")
    *_, summary, lost, total = map(json.loads, out.splitlines())
    assert "summary" in summary
    assert lost.pop("us") >= 100_000
    assert lost == {
        "lost": {
            "sender": "sensor",
            "receiver": "gateway",
            "address": "18:fe:34:00:00:04",
            "hex": b"hello".hex(),
            "text": "hello",
            "reason": "other_channel",
            "why": WHY,
            "attempts": 7,
        }
    }
    assert total == {"us": summary["us"], "explain": {"sent": 1, "counts": {"other_channel": 1}, "notes": []}}


def test_json_of_what_cannot_be_text(run):
    Path("sensor.py").write_text(RADIO + "import sys\ntry:\n    e.send(b'\\x00')\nexcept OSError:\n    pass\n")
    lost = json.loads(run("--explain", "--json")[1].splitlines()[-2])["lost"]
    assert (lost["receiver"], lost["address"], lost["text"], lost["hex"]) == (None, None, None, "00")


def test_a_lab_file_switches_it_on(run):
    Path("lab.toml").write_text('explain = true\n[[board]]\nprogram = "gateway.py"\n[[board]]\nprogram = "sensor.py"\n')
    assert WHY in run(programs=("lab.toml",))[2]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT is POSIX's")
def test_ctrl_c_in_a_paced_run_prints_it(tmp_path):
    (tmp_path / "gateway.py").write_text(GATEWAY.replace("sleep(1)", "sleep(1000)"))
    (tmp_path / "sensor.py").write_text(SENSOR + "print('sent', flush=True)\ntime.sleep(1000)\n")
    command = [sys.executable, "-m", "espnow", "run", "--explain", "gateway.py", "sensor.py"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "sensor: sent\n"
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert WHY in err
    assert "has died" not in err
