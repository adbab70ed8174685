"""What each role of the ledger must not do: every attempt, logged in as itself, is refused by PostgreSQL.

`lienthong.ledger.rights` says again, by a second hand, what the migrations grant: what is not there must be refused.
That what is there suffices the tests of the workers show, each of which works in its role.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest
from rich.console import Console
from rich.table import Table
from yarl import URL

from lienthong.errors import MisconfiguredError
from lienthong.ledger.ledger import Ledger
from lienthong.ledger.logins import ROLES, end_logins, let_log_in, others_logged_in
from lienthong.ledger.reports import Reports
from lienthong.ledger.rights import DELETES, INSERTS, READS, UPDATES

if TYPE_CHECKING:
    from collections.abc import Collection

FOR_THE_OWNER = (
    "create table mine (x int)",
    "drop table entry",
    "alter table entry disable trigger all",
    "create function mine() returns int language sql as 'select 1'",
    "create role mine",
    "alter role {role} superuser",
    "set role {owner}",
    "set session_replication_role = replica",
    "select make_entry_partitions(1)",
    "select pg_read_file('/etc/passwd')",
    "copy agency to program 'id'",
    "select rolpassword from pg_authid",
)


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_may_do_what_its_step_needs_and_no_more(
    database: str, role: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tables are closed to a role in each way it does not need, and so is all that is the owner's."""
    await let_log_in(database, {role: "secret of this role"})
    owner = await asyncpg.connect(database)
    rows = await owner.fetch(
        "select table_name, array_agg(column_name::text) as columns from information_schema.columns "
        "where table_schema = 'public' group by table_name order by table_name"
    )
    columns: dict[str, list[str]] = {row["table_name"]: row["columns"] for row in rows}
    reads = READS.get(role, columns)
    known = {"role": role, "owner": await owner.fetchval("select current_user")}
    others = [other for other in ROLES if (role, other) != ("lienthong_operator", "lienthong_reader") and role != other]
    connection = await asyncpg.connect(str(URL(database).with_user(role).with_password("secret of this role")))
    assert await connection.fetchval("select session_user") == role
    attempts = {
        "read": [f"select * from {table}" for table in columns if table not in reads],
        "insert": [f"insert into {table} default values" for table in columns if table not in INSERTS[role]],
        "update": [
            f"update {table} set {column} = default"
            for table in columns
            for column in columns[table]
            if column not in UPDATES[role].get(table, ())
        ],
        "delete, truncate": [
            f"{verb} {table}"
            for table in columns
            for verb in ("delete from", "truncate")
            if (verb, table) not in DELETES.get(role, ())
        ],
        "be another": [f"set role {other}" for other in others],
        "what is the owner's": [statement.format(**known) for statement in FOR_THE_OWNER],
    }
    table = Table(*attempts, title=f"Refused to {role}")
    table.add_row(*[str(await all_refused(connection, statements)) for statements in attempts.values()])
    await connection.close()
    assert await owner.fetchval("select count(*) from pg_class where relname = 'mine'") == 0
    await owner.close()
    with capsys.disabled():
        Console().print(table)


async def all_refused(connection: asyncpg.Connection[asyncpg.Record], statements: Collection[str]) -> int:
    """See each of these statements refused for want of a right; return how many there were."""
    allowed = []
    for statement in statements:
        try:
            await connection.execute(statement)
        except (
            asyncpg.InsufficientPrivilegeError,
            asyncpg.ObjectNotInPrerequisiteStateError,
            asyncpg.WrongObjectTypeError,
        ):
            # Of the other kinds is a view: nobody can write it.
            continue
        except asyncpg.PostgresError as error:
            allowed.append(f"{statement}: {error!r}")
        else:
            allowed.append(statement)
    assert allowed == []
    return len(statements)


async def test_passwords_are_set_and_ended(database: str) -> None:
    """A role logs in with the password it was given and no other, which nobody can read; ended, it logs in no more."""
    await let_log_in(database, {"lienthong_operator": "first"})
    await let_log_in(database, {"lienthong_operator": "sécond".encode().hex()})
    url = URL(database).with_user("lienthong_operator")
    good = str(url.with_password("sécond".encode().hex()))
    for wrong in ("first", "x"):
        with pytest.raises(MisconfiguredError, match="lienthong_operator"):
            await Ledger.connect(str(url.with_password(wrong)))
    ledger, reports = await Ledger.connect(good, role="lienthong_operator"), await Reports.connect(good)
    assert (await reports.totals())["documents"] == 0
    assert await others_logged_in(database, "another") == [URL(database).name]
    assert await others_logged_in(database, URL(database).name) == []
    await reports.close()
    await ledger.close()
    connection = await asyncpg.connect(database)
    kept = await connection.fetchval("select rolpassword from pg_authid where rolname = 'lienthong_operator'")
    await connection.close()
    assert kept.startswith("SCRAM-SHA-256$4096:")
    await end_logins(database)
    with pytest.raises(MisconfiguredError):
        await Ledger.connect(good)
    with pytest.raises(MisconfiguredError, match="ASCII"):
        await let_log_in(database, {"lienthong_operator": "mật khẩu"})
