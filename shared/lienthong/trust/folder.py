"""Reading a trust folder: roots, intermediates, revocation lists and OCSP answers in files, PEM or DER."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509 import ocsp

from lienthong.errors import MisconfiguredError
from lienthong.trust.strength import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = [
    "FOLDERS",
    "Contents",
    "Parsed",
    "Stamp",
    "answer_in",
    "certificates_in",
    "crls_in",
    "read_folder",
    "stamps_of",
]

FOLDERS = ("roots", "intermediates", "crls", "ocsp")
LARGEST_FILE = 64 * 1024 * 1024
PEM_CRL_END = b"-----END X509 CRL-----"

Stamp = tuple[str, int, int, int]
"""Name, inode, modification time and size of a file: what tells that it changed."""
T = TypeVar("T")
Parsed = dict[Stamp, list[Any]]
"""What was in files read before, so that a file which did not change is not read again."""


@dataclass(slots=True)
class Contents:
    """What was read from a folder, and what could not be."""

    roots: list[x509.Certificate] = field(default_factory=list)
    intermediates: list[x509.Certificate] = field(default_factory=list)
    crls: list[x509.CertificateRevocationList] = field(default_factory=list)
    answers: list[ocsp.OCSPResponse] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_folder(folder: Path, stamps: tuple[Stamp, ...], before: Parsed) -> tuple[Contents, Parsed]:
    """Return everything in a trust folder, and the same by file for the next time.

    What cannot be read is named in the contents' problems.

    Args:
        folder: the folder.
        stamps: its files, as `stamps_of` found them.
        before: what was read last time.

    Raises:
        MisconfiguredError: there is no such folder, or no certificate in its ``roots``.
    """
    if not folder.is_dir():
        raise MisconfiguredError(f"the trust folder {folder} does not exist")
    contents = Contents()
    kinds: dict[str, tuple[list[Any], Callable[[bytes], list[Any]]]] = {
        "roots": (contents.roots, certificates_in),
        "intermediates": (contents.intermediates, certificates_in),
        "crls": (contents.crls, crls_in),
        "ocsp": (contents.answers, lambda data: [answer_in(data)]),
    }
    parsed: Parsed = {}
    for stamp in stamps:
        found, parse = kinds[stamp[0].partition("/")[0]]
        try:
            parsed[stamp] = before[stamp] if stamp in before else _read(folder / stamp[0], parse)
        except (OSError, *UNREADABLE) as error:
            contents.problems.append(f"{stamp[0]}: {error}")
        else:
            found += parsed[stamp]
    if not contents.roots:
        raise MisconfiguredError(f"the trust folder {folder} has no certificate in roots/")
    return contents, parsed


def stamps_of(folder: Path) -> tuple[Stamp, ...]:
    """Return what tells that something in a trust folder changed; costs one look at each file's entry."""
    found: list[Stamp] = []
    for name in FOLDERS:
        try:
            with os.scandir(folder / name) as entries:
                for entry in entries:
                    if _is_wanted(entry.name):
                        state = entry.stat()
                        found.append((f"{name}/{entry.name}", state.st_ino, state.st_mtime_ns, state.st_size))
        except FileNotFoundError:
            continue
    return tuple(sorted(found))


def certificates_in(data: bytes) -> list[x509.Certificate]:
    """Return the certificates in the bytes of a file: PEM, DER, or a PKCS #7 bundle (.p7b) of either form.

    Raises:
        ValueError: there are none, or they are malformed.
    """
    if b"-----BEGIN PKCS7-----" in data:
        return pkcs7.load_pem_pkcs7_certificates(data)
    if b"-----BEGIN " in data:
        return x509.load_pem_x509_certificates(data)
    try:
        return [x509.load_der_x509_certificate(data)]
    except ValueError:
        return pkcs7.load_der_pkcs7_certificates(data)


def crls_in(data: bytes) -> list[x509.CertificateRevocationList]:
    """Return the revocation lists in the bytes of a file, PEM or DER.

    Raises:
        ValueError: there are none, or they are malformed.
    """
    if b"-----BEGIN X509 CRL-----" not in data:
        return [x509.load_der_x509_crl(data)]
    parts = data.split(PEM_CRL_END)[:-1]
    return [x509.load_pem_x509_crl(part + PEM_CRL_END + b"\n") for part in parts]


def answer_in(data: bytes) -> ocsp.OCSPResponse:
    """Return the OCSP answer in the bytes of a file, PEM or DER.

    Raises:
        ValueError: there is none, or it is malformed.
    """
    if b"-----BEGIN OCSP RESPONSE-----" in data:
        _, _, rest = data.partition(b"-----BEGIN OCSP RESPONSE-----")
        body, _, _ = rest.partition(b"-----END OCSP RESPONSE-----")
        data = base64.b64decode(b"".join(body.split()), validate=True)
    return ocsp.load_der_ocsp_response(data)


def _is_wanted(name: str) -> bool:
    """Tell whether a file is part of the folder: hidden ones are downloads not yet finished."""
    return not name.startswith(".")


def _read(path: Path, parse: Callable[[bytes], list[T]]) -> list[T]:
    if path.stat().st_size > LARGEST_FILE:
        raise ValueError("larger than 64 MB")
    return parse(path.read_bytes())
