"""Backup and restore with a real PostgreSQL: what comes back is what was there, or nothing at all."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

import asyncpg
import pytest
import pytest_asyncio
from tests.integration.ledger.conftest import NOW, document_row

from lienthong.errors import LienThongError, MisconfiguredError
from lienthong.ledger.copying import Named, snapshot
from lienthong.ledger.ledger import Ledger
from lienthong.ledger.migrations import migrate, migrations
from lienthong.ledger.rows import AgencyRow, AttachmentRow, DeliveryRow, RoutingRow, SubmissionRow
from lienthong.payload import FolderStore
from lienthong.recovery.backup import alone, back_up, backups, kept_payloads, restore
from lienthong.recovery.manifest import MANIFEST, PAYLOADS, Manifest
from lienthong.testing.databases import create_database, drop_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from lienthong.ledger.copying import TableCopy
    from lienthong.testing.servers import Servers

PAYLOAD = "công văn\tvới \\ và xuống\ndòng".encode()
NEVER_KEPT = sha256(b"refused").hexdigest()


@dataclass
class Told:
    """What was told of the progress."""

    steps: list[tuple[str, int, int]] = field(default_factory=list)

    def __call__(self, what: str, done: int, total: int) -> None:
        """Remember it."""
        self.steps.append((what, done, total))


@pytest_asyncio.fixture
async def other(servers: Servers) -> AsyncIterator[str]:
    """Provide the URL of an empty database without a schema."""
    name = f"test_{uuid.uuid4().hex}"
    yield await create_database(servers.ledger_url, name)
    await drop_database(servers.ledger_url, name)


@pytest_asyncio.fixture
async def store(database: str, tmp_path: Path) -> FolderStore:
    """Provide the payload store of an exchange that received one document, and recorded it in `database`."""
    made = FolderStore(tmp_path / "payload")
    digest = await made.put(PAYLOAD)
    ledger = await Ledger.connect(database)
    await ledger.register([AgencyRow(code, f"Cơ quan\t{code}\\", stage="official") for code in ("G22", "H23", "H41")])
    await ledger.register([AgencyRow("A1", "Con", parent="H41")])
    row = replace(document_row(sha256=digest), subject="một\ndòng \\N")
    attachment = AttachmentRow(row.document, 1, "a.pdf", None, 3, "b" * 64)
    async with ledger.transaction() as unit:
        await unit.record_submissions(
            [
                SubmissionRow("G22", "message-d1", digest, len(PAYLOAD), NOW),
                SubmissionRow("G22", "refused", NEVER_KEPT, 7, NOW + timedelta(seconds=1)),
            ]
        )
        await unit.record_documents([row], [attachment])
        delivery = DeliveryRow(row.document, "H23", "000.00.00.H23", "H23")
        await unit.record_routings([RoutingRow(row.document, "routed", (delivery,))])
    await ledger.close()
    return made


async def digests(url: str) -> dict[str, tuple[int, str]]:
    """Return rows and digest of every table."""
    async with snapshot(url) as ledger:
        return {table.name: _facts(await ledger.copy(table)) for table in await ledger.tables()}


def _facts(copy: TableCopy) -> tuple[int, str]:
    return copy.rows, copy.sha256


async def test_what_is_restored_is_what_was_backed_up(
    database: str, other: str, store: FolderStore, tmp_path: Path
) -> None:
    """Every row, every payload and the counting of entries come back, under every character a subject may have."""
    told = Told()
    made = await back_up(database, store, tmp_path / "backups", tell=told)
    assert made.manifest.lacking == ()
    assert (made.manifest.payloads, made.copied) == (1, 1)
    assert ("tệp / payloads", 2, 2) in told.steps
    new_store = FolderStore(tmp_path / "new")
    restored = await restore(other, new_store, tmp_path / "backups", tell=told)
    assert restored.folder == made.folder
    assert await digests(other) == await digests(database)
    assert (await digests(other))["document"][0] == 1
    assert await new_store.digests() == {sha256(PAYLOAD).hexdigest()}
    ledger = await Ledger.connect(other)
    async with ledger.transaction() as unit:
        await unit.record_documents([document_row("d2", sha256=sha256(PAYLOAD).hexdigest())], [])
        assert unit.directory.resolve("000.00.00.H23") is not None
    await ledger.close()
    connection = await asyncpg.connect(other)
    numbers = [row["entry"] for row in await connection.fetch("select entry from entry order by entry")]
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("delete from entry")
    await connection.close()
    assert len(set(numbers)) == len(numbers) == 3


async def test_the_snapshot_is_of_one_moment(database: str, store: FolderStore, tmp_path: Path) -> None:
    """What is recorded while a backup is written is in none of its tables."""
    ledger = await Ledger.connect(database)
    async with snapshot(database) as before:
        expected = {table.name: _facts(await before.copy(table)) for table in await before.tables()}
        async with ledger.transaction() as unit:
            await unit.record_documents([document_row("d2")], [])
        assert {table.name: _facts(await before.copy(table)) for table in await before.tables()} == expected
        assert await before.payloads() == Named(frozenset({sha256(PAYLOAD).hexdigest()}), frozenset({NEVER_KEPT}))
    await ledger.close()
    made = await back_up(database, store, tmp_path / "backups", tell=Told())
    assert made.manifest.lacking == ("a" * 64,)


async def test_payloads_are_copied_once(database: str, store: FolderStore, tmp_path: Path) -> None:
    """The second backup copies no payload of the first again, and each can be restored by itself."""
    first = await back_up(database, store, tmp_path / "backups", tell=Told())
    second = await back_up(database, store, tmp_path / "backups", tell=Told())
    assert second.copied == 0
    assert second.manifest.payloads == 1
    assert backups(tmp_path / "backups") == [first.folder, second.folder]


async def test_a_damaged_payload_is_named_and_the_rest_is_saved(
    database: str, other: str, store: FolderStore, tmp_path: Path
) -> None:
    """A flipped byte does not get into a backup, nor does it keep the ledger out of one."""
    digest = sha256(PAYLOAD).hexdigest()
    store.path(digest).write_bytes(PAYLOAD[:-1] + b"?")
    made = await back_up(database, store, tmp_path / "backups", tell=Told())
    assert made.manifest.lacking == (digest,)
    assert not kept_payloads(tmp_path / "backups").path(digest).exists()
    restored = await restore(other, FolderStore(tmp_path / "new"), made.folder, tell=Told())
    assert restored.manifest.lacking == (digest,)
    assert await digests(other) == await digests(database)


async def test_an_earlier_backup_makes_up_for_a_damaged_payload(
    database: str, store: FolderStore, tmp_path: Path
) -> None:
    """What was copied while it was good stays good, whatever happens to the original."""
    digest = sha256(PAYLOAD).hexdigest()
    await back_up(database, store, tmp_path / "backups", tell=Told())
    with store.path(digest).open("r+b") as file:
        file.write(b"?")
    made = await back_up(database, store, tmp_path / "backups", tell=Told())
    assert made.manifest.lacking == ()
    assert await kept_payloads(tmp_path / "backups").get(digest) == PAYLOAD


async def test_nothing_is_restored_over_something(database: str, store: FolderStore, tmp_path: Path) -> None:
    """A ledger that holds a row, or a payload store that holds something else, is left as it is."""
    await back_up(database, store, tmp_path / "backups", tell=Told())
    before = await digests(database)
    with pytest.raises(MisconfiguredError, match="document"):
        await restore(database, FolderStore(tmp_path / "new"), tmp_path / "backups", tell=Told())
    assert await digests(database) == before
    assert not (tmp_path / "new").exists()
    used = FolderStore(tmp_path / "used")
    await used.put(b"of another exchange")
    with pytest.raises(MisconfiguredError, match="1 payloads of something else"):
        await restore(database, used, tmp_path / "backups", tell=Told())


async def test_a_half_done_backup_is_none(database: str, other: str, store: FolderStore, tmp_path: Path) -> None:
    """Without its last step a backup has no name that anybody takes for one, and the next one clears it away."""
    folder = tmp_path / "backups"
    made = await back_up(database, store, folder, tell=Told())
    made.folder.rename(folder / f".partial-{made.folder.name}")
    assert backups(folder) == []
    with pytest.raises(MisconfiguredError, match="no backup"):
        await restore(other, FolderStore(tmp_path / "new"), folder, tell=Told())
    again = await back_up(database, store, folder, tell=Told())
    assert [path.name for path in sorted(folder.iterdir())] == [".lock", again.folder.name, "payload"]


async def test_one_backup_at_a_time(database: str, store: FolderStore, tmp_path: Path) -> None:
    """Two backups into one folder do not clear away each other's work: the second is told to wait."""
    folder = tmp_path / "backups"

    def meanwhile(what: str, done: int, total: int) -> None:
        with pytest.raises(MisconfiguredError, match="another backup"), alone(folder):
            pytest.fail(f"{what} {done}/{total}: nobody else may write here")

    await back_up(database, store, folder, tell=meanwhile)
    with alone(folder):
        assert len(backups(folder)) == 1


