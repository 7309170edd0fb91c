"""The MPDU in a captured packet, whatever stands before it, and whether it ends with its FCS.

Rules:

- Knows link types and radiotap; the MPDU is opaque.
- Where the capture does not tell of an FCS, there is one if the last four bytes are the right one.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from espnow.frame import radiotap
from espnow.frame.captures import Record
from espnow.frame.mac80211 import FCS_LENGTH, fcs_is_right
from espnow.frame.radiotap import Radiotap

__all__ = ["LINKTYPE_80211", "CapturedMpdu", "find_mpdu"]

#: Frames without a header of their own before them (LINKTYPE_IEEE802_11).
LINKTYPE_80211: Final = 105

#: What a captured packet holds: the MPDU, with its FCS if there is one; what radiotap tells, or None; whether the MPDU
#: ends with its FCS, as the capture tells or as the bytes show; how many bytes of the frame the capture cut off;
#: whether the radio found the FCS wrong. A plain tuple: there is one for each packet of a capture.
CapturedMpdu: TypeAlias = tuple[bytes, Radiotap | None, bool, int, bool]


def find_mpdu(record: Record) -> CapturedMpdu | None:
    """Return the MPDU of a captured packet, or None if its link type is not 802.11's.

    Raises:
        FrameError: its radiotap header makes no sense.
    """
    _, interface, packet, length = record
    link_type = interface.link_type
    radio: Radiotap | None = None
    has_fcs = bad_fcs = False
    told = True
    if link_type == radiotap.LINKTYPE:
        radio = radiotap.parse(packet)
        mpdu = packet[radio.length :]
        if radio.flags:
            has_fcs = radio.has_fcs
            bad_fcs = radio.bad_fcs
        elif radio.flags is None:
            told = False
    elif link_type == LINKTYPE_80211:
        mpdu = packet
        has_fcs = interface.fcs_length == FCS_LENGTH
        told = interface.fcs_length is not None
    else:
        return None
    missing = length - len(packet)
    if missing < 0:  # a file may say anything
        missing = 0
    if not told:
        has_fcs = not missing and fcs_is_right(mpdu)
    return mpdu, radio, has_fcs, missing, bad_fcs
