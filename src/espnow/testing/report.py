"""What there is to know of a lab when a test of it has failed: output, frames, losses; printable and bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from espnow.errors import FrameError
from espnow.frame import Frame, format_mac, parse
from espnow.frame.text import message_text, printable
from espnow.lab.console import for_terminal

if TYPE_CHECKING:
    from espnow.air import Transmission
    from espnow.lab import Lab, LabBoard

__all__ = ["describe"]

#: So many lines of a board's output, frames of the air, and bytes of a message are shown.
_OUTPUT_LINES = 40
_FRAMES = 20
_MESSAGE = 40
_NAMED = 4


def describe(lab: Lab) -> list[tuple[str, str]]:
    """Return titles and texts about a lab: each board's output, the last frames, what was lost and why."""
    sections = [(f"lab: board {printable(board.name)}", _describe_board(board)) for board in lab.boards]
    if not lab.boards:
        return sections
    frames = _last_frames(lab)
    text = "\n".join(frames) or "no ESP-NOW frame was on the air"
    sections.append((f"lab: the last frames, up to {lab.now_us / 1e6:.6f} s", text))
    sections.append(("lab: what did not arrive", str(lab.explain())))
    return sections


def _describe_board(board: LabBoard) -> str:
    lines = [for_terminal(line) for line in board.lines]
    left_out = len(lines) - _OUTPUT_LINES
    shown = [f"... {left_out} lines before", *lines[-_OUTPUT_LINES:]] if left_out > 0 else lines
    x, y = board.position
    head = f"{format_mac(board.mac)} at ({x:g}, {y:g}), program {board.state}, power {board.power_state.value}"
    return "\n".join([head, *(f"| {line}" for line in shown)])


def _last_frames(lab: Lab) -> list[str]:
    owners = {}
    for board in lab.boards:
        for interface in (0, 1):
            owners[board.hardware.wifi.mac(interface)] = board.name + (" (AP)" if interface else "")
    found: list[str] = []
    for transmission in reversed(lab.transmissions):
        line = _line(transmission, owners)
        if line:
            found.append(line)
            if len(found) == _FRAMES:
                break
    return found[::-1]


def _line(transmission: Transmission, owners: dict[bytes, str]) -> str:
    """Return one frame as a line, or nothing if it is not ESP-NOW's."""
    try:
        frame = parse(transmission.mpdu)
    except FrameError:
        return ""
    destination = frame.destination
    group = destination[0] & 1
    name = "everybody" if destination == b"\xff" * 6 else owners.get(destination) or format_mac(destination)
    if isinstance(frame, Frame):
        text = message_text(frame.message[:_MESSAGE])
        message = frame.message[:_MESSAGE].hex() if text is None else f'"{text}"'
        message += " ..." if len(frame.message) > _MESSAGE else ""
    else:
        message = "(encrypted)"
    heard = [reception.station for reception in transmission.receptions]
    more = f" and {len(heard) - _NAMED} more" if len(heard) > _NAMED else ""
    if group:
        result = f"heard by {', '.join(heard[:_NAMED])}{more}" if heard else "heard by nobody"
    else:
        result = "arrived" if heard else "not heard"
    attempt = f", attempt {transmission.attempt}" if transmission.attempt > 1 else ""
    seconds = f"{transmission.at_us / 1e6:12.6f} s"
    sender = printable(transmission.station)
    return f"{seconds}  {sender} > {printable(name)}  {message}  channel {transmission.channel}{attempt}: {result}"
