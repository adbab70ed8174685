"""Withdrawals, updates and replacements act on the document that was delivered before, addressee by addressee."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from tests.integration.workers.conftest import document, handle, status, submitted
from tests.integration.workers.test_way import Exchange, refusal

from lienthong.edxml import Business, BusinessType, Receiver, Replacement
from lienthong.errors import Unavailable

if TYPE_CHECKING:
    from tests.integration.workers.conftest import ExaminesHere

    from lienthong.bus.messages import Incoming
    from lienthong.document.messages import ProblemModel
    from lienthong.ledger.ledger import Ledger
    from lienthong.payload import FolderStore
    from lienthong.worker.handler import Outcome

BOTH = ("H23", "H41")
BUSINESS = "TraceHeaderList/Bussiness"


class Story:
    """An exchange, and what its ledger says about G22's documents."""

    def __init__(self, ledger: Ledger, store: FolderStore, examiner: ExaminesHere, database: str) -> None:
        self.exchange = Exchange(ledger, store, examiner)
        self.ledger, self.database = ledger, database
        self.sent = 0

    def message(self, business: Business | None = None, document_id: str = "d1", **more: Any) -> Incoming:
        """Return a submission of G22, to H23 and H41 unless said otherwise."""
        self.sent += 1
        said: dict[str, Any] = {"to": BOTH, "business": business or Business()} | more
        paper = document(document_id, **said)
        return submitted(paper, message_id=f"m{self.sent}")

    async def route(self, *messages: Incoming, attempts: int = 9) -> list[Outcome]:
        """Take submissions through the router, in one batch, as if they had waited for what they are about."""
        tasks = [replace(one, attempts=attempts) for one in await self.exchange.to_router(*messages)]
        return await handle(self.exchange.router, self.ledger, *tasks)

    async def send(self, business: Business | None = None, document_id: str = "d1", **more: Any) -> None:
        """Send a document that is routed."""
        (outcome,) = await self.route(self.message(business, document_id, **more))
        assert [output.type for output in outcome.outputs] == ["document"]

    async def refused(self, business: Business, document_id: str = "d1", **more: Any) -> ProblemModel:
        """Send a document that is refused for one reason; return that."""
        (outcome,) = await self.route(self.message(business, document_id, **more))
        (problem,) = refusal(outcome.outputs).problems
        return problem

    async def report(
        self, code: str, reporter: str = "H23", document_id: str = "d1", owner: str = "G22", *, user: str | None = None
    ) -> Outcome:
        """Report a status that waits for no other."""
        self.sent += 1
        told = status(code, reporter=reporter, document_id=document_id, owner=owner)
        user = user or reporter.partition(".")[0]  # a subordinate has no connection of its own
        message = replace(submitted(told, user=user, message_id=f"s{self.sent}"), attempts=1)
        (outcome,) = await self.exchange.report(message)
        return outcome

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return what the ledger answers."""
        connection = await asyncpg.connect(self.database)
        found = [tuple(row) for row in await connection.fetch(query)]
        await connection.close()
        return found

    async def states(self) -> dict[tuple[str, str, str], str]:
        """Return the state of every delivery, by document, addressee and role."""
        found = await self.rows(
            "select d.document_id || case d.business when 0 then '' else '/' || d.business end, v.addressee, v.role, "
            "v.state from delivery v join document d using (document)"
        )
        return {(name, addressee, role): state for name, addressee, role, state in found}


@pytest.fixture
def story(ledger: Ledger, store: FolderStore, examiner: ExaminesHere, database: str) -> Story:
    """Provide an exchange with an empty ledger."""
    return Story(ledger, store, examiner, database)


WITHDRAW = Business(BusinessType.WITHDRAW, reason="gửi nhầm")


def update(**more: Any) -> Business:
    """Return an update of d1."""
    return Business(BusinessType.UPDATE, reason="sửa", **({"document_id": "d1"} | more))


def replaces(*organ_ids: str, document_id: str = "d1") -> Business:
    """Return a replacement of d1 for these."""
    return Business(BusinessType.REPLACE, reason="sai", replacements=(Replacement(document_id, organ_ids),))


async def test_a_withdrawal_is_agreed_here_and_declined_there(story: Story) -> None:
    """Each receiver answers for itself; 15 ends the document there for good, 16 leaves it where it was."""
    await story.send()
    await story.report("03")
    await story.report("03", "H41")
    await story.send(WITHDRAW)
    agreed = await story.report("15")
    declined = await story.report("16", "H41")
    assert [one.outputs[0].routing_key for one in (agreed, declined)] == [
        "from.G22.to.H23.15",
        "from.G22.to.H41.16",
    ]
    assert await story.states() == {
        ("d1", "H23", "document"): "withdrawn",
        ("d1", "H41", "document"): "accepted",
        ("d1/1", "H23", "withdraw"): "agreed",
        ("d1/1", "H41", "withdraw"): "declined",
    }
    assert (await story.report("15")).outputs == ()  # said already
    late = refusal((await story.report("04")).outputs).problems[0]
    assert late.code == "M.MessageHeader.StatusCode"
    assert (await story.report("04", "H41")).outputs[0].routing_key == "from.G22.to.H41.04"
    assert await story.rows("select addressee, kind, outcome, status is not null from action order by 1") == [
        ("H23", "withdraw", "agreed", True),
        ("H41", "withdraw", "declined", True),
    ]
    # What is frozen there refuses the whole, and names where; the other receiver may be asked again.
    frozen = await story.refused(update(), "d1-2")
    assert (frozen.path, frozen.province_code) == ("MessageHeader/To[1]/OrganId", 21)
    assert "đóng băng" in frozen.vi
    await story.send(WITHDRAW, to=("H41",))


async def test_withdrawn_is_not_handed_out_again(story: Story) -> None:
    """Whatever brings the router's input back, who agreed to a withdrawal does not get the document once more."""
    (task,) = await story.exchange.to_router(story.message())
    await handle(story.exchange.router, story.ledger, task)
    await story.send(WITHDRAW, to=("H23",))
    await story.report("15")
    connection = await asyncpg.connect(story.database)
    await connection.execute("update routing set forwarded_at = null")
    await connection.close()
    (again,) = await handle(story.exchange.router, story.ledger, task)
    assert [(one.routing_key, *one.bcc) for one in again.outputs] == [("H41",)]


