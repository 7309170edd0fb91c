"""What fuzzing begins with: inputs that the project's own builders make, and words that mutations may use."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import live_targets
import targets

from espnow import frame as frames
from espnow.frame import captures, handshake, kinds, management
from espnow.frame import radiotap as radiotaps

A = bytes.fromhex("30aaaaaaaaaa")
B = bytes.fromhex("18fe34000008")


def _wifi() -> Iterator[bytes]:
    for security in (0, kinds.WPA, kinds.WPA2, kinds.WPA_WPA2, kinds.WPA3, kinds.WPA2_WPA3):
        network = management.Advertisement(A, b"network", 6, security, switch_channel=security, switch_count=3)
        yield management.build_advertisement(network, seq=1)
        yield management.build_advertisement(network._replace(ssid=b""), seq=2, destination=B)
        yield management.build_association_request(management.AssociationRequest(B, A, b"network", security), seq=3)
        response = management.AssociationResponse(B, A, 0, 1, management.Lease(bytes(4), b"\xc0\xa8\x04\x01"))
        yield management.build_association_response(response, seq=4, security=security)
    yield management.build_probe_request(B, b"", seq=5)
    for step in (1, 2):
        yield management.build_authentication(management.Authentication(A, B, A, 0, step, 0), seq=6)
    for flag in (False, True):
        yield management.build_farewell(management.Farewell(B, A, A, 15, flag), seq=7)
        yield management.build_null(management.NullData(B, A, flag), seq=8)
    keys = handshake.pairwise_keys(bytes(32), A, B, (bytes(32), b"\1" * 32))
    for message in handshake.KeyMessage:
        yield handshake.build_key_frame(
            message, bssid=A, station=B, replay_counter=1, seq=9, keys=keys, group_key=bytes(16)
        )


def make(target: str) -> list[bytes]:
    """Return the seeds of a target."""
    return list(dict.fromkeys(_SEEDS[target]()))


def _mpdus() -> Iterator[bytes]:
    for length, version in ((1, 1), (12, 1), (250, 1), (4, 2), (250, 2), (251, 2), (600, 2), (1470, 2)):
        message = bytes(range(256)) * 6
        yield frames.build(A, B, message[:length], seq=length, random_value=0x1234, version=version, duration=314)
    plain = frames.build(frames.BROADCAST, B, b"hello", seq=4095, random_value=1)
    yield plain
    yield frames.with_retry(plain)
    yield plain[:16] + A + plain[22:]
    yield plain[:24] + b"\xff" + plain[25:]
    yield plain[:1] + b"\x80" + plain[2:24] + bytes(4) + plain[24:]
    yield plain[:22] + b"\x11\x00" + plain[24:]
    yield plain[:39]
    yield plain + b"\xdd\x05\x18\xfe\x34\x04\x02"
    yield plain + b"\x30\x02\x01\x02"
    yield plain + bytes(4)
    yield frames.build(A, B, bytes(1470), seq=1, random_value=1, version=2) + b"\xdd\x06\x18\xfe\x34\x04\x020"
    yield frames.ack(B)
    yield b"\x80" + plain[1:]


def _sealed() -> Iterator[bytes]:
    for length, version in ((1, 1), (250, 1), (700, 2)):
        yield frames.build_protected(
            A, B, bytes(length), seq=7, random_value=5, key=targets.KEY, packet_number=length, version=version
        )


def _frame() -> Iterator[bytes]:
    for mpdu in (*_mpdus(), *_sealed()):
        for options in (0, targets.FCS_FOLLOWS, targets.CUT | targets.FCS_FOLLOWS, targets.WITH_FCS):
            yield bytes((options, 20)) + mpdu
        yield bytes((targets.BODY_ONLY, 0)) + mpdu[24:]


def _encrypted() -> Iterator[bytes]:
    for mpdu in _mpdus():
        if len(mpdu) > 24:
            yield bytes((targets.SEAL,)) + b"\x01\0\0\0\0\0" + mpdu
            yield bytes((targets.SEAL | targets.HT_CONTROL,)) + b"\xff" * 6 + mpdu
    for mpdu in _sealed():
        yield b"\0" + mpdu
        yield b"\0" + mpdu[:40]


def _radiotap() -> Iterator[bytes]:
    for rate in frames.RATES:
        yield radiotaps.build(channel=rate % 14 + 1, rate=rate, rssi_dbm=-50)
    yield radiotaps.build(channel=1, rate=0, rssi_dbm=-50, at_us=1 << 40, noise_dbm=-90, antenna=1, fcs=True)
    yield radiotaps.build(tx_flags=radiotaps.TX_FAILED, data_retries=7) + b"\xd0\0"
    # All fields of a word; two antennas; a vendor's words and data; TLVs; another word of unknown bits.
    yield _header((1 << 28) - 1, content=bytes(200))
    yield _header(0xA0000820, 0xA0000820, 0x00000820, content=b"\xc4\x01\xc5\x02\xc6\x03")
    yield _header(0xE0000001, 0xFFFFFFFF, 0xA0000020, 2, content=bytes(8) + b"OUI\x07\x04\0vend\xc4\x01")
    yield _header(0x10000008, content=bytes(4) + struct.pack("<HHBxxx", 5, 1, 200) + struct.pack("<HHH", 3, 2, 2412))
    yield _header(0x80000000, 1, content=b"")
    yield _header(0xC0000000, 1, content=b"OUI\x07\xff\0")


def _header(*words: int, content: bytes) -> bytes:
    body = b"".join(word.to_bytes(4, "little") for word in words) + content
    return struct.pack("<BBH", 0, 0, 4 + len(body)) + body


def _packets() -> list[bytes]:
    """Return packets with radiotap, few enough for a small file."""
    short = [mpdu for mpdu in (*_mpdus(), *_sealed()) if len(mpdu) < 120]
    reports = [radiotaps.build(tx_flags=1, data_retries=3), radiotaps.build(channel=6, rate=0, rssi_dbm=-60)]
    headers = [*reports, radiotaps.build(channel=6, rate=11, rssi_dbm=-60, fcs=True)]
    packets = [headers[number % 2] + mpdu for number, mpdu in enumerate(short)]
    return [*packets, headers[2] + short[0] + frames.fcs(short[0]), headers[2] + short[1] + bytes(4)]


def _pcap() -> Iterator[bytes]:
    packets = _packets()
    for order, magic in (("<", 0xA1B2C3D4), (">", 0xA1B2C3D4), ("<", 0xA1B23C4D)):
        for link_type, first in ((127, 0), (105, 8), (0x14000000 | 105, 8), (1, 0)):
            file = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link_type)
            for number, packet in enumerate(packets[:: len(order) * 3]):
                packet = packet[first:]
                head = struct.pack(order + "IIII", 1_700_000_000, number, len(packet), len(packet) + number % 3)
                file += head + packet
            yield file
    yield struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 3, 0, 0, 65535, 105) + struct.pack("<IIII", 0, 0, 20, 3) + bytes(3)


def _pcapng() -> Iterator[bytes]:
    packets = _packets()
    opening = captures.build_section() + captures.build_interface(radiotaps.LINKTYPE, name="wlan0mon")
    blocks = [captures.build_packet(packet, at_us=10**15 + number) for number, packet in enumerate(packets)]
    yield opening
    for number, block in enumerate(blocks):
        yield opening + block
        yield opening + b"".join(blocks[number : number + 4])
    yield opening + captures.build_packet(packets[0][:30], at_us=0, length=99) + opening + blocks[1]
    for order in "<>":
        section = _block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
        options = struct.pack(order + "HHBxxxHHBxxxHHqHH", 9, 1, 0x89, 13, 1, 32, 14, 8, -5, 0, 0)
        interface = _block(order, 1, struct.pack(order + "HHI", 105, 0, 60) + options)
        mpdu = packets[0][8:]
        padded = mpdu + bytes(-len(mpdu) % 4)
        simple = _block(order, 3, struct.pack(order + "I", len(mpdu)) + padded)
        old = _block(order, 2, struct.pack(order + "HHIIII", 0, 0, 1, 2, len(mpdu), len(mpdu)) + padded)
        enhanced = _block(order, 6, struct.pack(order + "IIIII", 0, 1, 2, len(mpdu), len(mpdu)) + padded)
        yield section + interface + simple + old + enhanced + _block(order, 5, bytes(8)) + section + simple
        yield section + _block(order, 1, struct.pack(order + "HHI", 105, 0, 0)) + enhanced + simple + old


def _block(order: str, kind: int, body: bytes) -> bytes:
    length = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + length + body + length


_WEATHER = b"""[[message]]
name = "weather"
source = ["30:aa:aa:*", "18-fe-34-00-00-08"]
destination = "ff:ff:ff:ff:ff:ff"
starts_with = {hex = "57 58"}
length = {min = 16, max = 40}
struct = "<2sBhHIf?"
fields = ["_", "v", {name = "t", unit = "C", scale = 0.01, offset = -40}, "", "up", {name = "level", scale = 3},
    {name = "on", values = {0 = "no", 1 = "yes"}}]
