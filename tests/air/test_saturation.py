"""The kernel against models with a closed form: Bianchi's, its extension by a retry limit, and unsynchronised senders.

Statistical errors are those of the runs as they are here; the figures of longer ones are in docs/air.md, and come from
`python tests/air/test_saturation.py`.
"""

import math
import sys

import pytest

from espnow.air.propagation import LogDistance
from espnow.air.scene import BROADCAST, Access, Place, Receiver, Scene, Traffic, TrafficKind
from espnow.air.telling import frame_length
from espnow.frame import ACK_LENGTH, SIFS_US, airtime_us, response_rate

SLOT_US, DIFS_US = 20, 50
WINDOW = 32
DOUBLINGS = 5  # 32 to 1024

#: Bianchi's stations go on after DIFS, whoever heard what: neither EIFS nor an ACKTimeout beyond it.
IDEAL = Access(eifs_us=DIFS_US, timeout_us=DIFS_US)
ENDLESS = 1 << 40


def chance_to_send(p, attempts):
    """Return how likely a station sends in a slot, if an attempt collides with p.

    Attempts a frame by slots a frame, of which stage i has (W_i + 1) / 2 in the mean: for endless attempts that is
    Bianchi's (7), with a limit that of Wu, Peng, Long, Cheng and Ma, INFOCOM 2002.
    """
    tried = slots = 0.0
    for stage in range(attempts):
        reached = p**stage
        tried += reached
        slots += reached * (WINDOW * 2 ** min(stage, DOUBLINGS) + 1) / 2
    return tried / slots


def saturated(stations, rate, size, attempts=2000):
    """Return acknowledged messages a second, and how likely an attempt collides."""
    low, high = 0.0, 1.0
    for _ in range(60):
        p = (low + high) / 2
        if 1 - (1 - chance_to_send(p, attempts)) ** (stations - 1) > p:
            low = p
        else:
            high = p
    tau = chance_to_send(p, attempts)
    some = 1 - (1 - tau) ** stations
    one = stations * tau * (1 - tau) ** (stations - 1)
    frame_us = airtime_us(frame_length(size), rate)
    good_us = frame_us + SIFS_US + airtime_us(ACK_LENGTH, response_rate(rate)) + DIFS_US
    bad_us = frame_us + DIFS_US
    slot_us = (1 - some) * SLOT_US + one * good_us + (some - one) * bad_us
    return 1e6 * one / slot_us, p


def one_window(stations, rate, size):
    """Return the same without repetitions, so that the window stays, and by what DCF does with it.

    Bianchi's stations count a busy medium as a slot. Under DCF the first slot after it belongs to those who sent, who
    may draw 0; the others need an idle slot more (Tinnirello, Bianchi and Xiao, IEEE Trans. Veh. Technol. 59(3), 2010).
    With one window that is a chain that can be solved: whoever draws 0 sends again in the same busy period, whoever
    does not waits for 0 to W - 2 slots of the others.
    """
    frame_us = airtime_us(frame_length(size), rate)
    good_us = frame_us + SIFS_US + airtime_us(ACK_LENGTH, response_rate(rate)) + DIFS_US
    again = 1 / WINDOW
    tau = 2 / WINDOW

    def some_of(few, many, p):
        return math.comb(many, few) * p**few * (1 - p) ** (many - few)

    # What follows when so many send at once: microseconds, messages, attempts.
    following = [(0.0, 0.0, 0.0)]
    for senders in range(1, stations + 1):
        sums = [float(good_us if senders == 1 else frame_us + DIFS_US), float(senders == 1), float(senders)]
        for few in range(1, senders):
            for place, value in enumerate(following[few]):
                sums[place] += some_of(few, senders, again) * value
        following.append(tuple(value / (1 - again**senders) for value in sums))
    us, done, tried = (
        sum(some_of(few, stations, tau) * following[few][place] for few in range(1, stations + 1)) for place in range(3)
    )
    return 1e6 * done / (SLOT_US + us), 1 - done / tried


