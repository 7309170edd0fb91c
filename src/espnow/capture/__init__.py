"""Captures: what went over the air, in a file that other tools read.

Rules:

- Never changes the bytes of a frame, and opens no socket itself.
- Same frames, same file: no clock, no host name, no version.
"""

from __future__ import annotations

from espnow.capture.pcapng import PcapngWriter

__all__ = ["PcapngWriter"]
