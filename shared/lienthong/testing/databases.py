"""Databases on a PostgreSQL server that a demo or a test may use as it likes."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

from lienthong.ledger.addresses import Addresses
from lienthong.ledger.ledger import translated

__all__ = ["create_database", "drop_database"]

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


async def create_database(server_url: str, name: str) -> str:
    """Create an empty database, and return its URL; one of this name that is there already is dropped first.

    Args:
        server_url: URL of a superuser, as `lienthong.testing.servers.Servers.ledger_url`.
        name: small letters, digits and underscores.

    Raises:
        Unavailable: the server does not answer.
        MisconfiguredError: it does not let us.
    """
    await drop_database(server_url, name)
    await _execute(server_url, f"create database {name} template template0 encoding 'UTF8'")
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))


async def drop_database(server_url: str, name: str) -> None:
    """Drop a database, cutting the connections to it; nothing happens when there is none."""
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name for a database of ours")
    await _execute(server_url, f"drop database if exists {name} with (force)")


async def _execute(server_url: str, statement: str) -> None:
    with translated():
        connection = await Addresses(server_url).connect()
        try:
            await connection.execute(statement)
        finally:
            await connection.close()
