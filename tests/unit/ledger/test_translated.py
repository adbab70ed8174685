"""What the driver's errors mean."""

from __future__ import annotations

import asyncpg
import pytest

from lienthong.errors import Unavailable
from lienthong.ledger.ledger import translated


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.InternalClientError("cannot switch to state 15; another operation (2) is in progress"),
        asyncpg.CannotConnectNowError("the database system is starting up"),
        asyncpg.InterfaceError("the underlying connection is closed"),
        ConnectionResetError(),
    ],
)
def test_a_lost_connection_is_no_bug(error: Exception) -> None:
    """However the driver puts it that its connection was lost, the batch waits and no message is blamed."""
    with pytest.raises(Unavailable), translated():
        raise error


def test_a_bug_stays_one() -> None:
    """What the ledger says about a row's content is not passed off as an outage."""
    with pytest.raises(asyncpg.UniqueViolationError), translated():
        raise asyncpg.UniqueViolationError("duplicate key")
