"""Error curves against published values, and the codes' distances found anew."""

import math
from itertools import pairwise
from pathlib import Path

import pytest

from espnow.air.errorrate import (
    _CODES,
    bit_error,
    calibration_db,
    needed_db,
    sensitivity_test,
    sure_ratio,
    survival_curve,
)
from espnow.air.kernel import CURVE_FROM_DB, CURVE_LENGTH, CURVE_STEPS
from espnow.air.propagation import sensitivity_dbm
from espnow.air.scene import BENCH_NOISE_DBM, Receiver
from espnow.frame import RATES, airtime_us

EVERY = sorted(RATES)
MCS = {number: phy.mcs for number, phy in RATES.items() if phy.mcs is not None}


def linear(db):
    return 10 ** (db / 10)


def spread(kbit_s, db):
    """Return the ratio in 22 MHz at which Eb/N0 is so many dB."""
    return linear(db) * kbit_s / 22000


@pytest.mark.parametrize(
    ("rate", "kbit_s", "db", "expected"),
    [
        # DBPSK needs 10.3 dB for 1e-5, DQPSK 12.0 dB (the curves of Proakis, 5.2).
        (0, 1000, 10.34, 1e-5),
        (1, 2000, 12.0, 9e-6),
        # A closed value: exp(-4) / 2.
        (0, 1000, 10 * math.log10(4), math.exp(-4) / 2),
        (41, 250, 10 * math.log10(4), math.exp(-4) / 2),
        (42, 500, 10 * math.log10(4), math.exp(-4) / 2),
    ],
)
def test_differential(rate, kbit_s, db, expected):
    assert bit_error(rate, spread(kbit_s, db)) == pytest.approx(expected, rel=0.06)


def marcum(a, b):
    """Return Q1(a, b) by its series of Bessel functions, and I0(ab); for moderate arguments."""

    def bessel(order, x):
        return sum((x / 2) ** (2 * k + order) / (math.factorial(k) * math.factorial(k + order)) for k in range(60))

    series = sum((a / b) ** k * bessel(k, a * b) for k in range(40))
    return math.exp(-(a * a + b * b) / 2) * series, bessel(0, a * b)


@pytest.mark.parametrize("gamma", [0.1, 1.0, 3.0, 8.0])
def test_dqpsk_is_the_textbook_expression(gamma):
    a, b = (math.sqrt(2 * gamma * (1 + sign * math.sqrt(0.5))) for sign in (-1, 1))
    q, i0 = marcum(a, b)
    expected = q - 0.5 * i0 * math.exp(-(a * a + b * b) / 2)
    assert bit_error(1, gamma * 2000 / 22000) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("symbol", [0.5, 4.0, 12.0, 25.0])
def test_cck_is_biorthogonal(symbol):
    """The probability of a right symbol, integrated in a plain way."""
    b, step = math.sqrt(2 * symbol), 1e-3
    right = 0.0
    for k in range(int((8 + b) / step)):
        x = -b + (k + 0.5) * step
        right += math.erf((x + b) / math.sqrt(2)) ** 7 * math.exp(-x * x / 2) * step / math.sqrt(2 * math.pi)
    # Es/N0 is the ratio times 16, 22 MHz over 1.375 million symbols a second, and half of that counts.
    survives = (1 - bit_error(2, symbol / 8)) ** 4
    assert 1 - survives == pytest.approx(1 - right, rel=1e-6, abs=1e-13)
    both = (1 - bit_error(3, 2 * symbol / 8)) ** 8
    assert 1 - both == pytest.approx(1 - right**2, rel=1e-6, abs=1e-13)


def test_cck_stays_below_the_union_bound_and_meets_it():
    """14 other signals at the distance of orthogonal ones, and one opposite."""
    for db in (6, 10, 14):
        symbol = linear(db)
        bound = 14 * 0.5 * math.erfc(math.sqrt(symbol / 2)) + 0.5 * math.erfc(math.sqrt(symbol))
        exact = -math.expm1(4 * math.log1p(-bit_error(2, symbol / 8)))
        assert exact <= bound
    assert exact == pytest.approx(bound, rel=0.05)


