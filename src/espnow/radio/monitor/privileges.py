"""What this process may do with Wi-Fi, and what to say when that is too little.

Rules:

- Linux's capabilities decide, not the user: CAP_NET_RAW to send and receive on an interface that is ready,
  CAP_NET_ADMIN to configure one (measured on kernels 6.1 and 6.12).
- A person is told which capability, on which file, with which command, in one line.

Follows Linux's ``capabilities(7)``.
"""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["NET_ADMIN", "NET_RAW", "advice", "effective", "executable", "has"]

NET_ADMIN = 12
NET_RAW = 13

_NAMES = {NET_ADMIN: "CAP_NET_ADMIN", NET_RAW: "CAP_NET_RAW"}
_STATUS = Path("/proc/self/status")


def effective() -> int:
    """Return the capabilities that hold for this process, a bit each; none where nobody tells."""
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1], 16) for line in lines if line.startswith("CapEff:")), 0)


def has(capability: int) -> bool:
    """Tell whether this process has a capability, such as `NET_RAW`."""
    return effective() >> capability & 1 == 1


def executable() -> Path:
    """Return the file that runs this process's Python: where its capabilities are kept."""
    return Path(sys.executable).resolve()


def advice(*needed: int) -> str:
    """Return what to do about capabilities that are missing, as the end of a sentence.

    Args:
        needed: all that the task needs, such as `NET_ADMIN`.
    """
    names = " and ".join(_NAMES[capability] for capability in needed)
    granted = ",".join(_NAMES[capability].lower() for capability in needed)
    return (
        f"this needs {names}: run it with sudo, or give them to this Python once: "
        f"sudo setcap {granted}+ep {executable()} (every program that it runs has them then)"
    )
