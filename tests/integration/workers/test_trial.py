"""Units on trial, documents sent as tests, and agencies that were merged, through the workers' handlers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.workers.conftest import document, handed_on, handle, status, submitted
from tests.integration.workers.test_earlier import WITHDRAW, Story, replaces, update
from tests.integration.workers.test_way import Exchange, refusal

from lienthong.access.standing import Registry
from lienthong.edxml import Business, BusinessType
from lienthong.ledger.rows import AgencyRow
from lienthong.trust import TrustStore

if TYPE_CHECKING:
    from tests.integration.workers.conftest import ExaminesHere

    from lienthong.bus.messages import Outgoing
    from lienthong.ledger.ledger import Ledger
    from lienthong.ledger.reports import Reports
    from lienthong.payload import FolderStore

AGES = timedelta(days=3650)


@pytest.fixture
def exchange(ledger: Ledger, store: FolderStore, examiner: ExaminesHere) -> Exchange:
    """Provide the handlers."""
    return Exchange(ledger, store, examiner)


@pytest.fixture
def story(ledger: Ledger, store: FolderStore, examiner: ExaminesHere, database: str) -> Story:
    """Provide the same, asked by documents that act on earlier ones."""
    return Story(ledger, store, examiner, database)


async def routed(exchange: Exchange, sender: str, to: str, headers: dict[str, Any], name: str) -> Outgoing:
    """Take a document as far as the router's first output: its delivery, or its refusal."""
    message = submitted(document(name, sender=sender, to=(to,)), message_id=name, **headers)
    (outcome,) = await handle(exchange.router, exchange.ledger, *await exchange.to_router(message))
    return outcome.outputs[0]


async def test_trial_and_official_do_not_mix_unmarked(exchange: Exchange, ledger: Ledger) -> None:
    """A unit on trial exchanges with others on trial, and with anybody what its sender marks as a test."""
    await ledger.register([AgencyRow(code, f"Tỉnh {code}", stage="trial") for code in ("H31", "H32")])
    await ledger.register([AgencyRow("H31.1", "Sở")])
    delivered: tuple[tuple[str, str, dict[str, Any], int | None], ...] = (
        ("H31", "H32", {}, 1),
        ("H31", "H23", {"test": 1}, 1),
        ("G22", "H31", {"test": "true"}, 1),
        ("G22", "H31.1", {"test": True}, 1),
        ("G22", "H23", {"test": 1}, 1),
        ("G22", "H23", {"test": 0}, None),
        ("G22", "H23", {}, None),
    )
    for number, (sender, to, headers, test) in enumerate(delivered):
        output = await routed(exchange, sender, to, headers, f"d{number}")
        assert (output.type, output.headers.get("test")) == ("document", test), (sender, to, headers)
    for sender, to in (("H31", "H23"), ("G22", "H31"), ("G22", "H31.1")):
        (problem,) = refusal([await routed(exchange, sender, to, {}, f"{sender} {to}")]).problems
        assert problem.province_code == 23
        assert "header test" in problem.en
        assert "tiêu đề test" in problem.vi


async def test_tests_are_never_counted(exchange: Exchange, reports: Reports) -> None:
    """A receiver of tests alone has received nothing, whatever it reports of them."""
    await exchange.deliver(submitted(document(), test=1))
    await exchange.report(submitted(status("03"), user="H23", message_id="s1"))
    ever = (datetime.now(UTC) - AGES, datetime.now(UTC) + AGES)
    units = {unit.code: unit for unit in (await reports.supervision(*ever)).units}
    assert (units["H23"].documents, units["H23"].feedback) == (0, "nothing-received")
    assert sum((await reports.values(*ever)).values()) == 0
    await exchange.deliver(submitted(document("d2"), message_id="m2"))
    units = {unit.code: unit for unit in (await reports.supervision(*ever)).units}
    assert (units["H23"].documents, units["H23"].feedback) == (1, "never")
    assert sum((await reports.values(*ever)).values()) == 1


async def merge(ledger: Ledger, old: str, new: str) -> None:
    """Merge an agency into another, as of today."""
    await Registry(ledger, lambda: TrustStore.of(roots=()), by="lan@test").merge([old], new)


