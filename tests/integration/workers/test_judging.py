"""signature-verify: what becomes of a document by what is found about its signatures, now and when judged again."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from tests.integration.workers.conftest import NOW, document, handed_on, handle, ids, signed, submitted

from lienthong.document.messages import DocumentToRoute, DocumentToVerify, NoticeToSend, Refused, Verified
from lienthong.edxml import Attachment, DocumentType
from lienthong.ledger.reports import Reports
from lienthong.signature.policy import Policy, Rule
from lienthong.worker.answers import to_signature_verify
from lienthong_ingest.handler import IngestDocument
from lienthong_router.handler import RouteDocument
from lienthong_signature_verify.handler import VerifySignature

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.integration.workers.conftest import ExaminesHere

    from lienthong.bus.messages import Incoming
    from lienthong.ledger.ledger import Ledger
    from lienthong.ledger.rows import VerificationRow
    from lienthong.payload import FolderStore
    from lienthong.topology.plan import Plan
    from lienthong.trust import DevelopmentAuthority
    from lienthong.worker.handler import Outcome

LATER = timedelta(seconds=30)
PROVISIONAL = Policy(Rule(indeterminate="provisional"))


class Judging:
    """ingest, signature-verify and router on one ledger, at a time the test chooses."""

    def __init__(
        self, ledger: Ledger, store: FolderStore, examiner: ExaminesHere, authority: DevelopmentAuthority
    ) -> None:
        self.ledger, self.authority, self.examiner = ledger, authority, examiner
        self.now = NOW
        self.policy = Policy()
        self.ingest = IngestDocument(store)
        self.router = RouteDocument(store, self._declare)

    async def _declare(self, plan: Plan) -> None:
        """Take the router's queues as declared: what it publishes is looked at here."""

    @property
    def verify(self) -> VerifySignature:
        """A worker, as if it had just been started."""
        return VerifySignature(self.examiner, self.policy, clock=lambda: self.now)

    async def received(self, *messages: bytes, user: str = "G22") -> list[Incoming]:
        """Return what asks signature-verify to judge submissions."""
        taken = [submitted(body, user=user, message_id=f"m{number}") for number, body in enumerate(messages, 1)]
        return [handed_on(outcome.outputs[0]) for outcome in await handle(self.ingest, self.ledger, *taken)]

    async def judge(self, *tasks: Incoming, mark: bool = True) -> list[Outcome]:
        """Judge documents."""
        return await handle(self.verify, self.ledger, *tasks, mark=mark)

    async def again(self, task: Incoming, number: int = 2, *, mark: bool = True) -> Outcome:
        """Judge a document again, a while later."""
        self.now += LATER
        asked = to_signature_verify(read(task).model_copy(update={"judgement": number}))
        (outcome,) = await self.judge(handed_on(asked), mark=mark)
        return outcome

    async def route(self, outcome: Outcome) -> None:
        """Deliver what signature-verify passed on."""
        await handle(self.router, self.ledger, handed_on(outcome.outputs[0]))

    def lose_revocation(self) -> None:
        """Have nothing at hand that says whether a certificate was revoked."""
        for file in (self.authority.trust_folder / "crls").iterdir():
            file.unlink()


@pytest.fixture
def judging(ledger: Ledger, store: FolderStore, examiner: ExaminesHere, authority: DevelopmentAuthority) -> Judging:
    """Provide the workers."""
    return Judging(ledger, store, examiner, authority)


@pytest_asyncio.fixture
async def reports(database: str) -> AsyncIterator[Reports]:
    """Provide the read side of the ledger."""
    opened = await Reports.connect(database)
    yield opened
    await opened.close()


def read(task: Incoming) -> DocumentToVerify:
    """Return what a message asks."""
    return DocumentToVerify.model_validate_json(task.body)


def told(outcome: Outcome) -> dict[str, Verified]:
    """Return the notices among what leaves, by the agency they are for."""
    notices = [
        NoticeToSend.model_validate_json(output.body) for output in outcome.outputs if output.routing_key == "notifier"
    ]
    found = {one.agency: one.notice for one in notices}
    assert len(found) == len(notices)
    return {agency: notice for agency, notice in found.items() if isinstance(notice, Verified)}


def routed(outcome: Outcome) -> DocumentToRoute | None:
    """Return what leaves for the router; None when nothing does."""
    tasks = [output for output in outcome.outputs if output.routing_key == "router"]
    return DocumentToRoute.model_validate_json(tasks[0].body) if tasks else None


