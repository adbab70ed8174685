"""Certificate revocation lists: authenticated and turned into a table, once (RFC 5280, 5 and 6.3).

Never "good" by themselves: delta lists, lists for some reasons only, and lists with critical extensions not known here.
Indirect lists, and lists not signed by the issuer's own key, say nothing at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from lienthong.trust.sources import Entry, Evidence, Source
from lienthong.trust.strength import UNREADABLE, is_safe_hash, is_safe_key

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["read_crl"]

_UNDERSTOOD = (x509.AuthorityKeyIdentifier, x509.CRLNumber, x509.IssuingDistributionPoint)


def read_crl(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> Source | None:
    """Return what a CRL says when this authority signed it, else None.

    Args:
        crl: the list.
        issuer: a configured authority.

    Raises:
        ValueError: the list is malformed.
    """
    if crl.issuer != issuer.subject or not _is_authentic(crl, issuer):
        return None
    scope = _scope(crl.extensions)
    if scope is None or crl.next_update_utc is None:
        return None
    entries, understood = _entries(crl)
    return Source(
        Evidence("crl", crl.public_bytes(Encoding.DER)),
        crl.last_update_utc,
        crl.next_update_utc,
        scope.complete and understood,
        entries,
        scope.only,
        scope.points,
    )


def _is_authentic(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    """Tell whether the issuer signed the list and has the right to (cRLSign)."""
    try:
        usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
        key = issuer.public_key()
        return (
            usage.crl_sign
            and is_safe_hash(crl.signature_hash_algorithm)
            and is_safe_key(key)
            and isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey)
            and crl.is_signature_valid(key)
        )
    except (x509.ExtensionNotFound, *UNREADABLE):
        return False


@dataclass(frozen=True, slots=True)
class _Scope:
    complete: bool
    only: Literal["user", "authority"] | None
    points: frozenset[x509.GeneralName]


def _scope(extensions: x509.Extensions) -> _Scope | None:
    """Return which certificates a list speaks about; None when its entries may be another authority's certificates."""
    complete = all(isinstance(one.value, _UNDERSTOOD) for one in extensions if one.critical)
    only: Literal["user", "authority"] | None = None
    points: frozenset[x509.GeneralName] = frozenset()
    for extension in extensions:
        value = extension.value
        if isinstance(value, x509.DeltaCRLIndicator):
            complete = False
        elif isinstance(value, x509.IssuingDistributionPoint):
            if value.indirect_crl:
                return None
            if value.only_some_reasons or value.only_contains_attribute_certs or value.relative_name:
                complete = False
            if value.only_contains_user_certs:
                only = "user"
            elif value.only_contains_ca_certs:
                only = "authority"
            points = frozenset(value.full_name or ())
    return _Scope(complete, only, points)


def _entries(crl: x509.CertificateRevocationList) -> tuple[Mapping[int, Entry], bool]:
    """Return a list's entries, and whether all their critical extensions are understood (RFC 5280, 5.3)."""
    entries: dict[int, Entry] = {}
    understood = True
    for revoked in crl:
        since, reason = revoked.revocation_date_utc, None
        for extension in revoked.extensions:
            value = extension.value
            if isinstance(value, x509.CRLReason):
                reason = value.reason
            elif isinstance(value, x509.InvalidityDate):
                since = min(since, value.invalidity_date_utc)
            elif extension.critical:
                understood = False
        if reason is x509.ReasonFlags.remove_from_crl:
            continue
        entry = Entry(since, reason is x509.ReasonFlags.certificate_hold)
        known = entries.get(revoked.serial_number)
        if known is None or (known.held, known.since) > (entry.held, entry.since):
            entries[revoked.serial_number] = entry
    return MappingProxyType(entries), understood