def simulated(stations, rate, size, us, attempts=ENDLESS, access=IDEAL, seed=1):
    """Return the same of the kernel: all in one place, each with a message for the next one."""
    scene = Scene(
        [Place((0.0, 0.0), attempts=attempts)] * stations,
        [
            Traffic(i, (i + 1) % stations, size, TrafficKind.SATURATED, rate=rate, first_us=1000 * i)
            for i in range(stations)
        ],
        access=access,
        seed=seed,
    )
    results = scene.run(us)
    sent = sum(one.attempts for one in results)
    done = sum(one.acknowledged for one in results)
    lost = sum(one.failed for one in results)
    return 1e6 * done / us, (sent - done) / sent, lost / (done + lost), sent


#: Virtual time that takes about a second: 3000 to 10000 attempts.
SECONDS = {2: 20, 5: 18, 10: 14, 20: 12, 50: 8}


@pytest.mark.parametrize("rate", [0, 3], ids=["1M", "11M"])
@pytest.mark.parametrize("stations", SECONDS)
def test_saturated_unicast_is_bianchis(stations, rate):
    """One standard error: 0.004 to 0.016 of the throughput, 0.003 to 0.009 of the collision probability.

    So two of them are allowed for; the next test is sharper.
    """
    us = SECONDS[stations] * 1_000_000 // (4 if rate == 3 else 1)
    expected, p = saturated(stations, rate, 200)
    found, collided, _, sent = simulated(stations, rate, 200, us)
    assert found == pytest.approx(expected, rel=0.03 + 2 * math.sqrt(collided / sent))
    assert collided == pytest.approx(p, abs=0.02)


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("rate", [0, 3], ids=["1M", "11M"])
@pytest.mark.parametrize("stations", SECONDS)
def test_saturated_unicast_compiled(stations, rate):
    """One standard error: 0.005 and less of the throughput, 0.003 and less of the collision probability.

    What is left at 11 Mb/s, up to 2.4 percent, is a slot that each busy period takes: see `one_window`.
    """
    expected, p = saturated(stations, rate, 200)
    found, collided, _, _ = simulated(stations, rate, 200, 100_000_000)
    assert found == pytest.approx(expected, rel=0.03)
    assert collided == pytest.approx(p, abs=0.02)


@pytest.mark.parametrize("attempts", [3, 7])
def test_with_a_retry_limit(attempts):
    """One standard error: 0.012 of the throughput, 0.008 of the collision probability."""
    expected, p = saturated(20, 0, 200, attempts)
    found, collided, lost, _ = simulated(20, 0, 200, 9_000_000, attempts)
    assert found == pytest.approx(expected, rel=0.03)
    assert collided == pytest.approx(p, abs=0.02)
    assert lost == pytest.approx(p**attempts, abs=0.02)


@pytest.mark.parametrize(("stations", "rate"), [(2, 0), (5, 3), (20, 3)])
def test_without_repetitions(stations, rate):
    """One standard error: 0.003 to 0.01 of the throughput, 0.002 to 0.004 of the collision probability."""
    expected, p = one_window(stations, rate, 200)
    found, collided, lost, _ = simulated(stations, rate, 200, SECONDS[stations] * 300_000, 1)
    assert found == pytest.approx(expected, rel=0.03)
    assert collided == pytest.approx(p, abs=0.012)
    assert lost == pytest.approx(collided, abs=0.001)


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize(("stations", "rate"), [(2, 3), (5, 3), (20, 0), (20, 3), (50, 3)])
def test_without_repetitions_compiled(stations, rate):
    """One standard error: 0.001 to 0.005 of the throughput, 0.001 of the collision probability."""
    expected, p = one_window(stations, rate, 200)
    found, collided, _, _ = simulated(stations, rate, 200, 100_000_000, 1)
    assert found == pytest.approx(expected, rel=0.015 if rate == 0 else 0.006)
    assert collided == pytest.approx(p, abs=0.004)


# Two senders that do not hear each other, and a receiver that hears both equally well, at a rate at which any overlap
# ruins both (6 Mb/s, 0 dB, no capture). A frame lasts T. Of a sender with a fixed period P a frame begins within T of
# the other's begin with 2 T / P, wherever the other's begins, as long as that one does not keep step: exactly. Of a
# Poisson sender none begins within 2 T with exp(-2 T / P) (pure ALOHA), but for its own frames that wait for each
# other: two of them never begin within T, which changes the probability by less than (T / P)**2 * 2.

