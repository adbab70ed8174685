"""Time stamps: what proves a time, and what does not."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from lienthong.document.verdicts import Verdict
from lienthong.testing.hierarchy import Hierarchy, Revocation
from lienthong.trust import Credential, TrustStore, der, judge_timestamp
from lienthong.trust.development_certificates import end_entity_extensions, key_usage
from lienthong.trust.development_stamps import DEVELOPMENT_POLICY, request_stamp, stamp

if TYPE_CHECKING:
    from lienthong.trust import TimestampJudgement

NOW = dt.datetime(2026, 11, 15, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
DATA = "Công văn số 1".encode()
HIERARCHY = Hierarchy(NOW)


def authority(*, critical: bool = True, purposes: tuple[x509.ObjectIdentifier, ...] = ()) -> Credential:
    """Return a time-stamp authority's credential, right unless said otherwise."""
    wanted = purposes or (ExtendedKeyUsageOID.TIME_STAMPING,)
    extensions = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (key_usage("digital_signature"), True),
        (x509.ExtendedKeyUsage(wanted), critical),
    ]
    return HIERARCHY.signer(extensions=extensions)


TSA = authority()
STORE = HIERARCHY.store()


def stamped(credential: Credential = TSA, *, at: dt.datetime = NOW - DAY, nonce: int | None = None) -> bytes:
    """Return a response with a token on the data."""
    return stamp(request_stamp(DATA, nonce=nonce), credential, at=at)


def judged(
    token: bytes, *, data: bytes = DATA, now: dt.datetime = NOW, store: TrustStore = STORE
) -> TimestampJudgement:
    """Return the judgement on a token about the data."""
    return judge_timestamp(token, imprint_of=data, now=now, store=store)


def code(found: TimestampJudgement) -> tuple[Verdict, str]:
    """Return the verdict and the reason's code."""
    return found.judgement.verdict, found.judgement.reason.code


def bare(response: bytes) -> bytes:
    """Return a response's token alone."""
    _, token = der.children(der.read(response).content)
    return token.whole


def test_a_good_stamp_proves_its_time() -> None:
    """A response, and its token alone, prove the stamped time, and keep all they rest on."""
    for token in (stamped(), bare(stamped())):
        found = judged(token)
        assert code(found) == (Verdict.VALID, "")
        assert found.time == NOW - DAY
        kinds = [evidence.kind for evidence in found.judgement.evidence]
        assert kinds == ["timestamp", "certificate", "certificate", "certificate", "crl", "crl"]


@pytest.mark.parametrize("hash_name", ["sha256", "sha384", "sha512"])
def test_each_safe_imprint_is_understood(hash_name: str) -> None:
    """An imprint by any SHA-2 hash of 256 bits or more is compared with the data."""
    number = {"sha256": 1, "sha384": 2, "sha512": 3}[hash_name]
    algorithm = der.sequence(der.oid(f"2.16.840.1.101.3.4.2.{number}"))
    imprint = der.sequence(algorithm, der.octets(hashlib.new(hash_name, DATA).digest()))
    request = der.sequence(der.integer(1), imprint, der.tagged(0x01, b"\xff"))
    token = stamp(request, TSA, at=NOW - DAY)
    assert code(judged(token)) == (Verdict.VALID, "")
    assert code(judged(token, data=DATA + b".")) == (Verdict.INVALID, "HASH_FAILURE")


def test_a_stamp_on_something_else_is_refused() -> None:
    """A stamp proves a time for the very bytes it was made for."""
    assert code(judged(stamped(), data=b"another")) == (Verdict.INVALID, "HASH_FAILURE")


def test_a_time_that_has_not_come_is_refused() -> None:
    """A stamp from the future proves nothing, save for a few minutes between two clocks."""
    assert code(judged(stamped(at=NOW + DAY))) == (Verdict.INVALID, "TIMESTAMP_ORDER_FAILURE")
    assert code(judged(stamped(at=NOW + dt.timedelta(minutes=1)))) == (Verdict.VALID, "")


def test_nonce_and_policy_are_compared() -> None:
    """An answer to another request, or under a policy not accepted, is refused."""
    token = stamped(nonce=7)
    assert code(judge_timestamp(token, imprint_of=DATA, now=NOW, store=STORE, nonce=7)) == (Verdict.VALID, "")
    wrong = judge_timestamp(token, imprint_of=DATA, now=NOW, store=STORE, nonce=8)
    assert code(wrong) == (Verdict.INVALID, "SIG_CONSTRAINTS_FAILURE")
    for policies, verdict in ((DEVELOPMENT_POLICY, Verdict.VALID), ("1.2.3", Verdict.INVALID)):
        found = judge_timestamp(token, imprint_of=DATA, now=NOW, store=STORE, policies=frozenset({policies}))
        assert found.judgement.verdict is verdict


@pytest.mark.parametrize(
    ("credential", "expected"),
    [
        (HIERARCHY.signer(), "CHAIN_CONSTRAINTS_FAILURE"),
        (authority(critical=False), "CHAIN_CONSTRAINTS_FAILURE"),
        (
            authority(purposes=(ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.EMAIL_PROTECTION)),
            "CHAIN_CONSTRAINTS_FAILURE",
        ),
        (
            Hierarchy(NOW).signer(extensions=end_entity_extensions(purpose=ExtendedKeyUsageOID.TIME_STAMPING)),
            "NO_CERTIFICATE_CHAIN_FOUND",
        ),
    ],
    ids=["a signer", "purpose not critical", "another purpose too", "not trusted"],
)
def test_only_a_time_stamp_authority_stamps(credential: Credential, expected: str) -> None:
    """A key that was certified for anything else, or by anyone else, proves no time."""
    assert code(judged(stamped(credential))) == (Verdict.INVALID, expected)


