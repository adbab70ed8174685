"""The schema of the ledger and the statements on it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg
import pytest
from tests.integration.ledger.conftest import document_row, verification_row

from lienthong.document.life_cycle import (
    RECORDED_STATES,
    STATUS_CODES,
    TABLE,
    Pending,
    Role,
    State,
    states_of,
)
from lienthong.errors import MisconfiguredError
from lienthong.ledger.migrations import migrate, migrations
from lienthong.ledger.statements import statements

if TYPE_CHECKING:
    from lienthong.ledger.ledger import Ledger

WORKER_ROLES = ("ingest", "signature_verify", "router", "status_tracker", "notifier", "operator")


async def test_every_statement_is_prepared(database: str) -> None:
    """Every SQL statement of the product fits the migrated schema."""
    connection = await asyncpg.connect(database)
    for name, sql in statements().items():
        prepared = await connection.prepare(sql)
        assert prepared.get_query() == sql, name
    await connection.close()


async def test_migrating_twice_changes_nothing(database: str) -> None:
    """An applied migration is not applied again."""
    assert await migrate(database) == []


async def test_migrating_again_makes_the_partitions_of_the_coming_months(database: str) -> None:
    """The ledger of an exchange that is never upgraded does not run out of months either."""
    connection = await asyncpg.connect(database)
    last = "select max(relid::regclass::text) from pg_partition_tree('entry') where relid::regclass::text ~ '[0-9]'"
    before = await connection.fetchval(last)
    await connection.execute(f"drop table {before}")
    await migrate(database)
    assert await connection.fetchval(last) == before
    await connection.close()


async def test_a_migration_changed_afterwards_is_found_out(database: str) -> None:
    """A file that was changed after it had been applied stops the migration with its name."""
    connection = await asyncpg.connect(database)
    await connection.execute("update schema_migration set digest = 'other'")
    await connection.close()
    with pytest.raises(MisconfiguredError, match=migrations()[0].name):
        await migrate(database)


async def test_an_older_program_refuses_a_newer_ledger(database: str) -> None:
    """A migration this program does not know means that the ledger is newer than it."""
    connection = await asyncpg.connect(database)
    await connection.execute("insert into schema_migration (name, digest) values ('9999_pre_later.sql', '')")
    await connection.close()
    with pytest.raises(MisconfiguredError, match="newer"):
        await migrate(database)


@pytest.mark.parametrize("table", ["entry", "entry_other", "{current}"])
@pytest.mark.parametrize("command", ["update {} set kind = 'x'", "delete from {}", "truncate {}"])
async def test_history_is_append_only(ledger: Ledger, database: str, table: str, command: str) -> None:
    """Not even the owner changes or removes an entry, in the parent or in a partition."""
    async with ledger.transaction() as unit:
        await unit.record_documents([document_row()], [])
    connection = await asyncpg.connect(database)
    current = await connection.fetchval("select tableoid::regclass::text from entry limit 1")
    target = table.format(current=current)
    if target == "entry_other":
        await connection.execute("insert into entry (kind, facts, recorded_at) values ('x', '{}', '2000-01-01')")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
        await connection.execute(command.format(target))
    await connection.close()


async def test_entries_of_this_month_have_a_partition(ledger: Ledger, database: str) -> None:
    """New entries go to the partition of their month, and the following months' are there already."""
    async with ledger.transaction() as unit:
        await unit.record_documents([document_row()], [])
    connection = await asyncpg.connect(database)
    partition = await connection.fetchval("select tableoid::regclass::text from entry limit 1")
    assert re.fullmatch(r"entry_\d{4}_\d{2}", partition)
    assert await connection.fetchval("select make_entry_partitions(12)") == 0
    assert await connection.fetchval("select make_entry_partitions(14)") == 2
    await connection.close()


async def test_months_are_those_of_utc_whoever_makes_the_partitions(database: str) -> None:
    """Partitions made in sessions of different time zones meet at the same moments."""
    connection = await asyncpg.connect(database, server_settings={"timezone": "Asia/Ho_Chi_Minh"})
    assert await connection.fetchval("select make_entry_partitions(14)") == 2
    await connection.execute("set timezone = 'UTC'")
    bounds = await connection.fetch(
        "select pg_get_expr(c.relpartbound, c.oid) as bound from pg_class c join pg_inherits i on i.inhrelid = c.oid "
        "where i.inhparent = 'entry'::regclass and c.relname <> 'entry_other'"
    )
    assert len(bounds) == 15
    assert all(row["bound"].count("-01 00:00:00+00'") == 2 for row in bounds)
    await connection.close()


