"""The one radio under a board's two interfaces: what is set of it, and what it is told.

Rules:

- It holds settings and makes of them what the link is told (`espnow.link.RadioConfig`); what goes on by itself is in
  `espnow.board.wifi.Wifi`, which is one of these.
- An interface that was active during a light sleep is deaf and mute afterwards: the link gets nothing of it, the node
  believes that all is well, as on a board.

Steps and limits are ESP-IDF's (``esp_wifi.h``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from espnow.board.wifi_values import (
    ESP8266_MAX_TX_POWER,
    MAX_TX_POWER_ASKED,
    TX_POWER_STEPS,
    WifiCode,
    WifiError,
    WifiTiming,
    channels_of,
)
from espnow.link import Absence, Clock, Interface, PowerSave, ProtocolBit, RadioConfig

_STA, _AP = Interface.STA, Interface.AP

if TYPE_CHECKING:
    from espnow.board.board import Board
    from espnow.board.station import JoiningStation

__all__ = ["WifiRadio"]

BGN = ProtocolBit.B | ProtocolBit.G | ProtocolBit.N


def _ap_mac(mac: bytes, esp8266: bool) -> bytes:
    if not esp8266:
        return mac[:5] + bytes(((mac[5] + 1) & 0xFF,))
    first = mac[0] | 0x02
    # A station address that is locally administered already gets another bit, or both would be one
    # address.
    return bytes((first if first != mac[0] else first ^ 0x04,)) + mac[1:]


class WifiRadio:
    """The radio of one board's Wi-Fi.

    Attributes:
        timing: how long things take; may be replaced at any time.
        channel: that the interfaces share, 1 to 14; the radio may be away from it for a while.
        country: two letters; decides which channels are allowed.
    """

    __slots__ = (
        "_active",
        "_away",
        "_bandwidths",
        "_board",
        "_deaf",
        "_macs",
        "_power_save",
        "_protocols",
        "_rate",
        "_station",
        "_stopped",
        "_tx_power",
        "channel",
        "country",
        "timing",
    )

    def __init__(self, board: Board, mac: bytes, timing: WifiTiming) -> None:
        """Make one that is off."""
        self._board = board
        self._macs = [mac, _ap_mac(mac, board.profile.esp8266)]
        self.timing = timing
        self.country = "XX"
        self._stopped = False
        self._active = [False, False]
        self._deaf = [False, False]
        self._reset_radio()

    def _reset_radio(self) -> None:
        """Set everything to what it is after a start, but addresses, country, and which interfaces are active."""
        esp8266 = self._board.profile.esp8266
        self._protocols = [BGN, BGN]
        self._bandwidths = [2, 2]
        self._rate: int | None = None
        self._tx_power = ESP8266_MAX_TX_POWER if esp8266 else TX_POWER_STEPS[-1]
        self._power_save = 2 if esp8266 else 1
        self._away: tuple[int, Absence] | None = None
        self._station: JoiningStation | None = None
        self.channel = self._board.first_channel

    # What it is told.

    def radio_config(self) -> RadioConfig:
        """Return what the radio is to do now."""
        return self._config(home=False)

    def home_config(self) -> RadioConfig:
        """Return what the radio does while it is not away in a search and not deaf: as the node takes it."""
        return self._config(home=True)

    def _config(self, *, home: bool) -> RadioConfig:
        if True in self._deaf and not home:
            return RadioConfig(absence=Absence.SLEPT_ACTIVE)
        sta_on, ap_on = self._active
        protocols, more = self._protocols
        addresses: tuple[tuple[Interface, bytes], ...] = ((_STA, self._macs[_STA]),) if sta_on else ()
        if ap_on:
            protocols = protocols | more if sta_on and protocols != more else more
            addresses += ((_AP, self._macs[_AP]),)
        rate = self._rate
        channel, absence = self.channel, None if sta_on or ap_on else Absence.OFF
        if self._away is not None and not home:
            channel, absence = self._away
        return RadioConfig(
            addresses=addresses,
            channel=channel,
            protocols=protocols,
            receiver_on=sta_on or ap_on,
            rate=self._board.profile.rate if rate is None else rate,
            group_rate=0 if rate is None else rate,
            tx_power_dbm=self._tx_power / 4,
            attempts=self.timing.attempts,
            power_save=self._sleep_times() if absence is None else None,
            absence=absence,
        )

    def _sleep_times(self) -> PowerSave | None:
        """Return when the receiver is on; None for always: not joined, PM_NONE, or an active AP interface."""
        if self._station is None or not self._power_save or self._active[Interface.AP]:
            return None
        # An ESP8266's numbers: 1 is light sleep, 2 modem sleep.
        deep = self._power_save == (1 if self._board.profile.esp8266 else 2)
        return self._station.power_save(self.timing.power_save_beacons if deep else 1)

    def set_rate(self, rate: int) -> None:
        """Let all frames leave with `rate`, a ``wifi_phy_rate_t`` number."""
        self._rate = rate
        self.configure()

    def configure(self) -> None:
        """Tell the radio what it is to do, and the router whether the receiver sleeps."""
        if self._stopped:
            return
        self._board.configure_radio()
        if self._station is not None:
            self._station.tell_power_save(self._sleep_times() is not None)

    @property
    def clock(self) -> Clock:
        """The owner of time."""
        return self._board.clock

    @property
    def station_mac(self) -> bytes:
        """Address of the station interface."""
        return self._macs[Interface.STA]

    @property
    def at_home(self) -> bool:
        """Whether the receiver is on the channel of the interfaces, and not away in a search."""
        return self._away is None

    def tune(self, channel: int, absence: Absence) -> None:
        """Take the radio away from the channel of the interfaces."""
        self._away = channel, absence
        self.configure()

    # What is set of it.

    def interface_active(self, interface: int) -> bool:
        """Whether an interface is on."""
        return self._active[interface]

    def mac(self, interface: int) -> bytes:
        """Return the address of an interface."""
        return self._macs[interface]

    def protocol(self, interface: int) -> int:
        """Return what an interface decodes, as ``WIFI_PROTOCOL_*`` bits."""
        return int(self._protocols[interface])

    def set_protocol(self, interface: int, bits: int) -> None:
        """Decide what an interface decodes.

        Raises:
            WifiError: INVALID_ARG, for no bit or one that is no `ProtocolBit`.
        """
        if not 0 < bits <= 15:
            raise WifiError(WifiCode.INVALID_ARG)
        self._protocols[interface] = ProtocolBit(bits)
        self.configure()

    def bandwidth(self, interface: int) -> int:
        """Return 1 for 20 MHz, 2 for 40 MHz."""
        return self._bandwidths[interface]

    def set_bandwidth(self, interface: int, bandwidth: int) -> None:
        """Choose 20 MHz (1) or 40 MHz (2); ESP-NOW is sent with 20 MHz in any case.

        Raises:
            WifiError: INVALID_ARG.
        """
        if bandwidth not in (1, 2):
            raise WifiError(WifiCode.INVALID_ARG)
        self._bandwidths[interface] = bandwidth

    @property
    def allowed_channels(self) -> range:
        """The channels that the country allows."""
        return channels_of(self.country, esp8266=self._board.profile.esp8266)

    def tx_power(self) -> int:
        """Return the transmit power in 0.25 dBm.

        Raises:
            WifiError: NOT_STARTED while no interface is active.
        """
        self._check_started()
        return self._tx_power

    def set_tx_power(self, power: int) -> None:
        """Set the transmit power in 0.25 dBm; the chip takes the next lower step that it has.

        Raises:
            WifiError: NOT_STARTED while no interface is active, INVALID_ARG outside 8 to 84. An
                ESP8266 refuses nothing and takes the nearest that it can.
        """
        if self._board.profile.esp8266:
            self._tx_power = min(max(power, 0), ESP8266_MAX_TX_POWER)
        else:
            self._check_started()
            if not TX_POWER_STEPS[0] <= power <= MAX_TX_POWER_ASKED:
                raise WifiError(WifiCode.INVALID_ARG)
            self._tx_power = max(step for step in TX_POWER_STEPS if step <= power)
        self.configure()

    @property
    def power_save(self) -> int:
        """``wifi_ps_type_t`` (ESP8266: ``sleep_type``) number."""
        return self._power_save

    def set_power_save(self, mode: int) -> None:
        """Choose when the receiver sleeps; it sleeps only while joined to a router.

        Raises:
            WifiError: INVALID_ARG outside 0 to 2.
        """
        if not 0 <= mode <= 2:
            raise WifiError(WifiCode.INVALID_ARG)
        if mode != self._power_save:
            self._power_save = mode
            self.configure()

    def _check_started(self) -> None:
        if True not in self._active:
            raise WifiError(WifiCode.NOT_STARTED)

    def _check_station(self) -> None:
        self._check_started()
        if not self._active[Interface.STA]:
            raise WifiError(WifiCode.MODE)