@pytest.mark.parametrize(
    ("rate", "db", "raw"),
    [
        # Constellations without a code, by their closed forms.
        (11, 2.0, lambda r: 0.5 * math.erfc(math.sqrt(r))),
        (10, 5.0, lambda r: 0.5 * math.erfc(math.sqrt(r / 2))),
        (9, 11.0, lambda r: 0.375 * math.erfc(math.sqrt(r / 10))),
        (8, 19.0, lambda r: 7 / 24 * math.erfc(math.sqrt(r / 42))),
    ],
)
def test_nist(rate, db, raw):
    code = {11: "1/2", 10: "1/2", 9: "1/2", 8: "2/3"}[rate]
    bits, distance, step, counts = _CODES[code]
    p = raw(linear(db))
    d = math.sqrt(4 * p * (1 - p))
    bound = sum(count * d ** (distance + k * step) for k, count in enumerate(counts)) / (2 * bits)
    assert bit_error(rate, linear(db)) == pytest.approx(bound, rel=1e-9)


# What Pei and Henderson's validation programs print, as the tests of ns-3 have it (wifi-error-rate-models-test.cc): the
# probability that a frame survives. DSSS and CCK: 1078 bytes, by the signal in dBm over a noise of -93.55; OFDM: 2000
# bytes, by the ratio in dB. ns-3 has an approximation for DQPSK, which is up to 0.03 lower than the exact value.
PUBLISHED = {
    0: {-99: 0.0003, -98: 0.202, -97: 0.813, -96: 0.984, -95: 0.999},
    1: {-94: 0.036, -93: 0.519, -92: 0.915, -91: 0.993, -90: 0.999},
    2: {-92: 0.0001, -91: 0.132, -90: 0.744, -89: 0.974, -88: 0.999},
    3: {-89: 8.85e-5, -88: 0.128, -87: 0.739, -86: 0.973, -85: 0.999},
    11: {3.0: 0.020, 4.0: 0.885, 5.0: 0.997},
    15: {6.0: 0.097, 7.0: 0.918, 8.0: 0.998},
    10: {6.0: 0.0174, 7.0: 0.881, 8.0: 0.997},
    14: {9.5: 0.623, 10.5: 0.985, 11.5: 0.999},
    9: {13.0: 0.495, 14.0: 0.974, 15.0: 0.999},
    13: {15.5: 0.012, 16.5: 0.818, 17.5: 0.993},
    8: {20.0: 1.3e-4, 21.0: 0.649, 22.0: 0.983},
    12: {22.0: 0.410, 23.0: 0.958, 24.0: 0.999},
}


@pytest.mark.parametrize("rate", PUBLISHED)
def test_frames_survive_as_published(rate):
    for at, expected in PUBLISHED[rate].items():
        db, length = (at + 93.5522786, 1078) if rate <= 3 else (at, 2000)
        survives = (1 - bit_error(rate, linear(db))) ** (8 * length)
        assert survives == pytest.approx(expected, abs=0.03 if rate == 1 else 0.005)


PUNCTURED = {
    "1/2": ((1,), (1,)),
    "2/3": ((1, 1), (1, 0)),
    "3/4": ((1, 1, 0), (1, 0, 1)),
    "5/6": ((1, 1, 0, 1, 0), (1, 0, 1, 0, 1)),
}


