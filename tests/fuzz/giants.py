"""Inputs as large as they may be, each of the worst shape we know: ``python -m tests.fuzz.giants [NAME…]``.

What is cheap small may cost too much large, which no fuzzer finds in a minute. Each is made and checked in a process of
its own, so that what it takes can be told. Ends with 1 when anything does not hold, and says which it was.
"""

from __future__ import annotations

import base64
import os
import struct
import sys
import time
import traceback
import zipfile
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING

from tests.fuzz.promises import MIB
from tests.fuzz.targets import TARGETS, feed, peak_bytes, quiet

from lienthong.edxml import Limits, decode, encode, names
from lienthong.signature import sign_message
from lienthong.testing.message_forge import Draft, signer

if TYPE_CHECKING:
    from collections.abc import Callable

    from lienthong.signature.examination import Layout

__all__ = ["GIANTS", "main"]

LIMITS = Limits()
NOW = datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)
ROOM = LIMITS.total_bytes - 16_384
"""What is left for one large thing beside the frame."""
SCROLL = "\U0001f4dc"
"""A sign that makes every other one in its text four bytes wide in memory."""
FRAME = (
    f'<edXML xmlns="{names.NAMESPACE}" xmlns:edXML="{names.NAMESPACE}"><edXML:edXMLEnvelope><edXML:edXMLHeader>'
    "<edXML:MessageHeader><edXML:From><edXML:OrganId>H01</edXML:OrganId></edXML:From>@TO@"
    "<edXML:DocumentId>d</edXML:DocumentId>@HEADER@</edXML:MessageHeader>@TRACE@</edXML:edXMLHeader><edXML:edXMLBody>"
    '<edXML:edXMLManifest version="1.0">@LINES@</edXML:edXMLManifest></edXML:edXMLBody></edXML:edXMLEnvelope>'
    "<AttachmentEncoded>@FILES@</AttachmentEncoded></edXML>"
)
TO = "<edXML:To><edXML:OrganId>{}</edXML:OrganId></edXML:To>"


def document(
    *, to: str = TO.format("H02"), header: str = "", trace: str = "", lines: str = "", files: bytes = b""
) -> bytes:
    """Return a document with something large in one place."""
    small = FRAME.replace("@TO@", to).replace("@HEADER@", header).replace("@TRACE@", trace).replace("@LINES@", lines)
    before, _, after = small.encode().partition(b"@FILES@")
    return before + files + after


def file(content: bytes, number: int = 1, name: str = "a.bin") -> bytes:
    """Return an attachment with this text as its content."""
    return (
        f"<Attachment><ContentId>cid:{number}</ContentId><AttachmentName>{name}</AttachmentName><ContentTransferEncoded>"
    ).encode() + b"%s</ContentTransferEncoded></Attachment>" % content


