"""Simulated Wi-Fi radios of the kernel (mac80211_hwsim): plugged in, unplugged, blocked, put out of range.

Rules:

- A radio is made by the kernel's own means, so for the Wi-Fi stack it is an adapter as any other.
- What a test made or changed is put back when `Hwsim` is closed, also what it did to the regulatory domain.

Follows Linux's ``drivers/net/wireless/virtual/mac80211_hwsim.h``; the same on kernels 6.1 and 6.12.
"""

from __future__ import annotations

import select
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from espnow.radio.monitor.netlink import GenericNetlink, attribute, flag, parse_u32, text, u32
from espnow.radio.monitor.nl80211 import Nl80211

__all__ = ["FAMILY", "Hwsim", "Radio", "has_family"]

FAMILY = "MAC80211_HWSIM"

# Commands and attributes of the family.
_NEW_RADIO, _DEL_RADIO, _GET_RADIO = 4, 5, 6
_CHANNELS, _RADIO_ID, _USE_CHANNEL_CONTEXTS, _RADIO_NAME, _PERMANENT_ADDRESS = 9, 10, 15, 17, 22

# Of nl80211: the regulatory domain.
_REQUEST_REGULATORY = 27
_ALPHA2 = 33
_WORLD = "00"

_PHYS = Path("/sys/class/ieee80211")
_DEBUG = Path("/sys/kernel/debug/ieee80211")
_WAIT_S = 30.0

#: The radios' addresses: locally administered, and neither the kernel's choice nor the profiles' of this project.
_ADDRESS = bytes.fromhex("021111110000")


@dataclass(frozen=True, slots=True)
class Radio:
    """A radio, and the interface that the kernel gave it.

    Attributes:
        number: by which the driver knows it.
        phy: name of the adapter, such as ``phy3``.
        phy_index: its number.
        interface: such as ``wlan0``.
        address: its permanent address.
    """

    number: int
    phy: str
    phy_index: int
    interface: str
    address: bytes

    def set_group(self, groups: int) -> None:
        """Let it hear and be heard by radios that share one of these groups (bits; 1 at first) and no others."""
        (_DEBUG / self.phy / "hwsim" / "group").write_text(str(groups))

    def block(self, blocked: bool = True) -> None:
        """Block it as a person does with ``rfkill block``, or let it go."""
        for switch in (_PHYS / self.phy).glob("rfkill*/soft"):
            switch.write_text("1" if blocked else "0")


class Hwsim:
    """The driver; a context manager that takes its radios away at the end.

    Attributes:
        radios: that are plugged in.
    """

    def __init__(self) -> None:
        """Open it.

        Raises:
            OSError: there is no such driver.
        """
        self._netlink = GenericNetlink(FAMILY)
        self.radios: list[Radio] = []
        self._country: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Unplug what is there of its radios, and put the regulatory domain back."""
        for radio in list(self.radios):
            self.unplug(radio)
        if self._country is not None:
            self._request_country(self._country)
        self._netlink.close()

    def plug(self, address: bytes | None = None, *, contexts: int = 1) -> Radio:
        """Plug a radio in, and return it.

        Args:
            address: its permanent address; by default one that no other has.
            contexts: how many channels it can be on at once; with more than one it uses channel contexts, as many
                drivers do.
        """
        if address is None:
            taken = {radio.address for radio in self.radios}
            address = next(free for number in range(256) if (free := _ADDRESS[:5] + bytes([number])) not in taken)
        before = {number for number, _ in self._listed()}
        options = [u32(_CHANNELS, contexts), attribute(_PERMANENT_ADDRESS, address)]
        if contexts > 1:
            options.append(flag(_USE_CHANNEL_CONTEXTS))
        self._netlink.request(_NEW_RADIO, *options)
        ((number, phy),) = [listed for listed in self._listed() if listed[0] not in before]
        index = int((_PHYS / phy / "index").read_text())
        with Nl80211() as nl80211:
            (interface,) = [interface.name for interface in nl80211.interfaces() if interface.phy == index]
        radio = Radio(number, phy, index, interface, address)
        self.radios.append(radio)
        return radio

    def unplug(self, radio: Radio) -> None:
        """Take a radio away, as if its plug were pulled. Harmless if it is gone."""
        if radio in self.radios:
            self.radios.remove(radio)
            if radio.number in {number for number, _ in self._listed()}:
                self._netlink.request(_DEL_RADIO, u32(_RADIO_ID, radio.number))

    def set_country(self, alpha2: str) -> None:
        """Set the regulatory domain, and wait until it holds."""
        if self._country is None:
            with Nl80211() as nl80211:
                self._country = nl80211.country()
        self._request_country(alpha2)

    def _request_country(self, alpha2: str) -> None:
        with GenericNetlink("nl80211") as netlink, Nl80211() as nl80211:
            netlink.join("regulatory")
            if nl80211.country() == alpha2:
                return
            netlink.request(_REQUEST_REGULATORY, text(_ALPHA2, alpha2))
            until = time.monotonic() + _WAIT_S
            while nl80211.country() != alpha2:
                assert select.select([netlink], (), (), max(0, until - time.monotonic()))[0], f"no domain {alpha2}"
                netlink.events()

    def _listed(self) -> list[tuple[int, str]]:
        """Return number and phy of all radios of the driver."""
        told = [message.attributes for message in self._netlink.request(_GET_RADIO, dump=True)]
        return [(parse_u32(one[_RADIO_ID]), one[_RADIO_NAME].rstrip(b"\0").decode()) for one in told]


def has_family() -> bool:
    """Tell whether this kernel has the driver."""
    try:
        GenericNetlink(FAMILY).close()
    except OSError:
        return False
    return True
