"""The relay: what waits is asked for again when it is due or trust changed, whatever else is down."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from tests.integration.workers.conftest import NOW, document, handle, submitted

from lienthong.bus.connection import Bus
from lienthong.document.ids import derive, document_uuid
from lienthong.document.messages import DocumentToVerify
from lienthong.errors import Unavailable
from lienthong.ledger.ledger import Ledger
from lienthong.ledger.rows import VerificationRow
from lienthong.topology.names import Step, work_queue
from lienthong.topology.plan import exchange_plan
from lienthong_ingest.handler import IngestDocument
from lienthong_signature_verify.relay import Relay

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from lienthong.bus.messages import Outgoing
    from lienthong.payload import FolderStore

SOON = 20.0
HOLD = timedelta(hours=4)


@pytest_asyncio.fixture
async def bus(vhost: str) -> AsyncIterator[Bus]:
    """Provide a broker with the exchange's queues, and a consumer of signature-verify's."""
    async with Bus(vhost, name="relay") as opened:
        await opened.declare(exchange_plan())
        await opened.consume([work_queue(Step.SIGNATURE_VERIFY)], prefetch=500)
        yield opened


@pytest.fixture
def trust_folder(tmp_path: Path) -> Path:
    """Provide a folder with a CRL in it."""
    crls = tmp_path / "trust" / "crls"
    crls.mkdir(parents=True)
    (crls / "issuing.crl").write_bytes(b"one")
    return crls.parent


async def held(ledger: Ledger, store: FolderStore, count: int, *, due_at: datetime = NOW) -> None:
    """Record documents that are held and are to be judged again."""
    names = [f"d{number}" for number in range(count)]
    messages = [submitted(document(name), message_id=name) for name in names]
    await handle(IngestDocument(store), ledger, *messages)
    rows = []
    for key in (document_uuid("G22", name, 0) for name in names):
        found = ("indeterminate", "information", "TRY_LATER", "chưa rõ", "unknown")
        rows.append(VerificationRow(derive("verification", key, 1), key, 1, *found, {}, NOW, NOW + HOLD, due_at))
    async with ledger.transaction() as unit:
        await unit.record_verifications(rows)


async def asked(bus: Bus, count: int) -> list[DocumentToVerify]:
    """Return the next wishes to judge, as many as that."""
    found: list[DocumentToVerify] = []
    while len(found) < count:
        batch = await bus.take(count, timeout=SOON)
        assert batch, f"only {len(found)} came"
        found += [DocumentToVerify.model_validate_json(message.body) for message in batch]
    return found


async def due(ledger: Ledger, at: datetime) -> int:
    """Return how many are due then."""
    async with ledger.transaction() as unit:
        return len(await unit.due_judgements(at, 1000))


@pytest_asyncio.fixture
async def verifier(database: str) -> AsyncIterator[Ledger]:
    """Provide the ledger in the worker's role."""
    opened = await Ledger.connect(database, role="lienthong_signature_verify")
    yield opened
    await opened.close()


async def test_what_is_due_is_asked_for_once(
    ledger: Ledger, verifier: Ledger, store: FolderStore, bus: Bus, trust_folder: Path
) -> None:
    """Two relays side by side ask for each due document once, under the next number; judged, it waits for its time."""
    await held(ledger, store, 30)
    relays = [Relay(verifier, bus, trust_folder, clock=lambda: NOW) for _ in range(2)]
    assert sum(await asyncio.gather(*(relay.turn() for relay in relays))) == 30
    tasks = await asked(bus, 30)
    assert len({task.document for task in tasks}) == 30
    assert {(task.judgement, task.user, task.received_at) for task in tasks} == {(2, "G22", NOW)}
    assert await relays[0].turn() == 0
    assert await due(ledger, NOW + timedelta(seconds=10)) == 0
    async with ledger.transaction() as unit:
        await unit.answer_judgements([task.document for task in tasks])
    assert await due(ledger, NOW + timedelta(seconds=9)) == 0
    assert await due(ledger, NOW + timedelta(seconds=10)) == 30


class Broken:
    """A broker that confirms some messages only."""

    def __init__(self, confirmed: int) -> None:
        self.confirmed = confirmed

    async def publish_many(self, messages: Sequence[Outgoing]) -> list[Exception | None]:
        """Confirm the first ones."""
        return [None if number < self.confirmed else Unavailable("away") for number in range(len(messages))]


async def test_what_is_not_confirmed_stays_due(ledger: Ledger, store: FolderStore, trust_folder: Path) -> None:
    """A broker that is away costs nothing but time."""
    await held(ledger, store, 5)
    with pytest.raises(Unavailable, match="away"):
        await Relay(ledger, Broken(2), trust_folder, clock=lambda: NOW).turn()
    assert await due(ledger, NOW) == 3


async def test_news_about_trust_has_everything_judged(
    ledger: Ledger, verifier: Ledger, store: FolderStore, bus: Bus, trust_folder: Path
) -> None:
    """What is due tomorrow is asked for soon after a file came into the trust folder, and not otherwise."""
    await held(ledger, store, 3, due_at=datetime.now(UTC) + timedelta(days=1))
    relay = Relay(verifier, bus, trust_folder)
    assert await relay.watch(), "what changed while nobody looked is not known"
    async with ledger.transaction() as unit:
        for one in await unit.due_judgements(datetime.now(UTC) + timedelta(minutes=1), 10):
            await unit.postpone_judgements({one.verification: datetime.now(UTC) + timedelta(days=1)})
    assert not await relay.watch()
    unfinished = trust_folder / "crls" / ".issuing.crl"
    unfinished.write_bytes(b"two")
    async with relay:
        unfinished.replace(trust_folder / "crls" / "issuing.crl")
        assert {task.judgement for task in await asked(bus, 3)} == {2}


async def test_what_is_being_judged_meanwhile_is_not_passed_over(
    ledger: Ledger, store: FolderStore, bus: Bus, trust_folder: Path
) -> None:
    """A document that somebody has in hand while trust changes, and leaves for tomorrow, is asked for soon as well."""
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    await held(ledger, store, 3, due_at=tomorrow)
    relay = Relay(ledger, bus, trust_folder)
    async with ledger.transaction() as unit:
        (one,) = await unit.due_judgements(tomorrow, 1)
        assert not await relay.watch()
        await unit.postpone_judgements({one.verification: tomorrow})
    assert await relay.watch()
    assert await due(ledger, datetime.now(UTC) + timedelta(minutes=1)) == 3


class Faulty:
    """A ledger whose first transactions fail."""

    def __init__(self, ledger: Ledger, *errors: Exception) -> None:
        self._ledger = ledger
        self._errors = list(errors)

    def transaction(self) -> object:
        """Fail, or open a transaction."""
        if self._errors:
            raise self._errors.pop(0)
        return self._ledger.transaction()


async def test_the_relay_never_dies(ledger: Ledger, store: FolderStore, bus: Bus, trust_folder: Path) -> None:
    """A ledger that is away, and a bug, are logged; then it goes on."""
    await held(ledger, store, 1)
    faulty = Faulty(ledger, Unavailable("away"), ZeroDivisionError(), RuntimeError("a bug"))
    async with Relay(faulty, bus, trust_folder):  # type: ignore[arg-type]
        (task,) = await asked(bus, 1)
    assert task.judgement == 2
