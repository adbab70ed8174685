"""The metrics of a worker, for Prometheus; all in this process's default registry.

No label is an agency, a document or anything else that a stranger writes: the series of a thousand agencies are as many
as those of ten. What concerns one agency stands in the ledger.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import REGISTRY, Counter, Gauge, Histogram

__all__ = [
    "BATCH_SIZE",
    "CERTIFICATE_DAYS_LEFT",
    "DEADLINES",
    "DEAD_LETTERED",
    "DOCUMENT_SECONDS",
    "HELD",
    "JUDGED_AGAIN",
    "LABELS",
    "LETTERS",
    "LETTERS_WAITING",
    "PARKED",
    "PAYLOAD_BYTES",
    "PAYLOAD_FREE_BYTES",
    "PHASE_SECONDS",
    "PUBLISHED",
    "QUARANTINED",
    "QUEUE_BACKLOG_SECONDS",
    "QUEUE_MESSAGES",
    "REFUSED",
    "RETRIED",
    "SETTLED",
    "STATUSES_JUDGED",
    "STEP_SECONDS",
    "TAKEN",
    "TRUST_CRL_AGE_SECONDS",
    "TRUST_CRL_LEFT_SECONDS",
    "TRUST_DAYS_LEFT",
    "TRUST_PROBLEMS",
    "TRUST_REFRESHED",
    "TRUST_REFRESH_FAILED",
    "VERIFIED",
    "WAITING",
    "metric_rows",
]

LABELS: Final = {
    "authority": "name of an authority in the trust folder",
    "channel": "`mail`, `webhook`",
    "clock": "`sending`, `receipt`, `transfer`, `finish`",
    "code": "code of a refusal, of the format's vocabulary",
    "error": "kind of error",
    "host": "host of an authority's service",
    "lane": "`ordinary`, `urgent`; of messages also `diverted`: of who sends more than it may; `returned`: what the "
    "broker took out of a lane",
    "level": "`half`, `most` (80 %), `breach`, `ahead`",
    "outcome": "how it ended",
    "phase": "`decide`, `record`, `publish`",
    "queue": "queue of the exchange itself, never an agency's",
    "rung": "seconds until it comes back",
    "step": "`ingest`, `signature-verify`, `router`, `status-tracker`, `notifier`",
    "until": "`receipt` or `delivered`: the sender's receipt, or the document in every addressee's queue",
    "value": "what a document is worth, or `held`",
    "verdict": "`valid`, `invalid`, `unsigned`, `indeterminate`",
    "whose": "`own` (of the worker's connection to the broker), `agencies` (the one that ends first)",
}
"""Every label there is, and what values it takes."""

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
QUEUE_MESSAGES = Gauge(
    "lienthong_queue_messages",
    "Messages that stand ready in a queue of the exchange, dead letters among them",
    ["queue"],
)
QUEUE_BACKLOG_SECONDS = Gauge(
    "lienthong_queue_backlog_seconds",
    "Seconds since a queue was last seen empty: no message that stands in it is older",
    ["queue"],
)
STEP_SECONDS = Histogram(
    "lienthong_step_seconds",
    "Seconds from taking a message to its being settled",
    ["step", "lane"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
DOCUMENT_SECONDS = Histogram(
    "lienthong_document_seconds",
    "Seconds since ingest took a document, until its receipt, or the document itself, is in its queues",
    ["until", "lane"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400),
)
PAYLOAD_BYTES = Histogram(
    "lienthong_payload_bytes",
    "Bytes of received documents",
    ["lane"],
    buckets=(4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 52428800),
)
PAYLOAD_FREE_BYTES = Gauge("lienthong_payload_free_bytes", "Bytes free on the disk of the payload folder")
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

DEADLINES = Counter("lienthong_deadlines", "Warnings told, and what was told to be late", ["clock", "level"])
CERTIFICATE_DAYS_LEFT = Gauge(
    "lienthong_certificate_days_left",
    "Days until the certificate that ends first has ended; +Inf when there is none",
    ["whose"],
)

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


def metric_rows() -> list[tuple[str, str, str, str]]:
    """Return the table of metrics: name as Prometheus has it, type, labels, meaning."""
    rows = []
    for family in REGISTRY.collect():
        if family.name.startswith("lienthong_"):
            name = family.name + ("_total" if family.type == "counter" else "")
            labels = _label_names()[family.name]
            rows.append((f"`{name}`", family.type, ", ".join(f"`{one}`" for one in labels), family.documentation))
    return sorted(rows)


def _label_names() -> dict[str, tuple[str, ...]]:
    every = [one for one in globals().values() if isinstance(one, Counter | Gauge | Histogram)]
    return {family.name: one._labelnames for one in every for family in one.describe()}  # noqa: SLF001 - told nowhere else
