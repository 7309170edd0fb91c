"""The Lab object: boards, one air, one clock, one seed."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from espnow.air import Air, AirTiming, LogDistance, Position, Transmission
from espnow.air.crowd import Crowd, Message
from espnow.air.propagation import HEIGHT_M, Propagation
from espnow.air.scene import Place, Receiver, Traffic
from espnow.board import PROFILES, WifiTiming
from espnow.board.accesspoint import ApTiming
from espnow.errors import UserError
from espnow.frame import format_mac, station_address
from espnow.frame.text import printable
from espnow.lab.arguments import (
    TEXT,
    check_flash,
    check_ms,
    check_name,
    check_position,
    check_profile,
    crowd_address,
    crowd_names,
    is_number,
    make_program,
)
from espnow.lab.board import LabBoard
from espnow.lab.chance import Chance
from espnow.lab.clock import ENDLESS_US, VirtualClock
from espnow.lab.explain import Report, explain
from espnow.lab.explain_witness import Explainer
from espnow.lab.host import apart_from_host, listening_to_ctrl_c
from espnow.lab.hub import HubClock
from espnow.lab.life import BOOT_US
from espnow.lab.network import LabNetwork
from espnow.lab.program import Program
from espnow.lab.router import Router, check_router, check_router_mac
from espnow.lab.wall import WallClock
from espnow.link import Link
from espnow.micropython.flash import Flash

__all__ = ["Lab"]

#: Boards without an address get Espressif's OUI (as ESP-NOW frames carry it) and a number, four apart: a chip takes
#: up to four addresses in a row, and its AP interface has the next one.
_MAC_PREFIX = bytes.fromhex("18fe34")
_MACS_PER_BOARD = 4


#: Stations of crowds have locally administered addresses, from this one on.
_MODEL_MAC = 0x026D6F000000

#: No crystal is wrong by more than a tenth.
_MOST_PPM = 1e5

#: From so many boards on they are kept out of the garbage collector's way.
_MANY_BOARDS = 100


class Lab:
    """Boards that run programs on one air in virtual time.

    Attributes:
        boards: in the order in which they were made.
        routers: the same.
        crowds: the same: stations without programs.
        transmissions: every frame on the air, retries and acknowledgements too, if the lab records.
        record: whether boards and lab keep what was printed, sent, received and transmitted.
        air: the medium.
        clock: the virtual clock, or the one that was given.
        wifi: figures of the boards' Wi-Fi, or None for the usual ones.
        boot_us: how long a board takes to start.
        network: the boards' IP networks, and their way to this computer's.
        explainer: who watches for messages that are not delivered, or None.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        profile: str = "esp32",
        range_m: float | None = None,
        path_loss_exponent: float = 3.0,
        propagation: Propagation | None = None,
        receiver: Receiver | None = None,
        loss: float = 0.0,
        record: bool = True,
        explain: bool = False,
        timing: AirTiming | None = None,
        wifi: WifiTiming | None = None,
        boot_ms: float = BOOT_US / 1000,
        folder: str | Path | None = None,
        expose: bool = False,
        clock: HubClock | None = None,
    ) -> None:
        """Make an empty lab at time 0.

        Args:
            seed: decides everything that is random.
            profile: kind of the boards that do not say another: ``"esp32"``, ``"esp32-v2"``, ``"esp8266"``.
            range_m: nothing is heard farther away than this; None leaves it to the signal.
            path_loss_exponent: how fast the signal fades with distance; 2 is free space.
            propagation: another model of what a signal loses on its way (`espnow.air.propagation`), in place of the
                two above. Stations have numbers there: boards, routers and crowds, in the order in which they are made.
            receiver: what the boards' receivers need; None for the usual ones.
            loss: probability, 0 to 1, that a frame or an acknowledgement is lost between two boards.
            record: keep what happens; without, only what the boards hold themselves.
            explain: keep why messages were not delivered; a lab that records always does.
            timing: another access timing of the air.
            wifi: other figures for the boards' Wi-Fi, the number of attempts among them.
            boot_ms: from a reset, or the end of a deep sleep, to a program's first step. Assumed.
            folder: where programs with a relative path are looked for first, before the current folder.
            expose: let programs of this computer reach what boards listen on, at its loopback (`BoardNetwork.ports`).
            clock: another clock than a virtual one; closing it is the caller's. On the wall clock
                (`espnow.lab.wall.WallClock`) there is no air, and each board needs a link of its own.

        Raises:
            UserError: an unknown profile, a bad loss, range, exponent or time.
        """
        check_profile(profile)
        if not 0.0 <= loss <= 1.0:
            raise UserError(f"loss is {loss}, and must be from 0 to 1")
        if range_m is not None and not 0.0 <= range_m < math.inf:
            raise UserError(f"range_m is {range_m}, and must be a distance in metres")
        if not 1.0 <= path_loss_exponent <= 10.0:
            raise UserError(f"path_loss_exponent is {path_loss_exponent}, and must be from 1 to 10")
        if propagation is not None and (range_m is not None or path_loss_exponent != 3.0):
            raise UserError("range_m and path_loss_exponent belong to the usual propagation: give these or another one")
        check_ms("boot_ms", boot_ms)
        self.boot_us = round(boot_ms * 1000)
        self.record = record
        self.boards: list[LabBoard] = []
        self.routers: list[Router] = []
        self.crowds: list[Crowd] = []
        self.transmissions: list[Transmission] = []
        self.chance = Chance(seed)
        self.clock = VirtualClock() if clock is None else clock
        self._links: list[Link] = []
        self.network = LabNetwork(self.clock, self.routers, expose=expose)
        self.wifi = wifi
        self._profile = profile
        self._folder = None if folder is None else Path(folder)
        self._unfinished: LabBoard | None = None
        self._ran = self._settled = False
        self._names: set[str] = set()
        self._numbers: dict[str, int] = {}  # of the last name that was made of one
        self._macs: dict[bytes, str] = {}
        self.air = Air(
            self.clock,
            self.chance.stream,
            propagation=propagation or LogDistance(path_loss_exponent, range_m),
            loss=loss,
            timing=timing,
            receiver=receiver,
        )
        if record:
            self.air.observer = self.transmissions.append
        self.explainer: Explainer | None = None
        if record or explain:
            lifetime_us = (timing or AirTiming()).lifetime_us
            self.explainer = Explainer(self.air, range_m=range_m, lifetime_us=lifetime_us)

    @classmethod
    def from_file(cls, path: str | Path, **options: Any) -> Lab:
        """Return the lab that a lab file describes, at time 0.

        Args:
            path: of the lab file.
            **options: as for `Lab`, such as ``seed``; they win over the file's.

        Raises:
            UserError: a mistake in the file: one line that names the file, the key and what is allowed.
        """
        from espnow.lab import labfile  # which makes labs itself

        return labfile.read(path).make(**options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def now_us(self) -> int:
        """Virtual time since the lab began, in microseconds."""
        return self.clock.now_us

    @property
    def now_ms(self) -> float:
        """Virtual time since the lab began, in milliseconds."""
        return self.clock.now_us / 1000

    def board(
        self,
        program: str | Path | Callable[..., Any] | None = None,
        *,
        code: str | None = None,
        name: str | None = None,
        mac: bytes | str | None = None,
        at: Position = (0.0, 0.0),
        profile: str | None = None,
        stdin: str | None = None,
        argv: tuple[str, ...] = (),
        flash: str | Path | None = None,
        start_ms: float = 0,
        channel: int = 1,
        antenna_dbi: float = 0.0,
        height_m: float = HEIGHT_M,
        drift_ppm: float = 0.0,
        link: Link | None = None,
    ) -> LabBoard:
        """Add a board; its program begins when time goes on.

        Args:
            program: a file, a folder with a boot.py or main.py, or a Python callable that is called with the board if
                it takes an argument; without one (and without `code`) the board is only there, and `LabBoard.module`
                gives its modules.
            code: the program's text itself.
            name: unique; by default made from the file or the callable; of a text ``code1``, ``code2``.
            mac: address of its STA interface, bytes or ``"aa:bb:cc:dd:ee:ff"``; by default numbered.
            at: position in metres, east and north.
            profile: another kind of board than the lab's.
            stdin: what the program reads, to its end; None: what `LabBoard.type` types.
            argv: ``sys.argv[1:]``.
            flash: a folder in which its flash is kept: what it writes is written there, and what is there lies above
                the files beside its program. Without one, what it writes is gone with the lab.
            start_ms: virtual time, since the lab began, at which it is switched on.
            channel: of its Wi-Fi whenever that starts, until the program sets another.
            antenna_dbi: gain of its antenna, in all directions, for what it sends and for what it receives.
            height_m: of its antenna above the ground, for a propagation that asks for it.
            drift_ppm: so many millionths its crystal is fast; below 0, slow. The times that it keeps of what it heard
                are those of its own clock.
            link: what carries its frames instead of the lab's air, such as a radio; it is closed with the lab. What
                passes there is not among the lab's `transmissions`, the board records no messages, and nobody explains
                what was lost.

        Raises:
            UserError: a missing file, a syntax error, a name or an address that is taken, a bad position, address or
                profile.
        """
        if self._folder is not None and isinstance(program, (str, Path)) and (self._folder / program).exists():
            program = self._folder / program
        made = make_program(program, code, argv)
        profile = profile or self._profile
        check_profile(profile)
        name = self._take_name(name, made)
        address = self._check_mac(name, mac)
        check_ms("start_ms", start_ms)
        if channel not in range(1, 15):
            raise UserError(f"board {name!r}: channel is {channel!r}, and must be from 1 to 14")
        if not is_number(drift_ppm, -_MOST_PPM, _MOST_PPM):
            raise UserError(f"board {name!r}: drift_ppm is {drift_ppm!r}, and must be from -100000 to 100000")
        files = None if flash is None else Flash(made.folder if made is not None else None, folder=check_flash(flash))
        if link is not None:
            self._links.append(link)
        elif isinstance(self.clock, WallClock):
            raise UserError(f"board {name!r} has no link: a lab on the wall clock has no air")
        else:
            if not is_number(antenna_dbi, -200, 200):
                raise UserError(f"board {name!r}: antenna_dbi is {antenna_dbi!r}, and must be from -200 to 200")
            if not is_number(height_m, 1e-6, 1e9):
                raise UserError(f"board {name!r}: height_m is {height_m!r}, and must be a number of metres above 0")
            position = check_position(name, at)
            link = self.air.attach(name, position, height_m=height_m, antenna_dbi=antenna_dbi)
        self._names.add(name)
        self._macs[address] = name
        board = LabBoard(
            self,
            name,
            made,
            PROFILES[profile],
            address,
            link,
            flash=files,
            start_us=round(start_ms * 1000),
            channel=channel,
            drift_ppm=drift_ppm,
        )
        if stdin is not None:
            board.type(stdin)
            board.close_input()
        self.boards.append(board)
        return board

    def router(
        self,
        ssid: str | bytes,
        key: str | bytes = "",
        *,
        channel: int = 1,
        at: Position = (0.0, 0.0),
        name: str | None = None,
        mac: bytes | str | None = None,
        hidden: bool = False,
        tx_power_dbm: float = 20.0,
        internet: bool = True,
    ) -> Router:
        """Add a router, which is there at once.

        Args:
            ssid: name of its network.
            key: its password, 8 to 64 characters (WPA2); empty for an open network.
            channel: 1 to 14.
            at: position in metres, east and north.
            name: unique among boards and routers; by default "router", numbered from the second on.
            mac: its address, bytes or ``"aa:bb:cc:dd:ee:ff"``; by default numbered.
            hidden: its beacons keep the name back, and only who asks for the name gets an answer.
            tx_power_dbm: how strongly it sends.
            internet: the computer's network is reached through it.

        Raises:
            UserError: something of this cannot be, or a name or an address is taken.
        """
        if name is None:
            name = self._free_name("router", "router-")
        elif self._is_taken(check_name("a router", name)):
            raise UserError(f"there is a board, a router or a station named {name!r} already: give each its own name")
        access_point = check_router(name, ssid, key, channel, tx_power_dbm, hidden)
        address = check_router_mac(name, mac, len(self.routers) + 1, self._macs)
        if any(crowd.number_of(address) is not None for crowd in self.crowds):
            raise UserError(f"router {name!r} has a MAC address of a crowd: {format_mac(address)}")
        link = self.air.attach(name, check_position(name, at))
        self._names.add(name)
        self._macs[address] = name
        timing = self.wifi or WifiTiming()
        router = Router(
            name,
            link,
            self.clock,
            self.chance.stream(f"{name}/frames"),
            mac=address,
            access_point=access_point,
            channel=channel,
            tx_power_dbm=tx_power_dbm,
            internet=internet,
            attempts=timing.attempts,
            timing=ApTiming(beacon_us=timing.beacon_us),
            move=self.air.move,
        )
        self.routers.append(router)
        if self.explainer is not None:
            self.explainer.routers[address] = name
        return router

    def crowd(
        self,
        places: Sequence[Place],
        traffic: Sequence[Traffic] = (),
        *,
        name: str | None = None,
        names: Sequence[str] | None = None,
        mac: bytes | str | None = None,
        boards: Sequence[LabBoard] = (),
        asleep: Collection[int] = (),
        message: Message | None = None,
    ) -> Crowd:
        """Add stations without programs, that send by themselves from now on and share the boards' air.

        They cost a fraction of a board: no program runs, and only what a board hears of them is made a frame. A crowd
        of any size answers what is for it, keeps the channel busy, and collides. What its stations send to each other
        is not among the lab's `transmissions`.

        Args:
            places: the stations (`espnow.air.scene.Place`).
            traffic: what they send (`espnow.air.scene.Traffic`); its numbers are those of `places`.
            name: what it is called; by default ``model``, and ``model2`` for the second crowd.
            names: what each station is called; by default the crowd's name and its number, as in ``model-0``.
            mac: the first one's address, bytes or ``"aa:bb:cc:dd:ee:ff"``; the others' are the next. By default
                02:6d:6f and a number.
            boards: whom they can send to besides each other: the first is number ``len(places)`` in the traffic.
            asleep: numbers of stations that sleep between their messages: they hear nothing but answers to these.
            message: returns what a message holds that a board hears, from the station's number, the traffic's, and the
                microsecond at which it was made. Without it, that microsecond in 8 bytes, the lowest first, and zeros.

        Raises:
            UserError: something of this cannot be, or a name or an address is taken.
        """
        if name is None:
            name = f"model{len(self.crowds) + 1}" if self.crowds else "model"
        check_name("a crowd", name)
        if any(crowd.name == name for crowd in self.crowds):
            raise UserError(f"two crowds are named {name!r}: give each its own name")
        called = crowd_names(name, names, len(places))
        taken = next(filter(self._is_taken, called), None)
        if taken is not None:
            cure = "another name" if names is None else "other names"
            raise UserError(f"{taken!r} is the name of another station already: give the crowd {cure}")
        addresses = [(int.from_bytes(taken), int.from_bytes(taken), other) for taken, other in self._macs.items()]
        addresses += [(*crowd.addresses, "another crowd") for crowd in self.crowds]
        free = _MODEL_MAC + sum(map(len, self.crowds))
        first = crowd_address(name, mac, len(places), free, addresses)
        links = [board.air_link for board in boards]
        try:
            crowd = self.air.populate(
                name,
                places,
                traffic,
                mac=first.to_bytes(6),
                names=called,
                links=links,
                asleep=asleep,
                message=message,
            )
        except ValueError as error:
            raise UserError(f"crowd {name!r}: {error}") from None
        self.crowds.append(crowd)
        return crowd

    def run(self, for_ms: float | None = None) -> None:
        """Let time pass.

        Args:
            for_ms: so much virtual time, whatever happens. Without it, until every program has ended (and no callback
                is armed), or until nothing can happen any more because all wait for each other.

        Raises:
            KeyboardInterrupt: Ctrl-C at the host.
            UserError: a time that cannot be.
        """
        if for_ms is None:
            self.run_clock(ENDLESS_US, self.finished, watched=False)
        else:
            self.run_clock(self._after_ms("for_ms", for_ms), None)

    def run_until(self, condition: Callable[[], object], timeout_ms: float | None = None) -> bool:
        """Let time pass until `condition()` is true.

        Args:
            condition: asked after every instant in which something happened.
            timeout_ms: virtual time after which to give up.

        Returns:
            Whether it became true; False too if nothing can happen any more.

        Raises:
            KeyboardInterrupt: Ctrl-C at the host.
            UserError: a time that cannot be.
        """
        until_us = ENDLESS_US if timeout_ms is None else self._after_ms("timeout_ms", timeout_ms)
        return self.run_clock(until_us, condition)

    def at(self, ms: float, function: Callable[[], object]) -> None:
        """Call a function at a virtual time, in milliseconds since the lab began, or now if that is past.

        It may do what a person in the lab could: type, press a button, move a board, take its power.

        Raises:
            UserError: a time that cannot be.
        """
        check_ms("a time", ms)
        self.clock.call_at(round(ms * 1000), lambda: _do(function))

    def finished(self) -> bool:
        """Return whether every program has ended and no callback of one can run any more."""
        # Asked after every instant: as long as one known board runs, the others need no look.
        if self._unfinished is None or self._unfinished.finished:
            self._unfinished = next((board for board in self.boards if not board.finished), None)
        return self._unfinished is None

    def set_loss(self, sender: LabBoard | str, receiver: LabBoard | str, probability: float) -> None:
        """Let frames from one board to another be lost with this probability, from now on."""
        names = [other if isinstance(other, str) else other.name for other in (sender, receiver)]
        for name in names:
            if name not in self._names:
                raise UserError(f"there is no board {name!r} in this lab")
        if not 0.0 <= probability <= 1.0:
            raise UserError(f"a loss of {probability} is impossible: it must be from 0 to 1")
        self.air.set_loss(names[0], names[1], probability)

    def interrupt(self) -> None:
        """Press Ctrl-C at every board: each program gets a KeyboardInterrupt, and what then waits is ended."""
        if self.explainer is not None:
            self.explainer.close()
        try:
            for board in self.boards:
                board.interrupt()
        finally:
            self.close()

    def explain(self) -> Report:
        """Say why messages were not delivered so far; after `close`, as it was then.

        Raises:
            UserError: the lab keeps no reasons.
        """
        return explain(self.check_explainer())

    def check_explainer(self) -> Explainer:
        """Return who knows why messages were not delivered.

        Raises:
            UserError: the lab keeps no reasons.
        """
        if self.explainer is None:
            raise UserError("this lab keeps no reasons: make it with Lab(explain=True)")
        return self.explainer

    def close(self) -> None:
        """End every program where it stands, and close the links that boards have of their own."""
        if self.explainer is not None:
            self.explainer.close()
        with ExitStack() as ends:  # one that raises, as a program's own KeyboardInterrupt does, spares no other
            ends.callback(self._unsettle)
            for link in self._links:
                ends.callback(link.close)
            for board in reversed(self.boards):
                ends.callback(board.power_off)

    def run_clock(self, until_us: int, condition: Callable[[], object] | None, *, watched: bool = True) -> bool:
        """Let time pass as `espnow.lab.hub.HubClock.run` does, apart from what the host has of asyncio."""
        if not self._ran:
            self._ran = True
            self._settle()
        # The host may run the lab inside a loop of its own, as a notebook does.
        with apart_from_host(), listening_to_ctrl_c(self.clock):
            return self.clock.run(until_us, condition, watched=watched)

    def _settle(self) -> None:
        """Let Python not look through many boards again and again for garbage: they stay, until `close`.

        That search took half of the time of a thousand boards that wake, send and sleep at once.
        """
        if len(self.boards) >= _MANY_BOARDS and not gc.get_freeze_count():  # the host may do the same for itself
            gc.freeze()
            self._settled = True

    def _unsettle(self) -> None:
        """Let Python look through them again."""
        if self._settled:
            self._settled = False
            gc.unfreeze()

    def _after_ms(self, what: str, ms: float) -> int:
        """Return when so much time has passed from now on."""
        check_ms(what, ms)
        return self.clock.now_us + round(ms * 1000)

    def _take_name(self, name: str | None, program: Program | None) -> str:
        if name is not None:
            check_name("a board", name)
            if any(crowd.has(name) for crowd in self.crowds):
                raise UserError(f"a station of a crowd is named {name!r}: give the board another name")
            if name in self._names:
                raise UserError(f"two boards are named {name!r}: give each its own name")
            return name
        if program is not None and program.filename == TEXT:
            return self._free_name("code1", "code")
        stem = printable(Path(program.filename).stem.strip("<>")) if program is not None else "board"
        return self._free_name(stem, f"{stem}-")

    def _free_name(self, first: str, others: str) -> str:
        """Return a name that nobody has: `first`, or `others` with a number from 2 on."""
        for number in count(self._numbers.get(first, 1)):  # names stay taken
            name = first if number == 1 else f"{others}{number}"
            if not self._is_taken(name):
                break
        self._numbers[first] = number
        return name

    def _is_taken(self, name: str) -> bool:
        """Return whether a board, a router or a station of a crowd is called so."""
        return name in self._names or any(crowd.has(name) for crowd in self.crowds)

    def _check_mac(self, name: str, mac: bytes | str | None) -> bytes:
        if mac is None:
            number = (len(self.boards) + 1) * _MACS_PER_BOARD
            while (address := _MAC_PREFIX + number.to_bytes(3, "big")) in self._macs:
                number += _MACS_PER_BOARD
            return address
        try:
            address = station_address(mac)
        except ValueError as error:
            raise UserError(f"board {name!r}: {error}") from None
        except TypeError:
            raise UserError(f"board {name!r}: a MAC address is 6 bytes or a text, not {mac!r}") from None
        if any(crowd.number_of(address) is not None for crowd in self.crowds):
            raise UserError(f"board {name!r} has a MAC address of a crowd: {format_mac(address)}")
        if address in self._macs:
            raise UserError(
                f"boards {self._macs[address]!r} and {name!r} have the same MAC address {format_mac(address)}"
            )
        return address


def _do(function: Callable[[], object]) -> None:
    function()
