"""A robot agency: a clerk, a leader and an officer who handle what arrives and report each step."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from lienthong.bus.backoff import Backoff
from lienthong.document.life_cycle import STATUS_CODES
from lienthong.edxml import StaffInfo
from lienthong.errors import Unavailable
from lienthong.simulation.journal import Sent
from lienthong.simulation.subjects import officer_mail
from lienthong.simulation.traffic import statuses_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from lienthong.agency import AgencyClient, Delivery
    from lienthong.simulation.credentials import Holder
    from lienthong.simulation.journal import Journal
    from lienthong.simulation.papers import Papers
    from lienthong.simulation.traffic import Draft
    from lienthong.simulation.units import Member

__all__ = ["Robot"]

ResultT = TypeVar("ResultT")

ARRIVED = "01"
REFUSED = "02"
OFFICES = {"clerk": "Văn thư", "leader": "Lãnh đạo", "officer": "Phòng chuyên môn"}


class Robot:
    """Plays one agency with the kit that real agencies install.

    Args:
        member: the unit and its role.
        clients: its open connections by whose key signs what goes over them: ``agency`` for everything but the few
            documents that are signed otherwise.
        journal: where it notes what it did and saw.
        papers: all planned documents: what it sends, whether it will refuse one that comes, or answer it.
    """

    def __init__(
        self, member: Member, clients: Mapping[Holder | None, AgencyClient], journal: Journal, papers: Papers
    ) -> None:
        self.member = member
        self.journal = journal
        self._clients = clients
        self._client = clients["agency"]
        self._papers = papers
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
        document = await self._papers.document(draft)
        submission = await _insist(lambda: self._clients[draft.signing.on_message].send(document))
        addressees = tuple(unit.code for unit in draft.addressees)
        self.journal.note_sent(draft.document_id, Sent(submission.sha256, addressees, draft.signing.worth))

    async def _hear(self) -> None:
        async for told in self._client.statuses():
            self.journal.note_told(told)

    async def _handle(self, delivery: Delivery) -> None:
        sender, document_id = delivery.sender, delivery.document.document_id
        draft = self._papers.planned(sender, document_id)
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


async def _insist(act: Callable[[], Awaitable[ResultT]]) -> ResultT:
    """Do it again until the broker has it: the same call is the same message."""
    backoff = Backoff()
    while True:
        try:
            return await act()
        except Unavailable:
            await asyncio.sleep(backoff.next())
