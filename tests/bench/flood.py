"""What a flood of one agency costs its neighbours: part of ``make bench``.

An agency sends a document every now and then, and takes the time to its receipt and to its delivery: while nothing else
happens, while another agency floods, and while what was put aside of that flood is worked off; then what is left of it
is taken away, and all of it begins anew, with another flooder. What counts is the ratio to the quiet just before, of
medians and of slowest twentieths, with floods of a fixed rate, far above what is allowed.

A last flood comes as fast as one connection is confirmed, and goes on as fast when it is rejected. Of that only the
medians count: until it is found to be one it stands before everybody, in the first second of fifteen.

The flooder publishes from a process of its own. In a country it has a machine of its own as well; so that its processor
time is not taken from the exchange's here, it yields to every other process (nice 19). What the broker and the workers
spend on the flood is measured in full.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

import aio_pika
from rich.console import Console
from rich.table import Table

from lienthong.agency import AgencyClient, Receipt
from lienthong.bus.connection import Bus
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
from lienthong.topology.names import (
    SUBMISSION,
    Step,
    SubmissionKey,
    diverted_queue,
    returned_queue,
    submission_key,
    work_queue,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from lienthong.simulation.exchange import Exchange
    from lienthong.testing.servers import Servers

QUOTA: Final = 600
"""Documents that an agency may send in a minute: the default. The neighbour may send more."""
TIMES: Final = 20
"""How many times its quota a flooder sends."""
ROUNDS: Final = 4
AT_ONCE: Final = 100
PAUSE: Final = 0.1
WARM: Final = 30
"""Documents of the neighbour before its times count: what is done for the first time is slower."""
QUIET_SECONDS: Final = 15.0
FLOOD_SECONDS: Final = 15.0
AFTER_SECONDS: Final = 10.0
QUIET: Final = "quiet"
PERIODS: Final = (QUIET, "while it is submitted", "while it is worked off")
LANE: Final = work_queue(Step.INGEST)
DIVERTED: Final = diverted_queue(Step.INGEST)
ASIDE: Final = returned_queue(Step.INGEST)
LATER: Final = tuple(work_queue(step) for step in Step if step is not Step.INGEST)
CALM: Final = 10
"""How often in a row, a fifth of a second apart, nothing may stand in a queue before it counts as quiet."""
LIMIT: Final = 2.0
SENDER, RECEIVER, FLOODED = "H01", "H02", "H03"
FLOODERS: Final = tuple(f"H{number}" for number in range(11, 12 + ROUNDS))
"""One for each flood: what one has used of its quota stays used for a while."""
MEMBERS: Final = tuple(
    Member(Unit(code, f"Tỉnh {code}", "province"), Role.SENDS_ONLY) for code in (SENDER, RECEIVER, FLOODED, *FLOODERS)
)
SECONDS: Final = 120.0
"""How long to wait, at most, until nothing is under way."""


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


async def flood(url: str, flooder: str, rate: float) -> None:
    """Submit for `FLOOD_SECONDS`, and print how many documents and how much processor time it was.

    Args:
        url: the broker's, as the flooder's user.
        flooder: the agency.
        rate: documents a second; 0 for as many as are confirmed, `AT_ONCE` at a time.
    """
    os.nice(19)
    body = encode(replace(letter(flooder, FLOODED), document_id="flood 0"))
    async with await aio_pika.connect(url) as connection, connection.channel(publisher_confirms=True) as channel:
        exchange = await channel.get_exchange(SUBMISSION, ensure=False)
        key = submission_key(flooder, SubmissionKey.DOCUMENT)
        began, spent, sent, rejected = time.monotonic(), time.process_time(), 0, 0

        async def send() -> None:
            nonlocal sent, rejected
            while (passed := time.monotonic() - began) < FLOOD_SECONDS:
                if rate and sent > rate * passed:
                    await asyncio.sleep(sent / rate - passed)
                    continue
                sent += 1
                name = f"flood {sent}"
                message = aio_pika.Message(
                    body.replace(b"flood 0", name.encode()),
                    message_id=name,
                    user_id=flooder,
                    content_type="application/edxml+xml",
                    delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                )
                try:
                    await exchange.publish(message, routing_key=key)
                except aio_pika.exceptions.DeliveryError:
                    # It takes no notice, and sends on.
                    rejected += 1

        await asyncio.gather(*(send() for _ in range(AT_ONCE)))
        sys.stdout.write(f"{sent} {rejected} {time.process_time() - spent}\n")


class Neighbour:
    """Sends a document every now and then, and takes the time of what becomes of it."""

    def __init__(self, sender: AgencyClient, receiver: AgencyClient) -> None:
        self._sender, self._receiver = sender, receiver
        self.times = Times()
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Go on until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            for part in (self._hear(), self._get(), self._send()):
                group.create_task(part)

    async def has(self, documents: int) -> None:
        """Wait until so many of its documents have been delivered."""
        async with asyncio.timeout(SECONDS):
            while len(self.times.delivered) < documents:
                await self._next()

    async def all_is_there(self) -> None:
        """Wait until what it has sent has its receipts and is delivered."""
        names = set(self.times.sent)
        async with asyncio.timeout(SECONDS):
            while not (names <= self.times.received.keys() and names <= self.times.delivered.keys()):
                await self._next()

    async def _next(self) -> None:
        self._news.clear()
        await self._news.wait()

    async def _send(self) -> None:
        document, times = letter(SENDER, RECEIVER), self.times
        while True:
            await asyncio.sleep(PAUSE)
            name = f"neighbour {len(times.sent)}"
            times.sent[name] = time.monotonic()
            await self._sender.send(replace(document, document_id=name))

    async def _hear(self) -> None:
        async for told in self._sender.statuses():
            if isinstance(told, Receipt):
                self._arrived(told.document_id, self.times.received)

    async def _get(self) -> None:
        async for delivery in self._receiver.deliveries():
            self._arrived(delivery.document.document_id, self.times.delivered)
            await delivery.done()

    def _arrived(self, name: str, times: dict[str, float]) -> None:
        times[name] = time.monotonic() - self.times.sent[name]
        self._news.set()


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured with one flood.

    Attributes:
        taken: seconds to the receipt and to the delivery of each of the neighbour's documents, by period.
        submitted: documents of the flood.
        rejected: those of them that the broker did not take.
        waiting: how many of them stood in each queue before ingest when it ended.
        processor: seconds of processor time that flooder and workers took while it was submitted.
    """

    taken: dict[str, tuple[list[float], list[float]]]
    submitted: int
    rejected: int
    waiting: dict[str, int]
    processor: dict[str, float]


