"""What revocation makes of a certificate that is right otherwise, and every way its sources can be wrong."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp

from lienthong.document.verdicts import Verdict
from lienthong.testing.hierarchy import Hierarchy, Revocation
from lienthong.trust import TrustStore, Usage, judge

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = dt.datetime(2026, 11, 15, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
VALID, INVALID, UNKNOWN = Verdict.VALID, Verdict.INVALID, Verdict.INDETERMINATE
Reason = x509.ReasonFlags


@dataclass(frozen=True)
class Case:
    """What is judged, by whom, and for when."""

    certificate: x509.Certificate
    store: TrustStore
    at: dt.datetime = NOW
    usage: Usage = Usage.SIGNATURE


@pytest.fixture(scope="module")
def hierarchy() -> Hierarchy:
    """Provide a hierarchy that is right on 15 November 2026."""
    return Hierarchy(NOW)


def _with(h: Hierarchy, *crls: x509.CertificateRevocationList) -> TrustStore:
    return h.store(h.crl(h.root), *crls)


def revoked(
    h: Hierarchy,
    reason: x509.ReasonFlags | None = None,
    *,
    days_ago: int = 30,
    invalid_days_ago: int | None = None,
    at: dt.datetime = NOW,
) -> Case:
    """Return a signer on its issuer's list."""
    signer = h.signer().certificate
    since = None if invalid_days_ago is None else NOW - invalid_days_ago * DAY
    entry = Revocation(signer, NOW - days_ago * DAY, reason, since)
    return Case(signer, _with(h, h.crl(h.sub, entry)), at)


def answered(
    h: Hierarchy,
    status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
    *,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    revoked_at: dt.datetime | None = None,
) -> Case:
    """Return a signer about which only an OCSP answer is at hand."""
    signer = h.signer().certificate
    answer = h.answer(signer, status, since=since, until=until, revoked_at=revoked_at)
    return Case(signer, h.store(h.crl(h.root), answers=[answer]))


def revoked_sub(h: Hierarchy, at: dt.datetime = NOW) -> Case:
    """Return a signer under a revoked authority."""
    entry = Revocation(h.sub.certificate, NOW - 30 * DAY, Reason.ca_compromise)
    return Case(h.signer().certificate, h.store(h.crl(h.root, entry), h.crl(h.sub)), at)


def hold_lifted(h: Hierarchy) -> Case:
    """Return a signer that an older list holds and a newer one no longer mentions."""
    signer = h.signer().certificate
    entry = Revocation(signer, NOW - 9 * DAY, Reason.certificate_hold)
    older = h.crl(h.sub, entry, since=NOW - 8 * DAY, until=NOW + DAY)
    return Case(signer, _with(h, older, h.crl(h.sub)))


def hold_begun(h: Hierarchy) -> Case:
    """Return a signer that a newer list holds and an older, longer lasting one does not mention."""
    signer = h.signer().certificate
    entry = Revocation(signer, NOW - 9 * DAY, Reason.certificate_hold)
    older = h.crl(h.sub, since=NOW - 8 * DAY, until=NOW + 30 * DAY)
    return Case(signer, _with(h, older, h.crl(h.sub, entry)))


def dropped_from_list(h: Hierarchy) -> Case:
    """Return a signer that a superseded list revoked and the newest does not mention."""
    signer = h.signer().certificate
    older = h.crl(h.sub, Revocation(signer, NOW - 99 * DAY), since=NOW - 90 * DAY, until=NOW - 80 * DAY)
    return Case(signer, _with(h, older, h.crl(h.sub)))


def scoped(h: Hierarchy, **scope: object) -> Case:
    """Return a signer whose issuer's list has an issuing distribution point."""
    defaults: dict[str, object] = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    point = x509.IssuingDistributionPoint(**(defaults | scope))  # type: ignore[arg-type]
    return Case(h.signer().certificate, _with(h, h.crl(h.sub, extensions=[(point, True)])))


