"""A story of one document, told through the kit: withdrawn here, kept there, updated, replaced."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import asyncpg

from lienthong.agency import AgencyClient, Delivered, Event, Refused, State, StatusReport
from lienthong.ledger.reports import Reports
from lienthong.simulation.letter import render
from lienthong.simulation.traffic import plan_letter
from lienthong.simulation.units import Member, Role, Unit

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.end_to_end.conftest import RunningExchange

    from lienthong.agency.reading import Told

SECONDS = 90.0
SENDER, RECEIVERS = "H01", ("H02", "H03", "H04", "H05")
MEMBERS = (
    Member(Unit(SENDER, "Tỉnh gửi", "province"), Role.SENDS_ONLY),
    *(Member(Unit(code, f"Tỉnh {code}", "province"), Role.FULLY) for code in RECEIVERS),
)
KEEPS = "H03"
"""Who declines to give a document back."""


class Office:
    """A receiver's system: registers what is new, gives back or keeps what it is asked for, knows what is in force."""

    def __init__(self, client: AgencyClient) -> None:
        self.client = client
        self.in_force: dict[str, str] = {}
        self.asked: list[Event] = []

    async def run(self) -> None:
        """Handle what comes."""
        async for delivery in self.client.deliveries():
            earlier = delivery.earlier_document_id or ""
            if delivery.asks is not None:
                self.asked.append(delivery.asks)
            if delivery.asks is Event.UPDATE:
                self.in_force[earlier] = delivery.document.subject or ""
                await self.client.agree(delivery)
            elif delivery.asks is None:
                for replaced in delivery.document.business.replacements:
                    self.in_force.pop(replaced.document_id, None)
                self.in_force[delivery.document.document_id] = delivery.document.subject or ""
                await self.client.report_status(delivery, "03")
            elif self.client.code == KEEPS:
                await self.client.decline(delivery, reason="Đã thi hành")
            else:
                del self.in_force[earlier]
                await self.client.agree(delivery)


class Sender:
    """The sender, and everything it was told, in order."""

    def __init__(self, client: AgencyClient) -> None:
        self.client = client
        self.told: list[Told] = []
        self._news = asyncio.Condition()

    async def run(self) -> None:
        """Hear what the exchange and the receivers tell."""
        async for told in self.client.statuses():
            async with self._news:
                self.told.append(told)
                self._news.notify_all()

    async def hears(self, what: Callable[[list[Told]], bool]) -> None:
        """Wait until it has been told something."""
        async with asyncio.timeout(SECONDS), self._news:
            await self._news.wait_for(lambda: what(self.told))

    async def hears_statuses(self, *expected: str) -> None:
        """Wait until receivers have told these: ``H02 15``."""
        await self.hears(lambda told: {*expected} <= {f"{one.reporter} {one.event}" for one in reports(told)})


def reports(told: list[Told]) -> list[StatusReport]:
    """Return what receivers reported."""
    return [one for one in told if isinstance(one, StatusReport)]


def refusals(told: list[Told]) -> list[Refused]:
    """Return what was refused."""
    return [one for one in told if isinstance(one, Refused)]


async def test_a_document_is_withdrawn_updated_and_replaced(running_exchange: RunningExchange) -> None:
    """Every receiver works by what is in force for it, and the ledger says the same as sender and receivers."""
    draft = plan_letter(MEMBERS, SENDER, RECEIVERS, seed=1, issued_on=date(2019, 1, 15))
    everybody = draft.document(render(draft.letter))
    addressee = {one.organ_id[-3:]: one for one in everybody.addressees}  # some are in the old form
    first = replace(everybody, addressees=tuple(addressee[code] for code in ("H02", "H03", "H04")), subject="bản 1")
    name = first.document_id
    async with running_exchange(MEMBERS) as running, AsyncExitStack() as open_, asyncio.TaskGroup() as tasks:
        exchange = running.exchange

        async def client(code: str) -> AgencyClient:
            signer = exchange.credentials.key_files(code).signer()
            return await open_.enter_async_context(AgencyClient(exchange.agency_url(code), signer=signer))

        sender = Sender(await client(SENDER))
        offices = {code: Office(await client(code)) for code in RECEIVERS}
        loops = [tasks.create_task(sender.run()), *(tasks.create_task(one.run()) for one in offices.values())]

        await sender.client.send(first)
        await sender.hears_statuses("H02 03", "H03 03", "H04 03")
        await sender.client.withdraw(first, reason="Gửi nhầm", addressees=[addressee["H02"], addressee["H03"]])
        await sender.hears_statuses("H02 15", "H03 16")

        revised = replace(first, addressees=tuple(addressee[code] for code in ("H03", "H04", "H05")), subject="bản 2")
        await sender.client.update(revised, of=name, reason="Sửa phụ lục", added=["H05"], removed=["H04"])
        await sender.hears_statuses("H03 15", "H04 15", "H05 03")

        # Frozen at the sender where it was withdrawn, and for the receiver there as well.
        late = replace(first, addressees=(addressee["H02"],), subject="muộn")
        submitted = await sender.client.update(late, of=name, reason="Sửa")
        await sender.hears(lambda told: len(refusals(told)) == 1)
        (refused,) = refusals(sender.told)
        assert refused.submission_message_id == submitted.message_id
        assert refused.problems[0].path == "MessageHeader/To[1]/OrganId"

        second = replace(
            revised, document_id=f"{name}-TT", addressees=(addressee["H03"], addressee["H05"]), subject="bản 3"
        )
        await sender.client.replace(second, replaces={name: ["H03", "H05"]}, reason="Sai nội dung")
        await sender.hears(
            lambda told: sum(isinstance(one, Delivered) and one.document_id == second.document_id for one in told) == 1
        )
        await sender.hears(
            lambda told: sum(one.document_id == second.document_id and one.event == "03" for one in reports(told)) == 2
        )
        found = await states(exchange.ledger_url)
        ledger = await Reports.connect(exchange.ledger_url)
        assert await ledger.entry_differences() == []
        await ledger.close()
        for loop in loops:
            loop.cancel()
    assert {code: office.in_force for code, office in offices.items()} == {
        "H02": {},
        "H03": {second.document_id: "bản 3"},
        "H04": {},
        "H05": {second.document_id: "bản 3"},
    }
    assert {code: office.asked for code, office in offices.items()} == {
        "H02": [Event.WITHDRAW],
        "H03": [Event.WITHDRAW, Event.UPDATE],
        "H04": [Event.REMOVE],
        "H05": [],
    }
    documents = {key[1:]: state for key, state in found.items() if key[0] == "document"}
    assert documents == {
        ("H02", "bản 1"): State.WITHDRAWN,
        ("H03", "bản 1"): State.REPLACED,
        ("H04", "bản 1"): State.WITHDRAWN,
        ("H05", "bản 2"): State.REPLACED,
        ("H03", "bản 3"): State.ACCEPTED,
        ("H05", "bản 3"): State.ACCEPTED,
    }


async def states(url: str) -> dict[tuple[str, str, str], str]:
    """Return the state of every delivery by role, addressee and subject."""
    connection = await asyncpg.connect(url)
    rows = await connection.fetch(
        "select v.role, v.addressee, d.subject, v.state from delivery v join document d using (document)"
    )
    await connection.close()
    return {(row["role"], row["addressee"], row["subject"]): row["state"] for row in rows}
