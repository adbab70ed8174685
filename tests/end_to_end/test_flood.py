"""An agency that floods is cut short and told so; nothing it was confirmed is lost, and the others notice nothing."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import aio_pika
import asyncpg
from aio_pika.exceptions import DeliveryError

from lienthong.agency import AgencyClient, Receipt, Refused
from lienthong.bus.admin import BrokerAdmin
from lienthong.edxml import OtherInfo, encode
from lienthong.simulation.letter import render
from lienthong.simulation.traffic import plan_letter
from lienthong.simulation.units import Member, Role, Unit
from lienthong.topology.names import SUBMISSION, Step, SubmissionKey, diverted_queue, submission_key

if TYPE_CHECKING:
    from tests.end_to_end.conftest import RunningExchange

    from lienthong.edxml import Document
    from lienthong.testing.servers import Servers

SECONDS = 120.0
QUOTA = 30
AT_ONCE = 5
REJECTED = 20
FLOODER, NEIGHBOUR, RECEIVER = "H01", "H02", "H03"
MEMBERS = tuple(
    Member(Unit(code, f"Tỉnh {code}", "province"), Role.SENDS_ONLY) for code in (FLOODER, NEIGHBOUR, RECEIVER)
)
SETTINGS = {"LIENTHONG_QUOTA_DOCUMENTS_PER_MINUTE": str(QUOTA)}


class Flood:
    """Publishes as fast as the broker confirms or rejects, until it was rejected often enough."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._body = encode(replace(paper(FLOODER), document_id="flood 0"))
        self.confirmed: set[str] = set()
        self.rejected = 0
        self.is_rejected = asyncio.Event()

    async def run(self) -> None:
        """Publish."""
        async with await aio_pika.connect(self._url) as connection, connection.channel() as channel:
            exchange = await channel.get_exchange(SUBMISSION, ensure=False)
            names = (f"flood {number}" for number in range(1, 1_000_000))

            async def publish() -> None:
                while self.rejected < REJECTED:
                    name = next(names)
                    body = self._body.replace(b"flood 0", name.encode())
                    message = aio_pika.Message(body, message_id=name, user_id=FLOODER, delivery_mode=2)
                    try:
                        await exchange.publish(message, submission_key(FLOODER, SubmissionKey.DOCUMENT))
                    except DeliveryError:
                        self.rejected += 1
                        self.is_rejected.set()
                    else:
                        self.confirmed.add(name)

            await asyncio.gather(*(publish() for _ in range(AT_ONCE)))


async def test_a_flood_is_cut_short_and_all_of_it_answered(running_exchange: RunningExchange, servers: Servers) -> None:
    """What is confirmed is answered once, though ingest dies meanwhile; then the flooder sends like anybody else."""
    async with running_exchange(MEMBERS, SETTINGS) as running, asyncio.timeout(SECONDS):
        exchange = running.exchange
        flood = Flood(exchange.agency_url(FLOODER))
        async with (
            AgencyClient(exchange.agency_url(NEIGHBOUR), signer=None) as neighbour,
            AgencyClient(exchange.agency_url(FLOODER), signer=None) as flooder,
        ):
            async with asyncio.TaskGroup() as group:
                group.create_task(flood.run())
                await flood.is_rejected.wait()
                os.kill(running.supervisor.pid(Step.INGEST), signal.SIGKILL)
                sent = await neighbour.send(paper(NEIGHBOUR))
                answer = await anext(neighbour.statuses())
                assert isinstance(answer, Receipt)
                assert answer.submission_message_id == sent.message_id
            told = await answers(flooder, len(flood.confirmed))
            assert Counter(one.submission_message_id for one in told) == Counter(flood.confirmed)
            refused = [one for one in told if isinstance(one, Refused)]
            assert len(told) - len(refused) >= QUOTA
            assert {problem.code for one in refused for problem in one.problems} == {"Quota"}
            await no_longer_diverted(servers, running.vhost)
            # Within its quota again, it is received.
            ledger = await asyncpg.connect(exchange.ledger_url)
            await ledger.execute("update quota_use set messages_until = now()")
            assert await ledger.fetchval("select count(*) from entry where kind = 'AgencyThrottled'") == 1
            assert await ledger.fetchval("select count(*) from diverted") == 0
            await ledger.close()
            later = await flooder.send(paper(FLOODER))
            (answer,) = await answers(flooder, 1)
            assert isinstance(answer, Receipt)
            assert answer.submission_message_id == later.message_id


async def answers(agency: AgencyClient, count: int) -> list[Receipt | Refused]:
    """Return so many receipts and refusals."""
    found: list[Receipt | Refused] = []
    async for told in agency.statuses():
        if isinstance(told, Receipt | Refused):
            found.append(told)
            if len(found) == count:
                break
    await agency.settle()
    return found


async def no_longer_diverted(servers: Servers, vhost: str) -> None:
    """Wait until no key is bound to what is diverted."""
    async with BrokerAdmin(servers.management_url) as admin:
        while diverted_queue(Step.INGEST) in {one.destination for one in await admin.bindings(vhost) if one.source}:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.1)


def paper(sender: str) -> Document:
    """Return a document to the receiver."""
    draft = plan_letter(MEMBERS, sender, [RECEIVER], seed=1, issued_on=date(2019, 1, 15))
    return replace(draft.document(render(draft.letter)), other=OtherInfo())
