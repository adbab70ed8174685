"""What the doctor looks at, and with what."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lienthong.access.broker import Place
    from lienthong.bus.admin import BrokerAdmin
    from lienthong.bus.connection import Bus
    from lienthong.ledger.condition import Condition

__all__ = ["DiskUsage", "Instruments", "Patient"]


class DiskUsage(Protocol):
    """How full a file system is, in bytes; as `shutil.disk_usage` says it."""

    @property
    def total(self) -> int:
        """What there is."""
        ...

    @property
    def free(self) -> int:
        """What an ordinary user may still write."""
        ...


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Instruments:
    """What is looked with, and where besides.

    Attributes:
        workers: folder of the addresses with which workers log in; see `lienthong.access.addresses`.
        backups: folder of backups.
        clock: this machine's.
        disk_usage: how full the file system of a path is.
    """

    workers: Path | None = None
    backups: Path | None = None
    clock: Callable[[], datetime] = _now
    disk_usage: Callable[[Path], DiskUsage] = shutil.disk_usage


@dataclass(slots=True)
class Patient:
    """An installation, as far as it lets itself be looked at.

    Attributes:
        instruments: what is looked with.
        place: the virtual host, and who we are there; None when the address cannot be read.
        bus: the broker by AMQP; None when it does not let us in.
        admin: its management API; None likewise.
        ledger: the ledger; None likewise.
    """

    instruments: Instruments
    place: Place | None = None
    bus: Bus | None = None
    admin: BrokerAdmin | None = None
    ledger: Condition | None = None
