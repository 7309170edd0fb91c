"""How the frames begin that Wi-Fi exchanges for itself, and which security needs a key: known without reading them.

Rules: constants and one look at a first byte; nothing is imported, since every board's reception comes by here.

Follows IEEE 802.11-2020, table 9-1, and ESP-IDF's ``wifi_auth_mode_t``.
"""

from __future__ import annotations

__all__ = ["BEACON", "PROTECTED_SECURITY", "WIFI_FRAMES", "is_wifi"]

# First byte of frame control by kind.
ASSOCIATION_REQUEST = 0x00
ASSOCIATION_RESPONSE = 0x10
REASSOCIATION_REQUEST = 0x20
REASSOCIATION_RESPONSE = 0x30
PROBE_REQUEST = 0x40
PROBE_RESPONSE = 0x50
BEACON = 0x80
DISASSOCIATION = 0xA0
AUTHENTICATION = 0xB0
DEAUTHENTICATION = 0xC0
DATA = 0x08
NULL = 0x48

#: How the frames begin that are Wi-Fi's own, one byte each.
WIFI_FRAMES = frozenset(
    bytes((kind,))
    for kind in (
        ASSOCIATION_REQUEST,
        ASSOCIATION_RESPONSE,
        REASSOCIATION_REQUEST,
        REASSOCIATION_RESPONSE,
        PROBE_REQUEST,
        PROBE_RESPONSE,
        BEACON,
        DISASSOCIATION,
        AUTHENTICATION,
        DEAUTHENTICATION,
        DATA,
        NULL,
    )
)

# Numbers of ``wifi_auth_mode_t``.
WEP = 1
WPA = 2
WPA2 = 3
WPA_WPA2 = 4
WPA3 = 6
WPA2_WPA3 = 7

#: Those that need a key of at least eight characters.
PROTECTED_SECURITY = frozenset((WPA, WPA2, WPA_WPA2, WPA3, WPA2_WPA3))


def is_wifi(mpdu: bytes) -> bool:
    """Tell by its first byte whether a frame is Wi-Fi's own, and none of ESP-NOW's."""
    return mpdu[:1] in WIFI_FRAMES