HIDDEN = LogDistance(3.0, 100.0)
OFDM_6M = 11


def hidden_senders(kinds, period_us, us, seed):
    places = [Place((-80.0, 0.0)), Place((80.0, 0.0)), Place((0.0, 0.0))]
    traffic = [
        Traffic(0, BROADCAST, 250, kinds[0], period_us, rate=OFDM_6M, first_us=17),
        Traffic(1, BROADCAST, 250, kinds[1], period_us, rate=OFDM_6M, first_us=101),
    ]
    scene = Scene(places, traffic, HIDDEN, receiver=Receiver(sense_dbm=-90.0, calibrated=False), seed=seed)
    return [(one.delivered, one.attempts) for one in scene.run(us)]


@pytest.mark.parametrize("load", [0.1, 0.3])
def test_a_hidden_sender_with_a_period(load):
    """One standard error: 0.006."""
    frame_us = airtime_us(frame_length(250), OFDM_6M)
    period_us = round(frame_us / load)
    delivered, sent = hidden_senders((TrafficKind.POISSON, TrafficKind.PERIODIC), period_us, 8000 * period_us, 3)[0]
    assert delivered / sent == pytest.approx(1 - 2 * frame_us / period_us, abs=0.02)


@pytest.mark.parametrize("load", [0.02, 0.1])
def test_two_hidden_poisson_senders(load):
    """One standard error: 0.005; the two senders' losses are the same ones."""
    frame_us = airtime_us(frame_length(250), OFDM_6M)
    results = hidden_senders((TrafficKind.POISSON,) * 2, frame_us / load, round(8000 * frame_us / load), 5)
    for delivered, sent in results:
        assert delivered / sent == pytest.approx(math.exp(-2 * load), abs=0.015 + 2 * load * load)


def main(seconds):
    """Print the figures of docs/air.md, for runs of so many seconds of virtual time."""
    us = seconds * 1_000_000
    for rate, name in ((0, "1M"), (3, "11M")):
        for stations in (2, 5, 10, 20, 50):
            expected, p = saturated(stations, rate, 200)
            found, collided, _, sent = simulated(stations, rate, 200, us)
            standard, _, _, _ = simulated(stations, rate, 200, us, access=Access())
            print(
                f"| {name} | {stations} | {expected:.1f} | {found:.1f} | {100 * (found / expected - 1):+.1f} % "
                f"| {p:.3f} | {collided:.3f} | {standard:.1f} | {sent} |"
            )
    for rate, name in ((0, "1M"), (3, "11M")):
        for stations in (2, 5, 20, 50):
            bianchi, _ = saturated(stations, rate, 200, 1)
            expected, p = one_window(stations, rate, 200)
            found, collided, _, _ = simulated(stations, rate, 200, us, 1)
            print(
                f"| {name} | {stations} | {bianchi:.1f} | {expected:.1f} | {found:.1f} "
                f"| {100 * (found / expected - 1):+.1f} % | {p:.3f} | {collided:.3f} |"
            )
    for attempts in (2, 3, 7):
        expected, p = saturated(20, 0, 200, attempts)
        found, collided, lost, sent = simulated(20, 0, 200, us, attempts)
        print(
            f"| {attempts} | {expected:.1f} | {found:.1f} | {100 * (found / expected - 1):+.1f} % "
            f"| {p:.3f} | {collided:.3f} | {p**attempts:.4f} | {lost:.4f} |"
        )
    frame_us = airtime_us(frame_length(250), OFDM_6M)
    for load in (0.02, 0.1, 0.3):
        period_us = frame_us / load
        fixed = hidden_senders((TrafficKind.POISSON, TrafficKind.PERIODIC), round(period_us), us, 3)[0]
        poisson = hidden_senders((TrafficKind.POISSON,) * 2, period_us, us, 5)[0]
        print(
            f"| {load} | {1 - 2 * load:.3f} | {fixed[0] / fixed[1]:.3f} | {math.exp(-2 * load):.3f} "
            f"| {poisson[0] / poisson[1]:.3f} | {poisson[1]} |"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
