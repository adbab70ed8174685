"""Lists of agencies taken into a real ledger, and seen by workers that run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest
import pytest_asyncio

from lienthong.access.importing import Imported, ListRefusedError, import_list
from lienthong.ledger.agencies import Agencies, AgencyFilter, Contact
from lienthong.ledger.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

AGENCIES = 3_000


@pytest_asyncio.fixture
async def ledger(database: str) -> AsyncIterator[Ledger]:
    """Provide an empty ledger, as its owner."""
    opened = await Ledger.connect(database)
    yield opened
    await opened.close()


async def take(ledger: Ledger, *lines: str) -> Imported:
    """Import a list."""
    done = await import_list(ledger, "\n".join(lines).encode(), by="lan@test")
    assert done is not None
    return done


async def test_a_list_is_taken_once_and_its_changes_after_that(ledger: Ledger, database: str) -> None:
    """Again it changes nothing; what changed is counted; what a shorter list does not say stays; children first too."""
    header = "code,name,old_code,parent,email,software,security_level"
    lines = [
        "H23.4.1,Phòng,,H23.4,,,",
        "H23.4,Sở Nội vụ,000.00.09.H23,H23,snv@example.vn,iOffice,3",
        "H23,UBND tỉnh,,,,,",
    ]
    assert await take(ledger, header, *lines) == Imported(3, 3, 0)
    assert await take(ledger, header, *lines) == Imported(3, 0, 0)
    assert await take(ledger, "code,name", "H23.4,Sở Nội vụ mới", "H23,UBND tỉnh") == Imported(2, 0, 1)
    assert await take(ledger, header, *lines[:1], lines[1].replace("snv@", "vt@"), lines[2]) == (Imported(3, 0, 1))
    agencies = await Agencies.connect(database)
    record = await agencies.record("000.00.09.H23")
    assert record is not None
    assert (record.code, record.name, record.parent, record.stage) == ("H23.4", "Sở Nội vụ", "H23", "registered")
    assert (record.software, record.security_level) == ("iOffice", 3)
    assert record.contacts == (Contact("clerk", None, "vt@example.vn", None),)
    assert [one.stage for one in record.stages] == ["registered"]
    await agencies.close()
    connection = await asyncpg.connect(database)
    assert await connection.fetchval("select count(*) from entry where kind = 'DirectoryImported'") == 3
    await connection.close()


async def test_a_wrong_list_changes_nothing(ledger: Ledger) -> None:
    """One line that does not fit the directory keeps all of them out, and says where it stands."""
    header = "code,name,old_code,parent,successor,succeeded_on,valid_to"
    await take(ledger, header, "H23,UBND,,,,,", "H23.4,Sở,,H23,H23,2025-07-01,")
    for line, column, words in (
        ("H50,x,,H77,,,", "parent", "neither in the file nor in the directory"),
        ("H50,x,,,H77,2025-07-01,", "successor", "neither in the file nor in the directory"),
        ("H50,x,000.00.00.H23,,,,", "old_code", "a code of H23"),
        ("H23,x,,H23.4,,,", "parent", "H23 → H23.4 → H23"),
        ("H23,x,,,H23.4,2025-07-01,", "successor", "H23 → H23.4 → H23"),
    ):
        with pytest.raises(ListRefusedError) as refused:
            await take(ledger, header, "H49,Mới,,,,,", line)
        (trouble,) = refused.value.troubles
        assert (trouble.line, trouble.column) == (3, column)
        assert words in trouble.en
    async with ledger.transaction() as unit:
        assert unit.directory.agency("H49") is None
        assert unit.directory.agency("H23") is not None


async def test_a_code_passes_to_another_agency_on_a_day(ledger: Ledger) -> None:
    """With the days given, a code may mean one agency first and another one later."""
    header = "code,name,old_code,valid_from,valid_to"
    await take(ledger, header, "H23.4,Sở cũ,000.00.09.H23,,2025-07-01")
    await take(ledger, header, "H23.5,Sở mới,000.00.09.H23,2025-07-01,")
    async with ledger.transaction() as unit:
        found = unit.directory.resolve("000.00.09.H23")
        assert found is not None
        assert found.code == "H23.5"
        assert [one.agency for one in unit.directory.holders("000.00.09.H23")] == ["H23.4", "H23.5"]


async def test_a_running_worker_reads_what_changed_and_nothing_else(ledger: Ledger, database: str) -> None:
    """After a change it shares every other agency with what it knew; after a deletion or a restore it reads all."""
    lines = [
        f"H23.{number},Đơn vị {number},000.{number // 99:02}.{number % 99:02}.H23" for number in range(1, AGENCIES)
    ]
    await take(ledger, "code,name,old_code", "H23,UBND,", *lines)
    worker = await Ledger.connect(database, role="lienthong_router")
    async with worker.transaction() as unit:
        before = unit.directory
    await take(ledger, "code,name", "H23.7,Tên mới")
    async with worker.transaction() as unit:
        after = unit.directory
        assert after.version > before.version
        names = [found.name for one in (before, after) if (found := one.agency("H23.7"))]
        assert names == ["Đơn vị 7", "Tên mới"]
        assert all(after.agency(f"H23.{number}") is before.agency(f"H23.{number}") for number in range(8, AGENCIES))
    connection = await asyncpg.connect(database)
    await connection.execute("delete from agency_code where code = '000.00.08.H23'")
    await connection.close()
    async with worker.transaction() as unit:
        assert unit.directory.resolve("000.00.08.H23") is None
        assert unit.directory.resolve("000.00.09.H23") is not None
        assert unit.directory.agency("H23.8") is not before.agency("H23.8")
    connection = await asyncpg.connect(database)
    await connection.execute("update directory_version set version = version - 1")
    await connection.close()
    async with worker.transaction() as unit:
        assert unit.directory.agency("H23.8") is not after.agency("H23.8")
    await worker.close()


async def test_a_worker_misses_no_change_that_commits_late(ledger: Ledger, database: str) -> None:
    """Changes become visible in the order of their numbers: who began later waits for who began earlier."""
    await take(ledger, "code,name", "H23,a", "H24,b")
    first, second = await asyncpg.connect(database), await asyncpg.connect(database)
    async with first.transaction():
        await first.execute("update agency set name = 'first' where code = 'H23'")
        await second.execute("set lock_timeout = '200ms'")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await second.execute("update agency set name = 'second' where code = 'H24'")
    await second.execute("update agency set name = 'second' where code = 'H24'")
    versions = await first.fetch("select version from agency where code in ('H23', 'H24') order by code")
    assert versions[0]["version"] < versions[1]["version"]
    await first.close()
    await second.close()


async def test_agencies_are_found_page_by_page(ledger: Ledger, database: str) -> None:
    """Every filter narrows, pages follow each other without gap or repetition, and the total is that of all pages."""
    lines = [f"H23.{number},Phòng {number},phòng,," for number in range(1, 6)]
    merged = "H24,Tỉnh cũ,tỉnh,H23,2025-07-01"
    await take(ledger, "code,name,kind,successor,succeeded_on", "H23,UBND Hải Dương,tỉnh,,", *lines, merged)
    agencies = await Agencies.connect(database)
    pages, after = [], ""
    while page := await agencies.find(AgencyFilter(), limit=3, after=after):
        pages.append([one.code for one in page])
        after = page[-1].code
    assert pages == [["H23", "H23.1", "H23.2"], ["H23.3", "H23.4", "H23.5"], ["H24"]]
    expected = {
        AgencyFilter(): 7,
        AgencyFilter(kind="phòng"): 5,
        AgencyFilter(under="H23"): 5,
        AgencyFilter(text="hải dương"): 1,
        AgencyFilter(text="HAI DUONG"): 1,
        AgencyFilter(text="duong ubnd"): 1,
        AgencyFilter(text='"duong ubnd"'): 0,
        AgencyFilter(text="pho*"): 5,
        AgencyFilter(text="h23.5"): 1,
        AgencyFilter(text="?"): 0,
        AgencyFilter(text="000.00.00.H2"): 2,
        AgencyFilter(merged=True): 1,
        AgencyFilter(stage="official"): 0,
    }
    assert {wanted: await agencies.count(wanted) for wanted in expected} == expected
    heir = await agencies.record("H23")
    assert heir is not None
    assert heir.predecessors == ("H24",)
    assert await agencies.record("H99") is None
    await agencies.close()
