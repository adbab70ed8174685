"""NIST's Public Key Interoperability Test Suite (PKITS 1.0.1) against our judgement.

Each end entity's name says what is expected. The rule without exception: nothing that NIST calls invalid is valid here.
The other direction is a table: what NIST calls valid and we do not, by cause, and why that is safe here.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import cryptography_vectors
import pytest
from cryptography import x509

from lienthong.document.verdicts import Verdict
from lienthong.trust import TrustStore, Usage, judge

DATA = Path(cryptography_vectors.__file__).parent / "x509" / "PKITS_data"
NOW = dt.datetime(2026, 11, 15, tzinfo=dt.UTC)

UNREADABLE = {"ValidDSAParameterInheritanceTest5EE", "DSAParametersInheritedCACert"}
"""DSA keys that inherit their parameters cannot even be read; DSA is not accepted anyway."""

REFUSED = {
    "A CA's certificate signs no documents here; NIST ends three paths with one to test path lengths and lists.": (
        "ValidpathLenConstraintTest8EE ValidpathLenConstraintTest14EE ValidonlyContainsCACertsTest13EE"
    ),
    "DSA is not among the profile's algorithms.": "ValidDSASignaturesTest4EE",
    "Names are compared byte by byte. An authority that changes case, spaces or string types in its name is refused"
    " until its new certificate is configured.": (
        "ValidNameChainingWhitespaceTest3EE ValidNameChainingWhitespaceTest4EE ValidNameChainingCapitalizationTest5EE"
        " ValidRolloverfromPrintableStringtoUTF8StringTest10EE ValidUTF8StringCaseInsensitiveMatchTest11EE"
    ),
    "Name constraints on directory names and URIs are not evaluated, so a path with them is refused, not followed.": (
        "ValidDNnameConstraintsTest1EE ValidDNnameConstraintsTest4EE ValidDNnameConstraintsTest5EE"
        " ValidDNnameConstraintsTest6EE ValidDNnameConstraintsTest11EE ValidDNnameConstraintsTest14EE"
        " ValidDNnameConstraintsTest18EE ValidDNnameConstraintsTest19EE ValidDNandRFC822nameConstraintsTest27EE"
        " ValidURInameConstraintsTest34EE ValidURInameConstraintsTest36EE"
    ),
    "Policy mappings and constraints are critical and not evaluated, so a path with them is refused, not followed.": (
        "ValidPolicyMappingTest1EE ValidPolicyMappingTest3EE ValidPolicyMappingTest5EE ValidPolicyMappingTest6EE"
        " ValidPolicyMappingTest9EE ValidPolicyMappingTest11EE ValidPolicyMappingTest12EE ValidPolicyMappingTest13EE"
        " ValidPolicyMappingTest14EE ValidinhibitPolicyMappingTest2EE ValidinhibitPolicyMappingTest4EE"
        " ValidSelfIssuedinhibitPolicyMappingTest7EE ValidinhibitAnyPolicyTest2EE"
        " ValidSelfIssuedinhibitAnyPolicyTest7EE ValidSelfIssuedinhibitAnyPolicyTest9EE"
        " ValidrequireExplicitPolicyTest1EE ValidrequireExplicitPolicyTest2EE ValidrequireExplicitPolicyTest4EE"
        " ValidSelfIssuedrequireExplicitPolicyTest6EE"
    ),
    "Self-issued certificates count towards the path length: stricter than RFC 5280; an authority that changes its"
    " key has both certificates configured.": (
        "ValidSelfIssuedpathLenConstraintTest15EE ValidSelfIssuedpathLenConstraintTest17EE"
    ),
    "The path library asks of certificates what RFC 5280 asks of those who issue them: an authority's"
    " basicConstraints critical, times before 2050 as UTCTime.": (
        "ValidbasicConstraintsNotCriticalTest4EE ValidGeneralizedTimenotBeforeDateTest4EE"
    ),
    "Delta lists are not read; the complete list says on hold, and that holds until a new complete list lifts it.": (
        "ValiddeltaCRLTest5EE"
    ),
}
"""What NIST calls valid and we call invalid, by cause."""

UNDECIDED = {
    "Only a list signed by the very key that signed the certificate counts; after a change of key both certificates and"
    " both lists are configured.": (
        "ValidBasicSelfIssuedOldWithNewTest1EE ValidBasicSelfIssuedNewWithOldTest4EE"
        " ValidBasicSelfIssuedCRLSigningKeyTest6EE ValidSeparateCertificateandCRLKeysTest19EE"
    ),
    "Indirect lists say nothing here: no government authority speaks for another.": (
        "ValidIDPwithindirectCRLTest22EE ValidIDPwithindirectCRLTest24EE ValidIDPwithindirectCRLTest25EE"
        " ValidcRLIssuerTest28EE ValidcRLIssuerTest29EE ValidcRLIssuerTest30EE ValidcRLIssuerTest33EE"
    ),
    "A partition counts only when list and certificate name the same full address.": (
        "ValiddistributionPointTest4EE ValiddistributionPointTest5EE ValiddistributionPointTest7EE"
    ),
    "Lists for some reasons only are never added up to 'good'.": (
        "ValidonlySomeReasonsTest18EE ValidonlySomeReasonsTest19EE"
    ),
}
"""What NIST calls valid and we call indeterminate: the document is held and judged again, not accepted."""

POLICY = {
    "AllCertificatesNoPoliciesTest2EE AllCertificatesSamePoliciesTest10EE AllCertificatesSamePoliciesTest13EE"
    " AllCertificatesanyPolicyTest11EE AnyPolicyTest14EE CPSPointerQualifierTest20EE DifferentPoliciesTest3EE"
    " DifferentPoliciesTest4EE DifferentPoliciesTest5EE DifferentPoliciesTest9EE DifferentPoliciesTest12EE"
    " UserNoticeQualifierTest15EE UserNoticeQualifierTest16EE UserNoticeQualifierTest17EE UserNoticeQualifierTest18EE"
    " UserNoticeQualifierTest19EE": Verdict.VALID,
    "DifferentPoliciesTest7EE DifferentPoliciesTest8EE OverlappingPoliciesTest6EE inhibitAnyPolicyTest3EE": (
        Verdict.INVALID
    ),
}
"""Tests whose outcome depends on the policies an application asks for. We ask for none: every root and intermediate
here is configured by decision of the operator, so a policy identifier could only repeat that decision. (The invalid
ones end with an authority's certificate, or carry inhibitAnyPolicy, which is critical and not evaluated.)"""


def names(text: str) -> set[str]:
    """Return the names in a text."""
    return set(text.split())


END_ENTITIES = sorted(path.stem for path in (DATA / "certs").glob("*EE.crt") if path.stem not in UNREADABLE)
EXPECTED = (
    {name: Verdict.INVALID for text in REFUSED.values() for name in names(text)}
    | {name: Verdict.INDETERMINATE for text in UNDECIDED.values() for name in names(text)}
    | {name: verdict for text, verdict in POLICY.items() for name in names(text)}
)


@pytest.fixture(scope="module")
def store() -> TrustStore:
    """Provide every authority and every list of the suite, as an operator would configure them."""
    root: list[x509.Certificate] = []
    authorities: list[x509.Certificate] = []
    for path in sorted((DATA / "certs").glob("*.crt")):
        if path.stem in UNREADABLE or path.stem.endswith("EE"):
            continue
        certificate = x509.load_der_x509_certificate(path.read_bytes())
        (root if path.stem == "TrustAnchorRootCertificate" else authorities).append(certificate)
    crls = [x509.load_der_x509_crl(path.read_bytes()) for path in sorted((DATA / "crls").glob("*.crl"))]
    return TrustStore.of(roots=root, intermediates=authorities, crls=crls)


# One of NIST's serial numbers is negative on purpose, which the library warns about.
@pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive")
@pytest.mark.parametrize("name", END_ENTITIES)
def test_nist_and_we_agree_or_we_are_stricter(store: TrustStore, name: str) -> None:
    """What NIST calls invalid is never valid; what it calls valid is, unless the table says why not."""
    certificate = x509.load_der_x509_certificate((DATA / "certs" / f"{name}.crt").read_bytes())
    found = judge(certificate, at=NOW, now=NOW, usage=Usage.SIGNATURE, store=store)
    if name.startswith("Invalid"):
        assert name not in EXPECTED
        assert found.verdict in {Verdict.INVALID, Verdict.INDETERMINATE}
    else:
        assert found.verdict is EXPECTED.get(name, Verdict.VALID), found.reason


def test_the_table_names_tests_of_the_suite() -> None:
    """The table of disagreements holds nothing but tests there are, each once."""
    listed = [name for table in (REFUSED, UNDECIDED) for text in table.values() for name in text.split()]
    listed += [name for text in POLICY for name in text.split()]
    assert len(listed) == len(set(listed))
    assert set(listed) <= set(END_ENTITIES)
    assert len(END_ENTITIES) > 200
