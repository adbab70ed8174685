r"""What an edXML message says, as immutable values.

Texts are in their normal form: without white space around them, lines parted by ``\n``, None where the wire has
nothing or an empty element. Moments are aware and kept in UTC with whole seconds, which is all the wire can carry.
Numbers in comments are the item numbers of QCVN 102:2016.
"""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - pydantic and dataclasses users resolve these annotations
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from hashlib import sha256
from typing import ClassVar, Literal

from lienthong.document.ids import derive
from lienthong.edxml.media import true_media_type
from lienthong.edxml.names import CID
from lienthong.edxml.wire_time import whole_seconds

__all__ = [
    "ActingAgency",
    "Attachment",
    "Business",
    "BusinessType",
    "Document",
    "DocumentCode",
    "DocumentType",
    "Organization",
    "OtherInfo",
    "Packing",
    "Promulgation",
    "Receiver",
    "Replacement",
    "ResponseFor",
    "Signer",
    "StaffInfo",
    "Status",
    "TraceHeader",
]


class BusinessType(IntEnum):
    """``BussinessDocType`` (2.2.1): what a document does to an earlier one."""

    NEW = 0
    WITHDRAW = 1
    UPDATE = 2
    REPLACE = 3


class Packing(StrEnum):
    """How an attachment's bytes were packed on the wire."""

    RAW = "raw"
    ZIPPED = "zipped"


@dataclass(frozen=True, slots=True)
class Organization:
    """A sender (1.1) or receiver (1.2)."""

    organ_id: str
    organ_name: str | None = None
    organization_in_charge: str | None = None
    organ_add: str | None = None
    email: str | None = None
    telephone: str | None = None
    fax: str | None = None
    website: str | None = None


@dataclass(frozen=True, slots=True)
class DocumentCode:
    """The number and notation of a document (1.3), written ``7816/VPCP-TTĐT``."""

    number: str | None = None
    notation: str | None = None

    def __str__(self) -> str:
        """Return the two as they stand on paper."""
        return "/".join(part for part in (self.number, self.notation) if part)


@dataclass(frozen=True, slots=True)
class Promulgation:
    """Where and on which day a document was issued (1.4)."""

    place: str | None = None
    date: dt.date | None = None


@dataclass(frozen=True, slots=True)
class DocumentType:
    """The kind of a document (1.5). Only `type_name` is reliable: practice disagrees about the numbers."""

    type: int | None = None
    type_name: str | None = None
    type_detail: int | None = None


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signed (1.8): name, office, and the authority signed under (TM., Q., KT., TL., TUQ.)."""

    full_name: str | None = None
    position: str | None = None
    competence: str | None = None


@dataclass(frozen=True, slots=True)
class OtherInfo:
    """Further facts (1.11).

    Attributes:
        priority: 0 ordinary, 1 urgent, 2 very urgent, 3 express, 4 express at a stated hour.
        sphere: restrictions of circulation, free text.
        typer_notation: initials of the typist.
        promulgation_amount: copies issued.
        page_amount: pages.
        direction: an extension of the national SDK, always false there.
        appendixes: titles of appendixes.
    """

    priority: int | None = None
    sphere: str | None = None
    typer_notation: str | None = None
    promulgation_amount: int | None = None
    page_amount: int | None = None
    direction: bool | None = None
    appendixes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ResponseFor:
    """The document that is answered (1.12), or that a status is about.

    A document's answer may leave out either id; it is then the empty string. A status has both.
    """

    organ_id: str
    document_id: str
    code: str | None = None
    promulgation_date: dt.date | None = None


@dataclass(frozen=True, slots=True)
class StaffInfo:
    """The officer to ask (2.2.5)."""

    department: str | None = None
    staff: str | None = None
    mobile: str | None = None
    email: str | None = None
    department_id: str | None = None
    staff_id: str | None = None


@dataclass(frozen=True, slots=True)
class TraceHeader:
    """One hop (2.1). Real traffic leaves the agency out, or writes the text ``null``: then it is None."""

    organ_id: str | None = None
    timestamp: dt.datetime | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "timestamp", whole_seconds(self.timestamp))


@dataclass(frozen=True, slots=True)
class Receiver:
    """One change of an update's list of receivers: an agency added, or removed."""

    organ_id: str
    added: bool


@dataclass(frozen=True, slots=True)
class Replacement:
    """Which earlier document is replaced, and for which receivers."""

    document_id: str
    organ_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Business:
    """What a document does to an earlier one (2.2).

    Attributes:
        type: new, withdraw, update or replace.
        reason: free text.
        document_id: the earlier document; a withdrawal may leave it out, it then means its own `Document.document_id`.
        staff: the officer to ask.
        paper: whether a paper copy follows.
        content_changed: for an update, whether the content changed.
        receivers_changed: for an update, whether the list of receivers changed.
        receivers: for an update, the changes of that list.
        replacements: for a replacement, what it replaces.
    """

    type: BusinessType = BusinessType.NEW
    reason: str | None = None
    document_id: str | None = None
    staff: StaffInfo | None = None
    paper: bool | None = None
    content_changed: bool | None = None
    receivers_changed: bool | None = None
    receivers: tuple[Receiver, ...] = ()
    replacements: tuple[Replacement, ...] = ()