def test_the_authority_is_judged_at_the_stamped_time() -> None:
    """A stamp outlives its authority's certificate, and does not survive a revocation before it was made."""
    assert code(judged(stamped(at=NOW - 400 * DAY))) == (Verdict.INVALID, "NOT_YET_VALID")
    for revoked_at, expected in ((NOW - 2 * DAY, Verdict.INVALID), (NOW - DAY / 2, Verdict.VALID)):
        crl = HIERARCHY.crl(HIERARCHY.sub, Revocation(TSA.certificate, revoked_at))
        store = HIERARCHY.store(HIERARCHY.crl(HIERARCHY.root), crl)
        assert judged(stamped(), store=store).judgement.verdict is expected
    no_lists = HIERARCHY.store(HIERARCHY.crl(HIERARCHY.root))
    assert code(judged(stamped(), store=no_lists)) == (Verdict.INDETERMINATE, "TRY_LATER")


def test_a_token_counts_whatever_the_response_around_it_says() -> None:
    """The status of a response is not signed: granted with modifications, the token is the same proof."""
    response = der.sequence(der.sequence(der.integer(1)), bare(stamped()))
    assert code(judged(response)) == (Verdict.VALID, "")


def test_a_broken_signature_is_refused() -> None:
    """A token whose signature does not fit proves nothing, whatever else is right."""
    token = bytearray(bare(stamped()))
    token[-3] ^= 1
    assert code(judged(bytes(token))) == (Verdict.INVALID, "SIG_CRYPTO_FAILURE")


def test_a_signature_is_broken_even_where_revocation_is_unknown() -> None:
    """What is broken is invalid now and not only when the lists are back."""
    token = bytearray(bare(stamped()))
    token[-3] ^= 1
    found = judged(bytes(token), store=HIERARCHY.store(HIERARCHY.crl(HIERARCHY.root)))
    assert code(found) == (Verdict.INVALID, "SIG_CRYPTO_FAILURE")


def test_a_token_has_to_carry_its_signer() -> None:
    """Without the authority's certificate nobody can be believed."""
    request = der.sequence(*(part.whole for part in list(der.children(der.read(request_stamp(DATA)).content))[:2]))
    token = stamp(request, TSA, at=NOW - DAY)
    assert code(judged(token)) == (Verdict.INVALID, "NO_SIGNING_CERTIFICATE_FOUND")


def with_certificates(token: bytes, *certificates: x509.Certificate) -> bytes:
    """Return a token that carries these certificates, in this order."""
    kind, content = der.children(der.read(token).content)
    fields = list(der.children(der.read(content.content).content))
    several = b"".join(certificate.public_bytes(Encoding.DER) for certificate in certificates)
    slots = [der.tagged(0xA0, several) if field.tag == 0xA0 else field.whole for field in fields]
    return der.sequence(kind.whole, der.explicit(0, der.sequence(*slots)))


def test_further_certificates_in_any_order_do_no_harm() -> None:
    """A token may bring its chain, sorted or not; a crowd of certificates is refused unread."""
    chain = (HIERARCHY.root.certificate, TSA.certificate, HIERARCHY.sub.certificate)
    for order in (chain, chain[::-1]):
        assert code(judged(with_certificates(bare(stamped()), *order))) == (Verdict.VALID, "")
    crowd = with_certificates(bare(stamped()), *[TSA.certificate] * 11)
    assert code(judged(crowd)) == (Verdict.INVALID, "FORMAT_FAILURE")


def test_intermediates_a_token_brings_make_no_path() -> None:
    """Only configured authorities lead to a root."""
    stranger = Hierarchy(NOW)
    other = HIERARCHY.authority("Other CA", HIERARCHY.root)
    tsa = stranger.signer(issuer=other, extensions=end_entity_extensions(purpose=ExtendedKeyUsageOID.TIME_STAMPING))
    token = with_certificates(bare(stamped(tsa)), tsa.certificate, other.certificate)
    assert code(judged(token)) == (Verdict.INVALID, "NO_CERTIFICATE_CHAIN_FOUND")


@pytest.mark.parametrize("hollow", [der.sequence(), der.sequence(der.set_of([der.sequence()])), der.integer(1)])
def test_a_hollow_token_is_refused(hollow: bytes) -> None:
    """A token with nothing in it, at whatever depth, is malformed and not a crash."""
    token = der.sequence(der.oid("1.2.840.113549.1.7.2"), der.explicit(0, hollow))
    assert code(judged(token)) == (Verdict.INVALID, "FORMAT_FAILURE")


def test_a_refused_request_gives_no_time() -> None:
    """The authority's refusal is not a stamp, and the development authority refuses what it cannot read."""
    for request in (b"", b"\x30\x00", b"junk", der.sequence(der.integer(1), der.sequence(der.sequence(), b""))):
        answer = stamp(request, TSA, at=NOW)
        assert code(judged(answer)) == (Verdict.INVALID, "FORMAT_FAILURE")


GOOD = bare(stamped())


@pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive")
@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_no_changed_byte_proves_another_time(position: int, change: int) -> None:
    """Whatever byte of a token is changed, it is refused or still proves the same time."""
    token = bytearray(GOOD)
    token[position] ^= change
    found = judged(bytes(token))
    assert found.judgement.verdict is Verdict.INVALID or found.time == NOW - DAY


@given(st.binary(max_size=200) | st.integers(0, len(GOOD)).map(lambda end: GOOD[:end]))
def test_no_bytes_crash_the_judgement(data: bytes) -> None:
    """Anything at all gets a verdict."""
    found = judged(data)
    assert found.judgement.verdict is Verdict.INVALID or data == GOOD
