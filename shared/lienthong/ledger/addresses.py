"""Which of several servers the ledger is on: the one that takes writes, tried in turn.

The driver takes an address with several hosts too, but one that hangs (its machine lost power, its process is frozen)
would cost it all the time there is; here each has its share, and the one that answered last is asked first.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import asyncpg

from lienthong.errors import MisconfiguredError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CONNECT_SECONDS", "PASSING", "REFUSED", "Addresses"]

CONNECT_SECONDS = 10
"""How long it may take to find the ledger."""

PASSING = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.PostgresSystemError,
    # "cannot switch to state 15; another operation is in progress": the connection was lost in the middle of one.
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
"""What passes by itself: the server is away, restarting, full or a standby, its disk fails, or two transactions met."""

REFUSED = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError)
"""What a server says that does not let us in."""


class Addresses:
    """The servers the ledger may be on.

    Args:
        url: PostgreSQL address; several hosts, comma-separated: ``postgresql://user:password@h1:5432,h2:5432/ledger``.
        writing: whether the session writes; one that only reads may be on a primary that takes no writes for now.

    Raises:
        MisconfiguredError: it cannot be read as one.
    """

    def __init__(self, url: str, *, writing: bool = True) -> None:
        self._urls = deque(_each(url))
        self._wanted: Literal["read-write", "primary"] = "read-write" if writing else "primary"

    async def connect(self, dsn: str | None = None, **settings: Any) -> asyncpg.Connection[asyncpg.Record]:
        """Connect to the first server that is no standby.

        Args:
            dsn: not used; a pool, which calls this in the place of `asyncpg.connect`, has no address of its own.
            settings: what that one takes.

        Raises:
            Unavailable: there is none; the text says what each answered.
            asyncpg.PostgresError: one of them refuses us, and no other lets us in.
        """
        del dsn
        found: list[str] = []
        refusal: asyncpg.PostgresError | None = None
        share = CONNECT_SECONDS / len(self._urls)
        for _ in range(len(self._urls)):
            connect: Callable[..., Any] = asyncpg.connect
            try:
                connection: asyncpg.Connection[asyncpg.Record] = await connect(
                    self._urls[0], timeout=share, target_session_attrs=self._wanted, **settings
                )
            except (*PASSING, *REFUSED) as error:
                if isinstance(error, REFUSED):
                    refusal = error
                place = urlsplit(self._urls[0]).netloc.rpartition("@")[2]
                found.append(" ".join(f"{place}: {type(error).__name__}: {error}".split()).rstrip(": "))
                self._urls.rotate(-1)
            else:
                return connection
        if refusal is not None:
            raise refusal
        raise Unavailable(f"không kết nối được sổ cái / the ledger cannot be reached ({'; '.join(found)})")


def _each(url: str) -> list[str]:
    # Found here, not by the driver: its errors quote what it could not read, which may be a part of the password.
    try:
        place = urlsplit(url)
        login, at, hosts = place.netloc.rpartition("@")
        urls = [urlunsplit(place._replace(netloc=f"{login}{at}{host}")) for host in hosts.split(",")]
        parse_qsl(place.query, strict_parsing=bool(place.query))
        readable = place.scheme in {"postgresql", "postgres"} and all(urlsplit(one).port or True for one in urls)
    except ValueError:
        readable = False
    if not readable:
        raise MisconfiguredError(
            "địa chỉ sổ cái phải có dạng / the ledger's address must look like "
            "postgresql://user:password@host:5432/database, special characters as %XX"
        )
    return urls
