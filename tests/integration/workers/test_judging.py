"""signature-verify: what becomes of a document by what is found about its signatures and files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.integration.workers.conftest import NOW, document, ids, signed, submitted
from tests.integration.workers.judging import Judging, changed, history, refused, routed, told

from lienthong.edxml import Attachment, DocumentType
from lienthong.signature.policy import Policy, Rule
from lienthong_signature_verify.handler import VerifySignature

if TYPE_CHECKING:
    from cryptography import x509

    from lienthong.ledger.reports import Reports


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


async def test_signers_are_remembered(judging: Judging) -> None:
    """Whose signature was seen once, that certificate's revocation is known from then on."""
    (task,) = await judging.received(signed(document(), judging.authority))
    seen: list[x509.Certificate] = []
    await VerifySignature(judging.examiner, judging.policy, remember=seen.append).decide(task)
    assert seen == [judging.authority.credential("G22").certificate]


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
