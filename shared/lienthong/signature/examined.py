"""Everything found about a file, in a form that crosses from process to process and is kept in the ledger."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - read by pydantic at run time
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Literal, Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pybase64 import b64decode, b64encode
from pydantic import ConfigDict, PlainSerializer, PlainValidator, TypeAdapter

from lienthong.document.codes import ancestors, level_one
from lienthong.document.verdicts import Reason, SignatureFinding, Verdict
from lienthong.signature.attachments_findings import AttachmentFinding  # noqa: TC001 - read by pydantic at run time
from lienthong.signature.policy import Appraisal, Policy, appraise

if TYPE_CHECKING:
    from collections.abc import Callable

    from lienthong.signature.policy import Office
    from lienthong.trust import Evidence

__all__ = ["EvidenceDigest", "Examined", "Verification", "digest_of", "same_agency"]

OTHER_AGENCY = Reason(
    "SIG_CONSTRAINTS_FAILURE",
    "Chứng thư số thuộc cơ quan khác với bên gửi ghi trong văn bản",
    "The certificate belongs to another agency than the sender in the document",
)

Certificate = Annotated[
    x509.Certificate,
    PlainSerializer(lambda one: b64encode(one.public_bytes(Encoding.DER)).decode(), return_type=str),
    PlainValidator(lambda text: x509.load_der_x509_certificate(b64decode(text, validate=True))),
]


@dataclass(frozen=True, slots=True)
class EvidenceDigest:
    """One thing a judgement rests on, by its digest; under that it is in the payload store once it was put there.

    Attributes:
        kind: what it is.
        sha256: of its DER bytes, in lower-case hexadecimal.
        size: in bytes.
    """

    kind: Literal["certificate", "crl", "ocsp", "timestamp"]
    sha256: str
    size: int


@lru_cache(maxsize=256)
def digest_of(evidence: Evidence) -> EvidenceDigest:
    """Return the digest of a piece of evidence; most rest on the same few lists, which may be megabytes."""
    return EvidenceDigest(evidence.kind, sha256(evidence.der).hexdigest(), len(evidence.der))


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found about one file.

    Attributes:
        findings: every signature and time stamp in it.
        appraisal: the verdict on all of it together, and what it is worth.
        files: what is wrong with the files attached to it.
    """

    findings: tuple[SignatureFinding, ...]
    appraisal: Appraisal
    files: tuple[AttachmentFinding, ...] = ()


def same_agency(certified: str, written: str) -> bool:
    """Tell whether a certificate's agency may speak for a code as far as the writing tells: itself, or one above it.

    A running exchange asks its directory instead, which also knows what the writing does not tell.
    """

    def names(code: str) -> set[str]:
        top = level_one(code)
        return {code, f"000.00.00.{code}"} | ({top} if top and code == f"000.00.00.{top}" else set())

    return bool(names(certified) & (names(written) | set(ancestors(written))))


@dataclass(frozen=True, slots=True)
class Examined:
    """Everything found about a file, before it is asked for whom its signers may speak and what is demanded.

    Attributes:
        findings: every signature and time stamp in it.
        sender: the code in From; None when the file has none.
        type_name: edXML's ``TypeName``; None when it has none.
        files: what is wrong with the files attached to it, a virus or a scanner that is silent included.
        legacy: whether it carries the old envelope's ``Signature`` (SHA-1, no namespace), which nobody can verify.
        evidence: everything the judgements on its signatures rest on.
        signers: the certificates its signatures were made with, as far as they were judged.
        blobs: the bytes of the evidence, by digest; not part of the JSON form.
    """

    __pydantic_config__ = ConfigDict(arbitrary_types_allowed=True)

    findings: tuple[SignatureFinding, ...]
    sender: str | None = None
    type_name: str | None = None
    files: tuple[AttachmentFinding, ...] = ()
    legacy: bool = False
    evidence: tuple[EvidenceDigest, ...] = ()
    signers: tuple[Certificate, ...] = ()
    blobs: Mapping[str, bytes] = field(default_factory=dict, repr=False, compare=False)

    def encode(self) -> bytes:
        """Return it as JSON, without the bytes of the evidence."""
        return _CODEC.dump_json(self, exclude={"blobs"})

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return what is in the JSON.

        Raises:
            pydantic.ValidationError: it is not what `encode` writes.
        """
        found = _CODEC.validate_json(data)
        assert isinstance(found, cls)
        return found

    def appraise(
        self,
        policy: Policy,
        *,
        speaks_for: Callable[[str, str], bool] = same_agency,
        waited_minutes: float = 0.0,
    ) -> Verification:
        """Return what the file is worth; pure.

        Args:
            policy: what is demanded.
            speaks_for: whether the agency of a certificate may speak for the code in From.
            waited_minutes: how long it has been held already.
        """
        findings = tuple(self._constrained(finding, speaks_for) for finding in self.findings)
        offices = frozenset(office for finding in findings if (office := self._office(finding, speaks_for)))
        appraisal = appraise(
            findings,
            offices,
            policy.rule(self.type_name),
            files=self.files,
            legacy=self.legacy,
            waited_minutes=waited_minutes,
        )
        return Verification(findings, appraisal, self.files)

    def _constrained(self, finding: SignatureFinding, speaks_for: Callable[[str, str], bool]) -> SignatureFinding:
        if finding.kind != "message" or finding.verdict is Verdict.INVALID or self.sender is None:
            return finding
        if finding.agency is not None and speaks_for(finding.agency, self.sender):
            return finding
        return replace(finding, verdict=Verdict.INVALID, reason=OTHER_AGENCY, signed_at=None)

    def _office(self, finding: SignatureFinding, speaks_for: Callable[[str, str], bool]) -> Office | None:
        """Return whose signature this is, of those a policy can require (Decree 30/2020/NĐ-CP, Art. 5)."""
        if finding.kind == "timestamp" or finding.verdict is not Verdict.VALID:
            return None
        if finding.kind == "message":
            return "agency"
        if finding.holder == "person":
            return "person"
        named = finding.agency is not None and self.sender is not None and speaks_for(finding.agency, self.sender)
        return "agency" if self.sender is None or named else None


_CODEC = TypeAdapter(Examined)
