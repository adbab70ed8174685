"""The metrics of a worker, for Prometheus; all in this process's default registry."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

__all__ = [
    "BATCH_SIZE",
    "DEAD_LETTERED",
    "HELD",
    "JUDGED_AGAIN",
    "LETTERS",
    "LETTERS_WAITING",
    "PARKED",
    "PHASE_SECONDS",
    "PUBLISHED",
    "QUARANTINED",
    "REFUSED",
    "RETRIED",
    "SETTLED",
    "STATUSES_JUDGED",
    "TAKEN",
    "TRUST_CRL_AGE_SECONDS",
    "TRUST_CRL_LEFT_SECONDS",
    "TRUST_DAYS_LEFT",
    "TRUST_PROBLEMS",
    "TRUST_REFRESHED",
    "TRUST_REFRESH_FAILED",
    "VERIFIED",
    "WAITING",
]

TAKEN = Counter("lienthong_messages_taken", "Messages taken from a queue", ["step", "queue"])
SETTLED = Counter("lienthong_messages_settled", "Messages settled, by how", ["step", "outcome"])
PUBLISHED = Counter("lienthong_messages_published", "Messages confirmed by the broker", ["step"])
RETRIED = Counter("lienthong_messages_retried", "Messages put on a rung of the retry ladder", ["step", "rung"])
DEAD_LETTERED = Counter(
    "lienthong_messages_dead_lettered", "Messages given up, by the kind of error", ["step", "error"]
)
QUARANTINED = Counter("lienthong_messages_quarantined", "Messages nobody can be answered for")
REFUSED = Counter("lienthong_messages_refused", "Messages refused to their sender, by code", ["code"])
WAITING = Gauge("lienthong_messages_waiting", "Messages prefetched and not yet taken", ["step"])
BATCH_SIZE = Histogram(
    "lienthong_batch_size", "Messages in one batch", ["step"], buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
)
PHASE_SECONDS = Histogram(
    "lienthong_phase_seconds",
    "Seconds a batch spends in a phase: decide, record, publish",
    ["step", "phase"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)

LETTERS = Counter("lienthong_letters", "Mails and calls of webhooks: sent, delayed, given up", ["channel", "outcome"])
LETTERS_WAITING = Gauge("lienthong_letters_waiting", "Mails and calls of webhooks not yet sent", ["channel"])

PARKED = Gauge("lienthong_agencies_parked", "Agencies that do not collect, whose further documents wait in the ledger")

VERIFIED = Counter(
    "lienthong_documents_verified", "Judgements recorded, by verdict and by value or held", ["verdict", "value"]
)
JUDGED_AGAIN = Counter("lienthong_documents_judged_again", "Later judgements: same or changed", ["outcome"])
STATUSES_JUDGED = Counter(
    "lienthong_statuses_judged", "Statuses recorded, by the verdict on their signature", ["verdict"]
)
HELD = Gauge("lienthong_documents_held", "Documents that wait because their signatures could not be judged yet")

TRUST_DAYS_LEFT = Gauge("lienthong_trust_days_left", "Days until an authority's certificate expires", ["authority"])
TRUST_CRL_AGE_SECONDS = Gauge(
    "lienthong_trust_crl_age_seconds", "Seconds since an authority's newest CRL was issued", ["authority"]
)
TRUST_CRL_LEFT_SECONDS = Gauge(
    "lienthong_trust_crl_left_seconds",
    "Seconds until an authority's newest CRL is stale; negative when it is",
    ["authority"],
)
TRUST_PROBLEMS = Gauge("lienthong_trust_problems", "Things in the trust folder that cannot be used")
TRUST_REFRESHED = Counter("lienthong_trust_refreshed", "CRLs and OCSP answers fetched and accepted", ["host"])
TRUST_REFRESH_FAILED = Counter(
    "lienthong_trust_refresh_failed", "CRLs and OCSP answers that could not be had or were refused", ["host"]
)