async def test_mail_to_a_merged_agency_reaches_its_successor(exchange: Exchange, ledger: Ledger) -> None:
    """It is delivered to the queue of the one that took over; the merged one sends nothing any more."""
    await merge(ledger, "H41", "H23")
    output = await routed(exchange, "G22", "H41", {}, "d1")
    assert output.routing_key == "H23"
    both = submitted(document("both", to=("H41", "H23")), message_id="both")
    (outcome,) = await handle(exchange.router, ledger, *await exchange.to_router(both))
    assert "H41" in refusal(outcome.outputs).problems[0].en
    (sent,) = await handle(exchange.ingest, ledger, submitted(document("own", sender="H41"), message_id="own"))
    assert "was merged into H23" in refusal(sent.outputs).problems[0].en
    for_it = submitted(document("for", sender="H41"), user="H23", message_id="for")
    assert len(await exchange.to_router(for_it)) == 1


async def test_statuses_of_documents_from_before_a_merger_flow(exchange: Exchange, ledger: Ledger) -> None:
    """Of what a merged agency received it may report itself, or its successor may, in either name."""
    await exchange.deliver(submitted(document(to=("H41",))))
    await merge(ledger, "H41", "H23")
    for code, user, reporter in (("01", "H41", "H41"), ("03", "H23", "H41"), ("04", "H23", "H23")):
        message = submitted(status(code, reporter=reporter), user=user, message_id=f"s{code}")
        (outcome,) = await exchange.report(message)
        assert outcome.outputs[0].routing_key == f"from.G22.to.H41.{code}"


async def test_two_deliveries_of_what_is_one_agency_now_stay_two(exchange: Exchange, ledger: Ledger) -> None:
    """Where both had got a document before the merger, From says of whose delivery a status is."""
    await exchange.deliver(submitted(document(to=("H41", "H23"))))
    await merge(ledger, "H41", "H23")
    for reporter in ("H23", "H41"):
        message = submitted(status("03", reporter=reporter), user="H23", message_id=f"s{reporter}")
        (outcome,) = await exchange.report(message)
        assert [one.routing_key for one in outcome.outputs] == [f"from.G22.to.{reporter}.03"]


async def test_statuses_about_a_merged_senders_documents_reach_its_successor(
    exchange: Exchange, ledger: Ledger
) -> None:
    """Whichever code the receiver writes, the successor is told what became of them, and may ask for them back."""
    await exchange.deliver(submitted(document(to=("H41",))))
    await merge(ledger, "G22", "H23")
    for code, owner in (("01", "G22"), ("03", "H23")):
        message = submitted(status(code, reporter="H41", owner=owner), user="H41", message_id=f"s{code}")
        (outcome,) = await exchange.report(message)
        assert outcome.outputs[0].routing_key == f"from.H23.to.H41.{code}"
    back = submitted(status("13", reporter="H23", owner="H41"), user="H23", message_id="s13")
    (asked,) = await exchange.report(back)
    assert asked.outputs[0].routing_key == "from.H41.to.G22.13"


async def test_notices_for_a_merged_agency_reach_its_successor(exchange: Exchange, ledger: Ledger) -> None:
    """What the exchange itself says goes to the queue of the one that took over, once, and stays the other's fact."""
    (received,) = await handle(exchange.ingest, ledger, submitted(document()))
    receipt = handed_on(received.outputs[1])
    await merge(ledger, "G22", "H23")
    (told,) = await handle(exchange.notifier, ledger, receipt)
    assert [one.routing_key for one in told.outputs] == ["from.H23.to.lienthong.receipt"]
    (again,) = await handle(exchange.notifier, ledger, receipt)
    assert again.outputs == ()
    # What it still sends itself is refused; as long as it is let in, it learns that too.
    (own,) = await handle(exchange.ingest, ledger, submitted(document("own"), message_id="own"))
    (both,) = await handle(exchange.notifier, ledger, handed_on(own.outputs[0]))
    assert [one.routing_key[:8] for one in both.outputs] == ["from.H23", "from.G22"]


