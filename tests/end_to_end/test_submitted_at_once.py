"""One document that sixteen connections of an agency submit at the same moment is one document for everybody."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from lienthong.agency import AgencyClient, Delivered, Receipt
from lienthong.edxml import encode
from lienthong.ledger.reports import Reports
from lienthong.signature import sign_message
from lienthong.simulation.letter import render
from lienthong.simulation.supervisor import Supervisor
from lienthong.simulation.traffic import plan_letter
from lienthong.simulation.units import Member, Role, Unit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.end_to_end.conftest import RunningExchange

    from lienthong.agency import Delivery
    from lienthong.agency.reading import Told

SECONDS = 60.0
CONNECTIONS = 16
SENDER, RECEIVER = "H01", "H02"
MEMBERS = (
    Member(Unit(SENDER, "Tỉnh gửi", "province"), Role.SENDS_ONLY),
    Member(Unit(RECEIVER, "Tỉnh nhận", "province"), Role.FULLY),
)


async def test_one_document_submitted_at_once_is_answered_alike_and_delivered_once(
    running_exchange: RunningExchange, tmp_path: Path
) -> None:
    """Two replicas of every worker, sixteen submissions: sixteen receipts that say the same, one delivery."""
    draft = plan_letter(MEMBERS, SENDER, [RECEIVER], seed=1, issued_on=date(2019, 1, 15))
    document = draft.document(render(draft.letter))
    async with running_exchange(MEMBERS) as running, AsyncExitStack() as open_:
        exchange = running.exchange
        signer = exchange.credentials.key_files(SENDER).signer()
        body = sign_message(encode(document), signer, signing_time=datetime.now(UTC))
        last = sign_message(encode(replace(document, document_id="last")), signer, signing_time=datetime.now(UTC))
        # Replicas, so that the copies are handled at once, too.
        await open_.enter_async_context(
            Supervisor(exchange.environments, logs=tmp_path / "logs", scratch=tmp_path / "scratch")
        )
        url = exchange.agency_url(SENDER)
        clients = [await open_.enter_async_context(AgencyClient(url, signer=None)) for _ in range(CONNECTIONS)]
        receiver = await open_.enter_async_context(AgencyClient(exchange.agency_url(RECEIVER), signer=None))
        async with asyncio.timeout(SECONDS):
            await asyncio.gather(*(one.send(body, message_id=f"at once {n}") for n, one in enumerate(clients)))
            told = await heard(clients[0], lambda told: len(receipts(told)) == CONNECTIONS and len(delivered(told)) > 0)
            # Whatever the copies cause was caused before.
            await clients[0].send(last, message_id="last")
            got, more = await asyncio.gather(
                received(receiver),
                heard(clients[0], lambda told: len(receipts(told)) > 0 and len(delivered(told)) > 0),
            )
        reports = await Reports.connect(exchange.ledger_url)
        documents, deliveries = await reports.documents(), await reports.deliveries()
        await reports.close()
    answers = receipts(told)
    assert sorted(one.submission_message_id for one in answers) == sorted(f"at once {n}" for n in range(CONNECTIONS))
    assert sorted(one.repeated for one in answers) == [False] + [True] * (CONNECTIONS - 1)
    assert len({(one.document, one.document_id, one.sha256, one.received_at) for one in answers}) == 1
    assert len(delivered(told)) == 1
    assert [one.submission_message_id for one in receipts(more)] == ["last"]
    assert [one.document_id for one in delivered(more)] == ["last"]
    assert [one.document.document_id for one in got] == [document.document_id, "last"]
    assert sorted(row["document_id"] for row in documents) == sorted([document.document_id, "last"])
    assert len(deliveries) == len(documents)


def receipts(told: Sequence[Told]) -> list[Receipt]:
    """Return the receipts among what was told."""
    return [one for one in told if isinstance(one, Receipt)]


def delivered(told: Sequence[Told]) -> list[Delivered]:
    """Return what was told to be delivered."""
    return [one for one in told if isinstance(one, Delivered)]


async def heard(agency: AgencyClient, enough: Callable[[Sequence[Told]], bool]) -> list[Told]:
    """Return what is told until it is enough."""
    told: list[Told] = []
    async for each in agency.statuses():
        told.append(each)
        if enough(told):
            break
    await agency.settle()
    return told


async def received(agency: AgencyClient) -> list[Delivery]:
    """Return what comes until the last document is there."""
    got: list[Delivery] = []
    async for delivery in agency.deliveries():
        got.append(delivery)
        await delivery.done()
        if delivery.document.document_id == "last":
            break
    return got
