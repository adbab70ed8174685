"""All robot agencies of a run, connected and at work; each can be killed, and goes on with its journal."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Self

from lienthong.agency import AgencyClient
from lienthong.bus.backoff import Backoff
from lienthong.errors import Unavailable
from lienthong.simulation.journal import Journal, Tally
from lienthong.simulation.robot import Robot
from lienthong.simulation.units import Role
from lienthong.testing.proxy import FaultyProxies

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from types import TracebackType

    from lienthong.simulation.credentials import Credentials, Holder
    from lienthong.simulation.papers import Papers
    from lienthong.simulation.traffic import Draft
    from lienthong.simulation.units import Member

__all__ = ["Fleet"]

CONNECTIONS_AT_ONCE = 10


@dataclass(slots=True)
class _Program:
    """What plays one agency now, and where it left its files."""

    member: Member
    journal: Journal
    proxy: FaultyProxies | None
    robot: Robot | None = None
    at_work: asyncio.Task[None] | None = None
    open_clients: AsyncExitStack = field(default_factory=AsyncExitStack)
    duplicates: int = 0


class Reachable(Protocol):
    """What a robot has to know of an exchange."""

    @property
    def credentials(self) -> Credentials:
        """The keys of the agencies."""

    def agency_url(self, code: str) -> str:
        """Return the AMQP URL of a connected agency."""


class Fleet:
    """A robot for each connected member, at work for the length of a block.

    Args:
        exchange: where it is; each robot has its own address there.
        papers: what they write.
        members: who takes part.
        state: folder for the state files of their kits, without which none of them can be killed.
    """

    def __init__(
        self, exchange: Reachable, papers: Papers, members: Iterable[Member], *, state: Path | None = None
    ) -> None:
        self.tally = Tally()
        self._exchange = exchange
        self._papers = papers
        self._state = state
        self._hands: dict[str, set[Holder | None]] = defaultdict(lambda: {"agency"})
        for draft in papers.traffic:
            self._hands[draft.sender.code].add(draft.signing.on_message)
        self._programs = {
            member.unit.code: _Program(
                member,
                Journal(member.unit.code, self.tally),
                FaultyProxies(exchange.agency_url(member.unit.code)) if state else None,
            )
            for member in members
            if member.role.connected
        }
        self._turn = asyncio.Semaphore(CONNECTIONS_AT_ONCE)
        self._open = AsyncExitStack()

    @property
    def journals(self) -> Mapping[str, Journal]:
        """What each robot did and saw, by agency code."""
        return {code: program.journal for code, program in self._programs.items()}

    @property
    def duplicates(self) -> int:
        """How many repeated messages the kits dropped."""
        running = (program.robot for program in self._programs.values())
        before = sum(program.duplicates for program in self._programs.values())
        return before + sum(robot.duplicates for robot in running if robot is not None)

    async def __aenter__(self) -> Self:
        """Connect them all and let them work; raises `Unavailable` when the broker does not answer.

        A robot that falls over by itself ends the block with its error: it is a bug.
        """
        async with AsyncExitStack() as opening:
            for program in self._programs.values():
                if program.proxy is not None:
                    await opening.enter_async_context(program.proxy)
                opening.push_async_callback(self._disconnect, program)
            self._running = await opening.enter_async_context(asyncio.TaskGroup())
            opening.callback(self._stop)
            await asyncio.gather(*(self._start(program) for program in self._programs.values()))
            self._open = opening.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._open.__aexit__(kind, error, trace)

    def send(self, draft: Draft) -> None:
        """Tell a document's sender to send it."""
        program = self._programs[draft.sender.code]
        if program.robot is not None:
            program.robot.send(draft)
        else:
            program.journal.begun[draft.document_id] = draft

    async def kill(self, code: str) -> None:
        """Let a robot stop wherever it is, its connections reset, and start another one with its journal and files.

        Returns when that one is connected, however long the broker is away.
        """
        program = self._programs[code]
        assert program.proxy is not None, "without a state file it would forget what it has handled"
        program.proxy.refuse()
        if program.robot is not None and program.at_work is not None:
            program.duplicates += program.robot.duplicates
            program.robot = None
            program.at_work.cancel()
            await asyncio.wait([program.at_work])
        await self._disconnect(program)
        program.proxy.accept()
        backoff = Backoff()
        while program.robot is None:
            try:
                await self._start(program)
            except Unavailable:
                await self._disconnect(program)
                await asyncio.sleep(backoff.next())

    async def _start(self, program: _Program) -> None:
        code, role = program.member.unit.code, program.member.role
        # A kit that reports 01 while its robot, made anew, goes on with 03 is refused for coming late.
        kit_reports_arrival = role is Role.ARRIVAL or (self._state is None and bool(role.statuses))
        own: dict[Holder | None, AgencyClient] = {}
        for holder in self._hands[code]:
            own[holder] = AgencyClient(
                self._exchange.agency_url(code) if program.proxy is None else program.proxy.url,
                signer=None if holder is None else self._exchange.credentials.key_files(code, holder).signer(),
                state=None if self._state is None else self._state / f"{code}-{holder}.sqlite",
                report_arrival=kit_reports_arrival,
            )
            async with self._turn:
                # Not entered in one go: a client that could not connect has its state file open, too.
                program.open_clients.push_async_exit(own[holder])
                await own[holder].__aenter__()
        program.robot = Robot(
            program.member, own, program.journal, self._papers, kit_reports_arrival=kit_reports_arrival
        )
        program.at_work = self._running.create_task(program.robot.run(), name=f"agency {code}")

    def _stop(self) -> None:
        for program in self._programs.values():
            if program.at_work is not None:
                program.at_work.cancel()

    async def _disconnect(self, program: _Program) -> None:
        await program.open_clients.aclose()
