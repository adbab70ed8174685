"""The addresses with which the exchange's own processes log in, from a folder of theirs.

In it stand, as far as passwords are used, ``<name>-broker-url`` and ``<name>-ledger-url`` for each worker (``ingest`` …
``notifier``) and ``operator``: the very files that each process has as its ``LIENTHONG_BROKER_URL_FILE`` and
``LIENTHONG_LEDGER_URL_FILE``, such as Docker's secrets in ``/run/secrets``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from lienthong.access.broker import place_of
from lienthong.errors import MisconfiguredError
from lienthong.ledger.logins import ROLES
from lienthong.secret_files import read_secret
from lienthong.topology.rights import OWN_USERS

if TYPE_CHECKING:
    from pathlib import Path

    from lienthong.access.broker import Place

__all__ = ["broker_logins", "ledger_addresses", "ledger_logins"]


def broker_logins(place: Place, folder: Path | None) -> dict[str, str | None]:
    """Return the passwords of our own users on the broker, None where a certificate is used, as far as they are known.

    Args:
        place: the operator's address. When it has a certificate, so has everybody.
        folder: of addresses; None when there is none.

    Raises:
        MisconfiguredError: an address is another user's, or of another virtual host.
    """
    known: dict[str, str | None] = {} if place.password is not None else dict.fromkeys(OWN_USERS)
    for user in OWN_USERS:
        text = _read(folder, user, "broker")
        if text is not None:
            own = place_of(text)
            if (own.user, own.vhost) != (user, place.vhost):
                raise MisconfiguredError(
                    f"{folder}: địa chỉ của {user} phải mang tên nó và virtual host {place.vhost} / the broker address "
                    f"of {user} has to name it, and the virtual host {place.vhost}"
                )
            known[user] = own.password
    if place.user in OWN_USERS:
        known[place.user] = place.password
    return known


def ledger_logins(folder: Path) -> dict[str, str | None]:
    """Return the passwords of the ledger's roles, None where the address has none, for each with an address there.

    Raises:
        MisconfiguredError: there is no address at all, or one is another role's.
    """
    known: dict[str, str | None] = {}
    for role, address in ledger_addresses(folder).items():
        password = urlsplit(address).password
        known[role] = None if password is None else unquote(password)
    if not known:
        raise MisconfiguredError(f"{folder}: không có tệp / there is no file <name>-ledger-url")
    return known


def ledger_addresses(folder: Path) -> dict[str, str]:
    """Return with which address each role of the ledger logs in, for each that has one there.

    Raises:
        MisconfiguredError: one is another role's.
    """
    known: dict[str, str] = {}
    for role in ROLES:
        text = _read(folder, role.replace("_", "-"), "ledger")
        if text is not None:
            if urlsplit(text).username != role:
                raise MisconfiguredError(
                    f"{folder}: địa chỉ sổ cái phải mang tên {role} / the ledger address of {role} has to name it"
                )
            known[role] = text
    return known


def _read(folder: Path | None, user: str, server: str) -> str | None:
    if folder is None:
        return None
    file = folder / f"{user.partition('-')[2]}-{server}-url"
    return read_secret(file) if file.exists() else None
