"""The medium: 802.11's distributed coordination function and what receivers make of it, over flat arrays.

One source runs interpreted and compiled (``kernel.pxd`` gives the types), with the same results to the bit.

Rules:

- A station is a number, and so is everything else. Neighbours stand in rows, one behind the other: whoever gets a
  signal at all, even one too weak to be heard. Nothing is made for a reception: no object, no event.
- The events of a frame are its end, and one instant for all that its end lets go on counting down. A unicast frame's
  answer has a begin and an end besides. Receivers are dealt with inside these.
- An instant at a receiver is the sender's and the propagation's delay; what it does there is decided when the sender's
  event is, with the receiver's own time. So a station whose turn comes before it can have heard another's begin sends
  all the same.
- Chance is one stream a station, drawn where that station does something (splitmix64).
- Time is whole microseconds. Equal instants keep the order in which they were made.
- Programs are not called from here. A station whose frames a program gives is a script's (`set_script`): `run` stops
  after an event of which such a station is to know, and says what happened (`ended`, `heard`, `finished`).
- A row can be replaced at any time; a frame that is on the air leaves those of the row that it began with.

Access follows IEEE 802.11-2020, 10.3: physical and virtual carrier sense, DIFS and EIFS, backoff with freezing, a
backoff after each frame also when nothing waits, immediate access to a medium that was idle for DIFS, acknowledgement
after SIFS whatever the medium does, ACKTimeout, doubled windows. Errors follow the curves it is given, interval by
interval of constant interference (as do Lacage and Henderson, "Yet another network simulator", 2006).
"""

from __future__ import annotations

try:
    import cython
except ImportError:  # it is needed to compile this, and not to run it
    from types import SimpleNamespace

    cython = SimpleNamespace(compiled=False)

if not cython.compiled:
    from heapq import heappop, heappush
    from math import exp, log10

__all__ = ["Kernel"]

NEVER = 1 << 60
LOUDEST = 1e300

# What an event is for.
ARRIVAL = 0  # the next message of a stream of traffic
ACCESS = 1  # a station's turn
GROUP = 2  # turns of those whom a frame's end let go on
END = 3  # of a frame
ANSWER = 4  # the begin of an acknowledgement
TIMEOUT = 5  # no acknowledgement came
DEADLINE = 6  # a message has waited for too long
REACTION = 7  # a station answers or relays what it received

# What a station sends.
NOTHING = 0
FRAME = 1
ACK = 2

# What a station wants.
NO_TURN = 0
TURN = 1
BACKOFF = 2  # the backoff after a frame; nothing waits

# Kinds of traffic.
PERIODIC = 0
POISSON = 1
SATURATED = 2
SCRIPT = 3  # a program gives each message
EVENT = 4  # instants that several streams have in common, each of which comes later by itself
ANSWERS = 5  # what is received makes them
RADIATION = 6  # bursts of energy

#: Steps of a decibel in which error curves are given, and the lowest of them.
CURVE_STEPS = 8
CURVE_FROM_DB = -20
CURVE_LENGTH = 60 * CURVE_STEPS

#: Latencies are counted in so many steps of equal ratio for each tenfold, up to ten tenfolds of microseconds.
LATENCY_STEPS = 64
LATENCY_LENGTH = 10 * LATENCY_STEPS

GROUP_ADDRESS = -1
NOWHERE = -2  # an address that nobody has

# A receiver.
ON = 0
OFF = 1
DOZING = 2  # on at times

# Compiled, what kernel.pxd gives a type is no attribute of the module, and could not be imported.
globals().update(
    CURVE_STEPS=CURVE_STEPS,
    CURVE_FROM_DB=CURVE_FROM_DB,
    CURVE_LENGTH=CURVE_LENGTH,
    LATENCY_STEPS=LATENCY_STEPS,
    LATENCY_LENGTH=LATENCY_LENGTH,
    GROUP_ADDRESS=GROUP_ADDRESS,
    NOWHERE=NOWHERE,
    FRAME=FRAME,
    ON=ON,
    OFF=OFF,
    DOZING=DOZING,
    SCRIPT=SCRIPT,
)

MASK = 0xFFFFFFFFFFFFFFFF
GOLDEN = 0x9E3779B97F4A7C15
MIX_1 = 0xBF58476D1CE4E5B9
MIX_2 = 0x94D049BB133111EB
PRIME = 0x00000100000001B3

if not cython.compiled:

    def integers(owned: list[object], count: int) -> list[int]:
        """Return zeros, which `owned` has too; compiled, it keeps their memory."""
        zeros = [0] * count
        owned.append(zeros)
        return zeros

    def smalls(owned: list[object], count: int) -> list[int]:
        """Return zeros, which `owned` has too; compiled, it keeps their memory, and they have 32 bits."""
        zeros = [0] * count
        owned.append(zeros)
        return zeros

    def doubles(owned: list[object], count: int) -> list[float]:
        """Return zeros, which `owned` has too; compiled, it keeps their memory."""
        zeros = [0.0] * count
        owned.append(zeros)
        return zeros

    def words(owned: list[object], count: int) -> list[int]:
        """Return zeros, which `owned` has too; compiled, it keeps their memory."""
        zeros = [0] * count
        owned.append(zeros)
        return zeros


def mix(z):
    """Return a number from 0 to below 1 that looks like chance, of a word that is one step after the last."""
    z = ((z ^ (z >> 30)) * MIX_1) & MASK
    z = ((z ^ (z >> 27)) * MIX_2) & MASK
    z ^= z >> 31
    return (z >> 11) * (1.0 / 9007199254740992.0)


