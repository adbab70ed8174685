"""What operators have to know about a trust folder: what expires, what is stale, what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lienthong.telemetry import metrics

if TYPE_CHECKING:
    import datetime as dt

    from cryptography import x509

    from lienthong.trust.sources import Source
    from lienthong.trust.store import TrustStore

__all__ = ["WARN_DAYS", "AuthorityState", "observe", "states"]

WARN_DAYS = 60
"""An authority's certificate that expires sooner is a warning."""
SECONDS_PER_DAY = 86400


@dataclass(frozen=True, slots=True)
class AuthorityState:
    """One configured authority.

    Attributes:
        certificate: its certificate.
        anchor: it is a root.
        days_left: until its certificate expires; negative when it has.
        newest: its newest authentic list; None when there is none.
        fresh: whether that list may say "good" now.
    """

    certificate: x509.Certificate
    anchor: bool
    days_left: float
    newest: Source | None
    fresh: bool

    @property
    def name(self) -> str:
        """Return its subject, as RFC 4514 writes it."""
        return self.certificate.subject.rfc4514_string()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what an operator has to see to, in Vietnamese and English."""
        found: list[str] = []
        if self.days_left < 0:
            found.append("chứng thư số đã hết hạn / its certificate has expired")
        elif self.days_left < WARN_DAYS:
            found.append(
                f"chứng thư số còn {self.days_left:.0f} ngày / its certificate expires in {self.days_left:.0f} days"
            )
        return (*found, *self.revocation_warnings)

    @property
    def revocation_warnings(self) -> tuple[str, ...]:
        """Return what is wrong with what is known about revocation, in Vietnamese and English."""
        found: list[str] = []
        if self.newest is None:
            found.append("chưa có CRL xác thực / no authentic CRL at hand")
        elif not self.fresh:
            until = f"{self.newest.next_update:%Y-%m-%d %H:%M} UTC"
            found.append(f"CRL hết hạn từ {until} / its CRL is stale since {until}")
        return tuple(found)


def states(store: TrustStore, now: dt.datetime) -> tuple[AuthorityState, ...]:
    """Return the state of every configured authority, roots first."""
    found = []
    for certificate in store.all_authorities():
        newest = max(store.lists(certificate), key=lambda source: source.this_update, default=None)
        found.append(
            AuthorityState(
                certificate,
                certificate in store.roots,
                (certificate.not_valid_after_utc - now).total_seconds() / SECONDS_PER_DAY,
                newest,
                newest is not None and newest.is_fresh(now),
            )
        )
    return tuple(found)


def observe(store: TrustStore, now: dt.datetime) -> None:
    """Set the metrics of a trust folder."""
    metrics.TRUST_PROBLEMS.set(len(store.problems))
    for state in states(store, now):
        metrics.TRUST_DAYS_LEFT.labels(state.name).set(state.days_left)
        if state.newest is not None:
            age = (now - state.newest.this_update).total_seconds()
            left = (state.newest.next_update - now).total_seconds()
            metrics.TRUST_CRL_AGE_SECONDS.labels(state.name).set(age)
            metrics.TRUST_CRL_LEFT_SECONDS.labels(state.name).set(left)
