"""status-tracker: what becomes of a status by what is found about its signature."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
import pytest_asyncio
from tests.integration.workers.conftest import NOW, document, handle, signed, status, submitted
from tests.integration.workers.judging import refused

from lienthong.edxml import encode
from lienthong.signature.policy import Policy
from lienthong.worker.examiners import Examiners
from lienthong_status_tracker.handler import TrackStatus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from cryptography import x509
    from tests.integration.workers.conftest import ExaminesHere
    from tests.integration.workers.judging import Judging

    from lienthong.bus.messages import Incoming
    from lienthong.ledger.ledger import Ledger
    from lienthong.payload import FolderStore
    from lienthong.trust import DevelopmentAuthority
    from lienthong.worker.handler import Outcome

DEMANDING = Policy(unsigned_status="refused")


class Tracking:
    """status-tracker on a ledger in which H23 and H23.1 got a document of G22's."""

    def __init__(
        self, ledger: Ledger, store: FolderStore, examiner: ExaminesHere, authority: DevelopmentAuthority, database: str
    ) -> None:
        self.ledger, self.authority, self._store, self._examiner = ledger, authority, store, examiner
        self._database = database
        self.policy = Policy()
        self.seen: list[x509.Certificate] = []

    async def report(self, *messages: Incoming, mark: bool = True) -> list[Outcome]:
        """Report statuses to a worker as if it had just been started."""
        tracker = TrackStatus(self._store, self._examiner, self.policy, remember=self.seen.append)
        return await handle(tracker, self.ledger, *messages, mark=mark)

    def lose_revocation(self) -> None:
        """Have nothing at hand that says whether a certificate was revoked."""
        for file in (self.authority.trust_folder / "crls").iterdir():
            file.unlink()

    async def rows(self, query: str) -> list[dict[str, Any]]:
        """Return what a query finds."""
        connection = await asyncpg.connect(self._database)
        found = [dict(row) for row in await connection.fetch(query)]
        await connection.close()
        return found

    async def states(self) -> list[str]:
        """Return the states of the deliveries."""
        return [row["state"] for row in await self.rows("select state from delivery order by addressee")]


@pytest_asyncio.fixture
async def tracking(
    judging: Judging,
    ledger: Ledger,
    store: FolderStore,
    examiner: ExaminesHere,
    authority: DevelopmentAuthority,
    database: str,
) -> Tracking:
    """Provide the worker, after a document was delivered."""
    (task,) = await judging.received(encode(document(to=("H23", "H23.1"))))
    (outcome,) = await judging.judge(task)
    await judging.route(outcome)
    return Tracking(ledger, store, examiner, authority, database)


def said(outcome: Outcome) -> tuple[object, object, object]:
    """Return what the sender is told was found."""
    (output,) = outcome.outputs
    return tuple(output.headers.get(name) for name in ("verdict", "found-vi", "found-en"))  # type: ignore[return-value]


def reported(body: bytes, message_id: str = "s1", user: str = "H23") -> Incoming:
    """Return a status as its reporter's connection submits it."""
    return submitted(body, user=user, message_id=message_id)


def changed(data: bytes) -> bytes:
    """Return a status with another code than was signed."""
    assert b"StatusCode>03<" in data
    return data.replace(b"StatusCode>03<", b"StatusCode>02<")


async def test_a_signed_status_is_applied_and_says_so(tracking: Tracking) -> None:
    """The sender is told whose valid signature it has; the ledger and its history keep that and the evidence."""
    body = signed(status("03"), tracking.authority)
    (outcome,) = await tracking.report(reported(body))
    assert said(outcome) == (
        "valid",
        "Chữ ký số của Văn thư H23 (Cơ quan H23) hợp lệ",
        "The signature of Văn thư H23 (Cơ quan H23) is valid",
    )
    assert outcome.outputs[0].body == body
    (row,) = await tracking.rows("select verdict, signer, reason, evidence from status")
    assert (row["verdict"], row["signer"], row["reason"]) == ("valid", "Văn thư H23", "")
    evidence = json.loads(row["evidence"])
    assert {one["kind"] for one in evidence} == {"certificate", "crl"}
    (entry,) = await tracking.rows("select facts from entry where kind = 'StatusReported'")
    facts = json.loads(entry["facts"])
    assert (facts["verdict"], facts["signer"], facts["evidence"]) == ("valid", "Văn thư H23", evidence)
    assert tracking.seen == [tracking.authority.credential("H23").certificate]


