"""Checks of what a radio does with the frames that it is given."""

from __future__ import annotations

from espnow.errors import LinkFull
from espnow.frame import BROADCAST
from espnow.link import Interface, Outcome
from espnow.testing.kit.check import check, collect
from espnow.testing.kit.stage import NOBODY, Probe, Skip, Stage, expect

__all__ = ["CHECKS"]

_ACKNOWLEDGED = Outcome.ACKNOWLEDGED
_NOT_ACKNOWLEDGED = Outcome.NOT_ACKNOWLEDGED
#: More frames than any queue should hold.
_MANY = 5_000
_SENDS = ("sends",)
_TELLS = ("sends", "tells_outcome")
_ANSWERS = ("sends", "acknowledges", "tells_outcome")


@check(needs=_SENDS)
def each_frame_is_answered_once(stage: Stage) -> None:
    """Each frame that was taken gets one answer, whatever becomes of it."""
    probe = stage.probe()
    frames = [probe.frame(BROADCAST if number % 2 else NOBODY, bytes((number,))) for number in range(8)]
    stage.await_answers(probe, stage.send_all(probe, frames))
    stage.rig.settle()


@check()
def a_radio_that_does_not_send_answers_all_the_same(stage: Stage) -> None:
    """What a radio cannot send it answers as not acknowledged, or as unknown."""
    if stage.abilities.sends:
        raise Skip("the radio sends")
    probe = stage.probe()
    tokens = stage.send(probe, BROADCAST, NOBODY)
    for answer in stage.await_answers(probe, tokens):
        expect(answer.outcome is not _ACKNOWLEDGED, f"it sends nothing, and says {answer.outcome.value}")


@check(needs=_SENDS)
def answers_come_later(stage: Stage) -> None:
    """An answer never comes from inside `transmit`."""
    probe = stage.probe()
    for number in range(6):
        with probe.opened.lock:
            before = len(probe.answers)
            try:
                probe.send(BROADCAST if number % 2 else NOBODY)
            except LinkFull:
                pass
            expect(len(probe.answers) == before, f"transmit answered {len(probe.answers) - before} frames from inside")
        if number > 2:
            stage.await_answers(probe, probe.handed_us)


@check(needs=_SENDS)
def a_full_queue_refuses_and_recovers(stage: Stage) -> None:
    """A link that is full raises LinkFull, never answers what it refused, answers what it took, and takes more then."""
    probe = stage.probe(attempts=1)
    with probe.opened.lock:
        tokens: list[int] = []
        refused = 0
        for _ in range(_MANY):
            try:
                tokens.append(probe.send())
            except LinkFull:
                refused += 1
                if refused == 3:
                    break
    expect(tokens, "a link that has nothing to do is full")
    stage.await_answers(probe, tokens)
    if refused:
        stage.await_answers(probe, [probe.send()])


@check(needs=_SENDS)
def frames_for_groups_are_sent_once(stage: Stage) -> None:
    """A frame for a group is sent once, and its answer is that it went out: nobody acknowledges it."""
    probe = stage.probe(attempts=5)
    if stage.rig.links > 1:
        stage.probe()
    for answer in stage.await_answers(probe, stage.send(probe, BROADCAST, b"\x01\x00\x5e\x00\x00\x01")):
        expect(
            answer.outcome is _ACKNOWLEDGED and answer.attempts == 1,
            f"a frame for a group was answered: {answer.outcome.value} after {answer.attempts} attempts",
        )


@check(links=2, needs=_ANSWERS)
def unicast_is_acknowledged(stage: Stage) -> None:
    """A unicast frame is acknowledged by the radio that has its address, and its sender is told."""
    sender, receiver = stage.probe(), stage.probe()
    for number in range(3):
        message = bytes((number,))
        answer = stage.expect_acknowledged(sender, receiver.address, message, when="with nothing in the way")
        _check_attempts(stage, sender, answer.attempts)
        stage.await_message(message, receiver)


@check(needs=_SENDS)
def nobody_acknowledges_for_nobody(stage: Stage) -> None:
    """A frame for an address that nobody has is never told to be acknowledged."""
    sender = stage.probe(attempts=2)
    if stage.rig.links > 1:
        stage.probe(promiscuous=stage.abilities.promiscuous)
    for answer in stage.await_answers(sender, stage.send(sender, NOBODY, NOBODY, NOBODY)):
        expect(answer.outcome is not _ACKNOWLEDGED, "a frame for nobody was acknowledged")
        if stage.abilities.tells_outcome:
            expect(answer.outcome is _NOT_ACKNOWLEDGED, f"a frame for nobody was {answer.outcome.value}")


@check(needs=(*_TELLS, "tells_attempts"))
def it_tries_as_often_as_it_is_told(stage: Stage) -> None:
    """A frame that nobody acknowledges is tried as often as `RadioConfig.attempts` says, or once without retries."""
    sender = stage.probe()
    listener = stage.probe(promiscuous=True) if stage.rig.links > 1 and stage.abilities.promiscuous else None
    for limit in (1, 3, 2):
        sender.configure(channel=stage.channel, attempts=limit)
        wanted = limit if stage.abilities.retries else 1
        told: list[int] = []
        while wanted not in told and len(told) < stage.rig.tries:  # one that is late may have no time for all
            message = b"%d of %d" % (len(told), limit)
            (answer,) = stage.await_answers(sender, [sender.send(NOBODY, message)])
            told.append(answer.attempts)
            expect(
                answer.attempts <= wanted, f"told to try {limit} times, it says that it tried {answer.attempts} times"
            )
            if listener is not None:
                stage.await_answers(sender, [sender.send(BROADCAST, b"after " + message)])
                stage.await_message(b"after " + message, listener)
                heard = listener.messages.count(message)
                expect(
                    heard >= answer.attempts,
                    f"it says that it tried {answer.attempts} times, and was heard {heard} times",
                )
        expect(wanted in told, f"told to try {limit} times, it says that it tried {told} times")


