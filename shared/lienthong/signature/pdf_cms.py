"""Reading the CMS of one signature inside a PDF: structure, algorithms, digest and value (RFC 5652, PAdES)."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from asn1crypto import cms, core, parser
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from pyhanko.sign.validation import generic_cms
from pyhanko.sign.validation.errors import SignatureValidationError

from lienthong.signature.pdf_facts import Flaw, SignatureFacts

if TYPE_CHECKING:
    from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature

__all__ = ["MAX_CERTIFICATES", "Flawed", "read_cms"]

MAX_CERTIFICATES: Final = 6
_DIGESTS: Final = frozenset({"sha256", "sha384", "sha512"})
_ALGORITHMS: Final = frozenset({"rsassa_pkcs1v15", "rsassa_pss", "ecdsa"})
_CURVES: Final = (ec.SECP256R1, ec.SECP384R1)
_RSA_BITS: Final = range(2048, 8193)
_MAX_EXPONENT: Final = 1 << 32
"""Larger ones only make verifying slow."""


class Flawed(Exception):  # noqa: N818 - a finding on its way up, not an error
    """What is wrong was found; nothing further is looked at."""

    def __init__(self, flaw: Flaw) -> None:
        super().__init__(flaw)
        self.flaw = flaw


def read_cms(
    embedded: EmbeddedPdfSignature, *, field: str, covered: tuple[int, int, int], cades: bool
) -> SignatureFacts:
    """Return the facts about one signature, with a flaw if its structure, digest or value is wrong.

    Args:
        embedded: the signature, its byte range already checked.
        field: the name of its form field.
        covered: the gap and the end of what is signed.
        cades: whether it claims to be CAdES, and must name its certificate in a signed attribute
            (ETSI EN 319 122-1, 5.2.2).

    Raises:
        Flawed: it is so wrong that not even its certificate can be told.
    """
    _check_padding(embedded.pkcs7_content)
    data = embedded.signed_data
    stamp = data["encap_content_info"]["content_type"].native == "tst_info"
    if stamp != (embedded.sig_object_type == "/DocTimeStamp"):
        raise Flawed(Flaw.MALFORMED)
    carried = data["certificates"]
    if carried is not core.VOID and len(carried) > MAX_CERTIFICATES:
        raise Flawed(Flaw.TOO_MANY_CERTIFICATES)
    certificate = _signer_certificate(embedded)
    flaw = _flaw(embedded, certificate, cades=cades, stamp=stamp)
    return SignatureFacts(
        field,
        document_timestamp=stamp,
        flaw=flaw,
        certificate=certificate.dump(),
        token=cms.ContentInfo.load(embedded.pkcs7_content).dump() if stamp else _timestamp(embedded.signer_info),
        signature_value=embedded.signer_info["signature"].native,
        claimed_at=_claimed_at(embedded),
        covered=covered,
    )


def _check_padding(contents: bytes) -> None:
    """Check that nothing but zeros follows the CMS in ``/Contents``, where a reader would not look."""
    try:
        *_, header, content, trailer = parser.parse(contents, strict=False)
    except ValueError as error:
        raise Flawed(Flaw.MALFORMED) from error
    length = len(header) + len(content) + len(trailer)
    if contents[length:].strip(b"\0"):
        raise Flawed(Flaw.PADDING)


def _signer_certificate(embedded: EmbeddedPdfSignature) -> Any:
    try:
        return embedded.signer_cert
    except SignatureValidationError as error:
        missing = not embedded.signed_data["certificates"] or "not included" in str(error)
        raise Flawed(Flaw.NO_CERTIFICATE if missing else Flaw.WRONG_CERTIFICATE) from error


def _flaw(embedded: EmbeddedPdfSignature, certificate: Any, *, cades: bool, stamp: bool) -> Flaw | None:
    """Return what is wrong with the signature's attributes, algorithms, digest or value."""
    info = embedded.signer_info
    if info["signed_attrs"] is core.VOID:
        return Flaw.MALFORMED
    if not _acceptable(info, certificate.dump()):
        return Flaw.WEAK
    content = embedded.signed_data["encap_content_info"]["content"]
    if stamp:
        imprint = content.parsed["message_imprint"]
        if imprint["hash_algorithm"]["algorithm"].native not in _DIGESTS:
            return Flaw.WEAK
        if imprint["hashed_message"].native != embedded.compute_digest():
            return Flaw.DIGEST
        return None  # its own signature is verified with its trust
    if content is not core.VOID:
        return Flaw.MALFORMED
    if cades and len(_values(info["signed_attrs"], "signing_certificate_v2")) != 1:
        return Flaw.WRONG_CERTIFICATE
    try:
        intact, valid = generic_cms.validate_sig_integrity(
            info, certificate, expected_content_type="data", actual_digest=embedded.compute_digest()
        )
    except SignatureValidationError:
        return Flaw.MALFORMED
    if not valid:
        return Flaw.SIGNATURE
    return None if intact else Flaw.DIGEST


def _acceptable(info: Any, certificate: bytes) -> bool:
    """Tell whether digest, algorithm and key are among the profile's."""
    digest = info["digest_algorithm"]["algorithm"].native
    algorithm = info["signature_algorithm"]
    if digest not in _DIGESTS or algorithm.signature_algo not in _ALGORITHMS:
        return False
    named = algorithm["algorithm"].native not in {"rsassa_pkcs1v15", "ecdsa"}  # these two leave the hash to `digest`
    if named and algorithm.hash_algo != digest:
        return False
    key = x509.load_der_x509_certificate(certificate).public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size in _RSA_BITS and key.public_numbers().e < _MAX_EXPONENT
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES)


def _values(attributes: Any, name: str) -> list[Any]:
    """Return all values of all attributes of that type."""
    return [value for attribute in attributes if attribute["type"].native == name for value in attribute["values"]]


def _timestamp(info: Any) -> bytes | None:
    """Return the signature time stamp (ETSI EN 319 122-1, 5.3), DER; None when there is none.

    Raises:
        Flawed: there are several, so that it is not certain which time is meant.
    """
    if info["unsigned_attrs"] is core.VOID:
        return None
    values = _values(info["unsigned_attrs"], "signature_time_stamp_token")
    if len(values) > 1:
        raise Flawed(Flaw.MALFORMED)
    return bytes(values[0].dump()) if values else None


def _claimed_at(embedded: EmbeddedPdfSignature) -> datetime | None:
    with contextlib.suppress(Exception):
        claimed = embedded.self_reported_timestamp
        if isinstance(claimed, datetime):
            return claimed.replace(tzinfo=claimed.tzinfo or UTC).astimezone(UTC)
    return None
