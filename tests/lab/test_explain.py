"""Why a message did not arrive: each reason once, by what two boards do."""

import enum
import json
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest

from espnow.air import AirTiming
from espnow.air.scene import Place, Traffic
from espnow.board import WifiTiming
from espnow.errors import EspNowCode, LinkFull, NodeError, UserError
from espnow.frame import build, with_retry
from espnow.lab import Lab, explain_cases, explain_misses
from espnow.lab.explain import LossReason
from espnow.lab.explain_text import describe_error, words
from espnow.link import Absence, Interface, Outcome, PowerSave, RadioConfig
from espnow.node.node import DropReason

ALL = b"\xff" * 6
LMK, OTHER_LMK = b"lmk1234567890123", b"another_lmk_1234"


class Pair:
    """Two boards without programs, whose calls the tests make."""

    def __init__(self, *, at=(0, 0), profiles=("esp32", "esp32"), **options):
        self.lab = Lab(**options)
        self.sensor, self.gateway = (
            self.lab.board(name=name, profile=profile, at=position)
            for name, profile, position in zip(("sensor", "gateway"), profiles, ((0, 0), at), strict=True)
        )
        self.tx, self.tx_wlan = self.start(self.sensor)
        self.rx, self.rx_wlan = self.start(self.gateway)
        self.peer = self.gateway.mac
        for address in (self.peer, ALL):
            self.tx.add_peer(address)

    @staticmethod
    def start(board):
        wlan = board.module("network").WLAN(0)
        wlan.active(True)
        radio = board.module("espnow").ESPNow()
        radio.active(True)
        return radio, wlan

    def send(self, message="x", to=None):
        return self.tx.send(to or self.peer, message)

    def broadcast(self, message="x"):
        return self.tx.send(ALL, message)

    def set_receiver(self, **changes):
        link = self.gateway.hardware.link
        link.configure(replace(link.config, **changes))

    def later(self, ms, function):
        self.lab.clock.call_at(self.lab.now_us + round(ms * 1000), function)

    def losses(self):
        return [(loss.reason.value, loss.sentence) for loss in self.lab.explain()]


# Each reason: what is done with a pair of boards, and what is said. A function of a pair's options first.


def other_channel(pair):
    pair.rx_wlan.config(channel=6)
    pair.send()
    return "on another channel: sensor sends on 1, gateway listens on 6; 7 attempts"


def other_channel_of_a_broadcast(pair):
    pair.tx_wlan.config(channel=6)
    pair.broadcast()
    return "on another channel: sensor sends on 6, gateway listens on 1"


def retuned(pair):
    pair.set_receiver(channel=6)
    pair.later(1, lambda: pair.set_receiver(channel=1))  # 250 bytes are on the air until 2.4 ms
    pair.broadcast(bytes(250))
    return "changing channel: gateway came to channel 1 while the frame was on the air"


def power_save(pair):
    pair.set_receiver(power_save=PowerSave(pair.lab.now_us - 20_000, 102_400, 10_000, 5_000))
    pair.send()
    return "asleep in power save: the receiver of gateway is on for 10 of each 102 ms; 7 attempts"


def absent(absence):
    def act(pair):
        pair.set_receiver(addresses=(), receiver_on=False, absence=absence)
        pair.send()
        return {
            Absence.OFF: "Wi-Fi is off: no interface of gateway is active; 7 attempts",
            Absence.LIGHT_SLEEP: "in light sleep: the radio of gateway was off; 7 attempts",
            Absence.DEEP_SLEEP: "in deep sleep: the radio of gateway was off; 7 attempts",
            Absence.RESTARTING: "restarting: gateway was not up yet; 7 attempts",
            Absence.NO_POWER: "without power: gateway is off; 7 attempts",
            Absence.SLEPT_ACTIVE: "deaf since it slept with Wi-Fi active: gateway went to sleep without "
            "active(False); 7 attempts",
        }[absence]

    return act


def deaf(absence):
    def act(pair):
        pair.set_receiver(receiver_on=False, absence=absence, channel=3)
        pair.send()
        title = {Absence.SEARCHING: "scanning for its router", Absence.SCANNING: "scanning for networks"}[absence]
        return f"{title}: gateway was on channel 3, sensor sends on 1; 7 attempts"

    return act


def wifi_off(pair):
    pair.rx_wlan.active(False)
    pair.send()
    return "Wi-Fi is off: no interface of gateway is active; 7 attempts"


def in_light_sleep_when_all_are_called(pair):
    pair.set_receiver(addresses=(), receiver_on=False, absence=Absence.LIGHT_SLEEP)
    pair.broadcast()
    return "in light sleep: the radio of gateway was off"


