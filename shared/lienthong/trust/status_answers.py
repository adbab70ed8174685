"""OCSP answers, authenticated once (RFC 6960).

An answer counts when the authority that issued the certificate signed it, or a responder to which that authority itself
gave a certificate for OCSP signing (RFC 6960, 4.2.2.2). The status *unknown* is no answer.
"""

from __future__ import annotations

import datetime as dt
from types import MappingProxyType
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from lienthong.trust.sources import Entry, Evidence, Source
from lienthong.trust.strength import UNREADABLE, has_safe_key, has_safe_signature, is_signed_by

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["read_ocsp", "vouches_for_itself"]

WITHOUT_END = dt.timedelta(hours=1)
"""How long an answer without nextUpdate counts as fresh."""
MOST_RESPONDERS = 4
"""Certificates in an answer that are looked at."""
MOST_SINGLES = 100
"""Certificates an answer speaks about that are looked at."""


def read_ocsp(response: ocsp.OCSPResponse, issuer: x509.Certificate) -> tuple[Source, ...]:
    """Return what an answer says about certificates of this authority; nothing when it is not authentic.

    Raises:
        ValueError: the answer is malformed.
    """
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        return ()
    singles = [one for one, _ in zip(response.responses, range(MOST_SINGLES), strict=False) if _is_about(one, issuer)]
    if not singles or any(one.critical for one in response.extensions):
        return ()
    for signer in _possible_signers(response, issuer):
        key = signer.public_key()
        try:
            hash_algorithm = response.signature_hash_algorithm
        except UnsupportedAlgorithm:
            return ()
        if is_signed_by(response.signature, response.tbs_response_bytes, hash_algorithm, key):
            evidence = Evidence("ocsp", response.public_bytes(Encoding.DER))
            responder = None if signer == issuer else signer
            return tuple(_source(one, evidence, responder) for one in singles)
    return ()


def vouches_for_itself(responder: x509.Certificate) -> bool:
    """Tell whether its issuer says that a responder's own revocation need not be checked (id-pkix-ocsp-nocheck)."""
    return any(isinstance(one.value, x509.OCSPNoCheck) for one in responder.extensions)


def _source(one: ocsp.OCSPSingleResponse, evidence: Evidence, responder: x509.Certificate | None) -> Source:
    entries: dict[int, Entry] = {}
    if one.certificate_status is ocsp.OCSPCertStatus.REVOKED:
        held = one.revocation_reason is x509.ReasonFlags.certificate_hold
        entries[one.serial_number] = Entry(one.revocation_time_utc or one.this_update_utc, held)
    return Source(
        evidence,
        one.this_update_utc,
        one.next_update_utc or one.this_update_utc + WITHOUT_END,
        one.certificate_status is not ocsp.OCSPCertStatus.UNKNOWN,
        MappingProxyType(entries),
        one.serial_number,
        responder=responder,
    )


def _is_about(one: ocsp.OCSPSingleResponse, issuer: x509.Certificate) -> bool:
    """Tell whether an answer is about a certificate of this authority: hashes of its name and key (RFC 6960, 4.1.1)."""
    try:
        algorithm = one.hash_algorithm
        expected = ocsp.OCSPRequestBuilder().add_certificate(issuer, issuer, algorithm).build()
    except UNREADABLE:
        return False
    name = hashes.Hash(algorithm)
    name.update(issuer.subject.public_bytes())
    return one.issuer_key_hash == expected.issuer_key_hash and one.issuer_name_hash == name.finalize()


def _possible_signers(response: ocsp.OCSPResponse, issuer: x509.Certificate) -> Iterator[x509.Certificate]:
    """Yield the certificates whose keys may sign for this authority."""
    if has_safe_key(issuer):
        yield issuer
    for certificate in response.certificates[:MOST_RESPONDERS]:
        if _is_appointed(certificate, issuer, response.produced_at_utc):
            yield certificate


def _is_appointed(responder: x509.Certificate, issuer: x509.Certificate, produced_at: dt.datetime) -> bool:
    try:
        purposes = responder.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        if ExtendedKeyUsageOID.OCSP_SIGNING not in purposes:
            return False
        if not has_safe_key(responder) or not has_safe_signature(responder):
            return False
        responder.verify_directly_issued_by(issuer)
    except (x509.ExtensionNotFound, InvalidSignature, *UNREADABLE):
        return False
    return responder.not_valid_before_utc <= produced_at <= responder.not_valid_after_utc
