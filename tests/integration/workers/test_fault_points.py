"""Every worker, dying wherever it can: the ledger and what leaves are those of a run that nothing disturbed."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest_asyncio
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.integration.workers.conftest import document, handed_on, handle, signed, status, submitted
from tests.integration.workers.faults import Life, Point, Stage, Traces
from tests.integration.workers.judging import changed

from lienthong.bus.connection import Bus
from lienthong.bus.messages import Outgoing
from lienthong.edxml import Document, OtherInfo, Status, encode
from lienthong.signature.policy import Policy
from lienthong.topology.names import WORK, Header, Step, work_key
from lienthong.topology.plan import agency_plan, exchange_plan
from lienthong.worker.ladder import LadderHeader
from lienthong_notifier.handler import SendNotice
from lienthong_router.handler import RouteDocument
from lienthong_status_tracker.handler import TrackStatus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Any

    import pytest
    from tests.integration.workers.conftest import ExaminesHere
    from tests.integration.workers.judging import Judging

    from lienthong.ledger.ledger import Ledger
    from lienthong.payload import FolderStore
    from lienthong.testing.servers import Servers
    from lienthong.worker.handler import Handler

AGENCIES = ("G22", "H23", "H41")


class Beginnings:
    """What each worker is handed, in an exchange that brought it so far without a fault."""

    def __init__(self, judging: Judging, store: FolderStore, examiner: ExaminesHere, bus: Bus) -> None:
        self._judging, self._store, self._examiner, self._bus = judging, store, examiner, bus
        self._router = RouteDocument(store, bus.declare)

    async def of(self, step: Step) -> tuple[Handler[Any], list[Outgoing]]:
        """Return a worker's handler, and inputs of every kind it tells apart."""
        judging = self._judging
        match step:
            case Step.INGEST:
                await self._received(encode(document("d0")))
                # Recorded and dead-lettered before it was forwarded.
                stuck = submitted(document("stuck"), message_id="stuck")
                await handle(judging.ingest, judging.ledger, stuck, mark=False)
                return judging.ingest, self._documents()
            case Step.SIGNATURE_VERIFY:
                good, authority = document("d2"), judging.authority
                bodies = [encode(document()), signed(good, authority), changed(signed(document(), authority))]
                return judging.verify, await self._received(*bodies, encode(document("d9")))
            case Step.ROUTER:
                many, nobody = document("d2", to=("H41", "H23.1")), document("d3", to=("H55",))
                bodies = [encode(one) for one in (document(), many, nobody, document("d9"))]
                return self._router, await self._verified(*bodies)
            case Step.STATUS_TRACKER:
                bodies = [encode(document(to=("H23", "H41"))), *(encode(document(one)) for one in ("d2", "d3", "d9"))]
                await self._delivered(*bodies)
                return TrackStatus(self._store, self._examiner, Policy()), self._statuses()
            case Step.NOTIFIER:
                return SendNotice(), await self._notices()

    async def _received(self, *bodies: bytes) -> list[Outgoing]:
        taken = [submitted(body, message_id=f"m{number}") for number, body in enumerate(bodies)]
        return [one.outputs[0] for one in await handle(self._judging.ingest, self._judging.ledger, *taken)]

    async def _verified(self, *bodies: bytes) -> list[Outgoing]:
        tasks = map(handed_on, await self._received(*bodies))
        return [one.outputs[0] for one in await self._judging.judge(*tasks)]

    async def _delivered(self, *bodies: bytes) -> list[Outgoing]:
        tasks = map(handed_on, await self._verified(*bodies))
        return [output for one in await handle(self._router, self._judging.ledger, *tasks) for output in one.then]

    async def _notices(self) -> list[Outgoing]:
        told = await self._delivered(encode(document()))
        taken = [submitted(document(), message_id="again"), submitted(b"<x/>", message_id="broken")]
        taken += [submitted(document("d9"), message_id="last")]
        outcomes = await handle(self._judging.ingest, self._judging.ledger, *taken)
        return told + [outcome.outputs[-1] for outcome in outcomes]

    def _documents(self) -> list[Outgoing]:
        urgent = document("d2", other=OtherInfo(priority=3))
        return [
            self._submission(Step.INGEST, *one)
            for one in (
                (document(), "m1"),
                (urgent, "m2"),
                (document("stuck"), "m3"),
                (document("d0"), "m4"),
                (document("d0", to=("H41",)), "m5"),
                (document("d3"), "m0"),
                (b"<x/>", "m6"),
                (document("d4"), "m7", "H41"),
                (document("d5"), "m8", ""),
                (document("d9"), "m9"),
            )
        ]

    def _statuses(self) -> list[Outgoing]:
        return [
            self._submission(Step.STATUS_TRACKER, *one)
            for one in (
                (status("01"), "s1", "H23"),
                (status("01", reporter="H41"), "s1", "H41"),
                (signed(status("03", document_id="d2"), self._judging.authority), "s2", "H23"),
                (changed(signed(status("03"), self._judging.authority)), "s3", "H23"),
                (status("15", document_id="d3"), "s4", "H23"),
                (status("03", document_id="d8"), "s5", "H23"),
                (status("03"), "s6", "H41"),
                (status("03", document_id="d3"), "s7", ""),
                (status("01", document_id="d9"), "s9", "H23"),
            )
        ]

    def _submission(
        self, step: Step, message: Document | Status | bytes, message_id: str, user: str = "G22"
    ) -> Outgoing:
        # As it comes from the ladder, which alone may speak of an agency here.
        headers: dict[str, str | int] = {
            Header.ATTEMPT: 0,
            LadderHeader.KEY: "document" if step is Step.INGEST else "status",
            LadderHeader.USER: user,
            LadderHeader.MESSAGE_ID: message_id,
        }
        body = message if isinstance(message, bytes) else encode(message)
        return Outgoing(WORK, work_key(step), message_id, body, headers=headers, user_id=self._bus.user)


