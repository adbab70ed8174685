"""A small official letter as a real PDF, laid out as Decree 30/2020/NĐ-CP, Annex I has it (signatures apart)."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, time
from importlib import resources
from typing import TYPE_CHECKING

from lienthong.document.zone import VIETNAM

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from fpdf import FPDF

__all__ = ["Letter", "render"]

# fontTools tells about every table it leaves out of a subset.
logging.getLogger("fontTools").setLevel(logging.WARNING)

FONT = "BeVietnamPro"
FACES = {"": "BeVietnamPro-Regular.ttf", "B": "BeVietnamPro-Bold.ttf"}
COLUMN = 80
"""Width of the head's left column in millimetres."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What the page says."""

    issuer: str
    number: str
    place: str
    issued_on: date
    kind: str
    subject: str
    paragraphs: Sequence[str]
    addressees: Sequence[str]
    competence: str
    position: str
    signer: str


def render(letter: Letter) -> bytes:
    """Return the letter as a PDF; the same letter gives the same bytes."""
    # Only here, because importing it takes a third of a second, and an exchange in production does not have it.
    from fpdf import FPDF  # noqa: PLC0415 - see above

    page = FPDF(format="A4")
    page.set_creation_date(datetime.combine(letter.issued_on, time(8), VIETNAM))
    page.set_title(letter.subject)
    page.set_author(letter.issuer)
    page.set_margins(left=25, top=20, right=18)
    page.set_auto_page_break(auto=True, margin=20)
    folder = resources.files("fontpkg_be_vietnam_pro") / "files"
    for style, name in FACES.items():
        with resources.as_file(folder / name) as path:
            page.add_font(FONT, style, path)
    page.add_page()
    _head(page, letter)
    _title(page, letter)
    page.set_font(FONT, "", 11)
    for paragraph in letter.paragraphs:
        page.multi_cell(0, 6.5, paragraph, align="J", new_x="LMARGIN", new_y="NEXT")
        page.ln(2)
    _foot(page, letter)
    return bytes(page.output())


def _head(page: FPDF, letter: Letter) -> None:
    top = page.get_y()
    page.set_font(FONT, "B", 10)
    page.multi_cell(COLUMN - 8, 5, letter.issuer.upper(), align="C", new_x="LMARGIN", new_y="NEXT")
    page.set_font(FONT, "", 10)
    page.cell(COLUMN - 8, 6, f"Số: {letter.number}", align="C")
    left_bottom = page.get_y() + 6
    page.set_xy(page.l_margin + COLUMN, top)
    page.set_font(FONT, "B", 10)
    page.cell(0, 5, "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", align="C", new_x="LMARGIN", new_y="NEXT")
    page.set_x(page.l_margin + COLUMN)
    page.cell(0, 5, "Độc lập - Tự do - Hạnh phúc", align="C", new_x="LMARGIN", new_y="NEXT")
    page.set_x(page.l_margin + COLUMN)
    page.set_font(FONT, "", 10)
    day = letter.issued_on
    page.cell(0, 8, f"{letter.place}, ngày {day:%d} tháng {day:%m} năm {day:%Y}", align="C")
    page.set_y(max(left_bottom, page.get_y() + 8) + 6)


def _title(page: FPDF, letter: Letter) -> None:
    page.set_font(FONT, "B", 13)
    page.cell(0, 8, letter.kind.upper(), align="C", new_x="LMARGIN", new_y="NEXT")
    page.set_font(FONT, "B", 11)
    page.multi_cell(0, 6, letter.subject, align="C", new_x="LMARGIN", new_y="NEXT")
    page.ln(4)


def _foot(page: FPDF, letter: Letter) -> None:
    page.ln(6)
    top = page.get_y()
    page.set_font(FONT, "B", 9)
    page.cell(COLUMN, 5, "Nơi nhận:", new_x="LMARGIN", new_y="NEXT")
    page.set_font(FONT, "", 9)
    for addressee in letter.addressees:
        page.multi_cell(COLUMN, 4.5, f"- {addressee};", new_x="LMARGIN", new_y="NEXT")
    page.multi_cell(COLUMN, 4.5, "- Lưu: VT.", new_x="LMARGIN", new_y="NEXT")
    page.set_xy(page.l_margin + COLUMN, top)
    page.set_font(FONT, "B", 11)
    title = f"{letter.competence} {letter.position}".strip().upper()
    page.multi_cell(0, 6, title, align="C", new_x="LMARGIN", new_y="NEXT")
    page.set_xy(page.l_margin + COLUMN, page.get_y() + 18)
    page.multi_cell(0, 6, letter.signer, align="C")
