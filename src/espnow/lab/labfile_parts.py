"""What a lab file says, as values: one class for each of its tables. Times are in microseconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from espnow.air import Position
from espnow.lab.stimuli import MoveStimulus, StdinStimulus, Stimulus

__all__ = ["AirPart", "BoardPart", "LabPart", "LinkPart", "RouterEvent", "RouterPart"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardPart:
    """A board (``[[board]]``)."""

    where: str
    program: Path | None = None
    code: str | None = None
    name: str | None = None
    mac: bytes | str | None = None
    at: Position | None = None
    antenna_dbi: float | None = None
    height_m: float | None = None
    drift_ppm: float = 0.0
    profile: str | None = None
    start_us: int = 0
    flash: Path | None = None
    stdin: str | None = None
    argv: tuple[str, ...] = ()
    stimuli: tuple[Stimulus, ...] = ()

    @property
    def is_typed_at(self) -> bool:
        """Whether the file says what its program reads from the console."""
        return self.stdin is not None or any(isinstance(one.action, StdinStimulus) for one in self.stimuli)

    @property
    def places(self) -> list[tuple[str, Position]]:
        """Where it stands and goes, each with the key that says so."""
        stands = [] if self.at is None else [(f"{self.where}.at", self.at)]
        goes = [(one.where, one.action) for one in self.stimuli]
        return stands + [(f"{where}.move", move.to) for where, move in goes if isinstance(move, MoveStimulus)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterEvent:
    """Something that happens to a router (``[[router.event]]``): ``"off"``, ``"on"``, a channel, or another place."""

    where: str
    action: str | int | Position
    at_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterPart:
    """A router (``[[router]]``)."""

    where: str
    ssid: str
    key: str = field(default="", repr=False)
    channel: int = 1
    name: str | None = None
    mac: bytes | None = None
    at: Position = (0.0, 0.0)
    hidden: bool = False
    internet: bool = True
    events: tuple[RouterEvent, ...] = ()

    @property
    def places(self) -> list[tuple[str, Position]]:
        """Where it stands and goes, each with the key that says so."""
        moves = [(f"{one.where}.move", one.action) for one in self.events if isinstance(one.action, tuple)]
        return [(f"{self.where}.at", self.at), *moves]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkPart:
    """The loss between two boards or routers (``[[air.link]]``)."""

    where: str
    sender: str
    receiver: str
    loss: float
    both: bool = False
    at_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AirPart:
    """The air (``[air]``)."""

    where: str = "air"
    range_m: float | None = None
    path_loss_exponent: float | None = None
    loss: float = 0.0
    links: tuple[LinkPart, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LabPart:
    """The whole file. None: the file does not say."""

    where: str = ""
    duration_us: int | None = None
    pace: str | None = None
    seed: int = 0
    profile: str = "esp32"
    pcap: Path | None = None
    log: bool = False
    explain: bool = False
    quiet: bool = False
    expose: bool = False
    hosts: dict[str, str] = field(default_factory=dict)
    air: AirPart = field(default_factory=AirPart)
    crowd: Path | None = None
    routers: tuple[RouterPart, ...] = ()
    boards: tuple[BoardPart, ...] = ()

    @property
    def busy_until_us(self) -> float:
        """When the last stimulus has come that may start a program anew; infinity if they come for ever."""
        return max((stimulus.starts_until_us for board in self.boards for stimulus in board.stimuli), default=0)
