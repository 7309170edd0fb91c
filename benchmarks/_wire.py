"""What the wire costs, beside scapy, dpkt and the bare AES-CCM of ``cryptography``.

Contenders take turns in short rounds, and of each the best round counts: on a shared machine that is the one that was
disturbed least. All of them get frames that differ from each other, so that nothing is answered from a cache of whole
frames, and every contender has shown the same result before it is timed.
"""

from __future__ import annotations

import importlib
import json
import logging
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PARSE_PER_S = 300_000
PARSE_TIMES_SCAPY = 50
BUILD_PER_S = 400_000
CCMP_TIMES_BARE = 1.6
SUMMARY_S = 8.0
# Of what a process takes, so little comes and goes without a reason.
SUMMARY_GROWTH_MB = 1.0

FRAMES = 2_000
SUMMARY_FRAMES = 1_000_000
# The file that memory is compared with is so much shorter, and so is the one that scapy gets.
SUMMARY_PART = 10
RACE_S = 6.0
ROUND_S = 0.01
CHANNEL = 6
STATION = bytes.fromhex("240ac4000001")
GATEWAY = bytes.fromhex("30aea4000001")
LOAD_PREFIX = 14  # OUI, random value, and the element as far as the message, after scapy's category

# What people who read the table need to know of a scene.
NOTES = {
    "parse": "dpkt in part: it raises at these frames; its header class alone, the rest by hand, no radiotap",
    "summary": "only reads: takes the packets out of the file and makes nothing of them; scapy a tenth, times 10",
}

# A contender does so many operations, at most FRAMES, one a frame and always from the first frame on.
Contender = Callable[[int], None]


def race(contenders: dict[str, Contender], quick: bool) -> dict[str, float]:
    """Let contenders take turns; return the best microseconds of an operation of each."""
    counts = {}
    for name, contender in contenders.items():
        contender(20)
        begin = time.perf_counter()
        contender(20)
        counts[name] = min(max(int(ROUND_S * 20 / (time.perf_counter() - begin)), 20), FRAMES)
    best = dict.fromkeys(contenders, float("inf"))
    until = time.perf_counter() + (RACE_S / 10 if quick else RACE_S)
    while time.perf_counter() < until:
        for name, contender in contenders.items():
            count = counts[name]
            begin = time.perf_counter()
            contender(count)
            best[name] = min(best[name], (time.perf_counter() - begin) * 1e6 / count)
    return best


def rival(name: str) -> Any:
    """Import a module of a rival."""
    logging.getLogger("scapy.runtime").setLevel(logging.ERROR)  # it warns of missing network interfaces
    try:
        return importlib.import_module(name)
    except ImportError:
        sys.exit(f"{name} is missing: pip install -e '.[bench]'")


def messages() -> list[tuple[bytes, int, int, int]]:
    """Return what the frames of a race say: message, sequence number, random value, signal."""
    chance = random.Random("the wire")
    return [
        (chance.randbytes(chance.randint(10, 120)), number & 0xFFF, chance.getrandbits(32), chance.randint(-90, -30))
        for number in range(FRAMES)
    ]


