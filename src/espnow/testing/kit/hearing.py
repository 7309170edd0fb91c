"""Checks of what a radio hands up."""

from __future__ import annotations

import itertools

from espnow.frame import BROADCAST, ESPRESSIF_OUI, LR_RATES, MAX_V2, RATE_1M, build
from espnow.link import ProtocolBit
from espnow.testing.kit.check import check, collect
from espnow.testing.kit.stage import NOBODY, Heard, Probe, Skip, Speaker, Stage, expect, same

__all__ = ["CHECKS"]

_MULTICAST = b"\x01\x00\x5e\x00\x00\x01"
#: The element of a probe that says 1, 2, 5.5 and 11 Mb/s.
_RATES = b"\x01\x04\x82\x84\x8b\x96"
_NO_RATES = "the radio declares no rates"
_MARK = b"mark "
_ACTION = b"\xd0"


def _said(listener: Probe) -> list[Heard]:
    """Return what a listener heard beside marks."""
    return [heard for heard in listener.heard if not (heard.message or b"").startswith(_MARK)]


def _expect_heard(listener: Probe, frames: list[bytes], what: str) -> None:
    heard = _said(listener)
    expect(len(heard) == len(frames), f"{listener.name} heard {len(heard)} of {len(frames)} frames {what}")
    for one, said in zip(heard, frames, strict=True):
        expect(
            same(one.mpdu, said),
            f"{listener.name} heard\n  {one.mpdu.hex()} when this was said {what}:\n  {said.hex()}",
        )


@check()
def groups_are_heard_by_all(stage: Stage) -> None:
    """A frame for a group is heard by every radio on its channel, as it was sent."""
    speaker = stage.speaker()
    listeners = [stage.probe() for _ in range(max(1, min(2, stage.rig.links - (not stage.rig.spoken_rates))))]
    frames = [speaker.tell(b"%d" % number, (BROADCAST, _MULTICAST)[number % 2]) for number in range(6)]
    stage.mark(speaker, *listeners)
    for listener in listeners:
        _expect_heard(listener, frames, "to groups")


@check()
def unicast_is_heard_by_its_addressee(stage: Stage) -> None:
    """A unicast frame is heard by the radio that has its address, as it was sent."""
    speaker = stage.speaker()
    listener = stage.probe()
    frames = [speaker.tell(b"%d" % number, listener.address) for number in range(6)]
    stage.mark(speaker, listener)
    _expect_heard(listener, frames, "to it")


@check(needs=("sends",))
def own_frames_are_not_heard(stage: Stage) -> None:
    """A radio does not hear itself, not even when it is promiscuous."""
    probe = stage.probe()
    for promiscuous in (False, stage.abilities.promiscuous):
        probe.configure(channel=stage.channel, promiscuous=promiscuous, attempts=2)
        stage.await_answers(probe, stage.send(probe, BROADCAST, NOBODY, BROADCAST))
        stage.rig.settle()
    expect(not [heard for heard in probe.heard if heard.mpdu[10:16] == probe.address], "it heard itself")


@check()
def other_channels_are_not_heard(stage: Stage) -> None:
    """What is said on another channel is not heard; what is on its own is, whichever that is."""
    speaker = stage.speaker()
    listener = stage.probe()
    said = []
    for channel in (stage.channel, stage.other_channel, stage.channel):
        listener.configure(channel=channel)
        for number in (stage.channel, stage.other_channel):
            mpdu = speaker.tell(b"on %d" % number, channel=number)
            said += [mpdu] if number == channel else []
        stage.rig.settle()
        stage.mark(speaker, listener, channel=channel)
    _expect_heard(listener, said, "on its channel")


@check()
def each_channel_works(stage: Stage) -> None:
    """A radio hears on each channel that it declares, and tells which it was."""
    speaker = stage.speaker()
    listener = stage.probe()
    for channel in sorted(stage.abilities.channels):
        listener.configure(channel=channel)
        stage.mark(speaker, listener, channel=channel)
        told = listener.heard[-1].channel
        expect(told == channel, f"a frame on channel {channel} was heard on channel {told}")


@check()
def nothing_is_heard_while_it_is_off(stage: Stage) -> None:
    """A radio whose receiver is off hears nothing, and does so again when it is on."""
    speaker = stage.speaker()
    listener = stage.probe()
    stage.mark(speaker, listener)
    listener.configure(channel=stage.channel, receiver_on=False)
    for destination in (BROADCAST, listener.address):
        speaker.tell(b"into silence", destination)
    stage.rig.settle()
    listener.configure(channel=stage.channel)
    stage.mark(speaker, listener)
    _expect_heard(listener, [], "while it was off")


