"""Time stamps (RFC 3161): what time does a token prove for these bytes, and do we believe who says so.

The token's signature, its binding to the bytes and its form are checked by rfc3161-client; the authority's certificate
is judged like any other, at the stamped time, for the usage time stamping, revocation included. Added here: a time in
the future proves nothing; a token alone is accepted as well as a whole response; certificates that a token carries
besides its signer's are dropped unused, since only configured authorities make a path (and some authorities write that
set, which is not part of what is signed, in an order the library refuses).
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import rfc3161_client
from cryptography import x509

from lienthong.document.verdicts import Reason, Verdict
from lienthong.trust import der
from lienthong.trust.judgement import Judgement, judge
from lienthong.trust.path import Usage
from lienthong.trust.sources import SKEW, Evidence
from lienthong.trust.strength import UNREADABLE

if TYPE_CHECKING:
    from lienthong.trust.store import TrustStore

__all__ = ["TimestampJudgement", "judge_timestamp"]

LARGEST_TOKEN = 64 * 1024
MOST_CERTIFICATES = 10
SIGNED_DATA = der.oid("1.2.840.113549.1.7.2")
GRANTED = der.sequence(der.integer(0))
_CERTIFICATES = 0xA0
_HASHES = {"2.16.840.1.101.3.4.2.1": "sha256", "2.16.840.1.101.3.4.2.2": "sha384", "2.16.840.1.101.3.4.2.3": "sha512"}

MALFORMED = Reason(
    "FORMAT_FAILURE",
    "Dấu thời gian sai cấu trúc, không đọc được",
    "The time stamp is malformed and cannot be read",
)
WRONG_IMPRINT = Reason(
    "HASH_FAILURE",
    "Dấu thời gian không phải của nội dung này",
    "The time stamp was not made for this content",
)
WEAK_IMPRINT = Reason(
    "CRYPTO_CONSTRAINTS_FAILURE",
    "Dấu thời gian dùng thuật toán băm không còn an toàn",
    "The time stamp uses a hash that is no longer safe",
)
IN_THE_FUTURE = Reason(
    "TIMESTAMP_ORDER_FAILURE",
    "Dấu thời gian ghi một thời điểm chưa đến",
    "The time stamp states a time that has not come yet",
)
BROKEN = Reason(
    "SIG_CRYPTO_FAILURE",
    "Chữ ký của dấu thời gian không đúng",
    "The time stamp's signature is wrong",
)
NO_SIGNER = Reason(
    "NO_SIGNING_CERTIFICATE_FOUND",
    "Dấu thời gian không kèm chứng thư số của tổ chức cấp dấu thời gian",
    "The time stamp does not carry its authority's certificate",
)
WRONG_NONCE = Reason(
    "SIG_CONSTRAINTS_FAILURE",
    "Dấu thời gian không trả lời yêu cầu này (số nonce khác)",
    "The time stamp does not answer this request (another nonce)",
)
WRONG_POLICY = Reason(
    "SIG_CONSTRAINTS_FAILURE",
    "Dấu thời gian được cấp theo chính sách không được chấp nhận",
    "The time stamp was issued under a policy that is not accepted",
)


@dataclass(frozen=True, slots=True)
class TimestampJudgement:
    """What was found about a time stamp.

    Attributes:
        time: the stamped time; None when the token cannot be read. It proves something only when the verdict is valid.
        judgement: the verdict on the token and its authority's certificate, with all it rests on.
    """

    time: dt.datetime | None
    judgement: Judgement


def judge_timestamp(
    token: bytes,
    *,
    imprint_of: bytes,
    now: dt.datetime,
    store: TrustStore,
    nonce: int | None = None,
    policies: frozenset[str] | None = None,
) -> TimestampJudgement:
    """Judge a time stamp; never raises, whatever the bytes are.

    Args:
        token: a TimeStampToken, or a whole TimeStampResp, DER.
        imprint_of: the bytes it has to be about.
        now: the present.
        store: what is trusted.
        nonce: what the request asked with, when the request is ours.
        policies: the policies accepted, dotted; None for any.
    """
    try:
        response = rfc3161_client.decode_timestamp_response(_as_response(token))
        info = response.tst_info
        time = info.gen_time.replace(tzinfo=dt.UTC) if info.gen_time.tzinfo is None else info.gen_time
        imprint, algorithm = info.message_imprint.message, info.message_imprint.hash_algorithm.dotted_string
        signer = _signer(response)
        stated_nonce, policy = info.nonce, info.policy.dotted_string
    except (IndexError, OverflowError, *UNREADABLE):
        return _refused(None, MALFORMED, token)
    trouble: Reason | None = None
    if algorithm not in _HASHES:
        trouble = WEAK_IMPRINT
    elif imprint != hashlib.new(_HASHES[algorithm], imprint_of).digest():
        trouble = WRONG_IMPRINT
    elif nonce is not None and stated_nonce != nonce:
        trouble = WRONG_NONCE
    elif policies is not None and policy not in policies:
        trouble = WRONG_POLICY
    elif time > now + SKEW:
        trouble = IN_THE_FUTURE
    elif signer is None:
        trouble = NO_SIGNER
    if trouble is not None or signer is None:
        return _refused(time, trouble or NO_SIGNER, token)
    return TimestampJudgement(time, _judge_signer(response, signer, imprint, time, now, store, token))


def _judge_signer(
    response: rfc3161_client.TimeStampResponse,
    signer: x509.Certificate,
    imprint: bytes,
    time: dt.datetime,
    now: dt.datetime,
    store: TrustStore,
    token: bytes,
) -> Judgement:
    """Judge the authority first, so that the reason is exact, then the signature itself."""
    stamped = Evidence("timestamp", token)
    found = judge(signer, at=time, now=now, usage=Usage.TIMESTAMP, store=store)
    verdict, reason = found.verdict, found.reason
    if verdict is not Verdict.INVALID and not _is_intact(response, imprint, store):
        verdict, reason = Verdict.INVALID, BROKEN
    return Judgement(verdict, reason, found.path, (stamped, *found.evidence))


def _is_intact(response: rfc3161_client.TimeStampResponse, imprint: bytes, store: TrustStore) -> bool:
    builder = rfc3161_client.VerifierBuilder(roots=list(store.roots), intermediates=list(store.intermediates))
    try:
        return builder.build().verify(response, imprint)
    except (rfc3161_client.VerificationError, ValueError, TypeError):
        return False


def _signer(response: rfc3161_client.TimeStampResponse) -> x509.Certificate | None:
    """Return the one certificate left in the token, when it is its signer's."""
    (info,) = response.signed_data.signer_infos
    for data in response.signed_data.certificates:
        certificate = x509.load_der_x509_certificate(data)
        if certificate.issuer == info.issuer and certificate.serial_number == info.serial_number:
            return certificate
    return None


