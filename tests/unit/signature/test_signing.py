"""Signing messages, and reading back what was signed."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from lienthong.edxml import Attachment, Document, Organization, ResponseFor, Status, decode, encode
from lienthong.errors import MisconfiguredError, Refusal
from lienthong.signature import FileSigner, examine_message, sign_message
from lienthong.testing.message_forge import Kind, certificate, signer

if TYPE_CHECKING:
    from pathlib import Path

NOON = dt.datetime(2026, 11, 10, 12, 0, 0, 1, tzinfo=dt.timezone(dt.timedelta(hours=7)))
KINDS: tuple[Kind, ...] = ("rsa", "pss", "p256", "p384")
DOCUMENT = Document(
    Organization("000.00.01.G01", "Bộ <Thử> & nghiệm"),
    (Organization("000.00.02.H02"), Organization("H03")),
    "d-1",
    subject="V/v\nthử",
    attachments=(Attachment("a.pdf", b"%PDF-1.7 " + bytes(300_000)), Attachment("b.txt", "đầu".encode())),
)
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=40)
DOCUMENTS = st.builds(
    Document,
    sender=st.builds(Organization, st.just("000.00.01.G01"), organ_name=TEXTS),
    addressees=st.just((Organization("H02"),)),
    document_id=st.text("abc-/. đ", min_size=1).map(str.strip).filter(bool),
    subject=TEXTS,
    content=TEXTS,
    attachments=st.lists(
        st.builds(Attachment, name=st.text("abcđ ", min_size=1).map(lambda name: f"x{name}.txt"), content=st.binary()),
        max_size=3,
        unique_by=lambda attachment: attachment.content_id,
    ).map(tuple),
)


@settings(max_examples=60, deadline=None)
@given(DOCUMENTS, st.sampled_from(KINDS))
def test_whatever_can_be_encoded_can_be_signed_and_examined(document: Document, kind: Kind) -> None:
    """Signing alters nothing that a reader reads, and what is read is what was signed."""
    message = encode(document)
    signed = sign_message(message, signer(kind), signing_time=NOON)
    found = examine_message(signed)
    assert found.state == "intact", found.reason.en
    assert found.layout == "manifest"
    assert found.claimed_at == NOON.replace(microsecond=0)
    read = decode(signed)
    assert read == decode(message)
    assert found.header is not None
    assert found.header.differences(read) == ()
    assert isinstance(read, Document)
    sums = [part.sha256.hex() for part in found.parts if part.kind == "attachment"]
    assert sums == [attachment.sha256 for attachment in read.attachments]


SIGNED = sign_message(encode(DOCUMENT), signer(), signing_time=NOON)
SIGNED_FROM = SIGNED.index(b"<edXML:MessageHeader")


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_no_change_of_a_signed_message_examines_as_intact_with_other_values(data: st.DataObject) -> None:
    """Whatever is done to the bytes, an intact signature means the values that were signed (profile 1)."""
    original = examine_message(SIGNED)
    # Most bytes are base64 of zeros; look where the markup is as often as there.
    spots = st.one_of(
        st.integers(SIGNED_FROM, SIGNED_FROM + 9000), st.integers(0, len(SIGNED)), st.just(len(SIGNED) - 400)
    )
    at = data.draw(spots)
    taken = data.draw(st.integers(0, 40))
    put = data.draw(st.one_of(st.binary(max_size=8), st.sampled_from([b"<!---->", b"&#10;", b"\n", b"X99", b"<a/>"])))
    found = examine_message(SIGNED[:at] + put + SIGNED[at + taken :])
    if found.state == "intact":
        assert found.header == original.header
        assert found.parts == original.parts
        assert found.agency == original.agency


def test_a_status_is_signed_by_its_header() -> None:
    """A status has no manifest, and is signed all the same."""
    status = Status(Organization("H02"), ResponseFor("000.00.01.G01", "d-1"), "03")
    signed = sign_message(encode(status), signer(), signing_time=NOON)
    found = examine_message(signed)
    assert [part.kind for part in found.parts] == ["header"]
    assert decode(signed) == status


def test_the_bytes_of_the_message_stay_as_they_are() -> None:
    """Signing only puts something between the bytes: nothing is written anew, so nothing can be lost."""
    message = encode(DOCUMENT)
    left = iter(SIGNED)
    assert all(byte in left for byte in message)


def test_the_same_message_is_signed_once() -> None:
    """A second signature would make it unclear which one counts."""
    with pytest.raises(Refusal, match="already"):
        sign_message(SIGNED, signer(), signing_time=NOON)


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("<edXML:To>", "<!-- --><edXML:To>", "comment"),
        ("<edXML:DocumentId>", "<edXML:DocumentId>x</edXML:DocumentId><edXML:DocumentId>", "twice"),
        ("</edXML:ContentTransferEncoded>", "!</edXML:ContentTransferEncoded>", "base64"),
        ("<AttachmentName>a.pdf", "<AttachmentName>b.pdf", "AttachmentName"),
        ("<AttachmentEncoded>", "<Old/><AttachmentEncoded>", "foreign"),
        ("<edXML:MessageHeader>", "<edXML:MessageHeader Id='a&quot;b'>", "Id"),
    ],
)
def test_what_no_verifier_would_accept_is_not_signed(before: str, after: str, why: str) -> None:
    """A signer examines its own work, so a sender learns of a fault before anybody else does."""
    message = encode(DOCUMENT).decode()
    assert before in message
    with pytest.raises(Refusal, match=why):
        sign_message(message.replace(before, after, 1).encode(), signer(), signing_time=NOON)


def test_a_moment_without_a_zone_is_no_signing_time() -> None:
    """SigningTime says when, everywhere in the world."""
    with pytest.raises(ValueError, match="zone"):
        sign_message(encode(DOCUMENT), signer(), signing_time=NOON.replace(tzinfo=None))


def test_a_time_stamp_is_asked_for_over_the_signature_value() -> None:
    """What a time-stamp authority stamps is what a reader will compare (EN 319 132-1, 5.3)."""
    asked: list[bytes] = []

    def authority(data: bytes) -> bytes:
        asked.append(data)
        return b"token"

    found = examine_message(sign_message(encode(DOCUMENT), signer(), signing_time=NOON, time_stamp=authority))
    assert [(each.token, each.imprint_of) for each in found.time_stamps] == [(b"token", asked[0])]


@pytest.mark.parametrize("password", [None, b"secret"])
def test_a_key_is_read_from_files(tmp_path: Path, password: bytes | None) -> None:
    """A sender's key is a PEM file, with a password or without."""
    key = ec.generate_private_key(ec.SECP256R1())
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    (tmp_path / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    (tmp_path / "cert.pem").write_bytes(certificate(key).public_bytes(Encoding.PEM))
    loaded = FileSigner.load(tmp_path / "key.pem", tmp_path / "cert.pem", password=password)
    assert examine_message(sign_message(encode(DOCUMENT), loaded, signing_time=NOON)).state == "intact"
    with pytest.raises(MisconfiguredError):
        FileSigner.load(tmp_path / "key.pem", tmp_path / "cert.pem", password=None if password else b"x")


def test_a_signer_that_nobody_would_accept_cannot_be_made(tmp_path: Path) -> None:
    """Wrong keys are found when a service starts, not when its documents are refused."""
    key = ec.generate_private_key(ec.SECP256R1())
    other = certificate(ec.generate_private_key(ec.SECP256R1()))
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505 - that is what is refused
    with pytest.raises(MisconfiguredError, match="not that of the private key"):
        FileSigner(key, (other,))
    with pytest.raises(MisconfiguredError, match="2048"):
        FileSigner(weak, (certificate(weak),))
    with pytest.raises(MisconfiguredError, match="needs its certificate"):
        FileSigner(key, ())
    with pytest.raises(MisconfiguredError, match="at most four more"):
        FileSigner(key, (certificate(key),) * 6)
    edwards = ed25519.Ed25519PrivateKey.generate()
    (tmp_path / "key.pem").write_bytes(edwards.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "cert.pem").write_bytes(other.public_bytes(Encoding.PEM))
    with pytest.raises(MisconfiguredError, match="neither RSA nor ECDSA"):
        FileSigner.load(tmp_path / "key.pem", tmp_path / "cert.pem")
    with pytest.raises(MisconfiguredError, match="cannot read"):
        FileSigner.load(tmp_path / "none.pem", tmp_path / "cert.pem")