def refused(outcome: Outcome) -> Refused:
    """Return the refusal, which is all that leaves."""
    (output,) = outcome.outputs
    notice = NoticeToSend.model_validate_json(output.body).notice
    assert isinstance(notice, Refused)
    return notice


async def history(reports: Reports, task: Incoming) -> list[VerificationRow]:
    """Return the judgements of a document."""
    return await reports.verifications(read(task).document)


async def test_a_signed_document_has_the_value_of_paper(judging: Judging, reports: Reports) -> None:
    """It is routed with what was found, its sender is told the same, and the ledger holds it with its grounds."""
    (task,) = await judging.received(signed(document(), judging.authority))
    (outcome,) = await judging.judge(task)
    route, notices = routed(outcome), told(outcome)
    assert route is not None
    assert (route.found.verdict, route.found.value) == ("valid", "paper")
    assert route.found.vi == (
        "Có giá trị như bản giấy: chữ ký số của Văn thư G22 (Cơ quan G22) hợp lệ, tính tại 08:02 ngày 22/11/2026."
    )
    assert "Văn thư G22 (Cơ quan G22) is valid, as of 2026-11-22 08:02 (UTC+7)" in route.found.en
    assert notices["G22"].found == route.found
    assert (notices["G22"].final, notices["G22"].held, notices["G22"].judgement) == (True, False, 1)
    (signature,) = notices["G22"].signatures
    assert (signature.kind, signature.verdict, signature.agency, signature.signed_at) == (
        "message",
        "valid",
        "G22",
        NOW,
    )
    (row,) = await history(reports, task)
    assert (row.verdict, row.value, row.judge_again_at) == ("valid", "paper", None)
    assert row.grounds["rule"]["unsigned"] == "information"
    assert {one["kind"] for one in row.grounds["evidence"]} == {"certificate", "crl"}
    assert "DocumentVerified" in [kind for _, kind, _ in await reports.story(row.document)]


async def test_an_unsigned_document_is_for_information(judging: Judging) -> None:
    """It is delivered, says why it is not worth paper, and is not judged again."""
    (task,) = await judging.received(submitted(document()).body)
    (outcome,) = await judging.judge(task)
    route = routed(outcome)
    assert route is not None
    assert (route.found.verdict, route.found.value) == ("unsigned", "information")
    assert "không có chữ ký số" in route.found.vi
    assert told(outcome)["G22"].final


async def test_the_policy_may_refuse_an_unsigned_document_of_a_kind(judging: Judging) -> None:
    """What kinds of document need a signature is the operator's to say; the refusal tells what to do."""
    judging.policy = Policy(kinds={"quyết định": Rule(unsigned="refused")})
    kind = DocumentType(type_name="Quyết định")
    decision, letter = await judging.received(
        submitted(document(document_type=kind)).body,
        submitted(document("d2")).body,
    )
    first, second = await judging.judge(decision, letter)
    (problem,) = refused(first).problems
    assert (problem.code, problem.path, problem.province_code) == ("CheckSignature", "", 10)
    assert "DocumentId mới" in problem.vi
    assert routed(second) is not None


def changed(data: bytes) -> bytes:
    """Return a message with another DocumentId than was signed."""
    text = data.decode()
    assert "DocumentId>d1<" in text
    return text.replace("DocumentId>d1<", "DocumentId>d7<").encode()


async def test_a_broken_signature_is_refused(judging: Judging, reports: Reports) -> None:
    """Nothing is routed; the sender is told once, also when the message comes again before that was certain."""
    (task,) = await judging.received(changed(signed(document(), judging.authority)))
    first = await judging.judge(task, mark=False)
    again = await judging.judge(task)
    assert ids(first) == ids(again)
    (problem,) = refused(again[0]).problems
    assert (problem.code, problem.province_code) == ("CheckSignature", 10)
    assert (await judging.judge(task))[0].outputs == ()
    (row,) = await history(reports, task)
    assert (row.verdict, row.value, row.reason, row.final) == ("invalid", "refused", "HASH_FAILURE", True)


