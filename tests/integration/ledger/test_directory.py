"""Who a code means, and whose queue carries what is addressed to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lienthong.ledger.rows import AgencyRow

if TYPE_CHECKING:
    from lienthong.ledger.ledger import Ledger


async def test_both_forms_of_a_code_mean_one_agency(ledger: Ledger) -> None:
    """Level 1 is known in the old form as well, and what the directory maps is what counts below it."""
    await ledger.register([AgencyRow("H23.4", "Sở Nội vụ", codes=("000.00.09.H23",))])
    async with ledger.transaction() as unit:
        for written, code in (("G22", "G22"), ("000.00.00.G22", "G22"), ("000.00.09.H23", "H23.4")):
            agency = unit.directory.resolve(written)
            assert agency is not None
            assert agency.code == code
        assert unit.directory.resolve("000.00.10.H23") is None


async def test_the_nearest_connected_ancestor_carries(ledger: Ledger) -> None:
    """An addressee without a connection is carried by the nearest one above it, by parent or by code."""
    await ledger.register(
        [
            AgencyRow("000.00.37.H53", "Huyện"),
            AgencyRow("000.11.37.H53", "Phòng Y tế"),
            AgencyRow("H53", "Tỉnh", stage="official"),
            AgencyRow("000.12.37.H53", "Phòng Nội vụ", parent="H23"),
            AgencyRow("vxp.saas.02", "Thử nghiệm"),
            AgencyRow("G01", "Bộ Công an", stage="in-progress"),
        ]
    )
    carriers = {
        "000.11.37.H53": "H53",
        "000.00.00.H53": "H53",
        "000.12.37.H53": "H23",
        "vxp.saas.02": None,
        "G01": None,
        "H23": "H23",
    }
    async with ledger.transaction() as unit:
        for written, code in carriers.items():
            agency = unit.directory.resolve(written)
            assert agency is not None
            carrier = unit.directory.carrier(agency)
            assert (carrier.code if carrier else None) == code, written


async def test_a_suspended_agency_is_carried_by_nobody(ledger: Ledger) -> None:
    """What is addressed to a suspended agency, or to one below it, does not surface elsewhere."""
    await ledger.register([AgencyRow("H23.1", "Sở", stage="suspended"), AgencyRow("H23.1.2", "Phòng")])
    async with ledger.transaction() as unit:
        for code in ("H23.1", "H23.1.2"):
            agency = unit.directory.resolve(code)
            assert agency is not None
            assert unit.directory.carrier(agency) is None


async def test_who_may_speak_for_whom(ledger: Ledger) -> None:
    """An agency speaks for itself and for those it carries, and for nobody else."""
    await ledger.register([AgencyRow("H23.1", "Sở"), AgencyRow("H41.1", "Sở", stage="official")])
    async with ledger.transaction() as unit:
        directory = unit.directory
        expected = {("H23", "H23"): True, ("H23", "H23.1"): True, ("H41", "H41.1"): False, ("H23", "G22"): False}
        for (user, code), may in expected.items():
            agency = directory.resolve(code)
            assert agency is not None
            assert directory.speaks_for(user, agency) is may


async def test_a_change_is_seen_without_restart(ledger: Ledger) -> None:
    """The next transaction sees an agency registered in between; an unchanged directory is not read again."""
    async with ledger.transaction() as unit:
        before = unit.directory
        assert before.resolve("H99") is None
    async with ledger.transaction() as unit:
        assert unit.directory is before
    await ledger.register([AgencyRow("H99", "Mới")])
    async with ledger.transaction() as unit:
        assert unit.directory.resolve("H99") is not None
