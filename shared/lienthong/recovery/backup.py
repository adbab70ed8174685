"""Backups of ledger and payloads that agree with each other, and an installation made anew from one.

A folder of backups holds one folder for each backup, named by its moment, and beside them ``payload/`` for all of them
together: a payload never changes, so it is copied once, whatever number of backups it belongs to. A copy, not a hard
link: damage to the original must not be damage to the backup.

The ledger comes first: a payload is on disk before the ledger names it and is never deleted, so those that a snapshot
names are there afterwards too. A backup is written under another name and gets its own when all of it is on disk.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO

import lienthong
from lienthong.errors import LienThongError, MisconfiguredError
from lienthong.ledger.copying import TableCopy, load, not_empty, snapshot
from lienthong.ledger.migrations import migrate, migrations
from lienthong.payload import FolderStore
from lienthong.recovery.manifest import MANIFEST, PAYLOADS, Manifest, MigrationEntry, TableEntry, table_file

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from pathlib import Path

    from lienthong.ledger.copying import Named, Snapshot

    Tell = Callable[[str, int, int], None]

__all__ = ["Backup", "Restored", "alone", "back_up", "backups", "kept_payloads", "restore"]

PARTIAL = ".partial"
AT_ONCE = 8
"""Payloads in hand: each may weigh as much as a submission, 50 MB."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was made.

    Attributes:
        folder: where it is.
        manifest: what it holds.
        copied: how many payloads were new to the folder of backups.
    """

    folder: Path
    manifest: Manifest
    copied: int


@dataclass(frozen=True, slots=True)
class Restored:
    """An installation that was restored.

    Attributes:
        folder: the backup.
        manifest: what it holds.
        copied: how many payloads were written; others of it were there already.
        migrated: the migrations that were applied to the restored ledger, since the program is newer.
    """

    folder: Path
    manifest: Manifest
    copied: int
    migrated: tuple[str, ...]


def kept_payloads(folder: Path) -> FolderStore:
    """Return the payloads in a folder of backups."""
    return FolderStore(folder / "payload")


def backups(folder: Path) -> list[Path]:
    """Return the finished backups in a folder of backups, the oldest first."""
    return sorted(path.parent for path in folder.glob(f"[0-9]*/{MANIFEST}"))


async def back_up(ledger_url: str, store: FolderStore, folder: Path, *, tell: Tell) -> Backup:
    """Write a backup of ledger and payloads, while the exchange works.

    Args:
        ledger_url: address of the ledger; its user must be allowed to read every table.
        store: the payload store.
        folder: the folder of backups, made when it is not there.
        tell: told what is being done, how many are done, and how many there are.

    Returns:
        The backup; `manifest.lacking` names the payloads that the ledger names and that are neither in the store nor in
        an earlier backup.

    Raises:
        Unavailable: ledger, store or folder cannot be reached or written; no backup was made.
        MisconfiguredError: another backup into this folder is under way, or the ledger has no schema.
    """
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    with alone(folder):
        await asyncio.to_thread(_tidy, folder)
        made_at = datetime.now(UTC)
        partial = folder / f"{PARTIAL}-{made_at:%Y%m%dT%H%M%S.%fZ}"
        partial.mkdir()
        async with snapshot(ledger_url) as ledger:
            applied, tables, named = await _write_ledger(ledger, partial, tell)
        copies = await _keep(named, store, kept_payloads(folder), tell)
        listed = "".join(f"{digest}\n" for digest in sorted(copies.belonging))
        (partial / PAYLOADS).write_text(listed)
        manifest = Manifest(
            made_at=made_at,
            program=lienthong.__version__,
            migrations=applied,
            tables=tables,
            payloads=listed.count("\n"),
            payloads_sha256=sha256(listed.encode()).hexdigest(),
            lacking=tuple(sorted(copies.lacking)),
        ).sealed()
        (partial / MANIFEST).write_bytes(manifest.encode())
        finished = folder / partial.name.removeprefix(f"{PARTIAL}-")
        await asyncio.to_thread(_finish, partial, finished)
    return Backup(finished, manifest, copies.new)


async def restore(ledger_url: str, store: FolderStore, folder: Path, *, tell: Tell) -> Restored:
    """Make an empty installation what a backup shows. Its workers must not run.

    The payloads come first and the ledger in one transaction after them, compared with the backup's digests before it
    commits: an installation restored by half has an empty ledger, and restoring again goes on with it.

    Args:
        ledger_url: address of the ledger, an empty database or one with the schema only; its user must own it.
        store: the payload store, empty but for what belongs to this backup.
        folder: a backup, or a folder of backups, whose latest is taken.
        tell: told what is being done, how many are done, and how many there are.

    Raises:
        MisconfiguredError: this is no whole backup, or one of a newer program, or the installation is not empty.
        LienThongError: a payload of the backup is missing or damaged, or the restored rows differ; the ledger is empty.
        Unavailable: ledger or store went away; the ledger is empty.
    """
    backup = folder if (folder / MANIFEST).exists() else max(backups(folder), default=folder)
    manifest = await asyncio.to_thread(Manifest.read, backup)
    known = {migration.name: migration.digest for migration in migrations()}
    strange = [one.name for one in manifest.migrations if known.get(one.name) != one.digest]
    if strange:
        raise MisconfiguredError(
            f"bản sao lưu của chương trình mới hơn / the backup is of a newer program: {', '.join(strange)}"
        )
    belonging = set((backup / PAYLOADS).read_text().split())
    if others := await store.digests() - belonging - set(manifest.lacking):
        raise MisconfiguredError(
            f"kho tệp đã có {len(others)} tệp khác; chỉ phục hồi vào nơi trống / "
            f"the payload store holds {len(others)} payloads of something else; restore into an empty one only"
        )
    schema = {one.name for one in manifest.migrations}
    await migrate(ledger_url, only=schema)
    async with snapshot(ledger_url) as ledger:
        if newer := (await ledger.migrations()).keys() - schema:
            raise MisconfiguredError(
                f"lược đồ mới hơn bản sao lưu, hãy dùng cơ sở dữ liệu trống / the schema is newer than the backup, "
                f"take an empty database: {', '.join(sorted(newer))}"
            )
        if filled := await ledger.filled():
            raise not_empty(filled)
    copied = await _fetch(belonging, kept_payloads(backup.parent), store, tell)
    rows = [TableCopy(**one.model_dump()) for one in manifest.tables]

    def read(table: str) -> BinaryIO:
        tell("bảng / tables", [one.name for one in rows].index(table) + 1, len(rows))
        return (backup / table_file(table)).open("rb")

    await load(ledger_url, rows, read)
    return Restored(backup, manifest, copied, tuple(await migrate(ledger_url)))


async def _write_ledger(
    ledger: Snapshot, folder: Path, tell: Tell
) -> tuple[tuple[MigrationEntry, ...], tuple[TableEntry, ...], Named]:
    applied = await ledger.migrations()
    if not applied:
        raise MisconfiguredError("sổ cái chưa có lược đồ / the ledger has no schema: run `lienthong ledger migrate`")
    tables = await ledger.tables()
    entries = []
    for number, table in enumerate(tables, 1):
        with (folder / table_file(table.name)).open("wb") as file:
            entries.append(TableEntry(**asdict(await ledger.copy(table, file))))
        tell("bảng / tables", number, len(tables))
    migrated = tuple(MigrationEntry(name=name, digest=digest) for name, digest in applied.items())
    return migrated, tuple(entries), await ledger.payloads()


@dataclass(slots=True)
class _Copies:
    """What belongs to a backup, how much of that was not there before, and what could not be had."""

    belonging: set[str]
    new: int
    lacking: set[str]


async def _keep(named: Named, store: FolderStore, kept: FolderStore, tell: Tell) -> _Copies:
    there = await kept.digests()
    wanted = named.needed | named.maybe
    copies = _Copies(set(wanted & there), 0, set())

    async def keep(digest: str) -> None:
        state = await store.state(digest)
        if state == "good":
            await kept.put(await store.get(digest))
            copies.belonging.add(digest)
            copies.new += 1
        elif state == "damaged" or digest in named.needed:
            copies.lacking.add(digest)

    await _each(sorted(wanted - there), keep, tell)
    return copies


async def _fetch(digests: set[str], kept: FolderStore, store: FolderStore, tell: Tell) -> int:
    """Bring payloads of a backup into an installation; returns how many were not there."""
    copied = 0
    broken: list[str] = []

    async def fetch(digest: str) -> None:
        nonlocal copied
        if await store.state(digest) == "good":
            return
        if await kept.state(digest) != "good":
            broken.append(digest)
            return
        await store.put(await kept.get(digest))
        copied += 1

    await _each(sorted(digests), fetch, tell)
    if broken:
        raise LienThongError(
            f"{len(broken)} tệp của bản sao lưu thiếu hoặc hỏng, sổ cái chưa được phục hồi / {len(broken)} payloads of "
            f"the backup are missing or damaged, the ledger was not restored: {', '.join(sorted(broken)[:5])}"
        )
    return copied


async def _each(digests: Sequence[str], work: Callable[[str], Awaitable[None]], tell: Tell) -> None:
    done = 0
    rest = iter(digests)

    async def worker() -> None:
        nonlocal done
        for digest in rest:
            await work(digest)
            done += 1
            tell("tệp / payloads", done, len(digests))

    async with asyncio.TaskGroup() as working:
        for _ in range(min(AT_ONCE, len(digests))):
            working.create_task(worker())


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Let nobody else write a backup here meanwhile."""
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise MisconfiguredError(f"{folder}: đang có sao lưu khác / another backup is being written") from error
        yield


def _tidy(folder: Path) -> None:
    """Remove what was left of backups that did not get done."""
    for leftover in folder.glob(f"{PARTIAL}-*"):
        shutil.rmtree(leftover)


def _finish(partial: Path, finished: Path) -> None:
    """Give a backup its name once every byte of it is on disk."""
    for path in (*partial.iterdir(), partial):
        _sync(path)
    partial.rename(finished)
    _sync(finished.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
