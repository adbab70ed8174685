"""One value that is read in two ways: comments, CDATA, canonical forms, base64."""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from typing import TYPE_CHECKING

from lienthong.testing.attacks.expectations import FORMAT, HASH, ONE, TWO, changed
from lienthong.testing.message_forge import Draft, header, line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lienthong.testing.attacks.expectations import Found

__all__ = ["values"]


def values() -> Iterator[Found]:
    """One value is read in two ways: comments, CDATA, canonical forms, base64."""
    draft = Draft()
    sender = "<edXML:OrganId>000.00.01.G01"
    for name, read in {
        "comment in a value": header().replace(sender, f"{sender}<!---->.X99"),
        "comment before a value": header().replace(sender, sender.replace(">", "><!--x-->", 1)),
        "comment between elements": header().replace("<edXML:To>", "<!-- --><edXML:To>"),
    }.items():
        yield f"{name}, after signing", FORMAT, changed(draft, (header(), read))
    signed_comment = header().replace(sender, f"{sender}<!---->.X99")
    yield "comment in a value, signed so", FORMAT, Draft(header=signed_comment).sign
    yield "instruction in a value", FORMAT, changed(draft, (sender, f"{sender}<?x y?>.X99"))
    yield "comment behind the root", FORMAT, changed(draft, ("</edXML>", "</edXML><!-- -->"))
    yield "comment in SignedInfo", FORMAT, changed(draft, ("<ds:SignatureMethod", "<!-- --><ds:SignatureMethod"))
    yield "comment in a digest", FORMAT, changed(draft, ("<ds:DigestValue>", "<ds:DigestValue><!-- -->"))
    yield (
        "comment in base64",
        FORMAT,
        changed(draft, (base64.b64encode(ONE)[:8], base64.b64encode(ONE)[:8] + b"<!-- -->")),
    )
    for name, before, after, code in (
        ("CDATA with other text", sender, f"{sender}<![CDATA[.X99]]>", HASH),
        ("element in a value", sender, f"{sender}<edXML:b/>.X99", HASH),
        ("space added", sender, f"{sender} ", HASH),
        ("line feed added", sender, f"{sender}&#10;", HASH),
        ("carriage return added", sender, f"{sender}&#13;", HASH),
        ("zero width space added", sender, f"{sender}\u200b", HASH),
        (
            "other prefix",
            "<edXML:OrganName>Bộ Thử nghiệm</edXML:OrganName>",
            "<OrganName>Bộ Thử nghiệm</OrganName>",
            HASH,
        ),
        ("other namespace", "<edXML:MessageHeader", '<edXML:MessageHeader xmlns:edXML="urn:x"', FORMAT),
        ("attribute added", "<edXML:From>", '<edXML:From a="b">', HASH),
        ("xml:lang added", "<edXML:From>", '<edXML:From xml:lang="vi">', HASH),
        ("NFD for NFC", "Bộ Thử nghiệm", unicodedata.normalize("NFD", "Bộ Thử nghiệm"), HASH),
        ("Cyrillic letter", "H02", "Н02", HASH),
        ("relative namespace", "<edXML:From>", '<edXML:From xmlns:r="x/y" r:a="b">', FORMAT),
    ):
        yield name, code, changed(draft, (before, after))
    yield (
        "element in a value, signed so",
        FORMAT,
        Draft(header=header().replace(sender, f"{sender}<edXML:b/>.X99")).sign,
    )
    yield (
        "sender twice, signed so",
        FORMAT,
        Draft(
            header=header().replace(
                "<edXML:To>", "<edXML:From><edXML:OrganId>X99</edXML:OrganId></edXML:From><edXML:To>"
            )
        ).sign,
    )
    yield "no sender, signed so", FORMAT, Draft(header=header().replace("edXML:From>", "edXML:Frm>")).sign
    one = base64.b64encode(ONE).decode()
    for name, text in {
        "garbage inside": one[:4] + "!@" + one[4:],
        "garbage behind": one + "!",
        "data behind the padding": one + "QUJD",
        "no padding": one.rstrip("="),
        "padding alone": "====",
        "too much padding": one + "=",
        "other last bits": one[:-2] + chr(ord(one[-2]) + 1) + "=",
        "alphabet of URLs": one[:4] + "-_" + one[6:],
        "vertical tab": one[:4] + "\v" + one[4:],
        "no-break space": one[:4] + "\u00a0" + one[4:],
        "zero width space": one[:4] + "\u200b" + one[4:],
        "reference to a letter": one[:4] + "&#65;" + one[5:],
        "CDATA": f"<![CDATA[{one}]]>!",
        "placeholder": "${base64}",
    }.items():
        code = HASH if name == "reference to a letter" else FORMAT
        yield f"base64: {name}", code, changed(draft, (f">{one}<", f">{text}<"))
    digest = base64.b64encode(hashlib.sha256(ONE).digest()).decode()
    loose = line(1, ONE).replace(digest, digest[:-2] + chr(ord(digest[-2]) + 1) + "=")
    yield "base64: other last bits in a Digest", FORMAT, Draft(lines=[loose, line(2, TWO)]).sign
