"""Checks of what a radio does in the course of its life: other settings, loss, much to do, and its end."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

from espnow.errors import LinkFull
from espnow.frame import BROADCAST
from espnow.link import Outcome
from espnow.testing.kit.check import check, collect
from espnow.testing.kit.stage import NOBODY, Probe, Skip, Stage, expect

__all__ = ["CHECKS"]

_ACKNOWLEDGED = Outcome.ACKNOWLEDGED
_SENDS = ("sends",)
_ANSWERS = ("sends", "acknowledges", "tells_outcome")


def _fill(probe: Probe, destination: bytes, count: int, message: bytes = b"x") -> list[int]:
    """Send as many frames as a link takes, at most so many, and return their tokens."""
    tokens: list[int] = []
    with probe.opened.lock:
        for _ in range(count):
            try:
                tokens.append(probe.send(destination, message))
            except LinkFull:
                break
    return tokens


@check(needs=_SENDS)
def the_channel_may_change_with_frames_under_way(stage: Stage) -> None:
    """Whatever is configured while frames are under way, each is answered, and the radio works as it was told last."""
    probe = stage.probe(attempts=2)
    listener = stage.probe() if stage.rig.links > 1 else None
    tokens: list[int] = []
    for number in range(12):
        tokens += _fill(probe, NOBODY if number % 2 else BROADCAST, 4)
        probe.configure(channel=stage.other_channel if number % 3 else stage.channel, attempts=1 + number % 2)
    stage.await_answers(probe, tokens)
    for channel in (stage.other_channel, stage.channel) if listener is not None else ():
        assert listener is not None
        for one in (probe, listener):
            one.configure(channel=channel)
        probe.send(BROADCAST, b"now on %d" % channel)
        stage.await_message(b"now on %d" % channel, listener)


@check(needs=_SENDS)
def frames_are_answered_when_it_is_switched_off(stage: Stage) -> None:
    """A radio that is switched off answers what still waits, sends it no more, and works when it is on again."""
    probe = stage.probe(attempts=2)
    listener = stage.probe(promiscuous=stage.abilities.promiscuous) if stage.rig.links > 1 else None
    for destination in (NOBODY, BROADCAST):
        message = b"to " + destination
        with probe.opened.lock:  # so that they wait
            tokens = _fill(probe, destination, 10, message)
            probe.configure(addresses=(), channel=stage.channel, receiver_on=False)
        stage.rig.deliver()
        left = 0 if listener is None else listener.messages.count(message)
        stage.await_answers(probe, tokens)
        probe.configure(channel=stage.channel, attempts=2)
        stage.await_answers(probe, [probe.send(BROADCAST, b"on after " + message)])
        if listener is not None:
            stage.await_message(b"on after " + message, listener)
            late = [heard for heard in listener.heard if heard.message == message][left:]
            # One may have been on the air when it was switched off.
            expect(
                len(late) <= 1 and not any(heard.retry for heard in late),
                f"switched off, it went on to send: what waited was heard {len(late)} times, "
                f"{sum(heard.retry for heard in late)} of them repetitions",
            )


@check(links=2, needs=_ANSWERS)
def accounts_hold_when_frames_are_lost(stage: Stage) -> None:
    """With loss, what is acknowledged was heard, repetitions have the Retry bit, and attempts are as they were told."""
    sender, receiver = stage.probe(), stage.probe()
    if not stage.rig.set_loss(0.3):
        raise Skip("the rig cannot lose frames")
    sender.configure(channel=stage.channel, attempts=3)
    frames = [sender.frame(receiver.address, b"%d" % number) for number in range(60)]
    tokens = stage.send_all(sender, frames)
    answers = stage.await_answers(sender, tokens)
    stage.rig.set_loss(0.0)
    sender.send(receiver.address, b"last")
    stage.await_message(b"last", receiver)
    counts = Counter(receiver.messages)
    outcomes = Counter(answer.outcome for answer in answers)
    expect(len(outcomes) == 2, f"3 of 10 frames are lost, and all were {answers[0].outcome.value}")
    for number, answer in enumerate(answers):
        if answer.outcome is _ACKNOWLEDGED:
            expect(counts[b"%d" % number], f"frame {number} was acknowledged, and never handed up")
        if stage.abilities.tells_attempts:
            expect(1 <= answer.attempts <= 3, f"told to try 3 times, it tried frame {number} {answer.attempts} times")
    if stage.abilities.tells_attempts and stage.abilities.retries:
        given_up = {answer.attempts for answer in answers if answer.outcome is not _ACKNOWLEDGED}
        expect(3 in given_up, f"told to try 3 times, it gave up after {sorted(given_up)} attempts")
    _expect_retries(receiver)


def _expect_retries(receiver: Probe) -> None:
    """Let a check fail if a message was handed up again that was not sent again."""
    seen: set[bytes | None] = set()
    for heard in receiver.heard:
        expect(heard.message not in seen or heard.retry, f"{heard.message!r} came again without the Retry bit")
        seen.add(heard.message)


@check(links=2, needs=_ANSWERS)
def much_in_both_directions_is_accounted_for(stage: Stage) -> None:
    """With many frames in both directions at once, each is answered once and heard once, in order."""
    pair = [stage.probe(), stage.probe()]
    count = 60
    frames = [
        [sender.frame(receiver.address, b"%d" % number) for number in range(count)]
        for sender, receiver in (pair, pair[::-1])
    ]
    tokens: list[list[int]] = [[], []]
    for start in range(0, count, 20):
        for which in (0, 1):
            tokens[which] += stage.send_all(pair[which], frames[which][start : start + 20])
    for which in (0, 1):
        answers = stage.await_answers(pair[which], tokens[which])
        lost = [number for number, answer in enumerate(answers) if answer.outcome is not _ACKNOWLEDGED]
        expect(len(lost) <= count // 4, f"{len(lost)} of {count} frames were not acknowledged, with nothing in the way")
        receiver = pair[1 - which]
        missing = stage.missing({b"%d" % number for number in range(count) if number not in lost}, receiver)
        expect(not missing, f"frames {sorted(missing)} were acknowledged, and not heard")
        _expect_retries(receiver)
        heard = list(dict.fromkeys(message for message in receiver.messages if message is not None))
        expect(heard == sorted(heard, key=int), f"frames were heard in another order: {heard}")


@check(needs=_SENDS)
def a_station_may_send_from_inside_a_call(stage: Stage) -> None:
    """A station may send and configure from inside `outcome` and `received`; what that leads to comes later."""
    probe = stage.probe(attempts=1)
    other = stage.probe() if stage.rig.links > 1 else None

    def go_on() -> None:
        if len(probe.handed_us) < 9:
            probe.configure(channel=stage.channel, attempts=1)
            probe.send(NOBODY if len(probe.handed_us) % 2 else BROADCAST, b"next")

    probe.on_answer = go_on
    if other is not None:
        other.on_heard = lambda: _reply(other)
    probe.send(BROADCAST, b"first")
    expect(
        stage.rig.run_until(lambda: len(probe.answers) == 9),
        f"a frame was to be sent at each of 8 answers, and {len(probe.answers)} of 9 frames were answered",
    )
    if other is not None:
        stage.await_message(b"reply", probe)


def _reply(probe: Probe) -> None:
    try:
        probe.send(BROADCAST, b"reply")
    except LinkFull:
        pass


@check(links=3, needs=_ANSWERS)
def others_go_on_when_one_closes(stage: Stage) -> None:
    """A radio that is closed in the middle of its work harms no other, and answers nothing any more."""
    left, right, leaving = stage.probe(attempts=3), stage.probe(), stage.probe()
    _fill(leaving, left.address, 10)
    tokens = _fill(left, leaving.address, 5)
    stage.await_answers(left, tokens[:1])
    leaving.close()
    stage.await_answers(left, tokens)
    stage.expect_unanswered(left, leaving.address, when="from a radio that is closed")
    stage.expect_acknowledged(left, right.address, b"x", when="after another radio was closed")


@check()
def closing_ends_all_calls(stage: Stage) -> None:
    """After `close` the station is never called, whatever waits; a second `close` does nothing."""
    speaker = stage.speaker() if stage.rig.spoken_rates else None
    other = stage.probe() if stage.rig.links > 1 and stage.abilities.sends else None
    probe = stage.probe()
    with probe.opened.lock:  # what it lives by goes on, and would call it
        tokens = _fill(probe, NOBODY, 10) + _fill(probe, BROADCAST, 10)
        probe.close_link()
        heard, answered = len(probe.heard), len(probe.answers)
        probe.link.close()
    if other is not None:  # as long as the first of its own would take
        stage.await_answers(other, stage.send(other, NOBODY, probe.address, BROADCAST))
    elif speaker is not None:
        for destination in (probe.address, BROADCAST):
            speaker.tell(b"anybody there?", destination)
    stage.rig.settle()
    expect(len(probe.heard) == heard, "a link that is closed handed up a frame")
    expect(len(probe.answers) == answered, f"a link that is closed answered {len(probe.answers) - answered} frames")
    expect(answered <= len(tokens), "more answers than frames")


@check()
def it_may_be_closed_from_inside_a_call(stage: Stage) -> None:
    """A station may close its link from inside `received`; nothing is called then, whatever else was there."""
    speaker = stage.speaker()
    listener = stage.probe()
    listener.on_heard = listener.close_link
    with listener.opened.lock:  # so that several wait
        for number in range(4):
            speaker.tell(b"%d" % number)
    expect(stage.rig.run_until(lambda: listener.closed), "a frame to a group was not heard")
    stage.rig.settle()
    expect(len(listener.heard) == 1, f"closed when it heard the first frame, it heard {len(listener.heard)}")


@check()
def closing_gives_everything_back(stage: Stage) -> None:
    """A radio that is closed leaves no descriptor and no thread, and can be opened again."""
    before = None
    for _ in range(3):
        probe = stage.probe()
        _fill(probe, BROADCAST, 3)
        stage.rig.settle()
        probe.close()
        left = _descriptors(), threading.active_count()
        expect(
            before is None or left == before,
            f"each radio that is opened and closed leaves something: (descriptors, threads) were {before}, now {left}",
        )
        before = left


def _descriptors() -> int:
    """Return how many descriptors are open; 0 where the system does not tell."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


@check()
def a_radio_that_works_has_no_trouble(stage: Stage) -> None:
    """A radio with which nothing is wrong says so, before, while and after it is used."""
    probe = stage.silent_probe()
    for receiver_on in (None, True, False, True):
        if receiver_on is not None:
            probe.configure(channel=stage.channel, receiver_on=receiver_on)
            _fill(probe, BROADCAST, 2)
            stage.rig.settle()
        trouble = probe.link.trouble
        expect(trouble is None, f"nothing is wrong, and its trouble is {trouble!r}")
    expect(probe.link.abilities == stage.abilities, "its abilities are not those that it had before")


#: The checks of this file.
CHECKS = collect(globals())
