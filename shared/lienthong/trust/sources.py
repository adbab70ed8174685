"""What authentic revocation sources say about a certificate at a moment.

* An entry counts from min(revocationDate, invalidityDate) on (RFC 5280, 5.3.2), whether or not its source is still
  fresh: revocation is for good.
* Only a complete source that is fresh now can say "good" (RFC 5280, 6.3.3; RFC 6960, 4.2.2.1).
* *On hold* is decided by the newest source, since a hold can be lifted (RFC 5280, 5.3.1); a source that is no longer
  fresh can still say it, but not that it was lifted.

A fresh list that does not mention a certificate that expired meanwhile counts as "good" for a moment before it expired:
that is right for authorities that keep expired certificates on their lists. Where one does not (RFC 5280, 3.3 allows
it), its superseded lists belong in the folder as well: an entry in any of them still counts.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from cryptography import x509

from lienthong.trust.strength import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["SKEW", "Entry", "Evidence", "Source", "Standing", "Status", "standing"]

SKEW = dt.timedelta(minutes=5)
"""How far ahead of ours an authority's clock may be."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing a verdict rests on, kept so that it can be judged again years later.

    Attributes:
        kind: what it is.
        der: its bytes, DER.
    """

    kind: Literal["certificate", "crl", "ocsp", "timestamp"]
    der: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """What a source says about one serial number.

    Attributes:
        since: min(revocationDate, invalidityDate).
        held: the reason is certificateHold.
    """

    since: dt.datetime
    held: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """One authentic CRL or OCSP answer.

    Attributes:
        evidence: its bytes.
        this_update: when it was true.
        next_update: until when it counts as fresh.
        complete: whether silence about a certificate within its scope means "good".
        entries: what it says, by serial number.
        only: which certificates it speaks about: ``user``, ``authority``, one serial number, or all (None).
        points: for a partition, the names of the distribution points it is for; empty when it is no partition.
        responder: the appointed OCSP responder that signed it; None when the authority did so itself.
    """

    evidence: Evidence
    this_update: dt.datetime
    next_update: dt.datetime
    complete: bool
    entries: Mapping[int, Entry]
    only: int | Literal["user", "authority"] | None = None
    points: frozenset[x509.GeneralName] = frozenset()
    responder: x509.Certificate | None = None

    def is_fresh(self, now: dt.datetime) -> bool:
        """Tell whether it may say "good" now."""
        return self.this_update <= now + SKEW and now <= self.next_update

    def covers(self, certificate: x509.Certificate, *, authority: bool) -> bool:
        """Tell whether this certificate is within its scope (RFC 5280, 6.3.3 b)."""
        if isinstance(self.only, int):
            return self.only == certificate.serial_number
        if self.only is not None and self.only != ("authority" if authority else "user"):
            return False
        return not self.points or not self.points.isdisjoint(distribution_points(certificate))


class Status(StrEnum):
    """What is known about a certificate's revocation at a moment."""

    GOOD = "good"
    REVOKED = "revoked"
    HELD = "held"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Standing:
    """The answer for one certificate: the status, since when, and the source that decided."""

    status: Status
    since: dt.datetime | None = None
    source: Source | None = None


def standing(
    certificate: x509.Certificate, sources: Iterable[Source], *, authority: bool, at: dt.datetime, now: dt.datetime
) -> Standing:
    """Return what authentic sources of a certificate's issuer say about it.

    Args:
        certificate: the certificate in question.
        sources: CRLs and OCSP answers of its issuer, all authentic.
        authority: it is a certification authority's.
        at: the moment that counts.
        now: the present, against which freshness is measured.
    """
    serial = certificate.serial_number
    newest: Source | None = None
    newest_fresh: Source | None = None
    for source in sources:
        entry = source.entries.get(serial)
        if entry is not None and not entry.held and entry.since <= at:
            return Standing(Status.REVOKED, entry.since, source)
        if not source.complete or source.this_update > now + SKEW:
            continue
        if not source.covers(certificate, authority=authority):
            continue
        newest = _newer(newest, source)
        if source.is_fresh(now):
            newest_fresh = _newer(newest_fresh, source)
    if newest is not None and (entry := _hold(newest, serial, at)) is not None:
        return Standing(Status.HELD, entry.since, newest)
    if newest_fresh is None or _hold(newest_fresh, serial, at) is not None:
        return Standing(Status.UNKNOWN)
    return Standing(Status.GOOD, None, newest_fresh)


def _newer(one: Source | None, other: Source) -> Source:
    return other if one is None or other.this_update > one.this_update else one


def _hold(source: Source, serial: int, at: dt.datetime) -> Entry | None:
    entry = source.entries.get(serial)
    return entry if entry is not None and entry.held and entry.since <= at else None


def distribution_points(certificate: x509.Certificate) -> frozenset[x509.GeneralName]:
    """Return the names under which a certificate says its CRL is published; empty when that cannot be read."""
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except (x509.ExtensionNotFound, *UNREADABLE):
        return frozenset()
    return frozenset(name for point in points for name in point.full_name or ())