class Kernel:
    """Stations, who hears whom, and what happens between them.

    Attributes:
        now_us: the time.
        count: stations.
        frames: transmissions of frames that began; answers are not among them.
        receptions: frames that a receiver decoded, whoever they were for.
        answers: acknowledgements that began.
        events: that were dealt with.
        failed_receptions: frames and answers that a receiver began to receive, and lost to noise or others.
        losses_half_duplex: of which a receiver heard the begin, and then sent itself.
        trace: a checksum of every transmission, when it began and ended, and how many decoded it.
        ended: the station whose signal ended in the event after which `run` stopped, if a script is to know; or -1.
        ended_kind: `FRAME`, or else an acknowledgement.
        answered: whether who it was for decoded it.
        heard: the stations of scripts that decoded it.
        finished: messages of scripts with which that event was done: station, whether answered, attempts.
        lossy: some pairs lose frames by chance (`set_loss`).
    """

    def __init__(
        self, count, edges, streams, seed, timing, noise_mw, sense_mw, detect_ratio, capture_ratio, detect_noise_mw=0.0
    ):
        self.owned = owned = []
        self.count = count
        self.edges = edges
        self.now_us = 0
        self.frames = self.receptions = self.answers = self.events = 0
        self.failed_receptions = self.losses_half_duplex = 0
        self.trace = 0
        self.slot_us, self.sifs_us, self.difs_us, self.eifs_us, self.timeout_us, self.turnaround_us = timing[:6]
        self.cw_min, self.cw_max, self.preamble_us = timing[6:9]
        self.noise_mw = noise_mw
        self.sense_mw = sense_mw
        self.detect_ratio = detect_ratio
        self.detect_noise_mw = detect_noise_mw  # counts as others do where a frame's begin is told from them
        self.capture_ratio = capture_ratio
        # Who hears whom.
        self.first = integers(owned, count)
        self.last = integers(owned, count)  # behind its end
        self.end_of_rows = 0
        self.other = smalls(owned, edges)
        self.gain = doubles(owned, edges)
        self.delay = smalls(owned, edges)
        self.alone = smalls(owned, edges)  # a signal that nobody disturbs: its place in the curves
        # Radios.
        self.channel = smalls(owned, count)
        self.deaf = smalls(owned, count)
        self.power_mw = doubles(owned, count)
        self.chance = words(owned, count)
        # What a station senses.
        self.signals = smalls(owned, count)
        self.level = doubles(owned, count)
        self.busy = smalls(owned, count)
        self.idle_since = integers(owned, count)
        self.nav = integers(owned, count)
        self.spoilt = integers(owned, count)
        # A station that does nothing but hear one signal, or none: until when, and which, as its place in the rows.
        # `until` is NEVER for all others, of which the arrays below and above tell.
        self.until = integers(owned, count)
        self.heard_at = integers(owned, count)
        self.owner = smalls(owned, edges)
        self.strength = doubles(owned, edges)
        self.clean = integers(owned, count)  # how many hear a frame in this way
        # Whom a frame's end must look closely at, and who may lose it to noise: places in the rows, each with the next.
        self.closely = integers(owned, count)
        self.doubted = integers(owned, count)
        self.next_closely = integers(owned, edges)
        self.next_doubted = integers(owned, edges)
        self.prepared = 0
        # Stations of which books are kept always: on another channel than most are, or with a receiver that is not
        # always on.
        self.home = 0
        self.apart = smalls(owned, count)
        self.receiver = smalls(owned, count)
        self.long_range = smalls(owned, count)
        self.doze_first = integers(owned, count)
        self.doze_period = integers(owned, count)
        self.doze_on = integers(owned, count)
        self.doze_linger = integers(owned, count)
        self.awake_until = integers(owned, count)
        self.starts = 0
        self.tuned = integers(owned, count)  # what began up to then is not known to it
        # Losses by chance.
        self.lossy = 0
        self.loss = doubles(owned, 1)
        self.luck = words(owned, 1)
        # Scripts.
        self.scripts = 0
        self.script = smalls(owned, count)
        self.deadline = integers(owned, count)
        self.muted = smalls(owned, count)
        self.stopped = 0
        self.ended = self.ended_kind = -1
        self.heard = []
        self.finished = []
        self.lost_of = integers(owned, count)  # the last frame that a station lost, by its number
        self.lost_alone = smalls(owned, count)  # though nobody else sent
        # What it receives.
        self.lock = smalls(owned, count)
        self.lock_mw = doubles(owned, count)
        self.lock_log = doubles(owned, count)
        self.lock_at = integers(owned, count)
        self.lock_begin = integers(owned, count)
        # What it sends.
        self.sending = smalls(owned, count)
        self.air_us = integers(owned, count)
        self.air_rate = integers(owned, count)
        self.air_begin = integers(owned, count)
        self.air_end = integers(owned, count)
        self.air_first = integers(owned, count)
        self.air_last = integers(owned, count)
        self.air_number = integers(owned, count)
        self.air_channel = smalls(owned, count)
        self.answer_to = integers(owned, count)
        self.answered = self.there = self.decoded = 0  # of the signal that ends
        # Its turn.
        self.wants = smalls(owned, count)
        self.slots = integers(owned, count)
        self.at_once = integers(owned, count)
        self.counts_from = integers(owned, count)
        self.due = integers(owned, count)
        self.group = smalls(owned, count)
        self.group_at = integers(owned, count)
        self.cw = integers(owned, count)
        self.attempt = integers(owned, count)
        self.arrived = integers(owned, count)
        self.most = integers(owned, count)
        # The frame at the head of its queue.
        self.to = integers(owned, count)
        self.rate = integers(owned, count)
        self.frame_us = integers(owned, count)
        self.stream_of = integers(owned, count)
        self.created = integers(owned, count)
        # Rates.
        self.ack_us = integers(owned, 64)
        self.ack_rate = integers(owned, 64)
        self.header_us = integers(owned, 64)
        self.bits_us = doubles(owned, 64)
        self.sure = doubles(owned, 64)
        self.least_mw = doubles(owned, 64)
        self.curve = doubles(owned, 64 * CURVE_LENGTH)
        self.is_long_range = smalls(owned, 64)
        self.header_curve = integers(owned, 64)
        # Traffic.
        self.streams = streams
        self.s_station = integers(owned, streams)
        self.s_kind = integers(owned, streams)
        self.s_period = doubles(owned, streams)
        self.s_jitter = doubles(owned, streams)
        self.s_to = integers(owned, streams)
        self.s_rate = integers(owned, streams)
        self.s_us = integers(owned, streams)
        self.s_base = integers(owned, streams)
        self.s_burst = integers(owned, streams)
        self.s_spacing = integers(owned, streams)
        self.s_rest = doubles(owned, streams)  # of a microsecond
        self.s_left = integers(owned, streams)  # of a burst
        self.s_random = smalls(owned, streams)
        self.s_luck = words(owned, streams)
        # What came of it, a stream each.
        self.made = integers(owned, streams)
        self.dropped = integers(owned, streams)
        self.sent = integers(owned, streams)
        self.acknowledged = integers(owned, streams)
        self.failed = integers(owned, streams)
        self.attempts = integers(owned, streams)
        self.hearings = integers(owned, streams)
        self.delivered = integers(owned, streams)
        self.latency = doubles(owned, streams)
        # A station's queue, a ring of streams and times.
        self.room = 32
        self.q_stream = integers(owned, count * 32)
        self.q_made = integers(owned, count * 32)
        self.q_first = integers(owned, count)
        self.q_count = integers(owned, count)
        # Per station.
        self.sent_us = integers(owned, count)
        self.got = integers(owned, count)
        self.sent_count = integers(owned, count)
        self.busy_us = integers(owned, count)
        # Of all that others sent, what was not simply heard: the two above have what became of that.
        self.not_simply = integers(owned, count)
        self.not_simply_us = integers(owned, count)
        self.simply = integers(owned, count)
        self.simply_us = integers(owned, count)
        self.added_count = integers(owned, count)  # of what they sent, what has been added
        self.added_us = integers(owned, count)
        self.busy_since = integers(owned, count)
        # How long messages took, counted for groups of streams; for none unless `count_latencies` says so.
        self.groups = 0
        self.s_group = integers(owned, streams)
        self.latencies = integers(owned, 1)
        # What stations do by themselves about what they receive; nothing unless `allow_reactions` says so.
        self.reacts = 0
        self.spare_reaction = self.spare_flood = -1
        for i in range(count):
            self.lock[i] = -1
            self.closely[i] = self.doubted[i] = -1
            self.due[i] = NEVER
            self.group[i] = -1
            self.group_at[i] = NEVER
            self.cw[i] = self.cw_min
            self.chance[i] = (seed * MIX_1 + i * MIX_2) & MASK
        self.heap = Heap(4 * count + streams + 16)

    # Chance.

    def draw(self, i):
        """Return the next number of a station's stream, from 0 to below 1."""
        z = (self.chance[i] + GOLDEN) & MASK
        self.chance[i] = z
        return mix(z)

    def set_chance(self, i, word):
        """Begin a station's stream of chance elsewhere."""
        self.chance[i] = word

    def draw_slots(self, i):
        """Return a number of slots from a station's window."""
        return int(self.draw(i) * (self.cw[i] + 1))

    def note(self, at, what):
        """Take something that happened into the checksum (FNV, 64 bits)."""
        trace = ((self.trace ^ at) * PRIME) & MASK
        self.trace = ((trace ^ what) * PRIME) & MASK

    # What there is.

    def take_over(self, old):
        """Become what a smaller kernel was, with room for more; one whose stations react cannot be taken over."""
        if old.lossy:
            self.allow_losses()
        for mine, before in zip(self.owned, old.owned, strict=True):
            mine[: len(before)] = before
        self.heap = old.heap
        self.now_us = old.now_us
        self.frames = old.frames
        self.receptions = old.receptions
        self.answers = old.answers
        self.events = old.events
        self.failed_receptions = old.failed_receptions
        self.losses_half_duplex = old.losses_half_duplex
        self.trace = old.trace
        self.end_of_rows = old.end_of_rows
        self.prepared = old.prepared
        self.home = old.home
        self.starts = old.starts
        self.scripts = old.scripts

    def set_row(self, i, others, gains, delays, at=-1):
        """Say who gets the signal of a station.

        The row stands at a place where no other one does, that of a frame on the air included; by default behind all
        that were given a place by default.
        """
        self.release_row(i)
        if at < 0:
            at = self.end_of_rows
            self.end_of_rows += len(others)
        self.first[i] = at
        for j, ratio, us in zip(others, gains, delays, strict=True):
            self.other[at] = j
            self.gain[at] = ratio
            self.delay[at] = us
            at += 1
        self.last[i] = at
        if self.prepared:
            self.prepare_row(i)

    def release_row(self, i):
        """Let nothing but a frame on the air need the row of a station any more."""
        for e in range(self.first[i], self.last[i]):
            j = self.other[e]
            if self.sending[i] != NOTHING and self.heard_at[j] == e and self.until[j] < NEVER:
                self.look_closely(j)
            if self.group[j] == i:
                self.group[j] = -1
                if self.wants[j] == TURN and self.due[j] < NEVER:
                    push(self.heap, self.due[j], ACCESS, j)
        self.add_row(i, True)

    def set_station(self, i, channel, power_mw, most):
        """Say how a station sends, and how often at most in all."""
        self.channel[i] = channel
        self.power_mw[i] = power_mw
        self.most[i] = most

    def set_power(self, i, power_mw):
        """Say what a station sends with, once it has another row."""
        self.power_mw[i] = power_mw

    def set_rate(self, rate, ack_rate, ack_us, header_us, bits_us, sure, least_mw, header_curve, curve, long_range=0):
        """Describe a rate: its answers, and how likely its bits are lost; a ratio of `sure` loses none."""
        self.ack_rate[rate] = ack_rate
        self.ack_us[rate] = ack_us
        self.header_us[rate] = header_us
        self.bits_us[rate] = bits_us
        self.sure[rate] = sure
        self.least_mw[rate] = least_mw
        self.header_curve[rate] = header_curve
        self.is_long_range[rate] = long_range
        at = rate * CURVE_LENGTH
        for value in curve:
            self.curve[at] = value
            at += 1

    def set_stream(self, s, station, kind, period, jitter, to, rate, us):
        """Describe the messages of a stream; each is `us` on the air."""
        self.s_station[s] = station
        self.s_kind[s] = kind
        self.s_period[s] = period
        self.s_jitter[s] = jitter
        self.s_to[s] = to
        self.s_rate[s] = rate
        self.s_us[s] = us
        self.s_burst[s] = 1

    def set_burst(self, s, count, spacing):
        """Let so many messages come each time, one so long after the other; all of a period count from the first."""
        self.s_burst[s] = count
        self.s_spacing[s] = spacing

    def set_event(self, s, random, word):
        """Let a stream of EVENT come at the instants of all that have the same word; periodic, or Poisson."""
        self.s_random[s] = random
        self.s_luck[s] = word

    def set_radiation(self, s, station, pause, us, rate, senses):
        """Let a station radiate for so long at a time, after pauses with a mean, whatever others do or in its turn."""
        self.set_stream(s, station, RADIATION, pause, 0.0, GROUP_ADDRESS, rate, us)
        self.s_random[s] = senses
        self.s_group[s] = -1
        self.start_stream(s, self.now_us + self.draw_pause(station, s))

    def draw_pause(self, i, s):
        """Return a pause of a stream, exponentially distributed."""
        return int(-2.302585092994046 * log10(1.0 - self.draw(i)) * self.s_period[s])

    def set_answer(self, s, by, think, jitter):
        """Let a stream's messages be answered by those of another one, after a time to think."""
        self.allow_reactions()
        self.s_answer[s] = by
        self.s_asked[by] = s
        self.s_think[by] = think
        self.s_think_jitter[by] = jitter

    def set_flood(self, s, hops, least, jitter):
        """Let each station send a stream's broadcasts on, once, until they have been sent so often in a row."""
        self.allow_reactions()
        self.s_hops[s] = hops
        self.s_think[s] = least
        self.s_think_jitter[s] = jitter

    def set_trip_group(self, s, group):
        """Say for which group of `count_latencies` the round trips of a stream, or its floods' hearings, count."""
        self.allow_reactions()
        self.s_trips[s] = group

    def totals(self, s):
        """Return what came of a stream: made, dropped, sent, acknowledged, failed, attempts, heard, delivered, us."""
        return (
            self.made[s],
            self.dropped[s],
            self.sent[s],
            self.acknowledged[s],
            self.failed[s],
            self.attempts[s],
            self.hearings[s],
            self.delivered[s],
            self.latency[s],
        )

    def reactions(self, s):
        """Return what came of what a stream caused.

        From a request's coming until its answer was there, or from that of what is flooded until each heard it, added
        up; floods that are over and were heard, and from their coming until the last heard them, added up.
        """
        if not self.reacts:
            return 0.0, 0, 0.0
        return self.trip_us[s], self.over[s], self.spread_us[s]

    def station_totals(self, i):
        """Return what a station did: microseconds of sending, of sensing others, and frames that it decoded."""
        self.add_up()
        return (
            self.sent_us[i],
            self.busy_us[i] + self.simply_us[i] - self.not_simply_us[i],
            self.got[i] + self.simply[i] - self.not_simply[i],
        )

    def add_up(self):
        """Add up, for each station, what the others sent that get through to it at all."""
        for i in range(self.count):
            if self.added_count[i] != self.sent_count[i]:
                self.add_row(i, False)

    def add_row(self, i, whole):
        """Add what a station sent, with or without what is not over, to what those in its row get."""
        count = self.sent_count[i]
        us = self.sent_us[i]
        if self.sending[i] != NOTHING and not whole:
            count -= 1
            us -= self.air_us[i]
        more = count - self.added_count[i]
        more_us = us - self.added_us[i]
        if more == 0:
            return
        self.added_count[i] = count
        self.added_us[i] = us
        for e in range(self.first[i], self.last[i]):
            j = self.other[e]
            self.simply[j] += more
            self.simply_us[j] += more_us

    def hearers(self, i, rate):
        """Return how many others receive a station at a rate when nobody else sends."""
        found = 0
        for e in range(self.first[i], self.last[i]):
            j = self.other[e]
            loud = self.gain[e] * self.power_mw[i] >= self.least_mw[rate]
            if loud and self.channel[j] == self.channel[i] and self.receiver[j] != OFF:
                found += 1
        return found

    def count_latencies(self, groups):
        """Count how long messages take, for so many groups of streams."""
        self.groups = groups
        self.latencies = integers(self.owned, groups * LATENCY_LENGTH)

    def set_group(self, s, group):
        """Say to which group of `count_latencies` a stream belongs."""
        self.s_group[s] = group

    def latency_counts(self, group):
        """Return how many messages of a group took how long, in `LATENCY_STEPS` a tenfold of microseconds."""
        return [self.latencies[group * LATENCY_LENGTH + step] for step in range(LATENCY_LENGTH)]

    def prepare(self):
        """Look at every pair once, when all is said of the stations and before time goes on."""
        self.prepared = 1
        self.home = self.channel[0]
        for i in range(self.count):
            self.prepare_row(i)
            self.settle(i)

    def prepare_row(self, i):
        """Look at every pair of a row."""
        for e in range(self.first[i], self.last[i]):
            self.owner[e] = i
            self.strength[e] = self.gain[e] * self.power_mw[i]
            self.alone[e] = self.step(self.strength[e] / self.noise_mw)

    def settle(self, i):
        """See whether books of a station must be kept always, and begin to if so."""
        if not self.prepared:
            return
        self.apart[i] = self.channel[i] != self.home or self.receiver[i] != ON
        if self.apart[i] and self.until[i] < NEVER:
            self.look_closely(i)

    def step(self, ratio):
        """Return the place of a ratio in the curves."""
        found = int((10.0 * log10(ratio) - CURVE_FROM_DB) * CURVE_STEPS) if ratio > 1e-9 else 0
        if found < 0:
            return 0
        return found if found < CURVE_LENGTH else CURVE_LENGTH - 1

    # From above, at any time.

    def set_time(self, now_us):
        """Say which time it is, between two events."""
        self.now_us = now_us

    def set_script(self, i, stream):
        """Let a program give the messages of a station, which are those of a stream."""
        self.script[i] = 1
        self.scripts = 1
        self.s_station[stream] = i
        self.s_kind[stream] = SCRIPT
        self.stream_of[i] = stream

    def offer(self, i, to, rate, us, most, deadline_us):
        """Queue a message of a station that has none: to whom, how, and how often and until when it is tried."""
        s = self.stream_of[i]
        self.s_to[s] = to
        self.s_rate[s] = rate
        self.s_us[s] = us
        self.made[s] += 1
        self.most[i] = most
        self.deadline[i] = deadline_us
        if deadline_us < NEVER:
            push(self.heap, deadline_us, DEADLINE, i)
        self.transmit(i, s, self.now_us)

    def set_target(self, i, to):
        """Send to another station, from the next attempt on, what a station tries to send."""
        self.s_to[self.stream_of[i]] = to

    def set_muted(self, i, muted):
        """Let a station not send any more what it has, or send again."""
        self.muted[i] = muted

    def set_channel(self, i, channel):
        """Tune a radio; what is under way there is not known to it."""
        self.channel[i] = channel
        self.settle(i)
        self.forget(i)

    def set_receiver(self, i, state, long_range, doze_first, doze_period, doze_on, doze_linger):
        """Say when a receiver is on, and whether it decodes LR; the times are those of `espnow.link.PowerSave`."""
        self.long_range[i] = long_range
        if state == OFF and self.lock[i] >= 0:
            self.lock[i] = -1
        self.receiver[i] = state
        if doze_period > 0:
            self.doze_first[i] = doze_first % doze_period - doze_period  # before all time: compiled, a rest has a sign
        self.doze_period[i] = doze_period
        self.doze_on[i] = doze_on
        self.doze_linger[i] = doze_linger
        self.settle(i)

    def forget(self, i):
        """Let a radio know nothing of what is on the air now."""
        if self.until[i] < NEVER:
            self.look_closely(i)
        self.tuned[i] = self.starts
        self.lock[i] = -1
        self.signals[i] = 0
        self.level[i] = 0.0
        self.nav[i] = self.spoilt[i] = 0
        if self.busy[i]:
            self.busy[i] = 0
            self.busy_us[i] += self.now_us - self.busy_since[i]
            self.idle_since[i] = self.now_us
            if self.wants[i] and self.due[i] == NEVER and self.sending[i] == NOTHING:
                self.go_on(i)

    def is_awake(self, i, at):
        """Return whether a receiver is on at an instant."""
        if self.receiver[i] != DOZING:
            return self.receiver[i] == ON
        return at < self.awake_until[i] or (at - self.doze_first[i]) % self.doze_period[i] < self.doze_on[i]

    def hears(self, j, i, at):
        """Return whether a receiver that is not always on begins to receive what a station sends."""
        if self.sending[i] == ACK and self.answer_to[i] == j:
            return True  # it waits for that
        return self.is_awake(j, at)

    def allow_losses(self):
        """Let pairs lose frames by chance, from now on."""
        self.lossy = 1
        self.loss = doubles(self.owned, self.edges)
        self.luck = words(self.owned, self.edges)

    def set_loss(self, e, probability, luck):
        """Let a frame be lost between a pair, by its place in the rows, with a stream of chance of its own."""
        self.loss[e] = probability
        self.luck[e] = luck

    def luck_of(self, e):
        """Return where the stream of chance of a pair stands."""
        return self.luck[e]

    # What is going on.

    def next_us(self):
        """Return when the next event is due; `NEVER` if there is none."""
        return self.heap.first_us

    def air(self, i):
        """Return what a station has, or last had, on the air: begin, end, channel, rate, and its number."""
        return self.air_begin[i], self.air_end[i], self.air_channel[i], self.air_rate[i], self.air_number[i]

    def message(self, i):
        """Return the stream of the message at the head of a station's queue, and when it was made."""
        s = self.stream_of[i]
        if self.reacts and self.s_hops[s]:
            return s, self.f_made[self.cause_of[i] >> 8]
        return s, self.created[i]

    def answers_to(self, i):
        """Return whom a station acknowledges, or acknowledged last."""
        return self.answer_to[i]

    def row(self, i):
        """Return where the row of a station begins, and whose numbers stand there."""
        return self.first[i], [self.other[e] for e in range(self.first[i], self.last[i])]

    def attempts_of(self, i):
        """Return which attempt a station's message is at."""
        return self.attempt[i]

    def is_sending(self, i):
        """Return whether a station has something on the air."""
        return self.sending[i] != NOTHING

    def lost(self, j):
        """Return the number of the last frame that a station lost after it had begun to receive it, and if alone."""
        return self.lost_of[j], self.lost_alone[j]

    # Messages.

    def transmit(self, i, stream, made_us):
        """Queue a frame of a stream at its station; False if there is no room."""
        n = self.q_count[i]
        if n >= self.room:
            return False
        self.append(i, stream, made_us)
        if n == 0:
            self.begin(i)
        return True

    def append(self, i, stream, made_us):
        """Put a frame at the end of a queue that has room."""
        at = self.q_first[i] + self.q_count[i]
        if at >= self.room:
            at -= self.room
        at += i * self.room
        self.q_stream[at] = stream
        self.q_made[at] = made_us
        if self.reacts:
            self.q_cause[at] = self.cause
        self.q_count[i] += 1

    def turn_to_first(self, i):
        """Make the frame at the head of the queue the one that is sent next."""
        at = i * self.room + self.q_first[i]
        s = self.q_stream[at]
        self.stream_of[i] = s
        self.created[i] = self.q_made[at]
        self.to[i] = self.s_to[s]
        self.rate[i] = self.s_rate[s]
        self.frame_us[i] = self.s_us[s]
        self.attempt[i] = 1
        self.arrived[i] = 0
        if self.reacts:
            self.cause_of[i] = self.q_cause[at]

    def start_stream(self, s, first_us):
        """Let a stream's first message come at an instant, or its first event be then."""
        self.s_base[s] = first_us
        if self.s_kind[s] == EVENT:
            first_us += int(self.draw(self.s_station[s]) * self.s_jitter[s])
        push(self.heap, first_us, ARRIVAL, s)

    def run(self, until_us):
        """Let time pass; every event up to and at `until_us` is dealt with.

        Returns:
            Whether it stopped before that, since a script is to know of something. With scripts the time stays that
            of the last event.
        """
        if not self.prepared:
            self.prepare()
        heap = self.heap
        if self.scripts:
            self.stopped = 0
            self.ended = -1
            self.heard.clear()
            self.finished.clear()
        while heap.first_us <= until_us:
            pop(heap)
            now = heap.at_us
            kind = heap.kind
            i = heap.which
            self.now_us = now
            self.events += 1
            if kind == END:
                self.end(i)
            elif kind == GROUP:
                if self.group_at[i] == now:
                    self.turns(i)
            elif kind == ACCESS:
                if self.due[i] == now and self.wants[i] == TURN and self.group[i] == -1:
                    self.send(i)
            elif kind == ARRIVAL:
                self.arrive(i)
            elif kind == ANSWER:
                self.answer(i)
            elif kind == TIMEOUT:
                self.unanswered(i)
            elif kind == DEADLINE:
                self.expire(i)
            elif kind == REACTION:
                self.do(i)
            if self.stopped:
                return True
        if not self.scripts:
            self.now_us = until_us
        return False

    # Traffic.

    def arrive(self, s):
        """A message of a stream is there."""
        now = self.now_us
        i = self.s_station[s]
        kind = self.s_kind[s]
        if kind == RADIATION:
            self.radiate(i, s)
            return
        if self.s_burst[s] > 1:
            if self.s_left[s] == 0:
                self.s_left[s] = self.s_burst[s]
            while True:
                self.come(i, s)
                self.s_left[s] -= 1
                if self.s_left[s] == 0:
                    break
                if self.s_spacing[s] > 0:
                    push(self.heap, now + self.s_spacing[s], ARRIVAL, s)
                    return
        else:
            self.come(i, s)
        if kind == PERIODIC:
            gap = self.s_rest[s] + self.s_period[s]
            base = self.s_base[s] + int(gap)
            self.s_rest[s] = gap - int(gap)
            self.s_base[s] = base
            if self.s_jitter[s] > 0.0:
                base += int(self.draw(i) * self.s_jitter[s])
            push(self.heap, base if base > now else now, ARRIVAL, s)
        elif kind == POISSON:
            # -log(1 - u), by way of the logarithm that is there.
            gap = -2.302585092994046 * log10(1.0 - self.draw(i)) * self.s_period[s]
            push(self.heap, now + int(gap) + 1, ARRIVAL, s)
        elif kind == EVENT:
            gap = self.s_period[s]
            if self.s_random[s]:
                self.s_luck[s] = (self.s_luck[s] + GOLDEN) & MASK
                gap *= -2.302585092994046 * log10(1.0 - mix(self.s_luck[s]))
            base = self.s_base[s] + int(gap) + 1 if self.s_random[s] else self.s_base[s] + int(gap)
            self.s_base[s] = base
            base += int(self.draw(i) * self.s_jitter[s])
            push(self.heap, base if base > now else now, ARRIVAL, s)

    def radiate(self, i, s):
        """A burst of energy is due."""
        now = self.now_us
        self.made[s] += 1
        if self.s_random[s]:
            if not self.transmit(i, s, now):
                self.dropped[s] += 1
        else:
            self.append(i, s, now)
            self.turn_to_first(i)
            self.send(i)
        push(self.heap, now + self.s_us[s] + self.draw_pause(i, s), ARRIVAL, s)

    def come(self, i, s):
        """Queue a message of a stream, or drop it."""
        self.made[s] += 1
        if self.reacts:
            self.cause = self.begin_flood(i, s) if self.s_hops[s] else -1
        if not self.transmit(i, s, self.now_us):
            self.dropped[s] += 1
            if self.reacts and self.cause >= 0:
                self.let_go(s, self.cause)

    # Reactions. The cause of a message is one number: of an answer, when its request came; of what is flooded, which
    # flood it is, and how often in a row it has been sent with this time.

    def allow_reactions(self):
        """Let stations answer and relay; before anything is sent."""
        if self.reacts:
            return
        self.reacts = 1
        owned = self.owned
        streams = self.streams
        self.s_answer = integers(owned, streams)
        self.s_asked = integers(owned, streams)
        self.s_think = integers(owned, streams)
        self.s_think_jitter = doubles(owned, streams)
        self.s_hops = integers(owned, streams)
        self.s_trips = integers(owned, streams)
        self.trip_us = doubles(owned, streams)
        self.spread_us = doubles(owned, streams)
        self.over = integers(owned, streams)
        for s in range(streams):
            self.s_answer[s] = self.s_asked[s] = self.s_trips[s] = -1
        self.cause = -1
        self.q_cause = integers(owned, self.count * self.room)
        self.cause_of = integers(owned, self.count)
        # What is going to be done, and the floods that are not over; those that are free have the next free one.
        self.room_for_reactions = self.room_for_floods = 0
        self.set_room_for_reactions(64)
        self.set_room_for_floods(4)

    def set_room_for_reactions(self, room):
        """Have room for so many more things to do than there is."""
        before = self.room_for_reactions
        room += before
        station = integers(self.owned, room)
        stream = integers(self.owned, room)
        cause = integers(self.owned, room)
        for p in range(before):
            station[p] = self.r_station[p]
            stream[p] = self.r_stream[p]
            cause[p] = self.r_cause[p]
        for p in range(before, room):
            cause[p] = self.spare_reaction
            self.spare_reaction = p
        self.r_station = station
        self.r_stream = stream
        self.r_cause = cause
        self.room_for_reactions = room

    def set_room_for_floods(self, room):
        """Have room for so many more floods at once than there is."""
        before = self.room_for_floods
        room += before
        made = integers(self.owned, room)
        last = integers(self.owned, room)
        copies = integers(self.owned, room)
        heard = smalls(self.owned, room * self.count)
        for f in range(before):
            made[f] = self.f_made[f]
            last[f] = self.f_last[f]
            copies[f] = self.f_copies[f]
        for at in range(before * self.count):
            heard[at] = self.f_heard[at]
        for f in range(before, room):
            copies[f] = self.spare_flood
            self.spare_flood = f
        self.f_made = made
        self.f_last = last
        self.f_copies = copies
        self.f_heard = heard
        self.room_for_floods = room

    def begin_flood(self, i, s):
        """Return the cause of a message that begins to be flooded."""
        if self.spare_flood < 0:
            self.set_room_for_floods(self.room_for_floods)
        f = self.spare_flood
        self.spare_flood = self.f_copies[f]
        for j in range(f * self.count, (f + 1) * self.count):
            self.f_heard[j] = 0
        self.f_heard[f * self.count + i] = 1
        self.f_made[f] = self.f_last[f] = self.now_us
        self.f_copies[f] = 1
        return f << 8 | 1

    def let_go(self, s, cause):
        """A copy of a flooded message is done with; the flood is over with the last."""
        f = cause >> 8
        self.f_copies[f] -= 1
        if self.f_copies[f] == 0:
            if self.f_last[f] > self.f_made[f]:
                self.over[s] += 1
                self.spread_us[s] += self.f_last[f] - self.f_made[f]
            self.f_copies[f] = self.spare_flood
            self.spare_flood = f

    def react_later(self, j, s, cause, at):
        """Let a station send a message of a stream when it has thought."""
        if self.spare_reaction < 0:
            self.set_room_for_reactions(self.room_for_reactions)
        p = self.spare_reaction
        self.spare_reaction = self.r_cause[p]
        self.r_station[p] = j
        self.r_stream[p] = s
        self.r_cause[p] = cause
        at += self.s_think[s] + int(self.draw(j) * self.s_think_jitter[s])
        push(self.heap, at, REACTION, p)

    def do(self, p):
        """A station has thought."""
        j = self.r_station[p]
        s = self.r_stream[p]
        self.cause = cause = self.r_cause[p]
        self.r_cause[p] = self.spare_reaction
        self.spare_reaction = p
        if self.s_hops[s]:
            if not self.transmit(j, s, self.now_us):
                self.let_go(s, cause)
            return
        self.made[s] += 1
        if not self.transmit(j, s, self.now_us):
            self.dropped[s] += 1

    def react(self, j, i, at):
        """A station decoded for the first time what another one sent it, or sent to all."""
        s = self.stream_of[i]
        cause = self.cause_of[i]
        if self.s_hops[s]:
            f = cause >> 8
            if self.f_heard[f * self.count + j]:
                return
            self.f_heard[f * self.count + j] = 1
            us = at - self.f_made[f]
            self.delivered[s] += 1
            self.trip_us[s] += us
            if at > self.f_last[f]:
                self.f_last[f] = at
            if self.groups and self.s_trips[s] >= 0:
                self.count_latency(self.s_trips[s], us)
            if cause & 255 < self.s_hops[s] and not self.script[j]:
                self.f_copies[f] += 1
                self.react_later(j, s, cause + 1, at)
            return
        if self.s_answer[s] >= 0:
            self.react_later(j, self.s_answer[s], self.created[i], at)
        asked = self.s_asked[s]
        if asked >= 0:
            us = at - cause
            self.trip_us[asked] += us
            if self.groups and self.s_trips[asked] >= 0:
                self.count_latency(self.s_trips[asked], us)

    def spread(self, i):
        """Let those react that heard a flooded message, and nothing else."""
        now = self.now_us
        for e in range(self.air_first[i], self.air_last[i]):
            j = self.other[e]
            if self.heard_at[j] == e and self.until[j] == now + self.delay[e]:
                self.react(j, i, now + self.delay[e])

    # Access.

    def begin(self, i):
        """The frame at the head of the queue waits for its turn."""
        self.turn_to_first(i)
        now = self.now_us
        if self.until[i] < NEVER:
            self.look_closely(i)
        if self.wants[i] == NO_TURN or self.due[i] <= now:  # the backoff after the last frame is over
            self.slots[i] = 0
            self.wants[i] = TURN
            # Programs begin in one instant, as boards do not: two that find the medium idle are to differ.
            if self.busy[i] or self.sending[i] or self.nav[i] > now or self.script[i]:
                self.slots[i] = self.draw_slots(i)
            else:
                self.at_once[i] = 1
            self.go_on(i)
        else:  # it still counts
            self.wants[i] = TURN
            if self.due[i] < NEVER:
                self.group[i] = -1
                push(self.heap, self.due[i], ACCESS, i)

    def go_on(self, i):
        """Count down from now on, if the medium is idle; its own turn comes as an event of its own."""
        if self.until[i] < NEVER:
            self.look_closely(i)
        if self.busy[i] or self.sending[i]:
            self.due[i] = NEVER
            return
        self.count_down(i, self.now_us)
        self.group[i] = -1
        if self.wants[i] == TURN:
            push(self.heap, self.due[i], ACCESS, i)

    def count_down(self, i, now):
        """Say when a station's turn comes if the medium stays idle, as it has been since `idle_since`."""
        since = self.idle_since[i]
        if self.nav[i] > since:
            since = self.nav[i]
        if self.spoilt[i] > since:
            since = self.spoilt[i]
        since += self.difs_us
        if since < now:
            since = now
        self.counts_from[i] = since
        self.due[i] = since + self.slots[i] * self.slot_us

    def freeze(self, i, at):
        """The medium is busy at a station from an instant on: its countdown stands still."""
        self.due[i] = NEVER
        if self.at_once[i]:  # it never counted: the medium was idle, but not for long enough
            self.at_once[i] = 0
            self.slots[i] = self.draw_slots(i)
            return
        passed = at - self.counts_from[i]
        if passed > 0:
            passed = passed // self.slot_us
            left = self.slots[i] - passed
            if left <= 0:  # the turn came, and nobody waited
                self.slots[i] = 0
                if self.wants[i] == BACKOFF:
                    self.wants[i] = NO_TURN
            else:
                self.slots[i] = left

    def turns(self, i):
        """Let those of a row whose turn it is send, and look when the next one's is."""
        now = self.now_us
        self.group_at[i] = NEVER
        following = NEVER
        first = self.first
        other = self.other
        due = self.due
        group = self.group
        wants = self.wants
        for e in range(first[i], self.last[i]):
            j = other[e]
            if group[j] == i and wants[j] == TURN and due[j] <= now:
                self.send(j)
        for e in range(first[i], self.last[i]):
            j = other[e]
            if group[j] == i and wants[j] == TURN and due[j] < following:
                following = due[j]
        if following < NEVER:
            self.group_at[i] = following
            push(self.heap, following, GROUP, i)

    # On the air.

    def send(self, i):
        """Put the frame of a station on the air; its turn has come."""
        self.wants[i] = NO_TURN
        self.due[i] = NEVER
        self.at_once[i] = 0
        if self.script[i]:
            self.to[i] = self.s_to[self.stream_of[i]]  # who has the address may have changed
        if self.muted[i]:
            self.attempt[i] -= 1  # this one is not made
            self.finish(i, False)
            return
        self.frames += 1
        s = self.stream_of[i]
        self.attempts[s] += 1
        self.air_rate[i] = self.rate[i]
        self.air_us[i] = self.frame_us[i]
        self.start(i, FRAME)

    def look_closely(self, j):
        """Begin to keep books of all that a station hears: more than one signal, or it has something to do."""
        until = self.until[j]
        self.until[j] = NEVER
        self.idle_since[j] = until
        if until <= self.now_us:
            return
        e = self.heard_at[j]
        i = self.owner[e]
        if self.sending[i] == NOTHING:  # it ended, and its last microsecond is under way
            return
        begin = self.air_begin[i] + self.delay[e]
        if begin + self.air_us[i] != until:
            return
        self.clean[i] -= 1
        self.not_simply[j] += 1
        self.not_simply_us[j] += self.air_us[i]
        self.next_closely[e] = self.closely[i]
        self.closely[i] = e
        self.signals[j] = 1
        self.busy[j] = 1
        self.level[j] = self.strength[e]
        self.busy_since[j] = begin
        self.receive(j, i, self.strength[e], begin)

    def start(self, i, kind):
        """A signal begins, and reaches everybody in the row."""
        now = self.now_us
        rate = self.air_rate[i]
        if self.until[i] < NEVER:
            self.look_closely(i)
        if self.lock[i] >= 0:
            self.lock[i] = -1
            self.losses_half_duplex += 1
        self.sending[i] = kind
        self.deaf[i] += 1
        us = self.air_us[i]
        self.starts += 1
        self.air_number[i] = self.starts
        self.air_channel[i] = self.channel[i]
        self.air_begin[i] = now
        self.air_end[i] = now + us
        self.air_first[i] = self.first[i]
        self.air_last[i] = self.last[i]
        self.sent_us[i] += us
        self.sent_count[i] += 1
        self.note(now, 4 * i + kind)
        # Whoever can receive a frame senses it too.
        least = self.least_mw[rate]
        sense = self.sense_mw if self.sense_mw < least else least
        clear_mw = self.sure[rate] * self.noise_mw
        simple_mw = least  # what so strong a signal does to a station that only hears is known at once
        if self.lossy or self.is_long_range[rate] or self.channel[i] != self.home:
            simple_mw = LOUDEST
        clean = 0
        doubted = -1
        self.closely[i] = -1
        first = self.first
        other = self.other
        delay = self.delay
        strength = self.strength
        until = self.until
        heard_at = self.heard_at
        next_doubted = self.next_doubted
        self.clean[i] = 0
        for e in range(first[i], self.last[i]):
            j = other[e]
            at = now + delay[e]
            mw = strength[e]
            if until[j] <= at and mw >= simple_mw:
                until[j] = at + us
                heard_at[j] = e
                clean += 1
                if mw < clear_mw:
                    next_doubted[e] = doubted
                    doubted = e
            else:
                self.reach(j, e, i, at, mw, least, sense)
        self.clean[i] += clean
        self.doubted[i] = doubted
        push(self.heap, now + us, END, i)

    def reach(self, j, e, i, at, mw, least, sense):
        """A signal begins at a station that does more than to hear this one."""
        self.not_simply[j] += 1
        self.not_simply_us[j] += self.air_us[i]
        if self.channel[j] != self.channel[i]:
            return
        if self.until[j] < NEVER:
            self.look_closely(j)
        elif self.wants[j] == BACKOFF and self.due[j] <= at and self.signals[j] == 0 and not self.deaf[j]:
            self.wants[j] = NO_TURN  # the backoff after its frame ended while nobody waited
            self.due[j] = NEVER
        self.next_closely[e] = self.closely[i]
        self.closely[i] = e
        before = self.level[j]
        locked = self.lock[j]
        if locked >= 0:
            self.advance(j, at)
            if (
                at - self.lock_begin[j] < self.preamble_us
                and self.lock_mw[j] < (before - self.lock_mw[j] + mw + self.detect_noise_mw) * self.detect_ratio
            ):
                self.lock[j] = locked = -1  # neither can be told from the other
        self.signals[j] += 1
        self.level[j] = before + mw
        if mw >= sense:
            self.busy[j] += 1
            if self.busy[j] == 1:
                self.busy_since[j] = at
                if at + self.turnaround_us < self.due[j] < NEVER:
                    self.freeze(j, at)
        if mw < least or (self.is_long_range[self.air_rate[i]] and not self.long_range[j]):
            return
        if locked < 0:
            if (
                not self.deaf[j]
                and mw >= (before + self.detect_noise_mw) * self.detect_ratio
                and (self.receiver[j] == ON or self.hears(j, i, at))
            ):
                self.receive(j, i, mw, at)
        elif self.capture_ratio > 0.0 and mw >= self.lock_mw[j] * self.capture_ratio:
            self.receive(j, i, mw, at)

    def receive(self, j, i, mw, at):
        """A station begins to receive another's signal."""
        self.lock[j] = i
        self.lock_mw[j] = mw
        self.lock_log[j] = 0.0
        self.lock_at[j] = self.lock_begin[j] = at

    def advance(self, j, at):
        """Take the interval of constant interference that ends now into account for what a station receives."""
        begin = self.lock_at[j]
        if at <= begin:
            return
        mw = self.lock_mw[j]
        other = self.level[j] - mw
        if other < 0.0:
            other = 0.0
        ratio = mw / (self.noise_mw + other)
        i = self.lock[j]
        rate = self.air_rate[i]
        self.lock_at[j] = at
        if ratio >= self.sure[rate]:
            return
        step = self.step(ratio)
        body = self.air_begin[i] + self.header_us[rate]
        us = at - begin
        if begin < body:  # the header has its own rate
            header = (at if at < body else body) - begin
            slow = self.header_curve[rate]
            self.lock_log[j] += header * self.bits_us[slow] * self.curve[slow * CURVE_LENGTH + step]
            us -= header
        if us > 0:
            self.lock_log[j] += us * self.bits_us[rate] * self.curve[rate * CURVE_LENGTH + step]

    def end(self, i):
        """A signal ends everywhere; receivers decide, and those who waited go on counting."""
        now = self.now_us
        kind = self.sending[i]
        self.sending[i] = NOTHING
        self.deaf[i] -= 1
        self.idle_since[i] = now
        rate = self.air_rate[i]
        target = self.to[i] if kind == FRAME else self.answer_to[i]
        nav_us = self.sifs_us + self.ack_us[rate] if kind == FRAME and target != GROUP_ADDRESS else 0
        stream = self.stream_of[i]
        repeated = self.arrived[i]
        self.answered = 0
        self.there = now
        self.decoded = self.clean[i]
        if self.doubted[i] >= 0:
            self.leave_doubted(i, rate)
        if self.reacts and kind == FRAME and self.s_hops[stream]:
            self.spread(i)
        if target != GROUP_ADDRESS:
            self.leave_unicast(i, kind, target, nav_us)
        if self.scripts and kind == FRAME:
            self.tell(i)
        if self.closely[i] >= 0:
            self.leave_closely(i, kind, target, nav_us)
        if self.scripts and (self.heard or self.script[i] or (kind == ACK and self.script[self.answer_to[i]])):
            self.stopped = 1
            self.ended = i
            self.ended_kind = kind
        decoded = self.decoded
        self.receptions += decoded
        self.note(now, decoded)
        if kind == FRAME:
            self.sent[stream] += 1
            self.hearings[stream] += decoded
            if target == GROUP_ADDRESS:
                if not (self.reacts and self.s_hops[stream]):
                    self.delivered[stream] += decoded
                self.finish(i, True)
            elif self.answered:
                if self.reacts and not repeated:
                    self.react(target, i, self.there)
                self.answer_to[target] = i
                push(self.heap, self.there + self.sifs_us, ANSWER, target)
            else:
                push(self.heap, now + self.timeout_us, TIMEOUT, i)
        else:
            if self.answered:
                self.finish(target, True)
            elif self.to[target] == i:
                # What it began to hear was no acknowledgement after all.
                self.unanswered(target)
            if self.wants[i] != NO_TURN and self.due[i] == NEVER:
                self.go_on(i)

    def tell(self, i):
        """Note the stations of scripts that heard a frame and nothing else."""
        now = self.now_us
        for e in range(self.air_first[i], self.air_last[i]):
            j = self.other[e]
            if self.script[j] and self.heard_at[j] == e and self.until[j] == now + self.delay[e]:
                self.heard.append(j)

    def log_alone(self, i, rate, step):
        """Return the logarithm of how likely a signal that nobody disturbs survives noise."""
        slow = self.header_curve[rate]
        header_us = self.header_us[rate]
        if header_us > self.air_us[i]:
            header_us = self.air_us[i]
        header_bits = header_us * self.bits_us[slow]
        body_bits = (self.air_us[i] - header_us) * self.bits_us[rate]
        return header_bits * self.curve[slow * CURVE_LENGTH + step] + body_bits * self.curve[rate * CURVE_LENGTH + step]

    def leave_doubted(self, i, rate):
        """See who loses a signal to noise, of those that heard nothing else."""
        e = self.doubted[i]
        while e >= 0:
            j = self.other[e]
            at = self.now_us + self.delay[e]
            alone = self.until[j] == at and self.heard_at[j] == e
            if alone and self.draw(j) >= exp(self.log_alone(i, rate, self.alone[e])):
                self.decoded -= 1
                self.failed_receptions += 1
                self.not_simply[j] += 1
                self.lost_of[j] = self.air_number[i]
                self.lost_alone[j] = 1
                self.look_closely(j)  # until it has heard a frame without an error
                self.idle_since[j] = at
                self.spoilt[j] = at + self.eifs_us - self.difs_us
            e = self.next_doubted[e]

    def leave_unicast(self, i, kind, target, nav_us):
        """Let those who heard a frame for one station, and nothing else, keep quiet for its answer; or be that one."""
        now = self.now_us
        other = self.other
        delay = self.delay
        until = self.until
        heard_at = self.heard_at
        for e in range(self.air_first[i], self.air_last[i]):
            j = other[e]
            at = now + delay[e]
            if until[j] == at and heard_at[j] == e:
                self.take(j, i, kind, target, at, nav_us)

    def leave_closely(self, i, kind, target, nav_us):
        """End a signal at those of whom books are kept."""
        now = self.now_us
        rate = self.air_rate[i]
        least = self.least_mw[rate]
        sense = self.sense_mw if self.sense_mw < least else least
        # After a frame with an error nobody counts before EIFS is over; the last DIFS of it comes with every count.
        error_us = self.eifs_us - self.difs_us
        # Alone, a signal of this strength loses no bit.
        clear_mw = self.sure[rate] * self.noise_mw
        following = NEVER
        group = i if self.air_first[i] == self.first[i] else -1  # it has another row by now
        other = self.other
        delay = self.delay
        strength = self.strength
        following_e = self.closely[i]
        while following_e >= 0:
            e = following_e
            following_e = self.next_closely[e]
            j = other[e]
            if self.tuned[j] >= self.air_number[i]:
                continue
            at = now + delay[e]
            mw = strength[e]
            left = self.signals[j] - 1
            if self.lock[j] == i:
                undisturbed = left == 0 and self.lock_at[j] == self.lock_begin[j]  # nobody else sent
                if undisturbed:
                    log = 0.0
                    if mw < clear_mw:
                        log = self.log_alone(i, rate, self.alone[e])
                else:
                    self.advance(j, at)
                    log = self.lock_log[j]
                self.lock[j] = -1
                if (log == 0.0 or self.draw(j) < exp(log)) and not (self.lossy and self.loses(e)):
                    self.decoded += 1
                    self.got[j] += 1
                    self.take(j, i, kind, target, at, nav_us)
                    if self.reacts and kind == FRAME and target == GROUP_ADDRESS:
                        self.react(j, i, at)
                    if kind == FRAME and self.script[j]:
                        self.heard.append(j)
                else:
                    self.spoilt[j] = at + error_us
                    self.failed_receptions += 1
                    self.lost_of[j] = self.air_number[i]
                    self.lost_alone[j] = undisturbed
            elif self.lock[j] >= 0:
                self.advance(j, at)  # it received another with this one's disturbance
            self.signals[j] = left
            if left:
                self.level[j] -= mw
            else:
                self.level[j] = 0.0
            if mw >= sense:
                self.busy[j] -= 1
                if self.busy[j] == 0:
                    self.idle_since[j] = at
                    self.busy_us[j] += at - self.busy_since[j]
                    if self.wants[j] and self.due[j] == NEVER and self.sending[j] == NOTHING:
                        self.count_down(j, at)
                        self.group[j] = group
                        if self.wants[j] == TURN:
                            if group < 0:
                                push(self.heap, self.due[j], ACCESS, j)
                            elif self.due[j] < following:
                                following = self.due[j]
            if (
                left == 0
                and self.wants[j] == NO_TURN
                and not self.deaf[j]
                and not self.apart[j]
                and self.spoilt[j] <= at
            ):
                self.until[j] = self.idle_since[j]  # it does nothing but hear from now on
        if following < self.group_at[i]:
            self.group_at[i] = following
            push(self.heap, following, GROUP, i)

    def loses(self, e):
        """Draw whether a pair loses a frame by chance."""
        if self.loss[e] <= 0.0:
            return False
        z = (self.luck[e] + GOLDEN) & MASK
        self.luck[e] = z
        return mix(z) < self.loss[e]

    def take(self, j, i, kind, target, at, nav_us):
        """A station decoded a frame."""
        self.spoilt[j] = 0
        if j == target:
            self.answered = 1
            self.there = at
            if self.receiver[j] == DOZING:
                self.stay_awake(j, at + self.sifs_us + self.ack_us[self.air_rate[i]])
            if kind == FRAME and not self.arrived[i]:
                # Repetitions come because the answer was lost: the receiver drops them.
                self.arrived[i] = 1
                self.delivered[self.stream_of[i]] += 1
        elif nav_us and at + nav_us > self.nav[j]:
            self.nav[j] = at + nav_us

    def stay_awake(self, i, at):
        """Leave a receiver on after its own traffic, which ends at an instant."""
        if self.receiver[i] == DOZING and at + self.doze_linger[i] > self.awake_until[i]:
            self.awake_until[i] = at + self.doze_linger[i]

    def answer(self, k):
        """A receiver acknowledges, whatever the medium does."""
        i = self.answer_to[k]
        if self.sending[k] != NOTHING:
            push(self.heap, self.now_us + self.timeout_us - self.sifs_us, TIMEOUT, i)
            return
        if self.until[k] < NEVER:
            self.look_closely(k)
        if self.wants[k] != NO_TURN and self.due[k] < NEVER:
            self.freeze(k, self.now_us)
        rate = self.air_rate[i]
        self.answers += 1
        self.air_rate[k] = self.ack_rate[rate]
        self.air_us[k] = self.ack_us[rate]
        self.start(k, ACK)

    def unanswered(self, i):
        """No acknowledgement came: try again, or give up."""
        if self.attempt[i] >= self.most[i] or (self.deadline[i] and self.now_us >= self.deadline[i]):
            self.finish(i, False)
            return
        self.attempt[i] += 1
        cw = 2 * self.cw[i] + 1
        self.cw[i] = cw if cw < self.cw_max else self.cw_max
        self.slots[i] = self.draw_slots(i)
        self.wants[i] = TURN
        self.go_on(i)

    def expire(self, i):
        """A message has waited for so long that it is given up."""
        if self.deadline[i] == self.now_us and self.wants[i] == TURN:
            self.attempt[i] -= 1  # this one is not made
            self.finish(i, False)

    def finish(self, i, answered):
        """A frame is done with; count down once more, and turn to the next."""
        s = self.stream_of[i]
        if self.script[i]:
            self.deadline[i] = 0
            self.stopped = 1
            self.finished.append((i, answered, self.attempt[i]))
            self.stay_awake(i, self.now_us)
        if self.reacts and self.s_hops[s]:
            self.let_go(s, self.cause_of[i])
        if self.reacts and self.s_hops[s] and self.cause_of[i] & 255 > 1:
            pass  # it was another one's message
        elif answered:
            self.acknowledged[s] += 1
            us = self.now_us - self.created[i]
            self.latency[s] += us
            if self.groups and self.s_group[s] >= 0:
                self.count_latency(self.s_group[s], us)
        else:
            self.failed[s] += 1
        at = self.q_first[i] + 1
        self.q_first[i] = 0 if at == self.room else at
        self.q_count[i] -= 1
        self.cw[i] = self.cw_min
        self.slots[i] = self.draw_slots(i)
        if self.s_kind[s] == SATURATED:
            self.made[s] += 1
            if self.reacts:
                self.cause = -1
            self.append(i, s, self.now_us)  # there is room, since one has just gone
        if self.q_count[i]:
            self.turn_to_first(i)
            self.wants[i] = TURN
        else:
            self.wants[i] = BACKOFF
        self.go_on(i)

    def count_latency(self, group, us):
        """Count how long something took, for a group."""
        step = int(log10(us + 1.0) * LATENCY_STEPS)
        if step >= LATENCY_LENGTH:
            step = LATENCY_LENGTH - 1
        self.latencies[group * LATENCY_LENGTH + step] += 1


