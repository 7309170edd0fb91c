"""What differs between the kinds of boards.

The figures of the ring are MicroPython's: before a message an ESP32's holds magic, length, rssi, time (7 bytes, 8 with
the two-byte length of ESP-NOW v2) and the address (6); an ESP8266's has no rssi and no time (8 in all). The default
ring holds two messages of full size.
"""

from __future__ import annotations

from dataclasses import dataclass

from espnow.node import NodeConfig

__all__ = ["PROFILES", "Profile"]


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of board.

    Attributes:
        name: how the user calls it.
        node: the rules of its ESP-NOW library.
        esp8266: it has the API and the radio of an ESP8266.
        rate: ``wifi_phy_rate_t`` number that its frames leave with by default.
        machine: ``sys.implementation._machine`` and ``os.uname().machine``.
        platform: ``sys.platform``.
    """

    name: str
    node: NodeConfig
    esp8266: bool = False
    rate: int = 0
    machine: str = "Generic ESP32 module with ESP32"
    platform: str = "esp32"


PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile("esp32", NodeConfig(max_data_len=250, ring_overhead=13, rxbuf=526)),
        Profile(
            "esp32-v2",
            NodeConfig(max_data_len=1470, ring_overhead=14, rxbuf=2968, frame_version=2),
        ),
        Profile(
            "esp8266",
            NodeConfig(
                max_data_len=250,
                ring_overhead=8,
                rxbuf=516,
                needs_peer=False,
                hears_group=False,
                drops_plain=False,
                own_bssid=True,
            ),
            esp8266=True,
            rate=11,  # its unicasts begin at 6 Mb/s (captured)
            machine="ESP module with ESP8266",
            platform="esp8266",
        ),
    )
}
