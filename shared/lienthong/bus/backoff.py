"""How long to wait before trying again."""

from __future__ import annotations

import random

__all__ = ["Backoff"]


class Backoff:
    """Delays that double up to a limit, each somewhere between half and one and a half of its nominal length.

    The jitter keeps the workers of a whole exchange from coming back to a restarted broker in one instant.
    """

    def __init__(self, first: float = 0.2, most: float = 5.0) -> None:
        self._first = first
        self._most = most
        self._nominal = first

    def next(self) -> float:
        """Return the next delay, in seconds."""
        delay = self._nominal * random.uniform(0.5, 1.5)  # noqa: S311 - spreads load, protects nothing
        self._nominal = min(self._most, self._nominal * 2)
        return delay

    def reset(self) -> None:
        """Start with the shortest delay again, after a success."""
        self._nominal = self._first
