"""From facts to verdicts: who signed, when, and what is believed of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.unit.signature_pdf.files import letter
from tests.unit.signature_pdf.people import (
    AGENCY,
    CA,
    RECEIVED,
    SIGNED,
    STAMPED,
    Opinion,
    SimpleBelief,
    belief,
    certify,
    document_stamped,
    person,
    signed,
    stamper,
)

from lienthong.document.verdicts import Reason, Verdict
from lienthong.signature.pdf import Holder, PdfReport, holder_of, report
from lienthong.signature.pdf_examination import examine
from lienthong.signature.pdf_facts import Flaw, decode_facts, encode_facts, reason_of

BETWEEN = datetime(2026, 11, 11, tzinfo=UTC)
STRANGER = stamper(ca="Other CA")
FUTURE = stamper(datetime(2029, 1, 1, tzinfo=UTC))
SERIAL = person().certificate.serial_number
STAMPER = person("TSA", None, "rsa2048", CA).certificate.serial_number


def judged(pdf: bytes, opinion: SimpleBelief) -> PdfReport:
    """Return the report on a PDF, examined here."""
    return report(examine(pdf), pdf, at=RECEIVED, belief=opinion, subject="a.pdf")


def test_a_finding_says_who_where_and_when() -> None:
    """A finding names the signer, the agency, the attachment and the moment; the claimed time is told apart."""
    (finding,) = judged(signed(letter()), belief()).findings
    assert (finding.kind, finding.verdict, finding.subject) == ("pdf", Verdict.VALID, "a.pdf")
    assert (finding.signer, finding.agency) == ("Văn thư", AGENCY)
    assert (finding.signed_at, finding.claimed_at) == (RECEIVED, SIGNED)


def test_a_stamp_and_not_the_claim_dates_a_signature() -> None:
    """With a believed time stamp the signature is judged for that time, else for the receipt; never for the claim."""
    revoked = belief(revoked={SERIAL: BETWEEN})
    stamped = judged(signed(letter(), stamped=stamper()), revoked)
    assert (stamped.verdict, stamped.findings[0].signed_at) == (Verdict.VALID, STAMPED)
    plain = judged(signed(letter()), revoked)
    assert (plain.verdict, plain.reason.code) == (Verdict.INVALID, "REVOKED")


def test_a_document_stamp_dates_the_signatures_before_it() -> None:
    """A document time stamp proves that the signatures it covers existed by then, and is a finding of its own."""
    found = judged(document_stamped(signed(letter()), stamper()), belief(revoked={SERIAL: BETWEEN}))
    assert [finding.kind for finding in found.findings] == ["pdf", "timestamp"]
    assert found.verdict is Verdict.VALID
    assert found.findings[0].signed_at == STAMPED


@pytest.mark.parametrize(
    ("stamp", "code"),
    [
        (stamper(ca="Other CA"), "NO_CERTIFICATE_CHAIN_FOUND"),
        (stamper(datetime(2031, 1, 1, tzinfo=UTC)), "FORMAT_FAILURE"),
    ],
    ids=["untrusted", "future"],
)
def test_a_stamp_that_is_not_believed_refuses_the_signature(stamp: object, code: str) -> None:
    """A bad time stamp is an attack and not ignored: the signature under it is invalid for its reason."""
    found = judged(signed(letter(), stamped=stamp), belief())  # type: ignore[arg-type]
    assert (found.verdict, found.reason.code) == (Verdict.INVALID, code)


def test_an_unknown_stamp_leaves_it_open_only_where_it_matters() -> None:
    """If nothing can be found out about the stamp, the receipt decides when it may, else nothing is decided."""
    pdf = signed(letter(), stamped=stamper())
    unsure = belief(unknown=frozenset({STAMPER}))
    assert judged(pdf, unsure).verdict is Verdict.VALID
    found = judged(pdf, replace(unsure, revoked={SERIAL: BETWEEN}))
    assert (found.verdict, found.reason.code) == (Verdict.INDETERMINATE, "TRY_LATER")


def test_one_bad_signature_decides_for_the_document_and_the_others_keep_their_verdict() -> None:
    """Invalid outweighs indeterminate, which outweighs valid; each signature keeps what was found about it."""
    pdf = signed(signed(letter()), person("Sở", "H23"))
    unknown = belief(unknown=frozenset({SERIAL}))
    assert [finding.verdict for finding in judged(pdf, unknown).findings] == [Verdict.INDETERMINATE, Verdict.VALID]
    assert judged(pdf, unknown).verdict is Verdict.INDETERMINATE
    worse = replace(unknown, revoked={person("Sở", "H23").certificate.serial_number: BETWEEN})
    assert judged(pdf, worse).verdict is Verdict.INVALID


def test_a_stamp_alone_is_nobody_s_signature() -> None:
    """A PDF with only a document time stamp counts as unsigned."""
    assert judged(document_stamped(letter(), stamper()), belief()).verdict is Verdict.UNSIGNED


def test_what_verdicts_rest_on_is_kept() -> None:
    """Every judgement asked for is among the grounds, so that it can be kept as evidence."""
    found = judged(signed(letter(), stamped=stamper()), belief())
    assert len(found.grounds) == 2
    assert all(isinstance(ground, Opinion) for ground in found.grounds)


def test_facts_survive_the_pipe() -> None:
    """What one process writes the other reads as the same."""
    facts = examine(signed(letter(), stamped=stamper()))
    assert decode_facts(encode_facts(facts)) == facts


@pytest.mark.parametrize("flaw", Flaw)
def test_every_flaw_has_words(flaw: Flaw) -> None:
    """Each flaw has an ETSI sub-indication and a text in both languages."""
    reason = reason_of(flaw)
    assert isinstance(reason, Reason)
    assert reason.code.isupper()
    assert reason.vi
    assert reason.en
    assert reason.vi != reason.en


@pytest.mark.parametrize(
    ("parts", "holder"),
    [
        ({NameOID.COMMON_NAME: "Nguyễn Văn A", NameOID.TITLE: "Chánh Văn phòng"}, Holder.PERSON),
        ({NameOID.COMMON_NAME: "Nguyễn Văn A", NameOID.SURNAME: "Nguyễn"}, Holder.PERSON),
        ({NameOID.COMMON_NAME: "Bộ Nội vụ", NameOID.ORGANIZATION_NAME: "BỘ NỘI VỤ"}, Holder.AGENCY),
        ({NameOID.COMMON_NAME: "Văn thư", NameOID.ORGANIZATION_IDENTIFIER: "GOVVN-G01"}, Holder.AGENCY),
        ({NameOID.COMMON_NAME: "Văn thư", NameOID.ORGANIZATION_NAME: "Bộ Nội vụ"}, Holder.UNKNOWN),
    ],
)
def test_a_person_is_told_from_an_agency_only_where_the_certificate_says_so(
    parts: dict[x509.ObjectIdentifier, str], holder: Holder
) -> None:
    """A subject with a person's attributes is a person's, one named as its organization an agency's; else unknown."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(oid, text) for oid, text in parts.items()])
    assert holder_of(certify(subject, key, subject, key)) is holder
    assert judged(signed(letter()), belief()).holders == (Holder.UNKNOWN,)