async def test_what_overtakes_its_document_waits_for_it(story: Story) -> None:
    """A withdrawal climbs the ladder while its document may still come, and is refused when it does not."""
    (early,) = await story.exchange.to_router(story.message(WITHDRAW))
    with pytest.raises(Unavailable, match="d1 of G22 is not delivered yet"):
        await handle(story.exchange.router, story.ledger, early)
    assert await story.rows("select 1 from routing") == []
    (task,) = await story.exchange.to_router(story.message())
    with pytest.raises(Unavailable):  # received, and not in any queue yet
        await story.route(story.message(replace(WITHDRAW, reason="khác")), attempts=3)
    await handle(story.exchange.router, story.ledger, task)
    await handle(story.exchange.router, story.ledger, early)
    assert ("d1/1", "H23", "withdraw") in await story.states()
    problem = await story.refused(WITHDRAW, "never")
    assert problem.code == "M.MessageHeader.DocumentId"


async def test_a_redelivered_request_is_done_once(story: Story) -> None:
    """The router's four steps hold for requests: published again until it is marked, and nothing asked twice."""
    await story.send()
    (task,) = await story.exchange.to_router(story.message(WITHDRAW))
    first = await handle(story.exchange.router, story.ledger, task, mark=False)
    again = await handle(story.exchange.router, story.ledger, task, task)
    assert [one.message_id for outcome in again for one in outcome.outputs] == [first[0].outputs[0].message_id]
    assert await story.rows("select count(*) from action") == [(2,)]
    assert await story.rows("select count(*) from entry where kind = 'ActionRecorded'") == [(2,)]
    assert (await handle(story.exchange.router, story.ledger, task))[0].outputs == ()


