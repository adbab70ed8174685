"""Passwords of the ledger's roles, set without the server, or its log, ever seeing one."""

from __future__ import annotations

import base64
import hmac
import secrets
from hashlib import pbkdf2_hmac, sha256
from typing import TYPE_CHECKING

from lienthong.errors import MisconfiguredError
from lienthong.ledger.addresses import Addresses
from lienthong.ledger.ledger import translated
from lienthong.ledger.statements import statement

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ROLES", "end_logins", "let_log_in", "others_logged_in"]

ROLES = tuple(
    f"lienthong_{name}"
    for name in ("ingest", "signature_verify", "router", "status_tracker", "notifier", "operator", "reader")
)
"""The roles that the migrations make; they belong to the server, not to one database of it."""
ITERATIONS = 4096
"""PostgreSQL's own; RFC 7677, section 4, asks for no fewer."""


async def let_log_in(url: str, passwords: Mapping[str, str | None]) -> None:
    """Let roles log in with these passwords from now on.

    Args:
        url: the ledger, for a user who may change roles.
        passwords: by the role's name; None for one that is known by a certificate or by other means of ``pg_hba.conf``.

    Raises:
        MisconfiguredError: there is no such role, or this user may not change it.
        Unavailable: the server does not answer.
    """
    await _alter(
        url,
        {
            role: "login password null" if password is None else f"login password '{scram_sha_256(password)}'"
            for role, password in passwords.items()
        },
    )


async def end_logins(url: str) -> None:
    """Let none of the roles log in any more; nothing happens when the server does not have them."""
    with translated():
        connection = await Addresses(url).connect()
        try:
            found = await connection.fetch(statement("roles_that_log_in"), list(ROLES))
        finally:
            await connection.close()
    await _alter(url, dict.fromkeys((row["rolname"] for row in found), "nologin password null"))


async def others_logged_in(url: str, database: str) -> list[str]:
    """Return the databases of this server, other than one, in which one of the roles is at work now."""
    with translated():
        connection = await Addresses(url).connect()
        try:
            return [row["datname"] for row in await connection.fetch(statement("at_work_in"), list(ROLES), database)]
        finally:
            await connection.close()


def scram_sha_256(password: str) -> str:
    r"""Return what PostgreSQL keeps of a password (RFC 5803, section 3), made here, as psql's ``\password`` does.

    Args:
        password: printable ASCII: what else SASLprep (RFC 4013) would change is nothing we make passwords of.

    Raises:
        MisconfiguredError: it has other characters.
    """
    if not (password.isascii() and password.isprintable()):
        raise MisconfiguredError("mật khẩu phải là ký tự ASCII / a password needs to be of printable ASCII characters")
    salt = secrets.token_bytes(16)
    salted = pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    stored = sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${ITERATIONS}:{encoded[0]}${encoded[1]}:{encoded[2]}"


async def _alter(url: str, roles: Mapping[str, str]) -> None:
    with translated():
        connection = await Addresses(url).connect()
        try:
            async with connection.transaction():
                for role, change in roles.items():
                    if role not in ROLES:
                        raise ValueError(f"{role} is no role of the ledger")
                    await connection.execute(f"alter role {role} {change}")
        finally:
            await connection.close()
