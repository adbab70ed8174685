"""The workers up to the router, on one ledger and at a time the test chooses, and what leaves them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tests.integration.workers.conftest import NOW, handed_on, handle, submitted

from lienthong.document.messages import DocumentToRoute, DocumentToVerify, NoticeToSend, Refused, Verified
from lienthong.signature.policy import Policy, Rule
from lienthong.worker.answers import to_signature_verify
from lienthong_ingest.handler import IngestDocument
from lienthong_router.handler import RouteDocument
from lienthong_signature_verify.handler import VerifySignature

if TYPE_CHECKING:
    from tests.integration.workers.conftest import ExaminesHere

    from lienthong.bus.messages import Incoming
    from lienthong.ledger.ledger import Ledger
    from lienthong.ledger.reports import Reports
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


def changed(data: bytes) -> bytes:
    """Return a message with another DocumentId than was signed."""
    text = data.decode()
    assert "DocumentId>d1<" in text
    return text.replace("DocumentId>d1<", "DocumentId>d7<").encode()