def processor_seconds(pid: int) -> float:
    """Return the processor time a process has taken, its own and the system's for it."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(exchange: Exchange, neighbour: Neighbour, workers: Supervisor, flooder: str, rate: float) -> Measured:
    """Look at the neighbour's times while it is quiet, while there is a flood, and after that; leave nothing of it."""
    moments = [time.monotonic()]
    await asyncio.sleep(QUIET_SECONDS)
    before = {step: processor_seconds(workers.pid(step)) for step in Step}
    moments.append(time.monotonic())
    flooding = await asyncio.create_subprocess_exec(
        sys.executable, __file__, exchange.agency_url(flooder), flooder, str(rate), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await flooding.communicate()
    moments.append(time.monotonic())
    submitted, rejected, spent = output.decode().split()
    processor = {str(step): processor_seconds(workers.pid(step)) - before[step] for step in Step}
    processor["flooder"] = float(spent)
    async with Bus(exchange.broker_url, name="bench") as bus:
        lengths = await bus.lengths([LANE, DIVERTED, ASIDE])
        await asyncio.sleep(AFTER_SECONDS)
        moments.append(time.monotonic())
        await calm(exchange.broker_url, bus)
    await neighbour.all_is_there()
    taken = {
        name: neighbour.times.between(first, last)
        for name, first, last in zip(PERIODS, moments[:-1], moments[1:], strict=True)
    }
    waiting = {queue: length or 0 for queue, length in lengths.items()}
    return Measured(taken, int(submitted), int(rejected), waiting, processor)


async def calm(broker_url: str, bus: Bus) -> None:
    """Take away what still waits of a flood, and wait until nothing of it is under way."""
    connection = await aio_pika.connect(broker_url)
    async with connection, asyncio.timeout(SECONDS), connection.channel() as channel:
        slow = [await channel.get_queue(queue, ensure=False) for queue in (DIVERTED, ASIDE)]
        quiet = 0
        while quiet < CALM:
            for queue in slow:
                await queue.purge()
            await asyncio.sleep(0.2)
            quiet = 0 if any((await bus.lengths([LANE, DIVERTED, ASIDE, *LATER])).values()) else quiet + 1


async def set_free(ledger_url: str, agency: str) -> None:
    """Let an agency send as much as it likes."""
    ledger = await Ledger.connect(ledger_url)
    async with ledger.access() as unit:
        allowance = await unit.allowance(agency)
        assert allowance is not None
        await unit.allow(replace(allowance, documents_per_minute=0))
    await ledger.close()


@asynccontextmanager
async def running_exchange(servers: Servers, folder: Path) -> AsyncIterator[tuple[Exchange, Supervisor]]:
    """Provide an exchange with its workers, which limits all agencies but the neighbour."""
    name = f"flood_{uuid.uuid4().hex}"
    exchange = await found_exchange(
        f"{servers.broker_url}/{name}",
        servers.management_url,
        await create_database(servers.ledger_url, name),
        payload_folder=folder / "payload",
        members=MEMBERS,
        credentials=Credentials.issue(folder / "authority", MEMBERS),
    )
    await set_free(exchange.ledger_url, SENDER)
    quota = {"LIENTHONG_QUOTA_DOCUMENTS_PER_MINUTE": str(QUOTA)}
    environments = {step: {**environment, **quota} for step, environment in exchange.environments.items()}
    async with Supervisor(environments, logs=folder / "logs", scratch=folder / "scratch") as workers:
        yield exchange, workers


async def measure_all(exchange: Exchange, workers: Supervisor) -> tuple[list[Measured], Measured]:
    """Return what floods of the fixed rate cost, and what one as fast as it can costs."""
    async with (
        AgencyClient(exchange.agency_url(SENDER), signer=None) as sender,
        AgencyClient(exchange.agency_url(RECEIVER), signer=None, report_arrival=False) as receiver,
    ):
        neighbour = Neighbour(sender, receiver)
        running = asyncio.create_task(neighbour.run())
        try:
            await neighbour.has(WARM)
            *fixed, last = FLOODERS
            rounds = [await measure(exchange, neighbour, workers, one, TIMES * QUOTA / 60) for one in fixed]
            return rounds, await measure(exchange, neighbour, workers, last, 0)
        finally:
            running.cancel()
            await asyncio.wait([running])


def twentieth(taken: Sequence[float]) -> float:
    """Return what all but the slowest twentieth stayed below."""
    return statistics.quantiles(taken, n=20)[-1]


def show(console: Console, title: str, rounds: Sequence[Measured]) -> tuple[float, float]:
    """Print what floods of one kind cost; return the largest ratios to quiet, of medians and of slowest twentieths."""
    table = Table("the neighbour's", "median", "ratio to quiet", "slowest twentieth", "ratio to quiet", title=title)
    figures: tuple[Callable[[Sequence[float]], float], ...] = (statistics.median, twentieth)
    worst = [0.0, 0.0]
    for position, what in enumerate(("receipt", "delivery")):
        for period in PERIODS:
            row = [f"{what}, {period}"]
            for place, figure in enumerate(figures):
                seconds = statistics.median(figure(one.taken[period][position]) for one in rounds)
                ratios = [figure(one.taken[period][position]) / figure(one.taken[QUIET][position]) for one in rounds]
                ratio = statistics.median(ratios)
                worst[place] = max(worst[place], ratio)
                row += [f"{seconds * 1000:.0f} ms", f"{ratio:.2f} ({min(ratios):.2f}-{max(ratios):.2f})"]
            table.add_row(*row)
    console.print(table)
    for one in rounds:
        spent = ", ".join(f"{who} {seconds / one.submitted * 1000:.2f}" for who, seconds in one.processor.items())
        waiting = ", ".join(f"{count} in {queue}" for queue, count in one.waiting.items())
        console.print(
            f"{one.submitted / FLOOD_SECONDS:.0f} documents a second, {one.rejected} rejected; at the end {waiting}; "
            f"processor time for each in ms: {spent}"
        )
    return worst[0], worst[1]


async def main() -> int:
    """Measure, print, and return 1 when a flood costs a neighbour more than it may."""
    with tempfile.TemporaryDirectory() as name, running_servers(Path(name, "servers")) as servers:
        async with running_exchange(servers, Path(name)) as (exchange, workers):
            fixed, fastest = await measure_all(exchange, workers)
        description = servers.description
    console = Console(width=150)
    fixed_costs = show(console, f"floods of {TIMES} times the quota", fixed)
    median, _ = show(console, "a flood as fast as one connection is confirmed", [fastest])
    console.print(
        f"{description}, {os.cpu_count()} processors for servers, workers, neighbour and flooder; load "
        f"{os.getloadavg()[1]:.1f}. A flood may cost {LIMIT:g} times; one of {TIMES} times the quota costs "
        f"{max(fixed_costs):.2f} times at most, the median of the fastest {median:.2f} times"
    )
    return int(max(*fixed_costs, median) > LIMIT)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(flood(sys.argv[1], sys.argv[2], float(sys.argv[3])))
    else:
        sys.exit(asyncio.run(main()))
