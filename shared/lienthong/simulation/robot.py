"""A robot agency: a clerk, a leader and an officer who handle what arrives and report each step."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import TYPE_CHECKING

from lienthong.bus.backoff import Backoff
from lienthong.document.life_cycle import STATUS_CODES
from lienthong.edxml import StaffInfo, encode
from lienthong.errors import Unavailable
from lienthong.simulation.journal import Sent
from lienthong.simulation.subjects import officer_mail
from lienthong.simulation.traffic import statuses_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from lienthong.agency import AgencyClient, Delivery
    from lienthong.simulation.journal import Journal
    from lienthong.simulation.traffic import Draft
    from lienthong.simulation.units import Member

__all__ = ["Robot"]

ARRIVED = "01"
REFUSED = "02"
OFFICES = {"clerk": "Văn thư", "leader": "Lãnh đạo", "officer": "Phòng chuyên môn"}


class Robot:
    """Plays one agency with the kit that real agencies install.

    Args:
        member: the unit and its role.
        client: its open connection.
        journal: where it notes what it did and saw.
        drafts: all planned documents by sender and document id: whether it will refuse one, or answer it.
    """

    def __init__(
        self, member: Member, client: AgencyClient, journal: Journal, drafts: Mapping[tuple[str, str], Draft]
    ) -> None:
        self.member = member
        self.journal = journal
        self._client = client
        self._drafts = drafts
        self._code = member.unit.code

    @property
    def duplicates(self) -> int:
        """How many repeated messages its kit dropped."""
        return self._client.duplicates

    async def run(self) -> None:
        """Handle documents and hear statuses until the connection is closed."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._hear())
            async for delivery in self._client.deliveries():
                self.journal.note_got(delivery)
                await delivery.done()
                tasks.create_task(self._handle(delivery))

    async def send(self, draft: Draft) -> None:
        """Send a document, for as long as it takes."""
        body = encode(draft.document)
        await _insist(lambda: self._client.send(body))
        addressees = tuple(unit.code for unit in draft.addressees)
        self.journal.note_sent(draft.document_id, Sent(sha256(body).hexdigest(), addressees))

    async def _hear(self) -> None:
        async for told in self._client.statuses():
            self.journal.note_told(told)

    async def _handle(self, delivery: Delivery) -> None:
        sender, document_id = delivery.sender, delivery.document.document_id
        draft = self._drafts.get((sender, document_id))
        for code in statuses_for(draft, self._code, self.member.role):
            if code != ARRIVED:  # the kit has reported that one
                reason = draft.refused[self._code] if draft and code == REFUSED else STATUS_CODES[code].vi
                await self._report(delivery, code, reason)
            self.journal.note_reported(sender, document_id, code)
        if draft and self._code in draft.replies:
            await self.send(draft.replies[self._code])

    async def _report(self, delivery: Delivery, code: str, description: str) -> None:
        office = STATUS_CODES[code].office
        staff = StaffInfo(
            department=OFFICES.get(office or "", "Văn thư"),
            staff=self.member.unit.name,
            email=officer_mail(office or "clerk", self._code),
        )
        await _insist(lambda: self._client.report_status(delivery, code, description=description, staff=staff))


async def _insist(act: Callable[[], Awaitable[object]]) -> None:
    """Do it again until the broker has it: the same call is the same message."""
    backoff = Backoff()
    while True:
        try:
            await act()
        except Unavailable:
            await asyncio.sleep(backoff.next())
        else:
            return