def ap_address(pair):
    address = pair.gateway.hardware.wifi.mac(Interface.AP)
    pair.tx.add_peer(address)
    pair.send(to=address)
    return (
        "the interface with this address is off: 18:fe:34:00:00:09 is the AP address of gateway, whose AP interface "
        "is off; its STA address is 18:fe:34:00:00:08; 7 attempts"
    )


def sta_address(pair):
    pair.rx_wlan.active(False)
    pair.gateway.module("network").WLAN(1).active(True)
    pair.send()
    return (
        "the interface with this address is off: 18:fe:34:00:00:08 is the STA address of gateway, whose STA interface "
        "is off; its AP address is 18:fe:34:00:00:09; 7 attempts"
    )


def out_of_range(pair):
    pair.send()
    return "out of range: -100 dBm at gateway where -97 are needed; 7 attempts"


def beyond_range(pair):
    pair.send()
    return "beyond the lab's range limit: gateway is 30 m away, and the limit is 20 m; 7 attempts"


def no_long_range(pair):
    pair.tx.config(rate=pair.sensor.module("espnow").RATE_LORA_250K)
    pair.send()
    return "its protocols lack long range: sensor sends at a long-range rate, which gateway does not decode; 7 attempts"


def receiver_sending(pair):
    pair.rx_wlan.config(txpower=2)  # sensor does not hear that gateway sends
    frame = build(ALL, pair.peer, bytes(250), seq=0, random_value=0)
    pair.gateway.hardware.link.transmit(frame, 999)
    pair.lab.run(for_ms=1)
    pair.broadcast()
    return "the receiver was sending itself: a radio cannot hear while it sends"


def collided(pair):
    other = pair.lab.board(name="other", at=(400, 0))  # gateway hears it, and sensor does not
    pair.start(other)
    other.hardware.link.transmit(build(ALL, other.mac, bytes(250), seq=0, random_value=0), 999)
    pair.lab.run(for_ms=1)
    pair.broadcast()
    pair.lab.run(for_ms=5)
    assert pair.rx.recv(0)[0] == other.mac
    return "others sent at the same time: gateway could not tell it from the frame of other"


def model_missed(pair):
    crowd = pair.lab.crowd([Place((0.0, 1e4))])
    pair.tx.add_peer(crowd.mac(crowd.first))
    pair.send(to=crowd.mac(crowd.first))
    return "a station without a program missed it: model-0: out of range; 7 attempts"


def lost(pair):
    pair.lab.set_loss("sensor", "gateway", 1.0)
    pair.send()
    return "lost on the way: gateway was there and ready; 7 attempts"


def pair_address(pair, digits):
    address = bytes.fromhex(digits)
    pair.tx.add_peer(address)
    return address


def unknown(pair):
    pair.send(to=pair_address(pair, "aaaaaaaaaaaa"))
    return "nobody has this address: aa:aa:aa:aa:aa:aa; 7 attempts"


def one_digit(pair):
    pair.send(to=pair_address(pair, "18fe34000018"))
    return (
        "nobody has this address: 18:fe:34:00:00:18; one digit differs from the STA address of gateway, "
        "18:fe:34:00:00:08; 7 attempts"
    )


def one_byte(pair):
    pair.send(to=pair_address(pair, "18fe34ff0008"))
    return (
        "nobody has this address: 18:fe:34:ff:00:08; one byte differs from the STA address of gateway, "
        "18:fe:34:00:00:08; 7 attempts"
    )


def backwards(pair):
    pair.send(to=pair_address(pair, "08000034fe18"))
    return "nobody has this address: 08:00:00:34:fe:18 is the STA address of gateway backwards; 7 attempts"


def nobody_in_range(pair):
    pair.broadcast()
    return "nobody to hear it: the nearest board, gateway, is out of range: -100 dBm where -97 are needed"


def nobody_active(pair):
    pair.rx.active(False)
    pair.broadcast()
    return "nobody to hear it: gateway is in range, but ESP-NOW is not active there"


def nobody_awake(pair):
    pair.rx.active(False)
    pair.set_receiver(addresses=(), receiver_on=False, absence=Absence.DEEP_SLEEP)
    pair.broadcast()
    return "nobody to hear it: gateway is in range, but in deep sleep"


def nobody_on_the_channel(pair):
    pair.rx.active(False)
    pair.rx_wlan.config(channel=6)
    pair.broadcast()
    return "nobody to hear it: gateway is in range, but on another channel"


def to_itself(pair):
    pair.tx.add_peer(pair.sensor.mac)
    pair.send(to=pair.sensor.mac)
    return "sent to itself: 18:fe:34:00:00:04 is an address of sensor, and a radio does not hear itself; 7 attempts"


def not_active(pair):
    pair.rx.active(False)
    assert pair.send()
    return "acknowledged is not delivered: the radio of gateway answered, but ESP-NOW is not active there"


