"""The command line: ``espnow SUBCOMMAND``."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

from espnow.cli._frames import shown_argument
from espnow.cli._show import NO_ROOM
from espnow.errors import UserError
from espnow.frame.text import printable

__all__ = ["entry", "main"]

#: The commands, each a module of its name beside this one, in the order in which --help has them.
_COMMANDS = ("run", "plan", "decode", "listen", "sniff", "send", "ping", "scan", "doctor")

#: Set for the process that `entry` starts, so that it cannot start another.
_FIXED_HASHES = "ESPNOW_FIXED_HASHES"


# What argparse says of --json=VALUE.
_VALUE = re.compile(r"ignored explicit argument .*", re.DOTALL)
_QUOTED = re.compile(r"""(['"])(.*?)\1""", re.DOTALL)
# What can be told of an option that nobody knows: its value could be a key.
_OPTION = re.compile(r"(--?[A-Za-z][A-Za-z-]{0,20})(?:=.*)?", re.DOTALL)


class _Parser(argparse.ArgumentParser):
    """Tells a mistake in one line, without what could be a key."""

    def error(self, message: str) -> NoReturn:
        message = _QUOTED.sub(_withheld, _VALUE.sub("takes no value", message))
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


class _Version(argparse.Action):
    """Prints the version, and whether the air's kernel is compiled."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from espnow.air import kernel

        form = "interpreted" if str(kernel.__file__).endswith(".py") else "compiled"
        print(f"espnow {version('espnow')}, the air's kernel {form}")
        parser.exit()


def _unexpected(command: str, rest: Sequence[str], *, plain: bool) -> str:
    """Return what to say of arguments that a command does not take: with an option, or `plain`."""
    if not plain:
        found = [match[1] for argument in rest if (match := _OPTION.fullmatch(argument))]
        return f"unknown {' '.join(['option', *found])}"
    shown = shown_argument(rest[0])
    many = f"one argument too many: {shown}" if len(rest) == 1 else f"{len(rest)} arguments too many, from {shown} on"
    return f"{many}; a message with spaces needs quotes" if command == "send" else many


def _withheld(match: re.Match[str]) -> str:
    """Return an argument that argparse quotes, or that it could be a key."""
    shown = shown_argument(match[2])
    return match[0] if shown == match[2] else shown


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand and return its exit code."""
    parser = _Parser(prog="espnow", description="ESP-NOW for Python on a computer.", allow_abbrev=False)
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version, and end")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    arguments = list(sys.argv[1:] if argv is None else argv)
    # One command's module is a part of what there is to load; the others matter to --help and mistakes only.
    named = arguments[:1] if arguments and arguments[0] in _COMMANDS else _COMMANDS
    if arguments[:1] != ["--version"]:
        for name in named:
            import_module(f"espnow.cli.{name}").add_parser(commands)
    if named == ["run"]:
        arguments = import_module("espnow.cli.run").prepare(arguments, commands.choices["run"])
    parsed, rest = parser.parse_known_args(arguments)
    plain = not any(argument.startswith("-") for argument in rest if argument != "-")
    if parsed.command == "decode" and plain:
        parsed.files += rest  # files after an option that stands between files
        rest = []
    elif parsed.command == "send" and plain and rest and parsed.message is None:
        parsed.message = rest.pop(0)  # after an option that stands behind the address
    if rest:
        commands.choices[parsed.command].error(_unexpected(parsed.command, rest, plain=plain))
    try:
        return int(parsed.function(parsed))
    except UserError as error:
        print(f"espnow {parsed.command}: {printable(str(error))}", file=sys.stderr)  # one line, whatever it names
        return 2
    except KeyboardInterrupt:
        return 130


def entry() -> NoReturn:
    """Run as the installed command.

    Python's hashes of strings differ from process to process unless a variable fixes them before it starts, and with
    them the order of sets: so a process that runs a lab starts itself once more.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # the shell closed it
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 - for the rest of the process
    if sys.flags.hash_randomization and _FIXED_HASHES not in os.environ and _runs_lab(sys.argv[1:]):
        environment = {**os.environ, "PYTHONHASHSEED": "0", _FIXED_HASHES: "1"}
        command = [sys.executable, "-m", "espnow", *sys.argv[1:]]
        if os.name == "posix":
            os.execve(sys.executable, command, environment)
        import subprocess

        sys.exit(subprocess.run(command, env=environment, check=False).returncode)
    try:
        code = main()
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output left, as `| head` does
        _discard_output()
        code = 1
    except KeyboardInterrupt:  # before the command began, or when it was done
        code = 130
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        _discard_output()
        prog = " ".join(["espnow", *(name for name in sys.argv[1:2] if name in _COMMANDS)])
        print(f"{prog}: cannot write the output: {error.strerror}", file=sys.stderr)
        code = 1
    sys.exit(code)


def _runs_lab(arguments: Sequence[str]) -> bool:
    """Whether these run a lab, which is to repeat itself; one that is on a radio cannot."""
    on_radio = any(argument == "--radio" or argument.startswith("--radio=") for argument in arguments)
    return arguments[:1] == ["run"] and not on_radio


def _discard_output() -> None:
    """Let what is still to be written go nowhere: nothing may fail when the process ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
