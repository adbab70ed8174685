"""The fixtures of conftest, by which all other tests reach their servers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from lienthong.ledger.migrations import migrations

if TYPE_CHECKING:
    from lienthong.bus.admin import BrokerAdmin


@pytest.mark.parametrize("_", [1, 2])
async def test_database_is_fresh_and_migrated(database: str, _: int) -> None:
    """Every test gets a ledger of its own that has the whole schema and nothing of another test's."""
    connection = await asyncpg.connect(database)
    try:
        applied = await connection.fetch("select name from schema_migration order by name")
        assert [row["name"] for row in applied] == [migration.name for migration in migrations()]
        await connection.execute("create table left_behind ()")
    finally:
        await connection.close()


async def test_virtual_host_is_fresh(vhost: str, broker_admin: BrokerAdmin) -> None:
    """Every test gets an empty virtual host of its own."""
    assert await broker_admin.queue_depths(vhost.rsplit("/", 1)[1]) == {}


@pytest.mark.parametrize(("ci", "status", "outcome"), [("true", 1, "1 error"), ("", 0, "1 skipped")])
def test_missing_server_fails_in_ci_and_skips_elsewhere(ci: str, status: int, outcome: str) -> None:
    """A missing server can never pass as a skip in CI; both ways the reason is told."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LIENTHONG_", "COV_"))}
    ended = subprocess.run(  # noqa: S603 - ourselves
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            f"{Path(__file__).name}::{test_virtual_host_is_fresh.__name__}",
        ],
        cwd=Path(__file__).parent,
        env=environment | {"CI": ci, "LIENTHONG_TEST_SERVERS": "urls"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == status, ended.stdout
    assert outcome in ended.stdout
    assert "set LIENTHONG_TEST_BROKER_URL" in ended.stdout