@check(links=2, needs=_ANSWERS)
def what_is_off_does_not_answer(stage: Stage) -> None:
    """A radio whose receiver is off acknowledges nothing, and does so again when it is on."""
    sender, receiver = stage.probe(attempts=2), stage.probe()
    for _ in range(2):
        receiver.configure(channel=stage.channel)
        stage.expect_acknowledged(sender, receiver.address, b"x", when="while the receiver is on")
        receiver.configure(channel=stage.channel, receiver_on=False)
        stage.expect_unanswered(sender, receiver.address, when="while the receiver is off")


@check(links=2, needs=_ANSWERS)
def another_channel_does_not_answer(stage: Stage) -> None:
    """A radio on another channel acknowledges nothing."""
    sender, receiver = stage.probe(attempts=2), stage.probe(channel=stage.other_channel)
    stage.expect_unanswered(sender, receiver.address, when="from another channel")
    sender.configure(channel=stage.other_channel, attempts=2)
    stage.expect_acknowledged(sender, receiver.address, b"x", when="on the same channel")


@check(links=2, needs=_ANSWERS)
def each_address_is_answered_for(stage: Stage) -> None:
    """A radio acknowledges for each of its addresses, those that it has now, and sends from each."""
    sender, receiver = stage.probe(attempts=2), stage.probe()
    first, second, third = (bytes((2, 0xE5, 0x90, 0, 1, number)) for number in (1, 2, 3))
    for addresses in ((first, second), (second,), (third, first), (receiver.address,)):
        interfaces = tuple(zip(Interface, addresses, strict=False))
        receiver.configure(channel=stage.channel, addresses=interfaces)
        when = f"with the addresses {' and '.join(address.hex(':') for address in addresses)}"
        for address in (first, second, third, receiver.address):
            to = f"{when}, for {address.hex(':')},"
            if address in addresses:
                stage.expect_acknowledged(sender, address, b"x", when=to)
            else:
                stage.expect_unanswered(sender, address, when=to)
        for address in addresses:
            message = b"from " + address
            stage.await_answers(receiver, [receiver.transmit(receiver.frame(sender.address, message, source=address))])
            stage.await_message(message, sender)
            source = next(heard.mpdu[10:16] for heard in sender.heard if heard.message == message)
            expect(source == address, f"{when}, a frame from {address.hex(':')} came from {source.hex(':')}")


@check(links=2, needs=_ANSWERS)
def it_answers_without_ever_sending(stage: Stage) -> None:
    """A radio acknowledges for a station that never sent anything, and while the process computes."""
    sender, receiver = stage.probe(), stage.probe()
    with stage.rig.computing():
        tokens = stage.send_all(sender, [sender.frame(receiver.address, bytes((number,))) for number in range(20)])
        answers = stage.await_answers(sender, tokens)
    acknowledged = sum(answer.outcome is _ACKNOWLEDGED for answer in answers)
    expect(acknowledged >= 15, f"{acknowledged} of {len(answers)} frames were acknowledged")


@check(links=2, needs=("sends",))
def what_does_not_acknowledge_says_so(stage: Stage) -> None:
    """A radio that declares that it does not acknowledge is heard to fail, rather than to succeed."""
    if stage.abilities.acknowledges:
        raise Skip("the radio acknowledges")
    sender, receiver = stage.probe(attempts=2), stage.probe()
    (answer,) = stage.await_answers(sender, [sender.send(receiver.address, b"unanswered")])
    stage.await_message(b"unanswered", receiver)
    expect(answer.outcome is not _ACKNOWLEDGED, "it acknowledges, and declares that it does not")


@check(links=2, needs=_SENDS)
def frames_leave_in_their_order(stage: Stage) -> None:
    """Frames of one station leave in the order given, unicast and groups alike."""
    sender, receiver = stage.probe(), stage.probe()
    frames = [sender.frame(receiver.address if number % 3 else BROADCAST, b"%d" % number) for number in range(24)]
    stage.await_answers(sender, stage.send_all(sender, frames))
    stage.await_message(b"23", receiver)
    numbers = [int(message) for message in receiver.messages if message is not None]
    first = sorted(set(numbers), key=numbers.index)
    expect(first == sorted(first), f"frames that were given as 0, 1, 2, ... were heard as {first}")


@check(needs=_SENDS)
def what_is_off_sends_nothing(stage: Stage) -> None:
    """What is handed to a radio that is off is answered, not as acknowledged, and nobody hears it."""
    sender = stage.probe()
    listener = stage.probe() if stage.rig.links > 1 else None
    sender.configure(addresses=(), channel=stage.channel, receiver_on=False)
    tokens = stage.send(sender, NOBODY if listener is None else listener.address, BROADCAST)
    for answer, to in zip(stage.await_answers(sender, tokens), ("a station", "a group"), strict=True):
        expect(answer.outcome is not _ACKNOWLEDGED, f"a radio that is off says that it sent a frame to {to}")
    if listener is not None:
        sender.configure(channel=stage.channel)
        sender.send(BROADCAST, b"on again")
        stage.await_message(b"on again", listener)
        expect(listener.messages == [b"on again"], f"a radio that is off was heard: {listener.messages}")


def _check_attempts(stage: Stage, sender: Probe, attempts: int) -> None:
    assert sender.config is not None
    if stage.abilities.tells_attempts:
        most = sender.config.attempts if stage.abilities.retries else 1
        expect(1 <= attempts <= most, f"told to try {most} times at most, it says that it tried {attempts} times")


#: The checks of this file.
CHECKS = collect(globals())
