"""Signing a PDF: PAdES baseline B-B, or B-T with a time-stamp authority (ETSI EN 319 142-1, 6)."""

from __future__ import annotations

import contextlib
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, Protocol

from asn1crypto import algos, tsp
from asn1crypto import x509 as asn1_x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import MDPPerm, SigFieldSpec, SigSeedSubFilter, enumerate_sig_fields
from pyhanko.sign.signers import PdfSignatureMetadata
from pyhanko.sign.signers import PdfSigner as PyhankoPdfSigner
from pyhanko.sign.signers import Signer as PyhankoSigner
from pyhanko.sign.signers.pdf_cms import PdfCMSSignedAttributes
from pyhanko.sign.timestamps import TimeStamper
from pyhanko_certvalidator.registry import SimpleCertificateStore

from lienthong.errors import MisconfiguredError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from cryptography import x509

__all__ = ["PdfSigner", "sign_pdf"]

_HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_PROBE: Final = b"Which way do you sign?"
_STAMP_ROOM: Final = 8192
"""Bytes kept free for a time stamp that has yet to be asked for."""


class PdfSigner(Protocol):
    """Who signs: a key and the certificates that go with it, the signer's own first."""

    @property
    def certificate_chain(self) -> tuple[x509.Certificate, ...]:
        """The signer's certificate, then its issuers'."""
        ...

    def sign(self, data: bytes) -> bytes:
        """Return the signature over the data, by RSA or ECDSA with SHA-2; of ECDSA in DER."""
        ...


async def sign_pdf(
    pdf: bytes,
    signer: PdfSigner,
    *,
    signing_time: datetime,
    field: str | None = None,
    timestamp: Callable[[bytes], Awaitable[bytes]] | None = None,
    certify: bool = False,
    box: tuple[int, int, int, int] | None = None,
) -> bytes:
    """Return the PDF with one more signature, as an incremental update: earlier signatures stay valid.

    Args:
        pdf: the file.
        signer: who signs.
        signing_time: what the signature claims.
        field: the name of the signature field, empty or new; by default the next free ``Signature<n>``.
        timestamp: takes an RFC 3161 request and returns the authority's response, both DER; None leaves it at B-B.
        certify: whether this is the author's signature that forbids everything but further signatures (DocMDP, P=2).
        box: where on the first page the signature shows: left, bottom, right, top in points; None hides it.

    Raises:
        MisconfiguredError: the key does not belong to the certificate.
        Unavailable: the time-stamp authority refused.
        ValueError: the file cannot be read or the field is signed already (also pyhanko's errors).
    """
    writer = IncrementalPdfFileWriter(BytesIO(pdf), strict=True)
    name = field or _free_name(writer)
    bridge = _Bridge(signer)
    metadata = PdfSignatureMetadata(
        field_name=name,
        md_algorithm=bridge.digest,
        subfilter=SigSeedSubFilter.PADES,
        certify=certify,
        docmdp_permissions=MDPPerm.FILL_FORMS,
    )
    stamper = _Stamper(timestamp) if timestamp is not None else None
    workshop = PyhankoPdfSigner(metadata, bridge, timestamper=stamper, new_field_spec=SigFieldSpec(name, box=box))
    session = workshop.init_signing_session(writer)
    session.system_time = signing_time
    validation = await session.perform_presign_validation(writer)
    room = sum(len(certificate.public_bytes(Encoding.DER)) for certificate in signer.certificate_chain)
    document = session.prepare_tbs_document(
        validation_info=validation, bytes_reserved=2 * (room + 2048 + (_STAMP_ROOM if stamper else 0))
    )
    output = BytesIO()
    prepared, _ = document.digest_tbs_document(output=output)
    signed = await document.perform_signature(
        document_digest=prepared.document_digest,
        pdf_cms_signed_attrs=PdfCMSSignedAttributes(signing_time=signing_time),
    )
    await signed.post_signature_processing(output)
    return output.getvalue()


def _free_name(writer: IncrementalPdfFileWriter) -> str:
    taken = {name for name, _, _ in enumerate_sig_fields(writer)}
    return next(name for number in range(1, len(taken) + 2) if (name := f"Signature{number}") not in taken)


class _Bridge(PyhankoSigner):
    """Our signer as pyhanko wants one."""

    def __init__(self, signer: PdfSigner) -> None:
        own, *issuers = (
            asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))
            for certificate in signer.certificate_chain
        )
        store = SimpleCertificateStore()
        store.register_multiple(issuers)
        self.digest, pss = _manner(signer)
        super().__init__(
            signing_cert=own,
            cert_registry=store,
            embed_roots=False,
            signature_mechanism=_pss(self.digest) if pss else None,
        )
        self.signer = signer

    async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:
        """Return the signature as CMS wants it (RFC 5652; RFC 3279, 2.2.3 for ECDSA)."""
        assert digest_algorithm == self.digest
        return bytes(1024) if dry_run else self.signer.sign(data)

    async def unsigned_attrs(
        self,
        digest_algorithm: str,
        signature: bytes,
        signed_attrs: Any,
        timestamper: TimeStamper | None = None,
        dry_run: bool = False,
    ) -> Any:
        """Return the time stamp, always over SHA-256: what every authority and every verifier knows."""
        assert digest_algorithm == self.digest
        return await super().unsigned_attrs("sha256", signature, signed_attrs, timestamper, dry_run)


class _Stamper(TimeStamper):
    """Asks the caller's function for time stamps."""

    def __init__(self, ask: Callable[[bytes], Awaitable[bytes]]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.ask = ask

    async def async_request_tsa_response(self, req: Any) -> Any:
        response = tsp.TimeStampResp.load(await self.ask(req.dump()))
        status = response["status"]["status"].native
        if status not in {"granted", "granted_with_mods"}:
            raise Unavailable(f"the time-stamp authority answered: {status}")
        return response


def _pss(digest: str) -> algos.SignedDigestAlgorithm:
    """Return RSA-PSS with salt as long as the hash (RFC 4056), which is what signers here do."""
    algorithm = {"algorithm": digest}
    parameters = {
        "hash_algorithm": algorithm,
        "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": algorithm},
        "salt_length": _HASHES[digest].digest_size,
    }
    return algos.SignedDigestAlgorithm({"algorithm": "rsassa_pss", "parameters": algos.RSASSAPSSParams(parameters)})


def _manner(signer: PdfSigner) -> tuple[str, bool]:
    """Return the hash a signer uses and whether it is RSA-PSS, as one signature by it shows.

    Raises:
        MisconfiguredError: the key is not the certificate's, or it signs in a way the profile does not accept.
    """
    key = signer.certificate_chain[0].public_key()
    signature = signer.sign(_PROBE)
    for name, algorithm in _HASHES.items():
        if isinstance(key, rsa.RSAPublicKey):
            for pss in (False, True):
                form = padding.PSS(padding.MGF1(algorithm), algorithm.digest_size) if pss else padding.PKCS1v15()
                with contextlib.suppress(InvalidSignature):
                    key.verify(signature, _PROBE, form, algorithm)
                    return name, pss
        elif isinstance(key, ec.EllipticCurvePublicKey):
            with contextlib.suppress(InvalidSignature):
                key.verify(signature, _PROBE, ec.ECDSA(algorithm))
                return name, False
    raise MisconfiguredError("the signing key does not belong to the certificate, or signs in another way")
