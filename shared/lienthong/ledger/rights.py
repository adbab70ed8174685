"""What each role of the ledger may do, by table: said again, by a second hand, beside the migrations that grant it.

Tests hold the two against each other; the doctor finds where a server's grants were changed since.
"""

from __future__ import annotations

__all__ = ["DELETES", "INSERTS", "READS", "UPDATES"]

_EVERY_WORKER = {"agency", "agency_code", "directory_version", "handled_alone", "schema_migration"}
READS: dict[str, set[str]] = {
    "lienthong_ingest": _EVERY_WORKER | {"submission", "document", "refusal", "quota_use", "diverted"},
    "lienthong_signature_verify": _EVERY_WORKER
    | {"document", "verification", "routing", "delivery", "refusal", "parked_delivery"},
    "lienthong_router": _EVERY_WORKER
    | {"document", "verification", "routing", "delivery", "action", "refusal", "parked_agency", "parked_delivery"},
    "lienthong_status_tracker": _EVERY_WORKER
    | {"submission", "document", "routing", "delivery", "action", "status", "refusal", "quota_use"},
    "lienthong_notifier": _EVERY_WORKER
    | {"notice", "document", "routing", "delivery", "status", "parked_delivery"}
    | {"calendar_day", "sending", "deadline", "queued_delivery", "delivery_answer"}
    | {"letter", "announcement", "alarm"},
}
"""Of the roles that are not here, operator and reader, all."""
INSERTS: dict[str, set[str]] = {
    "lienthong_ingest": {"entry", "handled_alone", "submission", "document", "attachment", "refusal", "quota_use"}
    | {"diverted"},
    "lienthong_signature_verify": {"entry", "handled_alone", "verification", "refusal"},
    "lienthong_router": {"entry", "handled_alone", "routing", "delivery", "action", "refusal"}
    | {"parked_agency", "parked_delivery"},
    "lienthong_status_tracker": {"entry", "handled_alone", "submission", "status", "refusal", "quota_use"},
    "lienthong_notifier": {"entry", "handled_alone", "notice", "sending", "deadline", "letter", "alarm"},
    "lienthong_operator": {"entry", "dead_letter", "refusal", "routing"},
    "lienthong_reader": set(),
}
_ALONE = {"handled_alone": {"times", "last_at"}}
_MARK = {"forwarded_at"}
_LETTERS = {
    "letter": {"state", "attempts", "next_at", "done_at", "trouble"},
    "announcement": {"letter"},
    "alarm": {"cleared_at"},
}
_QUOTAS = {"quota_use": {"messages_until", "bytes_until", "over_since"}}
_DIVERTED = {"diverted": {"until"}}
_PARKED = {"parked_agency": {"parked_at"}, "parked_delivery": {"sent_at", "dropped", "told_at"}}
_CLOCKS = {
    "delivery": {"next_due_at", "receipt_due_at", "transfer_due_at", "finish_due_at"},
    "deadline": {"told_at", "dropped"},
}
_SETTLED = {"action": {"outcome", "status", "settled_at"}}
_STATE = {"delivery": {"state", "take_back", "request", "version", "changed_at"}}
UPDATES: dict[str, dict[str, set[str]]] = {
    "lienthong_ingest": _ALONE | _QUOTAS | _DIVERTED | {"document": _MARK, "refusal": _MARK},
    "lienthong_signature_verify": _ALONE | {"verification": _MARK | {"judge_again_at", "asked_at"}, "refusal": _MARK},
    "lienthong_router": _ALONE | _SETTLED | _STATE | _PARKED | {"routing": _MARK, "refusal": _MARK},
    "lienthong_status_tracker": _ALONE | _SETTLED | _STATE | _QUOTAS | {"status": _MARK, "refusal": _MARK},
    "lienthong_notifier": _ALONE | _CLOCKS | _LETTERS | {"notice": _MARK},
    "lienthong_operator": {
        "refusal": _MARK,
        "dead_letter": {"state", "times", "reason", "attempts", "changed_at", "changed_by", "refusal"},
    },
    "lienthong_reader": {},
}
DELETES: dict[str, set[tuple[str, str]]] = {
    "lienthong_ingest": {("delete from", "diverted")},
    "lienthong_router": {("delete from", "parked_agency")},
    "lienthong_notifier": {("delete from", "letter"), ("delete from", "announcement")},
}