def parse(quick: bool) -> dict[str, float]:
    """From radiotap and MPDU to the message."""
    from espnow import frame
    from espnow.frame import BROADCAST, RATE_1M, examine, radiotap

    said = messages()
    packets = [
        radiotap.build(channel=CHANNEL, rate=RATE_1M, rssi_dbm=signal)
        + frame.build(BROADCAST, STATION, message, seq=seq, random_value=value)
        for message, seq, value, signal in said
    ]
    dot11 = rival("scapy.layers.dot11")
    ieee80211 = rival("dpkt.ieee80211")
    dpkt_radiotap = rival("dpkt.radiotap")
    parse_radiotap, parse_mpdu = radiotap.parse, frame.parse

    def strict(packet: bytes) -> bytes:
        radio = parse_radiotap(packet)
        found = parse_mpdu(packet[radio.length :])
        assert isinstance(found, frame.Frame)
        return found.message

    def tolerant(packet: bytes) -> bytes:
        radio = parse_radiotap(packet)
        found, _ = examine(packet[radio.length :])
        assert isinstance(found, frame.Frame)
        return found.message

    # It knows no ESP-NOW: what follows the category is a string of bytes, to be taken apart by hand.
    def scapy(packet: bytes) -> bytes:
        action = dot11.RadioTap(packet)[dot11.Dot11Action]
        load = bytes(action.payload.load)
        if (
            action.category != 0x7F
            or load[:3] != b"\x18\xfe\x34"
            or load[7] != 0xDD
            or load[9:13] != b"\x18\xfe\x34\x04"
        ):
            raise ValueError
        return load[LOAD_PREFIX : 9 + load[8]]

    # Its Radiotap and its IEEE80211 raise UnpackError at every vendor specific action frame; the class of the header
    # can be called without them, the rest is by hand, and of radiotap nothing but the length is read.
    def dpkt(packet: bytes) -> bytes:
        header = ieee80211.IEEE80211.MGMT_Frame(packet[int.from_bytes(packet[2:4], "little") + 4 :])
        body: bytes = header.data
        if body[:4] != b"\x7f\x18\xfe\x34" or body[8] != 0xDD or body[10:14] != b"\x18\xfe\x34\x04":
            raise ValueError
        return body[LOAD_PREFIX + 1 : 10 + body[9]]

    ways: dict[str, Callable[[bytes], bytes]] = {"strict": strict, "tolerant": tolerant, "scapy": scapy, "dpkt": dpkt}
    for way in ways.values():
        for packet, (message, *_) in zip(packets, said, strict=True):
            if way(packet) != message:
                raise AssertionError(f"{way.__name__} read another message")
    try:
        dpkt_radiotap.Radiotap(packets[0])
    except importlib.import_module("dpkt").UnpackError:
        pass
    else:
        raise AssertionError("dpkt takes such frames now: compare with its own classes")

    def contender(way: Callable[[bytes], bytes]) -> Contender:
        def run(count: int) -> None:
            for packet in packets[:count]:
                way(packet)

        return run

    return race({name: contender(way) for name, way in ways.items()}, quick)


def build(quick: bool) -> dict[str, float]:
    """From a message to radiotap and MPDU."""
    from espnow import frame
    from espnow.frame import BROADCAST, RATE_1M, format_mac, radiotap

    said = messages()
    dot11 = rival("scapy.layers.dot11")
    raw = rival("scapy.packet").Raw
    build_radiotap, build_mpdu = radiotap.build, frame.build
    to, by = format_mac(BROADCAST), format_mac(STATION)

    def ours(message: bytes, seq: int, value: int, signal: int) -> bytes:
        return build_radiotap(channel=CHANNEL, rate=RATE_1M, rssi_dbm=signal) + build_mpdu(
            BROADCAST, STATION, message, seq=seq, random_value=value
        )

    def scapy(message: bytes, seq: int, value: int, signal: int) -> bytes:
        return bytes(
            dot11.RadioTap(
                present="Flags+Rate+Channel+dBm_AntSignal",
                Rate=1.0,
                ChannelFrequency=2437,
                ChannelFlags="CCK+2GHz",
                dBm_AntSignal=signal,
            )
            / dot11.Dot11(type=0, subtype=13, addr1=to, addr2=by, addr3=to, SC=seq << 4)
            / dot11.Dot11Action(category=0x7F)
            / raw(b"\x18\xfe\x34" + value.to_bytes(4, "little"))
            / dot11.Dot11EltVendorSpecific(oui=0x18FE34, info=b"\x04\x01" + message)
        )

    for each in said:
        if ours(*each) != scapy(*each):
            raise AssertionError("scapy made other bytes")

    def contender(way: Callable[[bytes, int, int, int], bytes]) -> Contender:
        def run(count: int) -> None:
            for message, seq, value, signal in said[:count]:
                way(message, seq, value, signal)

        return run

    return race({"ours": contender(ours), "scapy": contender(scapy)}, quick)