@pytest.mark.parametrize("role", WORKER_ROLES)
async def test_a_worker_cannot_rewrite_history(database: str, role: str) -> None:
    """No worker's role may change an entry, remove a fact, or change the directory."""
    connection = await asyncpg.connect(database, server_settings={"role": f"lienthong_{role}"})
    for command in (
        "update entry set kind = 'x'",
        "delete from entry",
        "delete from document",
        "update document set sha256 = 'x'",
        "insert into agency (code, name, stage) values ('X', 'X', 'official')",
        "update delivery set carrier = 'X'",
        "update verification set verdict = 'valid'",
        "update verification set held_until = now()",
        "drop table entry",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(command)
    await connection.close()


async def test_workers_of_the_version_before_can_still_write(ledger: Ledger, database: str) -> None:
    """A judgement written without the newer columns is the document's first, for information, and not made again."""
    async with ledger.transaction() as unit:
        await unit.record_documents([document_row()], [])
    connection = await asyncpg.connect(database, server_settings={"role": "lienthong_signature_verify"})
    written = "insert into verification (document, verdict, reason, grounds) values ($1, 'indeterminate', 'X', '{}')"
    await connection.execute(f"{written} on conflict do nothing", document_row().document)
    await connection.execute(f"{written} on conflict do nothing", document_row().document)
    await connection.close()
    async with ledger.transaction() as unit:
        ((row,),) = (await unit.verifications([document_row().document])).values()
    assert (row.judgement, row.value, row.held, row.judge_again_at) == (1, "information", False, None)
    assert row.vi


@pytest.mark.parametrize(
    "change",
    [
        "value = 'paper'",
        "verdict = 'invalid'",
        "verdict = 'unsigned', held_until = now()",
        "value = 'nothing'",
        "judgement = 0",
    ],
)
async def test_the_database_knows_what_goes_together(ledger: Ledger, database: str, change: str) -> None:
    """Only what is valid is worth paper, what is invalid is refused, and only what is not known is held."""
    async with ledger.transaction() as unit:
        await unit.record_documents([document_row()], [])
        await unit.record_verifications([verification_row(document_row().document)])
    connection = await asyncpg.connect(database)
    with pytest.raises(asyncpg.CheckViolationError):
        await connection.execute(f"update verification set {change}")
    await connection.close()


@pytest.mark.parametrize(
    ("verdict", "signer", "reason", "evidence"),
    [
        ("invalid", "X", "", "[]"),
        ("unsigned", "X", "", "[]"),
        ("unsigned", None, "", '[{"kind": "crl"}]'),
        ("valid", "X", None, "[]"),
        (None, None, "", None),
    ],
)
async def test_no_status_stands_with_an_invalid_signature(
    database: str, verdict: str | None, signer: str | None, reason: str | None, evidence: str | None
) -> None:
    """What is invalid is refused and not a status; a judged one has verdict, reason and evidence, else it has none."""
    connection = await asyncpg.connect(database)
    with pytest.raises(asyncpg.CheckViolationError):
        await connection.execute(
            "insert into status values ($1, $1, 'H23', 'H23', 'H23', 'm', '', '01', null, 'applied', '', '', now(), "
            "now(), now(), null, $2, $3, $4, case when $2::text is not null then 'x' end, "
            "case when $2::text is not null then 'x' end, $5)",
            UUID(int=1),
            verdict,
            signer,
            reason,
            evidence,
        )
    await connection.close()


async def test_the_database_knows_the_life_cycle(database: str) -> None:
    """States and status codes of the code are the ones the database checks."""
    connection = await asyncpg.connect(database)
    rows = await connection.fetch("select code, vi, en, office from status_code")
    assert {tuple(row) for row in rows} == {
        (one.code, one.vi, one.en, one.office.value if one.office else None) for one in STATUS_CODES.values()
    }
    checks = {
        row["conname"]: set(re.findall(r"'([\w-]+)'", row["rule"]))
        for row in await connection.fetch(
            "select conname, pg_get_constraintdef(oid) as rule from pg_constraint "
            "where conrelid = 'delivery'::regclass and contype = 'c'"
        )
    }
    stated = await connection.fetchval("select pg_get_viewdef('document_state'::regclass)")
    await connection.close()
    recorded = {state.value for state in RECORDED_STATES}
    requests = {state.value for state in states_of(Role.UPDATE)}
    answered = requests - {state.value for state in states_of(Role.DOCUMENT)}
    asking = {row.state.value for row in TABLE if row.role is Role.DOCUMENT and row.pending is not Pending.NOTHING}
    assert checks == {
        "delivery_state_check": recorded,
        "delivery_role_check": {role.value for role in Role},
        "delivery_request_state_check": requests | {Role.DOCUMENT.value},
        "delivery_document_state_check": answered | {Role.DOCUMENT.value},
        "delivery_request_check": asking | {Role.DOCUMENT.value},
    }
    words = set(re.findall(r"'(\w+)'::text(?= |$|\n)", stated[: stated.index(" AS state")]))
    transport = {state.value for state in State} - recorded | {State.DELIVERED.value}
    assert transport <= words <= transport | {"refused", "document"}
