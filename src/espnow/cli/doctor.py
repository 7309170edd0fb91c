"""``espnow doctor``: what this computer's Wi-Fi can do as a radio for ESP-NOW, and what to do about what it cannot."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from espnow.cli._options import whole_number
from espnow.cli._signals import ends_in_order
from espnow.errors import UserError
from espnow.frame.text import printable
from espnow.radio import parse_name

if TYPE_CHECKING:
    from espnow.radio.monitor.findings import Finding

__all__ = ["add_parser"]

_EPILOG = """\
Without an interface it looks, and changes nothing: kernel, rights, other programs, adapters, modes, channels. With one
it also tries: makes it a monitor, sends a message to all and some to nobody, looks whether the driver reports what
became of them, tries the rates and the acknowledging option, and puts the interface back. That needs the right to
configure it, as with sudo.

--restore puts back interfaces that programs left in monitor mode when they were killed.

Exit code: 0 if nothing is bad, 1 if something is, 2 for a mistake in this command; 130, 143 or 129 when Ctrl-C, SIGTERM
or the end of its terminal ended it, and then, too, the interface is put back.

examples:
  espnow doctor
  sudo espnow doctor wlan1
  sudo espnow doctor --radio monitor:wlan1 --channel 6
  sudo espnow doctor --restore
"""

_BAD = "bad"
_MARKS = {"ok": "ok", "note": "note", _BAD: "BAD"}
_USUAL_CHANNEL = 1


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "doctor",
        help="see what this computer's Wi-Fi can do, and what to do about it",
        description="Look at this computer's Wi-Fi as a radio for ESP-NOW, and try an interface.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        usage="espnow doctor [options] [INTERFACE]",
    )
    parser.add_argument("interface", metavar="INTERFACE", nargs="?", help="try this one, such as wlan1")
    parser.add_argument("--radio", metavar="NAME", help="the same as the name of a radio: monitor:INTERFACE")
    parser.add_argument("--channel", metavar="N", help=f"channel to try, 1 to 14 (default: {_USUAL_CHANNEL})")
    parser.add_argument("--restore", action="store_true", help="put back what killed programs left in monitor mode")
    parser.add_argument("--json", action="store_true", help="one JSON object, with all findings")
    parser.set_defaults(function=_doctor)


def _doctor(arguments: argparse.Namespace) -> int:
    name = _interface(arguments)
    channel = _USUAL_CHANNEL if arguments.channel is None else whole_number("--channel", arguments.channel, 1, 14)
    if arguments.restore:
        if name is not None:
            raise UserError("--restore is for all interfaces that were left: name none")
        return _restore(as_json=arguments.json)
    # Not before it is needed: every command loads this module.
    from espnow.radio.monitor.findings import examine_adapters, examine_computer

    report = _Report(as_json=arguments.json)
    report.add(examine_computer())
    report.add(examine_adapters(name))
    if name is not None:
        from espnow.radio.monitor.trial import try_interface

        with ends_in_order():  # so that the interface is put back
            found = try_interface(name, channel)
        report.add(found)
    return report.end(tried=name is not None)


def _interface(arguments: argparse.Namespace) -> str | None:
    """Return the interface that is to be tried, or None.

    Raises:
        UserError: it is no monitor radio, or two are named.
    """
    name: str | None = arguments.interface
    if name is not None:
        if not name:
            raise UserError("INTERFACE is empty: name one, such as wlan1, or leave it out")
        if ":" in name:  # no interface has one in its name
            name = _of_monitor("", name)
    if arguments.radio is None:
        return name
    of_radio = _of_monitor("--radio ", arguments.radio)
    if name is not None and name != of_radio:
        raise UserError("INTERFACE and --radio name two interfaces: write one")
    return of_radio


def _of_monitor(option: str, text: str) -> str:
    """Return the interface of a monitor radio.

    Raises:
        UserError: it is another radio, or none.
    """
    radio = parse_name(text)
    if radio.kind != "monitor" or not radio.rest:
        raise UserError(f"{option}{printable(text)}: doctor looks at Wi-Fi: write monitor:INTERFACE")
    return radio.rest


def _restore(*, as_json: bool) -> int:
    from espnow.radio.monitor.restore import restore_all

    report = _Report(as_json=as_json)
    report.add(restore_all())
    return report.end(tried=True)


class _Report:
    """Prints findings as they come, or all at once as JSON."""

    def __init__(self, *, as_json: bool) -> None:
        self._json = as_json
        self._all: list[Finding] = []
        self._about = ""

    def add(self, findings: list[Finding]) -> None:
        """Take findings."""
        self._all += findings
        if self._json:
            return
        width = max((len(finding.check) for finding in findings), default=0)
        for finding in findings:
            if finding.about != self._about:
                if self._about:
                    print()
                self._about = finding.about
                print(printable(finding.about))
            print(
                f"  {_MARKS[finding.verdict.value]:<4}  {printable(finding.check):<{width}}  {printable(finding.told)}"
            )
            if finding.cure:
                print(f"        {'':<{width}}  -> {printable(finding.cure)}")
        sys.stdout.flush()

    def end(self, *, tried: bool) -> int:
        """Sum up, and return the exit code."""
        bad = sum(finding.verdict.value == _BAD for finding in self._all)
        if self._json:
            shown = [
                {
                    "about": finding.about,
                    "check": finding.check,
                    "verdict": finding.verdict.value,
                    "told": finding.told,
                    "cure": finding.cure,
                }
                for finding in self._all
            ]
            print(json.dumps({"findings": shown, "bad": bad}))
            return 1 if bad else 0
        print()
        if bad:
            print(f"{bad} {'thing is' if bad == 1 else 'things are'} bad: see above what to do")
        elif tried:
            print("all is well")
        else:
            print("nothing bad found; espnow doctor INTERFACE tries one for real")
        return 1 if bad else 0
