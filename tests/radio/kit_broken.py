"""Broken links, and which check is about what each of them does wrong."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from typing import Any

from espnow.errors import FrameError, LinkFull
from espnow.frame import LR_RATES, parse
from espnow.link import Outcome, RadioConfig
from espnow.radio.loop import RadioLoop

from .kit_links import ACTION, GoodLink, Medium

#: The check that must fail, and the link.
MUTANTS: list[tuple[str, type[GoodLink]]] = []


def breaks(*names: str) -> Any:
    def note(kind: type[GoodLink]) -> type[GoodLink]:
        MUTANTS.extend((name, kind) for name in names)
        return kind

    return note


@breaks("each_frame_is_answered_once")
class AnswersTwice(GoodLink):
    def answer(self, token: int, outcome: Outcome, attempts: int) -> None:
        super().answer(token, outcome, attempts)
        if token == 5:
            self.clock.call_at(self.clock.now_us + 50, lambda: GoodLink.answer(self, token, outcome, attempts))


@breaks("each_frame_is_answered_once")
class ForgetsOne(GoodLink):
    def answer(self, token: int, outcome: Outcome, attempts: int) -> None:
        if token != 5:
            super().answer(token, outcome, attempts)


@breaks("each_frame_is_answered_once")
class AnswersAnother(GoodLink):
    def answer(self, token: int, outcome: Outcome, attempts: int) -> None:
        super().answer(token + (token == 8), outcome, attempts)


@breaks("a_radio_that_does_not_send_answers_all_the_same")
class OnlyPretendsToSend(GoodLink):
    abilities = replace(GoodLink.abilities, sends=False)

    def end(self, attempt: int, rate: int) -> None:
        self.finish(Outcome.ACKNOWLEDGED, 1)


@breaks("answers_come_later")
class AnswersAtOnce(GoodLink):
    def transmit(self, mpdu: bytes, token: int) -> None:
        if mpdu[4] & 1 and not self.queue:
            self.answer(token, Outcome.ACKNOWLEDGED, 1)
        else:
            super().transmit(mpdu, token)


@breaks("a_full_queue_refuses_and_recovers")
class AnswersWhatItRefused(GoodLink):
    def transmit(self, mpdu: bytes, token: int) -> None:
        try:
            super().transmit(mpdu, token)
        except LinkFull:
            self.clock.call_at(0, lambda: self.answer(token, Outcome.NOT_ACKNOWLEDGED, 0))
            raise


@breaks("a_full_queue_refuses_and_recovers")
class FullForEver(GoodLink):
    def transmit(self, mpdu: bytes, token: int) -> None:
        try:
            super().transmit(mpdu, token)
        except LinkFull:
            self.queue_frames = 0
            raise


@breaks("a_full_queue_refuses_and_recovers")
class DropsTheLast(GoodLink):
    def transmit(self, mpdu: bytes, token: int) -> None:
        if len(self.queue) < self.queue_frames:
            super().transmit(mpdu, token)


@breaks("frames_for_groups_are_sent_once")
class CountsGroupsLikeUnicast(GoodLink):
    def answer(self, token: int, outcome: Outcome, attempts: int) -> None:
        super().answer(token, outcome, self.config.attempts)


@breaks("frames_for_groups_are_sent_once")
class ExpectsGroupsToAnswer(GoodLink):
    def end(self, attempt: int, rate: int) -> None:
        if self.queue[0][0][4] & 1:
            self.finish(Outcome.NOT_ACKNOWLEDGED, 1)
        else:
            super().end(attempt, rate)


@breaks("unicast_is_acknowledged")
class AcknowledgesNothing(GoodLink):
    def answers(self, mpdu: bytes, channel: int) -> bool:
        return False


@breaks("nobody_acknowledges_for_nobody")
class AlwaysContent(GoodLink):
    def answer(self, token: int, outcome: Outcome, attempts: int) -> None:
        super().answer(token, Outcome.ACKNOWLEDGED, attempts)


@breaks("nobody_acknowledges_for_nobody")
class AcknowledgesForOthers(GoodLink):
    def answers(self, mpdu: bytes, channel: int) -> bool:
        return super().answers(mpdu, channel) or (self.config.promiscuous and self.is_on(channel))


@breaks("nobody_acknowledges_for_nobody")
class NeverSure(GoodLink):
    def answer(self, token: int, outcome: Outcome, attempts: int) -> None:
        super().answer(token, Outcome.UNKNOWN if outcome is Outcome.NOT_ACKNOWLEDGED else outcome, attempts)


@breaks("it_tries_as_often_as_it_is_told")
class TriesSevenTimes(GoodLink):
    def configure(self, config: RadioConfig) -> None:
        super().configure(replace(config, attempts=7))


@breaks("it_tries_as_often_as_it_is_told")
class TriesOnPaper(GoodLink):
    """Tells as many attempts as it should make, and makes one."""

    def begin(self, attempt: int) -> None:
        super().begin(self.config.attempts)


@breaks("what_is_off_does_not_answer")
class AnswersInItsSleep(GoodLink):
    def answers(self, mpdu: bytes, channel: int) -> bool:
        return mpdu[4:10] in self.addresses and self.config.channel == channel

    def hears(self, mpdu: bytes, channel: int) -> bool:
        return self.answers(mpdu, channel) or super().hears(mpdu, channel)

    def hand_up(self, mpdu: bytes, channel: int, rate: int) -> None:
        if self.config.receiver_on:
            super().hand_up(mpdu, channel, rate)


@breaks("another_channel_does_not_answer")
class AnswersOnEveryChannel(GoodLink):
    def answers(self, mpdu: bytes, channel: int) -> bool:
        return super().answers(mpdu, self.config.channel)

    def hears(self, mpdu: bytes, channel: int) -> bool:
        return self.answers(mpdu, channel) or super().hears(mpdu, channel)

    def hand_up(self, mpdu: bytes, channel: int, rate: int) -> None:
        if channel == self.config.channel:
            super().hand_up(mpdu, channel, rate)


@breaks("each_address_is_answered_for")
class AnswersForTheFirstAddress(GoodLink):
    def configure(self, config: RadioConfig) -> None:
        super().configure(config)
        del self.addresses[1:]


@breaks("each_address_is_answered_for")
class AnswersForOldAddresses(GoodLink):
    def configure(self, config: RadioConfig) -> None:
        old = self.addresses
        super().configure(config)
        self.addresses += old


@breaks("each_address_is_answered_for")
class SendsFromTheFirstAddress(GoodLink):
    def transmit(self, mpdu: bytes, token: int) -> None:
        super().transmit(mpdu[:10] + self.addresses[0] + mpdu[16:] if self.addresses else mpdu, token)


@breaks("it_answers_without_ever_sending")
class AnswersOnceItHasSent(GoodLink):
    def answers(self, mpdu: bytes, channel: int) -> bool:
        return self.sent_anything and super().answers(mpdu, channel)


@breaks("what_does_not_acknowledge_says_so")
class SaysThatItDoesNotAcknowledge(GoodLink):
    abilities = replace(GoodLink.abilities, acknowledges=False)


@breaks("frames_leave_in_their_order")
class GroupsGoFirst(GoodLink):
    def transmit(self, mpdu: bytes, token: int) -> None:
        super().transmit(mpdu, token)
        if mpdu[4] & 1 and len(self.queue) > 2:
            self.queue.insert(1, self.queue.pop())


@breaks("what_is_off_sends_nothing", "frames_are_answered_when_it_is_switched_off")
class SendsWhileOff(GoodLink):
    def may_send(self) -> bool:
        return True


@breaks("what_is_off_sends_nothing")
class SaysThatGroupsWentOut(GoodLink):
    def finish(self, outcome: Outcome, attempts: int) -> None:
        super().finish(Outcome.ACKNOWLEDGED if self.queue[0][0][4] & 1 else outcome, attempts)


@breaks("groups_are_heard_by_all")
class OneHearsGroups(GoodLink):
    def hears(self, mpdu: bytes, channel: int) -> bool:
        return super().hears(mpdu, channel) and (not mpdu[4] & 1 or self is self.medium.links[1])


@breaks("groups_are_heard_by_all")
class HearsBroadcastOnly(GoodLink):
    def hears(self, mpdu: bytes, channel: int) -> bool:
        return super().hears(mpdu, channel) and mpdu[4] != 1


@breaks("unicast_is_heard_by_its_addressee")
class AcknowledgesAndForgets(GoodLink):
    def hand_up(self, mpdu: bytes, channel: int, rate: int) -> None:
        if mpdu[4] & 1:
            super().hand_up(mpdu, channel, rate)


@breaks("own_frames_are_not_heard")
class HearsItself(GoodLink):
    def end(self, attempt: int, rate: int) -> None:
        if self.config.promiscuous:
            self.hand_up(self.queue[0][0], self.config.channel, rate)
        super().end(attempt, rate)


@breaks("other_channels_are_not_heard")
class HearsEveryChannel(GoodLink):
    def hears(self, mpdu: bytes, channel: int) -> bool:
        return super().hears(mpdu, self.config.channel)

    def hand_up(self, mpdu: bytes, channel: int, rate: int) -> None:
        super().hand_up(mpdu, self.config.channel, rate)


@breaks("each_channel_works")
class StaysOnItsChannel(GoodLink):
    def configure(self, config: RadioConfig) -> None:
        super().configure(replace(config, channel=min(config.channel, 13)))


@breaks("each_channel_works")
class TellsChannelOne(GoodLink):
    def hand_up(self, mpdu: bytes, channel: int, rate: int) -> None:
        super().hand_up(mpdu, 1, rate)


@breaks("nothing_is_heard_while_it_is_off")
class HearsInItsSleep(GoodLink):
    def is_on(self, channel: int) -> bool:
        return self.configured and self.config.channel == channel


@breaks("nothing_is_heard_while_it_is_off")
class KeepsForLater(GoodLink):
    """As a socket does that nobody reads meanwhile."""

    def __init__(self, medium: Medium) -> None:
        super().__init__(medium)
        self.kept: list[tuple[bytes, int, int]] = []

    def hears(self, mpdu: bytes, channel: int) -> bool:
        heard = super().hears(mpdu, channel)
        if self.configured and not self.config.receiver_on:
            self.kept.append((mpdu, channel, 0))
        return heard

    def configure(self, config: RadioConfig) -> None:
        super().configure(config)
        while self.kept and config.receiver_on:
            self.hand_up(*self.kept.pop(0))


@breaks("nothing_happens_before_the_first_configure")
class Eager(GoodLink):
    def is_on(self, channel: int) -> bool:
        return super().is_on(channel) or not self.configured


@breaks("a_promiscuous_radio_hears_what_is_for_others")
class SaysThatItIsPromiscuous(GoodLink):
    def configure(self, config: RadioConfig) -> None:
        super().configure(replace(config, promiscuous=False))


@breaks("the_longest_frame_passes")
class CutsLongFrames(GoodLink):
    def hand_up(self, mpdu: bytes, channel: int, rate: int) -> None:
        super().hand_up(mpdu[:1500], channel, rate)


@breaks("the_longest_frame_passes")
class LosesLongFrames(GoodLink):
    def hears(self, mpdu: bytes, channel: int) -> bool:
        return super().hears(mpdu, channel) and len(mpdu) < 1500


@breaks("rates_are_told")
class KnowsOneRate(GoodLink):
    def hand_up(self, mpdu: bytes, channel: int, rate: int) -> None:
        super().hand_up(mpdu, channel, 0)


@breaks("groups_have_a_rate_of_their_own")
class SendsGroupsLikeUnicast(GoodLink):
    def rate_of(self, mpdu: bytes) -> int:
        return self.config.rate


@breaks("wi_fis_own_frames_are_sent_slowly")
class SendsAllAlike(GoodLink):
    def rate_of(self, mpdu: bytes) -> int:
        return self.config.group_rate if mpdu[4] & 1 else self.config.rate


@breaks("wi_fis_own_frames_are_sent_slowly")
class KeepsWiFisOwn(GoodLink):
    """Hands up nothing but action frames."""

    def hand_up(self, mpdu: bytes, channel: int, rate: int) -> None:
        if mpdu[0] == ACTION:
            super().hand_up(mpdu, channel, rate)


@breaks("long_range_needs_its_protocol")
class HearsLongRangeAlways(GoodLink):
    def decodes(self, rate: int) -> bool:
        return True


@breaks("long_range_needs_its_protocol")
class HearsLongRangeNever(GoodLink):
    def decodes(self, rate: int) -> bool:
        return rate not in LR_RATES


@breaks("a_frame_is_heard_once")
class HearsGroupsTwice(GoodLink):
    def hand_up(self, mpdu: bytes, channel: int, rate: int) -> None:
        super().hand_up(mpdu, channel, rate)
        if mpdu[4] & 1 and mpdu[22] & 0x80:
            super().hand_up(mpdu, channel, rate)


@breaks("a_frame_is_heard_once")
class DropsWhatLooksTheSame(GoodLink):
    last = b""

    def hears(self, mpdu: bytes, channel: int) -> bool:
        heard = super().hears(mpdu, channel) and mpdu[-5:] != self.last
        self.last = mpdu[-5:]
        return heard


@breaks("times_are_those_of_the_clock")
class KnowsNoTime(GoodLink):
    def hand_up(self, mpdu: bytes, channel: int, rate: int) -> None:
        self.station.received(mpdu, -40, channel, rate, 0)


@breaks("times_are_those_of_the_clock")
class KnowsNoSignal(GoodLink):
    def hand_up(self, mpdu: bytes, channel: int, rate: int) -> None:
        self.station.received(mpdu, 0, channel, rate, self.clock.now_us)


@breaks("hostile_frames_pass_unharmed")
class WantsSense(GoodLink):
    def hand_up(self, mpdu: bytes, channel: int, rate: int) -> None:
        try:
            parse(mpdu)
        except FrameError:
            return
        super().hand_up(mpdu, channel, rate)


@breaks("hostile_frames_pass_unharmed")
class Tidies(GoodLink):
    def hand_up(self, mpdu: bytes, channel: int, rate: int) -> None:
        super().hand_up(mpdu.rstrip(b"\r\n"), channel, rate)


@breaks("the_channel_may_change_with_frames_under_way")
class ForgetsFramesOfTheOldChannel(GoodLink):
    def configure(self, config: RadioConfig) -> None:
        if config.channel != self.config.channel and len(self.queue) > 1:
            self.queue.pop()
        super().configure(config)


@breaks("frames_are_answered_when_it_is_switched_off")
class ForgetsWhenSwitchedOff(GoodLink):
    def configure(self, config: RadioConfig) -> None:
        super().configure(config)
        while not config.addresses and len(self.queue) > 1:
            self.queue.pop()


@breaks("frames_are_answered_when_it_is_switched_off")
class EndsWhatItBegan(GoodLink):
    """Repeats a frame that it began to send before it was switched off."""

    was_on = False

    def begin(self, attempt: int) -> None:
        if attempt == 1:
            self.was_on = bool(self.config.addresses)
        super().begin(attempt)

    def may_send(self) -> bool:
        return self.was_on


@breaks("accounts_hold_when_frames_are_lost")
class RepeatsWithoutSaying(GoodLink):
    def repetition(self, mpdu: bytes) -> bytes:
        return mpdu


@breaks("accounts_hold_when_frames_are_lost")
class TellsOneAttempt(GoodLink):
    def answer(self, token: int, outcome: Outcome, attempts: int) -> None:
        super().answer(token, outcome, min(attempts, 1))


@breaks("accounts_hold_when_frames_are_lost")
class AcknowledgesBeforeItHears(GoodLink):
    def hand_up(self, mpdu: bytes, channel: int, rate: int) -> None:
        if not self.medium.is_lost():
            super().hand_up(mpdu, channel, rate)


@breaks("much_in_both_directions_is_accounted_for")
class LosesItsPlace(GoodLink):
    """A frame that comes while one is under way makes it forget that one's answer."""

    heard = 0

    def hand_up(self, mpdu: bytes, channel: int, rate: int) -> None:
        self.heard += 1
        super().hand_up(mpdu, channel, rate)

    def answer(self, token: int, outcome: Outcome, attempts: int) -> None:
        if not self.heard or token < 40:
            super().answer(token, outcome, attempts)


