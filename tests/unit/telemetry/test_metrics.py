"""The metrics stay few, however many agencies there are."""

from __future__ import annotations

import re

from lienthong.telemetry.metrics import LABELS, metric_rows

OF_ONE = {"agency", "document", "message", "user", "message_id", "sender", "receiver", "subject", "target", "reason"}
"""What there may be thousands of, or what a stranger writes."""


def test_every_label_takes_few_values() -> None:
    """Each metric has only labels whose values are listed; none of these is an agency, a document or free text."""
    named = {label for _, _, labels, _ in metric_rows() for label in re.findall(r"`(\w+)`", labels)}
    assert named == LABELS.keys()
    assert not named & OF_ONE
