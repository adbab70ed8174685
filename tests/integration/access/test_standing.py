"""What operators decide about an agency's connection, on a real ledger with real certificates."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from lienthong.access.admission import NotPossibleError
from lienthong.access.standing import NotReadyError, Registry
from lienthong.document.zone import VIETNAM
from lienthong.ledger.agencies import Agencies
from lienthong.ledger.ledger import Ledger
from lienthong.ledger.rows import AgencyRow
from lienthong.trust import DevelopmentAuthority, TrustStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from lienthong.ledger.directory import Stage

# The one moment of these tests, also of the authority's lists: a long run begins many minutes before it comes to them.
NOW = datetime.now(UTC)
TODAY = NOW.astimezone(VIETNAM).date()


@pytest_asyncio.fixture
async def ledger(database: str) -> AsyncIterator[Ledger]:
    """Provide a ledger: H23 is on trial, H24 and H25 official, H26 registered, H27 suspended."""
    opened = await Ledger.connect(database)
    stages = {"H23": "trial", "H24": "official", "H25": "official", "H26": "registered", "H27": "suspended"}
    await opened.register([AgencyRow(code, f"Tỉnh {code}", stage=stage) for code, stage in stages.items()])  # type: ignore[arg-type]
    yield opened
    await opened.close()


@pytest.fixture
def authority(tmp_path: Path) -> DevelopmentAuthority:
    """Provide an authority that is believed."""
    return DevelopmentAuthority.create(tmp_path / "authority", since=NOW - timedelta(days=30), clock=lambda: NOW)


@pytest.fixture
def registry(ledger: Ledger, authority: DevelopmentAuthority) -> Registry:
    """Provide an operator at work."""
    return Registry(ledger, lambda: TrustStore.load(authority.trust_folder), by="lan@test", clock=lambda: NOW)


async def test_official_needs_everything(registry: Registry, authority: DevelopmentAuthority, database: str) -> None:
    """Each thing that is missing is named in both languages with its command; nothing else makes an agency official."""
    missing = ["conformance", "certificate", "contact H23 clerk", "contact H23 technical"]

    async def require(*left: str) -> None:
        with pytest.raises(NotReadyError) as refused:
            await registry.stage("H23", "official")
        assert len(refused.value.missing) == len(left)
        for one, word in zip(refused.value.missing, left, strict=True):
            assert f"lienthong agency {word}" in one.vi
            assert f"lienthong agency {word}" in one.en
            assert one.vi in str(refused.value)

    await require(*missing)
    await registry.record_conformance("H23", passed=False, on=TODAY - timedelta(days=1))
    await require(*missing)
    await registry.record_conformance("H23", passed=True, software="iOffice", version="5.2")
    await registry.record_contact("H23", "clerk", email="vt@example.vn")
    await registry.record_contact("H23", "technical", phone="0243")
    stranger = DevelopmentAuthority.create(authority.folder.parent / "stranger", since=NOW - timedelta(days=30))
    await registry.record_certificate("H23", stranger.issue("H23", "UBND").certificate)
    await require("certificate", "contact H23 technical")
    assert await registry.record_contact("H23", "technical", email="kt@example.vn")
    assert await registry.record_certificate("H23", authority.issue("H23", "UBND").certificate)
    assert await registry.stage("H23", "official")
    assert not await registry.stage("H23", "official")
    agencies = await Agencies.connect(database)
    record = await agencies.record("H23")
    assert record is not None
    assert [one.stage for one in record.stages] == ["trial", "official"]
    assert record.stage_at(record.stages[1].since) == "official"
    assert record.stage_at(record.stages[0].since) == "trial"
    assert record.stage_at(NOW - timedelta(days=3650)) is None
    assert (record.conformance_passed, record.software_version, len(record.certificates)) == (True, "5.2", 2)
    decided = [(what, facts["by"]) for _, what, facts in await agencies.history("H23")]
    assert decided[-1] == ("AgencyStaged", "lan@test")
    assert [what for what, _ in decided].count("ConformanceRecorded") == 2
    await agencies.close()


async def test_a_revoked_certificate_is_none(registry: Registry, authority: DevelopmentAuthority) -> None:
    """What an agency has shown is judged when it is to be official, not when it was shown."""
    await registry.record_conformance("H23", passed=True)
    for role in ("clerk", "technical"):
        await registry.record_contact("H23", role, email="x@example.vn")
    own = authority.issue("H23", "UBND")
    await registry.record_certificate("H23", own.certificate)
    authority.revoke(own.certificate, at=NOW - timedelta(days=1))
    with pytest.raises(NotReadyError) as refused:
        await registry.stage("H23", "official")
    (missing,) = refused.value.missing
    assert "agency certificate" in missing.en


async def test_other_ways_have_their_own_commands(registry: Registry) -> None:
    """What has to touch the broker as well is not done here, and the text says where it is."""
    ways: tuple[tuple[str, Stage, str], ...] = (
        ("H24", "suspended", "agency suspend H24"),
        ("H24", "registered", "agency suspend H24"),
        ("H26", "trial", "agency add H26"),
        ("H27", "official", "agency resume H27"),
        ("H99", "trial", "no such agency"),
    )
    for code, stage, remedy in ways:
        with pytest.raises(NotPossibleError, match=remedy):
            await registry.stage(code, stage)


async def test_a_certificate_has_to_name_its_agency(registry: Registry, authority: DevelopmentAuthority) -> None:
    """Another agency's certificate is not taken; one with a code of the old form is."""
    with pytest.raises(NotPossibleError, match="serialNumber"):
        await registry.record_certificate("H23", authority.issue("H24", "UBND").certificate)
    own = authority.issue("000.00.00.H23", "UBND").certificate
    assert await registry.record_certificate("H23", own)
    assert not await registry.record_certificate("H23", own)


async def test_merged_agencies_are_one_from_the_day_on(registry: Registry, ledger: Ledger, database: str) -> None:
    """All are merged or none; again, nothing changes; the day counts; the history of each has who decided it."""
    with pytest.raises(NotPossibleError, match="H99"):
        await registry.merge(["H24", "H99"], "H25")
    tomorrow = TODAY + timedelta(days=1)
    assert await registry.merge(["H24", "000.00.00.H26"], "H25", tomorrow) == ["H24", "H26"]
    assert await registry.merge(["H24", "H26"], "H25") == []
    async with ledger.transaction() as unit:
        found = [unit.directory.resolve("H24", day) for day in (TODAY, tomorrow)]
        assert [one.code for one in found if one] == ["H24", "H25"]
    agencies = await Agencies.connect(database)
    ((_, what, facts),) = await agencies.history("H24")
    assert (what, facts) == ("AgencyMerged", {"by": "lan@test", "successor": "H25", "on": tomorrow.isoformat()})
    await agencies.close()


async def test_mergers_that_cannot_be(registry: Registry) -> None:
    """Not into itself, into one that was merged, into one that nobody hears of, on trial, nor otherwise unasked."""
    await registry.merge(["H24"], "H25")
    for old, new, words in (
        ("H25", "H25", "itself"),
        ("H23", "H24", "was merged into H25"),
        ("H25", "H26", "not connected"),
        ("H25", "H23", "on trial"),
        ("H24", "H23", "--instead"),
    ):
        with pytest.raises(NotPossibleError, match=words):
            await registry.merge([old], new)
    with pytest.raises(NotPossibleError, match="--instead"):
        await registry.merge(["H24"], "H25", date(2025, 7, 1))
    assert await registry.merge(["H24"], "H25", date(2025, 7, 1), instead=True) == ["H24"]