@breaks("much_in_both_directions_is_accounted_for")
class AnswersWhenItHasNothingToSay(GoodLink):
    def answers(self, mpdu: bytes, channel: int) -> bool:
        return not self.queue and super().answers(mpdu, channel)


@breaks("much_in_both_directions_is_accounted_for")
class HearsTwiceWhileItSends(GoodLink):
    def hand_up(self, mpdu: bytes, channel: int, rate: int) -> None:
        for _ in range(2 if self.queue else 1):
            super().hand_up(mpdu, channel, rate)


@breaks("much_in_both_directions_is_accounted_for")
class HearsBackwards(GoodLink):
    kept: tuple[bytes, int, int] | None = None

    def hand_up(self, mpdu: bytes, channel: int, rate: int) -> None:
        if self.queue and self.kept is None and not mpdu[4] & 1:
            self.kept = mpdu, channel, rate
            return
        super().hand_up(mpdu, channel, rate)
        kept, self.kept = self.kept, None
        if kept is not None:
            super().hand_up(*kept)


@breaks("a_station_may_send_from_inside_a_call")
class LooksTooEarly(GoodLink):
    """Takes note of what waits before its station sends more."""

    def finish(self, outcome: Outcome, attempts: int) -> None:
        more = len(self.queue) > 1
        self.answer(self.queue[0][1], outcome, attempts)
        self.queue.popleft()
        if more:
            self.begin(1)


