"""Writing pcapng files, which Wireshark and tcpdump read.

Rules:

- Writes to a binary file that somebody else opened and will close.
- The bytes depend on the frames alone: no host name, no wall clock, always little endian.
- A bad argument is refused before a byte of its block is written.

Follows the IETF draft "PCAP Next Generation (pcapng) Capture File Format", with link type 127,
radiotap before each MPDU.
"""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from espnow.frame import captures, radiotap

__all__ = ["PcapngWriter"]


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
        file.write(captures.build_section() + captures.build_interface(radiotap.LINKTYPE))

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
        header = radiotap.build(channel=channel, rate=rate, rssi_dbm=rssi_dbm, at_us=at_us)
        self.write_packet(header + mpdu, at_us=at_us)

    def write_packet(self, packet: bytes, *, at_us: int, length: int | None = None) -> None:
        """Write one packet that has its radiotap header already.

        Args:
            packet: radiotap and MPDU, at most `espnow.frame.captures.MAX_PACKET` bytes.
            at_us: time of the packet, 0 or more.
            length: of the packet on the air, if it was cut when it was captured.

        Raises:
            ValueError: the writer is closed, or an argument is out of its range.
        """
        if self._closed:
            raise ValueError("the capture is closed")
        self._file.write(captures.build_packet(packet, at_us=at_us, length=length))

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
