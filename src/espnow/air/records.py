"""What the kernel keeps its numbers in where it is not compiled: lists, and objects with nothing but slots.

Compiled, kernel.pxd has arrays and structs of the same names in place of all this, and never imports it.
"""

from __future__ import annotations

__all__ = ["doubles", "integers", "pairs", "smalls", "stations", "streams_of", "words"]


def integers(owned: list[object], count: int) -> list[int]:
    """Return zeros, which `owned` has too; compiled, it keeps their memory."""
    zeros = [0] * count
    owned.append(zeros)
    return zeros


def doubles(owned: list[object], count: int) -> list[float]:
    """Return zeros, which `owned` has too."""
    zeros = [0.0] * count
    owned.append(zeros)
    return zeros


#: Compiled, of 32 bits, and without a sign.
smalls = words = integers


class _Record:
    """All of which is 0 to begin with."""

    __slots__: tuple[str, ...] = ()

    def __init__(self) -> None:
        for name in self.__slots__:
            setattr(self, name, 0)


class Station(_Record):
    """What is known of a station; compiled, it is a struct of kernel.pxd.

    Attributes that need saying:
        first, last: its row, from and up to where.
        apart: books are kept always: it is on another channel than most, or its receiver is not always on.
        tuned: what began up to that number is not known to it.
        clean: how many hear its frame, and nothing else.
        closely, doubted: whom its frame's end must look closely at, and who may lose it to noise: places in the
            rows, each with the next.
        simply, simply_us: all that others sent, as if it was simply heard.
        got, busy_us: what is to be added to that, since some of it was heard otherwise, or not at all.
        added_count, added_us: of what it sent, what has been added to what the others get.
        lost_of, lost_alone: the last frame that it lost, by its number, and whether nobody else sent.
        arrived: the frame at the head of its queue, whose fields stand here too, was decoded once.
    """

    __slots__ = (
        "added_count",
        "added_us",
        "air_begin",
        "air_channel",
        "air_first",
        "air_last",
        "air_number",
        "air_rate",
        "air_us",
        "answer_to",
        "apart",
        "arrived",
        "at_once",
        "attempt",
        "awake_until",
        "busy",
        "busy_since",
        "busy_us",
        "chance",
        "channel",
        "clean",
        "closely",
        "counts_from",
        "created",
        "cw",
        "deadline",
        "deaf",
        "doubted",
        "doze_first",
        "doze_linger",
        "doze_on",
        "doze_period",
        "due",
        "first",
        "frame_us",
        "got",
        "group",
        "group_at",
        "idle_since",
        "last",
        "level",
        "lock",
        "lock_at",
        "lock_begin",
        "lock_log",
        "lock_mw",
        "long_range",
        "lost_alone",
        "lost_of",
        "luck",
        "messages",
        "most",
        "muted",
        "nav",
        "power_mw",
        "q_count",
        "q_first",
        "rate",
        "receiver",
        "script",
        "sending",
        "sent_count",
        "sent_us",
        "signals",
        "simply",
        "simply_us",
        "slots",
        "spoilt",
        "stream_of",
        "to",
        "tuned",
        "wants",
    )

    def __init__(self) -> None:
        super().__init__()
        self.level = self.lock_mw = self.lock_log = self.power_mw = 0.0


class Pair:
    """How one station gets the signal of another; compiled, it is a struct of kernel.pxd.

    Attributes that need saying:
        other, owner: who gets it, and whose it is.
        delay: microseconds.
        strength: milliwatts, with the power of now.
        alone: where the curves tell of it if nobody disturbs it.
        next_closely, next_doubted: the pairs behind it in the lists that begin at `Station.closely`, `doubted`.
    """

    __slots__ = ("alone", "delay", "next_closely", "next_doubted", "other", "owner", "strength")

    def __init__(self) -> None:
        self.other = self.owner = self.delay = self.alone = self.next_closely = self.next_doubted = 0
        self.strength = 0.0


class Stream(_Record):
    """Messages of a station, and what came of them; compiled, it is a struct of kernel.pxd.

    Attributes that need saying:
        base, rest: when the last one of a period came, but for its jitter, and the rest of a microsecond.
        burst, spacing, left: how many come each time, how long after each other, and how many are still to come.
        random, luck: events are a Poisson process, and where the chance stands that they have in common.
        group: for which `count_latencies` counts them; -1 for none.
    """

    __slots__ = (
        "acknowledged",
        "attempts",
        "base",
        "burst",
        "delivered",
        "dropped",
        "failed",
        "group",
        "hearings",
        "jitter",
        "kind",
        "latency",
        "left",
        "luck",
        "made",
        "period",
        "random",
        "rate",
        "rest",
        "sent",
        "spacing",
        "to",
        "us",
    )

    def __init__(self) -> None:
        super().__init__()
        self.period = self.jitter = self.rest = self.latency = 0.0


def streams_of(kernel: object, count: int) -> list[Stream]:
    """Return streams of which nothing is known yet."""
    del kernel  # compiled, it keeps their memory
    return [Stream() for _ in range(count)]


def pairs(kernel: object, count: int) -> list[Pair]:
    """Return pairs of which nothing is known yet."""
    del kernel  # compiled, it keeps their memory
    return [Pair() for _ in range(count)]


def stations(kernel: object, count: int) -> list[Station]:
    """Return stations of which nothing is known yet."""
    del kernel  # compiled, it keeps their memory
    return [Station() for _ in range(count)]
