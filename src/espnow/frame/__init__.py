"""Bytes and values: what ESP-NOW puts on the air, and what captures put around it.

Rules:

- No I/O, no clock, no chance, no threads: time and random values come in as arguments, bytes and
  immutable values go out.
- Parsers raise FrameError and nothing else, whatever the bytes. Builders raise ValueError for bad
  arguments.
- Importing it is cheap: AES is loaded by the first call that needs it.

The modules: `mac80211` (addresses, header, acknowledgements, FCS), `message` (the body), `action`
(whole frames, as current firmware takes them), `tolerant` (whole frames, as they come), `ccmp`
(encryption), `rates`, `airtime`, `radiotap`. `build` and `parse` are `action`'s; radiotap's are
`radiotap.build` and `radiotap.parse`. By their own names only: `captures` (files), `decoders` (what
messages mean), `text` (what may be printed), and Wi-Fi's own frames: `kinds` (told apart),
`management` (finding and joining a network), `handshake` (proving its key).
"""

from __future__ import annotations

from espnow.errors import FrameError
from espnow.frame import radiotap
from espnow.frame.action import (
    Frame,
    ProtectedFrame,
    build,
    build_protected,
    open_protected,
    parse,
    parse_shared,
)
from espnow.frame.airtime import (
    ACK_LENGTH,
    SIFS_US,
    airtime_us,
    response_rate,
    unicast_duration,
)
from espnow.frame.ccmp import DEFAULT_PMK, Freshness, PairCipher, ReplayCheck, decrypt, derive_key, encrypt
from espnow.frame.mac80211 import (
    BROADCAST,
    ESPRESSIF_OUI,
    FCS_LENGTH,
    HEADER_LENGTH,
    ManagementHeader,
    ack,
    build_header,
    fcs,
    fcs_is_right,
    format_mac,
    is_group,
    parse_ack,
    parse_header,
    parse_mac,
    station_address,
    with_retry,
)
from espnow.frame.message import MAX_ELEMENT, MAX_V1, MAX_V2, Message, build_body, parse_body
from espnow.frame.rates import (
    ALL_RATES,
    LR_RATES,
    MICROPYTHON_RATES,
    RATE_1M,
    RATE_2M,
    RATE_2M_SHORT,
    RATE_5M,
    RATE_5M_SHORT,
    RATE_6M,
    RATE_9M,
    RATE_11M,
    RATE_11M_SHORT,
    RATE_12M,
    RATE_18M,
    RATE_24M,
    RATE_36M,
    RATE_48M,
    RATE_54M,
    RATE_LORA_250K,
    RATE_LORA_500K,
    RATE_MCS0_LONG,
    RATE_MCS0_SHORT,
    RATE_NAMES,
    RATES,
    Modulation,
    Rate,
)
from espnow.frame.tolerant import Examined, Oddity, examine, examine_opened

__all__ = [
    "ACK_LENGTH",
    "ALL_RATES",
    "BROADCAST",
    "DEFAULT_PMK",
    "ESPRESSIF_OUI",
    "FCS_LENGTH",
    "HEADER_LENGTH",
    "LR_RATES",
    "MAX_ELEMENT",
    "MAX_V1",
    "MAX_V2",
    "MICROPYTHON_RATES",
    "RATES",
    "RATE_NAMES",
    "RATE_1M",
    "RATE_2M",
    "RATE_2M_SHORT",
    "RATE_5M",
    "RATE_5M_SHORT",
    "RATE_6M",
    "RATE_9M",
    "RATE_11M",
    "RATE_11M_SHORT",
    "RATE_12M",
    "RATE_18M",
    "RATE_24M",
    "RATE_36M",
    "RATE_48M",
    "RATE_54M",
    "RATE_LORA_250K",
    "RATE_LORA_500K",
    "RATE_MCS0_LONG",
    "RATE_MCS0_SHORT",
    "SIFS_US",
    "Examined",
    "Frame",
    "FrameError",
    "Freshness",
    "ManagementHeader",
    "Message",
    "Modulation",
    "Oddity",
    "PairCipher",
    "ProtectedFrame",
    "Rate",
    "ReplayCheck",
    "ack",
    "airtime_us",
    "build",
    "build_body",
    "build_header",
    "build_protected",
    "decrypt",
    "derive_key",
    "encrypt",
    "examine",
    "examine_opened",
    "fcs",
    "format_mac",
    "fcs_is_right",
    "is_group",
    "open_protected",
    "parse",
    "parse_ack",
    "parse_body",
    "parse_header",
    "parse_mac",
    "parse_shared",
    "radiotap",
    "response_rate",
    "station_address",
    "unicast_duration",
    "with_retry",
]
