"""What operators see of a running exchange: every panel of every dashboard, of a real Prometheus and the ledger."""

from __future__ import annotations

import asyncio
import json
import math
import re
import signal
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import aiohttp
import asyncpg
import pytest
import pytest_asyncio

from lienthong.agency import AgencyClient, Delivered, Refused
from lienthong.bus.connection import Bus
from lienthong.bus.messages import Outgoing
from lienthong.document.messages import Lane
from lienthong.edxml import Document, Organization, Promulgation, encode
from lienthong.simulation.units import Member, Role, Unit
from lienthong.telemetry.events import Event
from lienthong.telemetry.metrics import LABELS
from lienthong.testing.collector import Collector
from lienthong.testing.processes import Family, free_ports
from lienthong.topology.names import (
    RETRY_SECONDS,
    SUBMISSION,
    Header,
    Step,
    SubmissionKey,
    status_queue,
    submission_key,
)
from lienthong.topology.plan import exchange_plan

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from tests.end_to_end.conftest import Running, RunningExchange

    from lienthong.testing.collector import Seen

OBSERVE = Path(__file__).parents[2] / "deploy" / "observe"
SENDER, RECEIVER = "H01", "H02"
MEMBERS = tuple(Member(Unit(code, f"UBND tỉnh {code}", "province"), Role.FULLY) for code in (SENDER, RECEIVER))
SECONDS = 120.0
LOOK_SECONDS = 0.2
PROMETHEUS = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: lienthong
    honor_labels: true
    static_configs: {targets}