async def test_an_update_changes_who_receives_it(story: Story) -> None:
    """Who remains is asked, who is added gets a new document, who is removed is asked to give it back."""
    await story.send()
    await story.report("03")
    receivers = (Receiver("000.00.00.H41", added=False), Receiver("H23.1", added=True))
    await story.send(update(receivers=receivers), "d1-2", to=(*BOTH, "H23.1"))
    assert await story.states() == {
        ("d1", "H23", "document"): "accepted",
        ("d1", "H41", "document"): "delivered",
        ("d1-2/2", "H23", "update"): "delivered",
        ("d1-2/2", "H41", "withdraw"): "delivered",
        ("d1-2/2", "H23.1", "document"): "delivered",
    }
    await story.report("01", document_id="d1-2")
    await story.report("15", document_id="d1-2")
    await story.report("15", "H41")  # under the first DocumentId as well
    await story.report("03", "H23.1", document_id="d1-2")
    await story.report("06")  # work goes on under either id
    states = await story.states()
    assert states["d1", "H23", "document"] == "finished"
    assert states["d1", "H41", "document"] == "withdrawn"
    assert states["d1-2/2", "H23.1", "document"] == "accepted"
    versions = await story.rows(
        "select v.addressee, d.document_id, v.version from delivery_version v "
        "join document d on d.document = v.content order by 1, 3"
    )
    assert versions == [("H23", "d1", 1), ("H23", "d1-2", 2), ("H23.1", "d1-2", 1), ("H41", "d1", 1)]
    feedback = "select addressee, codes, offices, skipped from delivery_feedback where addressee = 'H23'"
    assert await story.rows(feedback) == [("H23", ["03", "06"], ["clerk", "officer"], ["01", "04", "05"])]
    # The added receiver's document is one like the others' now: it can be withdrawn under the first id.
    await story.send(WITHDRAW, to=("H23.1",))


async def test_a_later_request_takes_the_place_of_an_update(story: Story) -> None:
    """One thing waits for an answer at a time, so that 15 cannot mean two things; the one before has lapsed."""
    await story.send(to=("H23",))
    await story.send(update(), to=("H23",))
    await story.send(update(), "d1-2", to=("H23",))
    await story.send(WITHDRAW, to=("H23",))
    assert "wait" in (await story.refused(update(), "d1-3", to=("H23",))).en
    assert "asked" in (await story.refused(replace(WITHDRAW, reason="lại"), to=("H23",))).en
    await story.report("15")
    assert await story.states() == {
        ("d1", "H23", "document"): "withdrawn",
        ("d1/2", "H23", "update"): "lapsed",
        ("d1-2/2", "H23", "update"): "lapsed",
        ("d1/1", "H23", "withdraw"): "agreed",
    }
    outcomes = await story.rows("select outcome from action order by recorded_at")
    assert outcomes == [("lapsed",), ("lapsed",), ("agreed",)]


async def test_sending_the_document_back_ends_what_was_asked(story: Story) -> None:
    """02 for the document leaves nothing to withdraw: the withdrawal has lapsed, and a new one is refused."""
    await story.send(to=("H23",))
    await story.send(WITHDRAW, to=("H23",))
    await story.report("02")
    states = await story.states()
    assert (states["d1", "H23", "document"], states["d1/1", "H23", "withdraw"]) == ("refused", "lapsed")
    assert "sent it back" in (await story.refused(replace(WITHDRAW, reason="lại"), to=("H23",))).en
    await story.send(replaces("H23"), "d2", to=("H23",))
    assert (await story.states())["d1", "H23", "document"] == "replaced"


async def test_a_replacement_ends_what_it_names_for_whom_it_names(story: Story) -> None:
    """The earlier document is replaced where the replacement says so, and goes on elsewhere."""
    await story.send()
    twice = replaces("H41").replacements * 2  # the national example names the same pair twice
    await story.send(replace(replaces(), replacements=twice), "d2")
    assert await story.states() == {
        ("d1", "H23", "document"): "delivered",
        ("d1", "H41", "document"): "replaced",
        ("d2/3", "H23", "document"): "delivered",
        ("d2/3", "H41", "document"): "delivered",
    }
    assert refusal((await story.report("01", "H41")).outputs).problems[0].code == "M.MessageHeader.StatusCode"
    assert (await story.report("01")).outputs[0].routing_key == "from.G22.to.H23.01"
    assert "replaced it" in (await story.refused(WITHDRAW)).en
    await story.report("03", "H41", document_id="d2")


