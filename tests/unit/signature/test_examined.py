"""What is found about a file: its form between processes, and what attached files make of its worth."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest

from lienthong.document.verdicts import Reason, SignatureFinding, Value, Verdict
from lienthong.signature.attachments_findings import AttachmentFlaw, finding
from lienthong.signature.examined import Examined, digest_of
from lienthong.signature.policy import LEGACY, Policy, Rule
from lienthong.testing.message_forge import signer
from lienthong.trust import Evidence

NOON = dt.datetime(2026, 11, 10, 5, tzinfo=dt.UTC)


def signature(verdict: Verdict = Verdict.VALID) -> SignatureFinding:
    """Return a finding about the message's own signature."""
    reason = Reason("CODE", "vì “lý do”", "because")
    return SignatureFinding(
        "message", verdict, reason, "Văn thư", "G22", NOON, NOON - dt.timedelta(hours=1), "", "agency"
    )


def test_the_json_form_is_exact() -> None:
    """What is decoded is what was encoded, certificates and times included; the evidence's bytes stay behind."""
    kept = Evidence("crl", b"0\x03\x02\x01\x00")
    examined = Examined(
        (
            signature(),
            SignatureFinding("pdf", Verdict.INVALID, Reason("HASH_FAILURE", "đổi", "changed"), subject="a.pdf"),
        ),
        "G22",
        "Công văn",
        (finding(AttachmentFlaw.INFECTED, "tệp.exe", detail="Eicar"), finding(AttachmentFlaw.NOT_SCANNED, "b")),
        legacy=True,
        evidence=(digest_of(kept),),
        signers=signer("p256").certificate_chain,
        blobs={digest_of(kept).sha256: kept.der},
    )
    again = Examined.decode(examined.encode())
    assert again == examined
    assert (again.findings[0].signed_at, again.blobs) == (NOON, {})
    assert Examined.decode(again.encode()) == again


@pytest.mark.parametrize("flaw", [flaw for flaw in AttachmentFlaw if finding(flaw, "x").refuses])
def test_a_file_that_must_not_be_passed_on_refuses_the_document(flaw: AttachmentFlaw) -> None:
    """No signature and no policy makes up for a file that refuses; the reason is told in both languages."""
    rules = [Rule(), Rule(indeterminate="provisional"), Rule(unsigned="information", required=frozenset())]
    for rule, verdict in itertools.product(rules, (None, Verdict.VALID, Verdict.INDETERMINATE)):
        findings = () if verdict is None else (signature(verdict),)
        files = (finding(AttachmentFlaw.MACROS, "m.docm"), finding(flaw, "tệp"))
        appraisal = Examined(findings, "G22", files=files).appraise(Policy(rule)).appraisal
        assert (appraisal.verdict, appraisal.value, appraisal.held) == (Verdict.INVALID, Value.REFUSED, False)
        assert [reason.code for reason in appraisal.reasons] == [files[1].problem.code]


def test_a_silent_scanner_is_neither_clean_nor_infected() -> None:
    """What could not be scanned waits as the policy says of the indeterminate, however well it is signed."""
    examined = Examined((signature(),), "G22", files=(finding(AttachmentFlaw.NOT_SCANNED, "a.pdf"),))
    held = examined.appraise(Policy(Rule(hold_minutes=10)), waited_minutes=9).appraisal
    assert (held.verdict, held.value, held.held) == (Verdict.INDETERMINATE, Value.INFORMATION, True)
    after = examined.appraise(Policy(Rule(hold_minutes=10, after_hold="refused")), waited_minutes=10).appraisal
    assert (after.verdict, after.value, after.held) == (Verdict.INDETERMINATE, Value.REFUSED, False)
    provisional = examined.appraise(Policy(Rule(indeterminate="provisional"))).appraisal
    assert (provisional.verdict, provisional.value) == (Verdict.INDETERMINATE, Value.INFORMATION)


def test_what_is_only_worth_mending_costs_nothing() -> None:
    """A file with a small fault is told about and leaves the document the value of paper."""
    files = tuple(finding(flaw, "x") for flaw in AttachmentFlaw)
    mild = tuple(file for file in files if not file.refuses and not file.unknown)
    verification = Examined((signature(),), "G22", files=mild).appraise(Policy())
    assert (verification.appraisal.value, verification.files) == (Value.PAPER, mild)


def test_the_old_envelope_signature_is_named_and_never_counted() -> None:
    """The envelope's SHA-1 signature gives no value, and an unsigned document says why it does not count."""
    unsigned = Examined((), "G22", legacy=True).appraise(Policy()).appraisal
    assert (unsigned.verdict, unsigned.value) == (Verdict.UNSIGNED, Value.INFORMATION)
    assert LEGACY in unsigned.reasons
    signed = Examined((signature(),), "G22", legacy=True).appraise(Policy()).appraisal
    assert (signed.value, signed.reasons) == (Value.PAPER, ())
