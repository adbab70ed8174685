"""`lienthong ledger` against a real database, and without one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING

import pytest

from lienthong.testing.databases import create_database, drop_database

if TYPE_CHECKING:
    from lienthong.testing.servers import Servers


def lienthong(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    return subprocess.run(  # noqa: S603 - ourselves
        [sys.executable, "-m", "lienthong_cli", *arguments],
        env=os.environ | {"COLUMNS": "200"},
        check=False,
        capture_output=True,
        text=True,
    )


async def test_migrate_makes_the_schema_once(servers: Servers) -> None:
    """The first migration says what it applied, the second that nothing is left; the ledger then counts from 0."""
    name = f"test_{uuid.uuid4().hex}"
    url = await create_database(servers.ledger_url, name)
    try:
        assert "applied 0001" in lienthong("ledger", "migrate", "--ledger", url).stdout
        assert "up to date" in lienthong("ledger", "migrate", "--ledger", url).stdout
        counted = lienthong("ledger", "totals", "--ledger", url)
        assert counted.returncode == 0, counted.stderr
        assert re.search(r"│ documents +│ 0 ", counted.stdout)
    finally:
        await drop_database(servers.ledger_url, name)


@pytest.mark.parametrize("command", ["migrate", "totals"])
@pytest.mark.parametrize("url", ["postgresql://nobody@127.0.0.1:1/ledger", "nonsense"])
def test_a_ledger_that_is_not_there_is_one_line(command: str, url: str) -> None:
    """An address where no database answers, or that is none, gives one line and status 3, not a traceback."""
    ended = lienthong("ledger", command, "--ledger", url)
    assert ended.returncode == 3
    assert ended.stderr.startswith("lỗi / error: ")
    assert len(ended.stderr.splitlines()) == 1