@pytest.mark.parametrize("file", ["document.copy", "entry.copy", MANIFEST, PAYLOADS])
async def test_a_changed_backup_is_not_restored(
    database: str, other: str, store: FolderStore, tmp_path: Path, file: str
) -> None:
    """One byte changed in any file of a backup stops the restore before anything is written."""
    made = await back_up(database, store, tmp_path / "backups", tell=Told())
    data = bytearray((made.folder / file).read_bytes())
    position = data.index(b'"rows": 1') + 8 if file == MANIFEST else len(data) // 2
    data[position] ^= 1
    (made.folder / file).write_bytes(data)
    with pytest.raises(MisconfiguredError, match=file):
        await restore(other, FolderStore(tmp_path / "new"), tmp_path / "backups", tell=Told())
    async with snapshot(other) as ledger:
        assert await ledger.migrations() == {}


async def test_a_lost_payload_stops_the_restore_before_the_ledger(
    database: str, other: str, store: FolderStore, tmp_path: Path
) -> None:
    """The ledger stays empty until every payload of the backup is there, and restoring again then goes on."""
    made = await back_up(database, store, tmp_path / "backups", tell=Told())
    kept = kept_payloads(tmp_path / "backups").path(sha256(PAYLOAD).hexdigest())
    kept.write_bytes(b"?")
    new_store = FolderStore(tmp_path / "new")
    with pytest.raises(LienThongError, match="1 payloads of the backup"):
        await restore(other, new_store, made.folder, tell=Told())
    async with snapshot(other) as ledger:
        assert await ledger.filled() == []
    kept.write_bytes(PAYLOAD)
    await restore(other, new_store, made.folder, tell=Told())
    assert await digests(other) == await digests(database)


