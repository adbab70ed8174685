"""Changes that keep an input's form, so that they reach what lies behind the first check of it.

Pure functions of bytes and a source of chance; libFuzzer's own mutations, which know nothing of form, work beside them.
"""

from __future__ import annotations

import base64
import json
import re
import zipfile
import zlib
from io import BytesIO
from typing import TYPE_CHECKING, Any

from tests.fuzz.words import ATTRIBUTES, NAMES, NUMBERS, PDF_WORDS, PIECES, TEXTS, VALUES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from random import Random

__all__ = ["mutate_attachment", "mutate_bytes", "mutate_json", "mutate_pdf", "mutate_xml"]

TOKEN = re.compile(rb"<(/?)([^\s<>/!?]+)([^<>]*?)(/?)>")
TEXT = re.compile(rb">([^<>]+)<")
BASE64 = re.compile(rb">([A-Za-z0-9+/\s]{8,}={0,2}\s*)</(?:[A-Za-z]+:)?(?:ContentTransferEncoded|X509Certificate)")
NUMBER = re.compile(rb"[0-9]+")


def mutate_bytes(data: bytes, random: Random) -> bytes:
    """Copy, move, cut or overwrite a stretch, or put in a number as binary formats have them."""
    at = random.randint(0, len(data))
    length = random.choice((1, 2, 4, 8, random.randint(0, max(1, len(data)))))
    piece = data[at : at + length]
    match random.randrange(6):
        case 0:
            return data[:at] + data[at + length :]
        case 1:
            return data[:at] + piece + data[at:]
        case 2:
            other = random.randint(0, len(data))
            return data[:other] + piece + data[other + length :]
        case 3:
            return data[:at] + random.randbytes(min(length, 16)) + data[at + min(length, 16) :]
        case 4:
            size = random.choice((1, 2, 4, 8))
            number = random.choice((0, 1, size, len(data), len(data) + 1, (1 << 8 * size) - 1, 1 << 8 * size - 1))
            written: bytes = (number % (1 << 8 * size)).to_bytes(size, "little" if random.random() < 0.5 else "big")
            return data[:at] + written + data[at + size :]
        case _:
            return data[:at]


def mutate_xml(data: bytes, random: Random) -> bytes:
    """Change elements, attributes, texts, or what stands in base64."""
    match random.randrange(12):
        case 0 | 1 | 2 | 3:
            return _elements(data, random)
        case 4 | 5 | 6:
            return _within(
                data, random, TEXT, lambda old: random.choice((*TEXTS, old + old, old[:-1], b" " + old + b"\n"))
            )
        case 7:
            return _within(data, random, NUMBER, lambda _: random.choice(NUMBERS))
        case 8:
            return _insert_attribute(data, random)
        case 9 | 10:
            return _within(data, random, BASE64, lambda old: _base64(old, random))
        case _:
            at = random.randint(0, len(data))
            return data[:at] + random.choice(PIECES) + data[at:]