class Heap:
    """Events in the order of their time, and of being made.

    An event is two numbers, its time and a code: which event it was, for whom, what for. Compiled, four that have one
    parent stand in one line of a processor's cache.

    Attributes:
        size: how many there are.
        first_us: when the first is due; `NEVER` when there is none.
        at_us, kind, which: the event that `pop` took.
    """

    def __init__(self, room):
        self.size = 0
        self.made = 0
        self.first_us = NEVER
        self.at_us = self.kind = self.which = 0
        self.room = room
        if cython.compiled:
            self.owned = []
            self.cells = integers(self.owned, 2 * room)
        else:
            self.entries = []


if cython.compiled:

    def push(heap, at_us, kind, which):
        """Add an event."""
        if heap.size == heap.room:
            enlarge(heap)  # noqa: F821  (kernel.pxd)
        cells = heap.cells
        heap.made += 1
        at = 2 * heap.size
        heap.size += 1
        while at > 0:
            above = ((at - 2) >> 3) << 1
            if cells[above] <= at_us:
                break
            cells[at] = cells[above]
            cells[at + 1] = cells[above + 1]
            at = above
        cells[at] = at_us
        cells[at + 1] = (heap.made << 24) | (which << 3) | kind
        heap.first_us = cells[0]

    def pop(heap):
        """Take the first event."""
        cells = heap.cells
        code = cells[1]
        heap.at_us = cells[0]
        heap.kind = code & 7
        heap.which = (code >> 3) & 0x1FFFFF
        heap.size -= 1
        size = 2 * heap.size
        if size == 0:
            heap.first_us = NEVER
            return
        time = cells[size]
        code = cells[size + 1]
        at = 0
        below = 2
        while below < size:
            least = below
            last = below + 8
            if last > size:
                last = size
            other = below + 2
            while other < last:
                if cells[other] < cells[least] or (
                    cells[other] == cells[least] and cells[other + 1] < cells[least + 1]
                ):
                    least = other
                other += 2
            if cells[least] > time or (cells[least] == time and cells[least + 1] > code):
                break
            cells[at] = cells[least]
            cells[at + 1] = cells[least + 1]
            at = least
            below = (at << 2) + 2
        cells[at] = time
        cells[at + 1] = code
        heap.first_us = cells[0]

else:

    def push(heap, at_us, kind, which):
        """Add an event."""
        heap.made += 1
        heappush(heap.entries, (at_us, (heap.made << 24) | (which << 3) | kind))
        heap.size += 1
        heap.first_us = heap.entries[0][0]

    def pop(heap):
        """Take the first event."""
        entries = heap.entries
        heap.at_us, code = heappop(entries)
        heap.kind = code & 7
        heap.which = (code >> 3) & 0x1FFFFF
        heap.size -= 1
        heap.first_us = entries[0][0] if entries else NEVER