def no_espnow(pair):
    link = pair.lab.air.attach("router", (0, 0))
    link.station = SimpleNamespace(received=lambda *_: None)
    address = pair_address(pair, "020000000001")
    link.configure(RadioConfig(addresses=((Interface.AP, address),), receiver_on=True))
    assert pair.send(to=address)
    return "acknowledged is not delivered: 02:00:00:00:00:01 answered, and runs no ESP-NOW"


def group_unheard(pair):
    pair.broadcast()
    return "an ESP8266 hears no broadcasts: gateway is one"


def ring_full(pair):
    for _ in range(3):
        assert pair.send(bytes(250))
    pair.rx.recv()
    pair.rx.recv()
    return "ring full: 526 bytes, 2 unread at gateway"


def no_key(pair):
    pair.tx.mod_peer(pair.peer, LMK)
    assert pair.send()
    return "no key for this peer: gateway has not registered sensor with a key"


def wrong_key(pair):
    pair.tx.mod_peer(pair.peer, LMK)
    pair.rx.add_peer(pair.sensor.mac, OTHER_LMK)
    assert pair.send()
    return "wrong key: gateway has another LMK or PMK for sensor"


def plain_from_encrypted(pair):
    pair.rx.add_peer(pair.sensor.mac, LMK)
    assert pair.send()
    return "plain message from an encrypted peer: sensor sends without a key, gateway has registered one"


def too_long(pair):
    assert pair.send(bytes(300))
    return "longer than the receiver accepts: 300 bytes, and gateway takes 250"


class Changing:
    """A link that changes each frame."""

    def __init__(self, link, change):
        self.link, self.change = link, change

    def transmit(self, mpdu, token):
        self.link.transmit(self.change(mpdu), token)


def change_frames(board, change):
    node = board.hardware.node
    node._link = Changing(node._link, change)


def malformed(pair):
    change_frames(pair.sensor, lambda mpdu: mpdu[:26])
    assert pair.send()
    return "malformed: gateway could make nothing of the frame"


def duplicate(pair):
    def twice(mpdu):
        pair.gateway.hardware.node._last_random_received = int.from_bytes(mpdu[28:32], "little")
        return with_retry(mpdu)

    change_frames(pair.sensor, twice)
    assert pair.send()
    return "taken for a duplicate: gateway had just heard a frame with the same random value"


class Odd(enum.Enum):
    """A reason of a node that the lab has no words for."""

    ODD = "odd today"


def rejected(pair):
    board = pair.gateway.hardware
    pair.gateway.hardware.link.station = SimpleNamespace(
        received=lambda mpdu, *_: board.node.observer.dropped(Odd.ODD, mpdu[10:16], 0)
    )
    assert pair.send()
    return "rejected: gateway dropped it: odd today"


def unread(pair):
    pair.send()
    return "never read: it waits in the ring of gateway, whose program has ended"


def switched_off(pair):
    pair.send()
    pair.rx.active(False)
    return (
        "thrown away unread: it was in the ring of gateway when ESP-NOW was switched off there, or the board restarted"
    )


def small_buffer(pair):
    pair.send("longer")
    with pytest.raises(ValueError):
        pair.rx.recvinto([None, memoryview(bytearray(3))])
    return "thrown away unread: it was in the ring of gateway when recvinto found its buffer too small"


def ack_lost(pair):
    pair.lab.set_loss("gateway", "sensor", 1.0)
    assert not pair.send()
    pair.rx.recv()
    return "it arrived, its acknowledgement did not: send said False, and gateway has the message; 7 attempts"


def weak_ack(pair):
    pair.rx_wlan.config(txpower=2)
    assert not pair.send()
    pair.rx.recv()
    return (
        "it arrived, its acknowledgement did not: send said False, and gateway has the message; its answers are too "
        "weak: -103 dBm where -97 are needed; 7 attempts"
    )


def busy(pair):
    assert not pair.send(bytes(250))
    return "the channel was busy: no turn to send for 2 ms"


def given_up(pair):
    pair.rx_wlan.config(channel=6)
    assert not pair.send(bytes(250))
    return (
        "on another channel: sensor sends on 1, gateway listens on 6; given up after 2 of 7 attempts, for the channel "
        "was busy"
    )


def sender_off(pair):
    pair.tx.send(pair.peer, "x", False)
    pair.tx_wlan.active(False)
    pair.lab.run(for_ms=100)
    return "Wi-Fi of the sender went off: sensor switched it off, slept or restarted before the message left"


def sender_off_before_a_broadcast(pair):
    pair.tx.send(ALL, "x", False)
    pair.tx.active(False)
    pair.tx_wlan.active(False)
    pair.lab.run(for_ms=100)
    return "Wi-Fi of the sender went off: sensor switched it off, slept or restarted before the message left"


def sender_slept(to):
    def act(pair):
        pair.sensor.hardware.wifi.lose_configuration()
        assert pair.send(to=to) is False
        return "mute since it slept with Wi-Fi active: sensor went to sleep without active(False)"

    return act


