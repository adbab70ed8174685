"""Leaves a target that fails alone for a while, so that what waits for it costs neither it nor us anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

__all__ = ["Breakers"]

FAILURES = 3
"""So many in a row open a circuit."""
FIRST = timedelta(seconds=30)
LONGEST = timedelta(minutes=15)


@dataclass(slots=True)
class _Circuit:
    failures: int = 0
    open_until: datetime | None = None


class Breakers:
    """A circuit for each target, closed at first.

    After `FAILURES` failures in a row it is open: nothing is sent. When its time is over one letter is tried; that one
    closes it, or opens it again for twice as long, `LONGEST` at most. It is not kept: after a restart each is tried.
    """

    def __init__(self) -> None:
        self._circuits: dict[str, _Circuit] = {}

    def open(self, now: datetime) -> set[str]:
        """Return the circuits that are open."""
        return {
            name
            for name, circuit in self._circuits.items()
            if circuit.open_until is not None and now < circuit.open_until
        }

    def succeeded(self, name: str) -> None:
        """Note that something reached a target."""
        self._circuits.pop(name, None)

    def failed(self, name: str, now: datetime) -> None:
        """Note that something did not."""
        circuit = self._circuits.setdefault(name, _Circuit())
        circuit.failures += 1
        if circuit.failures >= FAILURES:
            doublings = min(circuit.failures - FAILURES, 10)
            circuit.open_until = now + min(LONGEST, FIRST * 2**doublings)
