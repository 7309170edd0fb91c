"""The owner of chance: one seed, split by name into one stream a purpose.

A stream depends on the seed and its name alone, so adding a board does not change what the others draw. Seeding goes
through SHA-512 (`random.Random` with a str), which no hash seed of the process touches.
"""

from __future__ import annotations

from random import Random

__all__ = ["Chance"]


class Chance:
    """All the randomness of a lab."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def stream(self, name: str) -> Random:
        """Return a new stream for a purpose; the same name gives the same numbers."""
        return Random(f"{self.seed}/{name}")