"""
OF_THE_MACHINE = {"LienThongPayloadDisk", "LienThongPayloadDiskFills"}
"""Alarms about the disk on which the tests run."""
FIXED: dict[str, set[str]] = {
    "step": set(Step),
    "lane": {*Lane, "diverted", "returned"},
    "queue": {queue.name for queue in exchange_plan().queues},
    "rung": {str(seconds) for seconds in RETRY_SECONDS},
    "until": {"receipt", "delivered"},
    "phase": {"decide", "record", "publish"},
    "whose": {"own", "agencies"},
}
"""What some labels may be."""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Observed:
    """A running exchange, the Prometheus that looks at it, and the collector that gets its traces."""

    running: Running
    prometheus: str
    session: aiohttp.ClientSession
    collector: Collector

    def client(self, code: str) -> AgencyClient:
        """Return an agency's client."""
        exchange = self.running.exchange
        return AgencyClient(exchange.agency_url(code), signer=exchange.credentials.key_files(code).signer())

    async def ask(self, path: str, **query: str) -> Any:
        """Return Prometheus' answer."""
        async with self.session.get(f"{self.prometheus}/api/v1/{path}", params=query) as answer:
            said = await answer.json()
        assert said["status"] == "success", (query, said)
        return said["data"]

    async def values(self, expression: str) -> list[float]:
        """Return what an expression is now, of every series."""
        return [float(one["value"][1]) for one in (await self.ask("query", query=expression))["result"]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def observed(
    running_exchange: RunningExchange,
    program: Callable[[str, str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Observed]:
    """Provide an exchange for two agencies that has done nothing yet, and a Prometheus that has looked at it."""
    with Collector() as collector:
        tracing = {"LIENTHONG_TRACES_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
        async with (
            running_exchange(MEMBERS, tracing) as running,
            _prometheus(program, tmp_path_factory, running, collector) as observed,
        ):
            yield observed


@asynccontextmanager
async def _prometheus(
    program: Callable[[str, str], Path],
    tmp_path_factory: pytest.TempPathFactory,
    running: Running,
    collector: Collector,
) -> AsyncIterator[Observed]:
    folder = tmp_path_factory.mktemp("prometheus")
    targets = [
        {"targets": [url.removeprefix("http://")], "labels": {"step": step}}
        for step, url in running.supervisor.health_urls.items()
    ]
    (port,) = free_ports(1)
    settings = folder / "prometheus.yml"
    settings.write_text(PROMETHEUS.format(rules=OBSERVE / "alerts.yml", targets=json.dumps(targets)))
    command = [str(program("prometheus", "prometheus")), f"--config.file={settings}"]
    command += [f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}"]
    with Family(folder, stop_signal=signal.SIGTERM) as family:
        family.start(command, log=folder / "log", environment={})
        async with aiohttp.ClientSession() as session:
            observed = Observed(running, f"http://127.0.0.1:{port}", session, collector)
            await until(lambda: _up(observed), "Prometheus sees all workers")
            yield observed


async def _up(observed: Observed) -> bool:
    try:
        return await observed.values("count_over_time(up[1m]) > 2") != [] and await observed.values("sum(up)") == [
            float(len(Step))
        ]
    except aiohttp.ClientError:
        return False


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait until something is so; fails naming it when it never is."""
    try:
        async with asyncio.timeout(SECONDS):
            while not await condition():  # noqa: ASYNC110 - other processes; there is nothing to wait on
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError:
        pytest.fail(f"never so: {what}")


def paper(name: str, to: str = RECEIVER) -> Document:
    """Make a document that was sent far too late."""
    late = (datetime.now(UTC) - timedelta(days=40)).date()
    promulgation = Promulgation("Hà Nội", late)
    return Document(Organization(SENDER), (Organization(to),), name, promulgation=promulgation, subject=name)


def queries(source: str) -> Iterator[tuple[str, str]]:
    """Yield what the panels of all dashboards ask of a source: where, and what, for every step."""
    for path in sorted(OBSERVE.glob("dashboards/*.json")):
        board = json.loads(path.read_text(encoding="utf-8"))
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                where = f"{path.stem}: {panel['title']}: {target['refId']}"
                if source == "ledger" and "rawSql" in target:
                    yield where, target["rawSql"]
                elif source == "prometheus" and "expr" in target:
                    expression = target["expr"].replace("$__rate_interval", "1m")
                    for step in Step if "$step" in expression else (None,):
                        yield f"{where} {step or ''}", expression.replace("$step", str(step))
        for variable in board["templating"]["list"]:
            if source == "ledger" and variable["type"] == "query":
                yield f"{path.stem}: {variable['name']}", variable["query"]


async def each_says(observed: Observed, is_said: Callable[[list[float]], bool], what: str) -> None:
    """Wait until every query of Prometheus says something."""
    open_ = dict(queries("prometheus"))
    assert open_

    async def nothing_is_open() -> bool:
        for where, query in list(open_.items()):
            if is_said(await observed.values(query)):
                del open_[where]
        return not open_

    try:
        await until(nothing_is_open, what)
    except pytest.fail.Exception:
        pytest.fail(f"{what}: {json.dumps(open_, indent=1)}")


async def test_an_idle_exchange_is_not_blank(observed: Observed) -> None:
    """Before the first document every panel has a figure, zero where nothing happened, and no alarm is raised."""
    await each_says(observed, bool, "every query has a series before the first document")
    raised = {one["labels"]["alertname"] for one in (await observed.ask("alerts"))["alerts"]}
    assert raised <= OF_THE_MACHINE


async def test_every_panel_shows_what_happened(observed: Observed) -> None:
    """After documents, a status and a refusal every panel of Prometheus and of the ledger has something to show."""
    sender, receiver = observed.client(SENDER), observed.client(RECEIVER)
    async with sender, receiver, asyncio.timeout(SECONDS):
        for document in (paper("một"), paper("hai"), paper("ba", "H99")):
            await sender.send(document)
        told = set()
        async for one in sender.statuses():
            if isinstance(one, Delivered | Refused):
                told.add(one.document_id)
            if told == {"một", "hai", "ba"}:
                break
        delivery = await anext(receiver.deliveries())
        await delivery.done()
    # Of a latency without documents Prometheus says that it is no number.
    await each_says(observed, lambda values: not all(map(math.isnan, values)), "every query has a figure")
    await until(lambda: _late(observed), "the sending was noted to be late")
    connection = await asyncpg.connect(observed.running.exchange.ledger_url)
    try:
        await connection.execute("set role lienthong_reader")
        blank = [where for where, query in queries("ledger") if not await _rows(connection, query)]
    finally:
        await connection.close()
    assert blank == []


async def _late(observed: Observed) -> bool:
    return await observed.values('sum(lienthong_deadlines_total{clock="sending", level="breach"}) > 0') != []


async def _rows(connection: asyncpg.Connection[asyncpg.Record], query: str) -> list[asyncpg.Record]:
    """Return what a panel shows of both agencies, as Grafana writes its words into the query."""
    lately = r"\1 between now() - interval '1 day' and now() + interval '1 hour'"
    found = []
    for agency in (SENDER, RECEIVER) if "${agency:sqlstring}" in query else (SENDER,):
        said = re.sub(r"\$__timeFilter\(([\w.]+)\)", lately, query.replace("${agency:sqlstring}", f"'{agency}'"))
        found += await connection.fetch(said)
    return found


async def test_no_series_is_an_agencys(observed: Observed) -> None:
    """Every label of every series is one that is listed; its values are those of a fixed list, and never an agency."""
    series = await observed.ask("series", **{"match[]": '{__name__=~"lienthong_.*"}'})
    assert series
    for one in series:
        labels = one.keys() - {"__name__", "instance", "job", "step", "le"}
        assert labels <= LABELS.keys(), one
        assert not {SENDER, RECEIVER, "H99"} & set(one.values()), one
        for label in labels & FIXED.keys():
            assert one[label] in FIXED[label], one


async def test_a_document_is_one_trace(observed: Observed) -> None:
    """From submission to the status of its receiver all is one trace, whose id is the document's; so the logs say."""
    async with observed.client(SENDER) as sender, observed.client(RECEIVER) as receiver, asyncio.timeout(SECONDS):
        await sender.send(paper("bốn"))
        async for delivery in receiver.deliveries():
            await delivery.done()
            if delivery.document.document_id == "bốn":
                break
    trace = delivery.document_uuid
    assert {UUID(header.split("-")[1]) for header in await _told(observed, trace)} == {trace}
    collector = observed.collector
    await until(lambda: _all_there(collector, trace), f"every step is in trace {trace}")
    spans = {span.name: span for span in reversed(collector.of(trace))}
    ingest, verify, router = (spans[step] for step in (Step.INGEST, Step.SIGNATURE_VERIFY, Step.ROUTER))
    assert ingest.parent == b""
    assert [verify.parent, router.parent, spans[Step.STATUS_TRACKER].parent] == [ingest.span, verify.span, ingest.span]
    for span in spans.values():
        assert span.service == f"lienthong-{span.name}"
        moments = [span.begin, *(at for _, at in span.events), span.end]
        assert moments == sorted(moments)
        assert [event for event, _ in span.events] == ["decided", "recorded", "published"]
    (batch,) = (span for span in collector.spans if (trace, router.span) in span.links)
    assert batch.name == "router batch"
    assert {span.name for span in collector.of(batch.trace)} == {"router batch", "decide", "record", "publish"}
    lines = (observed.running.logs / f"{Step.ROUTER}.log").read_text(encoding="utf-8").splitlines()
    (line,) = (one for one in map(json.loads, lines) if one.get("trace") == trace.hex)
    assert (line["event"], line["outcome"], line["document"]) == (Event.MESSAGE_SETTLED, "forwarded", str(trace))
    assert (line["step"], line["queue"]) == (Step.ROUTER, "work.router")


async def _all_there(collector: Collector, trace: UUID) -> bool:
    return {*Step} == {span.name for span in collector.of(trace)}


async def _told(observed: Observed, document: UUID) -> list[str]:
    """Return the `traceparent` of all that the sender is told of a document, up to the receiver's status."""
    found: dict[str, str] = {}
    wanted = {"receipt", "verified", "delivered", "status"}
    async with Bus(observed.running.exchange.agency_url(SENDER), name="sender") as bus, asyncio.timeout(SECONDS):
        await bus.consume([status_queue(SENDER)], prefetch=100)
        # A deadline may be told of as well.
        while not wanted <= found.keys():
            for message in await bus.take(100, timeout=1.0):
                if message.headers.get(Header.DOCUMENT) == str(document):
                    found[message.type or ""] = str(message.headers["traceparent"])
                await bus.ack_through(message.queue, message.tag)
    return list(found.values())


async def test_an_agencys_own_trace_is_linked(observed: Observed) -> None:
    """What an agency says in `traceparent` is linked with its document's trace, which remains the exchange's own."""
    theirs, theirs_span = UUID(int=7), bytes(7) + b"\x09"
    message = Outgoing(
        SUBMISSION,
        submission_key(SENDER, SubmissionKey.DOCUMENT),
        "năm",
        encode(paper("năm")),
        content_type="application/edxml+xml",
        headers={"traceparent": f"00-{theirs.hex}-{theirs_span.hex()}-01"},
        user_id=SENDER,
    )
    async with Bus(observed.running.exchange.agency_url(SENDER), name="sender") as bus:
        assert await bus.publish_many([message]) == [None]
    linked: list[Seen] = []

    async def is_there() -> bool:
        linked[:] = [span for span in observed.collector.spans if (theirs, theirs_span) in span.links]
        return bool(linked)

    await until(is_there, "a span is linked with the agency's")
    (span,) = linked
    assert (span.name, span.parent, span.facts["lienthong.outcome"]) == (Step.INGEST, b"", "forwarded")
    assert not observed.collector.of(theirs)