@pytest.mark.parametrize(
    ("sender", "by", "user", "paper"),
    [
        ("G22", "H41", "G22", False),
        ("G22", "H98", "G22", False),
        ("000.00.00.G22", "G22", "G22", True),
        ("H23.1", "H23.1", "H23", True),
        ("H23.1", "H23", "H23", True),
        ("H23", "H23.1", "H23", False),
    ],
)
async def test_whose_certificate_may_sign(judging: Judging, sender: str, by: str, user: str, paper: bool) -> None:
    """The sender's own, in either form of its code and connected or not, or its carrier's; nobody else's."""
    (task,) = await judging.received(signed(document(sender=sender), judging.authority, by=by), user=user)
    (outcome,) = await judging.judge(task)
    if paper:
        route = routed(outcome)
        assert route is not None
        assert route.found.value == "paper"
    else:
        assert "another agency" in refused(outcome).problems[0].en


async def test_a_bad_file_refuses_with_its_own_problem(judging: Judging) -> None:
    """A program among the attached files refuses a validly signed document, and the refusal names the file."""
    files = (Attachment("chuong-trinh.exe", b"MZ" + bytes(200)),)
    (task,) = await judging.received(signed(document(attachments=files), judging.authority))
    (outcome,) = await judging.judge(task)
    problem = refused(outcome).problems[0]
    assert (problem.code, problem.province_code) == ("M.Attachment-Type", 21)
    assert "chuong-trinh.exe" in problem.vi


async def test_what_cannot_be_found_out_is_held_and_released(judging: Judging, reports: Reports) -> None:
    """Nothing is routed and the sender told why; judged again nothing changes, until the answer is there."""
    (task,) = await judging.received(signed(document(), judging.authority))
    judging.lose_revocation()
    (held,) = await judging.judge(task)
    assert routed(held) is None
    notice = told(held)["G22"]
    assert (notice.held, notice.final, notice.found.verdict) == (True, False, "indeterminate")
    assert notice.found.vi.startswith("Đang giữ lại")
    assert "12:02 ngày 22/11/2026" in notice.found.vi
    (row,) = await history(reports, task)
    assert (row.held_until, row.judge_again_at) == (NOW + timedelta(hours=4), NOW + timedelta(seconds=10))
    assert (await judging.again(task)).outputs == ()
    assert len(await history(reports, task)) == 1
    judging.authority.publish()
    released = await judging.again(task)
    route = routed(released)
    assert route is not None
    assert (route.found.value, told(released)["G22"].judgement) == ("paper", 2)
    first, second = await history(reports, task)
    assert (first.judge_again_at, first.forwarded_at is not None, second.value) == (None, True, "paper")
    assert (await judging.again(task, 3)).outputs == ()
    assert await reports.values(NOW - timedelta(days=9999), NOW + timedelta(days=9999)) == {
        "paper": 1,
        "information": 0,
        "refused": 0,
        "held": 0,
    }


async def test_what_proves_revoked_while_it_is_held_is_refused(judging: Judging, reports: Reports) -> None:
    """The sender gets a refusal, nobody a delivery, and the ledger both judgements."""
    (task,) = await judging.received(signed(document(), judging.authority))
    judging.lose_revocation()
    await judging.judge(task)
    judging.authority.revoke(judging.authority.credential("G22").certificate, at=NOW - timedelta(days=1))
    first = await judging.again(task, mark=False)
    again = await judging.again(task)
    assert ids([first]) == ids([again])
    assert refused(again).problems[0].code == "CheckSignature"
    assert [row.value for row in await history(reports, task)] == ["information", "refused"]


@pytest.mark.parametrize(("after", "value"), [("information", "information"), ("refused", "refused")])
async def test_a_hold_ends(judging: Judging, reports: Reports, after: str, value: str) -> None:
    """When the time is over the document is delivered and judged on, or refused: as the policy says."""
    judging.policy = Policy(Rule.model_validate({"hold_minutes": 1, "after_hold": after}))
    (task,) = await judging.received(signed(document(), judging.authority))
    judging.lose_revocation()
    await judging.judge(task)
    assert (await judging.again(task)).outputs == ()
    ended = await judging.again(task)
    (*_, row) = await history(reports, task)
    assert (row.verdict, row.value) == ("indeterminate", value)
    if after == "refused":
        assert "ask who issued the certificate" in refused(ended).problems[0].en
        assert row.judge_again_at is None
    else:
        assert routed(ended) is not None
        assert not told(ended)["G22"].final
        assert row.judge_again_at is not None