def mutate_json(data: bytes, random: Random) -> bytes:
    """Change one value of a JSON text, or take one out."""
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return _within(data, random, NUMBER, lambda _: random.choice(NUMBERS))
    places = list(_places(tree))
    if not places:
        return json.dumps(random.choice(VALUES)).encode()
    holder, key = random.choice(places)
    match random.randrange(4):
        case 0:
            del holder[key]
        case 1:
            other, other_key = random.choice(places)
            copied = json.loads(json.dumps(other[other_key]))
            holder[key] = copied
        case _:
            holder[key] = random.choice(VALUES)
    return json.dumps(tree, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")


def mutate_attachment(data: bytes, random: Random) -> bytes:
    """Change the name, the declared type, an entry of the zip with its check sums right, or the zip's own bytes."""
    name, _, rest = data.partition(b"\n")
    declared, _, content = rest.partition(b"\n")
    match random.randrange(6):
        case 0:
            name = random.choice((*(one.encode("utf-8", "replace") for one in NAMES), mutate_bytes(name, random)))
        case 1:
            declared = random.choice((b"", b"application/zip", b"application/pdf", mutate_bytes(declared, random)))
        case 2 | 3:
            content = _rezip(content, random)
        case _:
            content = mutate_bytes(content, random)
    return name.replace(b"\n", b"") + b"\n" + declared.replace(b"\n", b"") + b"\n" + content


def mutate_pdf(data: bytes, random: Random) -> bytes:
    """Change numbers and words where offsets stay right, repeat an update, or recompress a stream."""
    match random.randrange(6):
        case 0 | 1:
            return _within(data, random, NUMBER, lambda old: random.choice(NUMBERS)[: len(old)].rjust(len(old), b"0"))
        case 2:
            word = random.choice(PDF_WORDS)
            at = random.randint(0, max(0, len(data) - len(word)))
            return data[:at] + word + data[at + len(word) :]
        case 3:
            start = random.choice([found.start() for found in re.finditer(rb"\n\d+ 0 obj", data)] or [0])
            return data + data[start:]
        case 4:
            return _within(
                data,
                random,
                re.compile(rb"stream\r?\n(.*?)\r?\nendstream", re.DOTALL),
                lambda old: _deflated(old, random),
            )
        case _:
            return mutate_bytes(data, random)


def _within(data: bytes, random: Random, pattern: re.Pattern[bytes], change: Callable[[bytes], bytes]) -> bytes:
    found = list(pattern.finditer(data))
    if not found:
        return mutate_bytes(data, random)
    one = random.choice(found)
    group = 1 if one.re.groups else 0
    return data[: one.start(group)] + change(one[group]) + data[one.end(group) :]


def _spans(data: bytes) -> list[tuple[int, int]]:
    spans, opened = [], []
    for tag in TOKEN.finditer(data):
        if tag[4]:
            spans.append(tag.span())
        elif not tag[1]:
            opened.append(tag.start())
        elif opened:
            spans.append((opened.pop(), tag.end()))
    return spans


def _elements(data: bytes, random: Random) -> bytes:
    spans = _spans(data)
    if not spans:
        return mutate_bytes(data, random)
    start, end = random.choice(spans)
    there = random.choice(random.choice(spans))
    element, without = data[start:end], data[:start] + data[end:]
    match random.randrange(5):
        case 0:
            return without
        case 1:
            return data[:there] + element + data[there:]
        case 2 if not start < there < end:
            there -= (end - start) if there >= end else 0
            return without[:there] + element + without[there:]
        case 3:
            return data[:start] + element * random.choice((2, 3, 30)) + data[end:]
        case _:
            other_start, other_end = random.choice(spans)
            return data[:start] + data[other_start:other_end] + data[end:]


def _insert_attribute(data: bytes, random: Random) -> bytes:
    tags = [tag for tag in TOKEN.finditer(data) if not tag[1]]
    if not tags:
        return mutate_bytes(data, random)
    at = random.choice(tags).end(2)
    return data[:at] + random.choice(ATTRIBUTES) + data[at:]


def _base64(old: bytes, random: Random) -> bytes:
    match random.randrange(5):
        case 0:
            return old.replace(b"=", b"")
        case 1:
            at = random.randint(0, len(old))
            return (
                old[:at]
                + random.choice((b"\n", b"\t", b"\x0b", b"=", b"&#65;", b"-", b"<!---->", b"<![CDATA[AA==]]>"))
                + old[at:]
            )
    try:
        content = base64.b64decode(old)
    except ValueError:
        return old
    changed = _rezip(content, random) if random.random() < 0.7 else mutate_bytes(content, random)
    return base64.b64encode(changed)


def _rezip(content: bytes, random: Random) -> bytes:
    """Return a zip with one entry changed; of what is no zip, a zip around it, as the national SDK wraps a file."""
    entries: list[tuple[str, bytes, int]] = []
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            entries = [(one.filename, archive.read(one), one.compress_type) for one in archive.infolist()[:8]]
    except Exception:  # noqa: BLE001 - whatever is wrong with it, it is no zip to change then
        wrapped = f"{random.getrandbits(128):032x}"
        name = "-".join((wrapped[:8], wrapped[8:12], wrapped[12:16], wrapped[16:20], wrapped[20:]))
        return _zip([(f"{name}.{random.choice(('txt', 'pdf', 'unk', 'zip'))}", content, zipfile.ZIP_DEFLATED)])
    position = random.randrange(len(entries)) if entries else 0
    name, inner, method = entries[position] if entries else ("a", b"", 0)
    changed: Sequence[tuple[str, bytes, int]] = random.choice(
        (
            [(random.choice(NAMES), inner, method)],
            [(name, mutate_bytes(inner, random), method)],
            [(name, _zip(entries), zipfile.ZIP_STORED)],
            [(name, inner, random.choice((0, 8, 12, 14)))],
            [(name, inner, method), (name, inner, method)],
            [(name, inner * random.choice((2, 50)), zipfile.ZIP_DEFLATED)] if len(inner) < 1_000_000 else [],
            [],
        )
    )
    return _zip([*entries[:position], *changed, *entries[position + 1 :]])


def _zip(entries: Sequence[tuple[str, bytes, int]]) -> bytes:
    output = BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        for name, content, method in entries:
            information = zipfile.ZipInfo(name)
            information.compress_type = method if method in {0, 8, 12, 14} else 0
            archive.NameToInfo.pop(name, None)  # else it warns of a name that stands there twice
            archive.writestr(information, content)
    return output.getvalue()


def _deflated(old: bytes, random: Random) -> bytes:
    try:
        plain = zlib.decompress(old)
    except zlib.error:
        return mutate_bytes(old, random)[: len(old)].ljust(len(old), b" ")
    return zlib.compress(mutate_bytes(plain, random), 9)[: len(old)].ljust(len(old), b"\0")


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every holder of a value in a JSON tree, with the value's key."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in inner:
        yield tree, key
        yield from _places(value)
