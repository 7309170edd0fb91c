"""What `espnow run` writes of the air while it runs: a capture, and a line for each message."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from espnow.air import Transmission
from espnow.capture import PcapngWriter
from espnow.cli._frames import as_json, as_line, make_dissector, read_keys
from espnow.cli._printing import Printer
from espnow.errors import UserError
from espnow.frame import radiotap
from espnow.lab import Lab
from espnow.lab.console import for_terminal

__all__ = ["CaptureFile", "open_log"]

#: How many boards that heard a frame are named in a line.
_NAMED = 4


class CaptureFile:
    """A pcapng file of a lab's air."""

    def __init__(self, lab: Lab, path: Path, said: str) -> None:
        """Open it.

        Args:
            lab: whose air.
            path: of the file, which is overwritten.
            said: what errors call it.

        Raises:
            UserError: from here, `write` and `close`: it cannot be written.
        """
        self._lab = lab
        self._said = said
        try:
            self._file = path.open("wb")
            self._writer = PcapngWriter(self._file)
        except OSError as error:
            self._refuse(error)

    def write(self, transmission: Transmission) -> None:
        """Write what was on the air."""
        try:
            self._writer.write(
                transmission.mpdu,
                at_us=transmission.at_us,
                channel=transmission.channel,
                rate=transmission.rate,
                rssi_dbm=_strongest_dbm(transmission),
            )
        except OSError as error:
            self._refuse(error)

    def close(self) -> None:
        """Close it."""
        try:
            try:
                self._writer.close()
            finally:
                self._file.close()
        except OSError as error:
            self._refuse(error)

    def _refuse(self, error: OSError) -> NoReturn:
        self._lab.air.observer = None
        raise UserError(f"{self._said}: {error.strerror or error}") from None


def _strongest_dbm(transmission: Transmission) -> int | None:
    return max((reception.rssi_dbm for reception in transmission.receptions), default=None)


def open_log(arguments: argparse.Namespace, printer: Printer) -> Callable[[Transmission], None]:
    """Return what prints the message of a transmission."""
    dissector = make_dissector(arguments, read_keys(arguments))

    def log(transmission: Transmission) -> None:
        header = radiotap.build(
            channel=transmission.channel, rate=transmission.rate, rssi_dbm=_strongest_dbm(transmission)
        )
        captured = dissector.examine(transmission.mpdu, radiotap.parse(header), at_ns=transmission.at_us * 1000)
        if captured is None:  # an acknowledgement
            return
        heard_by = [reception.station for reception in transmission.receptions]
        if arguments.json:
            frame = as_json(captured) | {"sent_by": transmission.station, "heard_by": heard_by}
            if transmission.models:
                frame["models"] = transmission.models
            printer.log(json.dumps({"us": transmission.at_us, "frame": frame}))
        else:
            more = len(heard_by[_NAMED:]) + transmission.models
            names = ", ".join(heard_by[:_NAMED])
            if more:
                names += f" and {more} more" if names else f"{more} of a crowd"
            line = as_line(captured, keys=dissector.keys)
            printer.log(for_terminal(f"{line}  ({transmission.station} to {names or 'nobody'})"))

    return log