@pytest.mark.parametrize(("revoked", "value"), [(False, "paper"), (True, "refused")])
async def test_receivers_learn_what_they_hold(judging: Judging, reports: Reports, revoked: bool, value: str) -> None:
    """Of a provisional delivery sender and every carrier are told when more is known, once, never before it left."""
    judging.policy = PROVISIONAL
    (task,) = await judging.received(signed(document(to=("H23.1", "H41")), judging.authority))
    judging.lose_revocation()
    (provisional,) = await judging.judge(task)
    if revoked:
        judging.authority.revoke(judging.authority.credential("G22").certificate, at=NOW - timedelta(days=1))
    else:
        judging.authority.publish()
    early = await judging.again(task)
    assert (early.outputs, len(await history(reports, task))) == ((), 1)
    await judging.route(provisional)
    first = await judging.again(task, mark=False)
    notices = told(await judging.again(task))
    assert notices == told(first)
    assert set(notices) == {"G22", "H23", "H41"}
    assert {(one.found.value, one.judgement, one.final) for one in notices.values()} == {(value, 2, True)}
    assert routed(first) is None
    assert (await judging.again(task)).outputs == ()
    assert (await judging.again(task, 3)).outputs == ()


async def test_a_stricter_policy_does_not_take_back_a_delivery(judging: Judging, reports: Reports) -> None:
    """What was delivered while it was not known is neither held nor refused for still not being known."""
    judging.policy = PROVISIONAL
    (task,) = await judging.received(signed(document(), judging.authority))
    judging.lose_revocation()
    (provisional,) = await judging.judge(task)
    await judging.route(provisional)
    for policy in (Policy(), Policy(Rule(hold_minutes=1, after_hold="refused"))):
        judging.policy = policy
        assert (await judging.again(task)).outputs == ()
        judging.now += timedelta(minutes=5)
    (row,) = await history(reports, task)
    assert (row.held, row.value) == (False, "information")


async def test_what_the_router_refused_is_judged_no_more(judging: Judging, reports: Reports) -> None:
    """Nobody holds it, so nobody is to be told."""
    judging.policy = PROVISIONAL
    (task,) = await judging.received(signed(document(to=("H55",)), judging.authority))
    judging.lose_revocation()
    (provisional,) = await judging.judge(task)
    await judging.route(provisional)
    judging.authority.publish()
    assert (await judging.again(task)).outputs == ()
    (row,) = await history(reports, task)
    assert row.judge_again_at is None


async def test_a_recorded_judgement_is_recalled_not_remade(judging: Judging) -> None:
    """A crash after the record publishes what was recorded, byte for byte, whatever would be found out by then."""
    (task,) = await judging.received(signed(document(), judging.authority))
    judging.lose_revocation()
    first = await judging.judge(task, mark=False)
    judging.authority.publish()
    judging.now += LATER
    again = await judging.judge(task, task)
    assert [one.outputs for one in again] == [first[0].outputs] * 2
    assert (await judging.judge(task))[0].outputs == ()


async def test_two_workers_agree(judging: Judging, reports: Reports) -> None:
    """Judging one number at once with different knowledge, they record one judgement and publish the same of it."""
    (task,) = await judging.received(signed(document(), judging.authority))
    knows = await judging.verify.decide(task)
    judging.lose_revocation()
    does_not = await judging.verify.decide(task)

    async def record(examination: object) -> Outcome:
        async with judging.ledger.transaction() as unit:
            (outcome,) = await judging.verify.record(unit, [(task, examination)])  # type: ignore[list-item]
        return outcome

    for _ in range(3):
        outcomes = await asyncio.gather(*(record(one) for one in (knows, does_not, knows, does_not)))
        assert all(one.outputs == outcomes[0].outputs for one in outcomes)
    assert len(await history(reports, task)) == 1


async def test_strange_names_can_be_recorded(judging: Judging, reports: Reports) -> None:
    """A name with a NUL in a certificate is shown without it: PostgreSQL has no place for one."""
    judging.authority.issue("G22", "Văn\x00thư" + "\u202e")
    (task,) = await judging.received(signed(document(), judging.authority))
    (outcome,) = await judging.judge(task)
    assert routed(outcome) is not None
    (row,) = await history(reports, task)
    assert row.grounds["findings"][0]["signer"] == "Văn�thư�"


async def test_neighbours_of_a_bad_document_are_judged(judging: Judging) -> None:
    """Refused, held and good documents of one batch each get what is theirs."""
    good = signed(document("d2"), judging.authority)
    tasks = await judging.received(changed(signed(document(), judging.authority)), good, submitted(document("d3")).body)
    bad, paper, unsigned = await judging.judge(*tasks)
    assert refused(bad).problems[0].code == "CheckSignature"
    values = [route.found.value for route in (routed(paper), routed(unsigned)) if route]
    assert values == ["paper", "information"]
