"""Do we believe this certificate at that moment? Three answers, the reason, and everything the answer rests on.

The moment is a verified time stamp's, else the time of receipt; never what a signer claims. A judgement reads the
snapshot only: no network, no file, well under a millisecond.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding

from lienthong.document.verdicts import Reason, Verdict
from lienthong.trust import reasons
from lienthong.trust.path import Path, Usage, find_path
from lienthong.trust.sources import Evidence, Source, Standing, Status, standing
from lienthong.trust.status_answers import vouches_for_itself
from lienthong.trust.strength import UNREADABLE

if TYPE_CHECKING:
    from cryptography import x509

    from lienthong.trust.store import TrustStore

__all__ = ["Judgement", "judge"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found about a certificate.

    Attributes:
        verdict: valid, invalid or indeterminate.
        reason: why: ETSI's sub-indication and words for a clerk.
        path: from the certificate to a root; only the certificate when there is no path.
        evidence: certificates, CRLs and OCSP answers it rests on, for judging again years later.
    """

    verdict: Verdict
    reason: Reason
    path: tuple[x509.Certificate, ...]
    evidence: tuple[Evidence, ...]


def judge(
    certificate: x509.Certificate, *, at: dt.datetime, now: dt.datetime, usage: Usage, store: TrustStore
) -> Judgement:
    """Judge a certificate; never raises, whatever the certificate is.

    Args:
        certificate: the signer's, as the signature brought it.
        at: the moment that counts.
        now: the present, against which the freshness of CRLs and OCSP answers is measured; when judging again from kept
            evidence, the time of the first judgement.
        usage: what it signed.
        store: what is trusted; `TrustStore.current` picks up what changed.

    Raises:
        ValueError: a time without zone, which is a mistake of the caller.
    """
    if at.tzinfo is None or now.tzinfo is None:
        raise ValueError("times have to be aware")
    at, now = at.astimezone(dt.UTC), now.astimezone(dt.UTC)
    found = find_path(certificate, at=at, usage=usage, store=store)
    if isinstance(found, Reason):
        alone = (certificate,)
        return Judgement(Verdict.INVALID, found, alone, _evidence(alone, []))
    try:
        verdict, reason, sources = _revocation(found, at, now, store)
    except UNREADABLE:
        verdict, reason, sources = Verdict.INVALID, reasons.MALFORMED, []
    return Judgement(verdict, reason, found, _evidence(found, sources))


def _revocation(
    path: Path, at: dt.datetime, now: dt.datetime, store: TrustStore
) -> tuple[Verdict, Reason, list[Source]]:
    """Return what revocation makes of a path: a revoked step outweighs an unknown one, wherever they stand."""
    sources: list[Source] = []
    unknown: Reason | None = None
    for place in reversed(range(len(path) - 1)):
        authority = place > 0
        answer = _standing(path[place], path[place + 1], at=at, now=now, authority=authority, store=store)
        if answer.source is not None:
            sources.append(answer.source)
        if answer.status is Status.REVOKED:
            assert answer.since is not None
            return Verdict.INVALID, reasons.revoked(answer.since, authority=authority), sources
        if answer.status is Status.HELD:
            assert answer.since is not None
            return Verdict.INVALID, reasons.on_hold(answer.since, authority=authority), sources
        if answer.status is Status.UNKNOWN:
            unknown = reasons.no_revocation_status(authority=authority)
    if unknown is not None:
        return Verdict.INDETERMINATE, unknown, sources
    return Verdict.VALID, reasons.BELIEVED, sources


def _standing(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    *,
    at: dt.datetime,
    now: dt.datetime,
    authority: bool,
    store: TrustStore,
) -> Standing:
    sources = store.sources(issuer, certificate.serial_number)
    if any(source.responder is not None for source in sources):
        lists = store.lists(issuer)
        sources = tuple(source for source in sources if _is_from_good_hands(source, lists, now))
    return standing(certificate, sources, authority=authority, at=at, now=now)


def _is_from_good_hands(source: Source, lists: tuple[Source, ...], now: dt.datetime) -> bool:
    """Tell whether the responder that signed an answer was not revoked itself (RFC 6960, 4.2.2.2.1)."""
    if source.responder is None:
        return True
    # A responder's key may be abused from its revocation on, whenever it says that an answer was made: now counts.
    found = standing(source.responder, lists, authority=False, at=now, now=now).status
    return found is Status.GOOD or (found is Status.UNKNOWN and vouches_for_itself(source.responder))


def _evidence(path: Path, sources: list[Source]) -> tuple[Evidence, ...]:
    certificates = (Evidence("certificate", one.public_bytes(Encoding.DER)) for one in path)
    return (*certificates, *dict.fromkeys(source.evidence for source in sources))