def with_answer_by(h: Hierarchy, *, unchecked: bool, listed: str) -> Case:
    """Return a signer with a good answer by an appointed responder, about which the list says something."""
    signer, responder = h.signer().certificate, h.responder(unchecked=unchecked)
    crls = [h.crl(h.root)]
    # The list covers the responder only by an entry, or when it is fresh; a signer of its own keeps it from deciding.
    if listed == "revoked":
        stale = NOW - DAY
        crls.append(h.crl(h.sub, Revocation(responder.certificate, NOW - 3 * DAY), since=NOW - 2 * DAY, until=stale))
    return Case(signer, h.store(*crls, answers=[h.answer(signer, responder=responder)]))


def listed_with(h: Hierarchy, value: x509.ExtensionType, *, entry: bool = False) -> Case:
    """Return a signer whose issuer's list, or another entry on it, carries a critical extension."""
    signer, other = h.signer().certificate, h.signer().certificate
    if entry:
        crl = h.crl(h.sub, Revocation(other, NOW - DAY, others=((value, True),)))
    else:
        crl = h.crl(h.sub, extensions=[(value, True)])
    return Case(signer, _with(h, crl))


ODD = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.32473.9"), b"\x05\x00")
POINT = [x509.UniformResourceIdentifier("http://crl.example/1.crl")]
GOOD, REVOKED_ANSWER, UNKNOWN_ANSWER = (
    ocsp.OCSPCertStatus.GOOD,
    ocsp.OCSPCertStatus.REVOKED,
    ocsp.OCSPCertStatus.UNKNOWN,
)

