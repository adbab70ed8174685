"""What the fuzzer starts from, made by our own code: ``python -m tests.fuzz.seeds`` writes it to ``tests/data/fuzz``.

The files named ``signed-…`` are the originals that a signature found intact is compared with. Keys are made anew each
time, so the files are kept; the many broken messages of `lienthong.testing.attacks` are not, and made when needed.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZipFile

from tests.fuzz.promises import DATA
from tests.fuzz.targets import TARGETS, Target
from tests.unit.signature_pdf.files import form, letter
from tests.unit.signature_pdf.people import document_stamped, person, signed, stamper

from lienthong.document.messages import (
    Addressee,
    Delivered,
    DocumentToRoute,
    DocumentToVerify,
    Found,
    FoundSignature,
    NoticeToSend,
    ProblemModel,
    Receipt,
    Refused,
    Verified,
)
from lienthong.document.reasons import message_id_missing
from lienthong.document.verdicts import Value, Verdict
from lienthong.edxml import Attachment, Document, decode, encode
from lienthong.signature import sign_message
from lienthong.testing.attacks import attacks
from lienthong.testing.message_forge import Draft, signer

if TYPE_CHECKING:
    from collections.abc import Iterator

EDXML = DATA.parent / "edxml"
ID = UUID("00000000-0000-4000-8000-000000000001")
NOW = datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)
FOUND = Found(verdict=Verdict.INDETERMINATE, value=Value.INFORMATION, vi="chưa rõ", en="unknown")


def kept(target: Target) -> list[bytes]:
    """Return the kept inputs of a target, in the order of their names."""
    return [path.read_bytes() for path in sorted((DATA / target.name).iterdir())]


def fleeting(target: Target) -> Iterator[bytes]:
    """Yield inputs that are made when they are needed: the attacks, whose keys nobody keeps."""
    if target.name in {"edxml", "status"}:
        yield from (path.read_bytes() for path in sorted(EDXML.glob("*.edxml")))
    if target.name in {"edxml", "signature"}:
        yield from (made for attack in attacks() if len(made := attack.make()) <= target.max_bytes)


def main() -> None:
    """Write the seeds, replacing those of the same name."""
    made = {
        "edxml": {"signed.edxml": Draft().sign(), "zipped.edxml": _zipped()},
        "status": {"refused.edxml": _status(b"02"), "taken-back.edxml": _status(b"13")},
        "properties": {"nothing": b"", "all": bytes(range(256)) * 2, "full": b"\xff" * 300},
        "internal": {f"{name}.json": body for name, body in _internal().items()},
        "signature": {f"signed-{name}.edxml": body for name, body in _signed().items()},
        "attachment": _attachments(),
        "pdf": _pdfs(),
    }
    for name, inputs in made.items():
        folder = DATA / TARGETS[name].name
        folder.mkdir(parents=True, exist_ok=True)
        for file, body in inputs.items():
            (folder / file).write_bytes(body)


def _status(code: bytes) -> bytes:
    return (EDXML / "status.edxml").read_bytes().replace(b"StatusCode>03<", b"StatusCode>" + code + b"<")


def _zipped() -> bytes:
    """Return a document whose one file is wrapped twice, as the national SDK wraps files once."""
    wrapped = _zip({"00000000-0000-4000-8000-000000000001.txt": b"van ban"})
    twice = _zip({"00000000-0000-4000-8000-000000000002.unk": wrapped})
    document = decode((EDXML / "document.edxml").read_bytes())
    assert isinstance(document, Document)
    return encode(replace(document, attachments=(Attachment("a.txt", twice),)))


def _zip(entries: dict[str, bytes]) -> bytes:
    output = BytesIO()
    with ZipFile(output, "w", ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return output.getvalue()


def _signed() -> dict[str, bytes]:
    drafts = {layout: Draft(layout=layout).sign() for layout in ("manifest", "enveloped", "by-id", "base64")}
    drafts["rsa"] = Draft(key=signer("rsa")).sign()
    whole = {name: (EDXML / f"{name}.edxml").read_bytes() for name in ("document", "status")}
    return drafts | {
        name: sign_message(encode(decode(message)), signer(), signing_time=NOW) for name, message in whole.items()
    }


def _internal() -> dict[str, bytes]:
    digest = "ab" * 32
    receipt = Receipt(submission_message_id="m", document=ID, document_id="d", sha256=digest, received_at=NOW)
    problem = ProblemModel.of(message_id_missing())
    refused = Refused(about="status", submission_message_id="m", problems=(problem,), refused_at=NOW)
    addressee = Addressee(code="000.00.00.H01", agency="H01", carrier="H01")
    delivered = Delivered(document=ID, document_id="d", addressees=(addressee,), delivered_at=NOW)
    signature = FoundSignature(kind="pdf", verdict=Verdict.VALID, signed_at=NOW, subject="a.pdf", vi="tốt", en="good")
    verified = Verified(document=ID, document_id="d", found=FOUND, signatures=(signature,), judged_at=NOW)
    return {
        "verify": DocumentToVerify(document=ID, sha256=digest, user="H01", received_at=NOW).encode(),
        "route": DocumentToRoute(document=ID, sha256=digest, found=FOUND).encode(),
        "notice": NoticeToSend(notice_id=ID, agency="H01", notice=refused, caused_at=NOW).encode(),
        "receipt": receipt.encode(),
        "delivered": delivered.encode(),
        "verified": verified.encode(),
        "empty": json.dumps({}).encode(),
    }


def _attachments() -> dict[str, bytes]:
    office = {"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<w/>", "word/vbaProject.bin": b"x"}
    return {
        "letter": b"thu.pdf\napplication/pdf\n" + letter(),
        "office": b"a.docx\n\n" + _zip(office),
        "layers": b"a.zip\napplication/zip\n" + _zip({"b.zip": _zip({"c.pdf": letter(), "d/e.txt": b"e"})}),
        "text": b"CON.txt\ntext/plain\nxin ch\xc3\xa0o",
        "program": b"a\xe2\x80\xaefdp.exe\n\nMZ" + bytes(100),
    }


def _pdfs() -> dict[str, bytes]:
    once = signed(letter())
    twice = signed(signed(letter(), stamped=stamper()), person("Sở", "H23"))
    return {
        "letter": letter(),
        "form": form(),
        "signed-once": once,
        "signed-twice": twice,
        "signed-archived": document_stamped(once, stamper()),
        "signed-shown": signed(letter(), box=(10, 10, 100, 100)),
    }


if __name__ == "__main__":
    main()
