"""Which messages this agency has handled already: the exchange delivers at least once, the agency acts once."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from lienthong.errors import MisconfiguredError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["InMemory", "OnDisk", "Seen", "open_seen"]

REMEMBERED = 200_000
"""How many messages are remembered without a file; a repeat comes soon or never."""


class Seen(Protocol):
    """Remembers messages by a key, each with the moment it was handled."""

    async def handled_at(self, key: str) -> datetime | None:
        """Return when the message was handled; None when it was not."""
        ...

    async def remember(self, key: str) -> datetime:
        """Remember that the message is handled; returns since when, the first time if it was before."""
        ...

    async def keep_unreadable(self, key: str, body: bytes, reason: str) -> None:
        """Put aside a message this program cannot read."""
        ...

    async def close(self) -> None:
        """Give up what is open."""
        ...


class InMemory:
    """Remembers as long as the process lives."""

    def __init__(self) -> None:
        self._handled: dict[str, datetime] = {}

    async def handled_at(self, key: str) -> datetime | None:
        """Return when the message was handled; None when it was not."""
        return self._handled.get(key)

    async def remember(self, key: str) -> datetime:
        """Remember that the message is handled; the oldest is forgotten when there are too many."""
        while len(self._handled) >= REMEMBERED:
            del self._handled[next(iter(self._handled))]
        return self._handled.setdefault(key, datetime.now(UTC))

    async def keep_unreadable(self, key: str, body: bytes, reason: str) -> None:
        """Keep nothing: there is no place; the caller logs it."""

    async def close(self) -> None:
        """Forget everything."""
        self._handled.clear()


_SCHEMA = """
create table if not exists handled (key text primary key, handled_at text not null) without rowid;
create table if not exists unreadable (
    key text primary key, body blob not null, reason text not null, kept_at text not null
);
"""


class OnDisk:
    """Remembers in an SQLite file, so that a restarted agency does not act twice."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # One call at a time (the lock below), from the event loop's worker threads.
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._connection.execute("pragma journal_mode = wal")
            self._connection.execute("pragma synchronous = full")
            self._connection.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise MisconfiguredError(f"{path} cannot remember what was handled: {error}") from error
        self._lock = asyncio.Lock()

    async def handled_at(self, key: str) -> datetime | None:
        """Return when the message was handled; None when it was not."""
        async with self._lock:
            row = await asyncio.to_thread(self._select, key)
        return datetime.fromisoformat(row) if row else None

    async def remember(self, key: str) -> datetime:
        """Remember that the message is handled; on disk when this returns."""
        async with self._lock:
            return datetime.fromisoformat(await asyncio.to_thread(self._insert, key))

    async def keep_unreadable(self, key: str, body: bytes, reason: str) -> None:
        """Put the message into the file's table ``unreadable``."""
        values = (key, body, reason, datetime.now(UTC).isoformat())
        async with self._lock:
            await asyncio.to_thread(
                self._connection.execute, "insert or ignore into unreadable values (?, ?, ?, ?)", values
            )

    async def close(self) -> None:
        """Close the file."""
        async with self._lock:
            self._connection.close()

    def _select(self, key: str) -> str | None:
        found = self._connection.execute("select handled_at from handled where key = ?", (key,))
        row = found.fetchone()
        return row[0] if row else None

    def _insert(self, key: str) -> str:
        now = datetime.now(UTC).isoformat()
        self._connection.execute("insert or ignore into handled values (?, ?)", (key, now))
        return self._select(key) or now


def open_seen(state: Path | None) -> Seen:
    """Return a memory: in the file at `state`, or in this process when there is none."""
    return InMemory() if state is None else OnDisk(state)
