"""What a signature covers: everything a reader will read, and nothing by a way that could be read differently."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from lienthong.edxml import names
from lienthong.signature.algorithms import DIGESTS
from lienthong.signature.contents import Digested, digest_base64
from lienthong.signature.reasons import BrokenSignatureError, Code
from lienthong.signature.shape import EDXML, Carried, Frame
from lienthong.signature.signature_element import (
    BASE64,
    ENVELOPED,
    SIGNED_PROPERTIES_TYPE,
    Reference,
    SignatureElement,
)
from lienthong.signature.signed_values import Line, SignedHeader, read_header, read_manifest
from lienthong.signature.tree import Tree, canonical, malformed, parse_canonical

if TYPE_CHECKING:
    from collections.abc import Callable

    from lxml import etree

__all__ = ["Coverage", "Layout", "SignedPart"]

Layout = Literal["manifest", "enveloped", "by-id", "base64"]
"""How attachments are covered (profile 1, "Where and what")."""

_HEADER_PATH: Final = f"{EDXML}{names.ENVELOPE}/{EDXML}{names.HEADER}/{EDXML}{names.MESSAGE_HEADER}"
_MANIFEST_PATH: Final = f"{EDXML}{names.ENVELOPE}/{EDXML}{names.BODY}/{EDXML}{names.MANIFEST}"


class SignedPart(NamedTuple):
    """One part of a message that the signature covers.

    Attributes:
        kind: the header, the manifest, or an attachment.
        sha256: of the canonical bytes; of an attachment, of its decoded bytes as carried.
        size: how many those are.
        content_id: of an attachment, without ``cid:``.
        canonical: the bytes that were signed; None for an attachment.
    """

    kind: Literal["header", "manifest", "attachment"]
    sha256: bytes
    size: int
    content_id: str = ""
    canonical: bytes | None = None


class Coverage:
    """What the references of a signature cover, by the element each of them names."""

    def __init__(self, tree: Tree, frame: Frame, signature: SignatureElement) -> None:
        self.tree = tree
        self.frame = frame
        self.signature = signature
        self.whole: Reference | None = None
        self.by_element: dict[etree._Element, Reference] = {}

    def check(self) -> tuple[SignedHeader, Layout, tuple[SignedPart, ...]]:
        """Return what the header says, how the attachments are covered, and every part that is.

        Raises:
            BrokenSignatureError: something is not covered, or was changed.
        """
        self._assign()
        if self.whole is not None:
            header_xml, manifest_xml = self._of_whole(self.whole)
        else:
            header_xml = self._digested(self.frame.header, names.MESSAGE_HEADER)
            manifest = self.frame.manifest
            manifest_xml = None if manifest is None else self._digested(manifest, names.MANIFEST)
        parts = [_part("header", header_xml)]
        # Canonical forms declare all they use, so they can be read together: parsing has its price each time.
        read = parse_canonical(b"<signed>" + header_xml + (manifest_xml or b"") + b"</signed>")
        header = read_header(read[0])
        lines: dict[str, Line] = {}
        if manifest_xml is not None:
            parts.append(_part("manifest", manifest_xml))
            lines = read_manifest(read[1])
        elif header.status_code is None:
            raise _uncovered(names.MANIFEST)
        parts += self._attachments(lines)
        return header, self._layout(), tuple(parts)

    def _assign(self) -> None:
        """Tell what each reference names, by comparing with what may be signed; nothing is ever looked up."""
        properties = self.signature.properties
        signable = [self.frame.header, properties]
        if self.frame.manifest is not None:
            signable.append(self.frame.manifest)
        for attachment in self.frame.attachments:
            signable += (attachment.element, attachment.holder)
        by_uri = {f"#{identity}": element for element in signable if (identity := element.get("Id"))}
        holders = {attachment.holder for attachment in self.frame.attachments}
        for reference in self.signature.references:
            element = None if reference.transform == ENVELOPED else by_uri.get(reference.uri)
            if reference.transform == ENVELOPED:
                if self.whole is not None:
                    raise _twice(reference)
                self.whole = reference
                continue
            if element is None:
                raise self._not_signable(reference)
            if element in self.by_element:
                raise _twice(reference)
            if (reference.transform == BASE64 and element not in holders) or (
                (reference.type == SIGNED_PROPERTIES_TYPE) != (element is properties)
            ):
                raise _unexpected(reference)
            self.by_element[element] = reference
        if properties not in self.by_element:
            raise _uncovered("SignedProperties")
        self._compare(self.by_element[properties], _all_at_once(canonical(properties)), "SignedProperties")

    def _not_signable(self, reference: Reference) -> BrokenSignatureError:
        if reference.uri[1:] in self.tree.attribute_values:
            return _unexpected(reference)
        return BrokenSignatureError(
            Code.SIGNED_DATA_NOT_FOUND,
            f"Phần được ký {reference.uri[:100]} không có trong gói tin",
            f"What is signed as {reference.uri[:100]} is not in the message",
        )

    def _digested(self, element: etree._Element, name: str) -> bytes:
        reference = self.by_element.get(element)
        if reference is None:
            raise _uncovered(name)
        xml = canonical(element)
        self._compare(reference, _all_at_once(xml), name)
        return xml

    def _compare(self, reference: Reference, feed: Callable[[hashlib._Hash], None], name: str) -> None:
        digest = DIGESTS[reference.digest_method](b"")
        feed(digest)
        if digest.digest() != reference.digest:
            raise _changed(name)

    def _of_whole(self, reference: Reference) -> tuple[bytes, bytes | None]:
        """Check a signature over the whole message, and return the canonical header and manifest out of it."""
        _take_out(self.frame.signature)
        digest = DIGESTS[reference.digest_method](b"")
        for piece in self.tree.canonical_pieces(self.tree.root):
            digest.update(piece)
        if digest.digest() != reference.digest:
            raise BrokenSignatureError(
                Code.HASH_FAILURE,
                "Gói tin đã bị thay đổi sau khi ký. Chữ ký này bao cả TraceHeaderList nên mỗi nơi chuyển tiếp ghi "
                "thêm vết là hỏng; hãy ký MessageHeader và edXMLManifest theo hồ sơ 1",
                "The message was changed after signing. This signature covers the TraceHeaderList, too, so every hop "
                "that appends its trace breaks it; sign MessageHeader and edXMLManifest as profile 1 says",
            )
        root = parse_canonical(canonical(self.tree.root))
        header, manifest = root.find(_HEADER_PATH), root.find(_MANIFEST_PATH)
        assert header is not None, "the frame has one"
        return canonical(header), None if manifest is None else canonical(manifest)

    def _attachments(self, lines: dict[str, Line]) -> list[SignedPart]:
        attachments = self.frame.attachments
        carried = {attachment.content_id for attachment in attachments}
        for content_id in lines.keys() ^ carried:
            code = Code.SIG_CONSTRAINTS_FAILURE if content_id in carried else Code.SIGNED_DATA_NOT_FOUND
            raise BrokenSignatureError(
                code,
                f"Tệp đính kèm và bảng kê không khớp một-một: {content_id[:100]}",
                f"Attachments and manifest do not match one to one: {content_id[:100]}",
            )
        return [self._attachment(attachment, lines[attachment.content_id]) for attachment in attachments]

    def _attachment(self, attachment: Carried, line: Line) -> SignedPart:
        shown = attachment.content_id[:100]
        covered = self.whole is not None or self._referenced(attachment)
        for name, value in attachment.fields.items():
            # edXML's readers take these from the attachment, where only some layouts sign them.
            if value is not None and value != line.fields.get(name):
                raise BrokenSignatureError(
                    Code.SIG_CONSTRAINTS_FAILURE,
                    f"{name} của tệp {shown} khác với bảng kê đã ký",
                    f"The {name} of the attachment {shown} is not the one in the signed manifest",
                )
        if line.digest is None and not covered:
            raise _uncovered(shown)
        found = digest_base64(attachment.content)
        if found is None:
            raise malformed(
                f"nội dung tệp {shown} không phải base64 đúng chuẩn",
                f"the content of the attachment {shown} is not proper base64",
            )
        if line.digest is not None and (found.sha256 != line.digest or line.size not in (None, found.size)):
            raise _changed(shown)
        self._compare_reference(attachment, found)
        return SignedPart("attachment", found.sha256, found.size, attachment.content_id)

    def _referenced(self, attachment: Carried) -> bool:
        """Tell whether a reference covers an attachment and binds it to its line of the manifest."""
        if (reference := self.by_element.get(attachment.element)) is not None:
            return reference.transform != BASE64
        # A reference to the content alone does not sign the ContentId beside it; its own Id has to be the same.
        return attachment.holder in self.by_element and attachment.holder.get("Id") == attachment.content_id

    def _compare_reference(self, attachment: Carried, found: Digested) -> None:
        for element in (attachment.element, attachment.holder):
            reference = self.by_element.get(element)
            if reference is None:
                continue
            digest = DIGESTS[reference.digest_method](b"")
            if reference.transform != BASE64:
                for piece in self.tree.canonical_pieces(element):
                    digest.update(piece)
                same = digest.digest() == reference.digest
            else:
                same = found.sha256 == reference.digest
            if not same:
                raise _changed(attachment.content_id[:100])

    def _layout(self) -> Layout:
        if self.whole is not None:
            return "enveloped"
        references = [
            reference
            for attachment in self.frame.attachments
            for element in (attachment.element, attachment.holder)
            if (reference := self.by_element.get(element)) is not None
        ]
        if not references:
            return "manifest"
        return "base64" if any(reference.transform == BASE64 for reference in references) else "by-id"


def _take_out(signature: etree._Element) -> None:
    """Take the signature out of the tree and leave the text behind it (XML-DSig 1.1, 6.6.4)."""
    parent = signature.getparent()
    assert parent is not None, "it stands in its place"
    parent.text = (parent.text or "") + (signature.tail or "")
    signature.tail = None
    parent.remove(signature)


def _all_at_once(xml: bytes) -> Callable[[hashlib._Hash], None]:
    return lambda digest: digest.update(xml)


def _part(kind: Literal["header", "manifest"], xml: bytes) -> SignedPart:
    return SignedPart(kind, hashlib.sha256(xml).digest(), len(xml), canonical=xml)


def _uncovered(what: str) -> BrokenSignatureError:
    return BrokenSignatureError(
        Code.SIG_CONSTRAINTS_FAILURE,
        f"Chữ ký không bao {what}; hãy ký MessageHeader, edXMLManifest và mọi tệp đính kèm",
        f"The signature does not cover {what}; sign MessageHeader, edXMLManifest and every attachment",
    )


def _changed(what: str) -> BrokenSignatureError:
    return BrokenSignatureError(
        Code.HASH_FAILURE, f"{what} đã bị thay đổi sau khi ký", f"{what} was changed after signing"
    )


def _unexpected(reference: Reference) -> BrokenSignatureError:
    return BrokenSignatureError(
        Code.SIG_CONSTRAINTS_FAILURE,
        f"Reference {reference.uri[:100]} ký thứ không được ký ở đó",
        f"The Reference {reference.uri[:100]} signs what is not to be signed, or not so",
    )


def _twice(reference: Reference) -> BrokenSignatureError:
    return BrokenSignatureError(
        Code.SIG_CONSTRAINTS_FAILURE,
        f"Reference {reference.uri[:100]} bị lặp",
        f"The Reference {reference.uri[:100]} stands there twice",
    )
