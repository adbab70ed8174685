"""The ledger's schema, made by numbered files that are applied once, in order, and never changed afterwards.

``NNNN_pre_what.sql`` runs before the new workers start and must suit the old ones as well; ``NNNN_post_what.sql`` runs
when no old worker is left.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib import resources
from typing import TYPE_CHECKING, Literal

from lienthong.errors import MisconfiguredError
from lienthong.ledger.addresses import Addresses
from lienthong.ledger.ledger import translated
from lienthong.ledger.logins import ROLES
from lienthong.ledger.statements import statement

if TYPE_CHECKING:
    from collections.abc import Collection

    import asyncpg

__all__ = ["Migration", "lacking", "migrate", "migrations"]

_NAME = re.compile(r"(\d{4})_(pre|post)_\w+\.sql")
_LOCK = 28_2018
MONTHS_AHEAD = 12


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of the schema."""

    name: str
    sql: str

    @property
    def digest(self) -> str:
        """SHA-256 of its text: an applied file that was changed later is found out."""
        return sha256(self.sql.encode()).hexdigest()


def migrations() -> list[Migration]:
    """Return every migration in order.

    Raises:
        ValueError: a file's name does not follow the rule.
    """
    found = []
    for file in resources.files(__package__).joinpath("schema").iterdir():
        if not _NAME.fullmatch(file.name):
            raise ValueError(f"{file.name} is no name for a migration")
        found.append(Migration(file.name, file.read_text(encoding="utf-8")))
    return sorted(found, key=lambda migration: migration.name)


def lacking(applied: Collection[str], *, kind: Literal["pre", "post"] = "pre") -> list[str]:
    """Return the migrations of a kind that a ledger does not have.

    Without one that runs before the new workers start (``pre``) this program cannot work on it. That it has others, of
    a newer program, does no harm.

    Args:
        applied: the names of those it has.
        kind: of which kind.
    """
    return [name for name in _names() if f"_{kind}_" in name and name not in applied]


@cache
def _names() -> tuple[str, ...]:
    return tuple(migration.name for migration in migrations())


async def migrate(url: str, *, only: Collection[str] | None = None) -> list[str]:
    """Apply what has not been applied yet, each file in a transaction of its own, and make the next months' partitions.

    Args:
        url: address of the database; its user must be allowed to create tables and roles.
        only: the names of the files to apply, so that an older backup finds its own schema; None applies all.

    Returns:
        The names of the files applied now; empty when the schema was up to date.

    Raises:
        MisconfiguredError: an applied file has been changed since, or the database is newer than this program.
        Unavailable: the database does not answer.
    """
    with translated():
        connection = await Addresses(url).connect()
        try:
            await connection.execute("select pg_advisory_lock($1)", _LOCK)
            return await _apply(connection, only)
        finally:
            await connection.close()


async def _apply(connection: asyncpg.Connection[asyncpg.Record], only: Collection[str] | None) -> list[str]:
    await connection.execute(
        "create table if not exists schema_migration ("
        "name text primary key, digest text not null, applied_at timestamptz not null default now())"
    )
    applied = {
        row["name"]: row["digest"] for row in await connection.fetch("select name, digest from schema_migration")
    }
    known = {migration.name: migration.digest for migration in migrations()}
    for name, digest in applied.items():
        if name not in known:
            raise MisconfiguredError(f"the ledger has migration {name}, which this program does not know: it is newer")
        if known[name] != digest:
            raise MisconfiguredError(f"migration {name} was changed after it had been applied")
    fresh = [
        migration
        for migration in migrations()
        if migration.name not in applied and (only is None or migration.name in only)
    ]
    for migration in fresh:
        async with connection.transaction():
            await connection.execute(migration.sql)
            await connection.execute(
                "insert into schema_migration (name, digest) values ($1, $2)", migration.name, migration.digest
            )
    # Not by a file: the table is made above. By it a worker finds out whether the schema is too old for it.
    for row in await connection.fetch(statement("roles_there_are"), list(ROLES)):
        await connection.execute(f"grant select on schema_migration to {row['rolname']}")
    # Every time, not by a file: the months go on when the schema does not.
    await connection.execute("select make_entry_partitions($1)", MONTHS_AHEAD)
    return [migration.name for migration in fresh]
