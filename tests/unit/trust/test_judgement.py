"""What is believed: every way a certificate or its path can be wrong, with the verdict and ETSI's code for it."""

from __future__ import annotations

import contextlib
import datetime as dt
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID as Purpose
from hypothesis import given
from hypothesis import strategies as st

from lienthong.document.verdicts import Verdict
from lienthong.testing.hierarchy import Hierarchy, signed_with_sha1
from lienthong.trust import TrustStore, Usage, judge
from lienthong.trust.development_certificates import authority_extensions, end_entity_extensions, key_usage, named

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


def under(
    h: Hierarchy,
    extensions: list[tuple[x509.ExtensionType, bool]],
    *,
    start: dt.datetime | None = None,
    end: dt.datetime | None = None,
) -> Case:
    """Return a signer under an authority of another making."""
    odd = h.authority("Odd CA", h.root, extensions=extensions, start=start, end=end)
    return Case(h.signer(issuer=odd).certificate, h.store(h.crl(h.root), h.crl(odd), intermediates=[odd]))


def used(h: Hierarchy, *usages: str, purposes: list[x509.ObjectIdentifier] | None = None) -> Case:
    """Return a signer with this key usage and these purposes."""
    extensions: list[tuple[x509.ExtensionType, bool]] = [(x509.BasicConstraints(ca=False, path_length=None), True)]
    if usages:
        extensions.append((key_usage(*usages), True))
    if purposes:
        extensions.append((x509.ExtendedKeyUsage(purposes), False))
    return Case(h.signer(extensions=extensions).certificate, h.store())


def rogue_sub(h: Hierarchy) -> Case:
    """Return a signer under an authority that the root never issued but that the message brings along."""
    rogue = h.authority("Sub CA", Hierarchy(NOW).root)
    return Case(h.signer(issuer=rogue).certificate, h.store())


def unconfigured_sub(h: Hierarchy) -> Case:
    """Return a signer under a genuine authority that the operator did not configure."""
    other = h.authority("Other Sub CA", h.root)
    return Case(h.signer(issuer=other).certificate, h.store())


def old_root(h: Hierarchy) -> Case:
    """Return a signer under a configured root that has expired."""
    root = h.authority("Old Root", None, end=NOW - DAY)
    return Case(h.signer(issuer=root).certificate, h.store(h.crl(root), roots=[root]))


def named_like_root(h: Hierarchy) -> Case:
    """Return a self-made root and signer with the very names of the trusted ones."""
    twin = Hierarchy(NOW)
    return Case(twin.signer(issuer=twin.root).certificate, h.store(h.crl(h.root), h.crl(h.sub), twin.crl(twin.root)))


def constrained(h: Hierarchy, name: str) -> Case:
    """Return a signer with a DNS name under an authority that may issue for gov.vn only."""
    limits = x509.NameConstraints([x509.DNSName("gov.vn")], None)
    odd = h.authority("Odd CA", h.root, extensions=[*authority_extensions(), (limits, True)])
    names = x509.SubjectAlternativeName([x509.DNSName(name)])
    signer = h.signer(issuer=odd, others=[(names, False)]).certificate
    return Case(signer, h.store(h.crl(h.root), h.crl(odd), intermediates=[odd]))


def too_long(h: Hierarchy) -> Case:
    """Return a signer two authorities below one that may have none below it."""
    lower = h.authority("Lower CA", h.sub)
    signer = h.signer(issuer=lower).certificate
    return Case(signer, h.store(h.crl(h.root), h.crl(h.sub), h.crl(lower), intermediates=[h.sub, lower]))


def unknown_critical(h: Hierarchy) -> Case:
    """Return a signer with a critical extension nobody here knows."""
    odd = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.32473.9"), b"\x05\x00")
    return Case(h.signer(others=[(odd, True)]).certificate, h.store())