@pytest.mark.parametrize("code", PUNCTURED)
def test_first_distances_of_the_codes(code):
    """Enumerate the paths that leave the zero path and come back, for each phase of the puncturing (17.3.5.6)."""
    _, distance, step, counts = _CODES[code]
    entries = 3
    most = distance + step * (entries - 1)
    pattern = PUNCTURED[code]
    period = len(pattern[0])
    found = {}
    for begin in range(period):
        # By state and weight: how many paths, and how many ones they have among their information bits.
        front = {(0, 0): (1, 0)}
        at = begin
        first = True
        while front:
            following = {}
            for (state, weight), (paths, ones) in front.items():
                for bit in (1,) if first else (0, 1):
                    register = bit << 6 | state
                    out = weight
                    out += pattern[0][at % period] * ((register & 0o133).bit_count() & 1)
                    out += pattern[1][at % period] * ((register & 0o171).bit_count() & 1)
                    if out > most:
                        continue
                    there = register >> 1
                    if there == 0:
                        found[out] = found.get(out, 0) + ones + bit * paths
                        continue
                    old = following.get((there, out), (0, 0))
                    following[there, out] = old[0] + paths, old[1] + ones + bit * paths
            front = following
            first = False
            at += 1
    assert {weight: ones for weight, ones in found.items() if ones} == {
        distance + step * k: counts[k] for k in range(entries)
    }


@pytest.mark.parametrize("rate", EVERY)
def test_curves(rate):
    curve = survival_curve(rate)
    assert len(curve) == CURVE_LENGTH
    assert all(one <= other <= 0.0 for one, other in pairwise(curve))
    assert curve[0] >= math.log(0.5)
    for step in range(0, CURVE_LENGTH, 7):
        lost = bit_error(rate, linear(CURVE_FROM_DB + (step + 0.5) / CURVE_STEPS))
        assert curve[step] == pytest.approx(math.log1p(-lost), abs=1e-17)
    sure = sure_ratio(rate)
    assert 20_000 * bit_error(rate, sure) < 1e-9 < 20_000 * bit_error(rate, sure / linear(0.01))


@pytest.mark.parametrize("rate", EVERY)
def test_a_hopeless_ratio_and_a_good_one(rate):
    assert 0.4 < bit_error(rate, 0.0) <= 0.5 or RATES[rate].modulation == "CCK"
    assert bit_error(rate, 1e5) == 0.0
    with pytest.raises(ValueError, match="0 or more"):
        bit_error(rate, -1.0)
    with pytest.raises(ValueError, match="0 or more"):
        bit_error(rate, math.nan)


def test_slower_is_more_robust():
    for chain in ((41, 42, 0, 1, 2, 3), (11, 10, 9, 8, 12), (11, 15, 14, 13, 12), range(16, 24)):
        sure = [sure_ratio(rate) for rate in chain]
        if chain[0] == 41:  # CCK 5.5 has a better code than DQPSK, for 2.75 times the speed
            sure = sure[:4] + sure[5:]
        assert sure == sorted(sure), chain


def loss(rate, octets, db):
    return -math.expm1(8 * octets * math.log1p(-bit_error(rate, linear(db))))


@pytest.mark.parametrize(
    ("modulation", "expected"),
    [
        ("DSSS", (1024, 0.08)),
        ("CCK", (1024, 0.08)),
        ("LR", (1024, 0.08)),
        ("OFDM", (1000, 0.1)),
        ("HT", (4096, 0.1)),
    ],
)
def test_what_a_sensitivity_is(modulation, expected):
    rates = [rate for rate in EVERY if RATES[rate].modulation == modulation]
    assert rates
    assert {sensitivity_test(rate) for rate in rates} == {expected}


@pytest.mark.parametrize("rate", EVERY)
def test_a_calibrated_receiver_loses_at_its_sensitivity_what_the_standard_allows(rate):
    octets, allowed = sensitivity_test(rate)
    assert loss(rate, octets, needed_db(rate, octets, allowed)) == pytest.approx(allowed, rel=1e-3)
    snr_db = sensitivity_dbm(rate) - BENCH_NOISE_DBM
    better_db = Receiver().better_db(rate)
    assert better_db == calibration_db(rate, snr_db)
    assert loss(rate, octets, snr_db + better_db) == pytest.approx(allowed, rel=1e-3)
    # And so the kernel has it: within the step of its curve that the sensitivity is in.
    curve = survival_curve(rate, better_db)
    step = math.floor((snr_db - CURVE_FROM_DB) * CURVE_STEPS)
    survives = [math.exp(8 * octets * curve[at]) for at in (step - 1, step, step + 1)]
    assert survives[0] < 1 - allowed < survives[2]
    assert survives[1] == pytest.approx(1 - allowed, abs=0.03)
    assert sure_ratio(rate, better_db) == pytest.approx(sure_ratio(rate) / linear(better_db))


