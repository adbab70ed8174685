"""Robot agencies on an installation that runs already: let in as operators let agencies in, and at work until ended."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from lienthong.access.admission import Admission
from lienthong.access.broker import place_of
from lienthong.bus.admin import BrokerAdmin
from lienthong.document.zone import VIETNAM
from lienthong.errors import Unavailable
from lienthong.ledger.ledger import Ledger
from lienthong.ledger.rows import AgencyRow
from lienthong.settings import AccessSettings, BrokerSettings, LedgerSettings, ServiceSettings
from lienthong.simulation.credentials import Credentials
from lienthong.simulation.fleet import Fleet
from lienthong.simulation.papers import Papers
from lienthong.simulation.traffic import plan_traffic
from lienthong.simulation.units import cast
from lienthong.telemetry.logs import configure_logging
from lienthong.worker.health import HealthServer
from lienthong.worker.runner import Pulse
from lienthong_cli.demo_run import stopped_by_sigterm

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from lienthong.access.installation import Installation
    from lienthong.simulation.traffic import Traffic
    from lienthong.simulation.units import Member

__all__ = ["play"]

BY = "demo"


@dataclass(frozen=True, slots=True)
class _Cast:
    """The robots' addresses and keys, as they lie in the agencies' folders."""

    agencies: Path
    credentials: Credentials

    def agency_url(self, code: str) -> str:
        return (self.agencies / code / "broker-url").read_text(encoding="utf-8")


def play(
    installation: Installation,
    authority: Path,
    agencies: Path,
    *,
    units: int,
    documents: int,
    seconds: float,
    say: Callable[[str], None],
) -> None:
    """Let robot agencies exchange documents until SIGTERM or SIGINT.

    Args:
        installation: gives them what they connect with.
        authority: folder of the authority that signs for them.
        agencies: where each one's folder goes.
        units: how many of the 95 units of January 2019 take part.
        documents: how many documents they write in a round, replies apart.
        seconds: how long a round takes.
        say: what to tell people with.

    Raises:
        MisconfiguredError: a server refuses.
        Unavailable: a server does not answer.
    """
    configure_logging("lienthong-robots", ServiceSettings().log_level)
    members = [member for member in cast(seed=2019) if member.role.connected][:units]
    codes = [member.unit.code for member in members]
    for index, code in enumerate(codes):
        installation.agency(code, agencies, [codes[index - 1]])
    credentials = Credentials(authority)
    # Each round signs with the same keys; what was issued before is not issued, or revoked, again.
    credentials.issue(
        authority, [one for one in members if not credentials.key_files(one.unit.code, "person").key.exists()]
    )
    with suppress(asyncio.CancelledError):
        asyncio.run(_play(members, _Cast(agencies, credentials), documents, seconds, say))


async def _play(
    members: Sequence[Member], cast_: _Cast, documents: int, seconds: float, say: Callable[[str], None]
) -> None:
    at_work = asyncio.Event()

    async def check() -> None:
        if not at_work.is_set():
            raise Unavailable("the robots are not connected")

    async with AsyncExitStack() as closing:
        closing.enter_context(stopped_by_sigterm())
        service = ServiceSettings()
        health = HealthServer(service.health_host, service.health_port, pulse=Pulse(), checks={"robots": check})
        await closing.enter_async_context(health)
        await _let_in(members)
        say(f"{len(members)} cơ quan đã kết nối / agencies are let in")
        publishing = asyncio.create_task(cast_.credentials.keep_published(), name="publish revocation lists")
        closing.callback(publishing.cancel)
        while True:
            traffic = _planned(members, documents)
            with Papers(traffic, cast_.credentials) as papers:
                async with Fleet(cast_, papers, members) as fleet:
                    at_work.set()
                    await _round(fleet, traffic, seconds)
            say(f"{documents} văn bản / documents")


def _planned(members: Sequence[Member], documents: int) -> Traffic:
    now = datetime.now(VIETNAM)
    # No sender writes more than a document a second, so that no number comes twice on one day.
    number = int((now - now.replace(hour=0, minute=0, second=0)).total_seconds())
    return plan_traffic(members, documents=documents, seed=int(now.timestamp()), issued_on=now.date(), number=number)


async def _round(fleet: Fleet, traffic: Traffic, seconds: float) -> None:
    began = asyncio.get_running_loop().time()
    for draft in traffic.drafts:
        await asyncio.sleep(began + draft.at * seconds - asyncio.get_running_loop().time())
        fleet.send(draft)
    await asyncio.sleep(began + seconds - asyncio.get_running_loop().time())


async def _let_in(members: Sequence[Member]) -> None:
    broker = BrokerSettings()
    urls = broker.url.get_secret_value()
    ledger = await Ledger.connect(LedgerSettings().url.get_secret_value())
    try:
        # Official from the first day, without what an operator would demand of them.
        rows = [
            AgencyRow(one.unit.code, one.unit.name, kind=one.unit.kind, stage="official", supervised=True)
            for one in members
        ]
        await ledger.register(rows)
        async with BrokerAdmin(broker.management_url.get_secret_value()) as admin:
            admission = Admission(admin, ledger, urls, place_of(urls), AccessSettings(), by=BY)
            for member in members:
                await admission.add(member.unit.code)
    finally:
        await ledger.close()
