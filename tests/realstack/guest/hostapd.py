"""hostapd, the access point that everybody runs on Linux, on a simulated radio.

Rules:

- It is started for one test, waited for until its access point works, and ended; its last words are in the error when
  it does not.
- Nothing is read from or written to the system's own configuration.
"""

from __future__ import annotations

import os
import selectors
import shutil
import subprocess
import time
from pathlib import Path
from typing import Self

from hwsim import Radio

__all__ = ["AccessPoint"]

_WAIT_S = 60.0
_ENABLED = "AP-ENABLED"


class AccessPoint:
    """A network that hostapd runs; a context manager.

    Attributes:
        ssid: its name.
        channel: 1 to 14.
        output: lines that hostapd has printed.
    """

    def __init__(
        self, radio: Radio, folder: Path, *, ssid: str = "espnow", channel: int = 6, passphrase: str | None = None
    ) -> None:
        """Start it, and wait until it is up.

        Args:
            radio: its interface becomes the access point.
            folder: for its files.
            ssid: its name.
            channel: 1 to 14.
            passphrase: for WPA2; None for an open network.
        """
        self.ssid = ssid
        self.channel = channel
        self.output: list[str] = []
        self._rest = b""
        program = shutil.which("hostapd")
        assert program is not None, "there is no hostapd (Debian: apt install hostapd)"
        settings = {
            "interface": radio.interface,
            "driver": "nl80211",
            "ctrl_interface": str(folder / "hostapd"),
            "ssid": ssid,
            "hw_mode": "g",
            "channel": str(channel),
        }
        if passphrase is not None:
            settings |= {"wpa": "2", "wpa_key_mgmt": "WPA-PSK", "rsn_pairwise": "CCMP", "wpa_passphrase": passphrase}
        file = folder / f"{radio.interface}.conf"
        file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        self._process = subprocess.Popen(
            [program, "-t", str(file)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        try:
            self.wait_for(_ENABLED)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(_WAIT_S)
        finally:
            self._process.kill()
            if self._process.stdout is not None:
                self._process.stdout.close()

    def wait_for(self, text: str, timeout_s: float = _WAIT_S) -> str:
        """Wait for a line of its output that has `text` in it, also one printed before, and return it."""
        until = time.monotonic() + timeout_s
        seen = 0
        while True:
            for line in self.output[seen:]:
                if text in line:
                    return line
            seen = len(self.output)
            assert self._read(max(0.0, until - time.monotonic())), "\n".join(
                [f"hostapd does not say {text}:", *self.output]
            )

    def _read(self, timeout_s: float) -> bool:
        """Add what it prints to `output`; False if nothing comes, or it has ended."""
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(timeout_s):
                return False
        piece = os.read(self._process.stdout.fileno(), 65536)
        *lines, self._rest = (self._rest + piece).split(b"\n")
        self.output += [line.decode(errors="replace") for line in lines]
        return bool(piece)
