from collections.abc import Iterable, Sequence
from typing import Final

CURVE_STEPS: Final = 8
CURVE_FROM_DB: Final = -20
CURVE_LENGTH: Final = 480
LATENCY_STEPS: Final = 64
LATENCY_LENGTH: Final = 640
GROUP_ADDRESS: Final = -1

class Kernel:
    count: int
    now_us: int
    frames: int
    receptions: int
    answers: int
    events: int
    failed_receptions: int
    losses_half_duplex: int
    trace: int
    def __init__(
        self,
        count: int,
        edges: int,
        streams: int,
        seed: int,
        timing: Sequence[int],
        noise_mw: float,
        sense_mw: float,
        detect_ratio: float,
        capture_ratio: float,
        detect_noise_mw: float = 0.0,
    ) -> None: ...
    def set_row(self, i: int, others: Iterable[int], gains: Iterable[float], delays: Iterable[int]) -> None: ...
    def set_station(self, i: int, channel: int, power_mw: float, most: int) -> None: ...
    def set_rate(
        self,
        rate: int,
        ack_rate: int,
        ack_us: int,
        header_us: int,
        bits_us: float,
        sure: float,
        least_mw: float,
        header_curve: int,
        curve: Iterable[float],
    ) -> None: ...
    def set_stream(
        self, s: int, station: int, kind: int, period: float, jitter: float, to: int, rate: int, us: int
    ) -> None: ...
    def totals(self, s: int) -> tuple[int, int, int, int, int, int, int, int, float]: ...
    def station_totals(self, i: int) -> tuple[int, int, int]: ...
    def hearers(self, i: int, rate: int) -> int: ...
    def count_latencies(self, groups: int) -> None: ...
    def set_group(self, s: int, group: int) -> None: ...
    def latency_counts(self, group: int) -> list[int]: ...
    def transmit(self, i: int, stream: int, made_us: int) -> bool: ...
    def start_stream(self, s: int, first_us: int) -> None: ...
    def run(self, until_us: int) -> None: ...