@check()
def nothing_happens_before_the_first_configure(stage: Stage) -> None:
    """A station is not called before its first `configure`."""
    speaker = stage.speaker()
    listener = stage.silent_probe()
    for destination in (BROADCAST, listener.address):
        speaker.tell(b"too early", destination)
    stage.rig.settle()
    expect(not listener.heard, f"{listener.name} heard {listener.messages} before its first configure")
    listener.configure(channel=stage.channel)
    stage.mark(speaker, listener)


@check(needs=("promiscuous",))
def a_promiscuous_radio_hears_what_is_for_others(stage: Stage) -> None:
    """A promiscuous radio hears frames for others; Wi-Fi's own frames and acknowledgements may come besides."""
    speaker = stage.speaker()
    listener = stage.probe(promiscuous=True)
    frames = [speaker.tell(b"%d" % number, NOBODY) for number in range(3)]
    stage.mark(speaker, listener)
    said = [heard for heard in _said(listener) if heard.mpdu[:1] == _ACTION]
    listener.heard = said
    _expect_heard(listener, frames, "to others")
    listener.configure(channel=stage.channel)
    stage.mark(speaker, listener)


@check()
def the_longest_frame_passes(stage: Stage) -> None:
    """A frame of `Abilities.max_mpdu` bytes passes; at most that of 1470 bytes of message is tried."""
    speaker = stage.speaker()
    listener = stage.probe()
    for version, largest in ((1, 250), (2, MAX_V2)):
        empty = len(build(BROADCAST, speaker.address, bytes(largest), seq=0, random_value=0, version=version)) - largest
        length = min(largest, stage.abilities.max_mpdu - empty)
        message = bytes(number & 0xFF for number in range(length))
        for destination in (BROADCAST, listener.address):
            mpdu = build(destination, speaker.address, message, seq=1, random_value=length, version=version)
            speaker.say(mpdu)
            stage.mark(speaker, listener)
            _expect_heard(listener, [mpdu], f"with {len(mpdu)} bytes")
            listener.heard.clear()


@check()
def rates_are_told(stage: Stage) -> None:
    """A frame is sent with the rate that the radio was told, for groups and unicast, and heard with it."""
    speaker = stage.speaker()
    if not speaker.rates:
        raise Skip(_NO_RATES)
    listener = stage.probe()
    for rate in sorted(speaker.rates):
        for destination in (BROADCAST, listener.address):
            listener.heard.clear()
            speaker.say(speaker.frame(destination, b"rate %d" % rate), rate=rate)
            stage.await_message(b"rate %d" % rate, listener)
            told = listener.heard[-1].rate
            expect(told == rate, f"a frame to {destination.hex(':')} at rate {rate} was heard at rate {told}")


@check(needs=("sends",))
def groups_have_a_rate_of_their_own(stage: Stage) -> None:
    """Frames for groups leave with `RadioConfig.group_rate`, unicast ones with `rate`."""
    rates = sorted(stage.abilities.rates)
    if not rates:
        raise Skip(_NO_RATES)
    sender = stage.probe()
    listener = stage.probe()
    rate, group_rate = rates[0], rates[-1]
    sender.configure(channel=stage.channel, rate=rate, group_rate=group_rate, attempts=1)
    for destination, wanted in ((BROADCAST, group_rate), (listener.address, rate)):
        stage.await_answers(sender, [sender.send(destination, destination)])
        stage.await_message(destination, listener)
        told = listener.heard[-1].rate
        expect(told == wanted, f"told {rate} for unicast and {group_rate} for groups, it sent one with {told}")


@check(links=2, needs=("sends",))
def wi_fis_own_frames_are_sent_slowly(stage: Stage) -> None:
    """Frames that are Wi-Fi's own, such as probe requests, leave with 1 Mb/s, whatever the rate."""
    if not stage.abilities.rates:
        raise Skip(_NO_RATES)
    sender = stage.probe()
    listener = stage.probe()
    rate = max(stage.abilities.rates)
    sender.configure(channel=stage.channel, rate=rate, group_rate=rate)
    # Any network, and rates.
    request = b"\x40\x00\x00\x00" + BROADCAST + sender.address + BROADCAST + bytes(2) + b"\x00\x00" + _RATES
    # Time, interval and capabilities of a network without a name. Radios need not hand up requests, but what is theirs.
    response = b"\x50\x00\x00\x00" + listener.address + sender.address + sender.address + bytes(2)
    response += bytes(8) + b"\x64\x00\x01\x00" + b"\x00\x00" + _RATES
    frames = [request, response, sender.frame(BROADCAST, b"after it")]
    stage.await_answers(sender, stage.send_all(sender, frames))
    stage.await_message(b"after it", listener)
    rates = {heard.mpdu[0]: heard.rate for heard in listener.heard if heard.message is None}
    expect(response[0] in rates, f"{listener.name} did not hear a probe response to it")
    expect(set(rates.values()) <= {RATE_1M}, f"told to send with rate {rate}, it sent Wi-Fi's own with {rates}")