def refused(pair, message="x", to=None):
    with pytest.raises(OSError):
        pair.send(message, to)


def not_init(pair):
    pair.tx.active(False)
    refused(pair)
    return "send refused, ESP_ERR_ESPNOW_NOT_INIT: ESP-NOW is not active on sensor"


def not_init_any_more(pair):
    pair.send()
    pair.rx.recv()
    pair.sensor.soft_reset()
    with pytest.raises(OSError):
        pair.sensor.module("espnow").ESPNow().send(pair.peer, "x")
    return "send refused, ESP_ERR_ESPNOW_NOT_INIT: ESP-NOW is not active on sensor any more"


def not_found(pair):
    refused(pair, to=b"\xaa" * 6)
    return "send refused, ESP_ERR_ESPNOW_NOT_FOUND: sensor has not registered aa:aa:aa:aa:aa:aa"


def not_found_any(pair):
    pair.tx.del_peer(pair.peer)
    with pytest.raises(OSError):
        pair.tx.send("x")
    return "send refused, ESP_ERR_ESPNOW_NOT_FOUND: sensor has not registered any unicast peer"


def chan(pair):
    pair.tx.mod_peer(pair.peer, None, 1)
    pair.tx_wlan.config(channel=6)
    refused(pair)
    return "send refused, ESP_ERR_ESPNOW_CHAN: the peer is registered on channel 1, the radio of sensor is on 6"


def interface(pair):
    pair.tx.mod_peer(pair.peer, None, None, 1)
    refused(pair)
    return "send refused, ESP_ERR_ESPNOW_IF: the peer is registered on the AP interface of sensor, which is off"


def no_mem(pair):
    def transmit(mpdu, token):
        raise LinkFull

    pair.sensor.hardware.node._link = SimpleNamespace(transmit=transmit)
    refused(pair)
    return "send refused, ESP_ERR_ESPNOW_NO_MEM: the queue of sensor had no room for 2 s"


def arg(pair):
    refused(pair, bytes(251))
    return "send refused, ESP_ERR_ESPNOW_ARG: 251 bytes, and a message has 1 to 250"


def internal(pair):
    def transmit(mpdu, token):
        raise NodeError(EspNowCode.INTERNAL)

    pair.sensor.hardware.node._link = SimpleNamespace(transmit=transmit)
    refused(pair)
    return "send refused: ESP_ERR_ESPNOW_INTERNAL"


R = LossReason
FAR = {"at": (340, 0), "path_loss_exponent": 3.15}
WEAK = {"at": (100, 0), "path_loss_exponent": 3.25}
CASES = [
    (R.OTHER_CHANNEL, other_channel, {}),
    (R.OTHER_CHANNEL, other_channel_of_a_broadcast, {}),
    (R.OTHER_CHANNEL, given_up, {"timing": AirTiming(lifetime_us=8_000)}),
    (R.RETUNED, retuned, {}),
    (R.POWER_SAVE, power_save, {}),
    (R.WIFI_OFF, wifi_off, {}),
    (R.WIFI_OFF, absent(Absence.OFF), {}),
    (R.LIGHT_SLEEP, absent(Absence.LIGHT_SLEEP), {}),
    (R.LIGHT_SLEEP, in_light_sleep_when_all_are_called, {}),
    (R.DEEP_SLEEP, absent(Absence.DEEP_SLEEP), {}),
    (R.RESTARTING, absent(Absence.RESTARTING), {}),
    (R.NO_POWER, absent(Absence.NO_POWER), {}),
    (R.SLEPT_ACTIVE, absent(Absence.SLEPT_ACTIVE), {}),
    (R.SEARCHING, deaf(Absence.SEARCHING), {}),
    (R.SCANNING, deaf(Absence.SCANNING), {}),
    (R.INTERFACE_OFF, ap_address, {}),
    (R.INTERFACE_OFF, sta_address, {}),
    (R.OUT_OF_RANGE, out_of_range, FAR),
    (R.BEYOND_RANGE, beyond_range, {"at": (30, 0), "range_m": 20}),
    (R.NO_LONG_RANGE, no_long_range, {}),
    (R.RECEIVER_SENDING, receiver_sending, WEAK),
    (R.COLLIDED, collided, {"at": (200, 0), "path_loss_exponent": 3.15}),
    (R.MODEL_MISSED, model_missed, {}),
    (R.LOST, lost, {}),
    (R.NOBODY, unknown, {}),
    (R.NOBODY, one_digit, {}),
    (R.NOBODY, one_byte, {}),
    (R.NOBODY, backwards, {}),
    (R.NOBODY_HEARD, nobody_in_range, FAR),
    (R.NOBODY_HEARD, nobody_active, {}),
    (R.NOBODY_HEARD, nobody_awake, {}),
    (R.NOBODY_HEARD, nobody_on_the_channel, {}),
    (R.TO_ITSELF, to_itself, {}),
    (R.NOT_ACTIVE, not_active, {}),
    (R.NO_ESPNOW, no_espnow, {}),
    (R.GROUP_UNHEARD, group_unheard, {"profiles": ("esp32", "esp8266")}),
    (R.RING_FULL, ring_full, {}),
    (R.NO_KEY, no_key, {}),
    (R.WRONG_KEY, wrong_key, {}),
    (R.PLAIN_FROM_ENCRYPTED, plain_from_encrypted, {}),
    (R.TOO_LONG, too_long, {"profiles": ("esp32-v2", "esp32")}),
    (R.MALFORMED, malformed, {}),
    (R.DUPLICATE, duplicate, {}),
    (R.REJECTED, rejected, {}),
    (R.UNREAD, unread, {}),
    (R.DISCARDED, switched_off, {}),
    (R.DISCARDED, small_buffer, {}),
    (R.ACK_LOST, ack_lost, {}),
    (R.ACK_LOST, weak_ack, WEAK),
    (R.BUSY, busy, {"timing": AirTiming(lifetime_us=2_000)}),
    (R.SENDER_OFF, sender_off, {}),
    (R.SENDER_OFF, sender_off_before_a_broadcast, {}),
    (R.SENDER_SLEPT, sender_slept(None), {}),
    (R.SENDER_SLEPT, sender_slept(ALL), {}),
    (R.NOT_INIT, not_init, {}),
    (R.NOT_INIT, not_init_any_more, {}),
    (R.NOT_FOUND, not_found, {}),
    (R.NOT_FOUND, not_found_any, {}),
    (R.CHAN, chan, {}),
    (R.IF, interface, {}),
    (R.NO_MEM, no_mem, {}),
    (R.ARG, arg, {}),
    (R.REFUSED, internal, {}),
]