def _refused(time: dt.datetime | None, reason: Reason, token: bytes) -> TimestampJudgement:
    evidence = (Evidence("timestamp", token),) if len(token) <= LARGEST_TOKEN else ()
    return TimestampJudgement(time, Judgement(Verdict.INVALID, reason, (), evidence))


def _as_response(data: bytes) -> bytes:
    """Return a token or response as a response whose token carries its signer's certificate only.

    Raises:
        ValueError: it is neither, or too large.
    """
    if len(data) > LARGEST_TOKEN:
        raise ValueError("larger than any token")
    whole = der.read(data)
    if len(whole.whole) != len(data):
        raise ValueError("something follows the token")
    parts = list(der.children(whole.content))
    if not parts:
        raise ValueError("an empty token")
    if parts[0].whole == SIGNED_DATA:
        return der.sequence(GRANTED, _slimmed(whole))
    # Of a response only the token is taken: its status is unsigned, and a refusal carries none.
    if len(parts) != 2:  # noqa: PLR2004 - status and token
        raise ValueError("a response without a token")
    return der.sequence(GRANTED, _slimmed(parts[1]))


def _slimmed(token: der.Element) -> bytes:
    """Return a ContentInfo without the certificates that are not its signer's (RFC 5652, 5.1)."""
    kind, content = der.children(token.content)
    signed_data = der.read(content.content)
    fields = list(der.children(signed_data.content))
    (signer_info,) = der.children(fields[-1].content)
    issuer_and_serial = list(der.children(signer_info.content))[1].whole
    slim = [
        der.explicit(0, *_of_signer(field, issuer_and_serial)) if field.tag == _CERTIFICATES else field.whole
        for field in fields
    ]
    return der.sequence(kind.whole, der.explicit(0, der.sequence(*slim)))


def _of_signer(field: der.Element, issuer_and_serial: bytes) -> list[bytes]:
    certificates = list(der.children(field.content))
    if len(certificates) > MOST_CERTIFICATES:
        raise ValueError("too many certificates")
    found = []
    for element in certificates:
        certificate = x509.load_der_x509_certificate(element.whole)
        name = der.sequence(certificate.issuer.public_bytes(), der.integer(certificate.serial_number))
        if name == issuer_and_serial:
            found.append(element.whole)
    return found[:1]
