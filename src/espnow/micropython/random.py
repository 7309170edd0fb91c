"""`random` of a board, as https://docs.micropython.org/en/latest/library/random.html describes it.

Its numbers come from the board's own stream, so equal seeds of a lab give equal programs. ``seed()`` without a number
takes one from the board's hardware generator. Of CPython's module the functions of a stream are there too; its classes
are not, because they would draw from the host.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from espnow.board import Board
from espnow.micropython.services import Services

__all__ = ["build"]

_NAMES = (
    "betavariate",
    "choice",
    "choices",
    "expovariate",
    "gammavariate",
    "gauss",
    "lognormvariate",
    "normalvariate",
    "paretovariate",
    "randbytes",
    "randint",
    "random",
    "randrange",
    "sample",
    "shuffle",
    "triangular",
    "uniform",
    "vonmisesvariate",
    "weibullvariate",
)


def build(_board: Board, services: Services) -> ModuleType:
    """Return the module `random` of `board`."""
    source = services.random_source

    def seed(n: Any = None, /) -> None:
        """Begin the stream anew from `n`, or from a number of the hardware generator."""
        source.seed(int.from_bytes(services.urandom(8), "big") if n is None else n)

    def getrandbits(n: int, /) -> int:
        """Return `n` random bits, 0 to 32.

        Raises:
            ValueError: more or fewer.
        """
        if not 0 <= n <= 32:
            raise ValueError("bits must be 32 or less")
        return source.getrandbits(n)

    module = ModuleType("random", "Random numbers of this board.")
    names = vars(module)
    names.update(getrandbits=getrandbits, seed=seed)
    for name in _NAMES:
        names[name] = getattr(source, name)
    return module
