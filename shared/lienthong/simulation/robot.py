"""A robot agency: a clerk, a leader and an officer who handle what arrives and report each step."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from lienthong.agency import Delivered, DocumentReference, StatusReport
from lienthong.bus.backoff import Backoff
from lienthong.document.life_cycle import STATUS_CODES
from lienthong.edxml import BusinessType, StaffInfo
from lienthong.errors import Unavailable
from lienthong.simulation.journal import Sent
from lienthong.simulation.subjects import officer_mail
from lienthong.simulation.traffic import statuses_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from lienthong.agency import AgencyClient
    from lienthong.simulation.credentials import Holder
    from lienthong.simulation.journal import Journal
    from lienthong.simulation.papers import Papers
    from lienthong.simulation.traffic import Draft
    from lienthong.simulation.units import Member

__all__ = ["Robot"]

ResultT = TypeVar("ResultT")

ARRIVED = "01"
REFUSED = "02"
ASKS_BACK = "13"
OFFICES = {"clerk": "Văn thư", "leader": "Lãnh đạo", "officer": "Phòng chuyên môn"}


class Robot:
    """Plays one agency with the kit that real agencies install.

    Made anew with the journal of one that was killed, it goes on where that one stopped.

    Args:
        member: the unit and its role.
        clients: its open connections by whose key signs what goes over them: ``agency`` for everything but the few
            documents that are signed otherwise.
        journal: where it notes what it did and saw.
        papers: all planned documents: what it sends, whether it will refuse one that comes, or answer it.
        kit_reports_arrival: whether its kit reports 01 by itself; else it does so, where its role is to.
    """

    def __init__(
        self,
        member: Member,
        clients: Mapping[Holder | None, AgencyClient],
        journal: Journal,
        papers: Papers,
        *,
        kit_reports_arrival: bool = True,
    ) -> None:
        self.member = member
        self.journal = journal
        self._clients = clients
        self._client = clients["agency"]
        self._papers = papers
        self._code = member.unit.code
        self._kit_reports_arrival = kit_reports_arrival
        self._tasks: asyncio.TaskGroup | None = None
        self._handling: set[tuple[str, ...]] = set()
        self._following: set[str] = set()
        self._noted = asyncio.Condition()

    @property
    def duplicates(self) -> int:
        """How many repeated messages its kit dropped."""
        return self._client.duplicates

    async def run(self) -> None:
        """Handle documents, hear statuses and send what it is told to until the connection is closed."""
        async with asyncio.TaskGroup() as self._tasks:
            for document_id, draft in self.journal.begun.items():
                if document_id not in self.journal.sent:
                    self._tasks.create_task(self._send(draft))
            for document_id in self.journal.delivered:
                self._follow(document_id)
            for key in self.journal.references:
                self._handle(key)
            self._tasks.create_task(self._hear())
            async for delivery in self._client.deliveries():
                self.journal.note_got(delivery)
                await delivery.done()
                self.journal.note_kept()
                self._handle((delivery.sender, delivery.document.document_id))

    def send(self, draft: Draft) -> None:
        """Send a document, for as long as it takes; at once when it runs, else as soon as it does."""
        if draft.document_id not in self.journal.begun:
            self.journal.begun[draft.document_id] = draft
            if self._tasks is not None:
                self._tasks.create_task(self._send(draft))

    async def _send(self, draft: Draft) -> None:
        document = await self._papers.document(draft)
        submission = await _insist(lambda: self._clients[draft.signing.on_message].send(document))
        addressees = tuple(unit.code for unit in draft.addressees)
        self.journal.note_sent(draft.document_id, Sent(submission.sha256, addressees, draft.signing.worth, draft.late))

    async def _hear(self) -> None:
        before = self.journal.last_told
        async for told in self._client.statuses():
            # What it was told when it was killed it is told again.
            if told != before:
                self.journal.note_told(told)
            before = None
            if isinstance(told, Delivered):
                self._follow(told.document_id)
            elif isinstance(told, StatusReport):
                await self._notify()

    async def _notify(self) -> None:
        async with self._noted:
            self._noted.notify_all()

    def _follow(self, document_id: str) -> None:
        draft = self.journal.begun.get(document_id)
        if self._tasks is not None and draft is not None and document_id not in self._following:
            self._following.add(document_id)
            self._tasks.create_task(self._reconsider(draft))

    async def _reconsider(self, draft: Draft) -> None:
        """Ask for a delivered document back, or send the one that acts on it, where that is planned."""
        for receiver in draft.asked_back:
            if (receiver, draft.document_id, ASKS_BACK) not in self.journal.reported:
                about = DocumentReference(receiver, draft.document_id, str(draft.code), draft.issued_on)
                await self._report(about, ASKS_BACK, STATUS_CODES[ASKS_BACK].vi)
                self.journal.note_reported(receiver, draft.document_id, ASKS_BACK)
        if draft.followed_by is None:
            return
        if draft.followed_by.business is BusinessType.REPLACE:
            # It ends there and then what its receivers still report about.
            async with self._noted:
                await self._noted.wait_for(lambda: self._is_told_all(draft))
        self.send(draft.followed_by)

    def _is_told_all(self, draft: Draft) -> bool:
        roles = {member.unit.code: member.role for member in self._papers.traffic.members}
        return all(
            (draft.document_id, unit.code, code) in self.journal.heard
            for unit in draft.addressees
            for code in statuses_for(draft, unit.code, roles[unit.code])
        )

    def _handle(self, key: tuple[str, ...]) -> None:
        if self._tasks is not None and key not in self._handling:
            self._handling.add(key)
            self._tasks.create_task(self._work_on(key))

    async def _work_on(self, key: tuple[str, ...]) -> None:
        """Report each step that is not reported yet, then answer."""
        sender, document_id = key
        draft = self._papers.planned(sender, document_id)
        for code in statuses_for(draft, self._code, self.member.role):
            if (*key, code) in self.journal.reported:
                continue
            if draft:
                async with self._noted:
                    await self._noted.wait_for(lambda: self._may_report(draft, code))  # noqa: B023 - awaited here
            if code != ARRIVED or not self._kit_reports_arrival:
                reason = draft.refused[self._code] if draft and code == REFUSED else STATUS_CODES[code].vi
                await self._report(self.journal.references[key], code, reason)
            self.journal.note_reported(sender, document_id, code)
            await self._notify()
        if draft and self._code in draft.replies:
            self.send(draft.replies[self._code])

    def _may_report(self, draft: Draft, code: str) -> bool:
        """Tell whether it is time: nothing is given back before it is asked for, or answered that is in work yet."""
        sender, earlier = draft.sender.code, draft.earlier
        if code == draft.asked_back.get(self._code):
            return self.journal.heard[draft.document_id, sender, ASKS_BACK] > 0
        return earlier is None or all(
            (sender, earlier.document_id, each) in self.journal.reported
            for each in statuses_for(earlier, self._code, self.member.role)
        )

    async def _report(self, about: DocumentReference, code: str, description: str) -> None:
        office = STATUS_CODES[code].office
        staff = StaffInfo(
            department=OFFICES.get(office or "", "Văn thư"),
            staff=self.member.unit.name,
            email=officer_mail(office or "clerk", self._code),
        )
        moment = self.journal.moment(about.organ_id, about.document_id, code)
        await _insist(
            lambda: self._client.report_status(about, code, description=description, staff=staff, moment=moment)
        )


async def _insist(act: Callable[[], Awaitable[ResultT]]) -> ResultT:
    """Do it again until the broker has it: the same call is the same message."""
    backoff = Backoff()
    while True:
        try:
            return await act()
        except Unavailable:
            await asyncio.sleep(backoff.next())
