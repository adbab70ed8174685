"""An authority for the TLS connections of development and tests. Nothing here is fit for production.

Connections and signatures have authorities of their own: the broker lets in whoever shows a certificate with an
agency's code as its common name, and a signing certificate may bear any name.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from hashlib import sha1
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lienthong.errors import MisconfiguredError
from lienthong.trust.development_certificates import (
    LONGEST_NAME,
    MARK,
    Credential,
    authority_extensions,
    issue,
    key_usage,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["ConnectionAuthority"]

TWO_YEARS = dt.timedelta(days=730)
AN_HOUR, A_WEEK = dt.timedelta(hours=1), dt.timedelta(days=7)
NAME = f"Development Connections ({MARK})"


class ConnectionAuthority:
    """Issues the broker's certificate and those that agencies and workers connect with, into one folder.

    Args:
        folder: where everything is kept; made when it is not there. ``authority.pem`` is what both sides trust, and
            ``crls/`` has the list of what is revoked as the broker looks for it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "authority.key").exists():
            now = dt.datetime.now(dt.UTC)
            start, end = now - AN_HOUR, now + TWO_YEARS
            issue(None, _named(NAME), authority_extensions(0), start=start, end=end).save(folder / "authority")
        self._authority = Credential.load(folder / "authority")
        self.crls.mkdir(exist_ok=True)
        self._list = self.crls / f"{_hash(NAME)}.r0"
        if not self._list.exists():
            self._publish(())

    @property
    def certificate_file(self) -> Path:
        """The authority's own certificate, PEM."""
        return self.folder / "authority.pem"

    @property
    def crls(self) -> Path:
        """The folder of its CRLs."""
        return self.folder / "crls"

    def revoke(self, certificate: x509.Certificate) -> None:
        """Revoke a certificate and publish that."""
        now = dt.datetime.now(dt.UTC)
        revoked = x509.RevokedCertificateBuilder(certificate.serial_number, now).build()
        self._publish((*x509.load_pem_x509_crl(self._list.read_bytes()), revoked))

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
            _named(common_name),
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

    def _publish(self, revoked: Iterable[x509.RevokedCertificate]) -> None:
        now = dt.datetime.now(dt.UTC)
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._authority.key.public_key())
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._authority.certificate.subject)
            .last_update(now - AN_HOUR)
            .next_update(now + A_WEEK)
            .add_extension(x509.CRLNumber(int(now.timestamp() * 1000)), critical=False)
            .add_extension(identifier, critical=False)
        )
        for one in revoked:
            builder = builder.add_revoked_certificate(one)
        unfinished = self._list.with_suffix(".new")
        unfinished.write_bytes(builder.sign(self._authority.key, hashes.SHA256()).public_bytes(Encoding.PEM))
        unfinished.replace(self._list)


def _named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _hash(common_name: str) -> str:
    """Return the hash by which OpenSSL and Erlang look for an issuer's CRL (X509_NAME_hash), for such a short name.

    It is taken over the name in small letters, without the header of its outer SEQUENCE.
    """
    canonical = _named(common_name.lower()).public_bytes()
    digest = sha1(canonical[2:], usedforsecurity=False).digest()
    return f"{int.from_bytes(digest[:4], 'little'):08x}"
