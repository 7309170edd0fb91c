"""What stands before a frame that Linux is to send: the rate and the number of tries, in radiotap.

Rules:

- Never an FCS, and no FLAGS that tell of one: kernel 6.1 then cuts 8 bytes (measured).
- Every header says how often the frame may be tried, as one with a rate is tried once otherwise; the kernel makes 11
  tries at most (measured on kernels 6.1 and 6.12).
- Every header keeps the sequence number (TX_FLAGS, NOSEQNO), which the kernel counts for itself when the frame has the
  address of another interface (measured).
- A rate that cannot be sent is replaced by the fastest that can be and is no faster. Short preambles cannot be asked
  for: radiotap's FLAGS is not read for them (Linux, ``ieee80211_parse_tx_radiotap``).
"""

from __future__ import annotations

from espnow.frame import RATES, radiotap
from espnow.frame._shared import shared

__all__ = ["MAX_ATTEMPTS", "MAX_HEADER", "header", "replacement", "sendable_rates"]

#: Tries that the kernel makes at most.
MAX_ATTEMPTS = 11

#: Bytes of the longest header.
MAX_HEADER = 16


def sendable_rates(*, ht: bool) -> frozenset[int]:
    """Return the numbers of the rates that leave as they are asked for.

    Args:
        ht: whether the adapter sends 802.11n rates.
    """
    return frozenset(
        rate.number
        for rate in RATES.values()
        if (rate.modulation == "HT" and ht) or (rate.modulation in ("DSSS", "CCK", "OFDM") and not rate.short)
    )


@shared(maxsize=256)
def replacement(rate: int, ht: bool) -> int:
    """Return the rate that a frame leaves with which is to have `rate`."""
    sendable = sendable_rates(ht=ht)
    if rate in sendable:
        return rate
    asked = RATES.get(rate, RATES[0])
    slower = [RATES[number] for number in sendable if RATES[number].kbit_s <= asked.kbit_s]
    return max(slower, key=lambda one: (one.kbit_s, one.number)).number if slower else 0


@shared(maxsize=1024)
def header(rate: int, ht: bool, attempts: int) -> bytes:
    """Return the radiotap header of a frame to send.

    Args:
        rate: ``wifi_phy_rate_t`` number, replaced if need be.
        ht: whether the adapter sends 802.11n rates.
        attempts: how often it may be tried in all.
    """
    return radiotap.build(
        rate=replacement(rate, ht),
        tx_flags=radiotap.TX_NO_SEQUENCE,
        data_retries=max(0, min(attempts, MAX_ATTEMPTS) - 1),
    )
