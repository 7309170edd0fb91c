"""The medium: 802.11's distributed coordination function and what receivers make of it, over flat arrays and records.

One source runs interpreted and compiled (``kernel.pxd`` gives the types), with the same results to the bit.

Rules:

- A station is a number, and so is everything else. Neighbours stand in rows, one behind the other: whoever gets a
  signal at all, even one too weak to be heard. Nothing is made for a reception: no object, no event.
- The events of a frame are its end, and one instant for all that its end lets go on counting down. A unicast frame's
  answer has a begin and an end besides. Receivers are dealt with inside these.
- An instant at a receiver is the sender's and the propagation's delay; what it does there is decided when the sender's
  event is, with the receiver's own time. So a station whose turn comes before it can have heard another's begin sends
  all the same.
- Chance is one stream a station, drawn where that station does something, and one for what noise does to its frames
  (splitmix64).
- Time is whole microseconds. Equal instants keep the order in which they were made.
- Programs are not called from here. A station whose frames a program gives is a script's (`set_script`): `run` stops
  after an event of which such a station is to know, and says what happened (`ended`, `heard`, `finished`).
- What stations do by themselves about what they receive, answer it or send it on, is one event each, when they have
  thought; where nothing does (`allow_reactions`), it costs nothing but a question a frame.
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

if cython.compiled:
    from espnow.air.memory import zeros as memory_of  # noqa: F401  (kernel.pxd)
else:
    from heapq import heappop, heappush
    from math import exp, log10

    from espnow.air.records import doubles, integers, pairs, smalls, stations, streams_of, words

__all__ = ["Kernel"]

NEVER = 1 << 60
LOUDEST = 1e300
LN_10 = 2.302585092994046  # the natural logarithm, by way of the one that is there

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
        self.station = stations(self, count)
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
        self.end_of_rows = 0
        self.pair = pairs(self, edges)
        self.gain = doubles(owned, edges)
        # A station that does nothing but hear one signal, or none: until when, and which, as its place in the rows.
        # `until` is NEVER for all others, of which books are kept in `station`.
        self.until = integers(owned, count)
        self.heard_at = smalls(owned, count)
        self.prepared = 0
        self.home = 0  # the channel on which most are
        self.starts = self.added = 0  # signals that began, and how many of them were added up
        # Losses by chance.
        self.lossy = 0
        self.loss = doubles(owned, 1)
        self.luck = words(owned, 1)
        # Scripts.
        self.scripts = 0
        self.stopped = 0
        self.ended = self.ended_kind = -1
        self.ended_stream = self.ended_made = self.ended_message = self.ended_attempt = 0
        self.heard = []
        self.finished = []
        # The signal that ends.
        self.answered = self.there = self.decoded = 0
        self.header_bits = self.body_bits = 0.0
        self.header_at = self.body_at = 0
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
        self.s_station = smalls(owned, streams)
        self.stream = streams_of(self, streams)
        # A station's queue, a ring of streams and times.
        self.room = 32
        self.q_stream = smalls(owned, count * 32)
        self.q_made = integers(owned, count * 32)
        # How long messages took, counted for groups of streams; for none unless `count_latencies` says so.
        self.groups = 0
        self.latencies = integers(owned, 1)
        # What stations do by themselves about what they receive; nothing unless `allow_reactions` says so.
        self.reacts = 0
        self.spare_reaction = self.spare_flood = -1
        for i in range(count):
            self.station[i].lock = -1
            self.station[i].closely = self.station[i].doubted = -1
            self.station[i].due = NEVER
            self.station[i].group = -1
            self.station[i].group_at = NEVER
            self.station[i].cw = self.cw_min
            self.set_chance(i, (seed * MIX_1 + i * MIX_2) & MASK)
        self.heap = Heap(4 * count + streams + 16)

    # Chance.

    def draw(self, i):
        """Return the next number of a station's stream, from 0 to below 1."""
        me = self.station[i]
        z = (me.chance + GOLDEN) & MASK
        me.chance = z
        return mix(z)

    def set_chance(self, i, word):
        """Begin a station's stream of chance elsewhere; what noise does to its frames has one of its own."""
        self.station[i].chance = word
        self.station[i].luck = ((word ^ PRIME) * MIX_2) & MASK

    def draw_slots(self, i):
        """Return a number of slots from a station's window."""
        return int(self.draw(i) * (self.station[i].cw + 1))

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
        if cython.compiled:
            move_records(self, old)  # noqa: F821  (kernel.pxd)
        else:
            self.station[: old.count] = old.station
            self.pair[: old.edges] = old.pair
            self.stream[: old.streams] = old.stream
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
        self.added = old.added
        self.scripts = old.scripts

    def set_row(self, i, others, gains, delays, at=-1):
        """Say who gets the signal of a station.

        The row stands at a place where no other one does, that of a frame on the air included; by default behind all
        that were given a place by default.
        """
        me = self.station[i]
        self.release_row(i)
        if at < 0:
            at = self.end_of_rows
            self.end_of_rows += len(others)
        me.first = at
        for j, ratio, us in zip(others, gains, delays, strict=True):
            self.pair[at].other = j
            self.gain[at] = ratio
            self.pair[at].delay = us
            at += 1
        me.last = at
        if self.prepared:
            self.prepare_row(i)

    def set_pair(self, i, j, ratio, us):
        """Say how another one gets the signal of a station that sends nothing now; False if it is not in the row."""
        me = self.station[i]
        for e in range(me.first, me.last):
            if self.pair[e].other == j:
                self.gain[e] = ratio
                self.pair[e].delay = us
                self.prepare_pair(i, e)
                return True
        return False

    def release_row(self, i):
        """Let nothing but a frame on the air need the row of a station any more."""
        me = self.station[i]
        for e in range(me.first, me.last):
            j = self.pair[e].other
            ear = self.station[j]
            if me.sending != NOTHING and self.heard_at[j] == e and self.until[j] < NEVER:
                self.look_closely(j)
            if ear.group == i:
                ear.group = -1
                if ear.wants == TURN and ear.due < NEVER:
                    push(self.heap, ear.due, ACCESS, j)
        self.add_row(i)

    def set_station(self, i, channel, power_mw, most):
        """Say how a station sends, and how often at most in all."""
        me = self.station[i]
        me.channel = channel
        me.power_mw = power_mw
        me.most = most

    def set_power(self, i, power_mw):
        """Say what a station sends with, once it has another row."""
        self.station[i].power_mw = power_mw

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
        self.stream[s].kind = kind
        self.stream[s].period = period
        self.stream[s].jitter = jitter
        self.stream[s].to = to
        self.stream[s].rate = rate
        self.stream[s].us = us
        self.stream[s].burst = 1

    def set_burst(self, s, count, spacing):
        """Let so many messages come each time, one so long after the other; all of a period count from the first."""
        self.stream[s].burst = count
        self.stream[s].spacing = spacing

    def set_event(self, s, random, word):
        """Let a stream of EVENT come at the instants of all that have the same word; periodic, or Poisson."""
        self.stream[s].random = random
        self.stream[s].luck = word

    def set_radiation(self, s, station, pause, us, rate, senses):
        """Let a station radiate for so long at a time, after pauses with a mean, whatever others do or in its turn."""
        self.set_stream(s, station, RADIATION, pause, 0.0, GROUP_ADDRESS, rate, us)
        self.stream[s].random = senses
        self.stream[s].group = -1
        self.start_stream(s, self.now_us + self.draw_pause(station, s))

    def draw_pause(self, i, s):
        """Return a pause of a stream, exponentially distributed."""
        return int(-LN_10 * log10(1.0 - self.draw(i)) * self.stream[s].period)

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
            self.stream[s].made,
            self.stream[s].dropped,
            self.stream[s].sent,
            self.stream[s].acknowledged,
            self.stream[s].failed,
            self.stream[s].attempts,
            self.stream[s].hearings,
            self.stream[s].delivered,
            self.stream[s].latency,
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
        me = self.station[i]
        self.add_up()
        got = me.got + me.simply
        us = me.busy_us + me.simply_us
        until = self.until[i]
        if until == NEVER:
            if me.busy:
                us += self.now_us - me.busy_since
        elif until > self.now_us and self.station[self.pair[self.heard_at[i]].owner].sending != NOTHING:
            # What it hears now is not over.
            got -= 1
            us -= until - self.now_us
        return me.sent_us, us, got

    def add_up(self):
        """Add up, for each station, what the others sent that get through to it at all."""
        if self.added == self.starts:
            return
        self.added = self.starts
        for i in range(self.count):
            self.add_row(i)

    def add_row(self, i):
        """Add what a station sent to what those in its row get, as if all of that was simply heard."""
        me = self.station[i]
        more = me.sent_count - me.added_count
        if more == 0:
            return
        more_us = me.sent_us - me.added_us
        me.added_count = me.sent_count
        me.added_us = me.sent_us
        for e in range(me.first, me.last):
            ear = self.station[self.pair[e].other]
            ear.simply += more
            ear.simply_us += more_us

    def hearers(self, i, rate):
        """Return how many others receive a station at a rate when nobody else sends."""
        me = self.station[i]
        found = 0
        for e in range(me.first, me.last):
            j = self.pair[e].other
            ear = self.station[j]
            loud = self.gain[e] * me.power_mw >= self.least_mw[rate]
            if loud and ear.channel == me.channel and ear.receiver != OFF:
                found += 1
        return found

    def count_latencies(self, groups):
        """Count how long messages take, for so many groups of streams."""
        self.groups = groups
        self.latencies = integers(self.owned, groups * LATENCY_LENGTH)

    def set_group(self, s, group):
        """Say to which group of `count_latencies` a stream belongs."""
        self.stream[s].group = group

    def latency_counts(self, group):
        """Return how many messages of a group took how long, in `LATENCY_STEPS` a tenfold of microseconds."""
        return [self.latencies[group * LATENCY_LENGTH + step] for step in range(LATENCY_LENGTH)]

    def prepare(self):
        """Look at every pair once, when all is said of the stations and before time goes on."""
        self.prepared = 1
        if self.count == 0:
            return
        self.home = self.station[0].channel
        for i in range(self.count):
            self.prepare_row(i)
            self.settle(i)

    def prepare_row(self, i):
        """Look at every pair of a row."""
        me = self.station[i]
        for e in range(me.first, me.last):
            self.prepare_pair(i, e)

    def prepare_pair(self, i, e):
        """Work out what the gain of a pair means with the power of its station."""
        self.pair[e].owner = i
        self.pair[e].strength = self.gain[e] * self.station[i].power_mw
        self.pair[e].alone = self.step(self.pair[e].strength / self.noise_mw)

    def settle(self, i):
        """See whether books of a station must be kept always, and begin to if so."""
        me = self.station[i]
        if not self.prepared:
            return
        me.apart = me.channel != self.home or me.receiver != ON
        if me.apart and self.until[i] < NEVER:
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
        me = self.station[i]
        me.script = 1
        self.scripts = 1
        self.s_station[stream] = i
        self.stream[stream].kind = SCRIPT
        me.stream_of = stream

    def offer(self, i, to, rate, us, most, deadline_us):
        """Queue a message of a station that has none: to whom, how, and how often and until when it is tried."""
        me = self.station[i]
        s = me.stream_of
        self.stream[s].to = to
        self.stream[s].rate = rate
        self.stream[s].us = us
        self.stream[s].made += 1
        me.most = most
        me.deadline = deadline_us
        if deadline_us < NEVER:
            push(self.heap, deadline_us, DEADLINE, i)
        self.transmit(i, s, self.now_us)

    def set_target(self, i, to):
        """Send to another station, from the next attempt on, what a station tries to send."""
        self.stream[self.station[i].stream_of].to = to

    def set_muted(self, i, muted):
        """Let a station not send any more what it has, or send again."""
        self.station[i].muted = muted

    def set_channel(self, i, channel):
        """Tune a radio; what is under way there is not known to it."""
        self.station[i].channel = channel
        self.settle(i)
        self.forget(i)

    def set_receiver(self, i, state, long_range, doze_first=0.0, doze_period=1.0, doze_on=0, doze_linger=0):
        """Say when a receiver is on, and whether it decodes LR; the times are those of `espnow.link.PowerSave`."""
        me = self.station[i]
        me.long_range = long_range
        me.receiver = state
        if doze_period > 0.0:
            me.doze_first = doze_first % doze_period - doze_period  # before all time: compiled, a rest has a sign
        me.doze_period = doze_period
        me.doze_on = doze_on
        me.doze_linger = doze_linger
        self.settle(i)
        if state == OFF:
            me.lock = -1

    def forget(self, i):
        """Let a radio know nothing of what is on the air now."""
        me = self.station[i]
        if self.until[i] < NEVER:
            self.look_closely(i)
        me.tuned = self.starts
        me.lock = -1
        me.signals = 0
        me.level = 0.0
        me.nav = me.spoilt = 0
        if me.busy:
            me.busy = 0
            me.busy_us += self.now_us - me.busy_since
            me.idle_since = self.now_us
            if me.wants and me.due == NEVER and me.sending == NOTHING:
                self.go_on(i)

    def is_awake(self, i, at):
        """Return whether a receiver is on at an instant."""
        me = self.station[i]
        if me.receiver != DOZING:
            return me.receiver == ON
        return at < me.awake_until or (at - me.doze_first) % me.doze_period < me.doze_on

    def hears(self, j, i, at):
        """Return whether a receiver that is not always on begins to receive what a station sends."""
        me = self.station[i]
        if me.sending == ACK and me.answer_to == j:
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
        """Return where the stream of chance of a pair stands, when a frame that is on the air has drawn from it."""
        if self.station[self.pair[e].owner].sending != NOTHING:
            return (self.luck[e] + GOLDEN) & MASK
        return self.luck[e]

    # What is going on.

    def next_us(self):
        """Return when the next event is due; `NEVER` if there is none."""
        return self.heap.first_us

    def air(self, i):
        """Return what a station has, or last had, on the air: begin, end, channel, rate, and its number."""
        me = self.station[i]
        return me.air_begin, me.air_begin + me.air_us, me.air_channel, me.air_rate, me.air_number

    def message(self):
        """Return the stream of the frame that `ended`, when it was made, its number at its station, and the attempt."""
        return self.ended_stream, self.ended_made, self.ended_message, self.ended_attempt

    def mw_of(self, i, j):
        """Return the power of the frame that `ended` at another station; 0 if it does not get there."""
        me = self.station[i]
        for e in range(me.air_first, me.air_last):
            if self.pair[e].other == j:
                return self.pair[e].strength
        return 0.0

    def is_as_it_was(self, i):
        """Return whether a station has still the row with which its last frame began."""
        return self.station[i].air_first == self.station[i].first

    def answers_to(self, i):
        """Return whom a station acknowledges, or acknowledged last."""
        return self.station[i].answer_to

    def row(self, i):
        """Return where the row of a station begins, and whose numbers stand there."""
        me = self.station[i]
        return me.first, [self.pair[e].other for e in range(me.first, me.last)]

    def is_sending(self, i):
        """Return whether a station has something on the air."""
        return self.station[i].sending != NOTHING

    def listens(self, j):
        """Return the channel of a station, and whether its receiver is `ON`, `OFF` or `DOZING`."""
        return self.station[j].channel, self.station[j].receiver

    def lost(self, j):
        """Return the number of the last frame that a station lost after it had begun to receive it, and if alone."""
        ear = self.station[j]
        return ear.lost_of, ear.lost_alone

    # Messages.

    def transmit(self, i, stream, made_us):
        """Queue a frame of a stream at its station; False if there is no room."""
        n = self.station[i].q_count
        if n >= self.room:
            return False
        self.append(i, stream, made_us)
        if n == 0:
            self.begin(i)
        return True

    def append(self, i, stream, made_us):
        """Put a frame at the end of a queue that has room."""
        me = self.station[i]
        at = me.q_first + me.q_count
        if at >= self.room:
            at -= self.room
        at += i * self.room
        self.q_stream[at] = stream
        self.q_made[at] = made_us
        if self.reacts:
            self.q_cause[at] = self.cause
        me.q_count += 1

    def turn_to_first(self, i):
        """Make the frame at the head of the queue the one that is sent next."""
        me = self.station[i]
        at = i * self.room + me.q_first
        s = self.q_stream[at]
        me.stream_of = s
        me.created = self.q_made[at]
        me.to = self.stream[s].to
        me.rate = self.stream[s].rate
        me.frame_us = self.stream[s].us
        me.attempt = 1
        me.arrived = 0
        me.messages += 1
        if self.reacts:
            self.cause_of[i] = self.q_cause[at]

    def start_stream(self, s, first_us):
        """Let a stream's first message come at an instant, or its first event be then."""
        self.stream[s].base = first_us
        if self.stream[s].kind == EVENT:
            first_us += int(self.draw(self.s_station[s]) * self.stream[s].jitter)
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
            if cython.compiled:
                expect_next(self, heap)  # noqa: F821  (kernel.pxd)
            self.now_us = now
            self.events += 1
            if kind == END:
                self.end(i)
            elif kind == GROUP:
                if self.station[i].group_at == now:
                    self.turns(i)
            elif kind == ACCESS:
                me = self.station[i]
                if me.due == now and me.wants == TURN and me.group == -1:
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
        kind = self.stream[s].kind
        if kind == RADIATION:
            self.radiate(i, s)
            return
        if self.stream[s].burst > 1:
            if self.stream[s].left == 0:
                self.stream[s].left = self.stream[s].burst
            while True:
                self.come(i, s)
                self.stream[s].left -= 1
                if self.stream[s].left == 0:
                    break
                if self.stream[s].spacing > 0:
                    push(self.heap, now + self.stream[s].spacing, ARRIVAL, s)
                    return
        else:
            self.come(i, s)
        if kind == PERIODIC:
            gap = self.stream[s].rest + self.stream[s].period
            base = self.stream[s].base + int(gap)
            self.stream[s].rest = gap - int(gap)
            self.stream[s].base = base
            if self.stream[s].jitter > 0.0:
                base += int(self.draw(i) * self.stream[s].jitter)
            push(self.heap, base if base > now else now, ARRIVAL, s)
        elif kind == POISSON:
            push(self.heap, now + self.draw_pause(i, s) + 1, ARRIVAL, s)
        elif kind == EVENT:
            gap = self.stream[s].period
            if self.stream[s].random:
                self.stream[s].luck = (self.stream[s].luck + GOLDEN) & MASK
                gap *= -LN_10 * log10(1.0 - mix(self.stream[s].luck))
            base = self.stream[s].base + int(gap) + 1 if self.stream[s].random else self.stream[s].base + int(gap)
            self.stream[s].base = base
            base += int(self.draw(i) * self.stream[s].jitter)
            push(self.heap, base if base > now else now, ARRIVAL, s)

    def radiate(self, i, s):
        """A burst of energy is due."""
        now = self.now_us
        self.stream[s].made += 1
        if self.stream[s].random:
            if not self.transmit(i, s, now):
                self.stream[s].dropped += 1
        else:
            self.append(i, s, now)
            self.turn_to_first(i)
            self.send(i)
        push(self.heap, now + self.stream[s].us + self.draw_pause(i, s), ARRIVAL, s)

    def come(self, i, s):
        """Queue a message of a stream, or drop it."""
        self.stream[s].made += 1
        if self.reacts:
            self.cause = self.begin_flood(i, s) if self.s_hops[s] else -1
        if not self.transmit(i, s, self.now_us):
            self.stream[s].dropped += 1
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
        self.stream[s].made += 1
        if not self.transmit(j, s, self.now_us):
            self.stream[s].dropped += 1

    def react(self, j, i, at):
        """A station decoded for the first time what another one sent it, or sent to all."""
        me = self.station[i]
        s = me.stream_of
        cause = self.cause_of[i]
        if self.s_hops[s]:
            f = cause >> 8
            if self.f_heard[f * self.count + j]:
                return
            self.f_heard[f * self.count + j] = 1
            us = at - self.f_made[f]
            self.stream[s].delivered += 1
            self.trip_us[s] += us
            if at > self.f_last[f]:
                self.f_last[f] = at
            if self.groups and self.s_trips[s] >= 0:
                self.count_latency(self.s_trips[s], us)
            if cause & 255 < self.s_hops[s] and not self.station[j].script:
                self.f_copies[f] += 1
                self.react_later(j, s, cause + 1, at)
            return
        if self.s_answer[s] >= 0 and not self.station[j].script:
            self.react_later(j, self.s_answer[s], me.created, at)
        asked = self.s_asked[s]
        if asked >= 0:
            us = at - cause
            self.trip_us[asked] += us
            if self.groups and self.s_trips[asked] >= 0:
                self.count_latency(self.s_trips[asked], us)

    def spread(self, i):
        """Let those react that heard a flooded message, and nothing else."""
        me = self.station[i]
        now = self.now_us
        for e in range(me.air_first, me.air_last):
            j = self.pair[e].other
            if self.heard_at[j] == e and self.until[j] == now + self.pair[e].delay:
                self.react(j, i, now + self.pair[e].delay)

    # Access.

    def begin(self, i):
        """The frame at the head of the queue waits for its turn."""
        me = self.station[i]
        self.turn_to_first(i)
        now = self.now_us
        if self.until[i] < NEVER:
            self.look_closely(i)
        if me.wants == NO_TURN or me.due <= now:  # the backoff after the last frame is over
            me.slots = 0
            me.wants = TURN
            # Programs begin in one instant, as boards do not: two that find the medium idle are to differ.
            if me.busy or me.sending or me.nav > now or me.script:
                me.slots = self.draw_slots(i)
            else:
                me.at_once = 1
            self.go_on(i)
        else:  # it still counts
            me.wants = TURN
            if me.due < NEVER:
                me.group = -1
                push(self.heap, me.due, ACCESS, i)

    def go_on(self, i):
        """Count down from now on, if the medium is idle; its own turn comes as an event of its own."""
        me = self.station[i]
        if self.until[i] < NEVER:
            self.look_closely(i)
        if me.busy or me.sending:
            me.due = NEVER
            return
        self.count_down(i, self.now_us)
        me.group = -1
        if me.wants == TURN:
            push(self.heap, me.due, ACCESS, i)

    def count_down(self, i, now):
        """Say when a station's turn comes if the medium stays idle, as it has been since `idle_since`."""
        me = self.station[i]
        since = me.idle_since
        if me.nav > since:
            since = me.nav
        if me.spoilt > since:
            since = me.spoilt
        since += self.difs_us
        if since < now:
            since = now
        me.counts_from = since
        me.due = since + me.slots * self.slot_us

    def freeze(self, i, at):
        """The medium is busy at a station from an instant on: its countdown stands still."""
        me = self.station[i]
        me.due = NEVER
        if me.at_once:  # it never counted: the medium was idle, but not for long enough
            me.at_once = 0
            me.slots = self.draw_slots(i)
            return
        passed = at - me.counts_from
        if passed > 0:
            passed = passed // self.slot_us
            left = me.slots - passed
            if left <= 0:  # the turn came, and nobody waited
                me.slots = 0
                if me.wants == BACKOFF:
                    me.wants = NO_TURN
            else:
                me.slots = left

    def turns(self, i):
        """Let those of a row whose turn it is send, and look when the next one's is."""
        me = self.station[i]
        now = self.now_us
        me.group_at = NEVER
        following = NEVER
        pair = self.pair
        for e in range(me.first, me.last):
            j = pair[e].other
            ear = self.station[j]
            if ear.group == i and ear.wants == TURN and ear.due <= now:
                self.send(j)
        for e in range(me.first, me.last):
            ear = self.station[pair[e].other]
            if ear.group == i and ear.wants == TURN and ear.due < following:
                following = ear.due
        if following < NEVER:
            me.group_at = following
            push(self.heap, following, GROUP, i)

    # On the air.

    def send(self, i):
        """Put the frame of a station on the air; its turn has come."""
        me = self.station[i]
        me.wants = NO_TURN
        me.due = NEVER
        me.at_once = 0
        if me.script:
            me.to = self.stream[me.stream_of].to  # who has the address may have changed
        if me.muted:
            me.attempt -= 1  # this one is not made
            self.finish(i, False)
            return
        self.frames += 1
        s = me.stream_of
        self.stream[s].attempts += 1
        me.air_rate = me.rate
        me.air_us = me.frame_us
        self.start(i, FRAME)

    def look_closely(self, j):
        """Begin to keep books of all that a station hears: more than one signal, or it has something to do."""
        ear = self.station[j]
        until = self.until[j]
        self.until[j] = NEVER
        ear.idle_since = until
        if until <= self.now_us:
            return
        e = self.heard_at[j]
        i = self.pair[e].owner
        me = self.station[i]
        if me.sending == NOTHING:  # it ended, and its last microsecond is under way
            return
        begin = me.air_begin + self.pair[e].delay
        if begin + me.air_us != until or not me.air_first <= e < me.air_last:
            return
        me.clean -= 1
        ear.got -= 1
        ear.busy_us -= me.air_us
        self.pair[e].next_closely = me.closely
        me.closely = e
        ear.signals = 1
        ear.busy = 1
        ear.level = self.pair[e].strength
        ear.busy_since = begin
        self.receive(j, i, self.pair[e].strength, begin)

    def start(self, i, kind):
        """A signal begins, and reaches everybody in the row."""
        me = self.station[i]
        now = self.now_us
        rate = me.air_rate
        if self.until[i] < NEVER:
            self.look_closely(i)
        if me.lock >= 0:
            me.lock = -1
            self.losses_half_duplex += 1
        me.sending = kind
        me.deaf += 1
        us = me.air_us
        self.starts += 1
        me.air_number = self.starts
        me.air_channel = me.channel
        me.air_begin = now
        me.air_first = me.first
        me.air_last = me.last
        me.sent_us += us
        me.sent_count += 1
        self.note(now, 4 * i + kind)
        # Whoever can receive a frame senses it too.
        least = self.least_mw[rate]
        sense = self.sense_mw if self.sense_mw < least else least
        clear_mw = self.sure[rate] * self.noise_mw
        simple_mw = least  # what so strong a signal does to a station that only hears is known at once
        if self.lossy or self.is_long_range[rate] or me.channel != self.home:
            simple_mw = LOUDEST
        clean = 0
        last_doubted = -1
        me.doubted = -1
        me.closely = -1
        pair = self.pair
        until = self.until
        heard_at = self.heard_at
        me.clean = 0
        if cython.compiled:
            expect_row(self, me, now)  # noqa: F821  (kernel.pxd)
        for e in range(me.first, me.last):
            j = pair[e].other
            at = now + pair[e].delay
            mw = pair[e].strength
            if until[j] <= at and mw >= simple_mw:
                until[j] = at + us
                heard_at[j] = e
                clean += 1
                if mw < clear_mw:
                    if last_doubted >= 0:
                        pair[last_doubted].next_doubted = e
                    else:
                        me.doubted = e
                    last_doubted = e
            else:
                self.reach(j, e, i, at, mw, least, sense)
        me.clean += clean
        if last_doubted >= 0:
            pair[last_doubted].next_doubted = -1
        push(self.heap, now + us, END, i)

    def reach(self, j, e, i, at, mw, least, sense):
        """A signal begins at a station that does more than to hear this one."""
        ear = self.station[j]
        me = self.station[i]
        ear.got -= 1
        ear.busy_us -= me.air_us
        if ear.channel != me.channel:
            return
        if self.until[j] < NEVER:
            self.look_closely(j)
        elif ear.wants == BACKOFF and ear.due <= at and ear.signals == 0 and not ear.deaf:
            ear.wants = NO_TURN  # the backoff after its frame ended while nobody waited
            ear.due = NEVER
        self.pair[e].next_closely = me.closely
        me.closely = e
        before = ear.level
        locked = ear.lock
        if locked >= 0:
            self.advance(j, at)
            if (
                at - ear.lock_begin < self.preamble_us
                and ear.lock_mw < (before - ear.lock_mw + mw + self.detect_noise_mw) * self.detect_ratio
            ):
                ear.lock = locked = -1  # neither can be told from the other
        ear.signals += 1
        ear.level = before + mw
        if mw >= sense:
            ear.busy += 1
            if ear.busy == 1:
                ear.busy_since = at
                if at + self.turnaround_us < ear.due < NEVER:
                    self.freeze(j, at)
        if mw < least or (self.is_long_range[me.air_rate] and not ear.long_range):
            return
        if locked < 0:
            if (
                not ear.deaf
                and mw >= (before + self.detect_noise_mw) * self.detect_ratio
                and (ear.receiver == ON or self.hears(j, i, at))
            ):
                self.receive(j, i, mw, at)
        elif self.capture_ratio > 0.0 and mw >= ear.lock_mw * self.capture_ratio:
            self.receive(j, i, mw, at)

    def receive(self, j, i, mw, at):
        """A station begins to receive another's signal."""
        ear = self.station[j]
        ear.lock = i
        ear.lock_mw = mw
        ear.lock_log = 0.0
        ear.lock_at = ear.lock_begin = at

    def advance(self, j, at):
        """Take the interval of constant interference that ends now into account for what a station receives."""
        ear = self.station[j]
        begin = ear.lock_at
        if at <= begin:
            return
        mw = ear.lock_mw
        other = ear.level - mw
        if other < 0.0:
            other = 0.0
        ratio = mw / (self.noise_mw + other)
        i = ear.lock
        me = self.station[i]
        rate = me.air_rate
        ear.lock_at = at
        if ratio >= self.sure[rate]:
            return
        step = self.step(ratio)
        body = me.air_begin + self.header_us[rate]
        us = at - begin
        if begin < body:  # the header has its own rate
            header = (at if at < body else body) - begin
            slow = self.header_curve[rate]
            ear.lock_log += header * self.bits_us[slow] * self.curve[slow * CURVE_LENGTH + step]
            us -= header
        if us > 0:
            ear.lock_log += us * self.bits_us[rate] * self.curve[rate * CURVE_LENGTH + step]

    def end(self, i):
        """A signal ends everywhere; receivers decide, and those who waited go on counting."""
        me = self.station[i]
        now = self.now_us
        kind = me.sending
        me.sending = NOTHING
        me.deaf -= 1
        me.idle_since = now
        rate = me.air_rate
        target = me.to if kind == FRAME else me.answer_to
        nav_us = self.sifs_us + self.ack_us[rate] if kind == FRAME and target != GROUP_ADDRESS else 0
        stream = me.stream_of
        repeated = me.arrived
        self.answered = 0
        self.there = now
        if self.scripts:  # what is at the head of its queue may be another frame at the end of this
            self.ended_stream = stream
            self.ended_made = me.created
            if self.reacts and self.s_hops[stream]:
                self.ended_made = self.f_made[self.cause_of[i] >> 8]
            self.ended_message = me.messages
            self.ended_attempt = me.attempt
        self.decoded = me.clean
        if me.doubted >= 0:
            self.leave_doubted(i, rate)
        if self.reacts and kind == FRAME and self.s_hops[stream]:
            self.spread(i)
        if target != GROUP_ADDRESS:
            self.leave_unicast(i, kind, target, nav_us)
        if self.scripts and kind == FRAME:
            self.tell(i)
        if me.closely >= 0:
            self.leave_closely(i, kind, target, nav_us)
        if self.scripts and (self.heard or me.script or (kind == ACK and self.station[me.answer_to].script)):
            self.stopped = 1
            self.ended = i
            self.ended_kind = kind
        decoded = self.decoded
        self.receptions += decoded
        self.note(now, decoded)
        if kind == FRAME:
            self.stream[stream].sent += 1
            self.stream[stream].hearings += decoded
            if target == GROUP_ADDRESS:
                if not (self.reacts and self.s_hops[stream]):
                    self.stream[stream].delivered += decoded
                self.finish(i, True)
            elif self.answered:
                if self.reacts and not repeated:
                    self.react(target, i, self.there)
                self.station[target].answer_to = i
                push(self.heap, self.there + self.sifs_us, ANSWER, target)
            else:
                push(self.heap, now + self.timeout_us, TIMEOUT, i)
        else:
            if self.answered:
                self.finish(target, True)
            elif self.station[target].to == i:
                # What it began to hear was no acknowledgement after all.
                self.unanswered(target)
            if me.wants != NO_TURN and me.due == NEVER:
                self.go_on(i)

    def tell(self, i):
        """Note the stations of scripts that heard a frame and nothing else."""
        me = self.station[i]
        now = self.now_us
        for e in range(me.air_first, me.air_last):
            j = self.pair[e].other
            if self.station[j].script and self.heard_at[j] == e and self.until[j] == now + self.pair[e].delay:
                self.heard.append(j)

    def weigh(self, i, rate):
        """Note how many bits a signal has in its header and behind it, and where the curves for both begin."""
        slow = self.header_curve[rate]
        air_us = self.station[i].air_us
        header_us = self.header_us[rate]
        if header_us > air_us:
            header_us = air_us
        self.header_bits = header_us * self.bits_us[slow]
        self.body_bits = (air_us - header_us) * self.bits_us[rate]
        self.header_at = slow * CURVE_LENGTH
        self.body_at = rate * CURVE_LENGTH

    def leave_doubted(self, i, rate):
        """See who loses a signal to noise, of those that heard nothing else.

        One number tells of all: the first who loses it is where the product of the chances falls below that number.
        Another one tells of those behind.
        """
        me = self.station[i]
        now = self.now_us
        self.weigh(i, rate)
        header_bits = self.header_bits
        body_bits = self.body_bits
        slow = self.header_at
        fast = self.body_at
        pair = self.pair
        until = self.until
        heard_at = self.heard_at
        curve = self.curve
        draws = 0
        limit = self.fate(i, draws)
        log = 0.0
        e = me.doubted
        while e >= 0:
            j = pair[e].other
            at = now + pair[e].delay
            if heard_at[j] == e and until[j] == at:
                log += header_bits * curve[slow + pair[e].alone] + body_bits * curve[fast + pair[e].alone]
                if log < limit:
                    draws += 1
                    limit = self.fate(i, draws)
                    log = 0.0
                    self.decoded -= 1
                    self.failed_receptions += 1
                    ear = self.station[j]
                    ear.got -= 1
                    ear.lost_of = me.air_number
                    ear.lost_alone = 1
                    self.look_closely(j)  # until it has heard a frame without an error
                    ear.idle_since = at
                    ear.spoilt = at + self.eifs_us - self.difs_us
            e = self.pair[e].next_doubted

    def fate(self, i, draws):
        """Return the logarithm of a number from 0 to 1, the same for the same frame of a station, whoever hears it."""
        me = self.station[i]
        number = mix((me.luck + GOLDEN * (me.sent_count * 1024 + draws)) & MASK)
        return LN_10 * log10(number) if number > 0.0 else -LOUDEST

    def leave_unicast(self, i, kind, target, nav_us):
        """Let those who heard a frame for one station, and nothing else, keep quiet for its answer; or be that one."""
        me = self.station[i]
        now = self.now_us
        pair = self.pair
        until = self.until
        heard_at = self.heard_at
        for e in range(me.air_first, me.air_last):
            j = pair[e].other
            at = now + pair[e].delay
            if until[j] == at and heard_at[j] == e:
                self.take(j, i, kind, target, at, nav_us)

    def leave_closely(self, i, kind, target, nav_us):
        """End a signal at those of whom books are kept."""
        me = self.station[i]
        now = self.now_us
        rate = me.air_rate
        self.weigh(i, rate)
        least = self.least_mw[rate]
        sense = self.sense_mw if self.sense_mw < least else least
        # After a frame with an error nobody counts before EIFS is over; the last DIFS of it comes with every count.
        error_us = self.eifs_us - self.difs_us
        # Alone, a signal of this strength loses no bit.
        clear_mw = self.sure[rate] * self.noise_mw
        following = NEVER
        group = i if me.air_first == me.first else -1  # it has another row by now
        pair = self.pair
        following_e = me.closely
        if cython.compiled:
            expect_closely(self, following_e)  # noqa: F821  (kernel.pxd)
        while following_e >= 0:
            e = following_e
            following_e = pair[e].next_closely
            j = pair[e].other
            ear = self.station[j]
            if ear.tuned >= me.air_number:
                continue
            at = now + pair[e].delay
            mw = pair[e].strength
            left = ear.signals - 1
            if ear.lock == i:
                undisturbed = left == 0 and ear.lock_at == ear.lock_begin  # nobody else sent
                if undisturbed:
                    log = 0.0
                    if mw < clear_mw:
                        log = self.header_bits * self.curve[self.header_at + pair[e].alone]
                        log += self.body_bits * self.curve[self.body_at + pair[e].alone]
                else:
                    self.advance(j, at)
                    log = ear.lock_log
                ear.lock = -1
                if (log == 0.0 or self.draw(j) < exp(log)) and not (self.lossy and self.loses(e)):
                    self.decoded += 1
                    ear.got += 1
                    self.take(j, i, kind, target, at, nav_us)
                    if self.reacts and kind == FRAME and target == GROUP_ADDRESS:
                        self.react(j, i, at)
                    if kind == FRAME and ear.script:
                        self.heard.append(j)
                else:
                    ear.spoilt = at + error_us
                    self.failed_receptions += 1
                    ear.lost_of = me.air_number
                    ear.lost_alone = undisturbed
            elif ear.lock >= 0:
                self.advance(j, at)  # it received another with this one's disturbance
            ear.signals = left
            if left:
                ear.level -= mw
            else:
                ear.level = 0.0
            if mw >= sense:
                ear.busy -= 1
                if ear.busy == 0:
                    ear.idle_since = at
                    ear.busy_us += at - ear.busy_since
                    if ear.wants and ear.due == NEVER and ear.sending == NOTHING:
                        self.count_down(j, at)
                        ear.group = group
                        if ear.wants == TURN:
                            if group < 0:
                                push(self.heap, ear.due, ACCESS, j)
                            elif ear.due < following:
                                following = ear.due
            if left == 0 and ear.wants == NO_TURN and not ear.deaf and not ear.apart and ear.spoilt <= at:
                self.until[j] = ear.idle_since  # it does nothing but hear from now on
        if following < me.group_at:
            me.group_at = following
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
        ear = self.station[j]
        me = self.station[i]
        ear.spoilt = 0
        if j == target:
            self.answered = 1
            self.there = at
            if ear.receiver == DOZING:
                self.stay_awake(j, at + self.sifs_us + self.ack_us[me.air_rate])
            if kind == FRAME and not me.arrived:
                # Repetitions come because the answer was lost: the receiver drops them.
                me.arrived = 1
                self.stream[me.stream_of].delivered += 1
        elif nav_us and at + nav_us > ear.nav:
            ear.nav = at + nav_us

    def stay_awake(self, i, at):
        """Leave a receiver on after its own traffic, which ends at an instant."""
        me = self.station[i]
        if me.receiver == DOZING and at + me.doze_linger > me.awake_until:
            me.awake_until = at + me.doze_linger

    def answer(self, k):
        """A receiver acknowledges, whatever the medium does, and also if a program has put it to sleep since.

        The hardware does so before any program of a chip can have the message.
        """
        me = self.station[k]
        i = me.answer_to
        if me.sending != NOTHING:
            push(self.heap, self.now_us + self.timeout_us - self.sifs_us, TIMEOUT, i)
            return
        if self.until[k] < NEVER:
            self.look_closely(k)
        if me.wants != NO_TURN and me.due < NEVER:
            self.freeze(k, self.now_us)
        rate = self.station[i].air_rate
        self.answers += 1
        me.air_rate = self.ack_rate[rate]
        me.air_us = self.ack_us[rate]
        self.start(k, ACK)

    def unanswered(self, i):
        """No acknowledgement came: try again, or give up."""
        me = self.station[i]
        if me.attempt >= me.most or (me.deadline and self.now_us >= me.deadline):
            self.finish(i, False)
            return
        me.attempt += 1
        cw = 2 * me.cw + 1
        me.cw = cw if cw < self.cw_max else self.cw_max
        me.slots = self.draw_slots(i)
        me.wants = TURN
        self.go_on(i)

    def expire(self, i):
        """A message has waited for so long that it is given up."""
        me = self.station[i]
        if me.deadline == self.now_us and me.wants == TURN:
            me.attempt -= 1  # this one is not made
            self.finish(i, False)

    def finish(self, i, answered):
        """A frame is done with; count down once more, and turn to the next."""
        me = self.station[i]
        s = me.stream_of
        if me.script:
            me.deadline = 0
            self.stopped = 1
            self.finished.append((i, answered, me.attempt))
            self.stay_awake(i, self.now_us)
        if self.reacts and self.s_hops[s]:
            self.let_go(s, self.cause_of[i])
        if self.reacts and self.s_hops[s] and self.cause_of[i] & 255 > 1:
            pass  # it was another one's message
        elif answered:
            self.stream[s].acknowledged += 1
            us = self.now_us - me.created
            self.stream[s].latency += us
            if self.groups and self.stream[s].group >= 0:
                self.count_latency(self.stream[s].group, us)
        else:
            self.stream[s].failed += 1
        at = me.q_first + 1
        me.q_first = 0 if at == self.room else at
        me.q_count -= 1
        me.cw = self.cw_min
        me.slots = self.draw_slots(i)
        if self.stream[s].kind == SATURATED:
            self.stream[s].made += 1
            if self.reacts:
                self.cause = -1
            self.append(i, s, self.now_us)  # there is room, since one has just gone
        if me.q_count:
            self.turn_to_first(i)
            me.wants = TURN
        else:
            me.wants = BACKOFF
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
