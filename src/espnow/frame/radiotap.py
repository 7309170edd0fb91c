"""The radiotap header that stands before an MPDU in a capture, an injection or a report of a sending.

Rules:

- Knows radiotap; the MPDU that follows is opaque, and ends with its FCS only where FLAGS says so.
- Same arguments, same bytes.
- The parser raises FrameError and nothing else, in time linear in the header's length.
- What is known per set of fields is kept, bounded; nothing is kept per packet.

Follows radiotap.org: version 0, little endian, each field aligned to its size from the start of the
header. What Linux does with an injected header and writes into a report was captured with AF_PACKET
on Linux 6.1 and 6.12, mac80211_hwsim.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from struct import Struct, error
from typing import Any, Final, NamedTuple, TypeAlias

from espnow.errors import FrameError
from espnow.frame._shared import shared
from espnow.frame.rates import RATE_MCS0_LONG, RATE_MCS0_SHORT, RATES, Rate

__all__ = [
    "LINKTYPE",
    "TX_FAILED",
    "TX_NO_ACK",
    "TX_NO_SEQUENCE",
    "Radiotap",
    "build",
    "frequency_mhz",
    "parse",
]

#: The link type of captures whose frames open with radiotap (LINKTYPE_IEEE802_11_RADIOTAP).
LINKTYPE: Final = 127

#: In TX_FLAGS of a report: nobody acknowledged (radiotap.org, TX flags).
TX_FAILED: Final = 0x0001
#: In TX_FLAGS of an injection: expect no acknowledgement (radiotap.org, TX flags).
TX_NO_ACK: Final = 0x0008
#: In TX_FLAGS of an injection: keep the sequence number (radiotap.org, TX flags).
TX_NO_SEQUENCE: Final = 0x0010

# Bits of a present word (radiotap.org, defined fields).
_TSFT = 1 << 0
_FLAGS = 1 << 1
_RATE = 1 << 2
_CHANNEL = 1 << 3
_SIGNAL = 1 << 5
_NOISE = 1 << 6
_ANTENNA = 1 << 11
_TX_FLAGS = 1 << 15
_DATA_RETRIES = 1 << 17
_MCS = 1 << 19
_DATA = (1 << 29) - 1
_RADIOTAP_NAMESPACE = 1 << 29
_VENDOR_NAMESPACE = 1 << 30

# The same, of the last byte of a present word.
_WORD_FOLLOWS = 0x80
_UNUSUAL = _WORD_FOLLOWS | 0x10  # another word, TLVs

_FLAG_SHORT_PREAMBLE = 0x02
_FLAG_FCS = 0x10
_FLAG_DATA_PAD = 0x20
_FLAG_BAD_FCS = 0x40

_CHANNEL_CCK = 0x0020
_CHANNEL_OFDM = 0x0040
_CHANNEL_2GHZ = 0x0080
_CHANNEL_FLAGS = {
    "DSSS": _CHANNEL_2GHZ | _CHANNEL_CCK,
    "CCK": _CHANNEL_2GHZ | _CHANNEL_CCK,
    "OFDM": _CHANNEL_2GHZ | _CHANNEL_OFDM,
    "HT": _CHANNEL_2GHZ | _CHANNEL_OFDM,
    "LR": _CHANNEL_2GHZ,
}

# Known: bandwidth, index, guard interval, format (mixed); 20 MHz and long guard interval are zeros.
_MCS_KNOWN = 0x0F
_MCS_INDEX_KNOWN = 0x02
_MCS_GI_KNOWN = 0x04
_MCS_SHORT_GI = 0x04


class _Field(NamedTuple):
    """One field of the radiotap namespace: what it takes, and what of it is told.

    Attributes:
        size: bytes.
        align: what its offset is a multiple of.
        form: its values, as `struct` has them; empty when it is only read over.
        names: the attributes of `Radiotap` that they become.
    """

    size: int
    align: int
    form: str = ""
    names: tuple[str, ...] = ()


# By bit (radiotap.org, defined fields and suggested fields).
_FIELDS: tuple[_Field, ...] = (
    _Field(8, 8, "Q", ("tsft_us",)),
    _Field(1, 1, "B", ("flags",)),
    _Field(1, 1, "B", ("rate_500kbps",)),
    _Field(4, 2, "HH", ("frequency_mhz", "channel_flags")),
    _Field(2, 1),  # FHSS: two bytes, that Linux aligns to 2 and nobody writes
    _Field(1, 1, "b", ("rssi_dbm",)),
    _Field(1, 1, "b", ("noise_dbm",)),
    _Field(2, 2),  # lock quality
    _Field(2, 2),  # TX attenuation
    _Field(2, 2),  # dB TX attenuation
    _Field(1, 1, "b", ("tx_power_dbm",)),
    _Field(1, 1, "B", ("antenna",)),
    _Field(1, 1),  # dB antenna signal
    _Field(1, 1),  # dB antenna noise
    _Field(2, 2, "H", ("rx_flags",)),
    _Field(2, 2, "H", ("tx_flags",)),
    _Field(1, 1, "B", ("rts_retries",)),
    _Field(1, 1, "B", ("data_retries",)),
    _Field(8, 4),  # XChannel
    _Field(3, 1, "BBB", ("mcs_known", "mcs_flags", "mcs_index")),
    _Field(8, 4),  # A-MPDU status
    _Field(12, 2),  # VHT
    _Field(12, 8),  # timestamp
    _Field(12, 2),  # HE
    _Field(12, 2),  # HE-MU
    _Field(6, 2),  # HE-MU-other-user
    _Field(1, 1),  # zero-length PSDU
    _Field(4, 2),  # L-SIG
)
_STRUCTS = tuple(Struct("<" + field.form) for field in _FIELDS)
_TLVS_BIT = len(_FIELDS)

_OPENING = Struct("<BxHI")
_TIMED_OPENING = Struct("<BxHIQ")
_WORD = Struct("<I")
_VENDOR = Struct("<4xH")  # OUI, sub namespace, bytes to skip
_TLV = Struct("<HH")
_U8 = Struct("<B")
_S8 = Struct("<b")
_U16 = Struct("<H")
_TWO_U16 = Struct("<HH")
_THREE_U8 = Struct("<BBB")

# Longer present words are worked out anew each time: Linux writes one word an antenna.
_MAX_KEPT_WORDS = 8 * _WORD.size

# How to read the values of one set of present words: what unpacks the version, the length and the
# values; bytes from the header's start to the end of the last field; what picks the values, with None
# after them, in the order of `Radiotap`, as far as that needs any; the rest.
_Plan: TypeAlias = tuple[Callable[[bytes], tuple[Any, ...]], int, "itemgetter[Any]", tuple[Any, ...]]
# More: where antenna and signal of each later namespace are, and where TLVs begin, or None.
_Layout: TypeAlias = tuple[_Plan, tuple[tuple[int, int], ...], int | None]

_NONE = (None,)

# The plan where one is not enough: fits no header.
_NO_PLAN: _Plan = (_OPENING.unpack_from, 1 << 16, itemgetter(0, 1), ())

_new = tuple.__new__


def frequency_mhz(channel: int) -> int:
    """Return the centre frequency of a 2.4 GHz channel.

    Raises:
        ValueError: the channel is not 1..14.
    """
    if 1 <= channel <= 13:
        return 2407 + 5 * channel
    if channel == 14:
        return 2484
    raise ValueError(f"channel {channel!r} is not 1..14")


_CHANNELS = {frequency_mhz(channel): channel for channel in range(1, 15)}

# Rate numbers by speed, long and short preamble; where there is one preamble, either finds it.
_LONG_PREAMBLE = {rate.radiotap: rate.number for rate in RATES.values() if rate.radiotap and not rate.short}
_SHORT_PREAMBLE = _LONG_PREAMBLE | {
    rate.radiotap: rate.number for rate in RATES.values() if rate.radiotap and rate.short
}


class Radiotap(NamedTuple):
    """What a radiotap header tells. A value is None when its field is absent.

    Attributes:
        length: bytes of the header; the MPDU follows.
        rssi_dbm: at the antenna.
        frequency_mhz: centre of the channel.
        channel_flags: radiotap.org, Channel.
        rate_500kbps: speed; absent at HT rates.
        flags: radiotap.org, Flags.
        tx_flags: radiotap.org, TX flags; in an injection and in a report of a sending.
        data_retries: retries to make in an injection, retries made in a report.
        tsft_us: the radio's clock when the first bit of the MPDU came.
        antenna: which one, from 0.
        rx_flags: radiotap.org, RX flags.
        mcs_known: what the next two tell, radiotap.org, MCS.
        mcs_flags: bandwidth, guard interval and more, radiotap.org, MCS.
        mcs_index: HT rate.
        noise_dbm: at the antenna.
        tx_power_dbm: power of the sending.
        rts_retries: like data_retries, of RTS.
        antennas: antenna and signal of each namespace after the first that has either. The
            header's own antenna and signal are those of the first namespace that has either.
        unknown: the first present bit whose size nobody knows (32 or more: of a later word); neither
            it nor what follows it could be read.
    """

    length: int
    rssi_dbm: int | None = None
    frequency_mhz: int | None = None
    channel_flags: int | None = None
    rate_500kbps: int | None = None
    flags: int | None = None
    tx_flags: int | None = None
    data_retries: int | None = None
    tsft_us: int | None = None
    antenna: int | None = None
    rx_flags: int | None = None
    mcs_known: int | None = None
    mcs_flags: int | None = None
    mcs_index: int | None = None
    noise_dbm: int | None = None
    tx_power_dbm: int | None = None
    rts_retries: int | None = None
    antennas: tuple[tuple[int | None, int | None], ...] = ()
    unknown: int | None = None

    @property
    def channel(self) -> int | None:
        """Channel 1..14, or None when it is not told or in another band."""
        return _CHANNELS.get(self.frequency_mhz) if self.frequency_mhz is not None else None

    @property
    def rate(self) -> int | None:
        """The ``wifi_phy_rate_t`` number, or None when it is not told or none of Espressif's rates.

        An HT rate counts as one of a long guard interval when its guard interval is not told, and
        whatever its bandwidth.
        """
        known, flags, index = self.mcs_known, self.mcs_flags, self.mcs_index
        if known is not None and flags is not None and index is not None:
            if not known & _MCS_INDEX_KNOWN or index > 7:
                return None
            return index + (RATE_MCS0_SHORT if known & _MCS_GI_KNOWN and flags & _MCS_SHORT_GI else RATE_MCS0_LONG)
        if self.rate_500kbps is None:
            return None
        return (_SHORT_PREAMBLE if self.short_preamble else _LONG_PREAMBLE).get(self.rate_500kbps)

    @property
    def short_preamble(self) -> bool:
        """Whether FLAGS tells of a short preamble."""
        return self.flags is not None and self.flags & _FLAG_SHORT_PREAMBLE != 0

    @property
    def has_fcs(self) -> bool:
        """Whether the MPDU ends with its FCS."""
        return self.flags is not None and self.flags & _FLAG_FCS != 0

    @property
    def bad_fcs(self) -> bool:
        """Whether the radio found the FCS wrong."""
        return self.flags is not None and self.flags & _FLAG_BAD_FCS != 0

    @property
    def data_pad(self) -> bool:
        """Whether the MPDU's header is padded to a multiple of 4 bytes.

        That adds nothing to the 24 bytes of an action frame's.
        """
        return self.flags is not None and self.flags & _FLAG_DATA_PAD != 0

    @property
    def is_transmitted(self) -> bool:
        """Whether TX_FLAGS is present: the report of a sending, or an injection that has it."""
        return self.tx_flags is not None

    @property
    def tx_failed(self) -> bool:
        """Whether a report tells that the sending failed."""
        return self.tx_flags is not None and self.tx_flags & TX_FAILED != 0

    def __repr__(self) -> str:
        """Return what is present."""
        told = (
            f"{name}={value:#x}" if name.endswith("flags") else f"{name}={value}"
            for name, value in zip(self._fields, self, strict=True)
            if value is not None and value != ()
        )
        return f"Radiotap({', '.join(told)})"


# Without antennas and unknown.
_VALUES = Radiotap._fields[:-2]


def parse(packet: bytes) -> Radiotap:
    """Return what the radiotap header of a packet tells.

    Vendor namespaces are skipped. A field that comes twice counts as it came first. Of a header that
    was cut, nothing is told.

    Args:
        packet: begins with the header; the MPDU may follow.

    Raises:
        FrameError: no radiotap header: another version, a length below 8 or beyond the packet, or
            present words, fields, vendor data or TLVs that run over that length.
    """
    unpack_from, size, pick, rest = _plan(packet[4:8])
    try:
        values = unpack_from(packet)
    except error:
        return _parse_any(packet)
    if values[0] or not size <= values[1] <= len(packet):
        return _parse_any(packet)
    return _new(Radiotap, pick(values + _NONE) + rest)


def build(
    *,
    channel: int | None = None,
    rate: int | None = None,
    rssi_dbm: int | None = None,
    at_us: int | None = None,
    noise_dbm: int | None = None,
    antenna: int | None = None,
    tx_flags: int | None = None,
    data_retries: int | None = None,
    fcs: bool = False,
) -> bytes:
    """Return a radiotap header: of a frame that came, or of one to inject.

    RATE is left out where it cannot tell the speed: MCS stands in for it at an HT rate, nothing at
    LR's 250 kbit/s. FLAGS is there when a channel is, and when it has something to tell.

    Linux sends an injected frame without RATE at 1 Mb/s, up to 11 times; one with RATE once; with
    DATA_RETRIES as often again as that says, at most 11 times.

    Args:
        channel: 1..14, or None for no CHANNEL.
        rate: ``wifi_phy_rate_t`` number, or None for neither RATE nor MCS.
        rssi_dbm: signal at the antenna, -128..127, or None when nobody measured it.
        at_us: when the frame's first bit came, for the TSFT field, or None for none.
        noise_dbm: noise at the antenna, -128..127.
        antenna: 0..255.
        tx_flags: such as `TX_NO_ACK`.
        data_retries: 0..255.
        fcs: whether the MPDU ends with its FCS; Linux wants none of an injected one.

    Raises:
        ValueError: an argument is out of its range.
    """
    header, present = _untimed(channel, rate, rssi_dbm, noise_dbm, antenna, tx_flags, data_retries, fcs)
    if at_us is None:
        return header
    # 8 bytes more before all fields: none of them needs another alignment.
    try:
        opening = _TIMED_OPENING.pack(0, len(header) + 8, present | _TSFT, at_us)
    except error as reason:
        raise ValueError(f"time {at_us!r} us is not in 0..2**64 - 1") from reason
    return opening + header[_OPENING.size :]


@shared(maxsize=1024)
def _untimed(
    channel: int | None,
    rate: int | None,
    rssi_dbm: int | None,
    noise_dbm: int | None,
    antenna: int | None,
    tx_flags: int | None,
    data_retries: int | None,
    fcs: bool,
) -> tuple[bytes, int]:
    """Return a header without TSFT, and its present word."""
    phy: Rate | None = None
    if rate is not None:
        phy = RATES.get(rate)
        if phy is None:
            raise ValueError(f"{rate!r} is no wifi_phy_rate_t number of a known rate")
    flags = _FLAG_FCS if fcs else 0
    if phy is not None and phy.short and phy.mcs is None:
        flags |= _FLAG_SHORT_PREAMBLE
    # Bit, alignment, content.
    fields: list[tuple[int, int, bytes]] = []
    try:
        if channel is not None or flags:
            fields.append((_FLAGS, 1, _U8.pack(flags)))
        if phy is not None and phy.radiotap is not None:
            fields.append((_RATE, 1, _U8.pack(phy.radiotap)))
        if channel is not None:
            channel_flags = _CHANNEL_2GHZ if phy is None else _CHANNEL_FLAGS[phy.modulation]
            fields.append((_CHANNEL, 2, _TWO_U16.pack(frequency_mhz(channel), channel_flags)))
        if rssi_dbm is not None:
            fields.append((_SIGNAL, 1, _S8.pack(rssi_dbm)))
        if noise_dbm is not None:
            fields.append((_NOISE, 1, _S8.pack(noise_dbm)))
        if antenna is not None:
            fields.append((_ANTENNA, 1, _U8.pack(antenna)))
        if tx_flags is not None:
            fields.append((_TX_FLAGS, 2, _U16.pack(tx_flags)))
        if data_retries is not None:
            fields.append((_DATA_RETRIES, 1, _U8.pack(data_retries)))
        if phy is not None and phy.mcs is not None:
            fields.append((_MCS, 1, _THREE_U8.pack(_MCS_KNOWN, _MCS_SHORT_GI if phy.short else 0, phy.mcs)))
    except error as reason:
        raise ValueError(
            f"out of range: signal {rssi_dbm!r} dBm, noise {noise_dbm!r} dBm (-128..127), antenna {antenna!r}, "
            f"retries {data_retries!r} (0..255) or TX flags {tx_flags!r} (0..65535)"
        ) from reason
    present = 0
    content = b""
    for bit, align, piece in fields:
        present |= bit
        content += bytes(-len(content) % align) + piece
    return _OPENING.pack(0, _OPENING.size + len(content), present) + content, present


@shared(maxsize=256)
def _plan(word: bytes) -> _Plan:
    """Return how to read a header of one present word, without vendor namespace and TLVs."""
    if len(word) != _WORD.size or word[-1] & _UNUSUAL:
        return _NO_PLAN
    layout = _layout(word, None)
    return _NO_PLAN if layout is None else layout[0]


@shared(maxsize=64)
def _kept_layout(words: bytes) -> _Layout | None:
    """Return the layout of some present words, or None when that depends on the header."""
    return _layout(words, None)


def _parse_any(packet: bytes) -> Radiotap:
    """Parse any header, or raise what is wrong with it."""
    if len(packet) < _OPENING.size:
        raise FrameError(f"{len(packet)} bytes, shorter than a radiotap header")
    version, length, _ = _OPENING.unpack_from(packet)
    if version:
        raise FrameError(f"radiotap version {version}, not 0")
    if not _OPENING.size <= length <= len(packet):
        raise FrameError(f"a radiotap header of {length} bytes in a packet of {len(packet)}")
    header = packet[:length]
    end = _OPENING.size
    while header[end - 1] & _WORD_FOLLOWS:
        end += _WORD.size
        if end > length:
            raise _overrun("present words", length)
    words = header[4:end]
    layout = _kept_layout(words) if len(words) <= _MAX_KEPT_WORDS else None
    if layout is None:
        layout = _layout(words, header)
        assert layout is not None
    (unpack_from, size, pick, rest), antennas, tlvs_at = layout
    if size > length:
        raise _overrun("fields", length)
    values = unpack_from(header) + _NONE
    radiotap = _new(Radiotap, pick(values) + rest)
    if antennas:
        radiotap = radiotap._replace(antennas=tuple((values[number], values[dbm]) for number, dbm in antennas))
    if tlvs_at is not None:
        radiotap = _with_tlvs(radiotap, header, tlvs_at)
    return radiotap


def _layout(words: bytes, header: bytes | None) -> _Layout | None:
    """Work out where the fields of some present words are.

    Args:
        words: all present words.
        header: the whole header, which tells how long vendor namespaces are; or None when it is not
            known.

    Returns:
        The layout, or None when the header is needed for it.

    Raises:
        FrameError: the fields run over the header.
    """
    # Of an unknown header: the most that its length can tell.
    limit = 0xFFFF if header is None else len(header)
    form = ["<BxH"]
    packed = 4
    at = 4 + len(words)
    count = 2
    found = {"length": 1}
    antennas: list[dict[str, int]] = []
    unknown: int | None = None
    tlvs_at: int | None = None
    vendor = False
    first_bit = 0
    namespace = 0
    for (word,) in _WORD.iter_unpack(words):
        present = 0 if vendor else word & _DATA
        if present and first_bit:
            unknown = first_bit + _lowest(present)
            break
        own: dict[str, int] = {}
        while present:
            bit = _lowest(present)
            present &= present - 1
            if bit == _TLVS_BIT:
                tlvs_at = at + -at % 4
                break
            field = _FIELDS[bit]
            at += -at % field.align
            if field.names:
                form.append(f"{at - packed}x{field.form}")
                packed = at + field.size
                for name in field.names:
                    if name in ("antenna", "rssi_dbm"):
                        own[name] = count
                    else:
                        found.setdefault(name, count)
                    count += 1
            at += field.size
            if at > limit:
                raise _overrun("fields", limit)
        if own:
            if "antenna" not in found and "rssi_dbm" not in found:
                found |= own
            if namespace:
                antennas.append(own)
        if tlvs_at is not None:
            break
        if word & _VENDOR_NAMESPACE:
            if header is None:
                return None
            at += -at % 2
            if at + _VENDOR.size > limit:
                raise _overrun("fields", limit)
            at += _VENDOR.size + _VENDOR.unpack_from(header, at)[0]
            if at > limit:
                raise _overrun("vendor data", limit)
            vendor = True
        elif word & _RADIOTAP_NAMESPACE:
            vendor = False
        else:
            first_bit += 32
            continue
        first_bit = 0
        namespace += 1
    # None comes after the last value.
    places = [found.get(name, count) for name in _VALUES]
    # Of one place, itemgetter makes no tuple.
    while len(places) > 2 and places[-1] == count:
        places.pop()
    rest = _NONE * (len(_VALUES) - len(places))
    return (
        (Struct("".join(form)).unpack_from, at, itemgetter(*places), (*rest, (), unknown)),
        tuple((own.get("antenna", count), own.get("rssi_dbm", count)) for own in antennas),
        tlvs_at,
    )


def _with_tlvs(radiotap: Radiotap, header: bytes, at: int) -> Radiotap:
    """Add what the TLVs at the end of a header tell of fields that are absent otherwise.

    One without data is padding. Bytes that one leaves out are zeros, and those that it has too many
    are not for us (radiotap.org, TLV). Fewer bytes than the opening of one end the header.

    Raises:
        FrameError: one runs over the header.
    """
    told: dict[str, Any] = {}
    while at + _TLV.size <= len(header):
        bit, size = _TLV.unpack_from(header, at)
        at += _TLV.size
        if at + size > len(header):
            raise _overrun("TLVs", len(header))
        if size and bit < _TLVS_BIT and _FIELDS[bit].names:
            field = _FIELDS[bit]
            content = header[at : at + min(size, field.size)].ljust(field.size, b"\0")
            for name, value in zip(field.names, _STRUCTS[bit].unpack(content), strict=True):
                told.setdefault(name, value)
        at += size + -size % 4
    return radiotap._replace(**{name: value for name, value in told.items() if getattr(radiotap, name) is None})


def _lowest(bits: int) -> int:
    """Return the number of the lowest bit that is set."""
    return (bits & -bits).bit_length() - 1


def _overrun(what: str, length: int) -> FrameError:
    """Return the exception of something that runs over the header's length."""
    return FrameError(f"{what} that run over a radiotap header of {length} bytes")