@pytest.mark.parametrize(("reason", "act", "options"), CASES, ids=lambda value: getattr(value, "__name__", None))
@pytest.mark.parametrize("record", [True, False], ids=["recorded", "explained"])
def test_reason(reason, act, options, record):
    pair = Pair(**options, record=record, explain=not record)
    sentence = act(pair)
    assert pair.losses() == [(reason.value, sentence)]
    report = pair.lab.explain()
    assert report.counts == {reason: 1} == {reason.value: 1}
    assert pair.sensor.explain().counts == {reason: 1}
    (loss,) = report
    assert loss.sender == "sensor"
    about_gateway = [other for other in pair.gateway.explain() if other.reason is reason]
    assert about_gateway == ([loss] if loss.receiver == "gateway" else [])
    pair.lab.close()
    assert pair.losses() == [(reason.value, sentence)]


@pytest.mark.parametrize(
    ("power_dbm", "told"),
    [
        ([20], "the frame of m-0"),
        ([17, 20], "the frames of m-1, m-0"),
        ([20, 17, 19, 16], "the frames of m-0, m-2 and 2 more"),
    ],
)
def test_those_who_sent_at_once_are_named_the_strongest_first(power_dbm, told):
    """Stations that the sender does not hear, which send while it does; and one on another channel, which is none."""
    pair = Pair(at=(200, 0), path_loss_exponent=3.15)
    places = [Place((400.0, 10.0 * number), power_dbm=power) for number, power in enumerate(power_dbm)]
    places.append(Place((200.0, 1.0), channel=6))
    pair.lab.crowd(places, [Traffic(number, size=250) for number in range(len(places))], name="m")
    pair.lab.run(for_ms=1)
    pair.broadcast()
    pair.lab.run(for_ms=5)
    assert pair.losses()[0] == (
        "collided",
        f"others sent at the same time: gateway could not tell it from {told}",
    )


def test_every_reason_has_its_test_and_its_words():
    assert {reason for reason, *_ in CASES} >= set(LossReason) - {LossReason.OTHER_BSSID}  # which needs a router
    for reason in LossReason:
        title, detail, advice = words(reason)
        assert title
        assert detail
        assert advice
        assert (title + detail + advice).isascii()


def test_every_drop_of_a_node_is_a_reason():
    assert {reason.name for reason in DropReason} <= set(LossReason.__members__)


def test_every_absence_is_a_reason():
    assert set(Absence) == set(explain_misses.ABSENCES)


# What is no loss, and several attempts.


def test_a_message_that_a_retry_brings_is_no_loss():
    pair = Pair()
    pair.set_receiver(channel=6)
    pair.later(5, lambda: pair.set_receiver(channel=1))
    assert pair.send()
    assert pair.sensor.sent[-1].attempts > 1
    pair.rx.recv()
    assert pair.losses() == []
    assert pair.lab.explain().format() == "Every message was delivered and read (1 sent)."


