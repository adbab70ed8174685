"""From a certificate to a configured root (RFC 5280, 6.1), and whether it may be used for this.

The path is found and checked by `cryptography.x509.verification`, over configured roots and intermediates only: what a
message brings along is never a step of a path. What that library leaves to its caller is checked here: key sizes,
hashes, key usage, extended key usage, and that a signer is no certification authority.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, VerificationError

from lienthong.trust import reasons
from lienthong.trust.strength import UNREADABLE, has_safe_key, has_safe_signature

if TYPE_CHECKING:
    import datetime as dt

    from lienthong.document.verdicts import Reason
    from lienthong.trust.store import TrustStore

__all__ = ["Path", "Usage", "find_path"]

Path = tuple[x509.Certificate, ...]
"""The certificate, its issuer, and so on up to a root."""

LONGEST = 8
"""Authorities between a certificate and its root."""


class Usage(StrEnum):
    """What a certificate is to be believed for."""

    SIGNATURE = "signature"
    """Signing documents and messages."""
    TIMESTAMP = "timestamp"
    """Signing time stamps (RFC 3161, 2.3)."""


_SIGNING_PURPOSES = frozenset(
    {
        ExtendedKeyUsageOID.EMAIL_PROTECTION,
        ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
        x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36"),  # documentSigning, RFC 9336
        x509.ObjectIdentifier("1.3.6.1.4.1.311.10.3.12"),  # Microsoft's document signing, which precedes it
        x509.ObjectIdentifier("1.2.840.113583.1.1.5"),  # Adobe's authentic documents trust
    }
)
_PURPOSES = {
    Usage.SIGNATURE: _SIGNING_PURPOSES,
    Usage.TIMESTAMP: frozenset({ExtendedKeyUsageOID.TIME_STAMPING}),
}

# The library's idea of extended key usage in an authority's certificate is TLS; ours is checked in `_purpose_trouble`.
_AUTHORITIES = ExtensionPolicy.webpki_defaults_ca().may_be_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, None)
_POLICY = (
    PolicyBuilder()
    .max_chain_depth(LONGEST)
    .extension_policies(ca_policy=_AUTHORITIES, ee_policy=ExtensionPolicy.permit_all())
)


def find_path(certificate: x509.Certificate, *, at: dt.datetime, usage: Usage, store: TrustStore) -> Path | Reason:
    """Return the certificate's path to a configured root as it stood at a moment, or why there is none.

    Args:
        certificate: any certificate at all.
        at: the moment that counts; aware.
        usage: what it is to be believed for.
        store: what is trusted.
    """
    try:
        if store.anchors is None:
            return reasons.NO_PATH
        verifier = _POLICY.store(store.anchors).time(at).build_client_verifier()
        path = tuple(verifier.verify(certificate, store.candidates).chain)
        return _weakness(path) or _usage_trouble(certificate, usage) or _purpose_trouble(path, usage) or path
    except VerificationError:
        return _diagnose(certificate, at, store)
    except UNREADABLE:
        return reasons.MALFORMED


def _weakness(path: Path) -> Reason | None:
    # A root is trusted by decision, whatever it is signed with; its key is another matter.
    if not all(map(has_safe_key, path)):
        return reasons.WEAK_KEY
    if not all(map(has_safe_signature, path[:-1])):
        return reasons.WEAK_SIGNATURE
    return None


def _usage_trouble(certificate: x509.Certificate, usage: Usage) -> Reason | None:
    """Return why a certificate must not sign this: its role and key usage (RFC 5280, 4.2.1.3 and 4.2.1.9)."""
    extensions = certificate.extensions
    try:
        key_usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return reasons.wrong_usage(
            "chứng thư số không ghi mục đích sử dụng khóa (Key Usage)",
            "it does not say what its key is for (key usage)",
        )
    if not (key_usage.digital_signature or key_usage.content_commitment):
        return reasons.wrong_usage("khóa không được dùng để ký số", "its key is not for signatures")
    for extension in extensions:
        if isinstance(extension.value, x509.BasicConstraints) and extension.value.ca:
            return reasons.wrong_usage(
                "đây là chứng thư số của tổ chức chứng thực", "it is a certification authority's certificate"
            )
        if isinstance(extension.value, x509.ExtendedKeyUsage) and usage is Usage.TIMESTAMP and not extension.critical:
            return reasons.wrong_usage(
                "mục đích cấp dấu thời gian phải được đánh dấu bắt buộc (RFC 3161, 2.3)",
                "the purpose of time stamping has to be critical (RFC 3161, 2.3)",
            )
    return None


def _purpose_trouble(path: Path, usage: Usage) -> Reason | None:
    """Return why the extended key usages along a path exclude this (RFC 5280, 4.2.1.12).

    A signer's certificate without any is good for signing, a time stamp authority's needs exactly its own (RFC 3161,
    2.3). An authority whose certificate names purposes issues for those only.
    """
    wanted = _PURPOSES[usage]
    for place, certificate in enumerate(path[:-1]):
        purposes: set[x509.ObjectIdentifier] = set()
        for extension in certificate.extensions:
            if isinstance(extension.value, x509.ExtendedKeyUsage):
                purposes = set(extension.value)
        if place == 0 and usage is Usage.TIMESTAMP and purposes != wanted:
            return reasons.wrong_usage("không phải chứng thư số cấp dấu thời gian", "it is not for time stamping")
        if purposes and not purposes & (wanted | {ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}):
            return reasons.wrong_usage(
                "mục đích mở rộng (Extended Key Usage) không gồm ký văn bản"
                if usage is Usage.SIGNATURE
                else "tổ chức cấp không được cấp chứng thư số dấu thời gian",
                "its extended key usage does not include signing documents"
                if usage is Usage.SIGNATURE
                else "its issuer may not issue for time stamping",
            )
    return None


def _diagnose(certificate: x509.Certificate, at: dt.datetime, store: TrustStore) -> Reason:
    """Return, in a clerk's words, why the library found no path."""
    try:
        named = store.authorities(certificate.issuer)
        if not named:
            itself = certificate.issuer == certificate.subject
            return reasons.SELF_SIGNED if itself else reasons.NO_PATH
        if not has_safe_signature(certificate):
            return reasons.WEAK_SIGNATURE
        issuers = [authority for authority in named if _issued(authority, certificate)]
        if not issuers:
            return reasons.IMITATED_ISSUER
        return (
            _out_of_time(certificate, at, authority=False)
            or _authority_out_of_time(issuers, at, store)
            or (reasons.UNKNOWN_CRITICAL_EXTENSION if _has_unknown_critical(certificate) else None)
            or (None if has_safe_key(certificate) else reasons.WEAK_KEY)
            or reasons.PATH_REFUSED
        )
    except UNREADABLE:
        return reasons.MALFORMED


def _issued(authority: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


def _out_of_time(certificate: x509.Certificate, at: dt.datetime, *, authority: bool) -> Reason | None:
    if at > certificate.not_valid_after_utc:
        return reasons.expired(certificate.not_valid_after_utc, authority=authority)
    if at < certificate.not_valid_before_utc:
        return reasons.not_yet_valid(certificate.not_valid_before_utc, authority=authority)
    return None


def _authority_out_of_time(issuers: list[x509.Certificate], at: dt.datetime, store: TrustStore) -> Reason | None:
    """Return the first trouble with time on the way up, when every configured issuer has one."""
    for _ in range(LONGEST):
        troubles = [_out_of_time(issuer, at, authority=True) for issuer in issuers]
        if troubles and all(troubles):
            return troubles[0]
        above = [
            one
            for issuer in issuers
            if issuer.issuer != issuer.subject
            for one in store.authorities(issuer.issuer)
            if _issued(one, issuer)
        ]
        if not above:
            return None
        issuers = above
    return None


def _has_unknown_critical(certificate: x509.Certificate) -> bool:
    return any(one.critical and isinstance(one.value, x509.UnrecognizedExtension) for one in certificate.extensions)
