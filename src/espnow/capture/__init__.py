"""Captures: what went over the air, in a file that other tools read.

Rules:

- Never changes the bytes of a frame, and opens no socket itself.
- Same frames, same file: no clock, no host name, no version.
- What comes out of a capture is hostile: bounded, counted, and safe to print only where a docstring says so.

`CaptureReader` and `read` give packets, a `Dissector` makes ESP-NOW frames of them and opens encrypted ones with a
`KeyRing`, a `Summary` adds them up. `PcapngWriter` writes a capture.
"""

from __future__ import annotations

from espnow.capture.dissect import CapturedFrame, Dissector, OtherFrame
from espnow.capture.keys import KeyRing, PeerKey, parse_key
from espnow.capture.pcapng import PcapngWriter
from espnow.capture.reading import CaptureReader, read
from espnow.capture.summary import PairSummary, Summary

__all__ = [
    "CaptureReader",
    "CapturedFrame",
    "Dissector",
    "KeyRing",
    "OtherFrame",
    "PairSummary",
    "PcapngWriter",
    "PeerKey",
    "Summary",
    "parse_key",
    "read",
]
