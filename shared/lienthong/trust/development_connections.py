"""An authority for the TLS connections of development and tests. Nothing here is fit for production.

Connections and signatures have authorities of their own: the broker lets in whoever shows a certificate with an
agency's code as its common name, and a signing certificate may bear any name.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lienthong.errors import MisconfiguredError
from lienthong.trust.development_certificates import (
    LONGEST_NAME,
    MARK,
    Credential,
    authority_extensions,
    issue,
    key_usage,
    named,
)

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ConnectionAuthority"]

TWO_YEARS = dt.timedelta(days=730)
AN_HOUR = dt.timedelta(hours=1)


class ConnectionAuthority:
    """Issues the broker's certificate and those that agencies and workers connect with, into one folder.

    Args:
        folder: where everything is kept; made when it is not there. ``authority.pem`` is what both sides trust.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "authority.key").exists():
            now = dt.datetime.now(dt.UTC)
            name = named(f"Development Connections ({MARK})")
            issue(None, name, authority_extensions(0), start=now - AN_HOUR, end=now + TWO_YEARS).save(
                folder / "authority"
            )
        self._authority = Credential.load(folder / "authority")

    @property
    def certificate_file(self) -> Path:
        """The authority's own certificate, PEM."""
        return self.folder / "authority.pem"

    def broker(self, *hosts: str) -> Path:
        """Issue the broker's certificate; returns ``PATH``, which stands for ``PATH.pem`` and ``PATH.key``.

        Args:
            hosts: the names and IP addresses at which it is reached.
        """
        names: list[x509.GeneralName] = []
        for host in hosts:
            try:
                names.append(x509.IPAddress(ipaddress.ip_address(host)))
            except ValueError:
                names.append(x509.DNSName(host))
        alternative = (x509.SubjectAlternativeName(names), False)
        return self._issued("broker", hosts[0], ExtendedKeyUsageOID.SERVER_AUTH, alternative)

    def client(self, user: str, *, since: dt.datetime | None = None, until: dt.datetime | None = None) -> Path:
        """Issue a certificate to connect with; returns ``PATH``, which stands for ``PATH.pem`` and ``PATH.key``.

        Args:
            user: the user of the broker: an agency's code. It is not checked: a test may ask for any name.
            since: from when on it is valid; an hour ago by default.
            until: until when; two years after that by default.
        """
        return self._issued(f"client-{user}", user, ExtendedKeyUsageOID.CLIENT_AUTH, since=since, until=until)

    def _issued(
        self,
        file: str,
        common_name: str,
        purpose: x509.ObjectIdentifier,
        *more: tuple[x509.ExtensionType, bool],
        since: dt.datetime | None = None,
        until: dt.datetime | None = None,
    ) -> Path:
        if len(common_name) > LONGEST_NAME or "/" in file:
            raise MisconfiguredError(f"{common_name!r} cannot be the common name of a certificate")
        start = since or dt.datetime.now(dt.UTC) - AN_HOUR
        credential = issue(
            self._authority,
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]),
            [
                (x509.BasicConstraints(ca=False, path_length=None), True),
                (key_usage("digital_signature"), True),
                (x509.ExtendedKeyUsage([purpose]), True),
                *more,
            ],
            start=start,
            end=until or start + TWO_YEARS,
        )
        path = self.folder / file
        credential.save(path)
        return path
