"""Where authorities publish revocation, and whether what came from there may go into the trust folder.

An address counts only when a configured authority wrote it: into its own certificate, or into one that it issued.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from lienthong.errors import Unavailable
from lienthong.trust.crl import read_crl
from lienthong.trust.folder import crls_in
from lienthong.trust.sources import distribution_points
from lienthong.trust.status_answers import read_ocsp
from lienthong.trust.store import identity
from lienthong.trust.strength import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lienthong.trust.sources import Source
    from lienthong.trust.store import TrustStore

__all__ = [
    "ADDRESSES",
    "Publication",
    "StatusQuestion",
    "addresses",
    "configured",
    "issuer_of",
    "joined",
    "keep",
    "named_in",
    "question_about",
]

ADDRESSES = "addresses.txt"
"""In a trust folder: addresses of lists to fetch that no certificate at hand names, one a line, # for remarks."""


@dataclass(frozen=True, slots=True)
class Publication:
    """A list of a configured authority, by its address.

    Attributes:
        url: the address.
        authorities: whose list is expected there; any configured authority's when no certificate names the address.
    """

    url: str
    authorities: frozenset[x509.Certificate] = frozenset()

    def place(self, data: bytes) -> str:
        """Return the file that a list from there is kept in; another authority's has another."""
        (crl,) = crls_in(data)
        return f"crls/fetched-{hashlib.sha256(self.url.encode() + crl.issuer.public_bytes()).hexdigest()[:16]}.crl"

    def read(self, data: bytes, store: TrustStore) -> Source:
        """Return what a fetched list says, whether or not it is still fresh.

        Raises:
            Unavailable: it is not an authentic list of an authority whose list is expected here.
        """
        try:
            (crl,) = crls_in(data)
            expected = [one for one in store.authorities(crl.issuer) if not self.authorities or one in self.authorities]
            found = [read_crl(crl, authority) for authority in expected]
        except UNREADABLE as error:
            raise Unavailable(f"not one CRL: {error}") from error
        return _first([source for source in found if source is not None])


@dataclass(frozen=True, slots=True)
class StatusQuestion:
    """What to ask an OCSP responder about one certificate."""

    url: str
    certificate: x509.Certificate
    issuer: x509.Certificate

    def place(self, data: bytes) -> str:
        """Return the file that its answer is kept in, within the trust folder."""
        del data
        return f"ocsp/fetched-{identity(self.certificate).hex()[:32]}.der"

    @property
    def request(self) -> bytes:
        """Return the question, DER; SHA-1 only names the issuer here and is what every responder knows."""
        builder = ocsp.OCSPRequestBuilder().add_certificate(self.certificate, self.issuer, hashes.SHA1())  # noqa: S303
        return builder.build().public_bytes(Encoding.DER)

    def read(self, data: bytes, store: TrustStore) -> Source:
        """Return what an answer says, whether or not it is still fresh.

        Raises:
            Unavailable: it is not an authentic answer about this certificate, or the responder does not know.
        """
        del store
        try:
            found = read_ocsp(ocsp.load_der_ocsp_response(data), self.issuer)
        except UNREADABLE as error:
            raise Unavailable(f"not an OCSP answer: {error}") from error
        serial = self.certificate.serial_number
        return _first([one for one in found if one.only == serial and (one.complete or one.entries)])


def configured(urls: Iterable[str]) -> frozenset[Publication]:
    """Return the lists at these addresses; what is no web address is passed over."""
    return frozenset(Publication(url) for url in urls if _is_web(url))


def named_in(certificate: x509.Certificate, issuer: x509.Certificate) -> frozenset[Publication]:
    """Return the lists that a certificate names: they have to be its issuer's, a configured authority."""
    names = [
        name.value for name in distribution_points(certificate) if isinstance(name, x509.UniformResourceIdentifier)
    ]
    return frozenset(Publication(url, frozenset({issuer})) for url in names if _is_web(url))


def joined(publications: Iterable[Publication]) -> frozenset[Publication]:
    """Return each address once, with all the authorities whose list is expected there."""
    expected: dict[str, frozenset[x509.Certificate]] = {}
    for one in publications:
        expected[one.url] = expected.get(one.url, frozenset()) | one.authorities
    return frozenset(Publication(url, authorities) for url, authorities in expected.items())


def addresses(folder: Path) -> tuple[str, ...]:
    """Return the addresses an operator has written into a trust folder."""
    try:
        lines = (folder / ADDRESSES).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return ()
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def question_about(certificate: x509.Certificate, issuer: x509.Certificate) -> StatusQuestion | None:
    """Return what to ask about a certificate, or None when its issuer does not say where to ask."""
    try:
        information = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, *UNREADABLE):
        return None
    for description in information:
        location = description.access_location
        if description.access_method == AuthorityInformationAccessOID.OCSP and isinstance(
            location, x509.UniformResourceIdentifier
        ):
            return StatusQuestion(location.value, certificate, issuer) if _is_web(location.value) else None
    return None


def issuer_of(certificate: x509.Certificate, store: TrustStore) -> x509.Certificate | None:
    """Return the configured authority that signed a certificate."""
    for authority in store.authorities(certificate.issuer):
        try:
            certificate.verify_directly_issued_by(authority)
        except (InvalidSignature, *UNREADABLE):
            continue
        return authority
    return None


def keep(folder: Path, place: str, data: bytes) -> None:
    """Put a file into a trust folder so that a reader sees the old one or the new one, and a crash leaves one of them.

    Raises:
        OSError: it could not be written.
    """
    target = folder / place
    target.parent.mkdir(exist_ok=True)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    with unfinished.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(target)


def _first(sources: list[Source]) -> Source:
    if not sources:
        raise Unavailable("not signed by the authority it has to be from, or not about what was asked")
    return sources[0]


def _is_web(url: str) -> bool:
    try:
        place = urlsplit(url)
    except ValueError:
        return False
    return place.scheme in {"http", "https"} and bool(place.hostname)
