"""A report as a PDF: A4, landscape, its font inside, so that Vietnamese is the same everywhere."""

from __future__ import annotations

import logging
from importlib import resources
from typing import TYPE_CHECKING

from lienthong.document.zone import VIETNAM
from lienthong.errors import MisconfiguredError
from lienthong.reporting.charts import TEXT, drawing_of
from lienthong.reporting.files import MISSING
from lienthong.reporting.model import Kind, cell_text, number_text
from lienthong.reporting.page import MADE, OTHERS, PERIOD, TOTAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fpdf import FPDF
    from fpdf.table import Row

    from lienthong.reporting.charts import Drawing
    from lienthong.reporting.model import Cell, Column, Language, Report, Table

__all__ = ["as_pdf"]

FONT = "BeVietnamPro"
FACES = {"": "BeVietnamPro-Regular.ttf", "B": "BeVietnamPro-Bold.ttf"}
POINT = 25.4 / 72
SMALL, BODY, HEADING, TITLE = 7.5, 9.0, 12.0, 17.0
GREY, PALE = (91, 103, 112), (242, 245, 248)
PER_LINE = 5
"""Figures beside one another."""


def as_pdf(report: Report, language: Language) -> bytes:
    """Return a report as a PDF; the same report gives the same bytes.

    Raises:
        MisconfiguredError: the extra ``reports`` is not installed.
    """
    paper = _paper(report, language)
    paper.set_font(FONT, "B", TITLE)
    paper.multi_cell(0, 8, report.title.shown(language), align="L", new_x="LMARGIN", new_y="NEXT")
    paper.set_font(FONT, "", BODY)
    paper.set_text_color(*GREY)
    made = report.made_at.astimezone(VIETNAM)
    paper.cell(
        0,
        6,
        f"{PERIOD.shown(language)}: {report.period.first} … {report.period.last}   ·   "
        f"{MADE.shown(language)}: {made:%Y-%m-%d %H:%M} (UTC+7)",
        new_x="LMARGIN",
        new_y="NEXT",
    )
    _figures(paper, report, language)
    drawn = [(table, drawing_of(table, language)) for table in report.tables]
    # Pictures first, and those that leave room on the first page before the tall ones.
    for table, drawing in sorted(drawn, key=lambda pair: (pair[0].bars is None, pair[1].height if pair[1] else 0.0)):
        _table(paper, table, drawing, language)
    return bytes(paper.output())


def _paper(report: Report, language: Language) -> FPDF:
    try:
        # Only here: an extra, and importing it takes a third of a second.
        from fpdf import FPDF  # noqa: PLC0415 - see above

        folder = resources.files("fontpkg_be_vietnam_pro") / "files"
    except ModuleNotFoundError as error:
        raise MisconfiguredError(MISSING) from error
    # It tells about every table it leaves out of a subset.
    logging.getLogger("fontTools").setLevel(logging.WARNING)

    class Paper(FPDF):
        def footer(self) -> None:
            self.set_y(-11)
            self.set_font(FONT, "", SMALL)
            self.set_text_color(*GREY)
            self.cell(0, 5, f"Liên Thông · {report.title.shown(language)}")
            self.set_x(self.l_margin)
            self.cell(0, 5, f"{self.page_no()} / {{nb}}", align="R")

    paper = Paper(orientation="landscape", format="A4")
    paper.set_creation_date(report.made_at)
    paper.set_title(report.title.shown(language))
    paper.set_lang("en" if language == "en" else "vi")
    paper.set_margins(left=12, top=12, right=12)
    paper.set_auto_page_break(auto=True, margin=14)
    for style, name in FACES.items():
        with resources.as_file(folder / name) as path:
            paper.add_font(FONT, style, path)
    paper.add_page()
    return paper