CASES: list[tuple[str, Callable[[Hierarchy], Case], Verdict, str]] = [
    # Lists.
    ("revoked", revoked, INVALID, "REVOKED"),
    ("revoked, with reason", lambda h: revoked(h, Reason.superseded), INVALID, "REVOKED"),
    ("revoked later", lambda h: revoked(h, at=NOW - 31 * DAY), VALID, ""),
    ("revoked at that instant", lambda h: revoked(h, at=NOW - 30 * DAY), INVALID, "REVOKED"),
    ("invalid before it was revoked", lambda h: revoked(h, invalid_days_ago=60, at=NOW - 45 * DAY), INVALID, "REVOKED"),
    ("invalidity date after", lambda h: revoked(h, invalid_days_ago=10, at=NOW - 20 * DAY), INVALID, "REVOKED"),
    ("on hold", lambda h: revoked(h, Reason.certificate_hold), INVALID, "REVOKED"),
    ("hold begun later", lambda h: revoked(h, Reason.certificate_hold, at=NOW - 31 * DAY), VALID, ""),
    ("hold lifted", hold_lifted, VALID, ""),
    ("hold begun after an older list", hold_begun, INVALID, "REVOKED"),
    ("removed from the list", lambda h: revoked(h, Reason.remove_from_crl), VALID, ""),
    ("revoked by a superseded list", dropped_from_list, INVALID, "REVOKED"),
    ("authority revoked", revoked_sub, INVALID, "REVOKED_CA_NO_POE"),
    ("authority revoked later", lambda h: revoked_sub(h, NOW - 31 * DAY), VALID, ""),
    ("no list", lambda h: Case(h.signer().certificate, h.store(h.crl(h.root))), UNKNOWN, "TRY_LATER"),
    ("no list of the root", lambda h: Case(h.signer().certificate, h.store(h.crl(h.sub))), UNKNOWN, "TRY_LATER"),
    ("revoked, no list of the root",
     lambda h: Case((s := h.signer().certificate), h.store(h.crl(h.sub, Revocation(s, NOW - DAY)))),
     INVALID, "REVOKED"),
    ("stale list",
     lambda h: Case(h.signer().certificate, _with(h, h.crl(h.sub, until=NOW - dt.timedelta(seconds=1)))),
     UNKNOWN, "TRY_LATER"),
    ("revoked on a stale list",
     lambda h: Case((s := h.signer().certificate),
                    _with(h, h.crl(h.sub, Revocation(s, NOW - DAY), until=NOW - DAY / 2))),
     INVALID, "REVOKED"),
    ("list from the future", lambda h: Case(h.signer().certificate, _with(h, h.crl(h.sub, since=NOW + DAY))),
     UNKNOWN, "TRY_LATER"),
    ("list signed by another key",
     lambda h: Case(h.signer().certificate, _with(h, h.crl(h.sub, key=ec.generate_private_key(ec.SECP256R1())))),
     UNKNOWN, "TRY_LATER"),
    ("revoked by a list signed by another key",
     lambda h: Case((s := h.signer().certificate),
                    _with(h, h.crl(h.sub, Revocation(s, NOW - DAY), key=h.root.key))), UNKNOWN, "TRY_LATER"),
    ("list with a critical extension", lambda h: listed_with(h, ODD), UNKNOWN, "TRY_LATER"),
    ("list with a critical entry extension", lambda h: listed_with(h, ODD, entry=True), UNKNOWN, "TRY_LATER"),
    ("delta list", lambda h: listed_with(h, x509.DeltaCRLIndicator(1)), UNKNOWN, "TRY_LATER"),
    ("list for users", lambda h: scoped(h, only_contains_user_certs=True), VALID, ""),
    ("list for authorities", lambda h: scoped(h, only_contains_ca_certs=True), UNKNOWN, "TRY_LATER"),
    ("list for attribute certificates", lambda h: scoped(h, only_contains_attribute_certs=True), UNKNOWN, "TRY_LATER"),
    ("list for some reasons", lambda h: scoped(h, only_some_reasons=frozenset({Reason.key_compromise})),
     UNKNOWN, "TRY_LATER"),
    ("indirect list", lambda h: scoped(h, indirect_crl=True), UNKNOWN, "TRY_LATER"),
    ("list of another distribution point", lambda h: scoped(h, full_name=POINT), UNKNOWN, "TRY_LATER"),
    # OCSP.
    ("good answer", answered, VALID, ""),
    ("revoked answer", lambda h: answered(h, REVOKED_ANSWER, revoked_at=NOW - DAY), INVALID, "REVOKED"),
    ("unknown answer", lambda h: answered(h, UNKNOWN_ANSWER), UNKNOWN, "TRY_LATER"),
    ("stale answer, fresh list",
     lambda h: Case((s := h.signer().certificate),
                    h.store(h.crl(h.root), h.crl(h.sub, since=NOW - 5 * DAY),
                            answers=[h.answer(s, since=NOW - 2 * DAY, until=NOW - DAY)])), VALID, ""),
    ("stale answer says on hold, older list does not",
     lambda h: Case((s := h.signer().certificate),
                    h.store(h.crl(h.root), h.crl(h.sub, since=NOW - 5 * DAY),
                            answers=[h.answer(s, REVOKED_ANSWER, since=NOW - 2 * DAY, until=NOW - DAY,
                                              revoked_at=NOW - 3 * DAY, reason=Reason.certificate_hold)])),
     INVALID, "REVOKED"),
    ("stale answer says good, older list on hold",
     lambda h: Case((s := h.signer().certificate),
                    h.store(h.crl(h.root),
                            h.crl(h.sub, Revocation(s, NOW - 6 * DAY, Reason.certificate_hold), since=NOW - 5 * DAY),
                            answers=[h.answer(s, since=NOW - 2 * DAY, until=NOW - DAY)])), UNKNOWN, "TRY_LATER"),
    ("stale answer", lambda h: answered(h, since=NOW - 3 * DAY, until=NOW - DAY), UNKNOWN, "TRY_LATER"),
    ("answer about another",
     lambda h: Case(h.signer().certificate, h.store(h.crl(h.root), answers=[h.answer(h.signer().certificate)])),
     UNKNOWN, "TRY_LATER"),
    ("good answer, revoked on the list",
     lambda h: Case((s := h.signer().certificate),
                    h.store(h.crl(h.root), h.crl(h.sub, Revocation(s, NOW - DAY)), answers=[h.answer(s)])),
     INVALID, "REVOKED"),
    ("answer by the root",
     lambda h: Case((s := h.signer().certificate), h.store(h.crl(h.root), answers=[h.answer(s, responder=h.root)])),
     UNKNOWN, "TRY_LATER"),
    ("answer by another signer",
     lambda h: Case((s := h.signer().certificate), h.store(h.crl(h.root), answers=[h.answer(s, responder=h.signer())])),
     UNKNOWN, "TRY_LATER"),
    ("answer by a responder of the root",
     lambda h: Case((s := h.signer().certificate),
                    h.store(h.crl(h.root), answers=[h.answer(s, responder=h.responder(issuer=h.root))])),
     UNKNOWN, "TRY_LATER"),
    ("answer by its responder", lambda h: with_answer_by(h, unchecked=True, listed="no"), VALID, ""),
    ("answer by a responder nobody vouches for", lambda h: with_answer_by(h, unchecked=False, listed="no"),
     UNKNOWN, "TRY_LATER"),
    ("answer by a revoked responder", lambda h: with_answer_by(h, unchecked=True, listed="revoked"),
     UNKNOWN, "TRY_LATER"),
]  # fmt: skip