def filled(piece: str, room: int = ROOM, most: int = LIMITS.elements) -> str:
    """Return a piece so often as there is room for; ``{}`` in it counts."""
    count = min(most, room // (len(piece.encode()) + 4))
    return "".join(piece.replace("{}", str(number)) for number in range(count))


def wide_attributes(namespaces: bool = False) -> str:
    """Return elements full of long attributes."""
    value = (SCROLL + "x" * 3990)[:3990]
    sort = "xmlns:" if namespaces else ""
    element = "<a " + " ".join(f'{sort}n{number}="{value}"' for number in range(60)) + "/>"
    return filled(element)


def wide_texts() -> str:
    """Return elements full of long text."""
    return filled(f"<a>{(SCROLL + 'x' * 4000) * 16}</a>")


def hops() -> str:
    """Return a trace of many wrong hops."""
    hop = "<edXML:TraceHeader><edXML:Timestamp>x</edXML:Timestamp></edXML:TraceHeader>"
    return f"<edXML:TraceHeaderList>{filled(hop, most=9_900)}</edXML:TraceHeaderList>"


def zipped(content: bytes, name: str = "00000000-0000-4000-8000-000000000001.bin", *, stored: bool = False) -> bytes:
    """Return a zip of one entry, by default named as the national SDK names it."""
    output = BytesIO()
    method = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(output, "w", method, compresslevel=1) as archive:
        archive.writestr(name, content)
    return output.getvalue()


def sparse(megabytes: int) -> bytes:
    """Return bytes that deflate to about a hundredth."""
    return (os.urandom(40) + bytes(4056)) * (megabytes * MIB // 4096)


def wrapped(megabytes: int, layers: int) -> bytes:
    """Return a document with a file that many wrappings deep."""
    content = sparse(megabytes)
    for layer in range(layers):
        content = zipped(content, stored=layer > 0)
    return document(files=file(base64.b64encode(content)), lines=filled(REFERENCE, most=1))


def many_wrapped() -> bytes:
    """Return a document with as many files as allowed that unpack to as much as allowed."""
    content = base64.b64encode(zipped(sparse(1)))
    files = b"".join(file(content, number) for number in range(LIMITS.attachments))
    return document(files=files, lines=filled(REFERENCE, most=LIMITS.attachments))


NAMED = (
    "<edXML:Reference><edXML:ContentId>cid:{}</edXML:ContentId><edXML:AttachmentName>a.bin</edXML:AttachmentName>"
    "</edXML:Reference>"
).replace("{}", "1")
REFERENCE = "<edXML:Reference><edXML:ContentId>cid:{}</edXML:ContentId></edXML:Reference>"


def folded(text: bytes, every: int, end: bytes) -> bytes:
    """Return a text with line ends in it."""
    return end.join(text[start : start + every] for start in range(0, len(text), every))


def random_base64(size: int) -> bytes:
    """Return so much base64 of random bytes."""
    return base64.b64encode(os.urandom(size // 4 * 3))


def deep_namespaces() -> str:
    """Return many elements below many declarations."""
    depth = LIMITS.depth - 8
    opened = "".join(
        "<a " + " ".join(f'xmlns:p{layer}q{each}="u"' for each in range(60)) + ">" for layer in range(depth)
    )
    return opened + filled('<b xmlns:z="{}"/>', most=LIMITS.elements - 100) + "</a>" * depth


def many_entries(count: int, size: int) -> bytes:
    """Return a zip of many small entries with long names."""
    output = BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(count):
            archive.writestr(f"{number:0100}", bytes(size))
    return output.getvalue()


def lying_zip(unpacked: int) -> bytes:
    """Return a zip whose entry says that it is small, and is not."""
    packed = bytearray(zipped(bytes(unpacked), "a.bin"))
    for at in (packed.index(b"PK\x03\x04") + 22, packed.index(b"PK\x01\x02") + 24):
        packed[at : at + 4] = struct.pack("<I", 2 * MIB)
    return bytes(packed)


def zips_in_zip() -> bytes:
    """Return zips in a zip, which together unpack to as much as allowed."""
    inner = zipped(sparse(30), "b.bin")
    output = BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_STORED) as archive:
        for number in range(4):
            archive.writestr(f"{number}.zip", inner)
    return output.getvalue()


def attached(name: str, content: bytes) -> bytes:
    """Return an input of the target ``attachment``."""
    return name.encode() + b"\n\n" + content


def signed_large(layout: Layout, text: bytes) -> bytes:
    """Return a signed message in which such a large attachment stands in place of the one that was signed."""
    message = Draft(layout=layout, contents=(b"%PDF-1.7 first",)).sign()
    before, content, after = message.partition(base64.b64encode(b"%PDF-1.7 first"))
    assert content, "it carries what was signed"
    return before + text[: ROOM - len(message)] + after


def signed_whole() -> bytes:
    """Return a message with a large attachment as our own signer signs it."""
    message = document(files=file(random_base64(ROOM - 65_536)), lines=filled(NAMED, most=1))
    return sign_message(encode(decode(message)), signer(), signing_time=NOW)


def beside_signature(inside: str) -> bytes:
    """Return a signed message with something large after the trace."""
    message = Draft().sign()
    place = message.index(b"</edXML:TraceHeaderList>")
    return message[:place] + inside.encode()[: ROOM - len(message)] + message[place:]


GIANTS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "edxml: one large file": ("edxml", lambda: document(files=file(random_base64(ROOM)))),
    "edxml: base64 in lines": (
        "edxml",
        lambda: document(files=file(folded(random_base64(ROOM * 76 // 79), 76, b"\r\n"))),
    ),
    "edxml: base64 sign by sign": (
        "edxml",
        lambda: document(files=file(folded(random_base64(ROOM // 2 - 4), 1, b"\n"))),
    ),
    "edxml: base64 in references": ("edxml", lambda: document(files=file(b"&#65;" * (ROOM // 20 * 4)))),
    "edxml: base64 in sections": ("edxml", lambda: document(files=file(b"<![CDATA[A]]>" * (ROOM // 52 * 4)))),
    "edxml: base64 with comments": ("edxml", lambda: document(files=file(b"AAAA<!---->" * (ROOM // 11)))),
    "edxml: no base64": ("edxml", lambda: document(files=file(b"\xf0\x9f\x93\x9c" * (ROOM // 4)))),
    "edxml: large zip": ("edxml", lambda: wrapped(99, 1)),
    "edxml: zip in zips": ("edxml", lambda: wrapped(33, 4)),
    "edxml: too large zip": ("edxml", lambda: wrapped(101, 1)),
    "edxml: many zips": ("edxml", many_wrapped),
    "edxml: attributes": ("edxml", lambda: document(header=wide_attributes())),
    "edxml: texts": ("edxml", lambda: document(header=wide_texts())),
    "edxml: known texts": ("edxml", lambda: document(header=wide_texts().replace("a>", "edXML:Subject>"))),
    "edxml: places": (
        "edxml",
        lambda: document(header=f"<edXML:ToPlaces>{wide_texts().replace('a>', 'edXML:Place>')}</edXML:ToPlaces>"),
    ),
    "edxml: namespaces": ("edxml", lambda: document(header=deep_namespaces())),
    "edxml: long namespaces": ("edxml", lambda: document(header=wide_attributes(namespaces=True))),
    "edxml: prefixes": ("edxml", lambda: document(header=filled("<p{}:a/>", most=LIMITS.elements - 20))),
    "edxml: addressees": ("edxml", lambda: document(to=filled(TO, most=9_900))),
    "edxml: wrong addressees": ("edxml", lambda: document(to=filled(TO.replace("{}", "!"), most=9_900))),
    "edxml: strangers": ("edxml", lambda: document(to=filled(f'<edXML:To xmlns:edXML="{"u" * 900}"/>', most=19_900))),
    "edxml: hops": ("edxml", lambda: document(trace=hops())),
    "edxml: lines": ("edxml", lambda: document(lines=filled(REFERENCE, most=9_900), files=file(b"AAAA") * 100)),
    "edxml: empty files": ("edxml", lambda: document(files=b"<Attachment/>" * 19_900)),
    "edxml: one long line": ("edxml", lambda: b" " * (ROOM - 3_000_000) + document(to=filled("<q:To/>", most=19_900))),
    "edxml: open comment": ("edxml", lambda: document()[:500] + b"<!--" + b"-" * ROOM),
    "edxml: open tag": ("edxml", lambda: document()[:500] + b"<a " + b"b='c' " * (ROOM // 6)),
    "edxml: comments": ("edxml", lambda: document(header="<!---->" * (ROOM // 7))),
    "status: long": (
        "status",
        lambda: document(to="", header=f"<edXML:StatusCode>03</edXML:StatusCode>{wide_texts()}"),
    ),
    "signature: one large file": ("signature", signed_whole),
    "signature: other large file": ("signature", lambda: signed_large("manifest", random_base64(ROOM))),
    "signature: enveloped": ("signature", lambda: signed_large("enveloped", random_base64(ROOM))),
    "signature: base64": ("signature", lambda: signed_large("base64", random_base64(ROOM))),
    "signature: by id": ("signature", lambda: signed_large("by-id", folded(random_base64(ROOM), 76, b"\r\n"))),
    "signature: base64 sign by sign": (
        "signature",
        lambda: signed_large("manifest", folded(random_base64(ROOM // 2), 1, b"\n")),
    ),
    "signature: attributes": ("signature", lambda: beside_signature(wide_attributes()[: ROOM // 2])),
    "signature: texts": ("signature", lambda: beside_signature(wide_texts())),
    "signature: namespaces": ("signature", lambda: beside_signature(deep_namespaces())),
    "signature: elements": ("signature", lambda: beside_signature(filled('<a b="{}"/>', most=19_800))),
    "signature: mentions": ("signature", lambda: beside_signature("ContentTransferEncoded " * (ROOM // 23))),
    "signature: open tags": ("signature", lambda: beside_signature("<ContentTransferEncoded " * (ROOM // 24))),
    "attachment: large zip": ("attachment", lambda: attached("a.zip", zipped(sparse(99), "a.bin"))),
    "attachment: zips in a zip": ("attachment", lambda: attached("a.zip", zips_in_zip())),
    "attachment: entries": ("attachment", lambda: attached("a.zip", many_entries(4_999, 20_000))),
    "attachment: too many entries": ("attachment", lambda: attached("a.zip", many_entries(30_000, 0))),
    "attachment: lying size": ("attachment", lambda: attached("a.zip", lying_zip(400 * MIB))),
    "attachment: large file": ("attachment", lambda: attached("a.pdf", b"%PDF-" + os.urandom(ROOM))),
    "attachment: ends of zips": ("attachment", lambda: attached("a.zip", b"PK\x05\x06" * (ROOM // 4))),
    "attachment: long name": ("attachment", lambda: attached("a" * LIMITS.text_chars, b"%PDF-")),
}
"""By name: where it arrives, and what makes it."""


def main(chosen: list[str]) -> int:
    """Check the giants and return the exit code."""
    quiet()
    failed = 0
    for name in chosen or GIANTS:
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            os._exit(_check(name))
        failed += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0
    return 1 if failed else 0


def _check(name: str) -> int:
    target = TARGETS[GIANTS[name][0]]
    data = GIANTS[name][1]()
    target.check(b"")  # what is kept for good is no cost of this input
    idle = peak_bytes(anew=True)
    started = time.process_time()
    try:
        feed(target, data, idle)
    except Exception:  # noqa: BLE001 - whatever it is, it is the finding
        sys.stdout.write(f"{name}: {traceback.format_exc()}\n")
        return 1
    finally:
        sys.stdout.write(
            f"{name:32} {len(data) / MIB:6.1f} MiB {time.process_time() - started:6.2f} s "
            f"{(peak_bytes() - idle) / MIB:7.1f} MiB\n"
        )
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
