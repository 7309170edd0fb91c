"""Writing pcapng files, which Wireshark and tcpdump read.

Rules:

- Writes to a binary file that somebody else opened and will close.
- The bytes depend on the frames alone: no host name, no wall clock, always little endian.
- A bad argument is refused before a byte of its block is written.

Follows the IETF draft "PCAP Next Generation (pcapng) Capture File Format", with link type 127,
radiotap before each MPDU.
"""

from __future__ import annotations

from struct import Struct
from types import TracebackType
from typing import Protocol, Self

from espnow.frame import radiotap

__all__ = ["PcapngWriter"]

_MAX_TIME_US = (1 << 64) - 1

# Section header: type, length, byte order, version 1.0, section length unknown, no options, length
# again.
_SECTION = Struct("<IIIHHqI").pack(0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)

# Interface description: type, length, link type, reserved, no limit to lengths; option if_tsresol
# (9) of 1 byte: 10**-6 s, padded to 4; end of options; length again.
_INTERFACE = Struct("<IIHHIHHB3xHHI").pack(0x00000001, 32, radiotap.LINKTYPE, 0, 0, 9, 1, 6, 0, 0, 32)

# Enhanced packet: type, length, interface 0, time high and low, captured and original length.
_PACKET = Struct("<IIIIIII")
_PACKET_TYPE = 0x00000006
_PACKET_OVERHEAD = _PACKET.size + 4
_LENGTH = Struct("<I")
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")


class BinaryFile(Protocol):
    """What the writer needs of a file."""

    def write(self, content: bytes, /) -> object:
        """Take some bytes."""

    def flush(self) -> object:
        """Pass on what is buffered."""


class PcapngWriter:
    """Writes frames into one pcapng file.

    As a context manager it closes itself. Closing flushes the file and leaves it open: it is its
    opener's.
    """

    __slots__ = ("_closed", "_file")

    def __init__(self, file: BinaryFile) -> None:
        """Write the opening of the file.

        Args:
            file: opened for writing bytes.
        """
        self._file = file
        self._closed = False
        file.write(_SECTION + _INTERFACE)

    def write(self, mpdu: bytes, *, at_us: int, channel: int, rate: int, rssi_dbm: int | None = None) -> None:
        """Write one frame.

        Args:
            mpdu: without FCS, as it was on the air: encrypted if it was.
            at_us: time of the frame, 0 or more.
            channel: 1..14.
            rate: ``wifi_phy_rate_t`` number.
            rssi_dbm: signal at the receiver, or None when there is none to tell.

        Raises:
            ValueError: the writer is closed, or an argument is out of its range.
        """
        if self._closed:
            raise ValueError("the capture is closed")
        if not 0 <= at_us <= _MAX_TIME_US:
            raise ValueError(f"time {at_us!r} us is not in 0..2**64 - 1")
        header = radiotap.build(channel=channel, rate=rate, rssi_dbm=rssi_dbm)
        captured = len(header) + len(mpdu)
        padding = _PADDING[captured & 3]
        length = _PACKET_OVERHEAD + captured + len(padding)
        self._file.write(
            b"".join(
                (
                    _PACKET.pack(
                        _PACKET_TYPE,
                        length,
                        0,
                        at_us >> 32,
                        at_us & 0xFFFFFFFF,
                        captured,
                        captured,
                    ),
                    header,
                    mpdu,
                    padding,
                    _LENGTH.pack(length),
                )
            )
        )

    def close(self) -> None:
        """Flush the file and take no more frames; a second call does nothing."""
        if not self._closed:
            self._closed = True
            self._file.flush()

    def __enter__(self) -> Self:
        """Return the writer itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()