@pytest.mark.parametrize(("build", "verdict", "code"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_each_state_of_revocation_has_its_verdict(
    hierarchy: Hierarchy, build: Callable[[Hierarchy], Case], verdict: Verdict, code: str
) -> None:
    """Revoked counts from its date on, good needs an authentic and fresh source, and anything else is undecided."""
    case = build(hierarchy)
    found = judge(case.certificate, at=case.at, now=NOW, usage=case.usage, store=case.store)
    assert (found.verdict, found.reason.code) == (verdict, code), found.reason.en
    assert found.reason.vi
    assert found.reason.en


def test_a_verdict_can_be_found_again_from_its_evidence(hierarchy: Hierarchy) -> None:
    """The certificates, lists and answers kept with a verdict lead to the same verdict, years later."""
    for _, build, verdict, code in CASES:
        case = build(hierarchy)
        first = judge(case.certificate, at=case.at, now=NOW, usage=case.usage, store=case.store)
        der = {kind: [one.der for one in first.evidence if one.kind == kind] for kind in ("certificate", "crl", "ocsp")}
        leaf, *authorities = map(x509.load_der_x509_certificate, der["certificate"])
        store = TrustStore.of(
            roots=authorities[-1:],
            intermediates=authorities[:-1],
            crls=map(x509.load_der_x509_crl, der["crl"]),
            answers=map(ocsp.load_der_ocsp_response, der["ocsp"]),
        )
        if len(first.path) > 1 and verdict is not UNKNOWN:
            again = judge(leaf, at=case.at, now=NOW, usage=case.usage, store=store)
            assert (again.verdict, again.reason.code) in {(verdict, code), (UNKNOWN, "TRY_LATER")}
            if verdict is VALID:
                assert again.verdict is VALID


def test_the_zone_of_a_time_changes_nothing(hierarchy: Hierarchy) -> None:
    """The same instant in Vietnam's zone gets the same verdict."""
    vietnam = dt.timezone(dt.timedelta(hours=7))
    case = revoked(hierarchy)
    before = (NOW - 30 * DAY - dt.timedelta(seconds=1)).astimezone(vietnam)
    found = judge(case.certificate, at=before, now=NOW.astimezone(vietnam), usage=Usage.SIGNATURE, store=case.store)
    assert found.verdict is VALID
