"""What a flood of one agency costs its neighbours: part of ``make bench``.

One client submits as fast as it can, from a process of its own. Before that and meanwhile another agency sends a
document every now and then, and takes the time to its receipt and to its delivery. Both are measured in one run, on
the same servers; what counts is the ratio.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table

from lienthong.agency import AgencyClient, Receipt, Refused
from lienthong.edxml import Document, OtherInfo, encode
from lienthong.ledger.ledger import Ledger
from lienthong.simulation.credentials import Credentials
from lienthong.simulation.exchange import found_exchange
from lienthong.simulation.letter import render
from lienthong.simulation.supervisor import Supervisor
from lienthong.simulation.traffic import plan_letter
from lienthong.simulation.units import Member, Role, Unit
from lienthong.testing.databases import create_database
from lienthong.testing.servers import running_servers
from lienthong.topology.names import Step

if TYPE_CHECKING:
    from collections.abc import Sequence

FLOOD: Final = 3000
AT_ONCE: Final = 100
PAUSE: Final = 0.2
QUIET_SECONDS: Final = 15.0
"""How long before the flood."""
LIMIT: Final = 2.0
SENDER, RECEIVER, FLOODER, FLOODED = "H01", "H02", "H03", "H04"
MEMBERS: Final = tuple(
    Member(Unit(code, f"Tỉnh {code}", "province"), Role.SENDS_ONLY) for code in (SENDER, RECEIVER, FLOODER, FLOODED)
)
QUOTA: Final = 120
"""Documents that the flooder may send in a minute."""


@dataclass
class Times:
    """Seconds from submission to receipt, and to delivery."""

    sent: dict[str, float] = field(default_factory=dict)
    received: dict[str, float] = field(default_factory=dict)
    delivered: dict[str, float] = field(default_factory=dict)

    def between(self, first: float, last: float) -> tuple[list[float], list[float]]:
        """Return both for what was sent in a period."""
        names = [name for name, at in self.sent.items() if first <= at < last]
        return [self.received[name] for name in names], [self.delivered[name] for name in names]


def letter(sender: str, receiver: str) -> Document:
    """Return a document of an agency to another."""
    draft = plan_letter(MEMBERS, sender, [receiver], seed=1, issued_on=date(2019, 1, 15))
    return replace(draft.document(render(draft.letter)), other=OtherInfo())


async def flood(url: str) -> None:
    """Submit as fast as one client can, wait for every answer, and print what came of it."""
    document = letter(FLOODER, FLOODED)
    bodies = [encode(replace(document, document_id=f"flood {number}")) for number in range(FLOOD)]
    answers = Counter[str]()
    async with AgencyClient(url, signer=None) as agency:
        turn = asyncio.Semaphore(AT_ONCE)

        async def send(body: bytes) -> None:
            async with turn:
                await agency.send(body)

        async def send_all() -> tuple[float, float]:
            began, spent = time.monotonic(), time.process_time()
            await asyncio.gather(*map(send, bodies))
            sys.stdout.write("sent\n")
            sys.stdout.flush()
            return time.monotonic() - began, time.process_time() - spent

        async def hear_all() -> None:
            async for told in agency.statuses():
                if isinstance(told, Receipt | Refused):
                    answers[told.kind] += 1
                if answers.total() == FLOOD:
                    break

        (seconds, spent), _ = await asyncio.gather(send_all(), hear_all())
        await agency.settle()
    sys.stdout.write(
        f"{FLOOD} documents at {FLOOD / seconds:.0f} a second: {answers['receipt']} received, "
        f"{answers['refusal']} refused\n{spent}\n"
    )


class Neighbour:
    """Sends a document every now and then, and takes the time of what becomes of it."""

    def __init__(self, sender: AgencyClient, receiver: AgencyClient) -> None:
        self._sender, self._receiver = sender, receiver
        self.times = Times()
        self.stopping = False
        self._last_sent = False

    async def run(self) -> None:
        """Go on until `stopping`, and until what was sent has arrived."""
        await asyncio.gather(self._hear(), self._get(), self._send())

    async def _send(self) -> None:
        document, times = letter(SENDER, RECEIVER), self.times
        while not self._last_sent:
            await asyncio.sleep(PAUSE)
            self._last_sent = self.stopping
            name = f"neighbour {len(times.sent)}"
            times.sent[name] = time.monotonic()
            await self._sender.send(replace(document, document_id=name))

    async def _hear(self) -> None:
        async for told in self._sender.statuses():
            if isinstance(told, Receipt) and self._arrived(told.document_id, self.times.received):
                break

    async def _get(self) -> None:
        async for delivery in self._receiver.deliveries():
            arrived = self._arrived(delivery.document.document_id, self.times.delivered)
            await delivery.done()
            if arrived:
                break

    def _arrived(self, name: str, times: dict[str, float]) -> bool:
        """Take the time; tell whether it was the last."""
        times[name] = time.monotonic() - self.times.sent[name]
        return self._last_sent and times.keys() == self.times.sent.keys()


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured.

    Attributes:
        times: the neighbour's.
        began: when the flood began.
        sent: when all of it was submitted.
        ended: when it had all its answers.
        told: what came of it.
        processor: seconds of processor time that flooder and workers took meanwhile.
    """

    times: Times
    began: float
    sent: float
    ended: float
    told: str
    processor: dict[str, float]


