"""The national SDK's zip wrapping."""

from __future__ import annotations

import zipfile
from io import BytesIO
from uuid import uuid4

import pytest

from lienthong.edxml.packing import DamagedWrappingError, TooLargeError, Unwrapped, foreign_entry, unwrap

UUID = "0b5f7a9e-5a52-4a0e-9d0a-0a4a7d0c7d11"
BUDGET = 1_000_000


def zipped(*entries: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip of these entries."""
    target = BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in entries:
            archive.writestr(name, content, method)
    return target.getvalue()


@pytest.mark.parametrize(
    ("name", "entry", "suffix"),
    [
        ("a.txt", f"{UUID}.txt", "txt"),
        ("A.PDF", f"{UUID}.pdf", "pdf"),
        ("a.pdf", f"{UUID.upper()}.PDF", "pdf"),
        ("a", f"{UUID}.unk", "unk"),
        ("a.xyz", f"{UUID}.unk", "unk"),
        ("a", f"{UUID}.txt", "txt"),
    ],
)
@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_the_wrapping_of_the_national_sdk_is_taken_off(name: str, entry: str, suffix: str, method: int) -> None:
    """One entry named UUID.extension, with the attachment's own extension, is the SDK's wrapping."""
    assert unwrap(name, zipped((entry, b"content"), method=method), BUDGET) == (b"content", suffix)


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("a.doc", zipped((f"{UUID}.edxml", b"x"))),
        ("a.zip", zipped(("mau.txt", b"x"))),
        ("a.docx", zipped(("word/document.xml", b"x"))),
        ("a.txt", zipped((f"{UUID}.txt", b"x"), (f"{uuid4()}.txt", b"y"))),
        ("a.txt", zipped((f"../{UUID}.txt", b"x"))),
        ("a.txt", zipped((f"folder/{UUID}.txt", b"x"))),
        ("a.txt", zipped((f"{UUID}.txt", b"x"), method=zipfile.ZIP_BZIP2)),
        ("a.txt", zipped()),
        ("a.txt", b"PK\x03\x04 but no zip" + bytes(40)),
        ("a.txt", b""),
    ],
)
def test_other_zip_files_are_left_alone(name: str, packed: bytes) -> None:
    """Real zip and Office files, several entries, folders and other extensions are the sender's own files."""
    assert unwrap(name, packed, BUDGET) is None


def test_a_wrapping_for_another_extension_is_named() -> None:
    """It is left as it is, but the sender can be told what is in it."""
    assert foreign_entry("a.doc", zipped((f"{UUID}.edxml", b"x"))) == f"{UUID}.edxml"
    assert foreign_entry("a.doc", zipped(("mau.txt", b"x"))) is None
    assert foreign_entry("a.doc", b"plain") is None


def test_a_zip_bomb_stops_at_the_budget() -> None:
    """Nobody can make us unpack more than we said we would."""
    bomb = zipped((f"{UUID}.txt", bytes(BUDGET + 1)))
    assert len(bomb) < BUDGET // 100
    with pytest.raises(TooLargeError):
        unwrap("a.txt", bomb, BUDGET)


def test_an_entry_that_lies_about_its_size_is_damaged() -> None:
    """More bytes than the directory announces are not read, and the check sum tells."""
    packed = bytearray(zipped((f"{UUID}.txt", bytes(5000))))
    directory = packed.rindex(b"PK\x01\x02")
    packed[directory + 24 : directory + 28] = (10).to_bytes(4, "little")
    with pytest.raises(DamagedWrappingError):
        unwrap("a.txt", bytes(packed), BUDGET)


def test_a_flipped_bit_in_the_wrapping_is_damage() -> None:
    """The zip's own check sum is the only one the format has for such a file."""
    packed = bytearray(zipped((f"{UUID}.txt", b"content of the file"), method=zipfile.ZIP_STORED))
    packed[packed.index(b"content")] ^= 1
    with pytest.raises(DamagedWrappingError):
        unwrap("a.txt", bytes(packed), BUDGET)


def test_a_directory_of_a_million_entries_is_not_even_listed() -> None:
    """The end record's count and size are checked before the directory is read."""
    packed = bytearray(zipped((f"{UUID}.txt", b"x")))
    packed[-10:-6] = (2_000_000_000).to_bytes(4, "little")
    assert unwrap("a.txt", bytes(packed), BUDGET) is None


def test_broken_zip_files_are_left_alone_or_refused_never_more() -> None:
    """Any bytes in any place of a wrapping: unwrapped, left alone, damaged or too large, and nothing else."""
    whole = zipped((f"{UUID}.txt", b"content of the file" * 3))
    outcomes: set[type] = set()
    for place in range(len(whole)):
        for value in (0, 1, 0x20, 0x41, 0x7F, 0xFF):
            changed = bytearray(whole)
            changed[place] = value
            try:
                outcomes.add(type(unwrap("a.txt", bytes(changed), BUDGET)))
            except (DamagedWrappingError, TooLargeError) as error:
                outcomes.add(type(error))
    assert outcomes == {Unwrapped, type(None), DamagedWrappingError, TooLargeError}