def test_pure_curves_are_theirs():
    assert [Receiver(calibrated=False).better_db(rate) for rate in EVERY] == [0.0] * len(EVERY)
    # More noise moves no curve: it is noise, and a frame needs as much more.
    assert [Receiver(noise_dbm=-80.0).better_db(rate) for rate in EVERY] == [Receiver().better_db(r) for r in EVERY]


def test_the_table_of_the_docs():
    """docs/air.md, The receiver's sensitivity."""
    page = (Path(__file__).parents[2] / "docs" / "air.md").read_text(encoding="utf-8")
    lines = page.partition("### The receiver's sensitivity")[2].partition("## Propagation")[0].splitlines()
    told = {
        cells[0]: cells[1:]
        for cells in ([cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("|"))
    }
    rates = {f"{RATES[rate].kbit_s / 1000:g} Mb/s": rate for rate in EVERY if rate < 16}
    rates |= {f"MCS {mcs}": 16 + mcs for mcs in range(8)} | {"LR 250 kb/s": 41, "LR 500 kb/s": 42}
    for name, rate in rates.items():
        octets, allowed = sensitivity_test(rate)
        sensitivity = sensitivity_dbm(rate)
        assert told[name] == [
            f"{sensitivity:.0f}",
            f"{100 * allowed:.0f} % of {octets}",
            f"{sensitivity - BENCH_NOISE_DBM:.0f}",
            f"{needed_db(rate, octets, allowed):.1f}",
            f"{Receiver().better_db(rate):+.1f}",
        ], name


@pytest.mark.parametrize(("octets", "chance"), [(0, 0.1), (1000, 0.0), (1000, 1.0), (1000, math.nan)])
def test_a_ratio_for_no_frame(octets, chance):
    with pytest.raises(ValueError, match="1 octet or more"):
        needed_db(0, octets, chance)


# Airtimes, by the standard's formulas written down once more.


def expected_us(phy, length):
    bits = 8 * length
    if phy.modulation in ("DSSS", "CCK"):
        # 15.2.3, 16.2.3: SYNC and SFD, then 48 bits of header at 1 Mb/s, or 2 Mb/s after the short SYNC.
        plcp = 56 + 16 + 48 / 2 if phy.short else 128 + 16 + 48
        return plcp + math.ceil(bits / (phy.kbit_s / 1000))
    if phy.modulation == "LR":
        return 192 + math.ceil(bits / (phy.kbit_s / 1000))
    if phy.mcs is None:
        # 17.4.3: T_PREAMBLE + T_SIGNAL + T_SYM * ceil((16 + LENGTH * 8 + 6) / N_DBPS), and 18.5.3's 6 us.
        per_symbol = {6: 24, 9: 36, 12: 48, 18: 72, 24: 96, 36: 144, 48: 192, 54: 216}[phy.kbit_s // 1000]
        return 16 + 4 + 4 * math.ceil((16 + bits + 6) / per_symbol) + 6
    # 19.4.3, HT mixed format: T_LEG_PREAMBLE + T_L_SIG + T_HT_PREAMBLE + T_HT_SIG + T_SYM * N_SYM, and the extension.
    per_symbol = (26, 52, 78, 104, 156, 208, 234, 260)[phy.mcs]
    symbols = math.ceil((16 + bits + 6) / per_symbol)
    body = 4 * math.ceil(3.6 * symbols / 4 - 1e-9) if phy.short else 4 * symbols
    return 16 + 4 + (4 + 4) + 8 + body + 6


@pytest.mark.parametrize("rate", EVERY)
def test_airtimes(rate):
    for length in range(1601):
        assert airtime_us(length, rate) == expected_us(RATES[rate], length), length
