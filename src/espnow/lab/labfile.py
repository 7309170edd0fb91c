"""Lab files: a whole lab in TOML, with boards, routers, the air, and what happens over time.

Rules: `read` reads and checks; `make` builds the lab, and changes nothing outside of it. Names of files are looked for
beside the lab file. Every mistake is a UserError of one line that names the file, the key and what is allowed, whether
the check finds it or the lab (an address that is taken, a syntax error in a program).

The keys are in `espnow.lab.labfile_schema`, the values in `espnow.lab.labfile_parts`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from espnow.air.scene import Place
from espnow.errors import UserError
from espnow.frame.text import printable
from espnow.lab.lab import Lab
from espnow.lab.labfile_parts import BoardPart, LabPart, LinkPart, RouterEvent, RouterPart
from espnow.lab.labfile_schema import check
from espnow.lab.router import Router
from espnow.lab.stimuli import Surroundings
from espnow.tomlfile import load

if TYPE_CHECKING:
    from espnow.lab.crowds import CrowdPart

__all__ = ["LabFile", "read"]


@dataclass(frozen=True, slots=True)
class LabFile:
    """A lab file that was read.

    Attributes:
        path: where it is.
        content: what it says. `dataclasses.replace` makes another one of it.
    """

    path: Path
    content: LabPart

    def make(self, **options: Any) -> Lab:
        """Return the lab that it describes, at time 0.

        Args:
            **options: those of `Lab`; they win over the file's.

        Raises:
            UserError: something in the file cannot be, or not together with something else in it.
        """
        content, air = self.content, self.content.air
        crowd = self._crowd(options.get("seed", content.seed))
        said: dict[str, Any] = {
            "seed": content.seed,
            "profile": content.profile,
            "loss": air.loss,
            "expose": content.expose,
        }
        if air.range_m is not None:
            said["range_m"] = air.range_m
        if air.path_loss_exponent is not None:
            said["path_loss_exponent"] = air.path_loss_exponent
        if crowd is not None:
            for key, name in (("range_m", "range"), ("path_loss_exponent", "path_loss_exponent")):
                if key in said or key in options:
                    raise UserError(
                        f"{printable(str(self.path))}: crowd: the plan says what the air is: leave out air.{name}"
                    )
            self._check_floor(crowd)
            said |= {"propagation": crowd.propagation, "receiver": crowd.receiver, "timing": crowd.timing}
        lab = Lab(**(said | options))
        try:
            self.fill(lab, crowd)
        except BaseException:
            lab.close()
            raise
        return lab

    def _crowd(self, seed: int) -> CrowdPart | None:
        """Return what its plan says of the stations without programs."""
        content = self.content
        if content.crowd is None:
            return None
        from espnow.lab.crowds import read_crowd  # plans take longer to import than a lab

        with self._telling("crowd"):
            return read_crowd(content.crowd, seed, [board.name or "" for board in content.boards], len(content.routers))

    def _check_floor(self, crowd: CrowdPart) -> None:
        """Check that whatever the file places stands on the floor of its plan, if that has one."""
        if crowd.floor is None:
            return
        parts: list[BoardPart | RouterPart] = [*self.content.boards, *self.content.routers]
        for part in parts:
            for where, at in part.places:
                outside = crowd.floor.outside(at)
                if outside:
                    raise UserError(f"{printable(str(self.path))}: {where}: {outside}, as the plan of its crowd has it")

    def fill(self, lab: Lab, crowd: CrowdPart | None = None) -> None:
        """Add its routers, its boards and what happens to them to a lab that is there; its seed and air stay.

        Args:
            lab: it.
            crowd: its stations without programs, which `make` reads.

        Raises:
            UserError: something in the file cannot be, or not together with something else in the lab.
        """
        lab.network.hosts.update(self.content.hosts)
        for router in self.content.routers:
            with self._telling(router.where):
                self._add_router(lab, router)
        for board in self.content.boards:
            with self._telling(board.where):
                self._add_board(lab, board, crowd.stands.get(board.name or "") if crowd else None)
        if crowd is not None:
            boards = {board.name: board for board in lab.boards}
            others = {*boards, *(router.name for router in lab.routers)}
            with self._telling("crowd"):
                lab.crowd(
                    crowd.places,
                    crowd.traffic,
                    names=[f"{name}[0]" if name in others else name for name in crowd.names],
                    asleep=crowd.asleep,
                    boards=[boards[name] for name in crowd.boards],
                )
        for link in self.content.air.links:
            with self._telling(link.where):
                _set_loss(lab, link)

    def _add_board(self, lab: Lab, part: BoardPart, stand: Place | None) -> None:
        if stand is None:
            stand = Place((0.0, 0.0))
        board = lab.board(
            part.program,
            code=part.code,
            name=part.name,
            mac=part.mac,
            at=stand.position if part.at is None else part.at,
            antenna_dbi=stand.antenna_dbi if part.antenna_dbi is None else part.antenna_dbi,
            height_m=stand.height_m if part.height_m is None else part.height_m,
            drift_ppm=part.drift_ppm,
            profile=part.profile,
            stdin=part.stdin,
            argv=part.argv,
            flash=part.flash,
            start_ms=part.start_us / 1000,
        )
        around = Surroundings(lab, board)
        for stimulus in part.stimuli:
            with self._telling(stimulus.where):
                stimulus.schedule(around, partial(self._telling, stimulus.where))

    def _add_router(self, lab: Lab, part: RouterPart) -> None:
        router = lab.router(
            part.ssid,
            part.key,
            channel=part.channel,
            at=part.at,
            name=part.name,
            mac=part.mac,
            hidden=part.hidden,
            internet=part.internet,
        )
        for event in part.events:
            change = partial(self._change, router, event)
            if event.at_us:
                lab.at(event.at_us / 1000, change)
            else:
                change()

    def _change(self, router: Router, event: RouterEvent) -> None:
        with self._telling(event.where):
            if isinstance(event.action, int):
                router.set_channel(event.action)
            elif isinstance(event.action, tuple):
                router.position = event.action
            elif event.action == "off":
                router.down()
            else:
                router.up()

    @contextmanager
    def _telling(self, where: str) -> Iterator[None]:
        """Let a mistake name its place in the file."""
        try:
            yield
        except _Placed:
            raise
        except UserError as error:
            raise _Placed(f"{printable(str(self.path))}: {where}: {error}") from None


class _Placed(UserError):
    """A mistake that names its place."""


def _set_loss(lab: Lab, link: LinkPart) -> None:
    ways = [(link.sender, link.receiver)]
    if link.both:
        ways.append((link.receiver, link.sender))
    names = [board.name for board in lab.boards] + [router.name for router in lab.routers]
    for name in ways[0]:
        if name not in names:
            raise UserError(f"there is no board or router {name!r}; there are {', '.join(names) or 'none'}")
    if link.sender == link.receiver:
        raise UserError(f"from and to are both {link.sender!r}")

    def change() -> None:
        for sender, receiver in ways:
            lab.set_loss(sender, receiver, link.loss)

    if link.at_us:
        lab.at(link.at_us / 1000, change)
    else:
        change()


def read(path: str | Path) -> LabFile:
    """Read and check a lab file.

    Raises:
        UserError: it cannot be read, is no TOML, or has a mistake; one line that says where and what is allowed.
    """
    path = Path(path)
    return LabFile(path, check(load(path), path))