async def test_rows_that_differ_are_not_restored(database: str, other: str, store: FolderStore, tmp_path: Path) -> None:
    """When the loaded rows are not the ones of the manifest the whole restore is undone."""
    made = await back_up(database, store, tmp_path / "backups", tell=Told())
    rows = made.folder / "agency.copy"
    rows.write_bytes(rows.read_bytes().replace(b"+00", b"+01"))
    tables = tuple(
        table.model_copy(update={"sha256": sha256(rows.read_bytes()).hexdigest()}) if table.name == "agency" else table
        for table in made.manifest.tables
    )
    forged = made.manifest.model_copy(update={"tables": tables}).sealed()
    (made.folder / MANIFEST).write_bytes(forged.encode())
    with pytest.raises(LienThongError, match="agency"):
        await restore(other, FolderStore(tmp_path / "new"), made.folder, tell=Told())
    async with snapshot(other) as ledger:
        assert await ledger.filled() == []


async def test_an_older_backup_finds_its_own_schema(servers: Servers, other: str, tmp_path: Path) -> None:
    """A backup of an older program is loaded into the schema it had, which is then brought up to date."""
    name = f"test_{uuid.uuid4().hex}"
    old = await create_database(servers.ledger_url, name)
    try:
        last = migrations()[-1].name
        await migrate(old, only={migration.name for migration in migrations()[:-1]})
        made = await back_up(old, FolderStore(tmp_path / "payload"), tmp_path / "backups", tell=Told())
        assert last not in {one.name for one in made.manifest.migrations}
        restored = await restore(other, FolderStore(tmp_path / "new"), made.folder, tell=Told())
        assert restored.migrated == (last,)
    finally:
        await drop_database(servers.ledger_url, name)


async def test_a_newer_backup_is_refused(database: str, other: str, store: FolderStore, tmp_path: Path) -> None:
    """A backup with a migration that this program does not know is not restored by it."""
    made = await back_up(database, store, tmp_path / "backups", tell=Told())
    one = made.manifest.migrations[-1]
    newer = made.manifest.model_copy(
        update={"migrations": (*made.manifest.migrations, one.model_copy(update={"name": "9999_pre_later.sql"}))}
    ).sealed()
    (made.folder / MANIFEST).write_bytes(newer.encode())
    assert Manifest.read(made.folder) == newer
    with pytest.raises(MisconfiguredError, match=r"9999_pre_later\.sql"):
        await restore(other, FolderStore(tmp_path / "new"), made.folder, tell=Told())