def weak(h: Hierarchy, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> Case:
    """Return a signer with this key."""
    return Case(h.signer(key=key).certificate, h.store())


ODD = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.32473.9"), b"\x05\x00")
CA_ONLY = x509.BasicConstraints(ca=True, path_length=None)

CASES: list[tuple[str, Callable[[Hierarchy], Case], Verdict, str]] = [
    ("right", lambda h: Case(h.signer().certificate, h.store()), VALID, ""),
    ("right, directly under the root", lambda h: Case(h.signer(issuer=h.root).certificate, h.store()), VALID, ""),
    ("right, P-384", lambda h: weak(h, ec.generate_private_key(ec.SECP384R1())), VALID, ""),
    ("right, RSA-2048", lambda h: weak(h, rsa.generate_private_key(65537, 2048)), VALID, ""),
    # Time.
    ("expired", lambda h: Case(h.signer(end=NOW - DAY).certificate, h.store()), INVALID, "EXPIRED"),
    ("expired since", lambda h: Case(h.signer(end=NOW - DAY).certificate, h.store(), NOW - 2 * DAY), VALID, ""),
    ("not yet valid", lambda h: Case(h.signer(start=NOW + DAY).certificate, h.store()), INVALID, "NOT_YET_VALID"),
    ("before it was valid", lambda h: Case(h.signer().certificate, h.store(), NOW - 900 * DAY),
     INVALID, "NOT_YET_VALID"),
    ("authority expired", lambda h: under(h, authority_extensions(), end=NOW - DAY), INVALID, "EXPIRED"),
    ("authority not yet", lambda h: under(h, authority_extensions(), start=NOW + DAY), INVALID, "NOT_YET_VALID"),
    ("root expired", old_root, INVALID, "EXPIRED"),
    # Path.
    ("self-signed", lambda h: Case(h.authority("Me", None).certificate, h.store()),
     INVALID, "NO_CERTIFICATE_CHAIN_FOUND"),
    ("another root", lambda h: Case(Hierarchy(NOW).signer(issuer=h.authority("Else", None)).certificate, h.store()),
     INVALID, "NO_CERTIFICATE_CHAIN_FOUND"),
    ("rogue authority, same name", rogue_sub, INVALID, "NO_CERTIFICATE_CHAIN_FOUND"),
    ("twin of the root", named_like_root, INVALID, "NO_CERTIFICATE_CHAIN_FOUND"),
    ("authority not configured", unconfigured_sub, INVALID, "NO_CERTIFICATE_CHAIN_FOUND"),
    ("nothing configured", lambda h: Case(h.signer().certificate, TrustStore.of(roots=[])),
     INVALID, "NO_CERTIFICATE_CHAIN_FOUND"),
    ("path too long", too_long, INVALID, "CHAIN_CONSTRAINTS_FAILURE"),
    ("issuer is no authority", lambda h: under(h, end_entity_extensions()), INVALID, "CHAIN_CONSTRAINTS_FAILURE"),
    ("authority may not issue", lambda h: under(h, [(CA_ONLY, True), (key_usage("crl_sign"), True)]),
     INVALID, "CHAIN_CONSTRAINTS_FAILURE"),
    ("authority for TLS only",
     lambda h: under(h, [*authority_extensions(), (x509.ExtendedKeyUsage([Purpose.SERVER_AUTH]), False)]),
     INVALID, "CHAIN_CONSTRAINTS_FAILURE"),
    ("authority for documents",
     lambda h: under(h, [*authority_extensions(), (x509.ExtendedKeyUsage([Purpose.EMAIL_PROTECTION]), False)]),
     VALID, ""),
    ("name permitted", lambda h: constrained(h, "mic.gov.vn"), VALID, ""),
    ("name not permitted", lambda h: constrained(h, "example.org"), INVALID, "CHAIN_CONSTRAINTS_FAILURE"),
    ("unknown critical extension", unknown_critical, INVALID, "CHAIN_CONSTRAINTS_FAILURE"),
    ("authority with one", lambda h: under(h, [*authority_extensions(), (ODD, True)]),
     INVALID, "CHAIN_CONSTRAINTS_FAILURE"),
    # Strength.
    ("RSA-1024", lambda h: weak(h, rsa.generate_private_key(65537, 1024)),  # noqa: S505 - the weakness is the point
     INVALID, "CRYPTO_CONSTRAINTS_FAILURE"),
    ("P-224", lambda h: weak(h, ec.generate_private_key(ec.SECP224R1())),
     INVALID, "CRYPTO_CONSTRAINTS_FAILURE"),
    ("secp256k1", lambda h: weak(h, ec.generate_private_key(ec.SECP256K1())), INVALID, "CRYPTO_CONSTRAINTS_FAILURE"),
    ("signed with SHA-1", lambda h: Case(signed_with_sha1(h.signer().certificate, h.sub), h.store()),
     INVALID, "CRYPTO_CONSTRAINTS_FAILURE"),
    # Usage.
    ("non-repudiation only", lambda h: used(h, "content_commitment"), VALID, ""),
    ("encipherment only", lambda h: used(h, "key_encipherment"), INVALID, "CHAIN_CONSTRAINTS_FAILURE"),
    ("no key usage", used, INVALID, "CHAIN_CONSTRAINTS_FAILURE"),
    ("TLS server", lambda h: used(h, "digital_signature", purposes=[Purpose.SERVER_AUTH]),
     INVALID, "CHAIN_CONSTRAINTS_FAILURE"),
    ("time stamping", lambda h: used(h, "digital_signature", purposes=[Purpose.TIME_STAMPING]),
     INVALID, "CHAIN_CONSTRAINTS_FAILURE"),
    ("OCSP signing", lambda h: used(h, "digital_signature", purposes=[Purpose.OCSP_SIGNING]),
     INVALID, "CHAIN_CONSTRAINTS_FAILURE"),
    ("e-mail and TLS client",
     lambda h: used(h, "digital_signature", purposes=[Purpose.EMAIL_PROTECTION, Purpose.CLIENT_AUTH]), VALID, ""),
    ("the authority itself", lambda h: Case(h.sub.certificate, h.store()), INVALID, "CHAIN_CONSTRAINTS_FAILURE"),
    ("the root itself", lambda h: Case(h.root.certificate, h.store()), INVALID, "CHAIN_CONSTRAINTS_FAILURE"),
    ("an authority that may sign",
     lambda h: Case(h.signer(extensions=[(CA_ONLY, True), (key_usage("digital_signature", "key_cert_sign"), True)],
                             issuer=h.root).certificate, h.store()), INVALID, "CHAIN_CONSTRAINTS_FAILURE"),
    ("a signer as time stamp authority", lambda h: Case(h.signer().certificate, h.store(), usage=Usage.TIMESTAMP),
     INVALID, "CHAIN_CONSTRAINTS_FAILURE"),
    ("list of an authority that may not sign lists",
     lambda h: under(h, [(CA_ONLY, True), (key_usage("key_cert_sign"), True)]), UNKNOWN, "TRY_LATER"),
]  # fmt: skip


@pytest.mark.parametrize(("build", "verdict", "code"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_each_way_of_being_wrong_has_its_verdict(
    hierarchy: Hierarchy, build: Callable[[Hierarchy], Case], verdict: Verdict, code: str
) -> None:
    """A certificate wrong in one way gets that way's verdict and code; what may be found out later is not invalid."""
    case = build(hierarchy)
    found = judge(case.certificate, at=case.at, now=NOW, usage=case.usage, store=case.store)
    assert (found.verdict, found.reason.code) == (verdict, code), found.reason.en
    assert found.reason.vi
    assert found.reason.en


def test_a_time_without_zone_is_a_mistake_of_the_caller(hierarchy: Hierarchy) -> None:
    """A naive time is refused loudly: guessing its zone would move the moment that decides by hours."""
    with pytest.raises(ValueError, match="aware"):
        judge(
            hierarchy.signer().certificate,
            at=NOW.replace(tzinfo=None),
            now=NOW,
            usage=Usage.SIGNATURE,
            store=hierarchy.store(),
        )


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param("2.5.29.15", id="key usage"),
        pytest.param("2.5.29.37", id="extended key usage"),
        pytest.param("2.5.29.19", id="basic constraints"),
        pytest.param("2.5.29.17", id="names"),
        pytest.param("2.5.29.31", id="distribution points"),
        pytest.param("1.3.6.1.5.5.7.1.1", id="authority information"),
    ],
)
def test_an_unreadable_extension_does_not_raise(hierarchy: Hierarchy, odd: str) -> None:
    """A certificate that its issuer filled with junk is refused, not crashed on."""
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.UnrecognizedExtension(x509.ObjectIdentifier(odd), b"\x30\x03\x02\x01"), False)
    ]
    if odd != "2.5.29.15":
        extensions.append((key_usage("digital_signature"), True))
    certificate = hierarchy.signer(extensions=extensions).certificate
    found = judge(certificate, at=NOW, now=NOW, usage=Usage.SIGNATURE, store=hierarchy.store())
    assert found.verdict is INVALID