def _figures(paper: FPDF, report: Report, language: Language) -> None:
    paper.ln(3)
    width = paper.epw / PER_LINE
    top = paper.get_y()
    for place, (name, figure) in enumerate(report.figures.items()):
        x, y = paper.l_margin + place % PER_LINE * width, top + place // PER_LINE * 17
        paper.set_draw_color(*GREY)
        paper.rect(x, y, width - 3, 15)
        paper.set_text_color(0)
        paper.set_xy(x + 1.5, y + 1)
        paper.set_font(FONT, "B", 13)
        paper.cell(width - 6, 6, number_text(figure))
        paper.set_xy(x + 1.5, y + 7)
        paper.set_font(FONT, "", 6.5)
        paper.multi_cell(width - 6, 3.4, report.figure_words[name].shown(language, "\n"), align="L")
    lines = -(-len(report.figures) // PER_LINE)
    paper.set_xy(paper.l_margin, top + lines * 17)
    paper.set_text_color(0)


def _table(paper: FPDF, table: Table, drawing: Drawing | None, language: Language) -> None:
    # A heading stays with what it is the heading of.
    if paper.will_page_break(45 + (drawing.height * POINT if drawing else 0)):
        paper.add_page()
    paper.ln(4)
    paper.set_font(FONT, "B", HEADING)
    paper.set_text_color(0)
    paper.cell(0, 7, table.title.shown(language), new_x="LMARGIN", new_y="NEXT")
    if drawing:
        _draw(paper, drawing)
    if table.note:
        paper.set_font(FONT, "", SMALL)
        paper.set_text_color(*GREY)
        paper.multi_cell(0, 4, table.note.shown(language, "\n"), align="L", new_x="LMARGIN", new_y="NEXT")
        paper.ln(1)
    _rows(paper, table, language)


def _rows(paper: FPDF, table: Table, language: Language) -> None:
    from fpdf.fonts import FontFace  # noqa: PLC0415 - see _paper

    rows, rest, left_out = table.shown()
    paper.set_font(FONT, "", SMALL)
    paper.set_text_color(0)
    paper.set_draw_color(200)
    paper.set_fill_color(255)
    columns = table.columns
    share = sum(column.width for column in columns)
    with paper.table(
        borders_layout="HORIZONTAL_LINES",
        col_widths=tuple(column.width for column in columns),
        # A table of two short columns is not spread over the whole page.
        width=min(paper.epw, max(share * 2.6, 90)),
        align="L",
        text_align=tuple("R" if _is_number(column) else "L" for column in columns),
        line_height=3.7,
        padding=(0.7, 1),
        headings_style=FontFace(emphasis="BOLD", fill_color=PALE),
    ) as written:
        heads = written.row()
        for column in columns:
            heads.cell(column.title.shown(language, "\n"))
        for row in rows:
            line = written.row()
            for column, cell in zip(columns, row, strict=True):
                line.cell(cell_text(column, cell, language))
        if rest is not None:
            _sums(written.row(style=FontFace(emphasis="BOLD")), columns, rest, language, _others(left_out, language))
        if table.totals is not None:
            _sums(written.row(style=FontFace(emphasis="BOLD")), columns, table.totals, language, TOTAL.shown(language))


def _others(number: int, language: Language) -> str:
    return f"{OTHERS.shown(language)} ({number_text(number)})"


def _sums(line: Row, columns: Sequence[Column], cells: Sequence[Cell], language: Language, name: str) -> None:
    texts = [cell_text(column, cell, language) for column, cell in zip(columns, cells, strict=True)]
    # The name reaches over the columns that have no sum.
    free = next((place for place, text in enumerate(texts) if text), len(texts))
    line.cell(name, colspan=free, align="L")
    for text in texts[free:]:
        line.cell(text)


def _draw(paper: FPDF, drawing: Drawing) -> None:
    left, top = paper.l_margin, paper.get_y() + 1
    for box in drawing.boxes:
        paper.set_fill_color(box.colour)
        if box.width and box.height:
            paper.rect(left + box.x * POINT, top + box.y * POINT, box.width * POINT, box.height * POINT, style="F")
    paper.set_font(FONT, "", TEXT * 0.85)
    paper.set_text_color(0)
    for label in drawing.labels:
        width = paper.get_string_width(label.text)
        shift = {"start": 0.0, "middle": width / 2, "end": width}[label.anchor]
        paper.text(left + label.x * POINT - shift, top + label.y * POINT, label.text)
    paper.set_y(top + drawing.height * POINT + 2)


def _is_number(column: Column) -> bool:
    return column.kind in (Kind.NUMBER, Kind.BYTES, Kind.SHARE)
