"""A model of how the national axis's SDK (EdXML102 0.0.3) reads a message, with its strictness and its carelessness.

The SDK itself is not to be had; these are its rules as seen by running it on some 130 files. Where it throws, this
raises `LostDocumentError`; where it silently puts a default, so does this. It is a test's opponent, not a parser.
"""

from __future__ import annotations

import base64
import re
import zipfile
from dataclasses import dataclass, field
from datetime import date, timedelta
from io import BytesIO
from uuid import uuid4
from xml.etree import ElementTree as ET

NAMESPACE = "http://www.mic.gov.vn/TBT/QCVN_102_2016"


class LostDocumentError(Exception):
    """The SDK throws, and its caller never sees the document."""


@dataclass
class SdkFile:
    """A file as the SDK hands it to its caller."""

    name: str
    content: bytes | None


@dataclass
class SdkMessage:
    """What the SDK's getters return, as far as a receiver uses them."""

    sender: str | None
    addressees: list[str | None]
    document_id: str
    code: str | None
    subject: str | None
    promulgated: date | None
    due: date | None
    priority: int
    page_amount: int
    steering_type: int
    type_name: str | None
    to_places: list[str | None]
    business_type: int | None
    business_document_id: str | None
    trace: list[tuple[str | None, str | None]]
    status_code: str | None
    answers: list[tuple[str | None, str | None]]
    files: list[SdkFile] | None = None
    reference_ids: list[str | None] = field(default_factory=list)


def read(data: bytes) -> SdkMessage:
    """Return what the SDK makes of a message.

    Raises:
        LostDocumentError: where the SDK throws.
    """
    root = ET.fromstring(data)  # noqa: S314 - only our own test messages come here
    envelope = root.find(f"{{{NAMESPACE}}}edXMLEnvelope")
    outer = child(envelope, "edXMLHeader")
    if outer is None:
        raise LostDocumentError("NullPointerException: no envelope in the namespace, or no header in it")
    header = child(outer, "MessageHeader")
    other = child(header, "OtherInfo")
    trace = child(outer, "TraceHeaderList")
    business = child(trace, "Bussiness")
    promulgation, code = child(header, "PromulgationInfo"), child(header, "Code")
    manifest = child(child(envelope, "edXMLBody"), "edXMLManifest")
    return SdkMessage(
        sender=text(child(header, "From"), "OrganId"),
        addressees=[text(to, "OrganId") for to in children(header, "To")],
        document_id=text(header, "DocumentId") or str(uuid4()),
        code=f"{text(code, 'CodeNumber')}/{text(code, 'CodeNotation')}" if code is not None else None,
        subject=text(header, "Subject"),
        promulgated=day(text(promulgation, "PromulgationDate")),
        due=day(text(header, "DueDate")),
        priority=careless_number(other, "Priority", 0),
        page_amount=careless_number(other, "PageAmount", 1),
        steering_type=strict_number(header, "SteeringType"),
        type_name=text(child(header, "DocumentType"), "TypeName"),
        to_places=[trimmed(place) for place in children(child(header, "ToPlaces"), "Place")],
        business_type=careless_number(business, "BussinessDocType", 0) if business is not None else None,
        business_document_id=text(business, "DocumentId"),
        trace=[(text(hop, "OrganId"), text(hop, "Timestamp")) for hop in children(trace, "TraceHeader")],
        status_code=text(header, "StatusCode"),
        answers=[(text(answer, "OrganId"), text(answer, "DocumentId")) for answer in children(header, "ResponseFor")],
        files=files(child(root, "AttachmentEncoded")),
        reference_ids=[
            (text(reference, "ContentId") or "").removeprefix("cid:") for reference in children(manifest, "Reference")
        ],
    )


def children(parent: ET.Element | None, name: str) -> list[ET.Element]:
    """Return children by local name alone, as the SDK compares below the envelope."""
    return [found for found in parent or () if found.tag.rpartition("}")[2] == name] if parent is not None else []


def child(parent: ET.Element | None, name: str) -> ET.Element | None:
    """Return the first child of this local name."""
    return next(iter(children(parent, name)), None)


def trimmed(element: ET.Element | None) -> str | None:
    """Return an element's text without white space around it."""
    return (element.text or "").strip(" \t\r\n") if element is not None else None


def text(parent: ET.Element | None, name: str) -> str | None:
    """Return the text of a child."""
    return trimmed(child(parent, name))


def careless_number(parent: ET.Element | None, name: str, default: int) -> int:
    """Return a number, or the SDK's default for anything but bare digits."""
    element = child(parent, name)
    found = re.fullmatch("[0-9]+", (element.text or "") if element is not None else "")
    return int(found[0]) if found else default


def strict_number(parent: ET.Element | None, name: str) -> int:
    """Return the one number the SDK parses without a net; absent is 0."""
    element = child(parent, name)
    if element is None:
        return 0
    if not re.fullmatch("[0-9]+", element.text or ""):
        raise LostDocumentError(f"NumberFormatException: {element.text!r}")
    return int(element.text or "")


def day(written: str | None) -> date | None:
    """Return a day as Java's lenient SimpleDateFormat("yyyy/MM/dd") does: overflowing days roll on."""
    found = re.match(r"([0-9]+)/([0-9]+)/([0-9]+)", written or "")
    if found is None:
        return None
    year, month, number = map(int, found.groups())
    first = date(year + (month - 1) // 12, (month - 1) % 12 + 1, 1)
    return first + timedelta(days=number - 1)


def files(frame: ET.Element | None) -> list[SdkFile] | None:
    """Return the files; None, not an empty list, when the element is missing."""
    if frame is None:
        return None
    return [one_file(attachment) for attachment in children(frame, "Attachment") if len(attachment)]


def one_file(attachment: ET.Element) -> SdkFile:
    """Return one file, unzipped or not by its declared type alone."""
    name, encoded = text(attachment, "AttachmentName"), text(attachment, "ContentTransferEncoded")
    if name is None or encoded is None:
        raise LostDocumentError("NullPointerException: AttachmentName or ContentTransferEncoded")
    content = base64.b64decode(re.sub("[^0-9A-Za-z+/=]", "", encoded))
    if text(attachment, "ContentType") != "application/zip" or name.endswith(".zip"):
        return SdkFile(name, content)
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            entries = archive.namelist()
            if entries and "/" in entries[0]:
                raise LostDocumentError("FileNotFoundException: entry in a folder")
            return SdkFile(entries[0], archive.read(entries[0])) if entries else SdkFile(name, None)
    except zipfile.BadZipFile as error:
        raise LostDocumentError("ZipException") from error