"""


def _toml() -> Iterator[bytes]:
    yield _WEATHER
    for order in ("", "@", "<", ">", "!", "="):
        for form, fields in (
            ("bBhHiIlLqQ", [f'"f{number}"' for number in range(10)]),
            ("efd?", ['"e"', '{name="f",scale=2}', '{name="d",offset=0.1}', '{name="b",values={0="n"}}']),
            ("3x12s2H", ['{name="text",hex=true}', '"_"', '{name="n",values={0x10="a",-1="b"}}']),
        ):
            yield f'[[message]]\nname="m"\nstruct="{order}{form}"\nfields=[{",".join(fields)}]\n'.encode()
    yield b'[[message]]\nname="a"\nstruct="B"\nfields=["x"]\n[[message]]\nname="b"\nstruct="b"\nfields=[""]'
    yield b'message = 1\n[a.b."c"]\nd = 1979-05-27T07:32:00Z\ne = """\nx\\\n  y"""\nf = [1_0, 0xff, 0b1, 1e3, inf, nan]'


def _live() -> Iterator[bytes]:
    return live_targets.live_seeds(mpdu for mpdu in (*_mpdus(), *_sealed(), *_wifi()) if len(mpdu) >= 24)


_SEEDS = {
    "frame": _frame,
    "encrypted": _encrypted,
    "radiotap": _radiotap,
    "pcap": _pcap,
    "pcapng": _pcapng,
    "toml": _toml,
    "wifi": _wifi,
    "udp": live_targets.udp_seeds,
    "live": _live,
}

_FRAME_WORDS = [
    b"\x18\xfe\x34",
    b"\x7f\x18\xfe\x34",
    b"\xdd\x05\x18\xfe\x34\x04\x01",
    b"\xdd\xff\x18\xfe\x34\x04\x12",
    b"\xdd\x06\x18\xfe\x34\x04\x02",
    b"\xff\x18\xfe\x34",
    b"\xd0\x00",
    b"\xd0\x40",
    b"\xd0\x80",
    b"\xd4\x00\x00\x00",
    b"\x00\xe0",
    b"\xff" * 6,
]
_CAPTURE_WORDS = [*_FRAME_WORDS, b"\x7f\0", b"\0\x7f", b"\x69\0", b"\0\x69", b"\0\0\x0d\0\x04\x80\x02\0"]

#: Words of a target that mutations may use.
WORDS: dict[str, list[bytes]] = {
    "udp": [
        b"ESPN\x01\x01",
        b"ESPN\x01\x02",
        *(struct.pack("<f", east_m) for east_m in (float("nan"), float("inf"), float("-inf"))),
        b"\x01\x00\xd8\x01\0\0",
    ],
    "live": [
        *_FRAME_WORDS,
        *(bytes((kind, 0)) for kind in (0x00, 0x08, 0x10, 0x20, 0x30, 0x40, 0x48, 0x50, 0x80, 0xA0, 0xB0, 0xC0)),
        bytes((live_targets.WRAPPED, 43)),
        bytes((live_targets.WRAPPED | live_targets.TO_ANSWERS, 10)),
        bytes((live_targets.SENDS, live_targets.WAITS)),
        live_targets.BOARD,
        live_targets.PEER,
        b"ESPN\x01\x01\x01",
    ],
    "wifi": [
        *(bytes((kind, 0)) for kind in (0x00, 0x08, 0x10, 0x20, 0x30, 0x40, 0x48, 0x50, 0x80, 0xA0, 0xB0, 0xC0)),
        b"\0\x07network",
        b"\x03\x01\x06",
        b"\x25\x03\x01\x0b\x03",
        b"\x30\x14\x01\0\0\x0f\xac\x04",
        b"\0\x0f\xac\x08",
        b"\xdd\x0c\x18\xfe\x34",
        b"\xaa\xaa\x03\0\0\0\x88\x8e",
    ],
    "frame": _FRAME_WORDS,
    "encrypted": _FRAME_WORDS,
    "radiotap": [(1 << bit).to_bytes(4, "little") for bit in range(32)] + [b"\0\0\0\xa0", b"\0\0\0\xe0", b"\x85\x09"],
    "pcap": [*_CAPTURE_WORDS, b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d"],
    "pcapng": [
        *_CAPTURE_WORDS,
        b"\x0a\x0d\x0d\x0a",
        b"\x4d\x3c\x2b\x1a",
        b"\x1a\x2b\x3c\x4d",
        *(struct.pack(order + "I", kind) for order in "<>" for kind in range(1, 7)),
        *(struct.pack(order + "HH", *pair) for order in "<>" for pair in ((9, 1), (13, 1), (14, 8), (2, 8), (0, 0))),
    ],
    "toml": [
        word.encode()
        for word in (
            "[[message]]", "name = ", "source = ", "destination = ", "length = ", "starts_with = ", "struct = ",
            "fields = ", "unit = ", "scale = ", "offset = ", "values = ", "hex = ", "text = ", "min = ", "max = ",
            '"30:aa:*"', '"ff:ff:ff:ff:ff:ff"', "true", "false", "nan", "inf", "1e308", "1979-05-27T07:32:00Z", '"""',
            "'''", '"_"', "\\u202e", "\\U0001F600", "\u2028", "{", "}", "\r\n", "#", "0x", "0.01",
            '[[message]]\nname = "n"\nstruct = "<B"\nfields = ["a"]\n',
        )
    ],
}  # fmt: skip
