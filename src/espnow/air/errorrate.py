"""How likely a bit is lost at a ratio of signal to noise and interference.

Rules:

- Arithmetic only. A ratio is linear, and is meant in the signal's own width: 22 MHz for DSSS, CCK and LR, 20 MHz for
  OFDM and HT. Noise and interference count as white and Gaussian.
- A bit's error probability is the one that gives a frame's: n bits survive with (1 - p) ** n. For CCK, whose bits fail
  eight or four at once, that is the probability of a symbol spread over its bits.

What follows what:

- 1 Mb/s, DBPSK: exp(-Eb/N0) / 2. 2 Mb/s, DQPSK with Gray coding: the exact expression with Marcum's Q function, in the
  form of a finite integral (J. Proakis, Digital Communications, 5.2; M. Simon and M.-S. Alouini, Digital Communication
  over Fading Channels, 2nd edition, 8.1). Both get the gain of spreading: Eb/N0 is the ratio times 22 MHz / bit rate.
- 5.5 and 11 Mb/s, CCK: the half-rate code is a set of 16 biorthogonal signals, the full-rate code two of them in
  quadrature (M. Pursley and T. Royster, "Properties and performance of the IEEE 802.11b complementary-code-key signal
  sets", IEEE Trans. Commun. 57(2), 2009; Proakis, 5.2, for biorthogonal signals). Half of the energy counts,
  as in the published frame losses of G. Pei and T. Henderson's validation program for ns-3, which the tests hold this
  against; ideal detection would need 3 dB less (that the differential phase of a symbol is the reason is assumed).
- OFDM and HT, the NIST model (G. Pei and T. Henderson, "Validation of OFDM error rate model in ns-3", Boeing, 2010):
  bit errors of the constellation, then the union bound of the convolutional code with hard decisions, Chernoff's bound
  for each term. The codes' distances are published (P. Frenger, P. Orten, T. Ottosson and A. Svensson, "Multi-rate
  convolutional codes", Chalmers, 1998; D. Haccoun and G. Begin, "High-rate punctured convolutional codes for Viterbi
  and sequential decoding", IEEE Trans. Commun. 37(11), 1989); the tests find the first ones of each anew. HT's 52
  carriers in place of 48, and its short guard interval, change nothing here.
- LR, 250 and 500 kb/s (assumed, Espressif publishes nothing): DBPSK at a quarter and half of the chip rate, so 6 and
  3 dB better than 1 Mb/s.

These are receivers as theory has them. A real one is told by its sensitivity, which IEEE 802.11-2020 defines by a loss
of frames, and `calibration_db` says by how much it is better or worse: 8 percent of PSDUs of 1024 octets for DSSS and
CCK (15.4.6.2, 16.3.8.2), 10 percent of 1000 octets for OFDM (17.3.10.2), 10 percent of 4096 octets for HT (19.3.19.1);
LR as DSSS (assumed).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from espnow.air.kernel import CURVE_FROM_DB, CURVE_LENGTH, CURVE_STEPS
from espnow.frame import RATES

__all__ = ["bit_error", "calibration_db", "needed_db", "sensitivity_test", "sure_ratio", "survival_curve"]

#: Hertz over which the ratio of DSSS, CCK and LR is meant.
_DSSS_WIDTH = 22e6

#: Bits that `sure_ratio` lets through, and how likely it lets them be lost.
_SURE_BITS: Final = 20_000
_SURE_LOSS: Final = 1e-9

#: What a curve leaves out: so little changes no frame.
_LEAST = 1e-18

#: Beyond it a union bound says nothing, and a differential demodulator guesses.
_MOST = 0.5


def _dbpsk(ratio: float) -> float:
    return 0.5 * math.exp(-ratio)


# The finite integral's integrand is periodic, so that the rectangle rule converges faster than any power of its step.
_DQPSK_RATIO = math.tan(math.pi / 8)
_DQPSK_STEPS = 64
_DQPSK_TABLE = tuple(
    # Twice what both halves of the circle have alike, once its two ends.
    ((2.0 if 0 < step < _DQPSK_STEPS // 2 else 1.0) * (1 - _DQPSK_RATIO**2) / square, square)
    for step in range(_DQPSK_STEPS // 2 + 1)
    for square in (1 - 2 * _DQPSK_RATIO * math.cos(2 * math.pi * step / _DQPSK_STEPS) + _DQPSK_RATIO**2,)
)


def _dqpsk(ratio: float) -> float:
    # b * b / 2, where b is the larger argument of Marcum's function.
    half = ratio * (1 + math.sqrt(0.5))
    return sum(weight * math.exp(-half * square) for weight, square in _DQPSK_TABLE) / (2 * _DQPSK_STEPS)


_STEP = 0.25


def _biorthogonal_16(ratio: float) -> float:
    """Return the error probability of a symbol of 16 biorthogonal signals, at a ratio Es/N0.

    That of being right is the integral, from -b up, of (2 Phi(x + b) - 1) ** 7 times the normal density, b = sqrt(2
    Es/N0). What is summed here is its complement, which keeps its digits where it is small.
    """
    b = math.sqrt(2 * ratio)
    x = -max(8.0, b + 4.0)
    total = 0.0
    while x < 8.0:
        wrong = 1.0
        if x > -b:
            tail = math.erfc((x + b) * math.sqrt(0.5))
            wrong = -math.expm1(7 * math.log1p(-tail)) if tail < 1.0 else 1.0
        total += wrong * math.exp(-x * x / 2)
        x += _STEP
    return min(15 / 16, total * _STEP / math.sqrt(2 * math.pi))


def _cck(ratio: float, kbit_s: int) -> float:
    # A symbol has 8 chips of 11 Mchip/s, and 4 or 8 bits.
    symbol = ratio * _DSSS_WIDTH * 8 / 11e6 / 2
    if kbit_s == 5500:
        bits, right = 4, math.log1p(-_biorthogonal_16(symbol))
    else:
        bits, right = 8, 2 * math.log1p(-_biorthogonal_16(symbol / 2))
    return -math.expm1(right / bits)


def _bpsk(ratio: float) -> float:
    return 0.5 * math.erfc(math.sqrt(ratio))


def _qam(points: int) -> Callable[[float], float]:
    """Return the bit error probability of a square constellation with Gray coding, at a ratio Es/N0."""
    side = math.isqrt(points)
    factor = 2 * (1 - 1 / side) / math.log2(points)

    def error(ratio: float) -> float:
        return factor * math.erfc(math.sqrt(1.5 * ratio / (points - 1)))

    return error


#: Of the code (133, 171) and its puncturings: information bits a period, the free distance, the distance from one entry
#: to the next, and the information bits in error on all paths at each distance.
_CODES: Final[dict[str, tuple[int, int, int, tuple[int, ...]]]] = {
    "1/2": (1, 10, 2, (36, 211, 1404, 11633, 77433, 502690, 3322763, 21292910, 134365911)),
    "2/3": (2, 6, 1, (3, 70, 285, 1276, 6160, 27128, 117019, 498860, 2103891, 8784123)),
    "3/4": (3, 5, 1, (42, 201, 1492, 10469, 62935, 379644, 2253373, 13073811, 75152755, 428005675)),
    "5/6": (5, 4, 1, (92, 528, 8694, 79453, 792114, 7375573, 67884974, 610875423, 5427275376, 47664215639)),
}


def _coded(raw: float, code: str) -> float:
    """Return the union bound of a code's bit errors, where so many of the channel's bits are wrong."""
    bits, distance, step, counts = _CODES[code]
    base = math.sqrt(4 * raw * (1 - raw))
    # From the last term to the first, Horner's way.
    total = 0.0
    for count in reversed(counts):
        total = total * base**step + count
    return total * base**distance / (2 * bits)


_CONSTELLATIONS: Final[dict[str, Callable[[float], float]]] = {
    "BPSK": _bpsk,
    "QPSK": _qam(4),
    "16-QAM": _qam(16),
    "64-QAM": _qam(64),
}
_OFDM = {
    6000: ("BPSK", "1/2"),
    9000: ("BPSK", "3/4"),
    12000: ("QPSK", "1/2"),
    18000: ("QPSK", "3/4"),
    24000: ("16-QAM", "1/2"),
    36000: ("16-QAM", "3/4"),
    48000: ("64-QAM", "2/3"),
    54000: ("64-QAM", "3/4"),
}
_HT = (
    ("BPSK", "1/2"),
    ("QPSK", "1/2"),
    ("QPSK", "3/4"),
    ("16-QAM", "1/2"),
    ("16-QAM", "3/4"),
    ("64-QAM", "2/3"),
    ("64-QAM", "3/4"),
    ("64-QAM", "5/6"),
)


def bit_error(rate: int, ratio: float) -> float:
    """Return the probability that a bit of the message is lost.

    Args:
        rate: ``wifi_phy_rate_t`` number.
        ratio: signal to noise and interference, linear, 0 or more.

    Raises:
        ValueError: the ratio is below 0.
        KeyError: there is no such rate.
    """
    phy = RATES[rate]
    if not ratio >= 0:
        raise ValueError(f"a ratio is 0 or more, not {ratio!r}")
    if phy.modulation == "CCK":
        return min(_MOST, _cck(ratio, phy.kbit_s))
    if phy.modulation in ("OFDM", "HT"):
        constellation, code = _OFDM[phy.kbit_s] if phy.mcs is None else _HT[phy.mcs]
        return min(_MOST, _coded(_CONSTELLATIONS[constellation](ratio), code))
    spread = ratio * _DSSS_WIDTH / (1000 * phy.kbit_s)
    return min(_MOST, _dqpsk(spread) if phy.kbit_s == 2000 else _dbpsk(spread))


#: By modulation: the octets of the PSDU, and how likely it is lost, where a receiver's sensitivity is.
_SENSITIVITY_TESTS: Final = {
    "DSSS": (1024, 0.08),
    "CCK": (1024, 0.08),
    "LR": (1024, 0.08),
    "OFDM": (1000, 0.1),
    "HT": (4096, 0.1),
}

#: Between these a ratio is looked for, in dB.
_LOWEST_DB, _HIGHEST_DB = -30.0, 60.0


def sensitivity_test(rate: int) -> tuple[int, float]:
    """Return how many octets the standard tests a receiver's sensitivity with, and how many of them are lost there.

    Args:
        rate: ``wifi_phy_rate_t`` number.
    """
    return _SENSITIVITY_TESTS[RATES[rate].modulation]


def needed_db(rate: int, octets: int, loss: float) -> float:
    """Return the ratio at which PSDUs are lost with a probability, in dB; their headers are not looked at.

    Args:
        rate: ``wifi_phy_rate_t`` number.
        octets: of the PSDU, 1 or more.
        loss: above 0 and below 1.

    Raises:
        ValueError: there is no such PSDU, or no such probability.
    """
    if octets < 1 or not 0 < loss < 1:
        raise ValueError(f"a PSDU has 1 octet or more, and is lost with 0 to 1, not {octets!r} and {loss!r}")
    return _lowest_db(rate, -math.expm1(math.log1p(-loss) / (8 * octets)))


def _lowest_db(rate: int, most: float) -> float:
    """Return the lowest ratio at which no more bits are lost than that."""
    low, high = _LOWEST_DB, _HIGHEST_DB
    while high - low > 1e-4:
        middle = (low + high) / 2
        if bit_error(rate, 10 ** (middle / 10)) <= most:
            high = middle
        else:
            low = middle
    return high


@lru_cache(maxsize=256)
def calibration_db(rate: int, snr_db: float) -> float:
    """Return by how many dB a receiver is better than `bit_error` has it; less than 0 if it is worse.

    With a signal so much above noise it loses as many PSDUs as the standard allows a receiver at its sensitivity.

    Args:
        rate: ``wifi_phy_rate_t`` number.
        snr_db: the receiver's sensitivity above its noise.
    """
    return needed_db(rate, *sensitivity_test(rate)) - snr_db


@lru_cache(maxsize=128)
def survival_curve(rate: int, better_db: float = 0.0) -> tuple[float, ...]:
    """Return the logarithm of the probability that a bit survives, for each step of the kernel's curves.

    A step is 1/`CURVE_STEPS` dB wide, the first begins at `CURVE_FROM_DB`; the values are those of the steps' middles.

    Args:
        rate: ``wifi_phy_rate_t`` number.
        better_db: by so much a receiver is better than `bit_error` has it.
    """
    values = [0.0] * CURVE_LENGTH
    for step in range(CURVE_LENGTH):
        lost = bit_error(rate, 10 ** ((CURVE_FROM_DB + (step + 0.5) / CURVE_STEPS + better_db) / 10))
        if lost < _LEAST:
            break
        values[step] = math.log1p(-lost)
    return tuple(values)


@lru_cache(maxsize=128)
def sure_ratio(rate: int, better_db: float = 0.0) -> float:
    """Return the linear ratio from which on 20 000 bits are lost with less than one in 10**9.

    Args:
        rate: ``wifi_phy_rate_t`` number.
        better_db: by so much a receiver is better than `bit_error` has it.
    """
    return float(10 ** ((_lowest_db(rate, _SURE_LOSS / _SURE_BITS) - better_db) / 10))
