"""signature-verify as a process: real examiners, relay and role, over a real broker, killed on the way."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from tests.integration.workers.conftest import document, handed_on, handle, signed, submitted

from lienthong.bus.connection import Bus
from lienthong.document.messages import DocumentToRoute, DocumentToVerify, NoticeToSend, Refused, Verified
from lienthong.ledger.reports import Reports
from lienthong.topology.names import Step, work_queue
from lienthong.topology.plan import exchange_plan
from lienthong.trust import DevelopmentAuthority
from lienthong_ingest.handler import IngestDocument

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator
    from pathlib import Path

    from lienthong.bus.messages import Incoming
    from lienthong.ledger.ledger import Ledger
    from lienthong.payload import FolderStore

SOON = 60.0
MISCONFIGURED = 78


@asynccontextmanager
async def verifying(vhost: str, database: str, payloads: Path, trust_folder: Path) -> AsyncIterator[Process]:
    """Run the worker as a process until the block ends."""
    environment = os.environ | {
        "LIENTHONG_BROKER_URL": vhost,
        "LIENTHONG_LEDGER_URL": database,
        "LIENTHONG_PAYLOAD_FOLDER": str(payloads),
        "LIENTHONG_TRUST_FOLDER": str(trust_folder),
        "LIENTHONG_TRUST_REFRESH": "false",
        "LIENTHONG_SIGNATURE_PROCESSES": "1",
    }
    command = (sys.executable, "-m", "lienthong_signature_verify")
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL, env=environment)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest_asyncio.fixture
async def bus(vhost: str) -> AsyncIterator[Bus]:
    """Provide a consumer of what signature-verify publishes to others."""
    async with Bus(vhost, name="test") as opened:
        await opened.declare(exchange_plan())
        await opened.consume([work_queue(Step.NOTIFIER), work_queue(Step.ROUTER)], prefetch=500)
        yield opened


async def next_from(bus: Bus, queue: str) -> Incoming:
    """Return the next message of a queue, acknowledged; what comes from the other is dropped."""
    while True:
        batch = await bus.take(1, timeout=SOON)
        assert batch, f"nothing came from {queue}"
        await bus.ack_through(batch[0].queue, batch[0].tag)
        if batch[0].queue == queue:
            return batch[0]


async def told(bus: Bus) -> Verified | Refused:
    """Return the next notice."""
    notice = NoticeToSend.model_validate_json((await next_from(bus, work_queue(Step.NOTIFIER))).body).notice
    assert isinstance(notice, Verified | Refused)
    return notice


async def submit(bus: Bus, ledger: Ledger, store: FolderStore, body: bytes) -> DocumentToVerify:
    """Take a submission as far as signature-verify's queue."""
    message = replace(submitted(body), received_at=datetime.now(UTC))
    (outcome,) = await handle(IngestDocument(store), ledger, message)
    assert await bus.publish_many([outcome.outputs[0]]) == [None]
    return DocumentToVerify.model_validate_json(handed_on(outcome.outputs[0]).body)


@pytest.fixture
def authority(tmp_path: Path) -> DevelopmentAuthority:
    """Provide authorities of today, with a certificate for G22."""
    made = DevelopmentAuthority.create(tmp_path / "authority")
    made.issue("G22", "Văn thư G22")
    return made


async def test_what_was_held_is_delivered_when_revocation_is_known(
    bus: Bus,
    vhost: str,
    ledger: Ledger,
    database: str,
    store: FolderStore,
    tmp_path: Path,
    authority: DevelopmentAuthority,
) -> None:
    """Held while no list is there, whoever dies meanwhile; the list alone, coming into the folder, releases it."""
    for file in (authority.trust_folder / "crls").iterdir():
        file.unlink()
    connection_to = (vhost, database, tmp_path, authority.trust_folder)
    async with verifying(*connection_to) as worker:
        task = await submit(bus, ledger, store, signed(document(), authority))
        notice = await told(bus)
        assert isinstance(notice, Verified)
        assert notice.held
        worker.send_signal(signal.SIGKILL)
        await worker.wait()
    async with verifying(*connection_to):
        authority.publish()
        routed = DocumentToRoute.model_validate_json((await next_from(bus, work_queue(Step.ROUTER))).body)
        assert (routed.document, routed.found.value) == (task.document, "paper")
    reports = await Reports.connect(database)
    rows = await reports.verifications(task.document)
    await reports.close()
    assert [(row.judgement, row.held, row.value) for row in rows] == [(1, True, "information"), (2, False, "paper")]
    for one in rows[1].grounds["evidence"]:
        assert len(await store.get(one["sha256"])) == one["size"]


async def test_a_worker_that_believes_nobody_does_not_start(vhost: str, database: str, tmp_path: Path) -> None:
    """Without a trust folder an operator has to mend something: exit code 78."""
    async with verifying(vhost, database, tmp_path, tmp_path / "none") as worker:
        assert await asyncio.wait_for(worker.wait(), SOON) == MISCONFIGURED