@pytest_asyncio.fixture(params=list(Step))
async def stage(
    request: pytest.FixtureRequest,
    servers: Servers,
    vhost: str,
    database: str,
    ledger: Ledger,
    judging: Judging,
    store: FolderStore,
    examiner: ExaminesHere,
) -> AsyncIterator[Stage]:
    """Provide a worker's inputs, and the ledger as it stands before they come."""
    async with Bus(vhost, name="test") as bus:
        await bus.declare(sum(map(agency_plan, AGENCIES), start=exchange_plan()))
        handler, inputs = await Beginnings(judging, store, examiner, bus).of(request.param)
        # From now on its database is copied, which nobody may be connected to.
        await ledger.close()
        yield Stage(servers, urlsplit(database).path[1:], vhost, bus, handler, inputs)


@pytest_asyncio.fixture
async def undisturbed(stage: Stage) -> Traces:
    """Provide what a worker leaves that nothing disturbs."""
    return await stage.play([])


LIVES = st.lists(
    st.builds(
        Life,
        point=st.sampled_from(Point),
        passes=st.integers(0, 2),
        batch_limit=st.sampled_from([1, 2, 3, 100]),
        again=st.integers(0, 10),
    ),
    min_size=1,
    # What dies oftener with a message alone in hand is taken for its cause, and dead-lettered: rightly.
    max_size=4,
)
FIRST, LAST = tuple(Point)[:4], tuple(Point)[4:]


async def test_a_worker_may_die_between_any_two_steps(stage: Stage, undisturbed: Traces) -> None:
    """Dead at one point after the other, each time with everything or the rest in hand: as if nothing had happened."""
    for points in (FIRST, LAST):
        left = await stage.play([Life(point) for point in points])
        assert tuple(left.died) == points
        assert left.difference(undisturbed) == {}


@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lives=LIVES)
@example(lives=[Life(point, passes=1, again=3) for point in FIRST])
@example(lives=[Life(point, passes=1, again=3) for point in LAST])
async def test_any_deaths_and_any_prefix_again_leave_the_same(
    stage: Stage, undisturbed: Traces, lives: list[Life]
) -> None:
    """Crashes in any order, batches of any size, any prefix delivered again: the same ledger, the same outputs."""
    left = await stage.play(lives)
    assert left.difference(undisturbed) == {}
