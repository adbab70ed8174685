"""The whole ledger as files, as it stood at one moment, and back into an empty one.

COPY through the driver we have, not pg_dump: it needs no program of the server's version on the machine, the list of
payloads comes out of the same snapshot, and the rows' digest is taken as they pass. Tables, roles and rights are not in
it: the migrations make them.
"""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO

from lienthong.errors import LienThongError, MisconfiguredError
from lienthong.ledger.addresses import Addresses
from lienthong.ledger.ledger import translated
from lienthong.ledger.statements import statement

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    import asyncpg

__all__ = ["Named", "Snapshot", "Table", "TableCopy", "load", "not_empty", "snapshot"]

FILLED_BY_MIGRATIONS = frozenset({"status_code", "directory_version"})
"""Tables that are not empty in an empty ledger."""
MAYBE_KEPT = frozenset({"submission", "refusal"})
"""Tables that name the digest of what was submitted, whether its payload was worth keeping or not."""
NOT_KEPT = frozenset({"attachment"})
"""Tables whose digests are of parts of payloads."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
# The text of a row must be the same wherever it is written.
_SETTINGS = {
    "application_name": "lienthong backup",
    "timezone": "UTC",
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
}


@dataclass(frozen=True, slots=True)
class Table:
    """A table, and how to read it in an order that does not depend on the server."""

    name: str
    columns: tuple[str, ...]
    order: tuple[str, ...]
    needs: frozenset[str]


@dataclass(frozen=True, slots=True)
class TableCopy:
    """The rows of a table: which columns, how many, and the SHA-256 of PostgreSQL's text format of them."""

    name: str
    columns: tuple[str, ...]
    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Named:
    """Payloads that the ledger names: those it cannot do without, and those that may never have been kept."""

    needed: frozenset[str] = field(default_factory=frozenset)
    maybe: frozenset[str] = field(default_factory=frozenset)


class _Sink:
    """Counts and digests what is written, and passes it on."""

    def __init__(self, file: BinaryIO | None) -> None:
        self._file = file
        self._digest = sha256()
        self.rows = 0

    async def write(self, data: bytes) -> None:
        """Take the next piece of the copy."""
        # In the text format a newline inside a value is written as two other characters.
        self.rows += data.count(b"\n")
        self._digest.update(data)
        if self._file is not None:
            self._file.write(data)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


class Snapshot:
    """The ledger as it stands at one moment, whatever is recorded meanwhile."""

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        self._connection = connection

    async def migrations(self) -> dict[str, str]:
        """Return the digests of the applied migrations by name; none when the database has no schema."""
        if await self._connection.fetchval("select to_regclass('schema_migration') is null"):
            return {}
        return {row["name"]: row["digest"] for row in await self._connection.fetch(statement("applied_migrations"))}

    async def tables(self) -> list[Table]:
        """Return every table but that of the migrations, each after those it refers to."""
        found = [
            Table(row["name"], tuple(row["columns"]), tuple(row["order"]), frozenset(row["needs"]))
            for row in await self._connection.fetch(statement("tables_to_copy"))
        ]
        ordered: list[Table] = []
        while found:
            waiting = {table.name for table in found}
            free = [table for table in found if not table.needs & waiting - {table.name}]
            if not free:
                raise ValueError(f"tables refer to each other in a circle: {sorted(waiting)}")
            ordered += free
            found = [table for table in found if table not in free]
        return ordered

    async def filled(self) -> list[str]:
        """Return the names of the tables in which somebody has recorded something."""
        return [
            table.name
            for table in await self.tables()
            if table.name not in FILLED_BY_MIGRATIONS
            and await self._connection.fetchval(f"select exists (select from {table.name})")  # noqa: S608 - likewise
        ]

    async def copy(self, table: Table, file: BinaryIO | None = None) -> TableCopy:
        """Write the rows of a table in key order, or only digest them."""
        sink = _Sink(file)
        columns, order = ", ".join(table.columns), ", ".join(table.order) or "1"
        query = f"select {columns} from {table.name} order by {order}"  # noqa: S608 - the catalogue's own names, quoted
        with translated():
            await self._connection.copy_from_query(query, output=sink.write)
        return TableCopy(table.name, table.columns, sink.rows, sink.sha256)

    async def payloads(self) -> Named:
        """Return the digests of the payloads that the ledger names.

        Every table with a column `sha256` names payloads, so that a new table is not forgotten.
        """
        needed: set[str] = set()
        maybe: set[str] = set()
        for table in await self.tables():
            if "sha256" in table.columns and table.name not in NOT_KEPT:
                query = f"select distinct sha256 from {table.name}"  # noqa: S608 - likewise
                found = {row["sha256"] for row in await self._connection.fetch(query)}
                (maybe if table.name in MAYBE_KEPT else needed).update(filter(_DIGEST.fullmatch, found))
        return Named(frozenset(needed), frozenset(maybe - needed))


