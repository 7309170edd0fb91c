"""Why a message was not delivered: the reasons, and each one's sentence and advice.

Rules: values and words only. A sentence is the reason's title and, after a colon, its figures; what to do about it is
the advice. All of it is plain ASCII and fits any terminal; names of boards come in as they are shown.
"""

from __future__ import annotations

import enum
from typing import NamedTuple

from espnow.errors import EspNowCode

__all__ = ["LossReason", "Words", "describe_error", "words"]


class LossReason(enum.StrEnum):
    """Why a message was not delivered. A str, so that ``counts["ring_full"]`` works."""

    # The frame did not reach the radio of the addressee, or the radio was not there.
    OTHER_CHANNEL = "other_channel"
    RETUNED = "retuned"
    POWER_SAVE = "power_save"
    SEARCHING = "searching"
    SCANNING = "scanning"
    LIGHT_SLEEP = "light_sleep"
    DEEP_SLEEP = "deep_sleep"
    SLEPT_ACTIVE = "slept_active"
    RESTARTING = "restarting"
    NO_POWER = "no_power"
    WIFI_OFF = "wifi_off"
    INTERFACE_OFF = "interface_off"
    OUT_OF_RANGE = "out_of_range"
    BEYOND_RANGE = "beyond_range"
    NO_LONG_RANGE = "no_long_range"
    RECEIVER_SENDING = "receiver_sending"
    COLLIDED = "collided"
    LOST = "lost"
    MODEL_MISSED = "model_missed"
    NOBODY = "nobody"
    NOBODY_HEARD = "nobody_heard"
    TO_ITSELF = "to_itself"
    # The radio had it, the program did not.
    NOT_ACTIVE = "not_active"
    NO_ESPNOW = "no_espnow"
    GROUP_UNHEARD = "group_unheard"
    OTHER_BSSID = "other_bssid"
    RING_FULL = "ring_full"
    NO_KEY = "no_key"
    WRONG_KEY = "wrong_key"
    PLAIN_FROM_ENCRYPTED = "plain_from_encrypted"
    TOO_LONG = "too_long"
    MALFORMED = "malformed"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"
    UNREAD = "unread"
    DISCARDED = "discarded"
    # It is there, and the sender does not know.
    ACK_LOST = "ack_lost"
    # It never left the sender.
    BUSY = "busy"
    SENDER_OFF = "sender_off"
    SENDER_SLEPT = "sender_slept"
    NOT_INIT = "not_init"
    NOT_FOUND = "not_found"
    CHAN = "chan"
    IF = "if"
    NO_MEM = "no_mem"
    ARG = "arg"
    REFUSED = "refused"


class Words(NamedTuple):
    """What is said of a reason.

    Attributes:
        title: a few words, for a list of reasons.
        detail: the rest of the sentence, for `str.format`: figures by number, ``sender``, ``receiver`` and
            ``address`` by name; may be empty.
        advice: what to do about it.
    """

    title: str
    detail: str
    advice: str


_R = LossReason