async def test_a_broken_signature_is_refused(tracking: Tracking) -> None:
    """Nothing of it is applied, its reporter is told once, and its neighbours in the batch are applied."""
    bad = reported(changed(signed(status("03"), tracking.authority)), "bad")
    good = reported(signed(status("03"), tracking.authority), "good")
    first, neighbour = await tracking.report(bad, good, mark=False)
    (problem,) = refused(first).problems
    assert (problem.code, problem.province_code, refused(first).about) == ("CheckSignature", 10, "status")
    assert "message_id mới" in problem.vi
    assert said(neighbour)[0] == "valid"
    assert await tracking.states() == ["accepted", "delivered"]
    (again,) = await tracking.report(bad)
    assert again == first
    assert (await tracking.report(bad))[0].outputs == ()
    (row,) = await tracking.rows("select count(*) from status where message_id = 'bad'")
    assert row["count"] == 0


@pytest.mark.parametrize(
    ("reporter", "by", "verdict"),
    [
        ("H23", "G22", None),
        ("H23", "H98", None),
        ("H23", "H23.1", None),
        ("000.00.00.H23", "H23", "valid"),
        ("H23.1", "H23.1", "valid"),
        ("H23.1", "H23", "valid"),
    ],
)
async def test_whose_certificate_may_sign(tracking: Tracking, reporter: str, by: str, verdict: str | None) -> None:
    """The reporter's own, or its carrier's: a status of one agency with another's certificate is refused."""
    body = signed(status("03", reporter=reporter), tracking.authority, by=by)
    (outcome,) = await tracking.report(reported(body))
    if verdict is None:
        (problem,) = refused(outcome).problems
        assert problem.code == "CheckSignature"
        assert "another agency" in problem.en
        assert await tracking.states() == ["delivered", "delivered"]
    else:
        assert said(outcome)[0] == verdict


async def test_a_revoked_certificate_is_refused(tracking: Tracking) -> None:
    """No policy accepts what was signed with a certificate that is revoked."""
    body = signed(status("03"), tracking.authority)
    tracking.authority.revoke(tracking.authority.credential("H23").certificate, at=NOW - timedelta(days=1))
    (outcome,) = await tracking.report(reported(body))
    (problem,) = refused(outcome).problems
    assert problem.code == "CheckSignature"
    assert "revoked" in problem.en
    assert await tracking.states() == ["delivered", "delivered"]


async def test_what_cannot_be_found_out_is_applied_and_says_so(tracking: Tracking) -> None:
    """An indeterminate status is applied at once; told again it says what was found then, whatever is known by now."""
    tracking.policy = DEMANDING
    body = signed(status("03"), tracking.authority)
    tracking.lose_revocation()
    (first,) = await tracking.report(reported(body), mark=False)
    verdict, vi, en = said(first)
    assert verdict == "indeterminate"
    assert str(vi).startswith("Chưa xác định được chữ ký số của Văn thư H23 (Cơ quan H23): ")
    assert str(en).startswith("The signature of Văn thư H23 (Cơ quan H23) could not be judged: ")
    assert await tracking.states() == ["accepted", "delivered"]
    (row,) = await tracking.rows("select verdict, reason from status")
    assert (row["verdict"], row["reason"]) == ("indeterminate", "TRY_LATER")
    tracking.authority.publish()
    assert await tracking.report(reported(body)) == [first]