def test_the_last_attempt_decides_and_the_others_are_counted():
    pair = Pair()
    pair.set_receiver(channel=6)
    pair.later(5, lambda: pair.set_receiver(channel=1, receiver_on=False))
    assert not pair.send()
    ((reason, sentence),) = pair.losses()
    assert reason == "wifi_off"
    before = int(sentence.partition("; 7 attempts, before ")[2].partition(" x on another channel")[0])
    assert 1 <= before <= 6


def test_a_ring_that_was_full_decides_though_the_retry_was_a_duplicate():
    pair = Pair()
    for _ in range(2):
        pair.send(bytes(250))
    pair.lab.set_loss("gateway", "sensor", 1.0)
    pair.later(10, lambda: pair.lab.set_loss("gateway", "sensor", 0.0))
    assert pair.send(bytes(250))
    assert pair.sensor.sent[-1].attempts > 1
    assert pair.lab.explain().counts == {"ring_full": 1, "unread": 2}


def test_messages_of_lossy_air_add_up():
    pair = Pair(loss=0.4, seed=3, wifi=WifiTiming(attempts=2))
    pair.rx.active(False)
    pair.rx.config(rxbuf=100_000)
    pair.rx.active(True)
    answers = [pair.send(str(number)) for number in range(300)]
    arrived = {message.message for message in pair.gateway.received}
    counts = pair.lab.explain().counts
    assert counts["lost"] == 300 - len(arrived) > 0
    assert counts["ack_lost"] == sum(
        not answered and str(number).encode() in arrived for number, answered in enumerate(answers)
    )
    assert counts["unread"] == len(arrived)


def test_a_broadcast_is_lost_once_for_each_board_that_was_to_hear_it():
    pair = Pair()
    others = [pair.lab.board(name=f"other{number}") for number in range(4)]
    for other in others[:3]:
        pair.start(other)
    for other, channel in zip(others[:2], (6, 11), strict=True):
        other.module("network").WLAN(0).config(channel=channel)
    pair.broadcast("hello")
    pair.rx.recv()
    others[2].module("espnow").ESPNow().recv()
    report = pair.lab.explain()
    assert report.counts == {"other_channel": 2}
    assert {loss.receiver for loss in report} == {"other0", "other1"}
    assert len(others[3].explain()) == len(others[2].explain()) == 0


def test_a_send_to_all_names_the_peer_that_failed():
    pair = Pair()
    absent = pair_address(pair, "aaaaaaaaaaaa")
    assert not pair.tx.send("to all")
    pair.rx.recv()
    (loss,) = pair.lab.explain()
    assert (loss.address, loss.message, loss.reason) == (absent, b"to all", "nobody")
    pair.tx.mod_peer(absent, None, None, 1)
    with pytest.raises(OSError):
        pair.tx.send("again")
    assert [loss.address for loss in pair.lab.explain() if loss.reason == "if"] == [absent]


@pytest.mark.parametrize("profile", ["esp32", "esp8266"])
@pytest.mark.parametrize(("address", "message", "told"), [(None, "x", 1), (b"short", "x", 0), (None, 7, 0)])
def test_a_send_without_esp_now_is_told_if_it_could_be_one(profile, address, message, told):
    pair = Pair(profiles=(profile, "esp32"))
    pair.tx.active(False)
    with pytest.raises(OSError):
        pair.tx.send(address or pair.peer, message)
    assert [loss.message for loss in pair.lab.explain()] == [b"x"] * told


def test_what_a_stranger_sends_is_no_boards_loss():
    pair = Pair()
    link = pair.lab.air.attach("stranger", (0, 0))
    link.station = SimpleNamespace(received=lambda *_: None, outcome=lambda *_: None)
    source = b"\x02\0\0\0\0\1"
    link.configure(RadioConfig(addresses=((Interface.STA, source),), receiver_on=True))
    pair.tx.active(False)
    pair.rx.add_peer(source, LMK)
    for token, to in enumerate((pair.peer, pair.sensor.mac, b"\x02\0\0\0\0\2")):
        link.transmit(build(to, source, b"y", seq=0, random_value=token), token)
    pair.lab.run(for_ms=100)
    assert [reason for _, _, reason in pair.gateway.dropped] == [DropReason.PLAIN_FROM_ENCRYPTED]
    assert pair.losses() == []


def test_a_message_that_was_under_way_when_esp_now_stopped_is_judged():
    pair = Pair()
    pair.rx_wlan.config(channel=6)
    pair.tx.send(pair.peer, "x", False)
    pair.tx.active(False)
    pair.lab.run(for_ms=200)
    assert [reason for reason, _ in pair.losses()] == ["other_channel"]


