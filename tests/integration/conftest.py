"""A broker on which one agency has what an agency has, the exchange's side played by the test."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import uuid4

import pytest_asyncio
from yarl import URL

from lienthong.bus.connection import Bus
from lienthong.bus.messages import Outgoing
from lienthong.document.ids import derive
from lienthong.edxml import Document, encode
from lienthong.topology.names import DELIVERY, Header, Step, work_queue
from lienthong.topology.plan import agency_permissions, agency_plan, agency_topic_permissions, exchange_plan, lanes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from lienthong.bus.admin import BrokerAdmin
    from lienthong.bus.messages import Incoming

AGENCY = "G22"
SENDER = "H23"
SECONDS = 15.0


@dataclass
class Stage:
    """A broker with the exchange's topology, and the exchange's side of it."""

    url: str
    bus: Bus
    admin: BrokerAdmin

    async def deliver(
        self, document: Document | bytes, *, found: Mapping[Header, str] | None = None, **changes: object
    ) -> str:
        """Put a document into the agency's delivery queue as the router does; returns its message id."""
        body = document if isinstance(document, bytes) else encode(document)
        document_id = "unreadable" if isinstance(document, bytes) else document.document_id
        message = Outgoing(
            DELIVERY,
            AGENCY,
            str(derive("delivery", document_id)),
            body,
            content_type="application/edxml+xml",
            type="document",
            headers={
                Header.DOCUMENT: str(uuid4()),
                Header.DOCUMENT_ID: document_id,
                Header.SENDER: SENDER,
                Header.BUSINESS: 0,
                Header.SHA256: sha256(body).hexdigest(),
                **{str(name): text for name, text in (found or {}).items()},
            },
        )
        return await self.publish(replace(message, **changes))  # type: ignore[arg-type]

    async def publish(self, message: Outgoing) -> str:
        """Publish and see it confirmed."""
        assert await self.bus.publish_many([message]) == [None]
        return message.message_id

    async def submitted(self, step: Step, count: int) -> list[Incoming]:
        """Take so many submissions from a worker's queues."""
        taken: list[Incoming] = []
        await self.bus.consume([work_queue(step, lane) for lane in lanes(step)], prefetch=100)
        async with asyncio.timeout(SECONDS):
            while len(taken) < count:
                batch = await self.bus.take(100, timeout=None)
                for message in batch:
                    await self.bus.ack_through(message.queue, message.tag)
                taken += batch
        await self.bus.cancel()
        return taken

    async def left(self, queue: str) -> int:
        """Return how many messages a queue holds that nobody has."""
        await self.bus.consume([queue], prefetch=100)
        left = 0
        while await self.bus.take(1, timeout=0.5):
            left += 1
        await self.bus.cancel()
        return left


@pytest_asyncio.fixture
async def stage(vhost: str, broker_admin: BrokerAdmin) -> AsyncIterator[Stage]:
    """Provide a broker on which the agency G22 has exactly what an agency has."""
    await broker_admin.put_user(AGENCY, "secret")
    name = urlsplit(vhost).path[1:]
    await broker_admin.set_topic_permissions(name, AGENCY, agency_topic_permissions(AGENCY))
    await broker_admin.set_permissions(name, AGENCY, agency_permissions(AGENCY))
    url = str(URL(vhost).with_user(AGENCY).with_password("secret"))
    async with Bus(vhost, name="stage") as bus:
        await bus.declare(sum((agency_plan(AGENCY),), start=exchange_plan()))
        yield Stage(url, bus, broker_admin)
    await broker_admin.delete_user(AGENCY)