def ccmp(quick: bool) -> dict[str, float]:
    """A message of 250 bytes, encrypted and decrypted, beside the bare call with nonce and AAD made before."""
    from cryptography.hazmat.primitives.ciphers.aead import AESCCM

    from espnow.frame import (
        DEFAULT_PMK,
        MAX_V1,
        PairCipher,
        ProtectedFrame,
        build_body,
        build_protected,
        decrypt,
        derive_key,
        encrypt,
        open_protected,
    )
    from espnow.frame import parse as parse_mpdu

    chance = random.Random("ccmp")
    key = derive_key(DEFAULT_PMK, chance.randbytes(16))
    numbers = range(1, FRAMES + 1)
    said = [chance.randbytes(MAX_V1) for _ in numbers]
    bodies = [build_body(message, number, 1) for number, message in enumerate(said)]
    mpdus = [
        build_protected(GATEWAY, STATION, message, seq=0, random_value=value, key=key, packet_number=number)
        for number, (value, message) in zip(numbers, enumerate(said), strict=True)
    ]
    frames = [found for mpdu in mpdus if isinstance(found := parse_mpdu(mpdu), ProtectedFrame)]
    header = mpdus[0][:24]
    nonces = [b"\0" + STATION + number.to_bytes(6, "big") for number in numbers]
    aad = b"\x80\x40" + header[4:22] + b"\0\0"
    sealed = [mpdu[32:] for mpdu in mpdus]
    bare = AESCCM(key, tag_length=8)
    bare_encrypt, bare_decrypt = bare.encrypt, bare.decrypt
    pair = PairCipher(key, GATEWAY, STATION)
    pair_encrypt, pair_decrypt = pair.encrypt, pair.decrypt

    def do_encrypt(count: int) -> None:
        for number, body in zip(numbers[:count], bodies, strict=False):
            pair_encrypt(body, number)

    def do_encrypt_by_key(count: int) -> None:
        for number, body in zip(numbers[:count], bodies, strict=False):
            encrypt(key, header, body, number)

    def do_bare_encrypt(count: int) -> None:
        for nonce, body in zip(nonces[:count], bodies, strict=False):
            bare_encrypt(nonce, body, aad)

    def do_decrypt(count: int) -> None:
        for mpdu in mpdus[:count]:
            pair_decrypt(mpdu)

    def do_decrypt_by_key(count: int) -> None:
        for mpdu in mpdus[:count]:
            decrypt(key, mpdu)

    def do_bare_decrypt(count: int) -> None:
        for nonce, text in zip(nonces[:count], sealed, strict=False):
            bare_decrypt(nonce, text, aad)

    def do_build(count: int) -> None:
        for number, message in zip(numbers[:count], said, strict=False):
            build_protected(GATEWAY, STATION, message, seq=0, random_value=7, key=pair, packet_number=number)

    def do_open(count: int) -> None:
        for found in frames[:count]:
            open_protected(found, pair)

    for place, number in enumerate(numbers):
        body, text = bodies[place], bare_encrypt(nonces[place], bodies[place], aad)
        if not (
            encrypt(key, header, body, number)[8:] == pair_encrypt(body, number)[8:] == text == sealed[place]
            and decrypt(key, mpdus[place])
            == pair_decrypt(mpdus[place])
            == body
            == bare_decrypt(nonces[place], text, aad)
            and open_protected(frames[place], key).message == said[place]
        ):
            raise AssertionError("the bare call has another result")
    return race(
        {
            "encrypt": do_encrypt,
            "bare_encrypt": do_bare_encrypt,
            "decrypt": do_decrypt,
            "bare_decrypt": do_bare_decrypt,
            "encrypt_by_key": do_encrypt_by_key,
            "decrypt_by_key": do_decrypt_by_key,
            "build_protected": do_build,
            "open_protected": do_open,
        },
        quick,
    )


