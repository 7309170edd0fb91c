"""A board of the lab: an emulated board, the program that it runs, and what is known of both."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from contextlib import nullcontext
from random import Random
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

from greenlet import GreenletExit

from espnow.air import AirLink, Position
from espnow.board import Board, Ports, PowerState, Profile, ResetCause
from espnow.errors import UserError
from espnow.frame import format_mac
from espnow.lab.arguments import check_position
from espnow.lab.callables import adopt, takes_argument
from espnow.lab.console import LabConsole
from espnow.lab.drift import DriftingClock, DriftingCpu, DriftingLink
from espnow.lab.evaluate import add_evaluation
from espnow.lab.explain import Report, explain
from espnow.lab.host import apart_from_host
from espnow.lab.hub import HubTask
from espnow.lab.importer import Importer
from espnow.lab.life import Life
from espnow.lab.network import BoardNetwork
from espnow.lab.outside import Outside
from espnow.lab.program import Program, add_steps, end_steps, load_file
from espnow.lab.records import Recorder, Sent
from espnow.lab.threads import Threads
from espnow.link import Cpu, Link
from espnow.micropython import Services, make_builtins
from espnow.micropython.flash import Flash
from espnow.node import ReceivedMessage
from espnow.node.node import DropReason

if TYPE_CHECKING:
    from espnow.lab.lab import Lab

__all__ = ["LabBoard"]

#: How long a restart takes, in microseconds of virtual time. Assumed.
RESTART_US = 10_000


class _SoftReset(GreenletExit):
    """Ends a program that starts again from the top."""


def _raise_soft_reset() -> NoReturn:
    raise _SoftReset


class LabBoard(Outside):
    """One board of a lab. Made by `Lab.board`.

    Attributes:
        name: unique in its lab.
        hardware: the emulated board itself.
        network: its sockets, and where they can be reached from this computer (`BoardNetwork.ports`).
        sent: every message it handed to its radio, if the lab records.
        received: every message that entered its receive ring, read or not, if the lab records.
        dropped: ``(at_us, sender, reason)`` of each frame that reached it and did not, if the lab records.
        error: the exception that ended the program, or None.
        exit_code: what the program gave to ``sys.exit``, 0 without, 1 after an exception; None while it runs.
    """

    def __init__(
        self,
        lab: Lab,
        name: str,
        program: Program | None,
        profile: Profile,
        mac: bytes,
        link: Link,
        *,
        flash: Flash | None = None,
        start_us: int = 0,
        channel: int = 1,
        drift_ppm: float = 0.0,
    ) -> None:
        self._lab = lab
        self._program = program
        self._link = link
        self._flash = flash or Flash(program.folder if program is not None else None)
        self._threads: Threads | None = None
        self._delay_us = 0
        self._leaving = False
        self._interrupting = False
        self._interruption: KeyboardInterrupt | None = None
        self._expected = 0
        self.name = name
        self.sent: list[Sent] = []
        self.received: list[ReceivedMessage] = []
        self.dropped: list[tuple[int, bytes, DropReason]] = []
        self.error: BaseException | None = None
        self.exit_code: int | None = None
        self.console = LabConsole(lab.record)
        self._task = self._new_task()
        self.console.wake = self._wake
        # One stream each for the board's whole life: a program that starts again draws other numbers than before.
        self._random: Random = lab.chance.stream(f"{name}/random")
        self._urandom = lab.chance.stream(f"{name}/urandom").randbytes
        frames: Random = lab.chance.stream(f"{name}/frames")
        self._drift = DriftingClock(lab.clock, drift_ppm) if drift_ppm else None
        if self._drift is not None:
            link = DriftingLink(link, self._drift)
        self.hardware = Board(
            profile,
            name,
            mac=mac,
            clock=self._drift or lab.clock,
            cpu=self._in_its_time(self._task),
            link=link,
            console=self.console,
            random_u32=lambda: frames.getrandbits(32),
            first_channel=channel,
        )
        self.network = BoardNetwork(lab.network, self.hardware)
        if lab.wifi is not None:
            self.hardware.wifi.timing = lab.wifi
        link.station = self.hardware
        self._witness = None
        if lab.explainer is not None and isinstance(self._link, AirLink):
            self._witness = lab.explainer.attach(self, self._link)
            self.hardware.node.observer = Recorder(self, self._witness) if lab.record else self._witness
        self._life = Life(self.hardware, self._begin, record=lab.record, boot_us=lab.boot_us)
        self._build()
        if start_us > lab.clock.now_us:
            self._life.start_later(start_us if self._drift is None else self._drift.own_us(start_us))
        else:
            self._start()

    def __repr__(self) -> str:
        return f"<LabBoard {self.name} {format_mac(self.mac)} {self.state}>"

    @property
    def mac(self) -> bytes:
        """MAC address of its STA interface."""
        return self.hardware.wifi.mac(0)

    @property
    def position(self) -> Position:
        """Where it stands: metres east, metres north. Can be set; UserError if it is none or the board is on no air."""
        return self.air_link.position

    @position.setter
    def position(self, position: Position) -> None:
        self._lab.air.move(self.air_link, check_position(self.name, position))

    @property
    def air_link(self) -> AirLink:
        """Its radio on the lab's air; UserError if it has another one."""
        if not isinstance(self._link, AirLink):
            raise UserError(f"board {self.name!r} has a link of its own: it stands nowhere in this lab")
        return self._link

    @property
    def output(self) -> str:
        """Everything that its program printed, tracebacks included."""
        return self.console.output

    @property
    def lines(self) -> list[str]:
        """`output` in lines, without their ends."""
        lines = self.console.output.split("\n")
        if not lines[-1]:
            lines.pop()
        return [line.removesuffix("\r") for line in lines]

    @property
    def state(self) -> str:
        """How its program stands.

        ``"running"``, ``"asleep"`` (in deep sleep, or about to start), ``"armed"`` (ended, but something may still call
        it back), ``"ended"`` or ``"failed"``.
        """
        if self.exit_code is None:
            return "asleep" if self._life.asleep else "running"
        if self.error is not None:
            return "failed"
        return "armed" if not self._task.ended else "ended"

    @property
    def finished(self) -> bool:
        """Whether its program has ended, and neither a callback nor a wake from sleep can come any more."""
        return self._task.ended and not self._life.can_start and not self._leaving

    @property
    def power_state(self) -> PowerState:
        """What it does with its power: on, light sleep, deep sleep, restarting, off."""
        return self._life.state

    @property
    def power_states(self) -> list[tuple[int, PowerState]]:
        """``(at_us, state)`` of each change of `power_state`, the first included, if the lab records."""
        return self._life.states

    def power_ms(self, state: PowerState | str) -> float:
        """Return how many milliseconds it has spent in a state: a `PowerState`, or its text such as ``"deep sleep"``.

        Raises:
            ValueError: there is no such state.
        """
        return self._life.spent_us(PowerState(state)) / 1000

    @property
    def files(self) -> Flash:
        """The files in its flash."""
        return self._flash

    @property
    def ports(self) -> Ports:
        """Its pins and buses, and what is connected to them."""
        return self.hardware.ports

    def expect(self, text: str | re.Pattern[str], timeout_ms: float = 60_000) -> str:
        """Let time pass until the program prints something, after what was expected before; return that line so far.

        Args:
            text: part of what it prints, or a pattern that is searched for.
            timeout_ms: virtual time after which to give up.

        Raises:
            AssertionError: it did not print it in this time, or before nothing could happen any more.
            UserError: the lab does not record, or a time that cannot be.
        """
        if not self._lab.record:
            raise UserError("a lab with record=False keeps no output: nothing can be expected of it")
        pattern = text if isinstance(text, re.Pattern) else re.compile(re.escape(text))
        found: re.Match[str] | None = None

        def printed() -> bool:
            nonlocal found
            found = pattern.search(self.console.output, self._expected)
            return found is not None

        began_ms = self._lab.now_ms
        if not printed() and not self._lab.run_until(printed, timeout_ms):
            seconds = (self._lab.now_ms - began_ms) / 1000
            shown = text.pattern if isinstance(text, re.Pattern) else text
            raise AssertionError(f"board {self.name!r} did not print {shown!r} in {seconds:g} s: {self.state}")
        assert found is not None
        self._expected = found.end()
        output = self.console.output
        return output[output.rfind("\n", 0, found.start()) + 1 : found.end()] + output[found.end() :].partition("\n")[0]

    def type(self, text: str) -> None:
        """Type text at its console, which ``input()`` and ``sys.stdin`` read; a line ends with a newline."""
        self.console.type(text)

    def close_input(self) -> None:
        """End its input: after what was typed, reading gives the end of the file."""
        self.console.close()

    def module(self, name: str) -> ModuleType:
        """Return a module of this board, as its program imports it: ``board.module("espnow").ESPNow()``.

        Raises:
            ImportError: there is none.
        """
        return self._importer.import_(name, fromlist=("*",))

    def explain(self) -> Report:
        """Say why messages that it sent, or that were meant for it, were not delivered so far.

        Raises:
            UserError: the lab keeps no reasons.
        """
        return explain(self._lab.check_explainer(), self._witness)

    def soft_reset(self) -> None:
        """Restart MicroPython (Ctrl-D): the program begins anew, ESP-NOW is as after boot, Wi-Fi is as it was.

        Raises:
            UserError: it sleeps deeply, or has no power.
        """
        if self._is_caller:
            raise _SoftReset
        if self.power_state not in (PowerState.ON, PowerState.LIGHT_SLEEP):
            raise UserError(f"board {self.name!r} is not on ({self.power_state.value}): it has no console to type at")
        self._end_program()
        self._restart_micropython()

    def reset(self) -> None:
        """Press its reset button: it starts as with the first power, after the time that booting takes."""
        if self._is_caller:
            self._leave(self.reset)
        self.power_off()
        self.power_on()

    def interrupt(self) -> None:
        """Press Ctrl-C at its console: the program gets a KeyboardInterrupt where it stands.

        Without effect while there is no program that runs.
        """
        if self._task.ended or self.exit_code is not None or self._life.asleep:
            return
        self._interrupting = True
        self._interruption = KeyboardInterrupt()
        try:
            with apart_from_host():
                self._task.throw(self._interruption)
        finally:
            self._interrupting = False
        if self._task.ended and self.exit_code is None:  # it had not even begun
            self.exit_code = 130
            self.error = KeyboardInterrupt()

    def power_off(self) -> None:
        """Take its power: the program ends where it stands, and the radio is silent.

        What the program has in ``finally`` runs, and cannot wait. What was counted and recorded stays.
        """
        if self._is_caller and not self._task.is_current:  # a thread, which must not go on either
            self._leave(self.power_off)
        try:
            self._end_program()
        finally:
            self._leaving = False
            self.console.muted = False
            self.network.close()
            self._life.power_off()
            if self.exit_code is None:
                self.exit_code = 0

    def power_on(self) -> None:
        """Give it power again: the program begins after the time that booting takes. Without effect while it is on."""
        if self.power_state is PowerState.OFF:
            self.error = self.exit_code = None
            self._life.power_on()

    @property
    def _is_caller(self) -> bool:
        """Whether it is its own program that calls, in whichever thread."""
        return self._task.is_current or (self._threads is not None and self._threads.current is not self._task)

    def _wake(self) -> None:
        (self._threads or self._task).wake()

    def _end_program(self) -> None:
        over = self._task.ended
        with apart_from_host():
            self._end_threads()
            self._task.kill()
        if not over:
            end_steps(self._importer.builtins)

    def _end_threads(self) -> None:
        """End the threads that the program started."""
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.kill()

    def _start_thread(self, function: Callable[[], object]) -> int:
        """Run a function in another thread of control of the board; return its number."""
        if self._threads is None:
            self._threads = Threads(self._lab.clock, self._task, self._leave_thread)
            self.hardware.cpu = self._in_its_time(self._threads)
        return self._threads.start(function)

    def _leave_thread(self, _wish: GreenletExit) -> None:
        """Restart MicroPython because a thread asked for it."""
        self._end_program()
        self._restart_micropython()

    def _in_its_time(self, cpu: Cpu) -> Cpu:
        """Return a thread of control in the time that the board's clock keeps."""
        return cpu if self._drift is None else DriftingCpu(cpu, self._drift)

    def _new_task(self) -> HubTask:
        """Return a thread of control for the program, which begins when it is woken."""
        task = self._lab.clock.task(self._run)
        task.host_run = self._lab.run_clock
        return task

    def _begin(self, delay_us: int = 0) -> None:
        """Let the program begin from the top, after so much time."""
        self.error = self.exit_code = self._interruption = None
        self._delay_us = delay_us
        end_steps(self._importer.builtins)
        self._task = self._new_task()
        self.hardware.cpu = self._in_its_time(self._task)
        self._build()
        self._start()

    def _start(self) -> None:
        """Let the program go, if there is one."""
        if self._program is not None:
            self._task.wake()
        else:
            self._task.end()
            self.exit_code = 0

    def _build(self) -> None:
        """Build what the program finds."""
        hardware = self.hardware
        modules: dict[str, ModuleType] = {}
        program = self._program
        self.network.close()
        self._services = Services(
            random_source=self._random,
            urandom=self._urandom,
            soft_reset=_raise_soft_reset,
            reset=self._reset_from_inside,
            argv=list(program.argv) if program is not None else [""],
            modules=modules,
            flash=self._flash,
            lightsleep=self._sleep_light,
            deepsleep=self._sleep_from_inside,
            start_thread=self._start_thread,
            network=self.network,
            wdt_reset=self._bark,
        )
        self._flash.boot()
        self._importer = Importer(hardware, self._services)
        self._importer.on_asyncio = self._share_thread
        names = make_builtins(hardware, self._services, self._importer.import_)
        add_steps(names, hardware)
        add_evaluation(names, self._flash)
        self._importer.builtins = names

    def _forget_program(self) -> None:
        """Let go at once of what a program left that is over, rather than when Python looks for what nobody needs.

        Half of what a board costs that wakes, sends and sleeps again would be that search.
        """
        for module in tuple(self._services.modules.values()):
            names = vars(module) if isinstance(module, ModuleType) else {}  # a program may put anything there
            if names.get("__spec__") is None:  # the computer's own modules have one
                names.clear()
        self._services.modules.clear()
        self._importer.builtins.clear()
        end_steps(self._importer.builtins)  # its generators may be closed later still

    def _sleep_light(self, ms: int | None) -> None:
        with self._threads.alone() if self._threads is not None else nullcontext():
            self._life.sleep_light(ms)

    def _reset_from_inside(self) -> NoReturn:
        self._leave(lambda: self._life.reset(ResetCause.HARD))

    def _sleep_from_inside(self, ms: int | None) -> NoReturn:
        self._leave(lambda: self._life.sleep_deep(ms))

    def _bark(self) -> None:
        """Restart the chip because nobody fed its watchdog."""
        self._end_program()
        self.error = self.exit_code = None
        self._life.reset(ResetCause.WDT)

    def _leave(self, then: Callable[[], None]) -> NoReturn:
        """End the program, which called this, at once, and do `then`.

        On a board nothing of it runs any more; here Python comes to what it has in ``except`` and ``finally``. All of
        that ends at once (`end_steps`), and what a callable of the host has there prints nothing, sends nothing, and is
        ended when it waits or comes here again.
        """
        if self._leaving:
            self._task.refuse()
        self._leaving = True
        power = self.hardware.power
        memory = power.memory

        def leave() -> None:
            if not self._leaving:  # somebody took its power in this instant
                return
            self._leaving = False
            self._end_program()
            self._forget_program()
            power.memory = memory
            self.console.muted = False
            self.error = self.exit_code = None
            then()

        self.console.muted = True
        power.state = PowerState.RESTARTING
        self.hardware.configure_radio()
        self._lab.clock.call_at(self._lab.clock.now_us, leave)
        self._task.doom()
        end_steps(self._importer.builtins)
        raise GreenletExit

    def _share_thread(self) -> None:
        """From now on keep what asyncio has per thread apart from the other boards'."""
        from espnow.micropython.aio_thread import around_switch

        self._task.around_switch = around_switch
        if self._threads is not None:
            self._threads.share(around_switch)

    def _restart_micropython(self) -> None:
        self.hardware.soft_reset()
        self.hardware.power.reset_cause = ResetCause.SOFT
        self._begin(RESTART_US)

    def _run(self) -> None:
        """Run the program, in its greenlet."""
        program = self._program
        assert program is not None
        task = self._task
        importer = self._importer
        try:
            try:
                if self._delay_us:  # also so that a program that does nothing but restart does not stop the time
                    task.spend(self._delay_us)
                self._execute(program)
                self.exit_code = 0
            except SystemExit as error:
                self.exit_code = _exit_code(error, self.console)
            while self._may_still_act():
                self.hardware.run_callbacks()
                task.pause(None)
        except _SoftReset:
            task.ended = True
            self._end_threads()
            self._restart_micropython()
        except GreenletExit:
            raise
        except KeyboardInterrupt as error:
            self.exit_code = 130
            self.error = error
            clock = self._lab.clock
            if not self._interrupting and error is not self._interruption:
                if clock.interrupted or not clock.hears_ctrl_c:  # Ctrl-C at the host while this program had control
                    raise
                self.console.exception(error)
        except BaseException as error:
            if not self._leaving:  # for then it has only not let go in order
                self.exit_code = 1
                self.error = error
                self.console.exception(error)
        finally:
            if task is self._task:
                self._end_threads()
            task.end()
            self._discard(importer)

    def _discard(self, importer: Importer) -> None:
        """Close the coroutines that the program left, now and not when Python deletes them; they act no more."""
        if "asyncio" in importer.modules:
            from espnow.micropython.aio import discard

            muted, self.console.muted = self.console.muted, True
            names = importer.builtins
            before = names.copy()
            end_steps(names)
            try:
                discard(importer.modules["asyncio"])
            finally:
                self.console.muted = muted
                names.update(before)

    def _may_still_act(self) -> bool:
        hardware = self.hardware
        if self._threads is not None and self._threads.running:
            return True
        return hardware.irq is not None or hardware.has_callbacks or hardware.ports.armed

    def _execute(self, program: Program) -> None:
        importer = self._importer
        if program.function is not None:
            self._call(program.function)
            return
        main = ModuleType("__main__")
        namespace = vars(main)
        namespace["__builtins__"] = importer.builtins
        importer.modules["__main__"] = main
        namespace["gc"] = importer.import_("gc")  # boards find it there: MicroPython's _boot.py runs in this namespace
        for file in program.files:
            code = load_file(file, self._flash)
            if code is not None:
                namespace["__file__"] = file.path.lstrip("/") or file.filename
                exec(code, namespace)

    def _call(self, function: Callable[..., Any]) -> None:
        """Call a Python callable as this board's program."""
        importer = self._importer
        wants_board = takes_argument(function)
        function = adopt(function, importer)
        result = function(self) if wants_board else function()
        if inspect.iscoroutine(result):
            importer.import_("asyncio").run(result)


def _exit_code(error: SystemExit, console: LabConsole) -> int:
    """Return the exit code of a SystemExit as CPython does; a text is printed and counts as 1."""
    code = error.code
    if code is None:
        return 0
    if isinstance(code, int):
        return code
    console.write(f"{code}\n")
    return 1
