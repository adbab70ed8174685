"""Who is made to wait is told where a message arrives, before anything is recorded."""

from __future__ import annotations

import pytest

from lienthong.settings import QuotaSettings
from lienthong.worker.quotas import Quotas

LIMIT = 1000


@pytest.mark.parametrize(("urgent", "least"), [(False, LIMIT // 50), (True, LIMIT)])
def test_a_fiftieth_of_the_quota_passes_at_once_and_all_of_it_when_it_is_urgent(*, urgent: bool, least: int) -> None:
    """Beyond a fiftieth of an agency's quota its documents wait, urgent ones only beyond all of it; others never."""
    quotas = Quotas("document", QuotaSettings(documents_per_minute=LIMIT, megabytes_per_hour=0))
    passed = [not quotas.puts_aside("G22", 10, urgent=urgent) for _ in range(2 * LIMIT)]
    assert all(passed[:least])
    # Some room grows back meanwhile.
    assert passed[least:].count(False) > LIMIT // 2
    assert not quotas.puts_aside("H41", 10, urgent=urgent)


def test_nobody_waits_behind_another_one_for_haste_alone() -> None:
    """While one agency's documents wait, another's pass as long as it sends no more than it may, and wait beyond it."""
    quotas = Quotas("document", QuotaSettings(documents_per_minute=LIMIT, megabytes_per_hour=0))
    quotas.note_aside("G22")
    passed = [not quotas.puts_aside("H41", 10, urgent=False) for _ in range(2 * LIMIT)]
    assert all(passed[:LIMIT])
    assert passed[LIMIT:].count(False) > LIMIT // 2


def test_large_documents_are_counted_by_their_bytes() -> None:
    """Few large documents are as much haste as many small ones."""
    quotas = Quotas("document", QuotaSettings(documents_per_minute=0, megabytes_per_hour=100))
    assert [quotas.puts_aside("G22", 800_000, urgent=False) for _ in range(4)] == [False, False, True, True]


def test_where_nothing_is_limited_nobody_waits() -> None:
    """A limit of 0 is none."""
    quotas = Quotas("document", QuotaSettings(documents_per_minute=0, megabytes_per_hour=0))
    assert not any(quotas.puts_aside("G22", 10, urgent=False) for _ in range(LIMIT))