async def test_the_policy_may_refuse_unsigned_statuses(tracking: Tracking) -> None:
    """They are applied by default and say that they are unsigned; where the policy demands it they are refused."""
    tracking.policy = DEMANDING
    (demanded,) = await tracking.report(reported(encode(status("01")), "s1"))
    (problem,) = refused(demanded).problems
    assert problem.code == "CheckSignature"
    assert "no digital signature" in problem.en
    tracking.policy = Policy()
    (outcome,) = await tracking.report(reported(encode(status("01")), "s2"))
    assert said(outcome) == ("unsigned", "Trạng thái không có chữ ký số", "The status carries no digital signature")
    (row,) = await tracking.rows("select verdict, signer, evidence from status")
    assert row == {"verdict": "unsigned", "signer": None, "evidence": "[]"}


@pytest.mark.parametrize("policy", [Policy(), DEMANDING])
async def test_the_word_alone_is_no_signature(tracking: Tracking, policy: Policy) -> None:
    """A status that only speaks of a Signature is examined, found unsigned, and treated as any unsigned one."""
    tracking.policy = policy
    body = encode(replace(status("01"), description="Signature"))
    (outcome,) = await tracking.report(reported(body))
    if policy is DEMANDING:
        assert refused(outcome).problems[0].code == "CheckSignature"
    else:
        assert said(outcome)[0] == "unsigned"


async def test_strange_names_can_be_recorded(tracking: Tracking) -> None:
    """A name with a NUL in a certificate is shown without it: PostgreSQL has no place for one, nor has a header."""
    tracking.authority.issue("H23", "Văn\x00thư")
    (outcome,) = await tracking.report(reported(signed(status("03"), tracking.authority)))
    assert said(outcome)[1] == "Chữ ký số của Văn�thư (Cơ quan H23) hợp lệ"


async def test_a_status_recorded_by_the_version_before_says_nothing(tracking: Tracking) -> None:
    """What was recorded without a verdict is told without one: it was not judged, and is not judged now."""
    message = reported(encode(status("03")))
    await tracking.report(message, mark=False)
    await tracking.rows(
        "update status set verdict = null, signer = null, reason = null, vi = null, en = null, evidence = null"
    )
    (again,) = await tracking.report(message)
    assert said(again) == (None, None, None)


@pytest_asyncio.fixture
async def examiners(tmp_path: Path, authority: DevelopmentAuthority) -> AsyncIterator[Examiners]:
    """Provide real examiners with little memory."""
    async with Examiners(tmp_path, authority.trust_folder, processes=2, megabytes=8) as opened:
        yield opened


async def test_a_status_that_ends_its_examiner_is_refused_alone(
    tracking: Tracking, examiners: Examiners, store: FolderStore, ledger: Ledger
) -> None:
    """One that takes more memory than there is ends a process and is refused; its neighbours are judged and applied."""
    good = [
        reported(signed(status(code, document_id="d1"), tracking.authority), f"good-{code}")
        for code in ("01", "03", "06")
    ]
    passed = b"<edXML:TraceHeader><edXML:OrganId>H23</edXML:OrganId></edXML:TraceHeader>" * 9000
    frame = b"<edXML:TraceHeaderList>" + passed + b"</edXML:TraceHeaderList></edXML:edXMLHeader>"
    hostile = good[1].body.replace(b"</edXML:edXMLHeader>", frame)
    tracker = TrackStatus(store, examiners, Policy())
    batch = [good[0], reported(hostile, "hostile"), *good[1:]]
    first, ended, *others = await handle(tracker, ledger, *batch)
    (problem,) = refused(ended).problems
    assert problem.code == "CheckSignature"
    assert "within the limits (memory)" in problem.en
    assert [said(outcome)[0] for outcome in (first, *others)] == ["valid"] * 3
    assert await tracking.states() == ["finished", "delivered"]
    (row,) = await tracking.rows("select evidence from status where message_id = 'good-01'")
    for one in json.loads(row["evidence"]):
        assert len(await store.get(one["sha256"])) == one["size"]
