"""Messages made to hurt a parser: entities, encodings, and too much of everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lienthong.testing.attacks.expectations import FORMAT
from lienthong.testing.message_forge import TRACE, Draft, header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lienthong.testing.attacks.expectations import Found

__all__ = ["parser"]

DECLARATION: Final = b'<?xml version="1.0" encoding="UTF-8"?>\n'
MEGABYTE: Final = 1024 * 1024


def parser() -> Iterator[Found]:
    """Yield a name, the reason, and a maker of each."""
    yield from _doctypes()
    yield from _encodings()
    yield from _floods()
    yield from _garbage()


def _doctypes() -> Iterator[Found]:
    lol = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    for name, subset, use in (
        ("empty DTD", "", None),
        ("DTD by http", ' SYSTEM "http://127.0.0.1:9/x.dtd"', None),
        ("DTD by file", ' SYSTEM "file:///etc/passwd"', None),
        ("XXE by file", ' [<!ENTITY x SYSTEM "file:///etc/passwd">]', "&x;"),
        ("XXE by http", ' [<!ENTITY x SYSTEM "http://127.0.0.1:9/">]', "&x;"),
        ("parameter entity", ' [<!ENTITY % x SYSTEM "file:///etc/passwd"> %x;]', None),
        ("billion laughs", f' [<!ENTITY l0 "lol">{lol}]', "&l9;"),
        ("quadratic blow-up", f' [<!ENTITY a "{"a" * 50_000}">]', "&a;" * 20_000),
        ("small entity", ' [<!ENTITY x "Thử">]', "&x;"),
        ("default attribute", ' [<!ATTLIST edXML:MessageHeader Id ID "h">]', None),
        ("entity in itself", ' [<!ENTITY x "&y;"><!ENTITY y "&x;">]', "&x;"),
    ):
        yield name, FORMAT, _doctype(f"<!DOCTYPE edXML{subset}>".encode(), use)


def _doctype(doctype: bytes, use: str | None) -> Callable[[], bytes]:
    def make() -> bytes:
        data = Draft().sign().replace(DECLARATION, DECLARATION + doctype)
        return data if use is None else data.replace("V/v thử".encode(), use.encode())

    return make


def _encodings() -> Iterator[Found]:
    def signed() -> str:
        return Draft().sign().decode()

    def declared(encoding: str) -> Callable[[], bytes]:
        return lambda: signed().replace('"UTF-8"', f'"{encoding}"').encode("utf-8")

    for encoding in ("ISO-8859-1", "windows-1258", "UTF-7", "UTF-16", "IBM037", "ISO-2022-JP", "x"):
        yield f"declared {encoding}", FORMAT, declared(encoding)
    yield "UTF-16", FORMAT, lambda: signed().replace("UTF-8", "UTF-16").encode("utf-16")
    yield "UTF-16 without a mark", FORMAT, lambda: signed().replace("UTF-8", "UTF-16").encode("utf-16-le")
    yield "UTF-32", FORMAT, lambda: signed().encode("utf-32")
    yield "EBCDIC", FORMAT, lambda: signed().replace("UTF-8", "IBM037").encode("cp037", "replace")
    yield "XML 1.1", FORMAT, lambda: signed().replace('version="1.0"', 'version="1.1"', 1).encode()
    yield "overlong form", FORMAT, lambda: Draft().sign().replace(b"V/v", b"V\xc0\xafv")
    yield "surrogate", FORMAT, lambda: Draft().sign().replace(b"V/v", b"\xed\xa0\x80")
    yield "wrong byte", FORMAT, lambda: Draft().sign().replace(b"V/v", b"\xff")
    yield "NUL", FORMAT, lambda: Draft().sign().replace(b"V/v", b"\0")
    yield "control character", FORMAT, lambda: Draft().sign().replace(b"V/v", b"&#1;")
    yield "text before the declaration", FORMAT, lambda: b"x" + Draft().sign()


def _floods() -> Iterator[Found]:
    def trace(inside: Callable[[], str]) -> Callable[[], bytes]:
        end = "</edXML:TraceHeaderList>"
        return lambda: Draft(trace=TRACE.replace(end, inside() + end)).sign()

    def after(inside: Callable[[], bytes]) -> Callable[[], bytes]:
        end = b"</edXML:TraceHeaderList>"
        return lambda: Draft().sign().replace(end, inside() + end)

    yield "20 MB of text", FORMAT, after(lambda: b"<a>" + b"x" * (20 * MEGABYTE) + b"</a>")
    yield "70 KB of text", FORMAT, trace(lambda: f"<a>{'x' * 70_000}</a>")
    yield "depth of 40", FORMAT, trace(lambda: "<a>" * 40 + "</a>" * 40)
    yield "depth of 300", FORMAT, after(lambda: b"<a>" * 300 + b"</a>" * 300)
    yield "depth of 100,000", FORMAT, after(lambda: b"<a>" * 100_000 + b"</a>" * 100_000)
    yield "depth of 100,000, not closed", FORMAT, after(lambda: b"<a>" * 100_000)
    yield "70 attributes", FORMAT, trace(lambda: "<a " + " ".join(f'a{n}=""' for n in range(70)) + "/>")
    yield "100,000 attributes", FORMAT, after(lambda: b"<a " + b" ".join(b'a%d=""' % n for n in range(100_000)) + b"/>")
    yield "long attribute", FORMAT, trace(lambda: f'<a b="{"x" * 5000}"/>')
    yield "attribute of 10 MB", FORMAT, after(lambda: b'<a b="' + b"x" * (10 * MEGABYTE) + b'"/>')
    yield "70 namespaces", FORMAT, trace(lambda: "<a " + " ".join(f'xmlns:n{n}="urn:{n}"' for n in range(70)) + "/>")
    yield (
        "20,000 namespaces",
        FORMAT,
        after(lambda: b"<a " + b" ".join(b'xmlns:n%d="urn:%d"' % (n, n) for n in range(20_000)) + b"/>"),
    )
    yield "30,000 elements", FORMAT, after(lambda: b"<a/>" * 30_000)
    yield "two million elements", FORMAT, after(lambda: b"<a/>" * 2_000_000)
    yield "3000 times the contents' name", FORMAT, after(lambda: b"<ContentTransferEncoded/>" * 3000)
    yield "a million times the contents' name", FORMAT, after(lambda: b"ContentTransferEncoded " * 1_000_000)
    yield "60 MB", FORMAT, lambda: Draft().sign() + b" " * (60 * MEGABYTE)
    yield "tag of 2 MB", FORMAT, after(lambda: b"<ContentTransferEncoded " + b"a" * (2 * MEGABYTE) + b">")
    yield "quotes that do not close", FORMAT, after(lambda: b'<ContentTransferEncoded a="' * 1500)
    yield "long name", FORMAT, after(lambda: b"<" + b"a" * MEGABYTE + b"/>")


def _garbage() -> Iterator[Found]:
    yield "nothing", FORMAT, lambda: b""
    yield "a zip", FORMAT, lambda: b"PK\x03\x04" + bytes(100)
    yield "a PDF", FORMAT, lambda: b"%PDF-1.7\n"
    yield "cut off", FORMAT, lambda: Draft().sign()[:-20]
    yield "cut off in the signature", FORMAT, lambda: Draft().sign()[:2000]
    yield "two messages", FORMAT, lambda: Draft().sign() * 2
    yield "text behind", FORMAT, lambda: Draft().sign() + b"x"
    yield "tags crossed", FORMAT, lambda: Draft().sign().replace(b"</edXML:From><edXML:To>", b"<edXML:To></edXML:From>")
    yield "undeclared prefix", FORMAT, lambda: Draft().sign().replace(b"<edXML:From>", b'<edXML:From x:a="b">')
    yield "attribute twice", FORMAT, lambda: Draft().sign().replace(b'Id="h"', b'Id="h" Id="h"')
    yield "entity that nobody declared", FORMAT, lambda: Draft().sign().replace(b"V/v", b"&nbsp;")
    yield "instruction", FORMAT, lambda: Draft().sign().replace(b"<edXML:From>", b"<?php x?><edXML:From>")
    yield (
        "stylesheet",
        FORMAT,
        lambda: Draft().sign().replace(DECLARATION, DECLARATION + b'<?xml-stylesheet href="file:///etc/passwd"?>'),
    )
    yield (
        "tags in CDATA",
        FORMAT,
        lambda: Draft(
            header=header().replace("V/v thử", "<![CDATA[<ContentTransferEncoded>QUJD</ContentTransferEncoded>]]>")
        ).sign(),
    )