_WORDS: dict[LossReason, Words] = {
    _R.OTHER_CHANNEL: Words(
        "on another channel",
        "{sender} sends on {0}, {receiver} listens on {1}",
        "bring both to one channel; a board that has joined a router is on the router's channel",
    ),
    _R.RETUNED: Words(
        "changing channel",
        "{receiver} came to channel {0} while the frame was on the air",
        "send again; a board is deaf while it changes its channel",
    ),
    _R.POWER_SAVE: Words(
        "asleep in power save",
        "the receiver of {receiver} is on for {0} of each {1} ms",
        "after joining a router, config(pm=WLAN.PM_NONE) on the receiver, or its AP interface active",
    ),
    _R.SEARCHING: Words(
        "scanning for its router",
        "{receiver} was on channel {1}, {sender} sends on {0}",
        "config(reconnects=0) or disconnect() on the receiver when its router is gone",
    ),
    _R.SCANNING: Words(
        "scanning for networks",
        "{receiver} was on channel {1}, {sender} sends on {0}",
        "send again; WLAN.scan() is deaf to everything else",
    ),
    _R.LIGHT_SLEEP: Words(
        "in light sleep",
        "the radio of {receiver} was off",
        "send when the receiver is awake; agree on times, or let it ask",
    ),
    _R.DEEP_SLEEP: Words(
        "in deep sleep",
        "the radio of {receiver} was off",
        "send when the receiver is awake; agree on times, or let it ask",
    ),
    _R.SLEPT_ACTIVE: Words(
        "deaf since it slept with Wi-Fi active",
        "{receiver} went to sleep without active(False)",
        "before sleeping, WLAN.active(False); after waking, active(True) and the settings again",
    ),
    _R.RESTARTING: Words(
        "restarting",
        "{receiver} was not up yet",
        "send again; a restarted board must also make Wi-Fi and ESP-NOW active again",
    ),
    _R.NO_POWER: Words("without power", "{receiver} is off", "switch it on"),
    _R.WIFI_OFF: Words(
        "Wi-Fi is off",
        "no interface of {receiver} is active",
        "on the receiver: network.WLAN(network.WLAN.IF_STA).active(True)",
    ),
    _R.INTERFACE_OFF: Words(
        "the interface with this address is off",
        "{0}",
        "send to the address of an interface that is active: WLAN.config('mac') tells it",
    ),
    _R.OUT_OF_RANGE: Words(
        "out of range",
        "{0} dBm at {receiver} where {1} are needed",
        "bring them nearer, send with more power or at a lower rate",
    ),
    _R.BEYOND_RANGE: Words(
        "beyond the lab's range limit",
        "{receiver} is {0} m away, and the limit is {1} m",
        "bring them nearer, or give the lab another range",
    ),
    _R.NO_LONG_RANGE: Words(
        "its protocols lack long range",
        "{sender} sends at a long-range rate, which {receiver} does not decode",
        "config(protocol=WLAN.PROTOCOL_DEFAULT | WLAN.PROTOCOL_LR) on the receiver, or another rate",
    ),
    _R.RECEIVER_SENDING: Words(
        "the receiver was sending itself",
        "a radio cannot hear while it sends",
        "send again; broadcasts are not repeated by the radio",
    ),
    _R.COLLIDED: Words(
        "others sent at the same time",
        "{receiver} could not tell it from {0}",
        "let boards send at different times, a random wait apart; broadcasts are not repeated by the radio",
    ),
    _R.LOST: Words(
        "lost on the way",
        "{receiver} was there and ready",
        "send again; broadcasts are not repeated by the radio",
    ),
    _R.MODEL_MISSED: Words(
        "a station without a program missed it",
        "{0}: {1}",
        "move them nearer, or send less at a time",
    ),
    _R.NOBODY: Words(
        "nobody has this address",
        "{0}",
        "compare it with what WLAN.config('mac') prints on the receiver",
    ),
    _R.NOBODY_HEARD: Words(
        "nobody to hear it",
        "{0}",
        "bring a board with ESP-NOW active into range",
    ),
    _R.TO_ITSELF: Words(
        "sent to itself",
        "{address} is an address of {sender}, and a radio does not hear itself",
        "use the address of the other board",
    ),
    _R.NOT_ACTIVE: Words(
        "acknowledged is not delivered",
        "the radio of {receiver} answered, but ESP-NOW is not active there",
        "ESPNow().active(True) on the receiver; after a restart, too",
    ),
    _R.NO_ESPNOW: Words(
        "acknowledged is not delivered",
        "{0} answered, and runs no ESP-NOW",
        "send to the address of a board",
    ),
    _R.GROUP_UNHEARD: Words(
        "an ESP8266 hears no broadcasts",
        "{receiver} is one",
        "send to its own address",
    ),
    _R.OTHER_BSSID: Words(
        "rejected at the STA address of a joined board",
        "{receiver} has joined a router, and takes messages of an ESP8266 at its AP address only",
        "make the AP interface of the receiver active, and send to the AP address",
    ),
    _R.RING_FULL: Words(
        "ring full",
        "{0} bytes, {1} unread at {receiver}",
        "read faster, or ESPNow.config(rxbuf=...) before active(True)",
    ),
    _R.NO_KEY: Words(
        "no key for this peer",
        "{receiver} has not registered {sender} with a key",
        "add_peer(mac, lmk) on the receiver, with the sender's address and the same key",
    ),
    _R.WRONG_KEY: Words(
        "wrong key",
        "{receiver} has another LMK or PMK for {sender}",
        "the same lmk in add_peer and the same set_pmk on both, set_pmk first",
    ),
    _R.PLAIN_FROM_ENCRYPTED: Words(
        "plain message from an encrypted peer",
        "{sender} sends without a key, {receiver} has registered one",
        "add_peer(mac, lmk) on the sender, too",
    ),
    _R.TOO_LONG: Words(
        "longer than the receiver accepts",
        "{0} bytes, and {receiver} takes {1}",
        "send shorter messages to boards with ESP-NOW of version 1",
    ),
    _R.MALFORMED: Words(
        "malformed",
        "{receiver} could make nothing of the frame",
        "look at it with --log or --pcap",
    ),
    _R.DUPLICATE: Words(
        "taken for a duplicate",
        "{receiver} had just heard a frame with the same random value",
        "look at it with --log or --pcap",
    ),
    _R.REJECTED: Words("rejected", "{receiver} dropped it: {0}", "look at it with --log or --pcap"),
    _R.UNREAD: Words(
        "never read",
        "it waits in the ring of {receiver}, whose program {0}",
        "call recv, irecv or recvinto; in a loop, until any() is False",
    ),
    _R.DISCARDED: Words(
        "thrown away unread",
        "it was in the ring of {receiver} when {0}",
        "read what waits before active(False), a restart or a sleep; buffers of recvinto hold 250 bytes",
    ),
    _R.ACK_LOST: Words(
        "it arrived, its acknowledgement did not",
        "send said False, and {receiver} has the message{0}",
        "number the messages, so that the receiver knows what was sent twice",
    ),
    _R.BUSY: Words(
        "the channel was busy",
        "no turn to send for {0} ms",
        "send less, or shorter messages",
    ),
    _R.SENDER_OFF: Words(
        "Wi-Fi of the sender went off",
        "{sender} switched it off, slept or restarted before the message left",
        "wait for the answer: send(mac, msg) without sync=False, before active(False) or a sleep",
    ),
    _R.SENDER_SLEPT: Words(
        "mute since it slept with Wi-Fi active",
        "{sender} went to sleep without active(False)",
        "before sleeping, WLAN.active(False); after waking, active(True) and the settings again",
    ),
    _R.NOT_INIT: Words(
        "send refused, ESP_ERR_ESPNOW_NOT_INIT",
        "ESP-NOW is not active on {sender}{0}",
        "ESPNow().active(True) and add_peer first; a soft reset ends both, and leaves Wi-Fi as it is",
    ),
    _R.NOT_FOUND: Words(
        "send refused, ESP_ERR_ESPNOW_NOT_FOUND",
        "{sender} has not registered {0}",
        "add_peer(mac) before send, the broadcast address included; active(False) and resets forget peers",
    ),
    _R.CHAN: Words(
        "send refused, ESP_ERR_ESPNOW_CHAN",
        "the peer is registered on channel {0}, the radio of {sender} is on {1}",
        "add_peer without a channel (0 is the current one), or WLAN.config(channel=...)",
    ),
    _R.IF: Words(
        "send refused, ESP_ERR_ESPNOW_IF",
        "the peer is registered on the {0} interface of {sender}, which is off",
        "make that interface active, or add_peer(mac, ifidx=...) with the other one",
    ),
    _R.NO_MEM: Words(
        "send refused, ESP_ERR_ESPNOW_NO_MEM",
        "the queue of {sender} had no room for 2 s",
        "send less, or wait for answers (sync=True)",
    ),
    _R.ARG: Words(
        "send refused, ESP_ERR_ESPNOW_ARG",
        "{0} bytes, and a message has 1 to {1}",
        "split the message",
    ),
    _R.REFUSED: Words("send refused", "{0}", "see the traceback of the program"),
}