FUZZED = Hierarchy(NOW)
GOOD_DER = FUZZED.signer().certificate.public_bytes(Encoding.DER)
FUZZED_STORE = FUZZED.store()


@given(st.integers(0, len(GOOD_DER) - 1), st.integers(1, 255))
def test_no_changed_byte_is_believed(position: int, change: int) -> None:
    """Whatever byte of a signer's certificate is changed, it is refused, and nothing raises."""
    data = bytearray(GOOD_DER)
    data[position] ^= change
    with contextlib.suppress(ValueError, x509.InvalidVersion), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        certificate = x509.load_der_x509_certificate(bytes(data))
        found = judge(certificate, at=NOW, now=NOW, usage=Usage.SIGNATURE, store=FUZZED_STORE)
        assert found.verdict is INVALID


def test_odd_keys_do_not_raise(hierarchy: Hierarchy) -> None:
    """A certificate with a key of a kind nobody expects is judged, not crashed on."""
    key = ed25519.Ed25519PrivateKey.generate()
    builder = (
        x509.CertificateBuilder()
        .subject_name(named("Ed", "H23"))
        .issuer_name(hierarchy.sub.certificate.subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
    )
    for signing in (key, hierarchy.sub.key):
        algorithm = None if signing is key else hierarchy.sub.certificate.signature_hash_algorithm
        certificate = builder.sign(signing, algorithm)  # type: ignore[arg-type]
        found = judge(certificate, at=NOW, now=NOW, usage=Usage.SIGNATURE, store=hierarchy.store())
        assert found.verdict is INVALID