@check()
def long_range_needs_its_protocol(stage: Stage) -> None:
    """A frame with a rate of long range is heard only by a radio whose protocols have it."""
    speaker = stage.speaker()
    listener = stage.probe()
    rates = speaker.rates & LR_RATES
    if not rates:
        raise Skip("nothing can be said with a rate of long range")
    for protocols in (ProtocolBit.B | ProtocolBit.G | ProtocolBit.N | ProtocolBit.LR, ProtocolBit.B | ProtocolBit.G):
        listener.configure(channel=stage.channel, protocols=protocols)
        speaker.say(speaker.frame(BROADCAST, b"far"), rate=max(rates))
        stage.mark(speaker, listener)
        heard = b"far" in listener.messages
        expect(
            heard == bool(protocols & ProtocolBit.LR),
            f"with the protocols {protocols!r} a frame of long range was {'heard' if heard else 'not heard'}",
        )
        listener.heard.clear()


@check()
def a_frame_is_heard_once(stage: Stage) -> None:
    """A frame that was sent once is heard once, also when the next ones are the same but for their numbers."""
    speaker = stage.speaker()
    listener = stage.probe()
    frames = [speaker.tell(b"again", (BROADCAST, listener.address)[number % 2]) for number in range(20)]
    stage.mark(speaker, listener)
    _expect_heard(listener, frames, "once each")


@check()
def times_are_those_of_the_clock(stage: Stage) -> None:
    """A frame's time is when it ended, on the clock of the link that heard it; a signal is told for each."""
    speaker = stage.speaker()
    listener = stage.probe()
    last_us = -1
    for number in range(4):
        stage.rig.settle()
        before_us = listener.now_us
        stage.mark(speaker, listener)
        heard = listener.heard[-1]
        expect(
            before_us <= heard.at_us <= listener.now_us and heard.at_us > last_us,
            f"a frame that was said after {before_us} us was heard at {heard.at_us} us; the one before at {last_us} us",
        )
        expect(-127 <= heard.rssi_dbm < 0, f"frame {number} was heard at {heard.rssi_dbm} dBm")
        last_us = heard.at_us


@check()
def hostile_frames_pass_unharmed(stage: Stage) -> None:
    """Whatever follows the header of an ESP-NOW frame, it is handed up as it came; what follows is heard, too."""
    speaker = stage.speaker()
    listener = stage.probe()
    frames = []
    for destination, body in itertools.product((BROADCAST, listener.address), _hostile_bodies()):
        frames.append(_opening(speaker, destination) + body)
        speaker.say(frames[-1])
    stage.mark(speaker, listener)
    _expect_heard(listener, frames, "that make no sense")
    # What does not even begin as ESP-NOW's may be left out, or handed up as it came.
    others = [_opening(speaker, BROADCAST)[:24], *(_opening(speaker, BROADCAST)[:24] + bytes(n) for n in (1, 7, 300))]
    for mpdu in others:
        speaker.say(mpdu)
    stage.mark(speaker, listener)
    for heard in _said(listener)[len(frames) :]:
        expect(any(same(heard.mpdu, mpdu) for mpdu in others), f"nobody said {heard.mpdu.hex()}")


def _opening(speaker: Speaker, destination: bytes) -> bytes:
    """Return a frame up to where ESP-NOW's body begins: after category and OUI."""
    mpdu = speaker.frame(destination, b"x")
    return mpdu[: mpdu.index(b"\x7f" + ESPRESSIF_OUI) + 4]


def _hostile_bodies() -> list[bytes]:
    element = ESPRESSIF_OUI + b"\x04"
    return [
        bytes(4) + b"\xdd\x05" + element + b"\x01",  # no message
        bytes(4) + b"\xdd\xff" + element + b"\x01short",
        bytes(4) + b"\xdd\x00" + element + b"\x01",
        bytes(4) + b"\xdd\x06" + element + b"\xffv",
        bytes(4) + b"\xdd\x06" + element + b"\x12m",  # more follow, and none does
        bytes(4) + b"\xdd\x06\xff\xff\xff\xff\x01?",
        bytes(4) + b"\xff" * 1400,
        bytes(4) + b"\xdd\x06" + element + b"\x01x" + b"\x1b[2J\r\n",
        b"".join(bytes((number,)) for number in range(256)),
        b"",
    ]


#: The checks of this file.
CHECKS = collect(globals())