def processor_seconds(pid: int) -> float:
    """Return the processor time a process has taken, its own and the system's for it."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(urls: Sequence[str], workers: Supervisor) -> Measured:
    """Have an agency send, and after a while another one flood."""
    async with (
        AgencyClient(urls[0], signer=None) as sender,
        AgencyClient(urls[1], signer=None, report_arrival=False) as receiver,
    ):
        neighbour = Neighbour(sender, receiver)
        running = asyncio.create_task(neighbour.run())
        await asyncio.sleep(QUIET_SECONDS)
        before = {step: processor_seconds(workers.pid(step)) for step in Step}
        began = time.monotonic()
        flooding = await asyncio.create_subprocess_exec(
            sys.executable, __file__, urls[2], stdout=asyncio.subprocess.PIPE
        )
        assert flooding.stdout is not None
        await flooding.stdout.readline()
        sent = time.monotonic()
        output, _ = await flooding.communicate()
        told, _, seconds = output.decode().strip().rpartition("\n")
        ended = time.monotonic()
        processor = {str(step): processor_seconds(workers.pid(step)) - before[step] for step in Step}
        processor["flooder"] = float(seconds)
        neighbour.stopping = True
        await running
    return Measured(neighbour.times, began, sent, ended, told, processor)


async def limit(ledger_url: str, agency: str, documents_per_minute: int) -> None:
    """Let an agency send no more than that."""
    ledger = await Ledger.connect(ledger_url)
    async with ledger.access() as unit:
        allowance = await unit.allowance(agency)
        assert allowance is not None
        await unit.allow(replace(allowance, documents_per_minute=documents_per_minute))
    await ledger.close()


async def main() -> int:
    """Measure, print, and return 1 when a flood costs a neighbour more than it may."""
    with tempfile.TemporaryDirectory() as name, running_servers(Path(name, "servers")) as servers:
        folder, vhost = Path(name), "flood"
        exchange = await found_exchange(
            f"{servers.broker_url}/{vhost}",
            servers.management_url,
            await create_database(servers.ledger_url, f"flood_{uuid.uuid4().hex}"),
            payload_folder=folder / "payload",
            members=MEMBERS,
            credentials=Credentials.issue(folder / "authority", MEMBERS),
        )
        await limit(exchange.ledger_url, FLOODER, QUOTA)
        async with Supervisor(exchange.environments, logs=folder / "logs", scratch=folder / "scratch") as workers:
            urls = [exchange.agency_url(code) for code in (SENDER, RECEIVER, FLOODER)]
            found = await measure(urls, workers)
        description = servers.description
    times = found.times
    table = Table("the neighbour's", "median", "ratio to quiet", "slowest tenth")
    exceeded = False
    first = min(times.sent.values()) + 2  # what is done for the first time is slower
    periods = {
        "before the flood": (first, found.began),
        "while it is submitted": (found.began, found.sent),
        "until it is answered": (found.sent, found.ended),
    }
    for position, what in enumerate(("receipt", "delivery")):
        quiet = statistics.median(times.between(*periods["before the flood"])[position])
        for name, period in periods.items():
            taken = times.between(*period)[position]
            ratio = statistics.median(taken) / quiet
            exceeded |= ratio > LIMIT
            slow = statistics.quantiles(taken, n=10)[-1]
            table.add_row(f"{what} {name}", f"{quiet * ratio * 1000:.0f} ms", f"{ratio:.2f}", f"{slow * 1000:.0f} ms")
    console = Console(width=130)
    console.print(table)
    console.print(f"{found.told}; it lasted {found.ended - found.began:.1f} s; {description}; may cost {LIMIT:g} times")
    spent = ", ".join(f"{who} {seconds / FLOOD * 1000:.2f}" for who, seconds in found.processor.items())
    console.print(f"processor time for each document of the flood, in ms: {spent}")
    return int(exceeded)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(flood(sys.argv[1]))
    else:
        sys.exit(asyncio.run(main()))
