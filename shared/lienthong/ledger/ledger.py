"""The door to PostgreSQL: a pool, and one transaction at a time for a batch."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import asyncpg

from lienthong.errors import MisconfiguredError, Unavailable
from lienthong.ledger.access import ACCESS_LOCK
from lienthong.ledger.addresses import CONNECT_SECONDS, PASSING, REFUSED, Addresses
from lienthong.ledger.directory import Directory, read_directory, register
from lienthong.ledger.registry import RegistryUnit
from lienthong.ledger.statements import statement
from lienthong.ledger.unit import Unit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from lienthong.ledger.access import AccessUnit
    from lienthong.ledger.rows import AgencyRow

__all__ = ["Ledger", "translated"]

STATEMENT_SECONDS = 60

# What only an operator can mend: no message is to blame when a table, a column or a right is missing.
_LASTING = (asyncpg.SyntaxOrAccessError,)


@contextmanager
def translated(*, let_in: bool = False) -> Iterator[None]:
    """Turn the driver's errors into `Unavailable` or `MisconfiguredError`; others are bugs and pass unchanged.

    Args:
        let_in: whether the server has let this user in before: that it refuses the login now will pass.
    """
    try:
        yield
    except asyncpg.ClientConfigurationError as error:
        raise MisconfiguredError(f"địa chỉ sổ cái sai / the ledger's address is wrong: {error}") from error
    except (*_LASTING, *REFUSED, *PASSING) as error:
        # Of a refused login, until it was let in once: then the server is half up, or an operator is at work on it.
        if isinstance(error, _LASTING) or (isinstance(error, REFUSED) and not let_in):
            raise MisconfiguredError(
                f"sổ cái từ chối / the ledger refuses: {error}. Was `lienthong ledger migrate` run?"
            ) from error
        raise Unavailable(
            f"không kết nối được sổ cái / the ledger cannot be reached: {type(error).__name__}: {error}"
        ) from error


class Ledger:
    """A pool of connections in one role."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool
        self._directory = Directory.empty()

    @classmethod
    async def connect(cls, url: str, *, role: str | None = None, connections: int = 2) -> Ledger:
        """Open a pool.

        Args:
            url: address of the database; with several hosts the one that takes writes is found, also later.
            role: the PostgreSQL role to take, with the least rights a step needs; None stays the user of the address.
            connections: most connections at once.

        Raises:
            Unavailable: the server does not answer.
            MisconfiguredError: it refuses us.
        """
        settings = {"application_name": role or "lienthong"} | ({"role": role} if role else {})
        with translated():
            pool = await asyncpg.create_pool(
                min_size=1,
                max_size=connections,
                connect=Addresses(url).connect,
                command_timeout=STATEMENT_SECONDS,
                server_settings=settings,
            )
        return cls(pool)

    async def close(self) -> None:
        """Close every connection; those in use are waited for a moment, then cut."""
        try:
            await asyncio.wait_for(self._pool.close(), CONNECT_SECONDS)
        except TimeoutError:
            self._pool.terminate()

    async def applied(self) -> frozenset[str]:
        """Return the migrations that the schema has.

        Raises:
            Unavailable: the server does not answer, or takes no writes.
        """
        async with self._connection() as connection:
            (row,) = await connection.fetch(statement("schema_and_standing"))
        if row["read_only"]:
            raise Unavailable("sổ cái chỉ cho đọc / the ledger takes no writes")
        return frozenset(row["migrations"])

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Unit]:
        """Open one transaction (READ COMMITTED) with the directory as it is now; it commits when the block ends well.

        Raises:
            Unavailable: the ledger could not be reached, now or at the commit; whether it committed is then unknown,
                and recording the same batch again is the right thing to do.
        """
        async with self._connection() as connection, connection.transaction():
            self._directory = await read_directory(connection, self._directory)
            yield Unit(connection, self._directory)
            await connection.execute(statement("stand_by_recalled"))

    @asynccontextmanager
    async def access(self) -> AsyncIterator[AccessUnit]:
        """Open a transaction for an operator's decision; it needs the rights of the ledger's owner.

        Raises:
            Unavailable: the ledger could not be reached, now or at the commit.
        """
        async with self.registry() as unit:
            yield unit

    @asynccontextmanager
    async def registry(self) -> AsyncIterator[RegistryUnit]:
        """Open a transaction for what an operator writes into the directory; see `access`."""
        async with self._connection() as connection, connection.transaction():
            # First: what is decided rests on what the operator before has decided.
            await connection.execute("select pg_advisory_xact_lock($1)", ACCESS_LOCK)
            self._directory = await read_directory(connection, self._directory)
            yield RegistryUnit(connection, self._directory)

    async def register(self, agencies: Sequence[AgencyRow]) -> None:
        """Add agencies to the directory or change them, parents before their children."""
        async with self._connection() as connection, connection.transaction():
            await register(connection, agencies)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy[asyncpg.Record]]:
        with translated(let_in=True):
            try:
                async with self._pool.acquire(timeout=2 * CONNECT_SECONDS) as connection:
                    yield connection
            except asyncpg.ReadOnlySQLTransactionError:
                # It was demoted under our feet: look anew for the one that takes writes.
                await self._pool.expire_connections()
                raise