async def test_a_successor_acts_on_what_its_predecessor_sent(story: Story) -> None:
    """It withdraws, updates and replaces it as if it were its own, and is told the answers; nobody else can."""
    for name in ("d1", "d2", "d3"):
        await story.send(document_id=name)
    await story.send(document_id="d3", sender="H41", to=("G22",))
    await merge(story.ledger, "G22", "H23")
    foreign = await story.route(submitted(document("d1", sender="H41", to=("H41",), business=WITHDRAW), message_id="f"))
    assert refusal(foreign[0].outputs).problems[0].code == "M.MessageHeader.DocumentId"
    # What nobody got of its own, under the same DocumentId, stands in nobody's way.
    await story.refused(update(), "d1", sender="H23", to=("H98",))
    await story.send(WITHDRAW, sender="H23", to=("H41",))
    await story.send(update(document_id="d2"), "d2-1", sender="H23", to=("H41",))
    await story.send(replaces("H41", document_id="d3"), "d3-1", sender="H23", to=("H41",))
    # Under whichever code the receiver answers.
    told = [await story.report("15", "H41", name, owner) for name, owner in (("d1", "G22"), ("d2-1", "H23"))]
    assert [one.outputs[0].routing_key for one in told] == ["from.H23.to.H41.15"] * 2
    assert {key: state for key, state in (await story.states()).items() if key[1] == "H41"} == {
        ("d1", "H41", "document"): "withdrawn",
        ("d1/1", "H41", "withdraw"): "agreed",
        ("d2", "H41", "document"): "delivered",
        ("d2-1/2", "H41", "update"): "agreed",
        ("d3", "H41", "document"): "replaced",
        ("d3-1/3", "H41", "document"): "delivered",
    }
    assert await story.rows("select kind, outcome from action order by 1") == [
        ("replace", "done"),
        ("update", "agreed"),
        ("withdraw", "agreed"),
    ]


async def test_what_a_merged_agency_got_is_asked_of_its_successor(story: Story) -> None:
    """The request stands beside the document; of two that are one by now To says whose is meant."""
    await story.send()
    await story.send(document_id="d2", to=("H41",))
    await story.send(document_id="d3", to=("H41",))
    await merge(story.ledger, "H41", "H23")
    await story.send(WITHDRAW, to=("H41",))
    await story.send(WITHDRAW, "d2", to=("H23",))
    await story.send(replaces("H41", document_id="d3"), "d3-1", to=("H23",))
    for name, reporter in (("d1", "H41"), ("d2", "H23")):
        assert (await story.report("15", reporter, name, user="H23")).outputs[0].routing_key == "from.G22.to.H41.15"
    assert await story.states() == {
        ("d1", "H23", "document"): "delivered",
        ("d1", "H41", "document"): "withdrawn",
        ("d1/1", "H41", "withdraw"): "agreed",
        ("d2", "H41", "document"): "withdrawn",
        ("d2/1", "H41", "withdraw"): "agreed",
        ("d3", "H41", "document"): "replaced",
        ("d3-1/3", "H23", "document"): "delivered",
    }
    assert {row[0] for row in await story.rows("select carrier from delivery where role = 'withdraw'")} == {"H23"}


async def test_tests_and_official_documents_do_nothing_to_each_other(story: Story) -> None:
    """Neither acts on the other, which the sender is told by field and in both languages; each acts on its own kind."""
    await story.send()
    (sent,) = await story.route(replace(story.message(document_id="t1"), headers={"test": 1}))
    assert sent.outputs[0].headers["test"] == 1
    before = await story.states()
    for business in (WITHDRAW, update(), replaces("H23")):
        path = "TraceHeaderList/Bussiness/DocumentId"
        if business is WITHDRAW:
            path = "MessageHeader/DocumentId"
        elif business.replacements:
            path = "TraceHeaderList/Bussiness/ReplacementInfoList/ReplacementInfo[1]/DocumentId"
        own_id = "d1" if business is WITHDRAW else f"d1-{business.type}"
        (outcome,) = await story.route(replace(story.message(business, own_id), headers={"test": 1}))
        (problem,) = refusal(outcome.outputs).problems
        assert (problem.path, problem.province_code) == (path, 21)
        assert "is official" in problem.en
        assert "chính thức" in problem.vi
    problem = await story.refused(WITHDRAW, "t1")
    assert "with the header test" in problem.en
    assert "với tiêu đề test" in problem.vi
    assert await story.states() == before
    # The same bytes would be the same document, as it was sent first.
    anew = story.message(Business(BusinessType.WITHDRAW, reason="thử"), "t1")
    (done,) = await story.route(replace(anew, headers={"test": 1}))
    assert [output.type for output in done.outputs] == ["document"]
