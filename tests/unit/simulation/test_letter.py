"""The robots' PDFs."""

from __future__ import annotations

from datetime import date
from importlib import resources

import pytest
from fontTools.ttLib import TTFont

from lienthong.simulation import subjects
from lienthong.simulation.letter import FACES, Letter, render
from lienthong.simulation.units import units_2019

LETTER = Letter(
    issuer="UBND tỉnh Tây Ninh",
    number="1234/BC-UBND",
    place="Tây Ninh",
    issued_on=date(2019, 1, 15),
    kind="Báo cáo",
    subject="Báo cáo kết quả rà soát thủ tục hành chính",
    paragraphs=["Thực hiện Quyết định số 28/2018/QĐ-TTg."] * 3,
    addressees=["Văn phòng Chính phủ"],
    competence="TM.",
    position="Chủ tịch",
    signer="Nguyễn Thị Ngọc Ánh",
)


def test_a_letter_is_a_pdf_and_always_the_same() -> None:
    """The same letter has the same bytes, so a run can be repeated and a document sent twice is one document."""
    first = render(LETTER)
    assert first.startswith(b"%PDF-")
    assert first.rstrip().endswith(b"%%EOF")
    assert render(LETTER) == first
    assert len(first) < 60_000


@pytest.mark.parametrize("face", sorted(FACES.values()))
def test_the_font_has_every_letter_that_is_written(face: str) -> None:
    """No Vietnamese letter shows as an empty box."""
    written = {sign for unit in units_2019() for sign in unit.name + unit.name.upper()}
    for texts in (subjects.THEMES, subjects.PARAGRAPHS, subjects.FAMILY_NAMES, subjects.GIVEN_NAMES):
        written |= set("".join(texts))
    for kind in subjects.KINDS:
        written |= set(kind.name.upper() + kind.notation + kind.opening)
    with resources.as_file(resources.files("fontpkg_be_vietnam_pro") / "files" / face) as path, TTFont(path) as font:
        known = font.getBestCmap()
    assert {sign for sign in written if ord(sign) not in known} == set()


def test_officers_write_from_a_domain_nobody_has() -> None:
    """Mail addresses of robots lie under the reserved domain, in plain letters."""
    assert subjects.officer_mail("Đỗ Thị Mỹ Lệ", "H53") == "do.thi.my.le@h53.example"
