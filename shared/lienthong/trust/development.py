"""A certification authority for development, demo and tests: root, issuing authority, OCSP responder, time stamps.

Never for production: its keys lie unprotected in a folder, and every certificate says in its name what it is::

    trust/           what a verifier needs: roots/ intermediates/ crls/ ocsp/
    private/         the keys of the authorities
    agencies/        CODE.pem and CODE.key of each agency, CODE-person.pem and .key of its competent person
    authority.json   its address, and what is revoked
"""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from lienthong.document.codes import is_agency_code
from lienthong.errors import MisconfiguredError
from lienthong.trust.development_certificates import (
    MARK,
    Credential,
    authority_extensions,
    crl_point,
    end_entity_extensions,
    issue,
    named,
)
from lienthong.trust.development_stamps import stamp
from lienthong.trust.folder import FOLDERS
from lienthong.trust.publications import ADDRESSES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["DevelopmentAuthority"]

TEN_YEARS, TWO_YEARS = dt.timedelta(days=3650), dt.timedelta(days=730)
LIST_DAYS = {"root": 90, "issuing": 7}
ANSWER_HOURS = 12
STATE = "authority.json"


class DevelopmentAuthority:
    """All the authorities of a small hierarchy, kept in a folder: `create` makes one, `load` opens it again.

    Attributes:
        folder: where it is kept.
        trust_folder: what a verifier needs of it.
        url: where its HTTP services are, as its certificates say; None when it has none.
    """

    def __init__(self, folder: Path, clock: Callable[[], dt.datetime] | None = None) -> None:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        self.folder = folder
        self.trust_folder = folder / "trust"
        self.url: str | None = state["url"]
        self._revoked: dict[str, dict[str, str]] = state["revoked"]
        self._clock = clock or _now
        self._credentials = {
            role: Credential.load(folder / "private" / role) for role in ("root", "issuing", "ocsp", "tsa")
        }

    @classmethod
    def create(
        cls,
        folder: Path,
        *,
        url: str | None = None,
        since: dt.datetime | None = None,
        clock: Callable[[], dt.datetime] | None = None,
    ) -> DevelopmentAuthority:
        """Make a new hierarchy, with its first CRLs.

        Args:
            folder: where to keep it; made when it is not there.
            url: where its HTTP services will be, such as ``http://127.0.0.1:8318``; None for none.
            since: from when on its certificates are valid; an hour ago by default.
            clock: the present.

        Raises:
            MisconfiguredError: there is one in the folder already.
        """
        if (folder / STATE).exists():
            raise MisconfiguredError(f"{folder} already holds a development authority")
        for name in FOLDERS:
            (folder / "trust" / name).mkdir(parents=True, exist_ok=True)
        (folder / "private").mkdir(mode=0o700, exist_ok=True)
        (folder / "agencies").mkdir(exist_ok=True)
        start = since or (clock or _now)() - dt.timedelta(hours=1)
        for role, credential in _hierarchy(start, url).items():
            credential.save(folder / "private" / role)
        (folder / STATE).write_text(json.dumps({"url": url, "revoked": {}}), encoding="utf-8")
        authority = cls(folder, clock)
        for place, certificate in (("roots/root", authority.root), ("intermediates/issuing", authority.issuing)):
            target = authority.trust_folder / f"{place}.crt"
            target.write_bytes(certificate.public_bytes(Encoding.PEM))
        if url is not None:
            addresses = "".join(f"{url}/crl/{name}.crl\n" for name in LIST_DAYS)
            (authority.trust_folder / ADDRESSES).write_text(addresses, encoding="utf-8")
        authority.publish()
        return authority

    @classmethod
    def load(cls, folder: Path, *, clock: Callable[[], dt.datetime] | None = None) -> DevelopmentAuthority:
        """Open the hierarchy in a folder.

        Raises:
            MisconfiguredError: there is none.
        """
        if not (folder / STATE).exists():
            raise MisconfiguredError(f"{folder} holds no development authority")
        return cls(folder, clock)

    @property
    def root(self) -> x509.Certificate:
        """The trust anchor."""
        return self._credentials["root"].certificate

    @property
    def issuing(self) -> x509.Certificate:
        """The authority under the root that issues everything else."""
        return self._credentials["issuing"].certificate

    def issue(self, agency: str, name: str, *, since: dt.datetime | None = None, person: bool = False) -> Credential:
        """Issue a signing certificate, keep it in ``agencies/`` and return it.

        Args:
            agency: the agency's code, which becomes the subject's serialNumber.
            name: the agency's or the person's name, which becomes the CN.
            since: from when on it is valid; as long as its issuer is, by default.
            person: it is the competent person's of that agency, not the agency's own.

        Raises:
            MisconfiguredError: that is no agency code.
        """
        path = self._path(agency, person=person)
        start = since or self.issuing.not_valid_before_utc
        credential = issue(
            self._credentials["issuing"],
            named(name, agency, person=person),
            _published(self.url),
            start=start,
            end=start + TWO_YEARS,
        )
        credential.save(path)
        return credential

    def credential(self, agency: str, *, person: bool = False) -> Credential:
        """Return what was issued to an agency last.

        Raises:
            MisconfiguredError: nothing was.
        """
        path = self._path(agency, person=person)
        if not path.with_name(f"{path.name}.key").exists():
            raise MisconfiguredError(f"no development certificate was issued to {agency}")
        return Credential.load(path)

    def revoke(
        self,
        certificate: x509.Certificate,
        *,
        at: dt.datetime | None = None,
        reason: x509.ReasonFlags = x509.ReasonFlags.key_compromise,
    ) -> None:
        """Revoke a certificate, or put it on hold, or (``remove_from_crl``) lift a hold; and publish that."""
        serial = str(certificate.serial_number)
        if reason is x509.ReasonFlags.remove_from_crl:
            self._revoked.pop(serial, None)
        else:
            when = (at or self._clock()).astimezone(dt.UTC)
            by = "root" if certificate == self.issuing else "issuing"
            self._revoked[serial] = {"at": when.isoformat(), "reason": reason.value, "by": by}
        state = json.dumps({"url": self.url, "revoked": self._revoked}, indent=1)
        (self.folder / STATE).write_text(state, encoding="utf-8")
        self.publish()

    def crl(self, authority: str) -> bytes:
        """Return a fresh list of ``root`` or ``issuing``, DER."""
        credential = self._credentials[authority]
        now = self._clock()
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(credential.key.public_key())
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(credential.certificate.subject)
            .last_update(now)
            .next_update(now + dt.timedelta(days=LIST_DAYS[authority]))
            .add_extension(x509.CRLNumber(int(now.timestamp() * 1000)), critical=False)
            .add_extension(identifier, critical=False)
        )
        for serial, entry in self._revoked.items():
            if entry["by"] == authority:
                revoked = x509.RevokedCertificateBuilder(int(serial), dt.datetime.fromisoformat(entry["at"]))
                reason = x509.CRLReason(x509.ReasonFlags(entry["reason"]))
                builder = builder.add_revoked_certificate(revoked.add_extension(reason, critical=False).build())
        return builder.sign(credential.key, hashes.SHA256()).public_bytes(Encoding.DER)

    def publish(self) -> None:
        """Write fresh lists into the trust folder."""
        for authority in LIST_DAYS:
            target = self.trust_folder / "crls" / f"{authority}.crl"
            unfinished = target.with_name(f".{target.name}")
            unfinished.write_bytes(self.crl(authority))
            unfinished.replace(target)

    def answer(self, request: bytes) -> bytes:
        """Answer an OCSP request (RFC 6960), DER to DER; about another authority's certificates: unauthorized."""
        try:
            asked = ocsp.load_der_ocsp_request(request)
            algorithm = asked.hash_algorithm
            expected = ocsp.OCSPRequestBuilder().add_certificate(self.issuing, self.issuing, algorithm).build()
        except ValueError:
            return _unsuccessful(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
        if asked.issuer_key_hash != expected.issuer_key_hash:
            return _unsuccessful(ocsp.OCSPResponseStatus.UNAUTHORIZED)
        entry = self._revoked.get(str(asked.serial_number))
        now = self._clock()
        responder = self._credentials["ocsp"]
        builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
            asked.issuer_name_hash,
            asked.issuer_key_hash,
            asked.serial_number,
            algorithm,
            ocsp.OCSPCertStatus.GOOD if entry is None else ocsp.OCSPCertStatus.REVOKED,
            now,
            now + dt.timedelta(hours=ANSWER_HOURS),
            None if entry is None else dt.datetime.fromisoformat(entry["at"]),
            None if entry is None else x509.ReasonFlags(entry["reason"]),
        )
        for extension in asked.extensions:
            if isinstance(extension.value, x509.OCSPNonce):
                builder = builder.add_extension(extension.value, critical=False)
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, responder.certificate)
        builder = builder.certificates([responder.certificate])
        return builder.sign(responder.key, hashes.SHA256()).public_bytes(Encoding.DER)

    def stamp(self, request: bytes) -> bytes:
        """Answer a time-stamp request (RFC 3161), DER to DER."""
        return stamp(request, self._credentials["tsa"], at=self._clock())

    def _path(self, agency: str, *, person: bool) -> Path:
        if not is_agency_code(agency):
            raise MisconfiguredError(f"{agency!r} is not an agency code")
        return self.folder / "agencies" / (f"{agency}-person" if person else agency)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _hierarchy(start: dt.datetime, url: str | None) -> dict[str, Credential]:
    """Return the credentials of all authorities and services, by role."""
    end = start + TEN_YEARS
    root = issue(None, named(f"Development Root ({MARK})"), authority_extensions(), start=start, end=end)
    above = [] if url is None else [(crl_point(f"{url}/crl/root.crl"), False)]
    issuing = issue(
        root,
        named(f"Development Issuing CA ({MARK})"),
        [*authority_extensions(0), *above],
        start=start,
        end=end,
    )
    responder = end_entity_extensions(purpose=ExtendedKeyUsageOID.OCSP_SIGNING)
    stamps = _published(url, purpose=ExtendedKeyUsageOID.TIME_STAMPING)
    return {
        "root": root,
        "issuing": issuing,
        "ocsp": issue(
            issuing,
            named(f"Development OCSP ({MARK})"),
            [*responder, (x509.OCSPNoCheck(), False)],
            start=start,
            end=end,
        ),
        "tsa": issue(issuing, named(f"Development TSA ({MARK})"), stamps, start=start, end=end),
    }


def _published(url: str | None, purpose: x509.ObjectIdentifier | None = None) -> list[tuple[x509.ExtensionType, bool]]:
    return end_entity_extensions(
        purpose=purpose,
        crl_url=url and f"{url}/crl/issuing.crl",
        ocsp_url=url and f"{url}/ocsp",
    )


def _unsuccessful(status: ocsp.OCSPResponseStatus) -> bytes:
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)
