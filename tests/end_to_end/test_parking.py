"""An agency that does not collect is parked: the others get theirs at once, and it gets everything when it returns."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import asyncpg

from lienthong.agency import AgencyClient, Delivered, Waiting
from lienthong.ledger.reports import Reports
from lienthong.simulation.letter import render
from lienthong.simulation.traffic import plan_letter
from lienthong.simulation.units import Member, Role, Unit
from lienthong.testing.processes import Family
from lienthong.topology.names import Step

if TYPE_CHECKING:
    from pathlib import Path

    from tests.end_to_end.conftest import RunningExchange

    from lienthong.agency import Delivery

SECONDS = 90.0
LIMIT = 20
LATER = 40
SENDER, COLLECTS, DOES_NOT = "H01", "H02", "H03"
MEMBERS = (
    Member(Unit(SENDER, "Tỉnh gửi", "province"), Role.SENDS_ONLY),
    Member(Unit(COLLECTS, "Tỉnh nhận", "province"), Role.FULLY),
    Member(Unit(DOES_NOT, "Tỉnh không nhận", "province"), Role.FULLY),
)
SETTINGS = {"LIENTHONG_PARKING_LIMIT": str(LIMIT)}


async def test_everything_follows_in_order_when_it_returns(running_exchange: RunningExchange, tmp_path: Path) -> None:
    """Two routers, one killed while it sends what waited: nothing is lost, nothing twice, and nothing out of order."""
    draft = plan_letter(MEMBERS, SENDER, [COLLECTS, DOES_NOT], seed=1, issued_on=date(2019, 1, 15))
    document = draft.document(render(draft.letter))
    before = [f"before {number}" for number in range(LIMIT)]
    after = [f"after {number}" for number in range(LATER)]
    async with running_exchange(MEMBERS, SETTINGS) as running, AsyncExitStack() as open_:
        exchange = running.exchange
        second = open_.enter_context(Family(tmp_path / "scratch", stop_signal=signal.SIGTERM))
        environment = {**os.environ, **exchange.environments[Step.ROUTER], **SETTINGS}
        second.start([sys.executable, "-m", "lienthong_router"], log=tmp_path / "second.log", environment=environment)
        signer = exchange.credentials.key_files(SENDER).signer()
        sender, collecting = [
            await open_.enter_async_context(AgencyClient(exchange.agency_url(code), signer=key))
            for code, key in ((SENDER, signer), (COLLECTS, None))
        ]
        async with asyncio.timeout(SECONDS):
            for names in before, after:
                collected = asyncio.create_task(received(collecting, len(names)))
                await asyncio.gather(*(sender.send(replace(document, document_id=name)) for name in names))
                got = await collected
                assert {one.document.document_id for one in got} == set(names), "the others' copies go out at once"
                await parked(exchange.ledger_url, DOES_NOT)
            await told(sender, Waiting, set(after))
            late = await open_.enter_async_context(AgencyClient(exchange.agency_url(DOES_NOT), signer=None))
            first = await received(late, LIMIT // 2 + 5)
            os.kill(running.supervisor.pid(Step.ROUTER), signal.SIGKILL)
            rest = await received(late, len(before) + len(after) - len(first))
            await told(sender, Delivered, set(after))
        reports = await Reports.connect(exchange.ledger_url)
        outcomes = {row["outcome"] for row in await reports.outcomes()}
        differences = await reports.entry_differences()
        await reports.close()
        order = await places(exchange.ledger_url, DOES_NOT)
    late_ones = [one.document.document_id for one in (*first, *rest)]
    assert sorted(late_ones) == sorted((*before, *after))
    assert late_ones[len(before) :] == order == [name for name in late_ones if name in after]
    assert (outcomes, list(differences)) == ({"delivered"}, [])


async def parked(ledger_url: str, agency: str) -> None:
    """Return when an agency is parked."""
    reports = await Reports.connect(ledger_url)
    while agency not in {one.code for one in await reports.parked()}:  # noqa: ASYNC110 - another process; there is nothing to wait on
        await asyncio.sleep(0.1)
    await reports.close()


async def received(agency: AgencyClient, count: int) -> list[Delivery]:
    """Return the next documents, each put into safe hands."""
    got: list[Delivery] = []
    async for delivery in agency.deliveries():
        got.append(delivery)
        await delivery.done()
        if len(got) == count:
            break
    return got


async def told(agency: AgencyClient, kind: type[Waiting | Delivered], names: set[str]) -> None:
    """Return when that was told of all these documents."""
    async for each in agency.statuses():
        if isinstance(each, kind):
            names.discard(each.document_id)
        if not names:
            break
    await agency.settle()


async def places(ledger_url: str, agency: str) -> list[str]:
    """Return what had to wait for an agency, in the order in which it was recorded."""
    connection = await asyncpg.connect(ledger_url)
    query = "select document_id from parked_delivery join document using (document) where carrier = $1 order by place"
    found = await connection.fetch(query, agency)
    await connection.close()
    return [row["document_id"] for row in found]