def test_a_sender_that_goes_off_gives_up():
    pair = Pair()
    pair.rx_wlan.config(channel=6)
    pair.tx.send(pair.peer, "x", False)
    pair.lab.run(for_ms=3)
    pair.tx_wlan.active(False)
    pair.lab.run(for_ms=200)
    ((reason, sentence),) = pair.losses()
    assert reason == "other_channel"
    assert re.search("; given up after [1-6] attempts, for Wi-Fi of the sender went off$", sentence)


def test_addresses_that_programs_give_are_known():
    pair = Pair()
    pair.rx_wlan.config(mac=b"\x30\xaa\xaa\xaa\xaa\xaa")
    pair.rx_wlan.active(False)
    pair.lab.run(for_ms=200)
    pair.send(to=pair_address(pair, "30aaaaaaaaaa"))
    assert pair.losses() == [("wifi_off", "Wi-Fi is off: no interface of gateway is active; 7 attempts")]


# Real boards' lives, by programs.

RADIO = """
import network, espnow, machine, time
wlan = network.WLAN(0)
wlan.active(True)
e = espnow.ESPNow()
e.active(True)
"""


@pytest.mark.parametrize(
    ("program", "sentence"),
    [
        ("machine.deepsleep(10_000)", "in deep sleep: the radio of gateway was off; 7 attempts"),
        ("wlan.active(False)\nmachine.lightsleep(10_000)", "in light sleep: the radio of gateway was off; 7 attempts"),
        ("time.sleep_ms(790)\nmachine.reset()", "restarting: gateway was not up yet; 7 attempts"),
    ],
)
def test_a_board_that_is_away(lab, program, sentence):
    gateway = lab.board(code=RADIO + program, name="gateway")
    lab.board(
        code=f"{RADIO}e.add_peer({gateway.mac!r})\ntime.sleep_ms(800)\nassert not e.send({gateway.mac!r}, 'x')",
        name="sensor",
    )
    lab.run(for_ms=1_200)
    assert [loss.sentence for loss in gateway.explain()] == [sentence]


def test_a_board_without_power_is_no_listener():
    pair = Pair()
    pair.gateway.power_off()
    pair.broadcast()
    pair.send()
    assert [reason for reason, _ in pair.losses()] == ["nobody_heard", "no_power"]


def test_a_program_that_died_is_noted(lab):
    lab.board(code="raise ValueError('a \x1b[31m b')", name="sensor")
    lab.run()
    assert lab.explain().notes == ("The program of sensor has died: ValueError: a \\x1b[31m b",)
    assert "has died" in str(lab.explain())


def test_of_many_programs_that_died_some_are_named(lab):
    for _ in range(12):
        lab.board(code="raise ValueError")
    lab.run()
    lines = lab.explain().format().splitlines()
    assert len([line for line in lines if "has died" in line]) == 10
    assert lines[-1] == "(and 2 more programs)"
    assert len(lab.explain().notes) == 12


@pytest.mark.parametrize(("profile", "number"), [("esp32", "-12395, 'ESP_ERR_ESPNOW_EXIST'"), ("esp8266", "875")])
def test_an_error_of_esp_now_is_explained(lab, profile, number):
    lab.board(code=RADIO + "for _ in range(2):\n    e.add_peer(b'123456')", name="sensor", profile=profile)
    lab.run()
    shown = f"({number})" if "," in number else number
    meaning = "the peer is registered already: get_peers() tells, mod_peer changes it"
    assert lab.explain().notes == (f"The program of sensor has died: OSError: {shown}: {meaning}",)


def test_every_error_of_esp_now_has_its_words():
    for code in EspNowCode:
        assert describe_error(-code)
        assert describe_error(code - EspNowCode.NOT_INIT + 869) == describe_error(-code)
    for number in (1, 116, 868, 878, 12389, None, "x"):
        assert describe_error(number) is None


def test_what_is_done_when_a_lab_ends_is_no_loss(lab):
    gateway = lab.board(code=RADIO + "try:\n    time.sleep(100)\nfinally:\n    e.active(False)", name="gateway")
    lab.board(code=f"{RADIO}e.add_peer({gateway.mac!r})\ne.send({gateway.mac!r}, 'x')", name="sensor")
    lab.run(for_ms=1_000)
    lab.interrupt()
    lab.close()
    (loss,) = lab.explain()
    assert loss.sentence == "never read: it waits in the ring of gateway, whose program runs"


# What is kept.


def test_without_explain_nothing_watches():
    pair = Pair(record=False)
    pair.send()
    assert pair.lab.air.on_miss is None
    assert pair.sensor.hardware.node.observer is None
    for asked in (pair.lab, pair.sensor):
        with pytest.raises(UserError, match=r"Lab\(explain=True\)"):
            asked.explain()


