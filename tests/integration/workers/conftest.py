"""A ledger with a small directory and a payload store, and messages as agencies would send them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from lienthong.bus.messages import Incoming, Outgoing
from lienthong.edxml import Document, Organization, ResponseFor, Status, encode
from lienthong.errors import Unavailable
from lienthong.ledger.ledger import Ledger
from lienthong.ledger.reports import Reports
from lienthong.ledger.rows import AgencyRow
from lienthong.payload import FolderStore
from lienthong.signature import FileSigner, sign_message
from lienthong.signature.pdf import PdfJudge
from lienthong.signature.verification import Examined, Moment, examine
from lienthong.trust import DevelopmentAuthority, TrustStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from tests.integration.workers.judging import Judging

    from lienthong.ledger.unit import Unit
    from lienthong.topology.names import Step
    from lienthong.worker.handler import Handler, Outcome

NOW = datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)


@pytest_asyncio.fixture
async def ledger(database: str) -> AsyncIterator[Ledger]:
    """Provide a ledger: G22, H23 and H41 are connected, G01 is not, H23.1 stands below H23, H99 is suspended."""
    opened = await Ledger.connect(database)
    await opened.register(
        [AgencyRow(code, f"Cơ quan {code}", stage="official", supervised=True) for code in ("G22", "H23", "H41")]
        + [AgencyRow("G01", "Bộ Công an", stage="in-progress"), AgencyRow("H23.1", "Sở")]
        + [AgencyRow("H99", "Tạm khóa", stage="suspended")]
    )
    yield opened
    await opened.close()


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    """Provide an empty payload store."""
    return FolderStore(tmp_path)


class ExaminesHere:
    """Examines what the payload store holds in this process, as `lienthong.worker.examiners` does in its own."""

    def __init__(self, store: FolderStore, trust_folder: Path, pdfs: PdfJudge) -> None:
        self._store = store
        self._trust_folder = trust_folder
        self._pdfs = pdfs

    async def examine(self, *, sha256: str, received_at: datetime) -> Examined:
        """Return everything found about a payload."""
        return await self.examine_bytes(await self._store.get(sha256), received_at=received_at)

    async def examine_bytes(self, data: bytes, *, received_at: datetime) -> Examined:
        """Return everything found about a message at hand."""
        moment = Moment(received_at, datetime.now(UTC), TrustStore.load(self._trust_folder))
        return await examine(data, moment, self._pdfs)


@pytest.fixture
def authority(tmp_path: Path) -> DevelopmentAuthority:
    """Provide the authorities that are believed, with certificates for every agency of the directory, and for H98."""
    made = DevelopmentAuthority.create(tmp_path / "authority", since=NOW - timedelta(days=30))
    for code in ("G22", "H23", "H41", "H23.1", "H98"):
        made.issue(code, f"Văn thư {code}")
    return made


@pytest_asyncio.fixture
async def examiner(store: FolderStore, authority: DevelopmentAuthority) -> AsyncIterator[ExaminesHere]:
    """Provide what examines payloads, believing the authority."""
    async with PdfJudge(workers=1) as pdfs:
        yield ExaminesHere(store, authority.trust_folder, pdfs)


def signed(message: Document | Status, authority: DevelopmentAuthority, *, by: str | None = None) -> bytes:
    """Return a message signed by its sender, or by somebody else."""
    path = authority.folder / "agencies" / (by or message.sender.organ_id)
    signer = FileSigner.load(path.with_name(f"{path.name}.key"), path.with_name(f"{path.name}.pem"))
    return sign_message(encode(message), signer, signing_time=NOW)


def document(document_id: str = "d1", *, sender: str = "G22", to: Sequence[str] = ("H23",), **more: Any) -> Document:
    """Return a small document."""
    addressees = tuple(Organization(code) for code in to)
    return Document(sender=Organization(sender), addressees=addressees, document_id=document_id, **more)


def status(code: str, *, reporter: str = "H23", document_id: str = "d1", owner: str = "G22") -> Status:
    """Return a status of H23 about a document of G22."""
    return Status(Organization(reporter), ResponseFor(owner, document_id), code, description="lý do")


def submitted(
    message: Document | Status | bytes, *, user: str | None = None, message_id: str | None = "m1", **headers: object
) -> Incoming:
    """Return a message as the broker hands it to a worker."""
    body = message if isinstance(message, bytes) else encode(message)
    sender = "G22" if isinstance(message, bytes) else message.sender.organ_id
    return Incoming(
        queue="work.ingest",
        tag=1,
        body=body,
        message_id=message_id,
        user_id=user or sender,
        routing_key="document",
        headers={"content-sha256": sha256(body).hexdigest(), **headers},
        content_type="application/edxml+xml",
        type=None,
        delivery_count=0,
        received_at=NOW,
    )


def handed_on(output: Outgoing) -> Incoming:
    """Return what one worker published as the next one takes it."""
    return replace(submitted(output.body), message_id=output.message_id, user_id="lienthong", headers=output.headers)


async def take_role(unit: Unit, step: Step) -> None:
    """Let the rest of a transaction be done with no more rights than the step's worker has."""
    await unit._connection.execute(f"set local role lienthong_{step.replace('-', '_')}")


async def handle(handler: Handler[Any], ledger: Ledger, *messages: Incoming, mark: bool = True) -> list[Outcome]:
    """Do what the runner does with a batch: decide, record, and mark it forwarded when told so.

    Raises:
        Unavailable: a message is to be tried again later; the others are recorded.
    """
    decided = [(message, await handler.decide(message)) for message in messages]
    outcomes = []
    async with ledger.transaction() as unit:
        await take_role(unit, handler.step)
        recorded = await handler.record(unit, decided)
    for one in recorded:
        if isinstance(one, Unavailable):
            raise one
        outcomes.append(one)
    if mark:
        async with ledger.transaction() as unit:
            await take_role(unit, handler.step)
            await unit.mark_forwarded([(one.mark, datetime.now(UTC)) for one in outcomes if one.mark])
    return outcomes


def ids(outcomes: Sequence[Outcome]) -> list[list[str]]:
    """Return the message ids of what each outcome publishes."""
    return [[output.message_id for output in (*outcome.outputs, *outcome.then)] for outcome in outcomes]


@pytest.fixture
def judging(ledger: Ledger, store: FolderStore, examiner: ExaminesHere, authority: DevelopmentAuthority) -> Judging:
    """Provide the workers."""
    # Only here: that module stands on this one.
    from tests.integration.workers.judging import Judging  # noqa: PLC0415

    return Judging(ledger, store, examiner, authority)


@pytest_asyncio.fixture
async def reports(database: str) -> AsyncIterator[Reports]:
    """Provide the read side of the ledger."""
    opened = await Reports.connect(database)
    yield opened
    await opened.close()