def words(reason: LossReason) -> Words:
    """Return what is said of a reason."""
    return _WORDS[reason]


#: What ESP-NOW's errors mean, and what to do.
_ERRORS: dict[EspNowCode, str] = {
    EspNowCode.NOT_INIT: "ESP-NOW is not active: ESPNow().active(True) first, after a soft reset, too",
    EspNowCode.ARG: "an argument that cannot be: no message or one that is too long, a key for a group address",
    EspNowCode.NO_MEM: "the radio's queue had no room for 2 s: send less, or wait for the answers",
    EspNowCode.FULL: "20 peers, 6 of them encrypted, are all that fit: del_peer those that are not needed",
    EspNowCode.NOT_FOUND: "the peer is not registered: add_peer first, the broadcast address included",
    EspNowCode.INTERNAL: "the library failed, and does not say why",
    EspNowCode.EXIST: "the peer is registered already: get_peers() tells, mod_peer changes it",
    EspNowCode.IF: "the interface of the peer is off: WLAN.active(True), or add_peer(mac, ifidx=...)",
    EspNowCode.CHAN: "the channel of the peer is not the radio's: add_peer without a channel, or change the radio's",
}

#: An ESP8266 has numbers of its own for the same errors, which begin with NOT_INIT. Assumed but for that one.
_ESP8266_OFFSET = EspNowCode.NOT_INIT - 869


def describe_error(number: object) -> str | None:
    """Return what an error of ESP-NOW means and what to do, by the number in its exception; None for others."""
    if not isinstance(number, int):
        return None
    for code, text in _ERRORS.items():
        if -number == code or number == code - _ESP8266_OFFSET:
            return text
    return None