@breaks("a_station_may_send_from_inside_a_call")
class HandsUpAtOnce(GoodLink):
    def transmit(self, mpdu: bytes, token: int) -> None:
        for link in self.medium.links:
            if link is not self and mpdu[4] & 1 and link.is_on(self.config.channel):
                link.hand_up(mpdu, self.config.channel, 0)
        super().transmit(mpdu, token)


@breaks("others_go_on_when_one_closes")
class EndsTheMedium(GoodLink):
    def close(self) -> None:
        super().close()
        self.medium.links.clear()


@breaks("others_go_on_when_one_closes")
class AnswersFromTheGrave(GoodLink):
    def close(self) -> None:
        self.closed = True

    def hand_up(self, mpdu: bytes, channel: int, rate: int) -> None:
        if not self.closed:
            super().hand_up(mpdu, channel, rate)


@breaks("closing_ends_all_calls")
class AnswersAfterItsEnd(GoodLink):
    def end(self, attempt: int, rate: int) -> None:
        if self.closed:
            self.finish(Outcome.NOT_ACKNOWLEDGED, 0)
        else:
            super().end(attempt, rate)


@breaks("closing_ends_all_calls")
class ClosesOnce(GoodLink):
    def close(self) -> None:
        assert not self.closed, "it is closed already"
        super().close()


