"""A document to 95 units leaves the router once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import aiohttp

from lienthong.ledger.reports import Reports
from lienthong.simulation.fleet import Fleet
from lienthong.simulation.papers import Papers
from lienthong.simulation.traffic import Traffic, plan_letter
from lienthong.simulation.units import Member, Role, Unit, units_2019

if TYPE_CHECKING:
    from tests.end_to_end.conftest import RunningExchange

    from lienthong.testing.servers import Servers

SECONDS = 60.0
UNITS = tuple(Member(unit, Role.ARRIVAL) for unit in units_2019())
SENDER = Member(Unit("G99", "Cơ quan gửi", "government-agency"), Role.SENDS_ONLY)
MEMBERS = (*UNITS, SENDER)


async def test_a_document_to_95_units_is_one_publish(running_exchange: RunningExchange, servers: Servers) -> None:
    """One publish into exchange ``delivery``, 95 deliveries in the ledger, and each robot got it once."""
    codes = [member.unit.code for member in UNITS]
    draft = replace(plan_letter(MEMBERS, "G99", codes, seed=1, issued_on=date(2019, 1, 15)), written={})
    async with running_exchange(MEMBERS) as running:
        with Papers(Traffic(MEMBERS, (draft,)), running.exchange.credentials) as papers:
            async with Fleet(running.exchange, papers, MEMBERS) as fleet:
                fleet.send(draft)
                tally = fleet.tally
                async with asyncio.timeout(SECONDS):
                    while (tally.counts.deliveries, tally.counts.heard, tally.counts.notices) != (95, 95, 1):
                        assert await tally.change(SECONDS)
                counts = await exchange_counts(servers, running.vhost, "delivery")
        reports = await Reports.connect(running.exchange.ledger_url)
        deliveries = await reports.deliveries()
        await reports.close()
    assert counts == {"publish_in": 1, "publish_out": 95}
    assert sorted(row["addressee"] for row in deliveries) == sorted(codes)
    for code in codes:
        assert fleet.journals[code].got == {("G99", draft.document_id): 1}
    assert fleet.journals["G99"].heard == {(draft.document_id, code, "01"): 1 for code in codes}


async def exchange_counts(servers: Servers, vhost: str, exchange: str) -> dict[str, int]:
    """Return the broker's own count of messages into and out of an exchange, once it has made one."""
    place = urlsplit(servers.management_url)
    url = f"http://{place.hostname}:{place.port}/api/exchanges/{quote(vhost, safe='')}/{exchange}"
    headers = {"Authorization": aiohttp.encode_basic_auth(place.username or "", place.password or "")}
    async with aiohttp.ClientSession(headers=headers) as session, asyncio.timeout(SECONDS):
        while True:
            async with session.get(url) as answer:
                said = (await answer.json()).get("message_stats", {})
            # Channels count every five seconds, in and out apart.
            counts = {name: said.get(name, 0) for name in ("publish_in", "publish_out")}
            if all(counts.values()):
                return counts
            await asyncio.sleep(0.5)