async def test_one_batch_is_walked_in_order(story: Story) -> None:
    """Two requests about one delivery in one batch meet as if they had come one after the other."""
    await story.send(to=("H23",))
    first, second = await story.route(
        story.message(WITHDRAW, to=("H23",)), story.message(replace(WITHDRAW, reason="lại"), to=("H23",))
    )
    assert first.outputs[0].type == "document"
    assert "asked" in refusal(second.outputs).problems[0].en


async def test_replicas_meet_at_the_delivery(story: Story) -> None:
    """Of two withdrawals that two routers have in hand one is asked; the same one, handled twice, is asked once."""
    await story.send(to=("H23",))
    one, other = await story.exchange.to_router(
        story.message(WITHDRAW, to=("H23",)), story.message(replace(WITHDRAW, reason="lại"), to=("H23",))
    )
    routed = await asyncio.gather(
        *(handle(story.exchange.router, story.ledger, task, mark=False) for task in (one, other, one, other))
    )
    asked = [output.message_id for (outcome,) in routed for output in outcome.outputs if output.type == "document"]
    assert (len(asked), len(set(asked))) == (2, 1)
    assert await story.rows("select outcome from action") == [("pending",)]
    assert await story.rows("select outcome, count(*) from routing group by 1 order by 1") == [
        ("refused", 1),
        ("routed", 2),
    ]


IMPOSSIBLE = [
    (WITHDRAW, ("H23", "H23.1"), "MessageHeader/To[2]/OrganId"),
    (update(), ("H23", "H23.1"), "MessageHeader/To[2]/OrganId"),
    (update(document_id="d9"), ("H23",), f"{BUSINESS}/DocumentId"),
    (update(document_id="stopped"), ("H23",), f"{BUSINESS}/DocumentId"),
    (
        update(receivers=(Receiver("H41", added=False),)),
        ("H23",),
        f"{BUSINESS}/BussinessDocumentInfo/ReceiverList/Receiver[ReceiverType=0]/OrganId",
    ),
    (
        update(receivers=(Receiver("H98", added=True),)),
        ("H23",),
        f"{BUSINESS}/BussinessDocumentInfo/ReceiverList/Receiver[ReceiverType=1]/OrganId",
    ),
    (
        update(receivers=(Receiver("H41", added=False), Receiver("H41", added=True))),
        BOTH,
        f"{BUSINESS}/BussinessDocumentInfo/ReceiverList",
    ),
    (Business(BusinessType.REPLACE), ("H23",), f"{BUSINESS}/ReplacementInfoList"),
    (
        replaces("H41"),
        ("H23",),
        f"{BUSINESS}/ReplacementInfoList/ReplacementInfo[1]/OrganIdList/OrganId[1]",
    ),
    (
        replaces("H23", "H23.1"),
        ("H23", "H23.1"),
        f"{BUSINESS}/ReplacementInfoList/ReplacementInfo[1]/OrganIdList/OrganId[2]",
    ),
    (
        replaces("H23", document_id="d9"),
        ("H23",),
        f"{BUSINESS}/ReplacementInfoList/ReplacementInfo[1]/DocumentId",
    ),
]


async def test_what_is_impossible_is_refused_by_field(story: Story) -> None:
    """Nothing is asked of anybody, and the sender learns which field to mend, in both languages."""
    await story.send()
    await story.route(story.message(document_id="stopped", to=("H98",)))
    before = await story.states()
    for number, (business, to, path) in enumerate(IMPOSSIBLE):
        own_id = f"d2-{number}" if business.type is BusinessType.REPLACE else "d1"
        problem = await story.refused(business, own_id, to=to)
        assert problem.path == path
        assert problem.vi
        assert problem.en
    assert await story.states() == before
    assert await story.rows("select 1 from action") == []


async def test_nobody_acts_on_anothers_document(story: Story) -> None:
    """H41 cannot withdraw what G22 sent: among its own documents there is none of that name."""
    await story.send(to=("H23",))
    paper = document("d1", sender="H41", to=("H23",), business=WITHDRAW)
    (outcome,) = await story.route(submitted(paper, message_id="foreign"))
    assert refusal(outcome.outputs).problems[0].code == "M.MessageHeader.DocumentId"
    assert await story.states() == {("d1", "H23", "document"): "delivered"}