@breaks("it_may_be_closed_from_inside_a_call")
class ReadsOn(GoodLink):
    """Hands up several frames in one go."""

    def __init__(self, medium: Medium) -> None:
        super().__init__(medium)
        self.kept: list[tuple[bytes, int, int]] = []

    def hand_up(self, mpdu: bytes, channel: int, rate: int) -> None:
        self.kept.append((mpdu, channel, rate))
        if len(self.kept) == 2:
            self.clock.call_at(self.clock.now_us, self.read)

    def read(self) -> None:
        for kept in self.kept:
            super().hand_up(*kept)
        self.kept.clear()


#: Descriptors that were left open.
LEAKED: list[int] = []


@breaks("closing_gives_everything_back")
class LeavesADescriptor(GoodLink):
    def __init__(self, medium: Medium) -> None:
        super().__init__(medium)
        LEAKED.append(os.open(os.devnull, os.O_RDONLY))


@breaks("a_radio_that_works_has_no_trouble")
class Complains(GoodLink):
    def configure(self, config: RadioConfig) -> None:
        super().configure(config)
        self.trouble = None if config.receiver_on else "the receiver is off"


# In a loop.


class Loose(GoodLink):
    """Lives in a loop, and calls its station from a thread of its own."""

    def __init__(self, loop: RadioLoop) -> None:
        super().__init__(Medium(GoodLink))
        self.loop = loop

    def transmit(self, mpdu: bytes, token: int) -> None:
        threading.Thread(target=lambda: self.station.outcome(token, Outcome.ACKNOWLEDGED, 1, self.loop.now_us)).start()


class LeavesATimer(GoodLink):
    """Answers after its end, since the loop that it lives in goes on."""

    def __init__(self, loop: RadioLoop) -> None:
        super().__init__(Medium(GoodLink))
        self.loop = loop

    def transmit(self, mpdu: bytes, token: int) -> None:
        def answer() -> None:
            self.station.outcome(token, Outcome.NOT_ACKNOWLEDGED, 1, self.loop.now_us)

        self.loop.call_at(self.loop.now_us + 20_000, answer)


class Raises(GoodLink):
    """Raises where nobody sees it."""

    def __init__(self, loop: RadioLoop) -> None:
        super().__init__(Medium(GoodLink))
        self.loop = loop

    def transmit(self, mpdu: bytes, token: int) -> None:
        def answer() -> None:
            self.station.outcome(token, Outcome.ACKNOWLEDGED, 1, self.loop.now_us)
            raise RuntimeError("a defect")

        self.loop.call_at(self.loop.now_us, answer)
