"""The metrics of a worker, for Prometheus; all in this process's default registry."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

__all__ = [
    "BATCH_SIZE",
    "DEAD_LETTERED",
    "PHASE_SECONDS",
    "PUBLISHED",
    "QUARANTINED",
    "REFUSED",
    "RETRIED",
    "SETTLED",
    "TAKEN",
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