@dataclass(frozen=True, slots=True)
class ActingAgency:
    """The unit that acts on the document: an extension of the national SDK."""

    organ_id: str | None = None
    organ_name: str | None = None
    department_id: str | None = None
    department_name: str | None = None
    execute_role: str | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """One attached file.

    Attributes:
        name: file name with extension; text of a stranger, so never a path. See `file_name`.
        content: the file itself, out of base64 and out of the national SDK's zip wrapping.
        content_type: its media type. One that cannot be true (`application/zip` for what is no zip file, the
            `application/docx` of the national SDK) is replaced by the one that name and content show.
        content_id: joins it to the manifest, without ``cid:``; derived from name and content when not given.
        description: free text.
        packing: how the wire had it; a fact about the past, so not part of equality. Writing always packs raw.
        declared_type: the media type the wire claimed; likewise.
        sha256: of `content`, lower-case hexadecimal.
    """

    name: str
    content: bytes = field(repr=False)
    content_type: str = ""
    content_id: str = ""
    description: str | None = None
    packing: Packing = field(default=Packing.RAW, compare=False)
    declared_type: str | None = field(default=None, compare=False)
    sha256: str = field(init=False)

    def __post_init__(self) -> None:
        digest = sha256(self.content).hexdigest()
        object.__setattr__(self, "sha256", digest)
        object.__setattr__(self, "content_type", true_media_type(self.name, self.content, self.content_type))
        content_id = bare_content_id(self.content_id) or str(derive("attachment", self.name, digest))
        object.__setattr__(self, "content_id", content_id)

    @property
    def file_name(self) -> str:
        """Return the name without folders, control characters and other things a file system or a reader trips on."""
        last = self.name.replace("\\", "/").rpartition("/")[2]
        kept = "".join(sign for sign in last if sign.isprintable() and sign not in ':*?"<>|').strip(" .")
        return kept or "attachment"


@dataclass(frozen=True, slots=True)
class Document:
    """A document on its way: everything the envelope says about it, and its files.

    Attributes:
        sender: who sends it.
        addressees: who receives it, in the sender's order, each agency once.
        document_id: the sender's id of it, opaque (1.14).
        steering_type: kind of steering (1.13); the sources disagree about its values.
        trace: the hops so far, oldest first.
        business: what it does to an earlier document.
        response_for_tasks: codes of tasks it answers (SDK extension).
        application_type: SDK extension, kept as text.
        feedback: the document that is commented on (SDK extension).
        agency: the unit that acts (SDK extension).
        legacy_signature: the envelope's own ``Signature`` as text. It cannot be verified (SHA-1, no namespace), is
            never counted as proof, and never written again; so not part of equality.
    """

    kind: ClassVar[Literal["document"]] = "document"

    sender: Organization
    addressees: tuple[Organization, ...]
    document_id: str
    code: DocumentCode | None = None
    promulgation: Promulgation | None = None
    document_type: DocumentType | None = None
    subject: str | None = None
    content: str | None = None
    signer: Signer | None = None
    due_date: dt.date | None = None
    to_places: tuple[str, ...] = ()
    other: OtherInfo | None = None
    response_for: tuple[ResponseFor, ...] = ()
    steering_type: int | None = None
    trace: tuple[TraceHeader, ...] = ()
    business: Business = Business()
    attachments: tuple[Attachment, ...] = ()
    response_for_tasks: tuple[str, ...] = ()
    application_type: str | None = None
    feedback: ResponseFor | None = None
    agency: ActingAgency | None = None
    legacy_signature: str | None = field(default=None, repr=False, compare=False)

    @property
    def priority(self) -> int:
        """Return the urgency, 0 when the sender did not say."""
        return (self.other.priority if self.other else None) or 0

    @property
    def urgent(self) -> bool:
        """Tell whether it goes by the urgent lane (Decision 28/2018/QĐ-TTg, Art. 6.2: khẩn and above)."""
        return 1 <= self.priority <= MAX_PRIORITY


MAX_PRIORITY = 4
"""Express at a stated hour, the highest urgency of the wire."""


@dataclass(frozen=True, slots=True)
class Status:
    """What became of a document, reported by its receiver; or, with code 13, taken back by its sender.

    There is no addressee: it is the agency in `response_for`.
    """

    kind: ClassVar[Literal["status"]] = "status"

    sender: Organization
    response_for: ResponseFor
    status_code: str
    staff: StaffInfo | None = None
    description: str | None = None
    timestamp: dt.datetime | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "timestamp", whole_seconds(self.timestamp))


def bare_content_id(text: str) -> str:
    """Return a content id without ``cid:``, of which the national SDK writes one or two."""
    bare = text.strip()
    while bare.startswith(CID):
        bare = bare[len(CID) :].strip()
    return bare