def summary(quick: bool) -> dict[str, float]:
    """``espnow decode --summary`` of a long capture, beside readers that make nothing of its packets.

    A process for each turn, since memory is compared too; it warms up on a short capture.
    """

    def child(*arguments: object) -> dict[str, float]:
        command = [sys.executable, str(Path(__file__).with_name("_captures.py")), *map(str, arguments)]
        run = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
        if run.returncode:
            sys.exit(run.returncode)
        found: dict[str, float] = json.loads(run.stdout)
        return found

    count = SUMMARY_FRAMES // 50 if quick else SUMMARY_FRAMES
    with tempfile.TemporaryDirectory() as folder:
        warm, part, whole = (Path(folder) / name for name in ("warm.pcapng", "part.pcapng", "whole.pcapng"))
        child("write", warm, 1000)
        child("write", part, count // SUMMARY_PART)
        child("write", whole, count)
        turns = [
            (
                child("ours", warm, whole),
                child("ours", warm, part),
                child("dpkt", warm, whole),
                child("scapy", warm, part),
            )
            for _ in range(1 if quick else 4)
        ]
        size_mb = whole.stat().st_size / 1e6
    for whole_run, part_run, dpkt_run, scapy_run in turns:
        if not (whole_run["packets"] == dpkt_run["packets"] == count):
            raise AssertionError(f"{count} packets, and other numbers were counted: {whole_run}, {dpkt_run}")
        if not (part_run["packets"] == scapy_run["packets"] == count // SUMMARY_PART):
            raise AssertionError(f"{count // SUMMARY_PART} packets, and other numbers were counted: {scapy_run}")
    ours, short, dpkt, scapy = (list(column) for column in zip(*turns, strict=True))

    def least(runs: list[dict[str, float]], name: str) -> float:
        return min(run[name] for run in runs)

    return {
        "frames": count,
        "file_mb": size_mb,
        "ours_s": least(ours, "seconds"),
        "dpkt_s": least(dpkt, "seconds"),
        "scapy_s": least(scapy, "seconds") * SUMMARY_PART,
        "peak_mb": least(ours, "peak_mb"),
        "part_peak_mb": least(short, "peak_mb"),
        "growth_mb": least(ours, "peak_mb") - least(short, "peak_mb"),
    }


def rows(scene: str, figures: dict[str, float]) -> list[tuple[str, ...]]:
    """Return the rows of the table that tell of a scene."""
    return {"parse": _parse_rows, "build": _build_rows, "ccmp": _ccmp_rows, "summary": _summary_rows}[scene](figures)


def _verdict(reached: bool) -> str:
    return "PASS" if reached else "short of it"


def _times(ratio: float) -> str:
    return f"{ratio:,.0f} x" if ratio >= 10 else f"{ratio:.1f} x"


def _per_s(us: float) -> str:
    return f"{1e6 / us:,.0f}/s"


def _parse_rows(us: dict[str, float]) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for way in ("strict", "tolerant"):
        times = us["scapy"] / us[way]
        reached = _verdict(1e6 / us[way] >= PARSE_PER_S and times >= PARSE_TIMES_SCAPY)
        target = f"{PARSE_PER_S:,}/s, {PARSE_TIMES_SCAPY} x"
        found.append((f"parse, {way}", _per_s(us[way]), f"scapy {_per_s(us['scapy'])}", _times(times), target, reached))
    found.append(("", "", f"dpkt, in part {_per_s(us['dpkt'])}", _times(us["dpkt"] / us["strict"]), "", ""))
    return found


def _build_rows(us: dict[str, float]) -> list[tuple[str, ...]]:
    beside, times = f"scapy {_per_s(us['scapy'])}", _times(us["scapy"] / us["ours"])
    reached = _verdict(1e6 / us["ours"] >= BUILD_PER_S)
    return [("build", _per_s(us["ours"]), beside, times, f"{BUILD_PER_S:,}/s", reached)]


def _ccmp_rows(us: dict[str, float]) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name, bare, shown in (
        ("encrypt", "encrypt", "encrypt, 250 bytes"),
        ("decrypt", "decrypt", "decrypt, 250 bytes"),
        ("encrypt_by_key", "encrypt", "  encrypt, by key alone"),
        ("decrypt_by_key", "decrypt", "  decrypt, by key alone"),
        ("build_protected", "encrypt", "  build the frame with it"),
        ("open_protected", "decrypt", "  open the frame with it"),
    ):
        beside = us[f"bare_{bare}"]
        ratio = us[name] / beside
        figure, rival_figure = f"{us[name]:.2f} us", f"bare AES-CCM {beside:.2f} us"
        if name == bare:
            target, reached = f"{CCMP_TIMES_BARE} x or less", _verdict(ratio <= CCMP_TIMES_BARE)
            found.append((shown, figure, rival_figure, f"{ratio:.2f} x", target, reached))
        else:
            found.append((shown, figure, rival_figure, f"{ratio:.2f} x", "", ""))
    return found


def _summary_rows(figures: dict[str, float]) -> list[tuple[str, ...]]:
    ours, dpkt, scapy = (figures[f"{name}_s"] for name in ("ours", "dpkt", "scapy"))
    count = int(figures["frames"])
    goal_s = SUMMARY_S * count / SUMMARY_FRAMES
    memory = f"{figures['peak_mb']:.1f} MB", f"of a tenth {figures['part_peak_mb']:.1f} MB"
    growth = f"{figures['growth_mb']:+.1f} MB"
    reached = _verdict(figures["growth_mb"] <= SUMMARY_GROWTH_MB), _verdict(ours < goal_s)
    return [
        (
            f"summary of {count:,}",
            f"{ours:.2f} s",
            f"dpkt, only reads {dpkt:.2f} s",
            f"{ours / dpkt:.2f} x",
            f"below {goal_s:g} s",
            reached[1],
        ),
        ("", "", f"scapy, only reads {scapy:.2f} s", f"{ours / scapy:.2f} x", "", ""),
        ("  memory", *memory, growth, f"+{SUMMARY_GROWTH_MB:.0f} MB or less", reached[0]),
    ]