def not_empty(tables: Sequence[str]) -> MisconfiguredError:
    """Return the error of restoring over something."""
    return MisconfiguredError(
        f"sổ cái đã có dữ liệu (bảng {', '.join(tables)}); chỉ phục hồi vào sổ cái trống / "
        "the ledger holds something already; restore into an empty one only"
    )


@asynccontextmanager
async def snapshot(url: str) -> AsyncIterator[Snapshot]:
    """Open the ledger for reading at one moment.

    Args:
        url: address of the database; its user must be allowed to read every table.

    Raises:
        Unavailable: the server does not answer.
        MisconfiguredError: it refuses us.
    """
    async with (
        _connected(url) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        yield Snapshot(connection)


async def load(url: str, copies: Sequence[TableCopy], read: Callable[[str], BinaryIO]) -> None:
    """Fill an empty ledger in one transaction, and compare what it then holds with what was copied.

    Args:
        url: address of the database, its schema made; its user must own the tables.
        copies: the tables, each after those it refers to.
        read: opens a table's rows, by its name.

    Raises:
        MisconfiguredError: the ledger is not empty, or has other tables; nothing was changed.
        LienThongError: the digests differ; nothing was changed.
        Unavailable: the server went away; nothing was changed.
    """
    async with _connected(url) as connection, connection.transaction():
        target = Snapshot(connection)
        tables = {table.name: table for table in await target.tables()}
        if {name: table.columns for name, table in tables.items()} != {one.name: one.columns for one in copies}:
            raise MisconfiguredError("sổ cái có bảng khác bản sao lưu / the ledger's tables are not the backup's")
        await connection.execute(f"lock table {', '.join(tables)} in access exclusive mode")
        if filled := await target.filled():
            raise not_empty(filled)
        triggered = [row["name"] for row in await connection.fetch(statement("tables_with_triggers"))]
        # What triggers would do on the way in was done when the rows were first written, and is in the copy.
        for name in triggered:
            await connection.execute(f"alter table {name} disable trigger user")
        for name in FILLED_BY_MIGRATIONS & tables.keys():
            await connection.execute(f"delete from {name}")  # noqa: S608 - likewise
        for one in copies:
            with read(one.name) as source:
                await connection.copy_to_table(_unquoted(one.name), source=source, columns=_unquoted_all(one.columns))
        for name in triggered:
            await connection.execute(f"alter table {name} enable trigger user")
        for row in await connection.fetch(statement("identity_columns")):
            await connection.execute(row["go_on"])
        for one in copies:
            if (loaded := await target.copy(tables[one.name])) != one:
                raise LienThongError(
                    f"bảng {one.name} không giống bản sao lưu, không phục hồi gì / "
                    f"table {one.name} is not what the backup holds, nothing was restored: "
                    f"{loaded.rows} rows {loaded.sha256}, not {one.rows} rows {one.sha256}"
                )


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    with translated():
        connection = await Addresses(url).connect(server_settings=_SETTINGS)
        try:
            yield connection
        finally:
            await connection.close()


def _unquoted(name: str) -> str:
    # The driver quotes by itself.
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def _unquoted_all(names: Sequence[str]) -> list[str]:
    return [_unquoted(name) for name in names]
