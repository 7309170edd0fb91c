"""What is known of drivers: how others find them as radios, and whose reports about frames tell nothing.

Rules:

- A driver is called by the name of its kernel module, which is the same wherever it is plugged in; the name under which
  it serves a bus is another one for some.
- What is said here says where it was read. Nothing of it was measured, but for the virtual radios.
- Reports that tell nothing are not taken: a wrong "failed" or "acknowledged" is worse than "unknown".

Follows Linux's ``drivers/net/wireless`` and ``net/mac80211/tx.c``.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

__all__ = ["DRIVERS", "UNTOLD", "Untold", "Verdict", "about", "untold"]


class Verdict(enum.Enum):
    """What a finding means."""

    GOOD = "ok"
    NOTE = "note"
    BAD = "bad"


_OWN_DRIVER = "monitor mode and injection in the kernel's own driver (ZerBea/hcxdumptool issue 211)"
_FOREIGN = (
    "not the kernel's own: it sends with 1 Mb/s and 12 tries whatever it is told (aircrack-ng/rtl8812au issue 548)"
)

#: What others report of drivers, by the begin of their name: what, and where it was read.
DRIVERS: dict[str, tuple[Verdict, str]] = {
    "mac80211_hwsim": (Verdict.GOOD, "virtual radios: everything here was measured with them, on kernels 6.1 and 6.12"),
    "ath9k_htc": (
        Verdict.GOOD,
        "the kernel's own; its AWUS036NHA is preferred for injection (morrownr/USB-WiFi issue 275)",
    ),
    "rt2800usb": (Verdict.GOOD, _OWN_DRIVER),
    "mt76x2u": (
        Verdict.NOTE,
        "it injects, but tries up to 16 times at falling rates whatever it is told (morrownr/USB-WiFi issue 388)",
    ),
    "mt76": (Verdict.GOOD, _OWN_DRIVER),
    "mt7601u": (Verdict.GOOD, _OWN_DRIVER),
    "mt7921u": (Verdict.NOTE, "works on kernel 6.12; hears nothing on 6.17 and newer (morrownr/mt76 issue 18)"),
    "rtl8xxxu": (Verdict.NOTE, "hears nothing on kernel 6.18.1 (morrownr/USB-WiFi issue 682)"),
    "rtw88": (Verdict.GOOD, "injection works on kernel 6.18 (morrownr/8812au-20210820 pull request 53)"),
    "rtw_88": (Verdict.GOOD, "injection works on kernel 6.18 (morrownr/8812au-20210820 pull request 53)"),
    "88XXau": (Verdict.NOTE, _FOREIGN),
    "8812au": (Verdict.NOTE, _FOREIGN),
    "8814au": (Verdict.NOTE, _FOREIGN),
    "8821au": (Verdict.NOTE, _FOREIGN),
    "88x2bu": (
        Verdict.NOTE,
        "not the kernel's own: it sends with 1 Mb/s whatever it is told (morrownr/88x2bu-20210702 issue 140)",
    ),
    "brcmfmac": (
        Verdict.BAD,
        "a Raspberry Pi's own Wi-Fi: monitor mode and injection only with patched firmware (seemoo-lab/nexmon)",
    ),
}


@dataclass(frozen=True, slots=True)
class Untold:
    """A driver whose reports do not tell what became of a frame.

    Attributes:
        reports: what it reports.
        source: where that is written, in Linux.
        answering: also while the adapter answers for a board (``?ack=on``).
    """

    reports: str
    source: str
    answering: bool = True


_MISSING = Untold(
    "a frame as acknowledged when the adapter lost its report",
    "drivers/net/wireless/mediatek/mt76/tx.c, __mt76_tx_status_skb_done, and MT_DRV_IGNORE_TXS_FAILED in its usb.c",
)

#: Drivers whose reports do not tell, by their name.
UNTOLD: dict[str, Untold] = {
    # A frame of a plain monitor belongs to no interface (mac80211), and what the firmware says of such is not looked
    # at; one from an access point's address is that access point's.
    "ath9k_htc": Untold(
        "every frame of a plain monitor as failed",
        "drivers/net/wireless/ath/ath9k/htc_drv_txrx.c, ath9k_htc_tx_process",
        answering=False,
    ),
    "mt7601u": Untold(
        "every frame as acknowledged once USB took it",
        "drivers/net/wireless/mediatek/mt7601u/tx.c, mt7601u_tx_status",
    ),
    "mt76x0u": _MISSING,
    "mt76x2u": _MISSING,
    "rtl8xxxu": Untold(
        "every frame as acknowledged once USB took it",
        "drivers/net/wireless/realtek/rtl8xxxu/core.c, rtl8xxxu_tx_complete",
    ),
}


def about(driver: str) -> tuple[Verdict, str] | None:
    """Return what others report of a driver: of its name's begins the longest that is known, or None."""
    known = max((begin for begin in DRIVERS if driver.startswith(begin)), key=len, default=None)
    return None if known is None else DRIVERS[known]


def untold(driver: str, *, answering: bool) -> Untold | None:
    """Return what is wrong with a driver's reports, or None where they are believed.

    Args:
        driver: its name.
        answering: whether the adapter answers for a board now.
    """
    found = UNTOLD.get(driver)
    return None if found is None or (answering and not found.answering) else found
