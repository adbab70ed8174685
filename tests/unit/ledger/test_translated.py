"""What the driver's errors mean."""

from __future__ import annotations

import asyncpg
import pytest

from lienthong.errors import MisconfiguredError, Unavailable
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


@pytest.mark.parametrize(
    "error",
    [asyncpg.InvalidPasswordError("wrong"), asyncpg.InvalidCatalogNameError("no such database")],
)
def test_a_refused_login_is_for_an_operator_only_at_first(error: Exception) -> None:
    """A server that let us in before and refuses us now is half up: that passes."""
    with pytest.raises(MisconfiguredError), translated():
        raise error
    with pytest.raises(Unavailable), translated(let_in=True):
        raise error


def test_a_missing_right_is_for_an_operator_always() -> None:
    """What a server that is up says about tables and rights does not pass by itself."""
    with pytest.raises(MisconfiguredError), translated(let_in=True):
        raise asyncpg.InsufficientPrivilegeError("permission denied")


def test_a_bug_stays_one() -> None:
    """What the ledger says about a row's content is not passed off as an outage."""
    with pytest.raises(asyncpg.UniqueViolationError), translated():
        raise asyncpg.UniqueViolationError("duplicate key")