@pytest.mark.parametrize("act", ["broadcast", "send"])
def test_memory_is_bounded_and_counts_are_exact(monkeypatch, act):
    monkeypatch.setattr(explain_cases, "KEPT", 10)
    pair = Pair(record=False, explain=True)
    pair.rx_wlan.config(channel=6)
    for number in range(47):
        getattr(pair, act)(str(number))
    reports = [asked.explain() for asked in (pair.lab, pair.gateway, pair.sensor)]
    for report in reports:
        assert report.counts == {"other_channel": 47}
        assert report.total == 47
        assert 10 <= len(report) < 20
        assert [loss.message for loss in report] == [str(number).encode() for number in range(47 - len(report), 47)]
        assert f"({47 - len(report)} more, earlier)" in str(report)
    assert [report.sent for report in reports] == [47, 0, 47]
    assert not pair.sensor._witness._open


def test_unknown_addresses_take_bounded_memory():
    pair = Pair(record=False, explain=True)
    book = pair.lab.explainer.addresses
    texts = {book.describe(b"\xaa" * 4 + number.to_bytes(2, "big")) for number in range(200)}
    assert len(texts) == 200
    assert len(book._described) == 64


def test_an_answer_for_what_the_node_did_not_send_is_none():
    pair = Pair()
    pair.sensor.hardware.node.outcome(999, Outcome.NOT_ACKNOWLEDGED, 7, 0)
    pair.sensor._witness.answered(999, Outcome.NOT_ACKNOWLEDGED, 7, 0)
    assert not pair.lab.explain()


def test_the_same_lab_tells_the_same():
    def tell():
        pair = Pair(loss=0.5, seed=9)
        for number in range(30):
            pair.broadcast(str(number))
            pair.send(str(number))
        return str(pair.lab.explain())

    assert tell() == tell()


# What is printed.


def test_a_page_fits():
    pair = Pair()
    for act in (ap_address, one_digit, unread, chan):
        act(pair)
    for columns in (60, 80, 200):
        page = pair.lab.explain().format(columns)
        assert max(map(len, page.splitlines())) <= min(columns, 110)
    assert pair.lab.explain().format(20) == pair.lab.explain().format(60)


def test_a_page():
    pair = Pair()
    pair.rx_wlan.config(channel=6)
    for number in range(3):
        pair.send(f"temperature {number}")
    pair.broadcast(bytes(range(100)))
    refused(pair, to=b"\xaa" * 6)
    page = re.sub(r"\d\.\d{3} s", "9.999 s", pair.lab.explain().format(80))
    assert (
        page
        == """\
5 messages were not delivered (4 sent):

  4  on another channel
     -> bring both to one channel; a board that has joined a router is on the
        router's channel
  1  send refused, ESP_ERR_ESPNOW_NOT_FOUND
     -> add_peer(mac) before send, the broadcast address included; active(False)
        and resets forget peers

  9.999 s  sensor -> gateway: "temperature 0", and 2 more until 9.999 s
      on another channel: sensor sends on 1, gateway listens on 6; 7 attempts
  9.999 s  sensor -> gateway (to all): 00 01 02 03 04 05 06 07 08 09 0a 0b ...
        (100 bytes)
      on another channel: sensor sends on 1, gateway listens on 6
  9.999 s  sensor -> aa:aa:aa:aa:aa:aa: "x"
      send refused, ESP_ERR_ESPNOW_NOT_FOUND: sensor has not registered
        aa:aa:aa:aa:aa:aa"""
    )


def test_what_arrived_is_not_said_to_be_missing():
    pair = Pair()
    ack_lost(pair)
    assert pair.lab.explain().format().startswith("1 arrived without an acknowledgement (1 sent):\n")
    pair.lab.set_loss("gateway", "sensor", 0.0)
    unread(pair)
    first = "1 message was not delivered, 1 arrived without an acknowledgement (2 sent):"
    assert pair.lab.explain().format().splitlines()[0] == first


def test_a_long_report_is_cut():
    pair = Pair()
    for number in range(30):
        pair.send("x" * 200, to=pair_address(pair, f"aaaaaaaaaa{number:02x}"))
        pair.tx.del_peer(bytes.fromhex(f"aaaaaaaaaa{number:02x}"))
    lines = pair.lab.explain().format(80).splitlines()
    assert "  (10 more, earlier)" in lines
    assert len(lines) < 80
    assert not any("x" * 50 in line for line in lines)


def test_nothing_of_a_message_reaches_the_terminal_as_it_is():
    pair = Pair()
    pair.broadcast("\x1b[31m")
    page = str(pair.lab.explain())
    assert "\x1b" not in page
    assert "1b 5b 33 31 6d" in page


def test_a_report_is_a_sequence():
    pair = Pair()
    pair.send()
    report = pair.lab.explain()
    assert repr(report) == "<Report of 1 messages that were not delivered>"
    assert report[0] is next(iter(report)) is report[-1]
    assert report[0:1] == (report[0],)
    assert json.dumps(report.counts) == '{"unread": 1}'
