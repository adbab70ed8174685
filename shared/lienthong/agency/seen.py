"""What this agency handled and signed: the exchange delivers at least once, the agency acts once.

Of a message that was signed only what the signature changed is kept: some kilobytes, however large its attachments.
"""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol, Self

from lienthong.errors import MisconfiguredError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Amendment", "InMemory", "OnDisk", "Seen", "open_seen"]

REMEMBERED = 200_000
"""How many handled messages are remembered without a file; a repeat comes soon or never."""
AMENDMENT_BYTES = 64_000_000
"""How much of what was signed is remembered without a file."""
AMENDMENT_DAYS = 7
"""How long what was signed is remembered in a file: longer than any outage that a call is repeated after."""
AMENDMENTS = 200_000
"""How many are remembered in a file at most, even if that is fewer days: about a gigabyte."""
BLOCK: Final = 1024


@dataclass(frozen=True, slots=True)
class Amendment:
    """What a signature changed in a message: its first and last bytes stayed, `text` stands between them.

    Attributes:
        first: how many bytes stayed at the beginning.
        text: what is between them now.
        last: how many bytes stayed at the end.
    """

    first: int
    text: bytes
    last: int

    @classmethod
    def between(cls, before: bytes, after: bytes) -> Self:
        """Return the difference between two messages, in whole blocks; the later is the longer one."""
        first = last = 0
        while first + BLOCK <= len(before) and before[first : first + BLOCK] == after[first : first + BLOCK]:
            first += BLOCK
        while first + last + BLOCK <= len(before) and (
            before[len(before) - last - BLOCK : len(before) - last]
            == after[len(after) - last - BLOCK : len(after) - last]
        ):
            last += BLOCK
        return cls(first, after[first : len(after) - last], last)

    def applied_to(self, before: bytes) -> bytes:
        """Return the later message, given the earlier."""
        view = memoryview(before)
        return b"".join((view[: self.first], self.text, view[len(before) - self.last :]))


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

    async def amendment(self, digest: str) -> Amendment | None:
        """Return what was changed when the message with this SHA-256 was signed; None when that is not remembered."""
        ...

    async def keep_amendment(self, digest: str, amendment: Amendment) -> Amendment:
        """Remember what signing changed; returns what is remembered, the first when there was one before."""
        ...

    async def close(self) -> None:
        """Give up what is open."""
        ...


class InMemory:
    """Remembers as long as the process lives."""

    def __init__(self) -> None:
        self._handled: dict[str, datetime] = {}
        self._amendments: dict[str, Amendment] = {}
        self._amendment_bytes = 0

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

    async def amendment(self, digest: str) -> Amendment | None:
        """Return what was changed when the message with this SHA-256 was signed; None when that is not remembered."""
        return self._amendments.get(digest)

    async def keep_amendment(self, digest: str, amendment: Amendment) -> Amendment:
        """Remember what signing changed; the oldest are forgotten when they take too much room."""
        if digest not in self._amendments:
            self._amendments[digest] = amendment
            self._amendment_bytes += len(amendment.text)
        kept = self._amendments[digest]
        while self._amendment_bytes > AMENDMENT_BYTES and len(self._amendments) > 1:
            self._amendment_bytes -= len(self._amendments.pop(next(iter(self._amendments))).text)
        return kept

    async def close(self) -> None:
        """Forget everything."""
        self._handled.clear()
        self._amendments.clear()
        self._amendment_bytes = 0


_SCHEMA = """
create table if not exists handled (key text primary key, handled_at text not null) without rowid;
create table if not exists unreadable (
    key text primary key, body blob not null, reason text not null, kept_at text not null
);
create table if not exists signed (
    number integer primary key autoincrement,
    digest text not null unique, first integer not null, text blob not null, last integer not null,
    signed_at text not null
);
create index if not exists signed_at on signed (signed_at);
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

    async def amendment(self, digest: str) -> Amendment | None:
        """Return what was changed when the message with this SHA-256 was signed; None when that is not remembered."""
        async with self._lock:
            return await asyncio.to_thread(self._select_amendment, digest)

    async def keep_amendment(self, digest: str, amendment: Amendment) -> Amendment:
        """Remember what signing changed, on disk when this returns; what is too old is forgotten."""
        async with self._lock:
            return await asyncio.to_thread(self._insert_amendment, digest, amendment)

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

    def _select_amendment(self, digest: str) -> Amendment | None:
        found = self._connection.execute("select first, text, last from signed where digest = ?", (digest,))
        row = found.fetchone()
        return Amendment(*row) if row else None

    def _insert_amendment(self, digest: str, amendment: Amendment) -> Amendment:
        now = datetime.now(UTC)
        values = (digest, amendment.first, amendment.text, amendment.last, now.isoformat())
        execute = self._connection.execute
        execute("begin immediate")
        with self._connection:  # commits, or rolls back
            execute("delete from signed where signed_at < ?", ((now - timedelta(days=AMENDMENT_DAYS)).isoformat(),))
            execute(
                "insert or ignore into signed (digest, first, text, last, signed_at) values (?, ?, ?, ?, ?)", values
            )
            execute("delete from signed where number <= (select max(number) from signed) - ?", (AMENDMENTS,))
            kept = self._select_amendment(digest)
        assert kept is not None, "it was inserted"
        return kept


def open_seen(state: Path | None) -> Seen:
    """Return a memory: in the file at `state`, or in this process when there is none."""
    return InMemory() if state is None else OnDisk(state)
