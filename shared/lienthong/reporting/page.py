"""A report as one HTML page that needs nothing from anywhere: no script, no font, no server."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from lienthong.document.zone import VIETNAM
from lienthong.reporting.charts import as_svg, drawing_of
from lienthong.reporting.model import Kind, Words, cell_text, number_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lienthong.reporting.model import Cell, Column, Language, Report, Table

__all__ = ["MADE", "OTHERS", "PERIOD", "TOTAL", "as_html"]

PERIOD = Words("Kỳ", "Period")
MADE = Words("Lập lúc", "Made at")
TOTAL = Words("Tổng", "Total")
OTHERS = Words("Còn lại", "Others")
WIDTH, NARROWEST = 0.66, 30
"""Of a column, for each unit of its width, and of a table; in the size of the page's letters."""
STYLE = """
body{font:15px/1.45 system-ui,"Segoe UI","Noto Sans",Arial,sans-serif;color:#1f2933;margin:2rem auto;max-width:78rem;
padding:0 1.2rem}
h1{font-size:1.7rem;margin:0 0 .2rem} h2{font-size:1.15rem;margin:2.2rem 0 .6rem} .en{color:#5b6770;font-weight:400}
.figures{display:flex;flex-wrap:wrap;gap:.6rem;margin:1.2rem 0}
.figure{border:1px solid #d5dbe1;border-radius:.4rem;padding:.5rem .8rem;min-width:8.5rem;max-width:13rem}
.figure b{display:block;font-size:1.6rem}
table{border-collapse:collapse;table-layout:fixed;max-width:100%;font-size:.86rem}
th,td{border-bottom:1px solid #e3e8ec;padding:.3rem .5rem;text-align:left;vertical-align:top}
th{background:#f2f5f8} td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
td{overflow-wrap:break-word} th .en{display:block}
tr.sum td{font-weight:600;border-top:2px solid #7a8591} .note{color:#5b6770;font-size:.85rem}
svg{width:100%;max-width:54rem;height:auto;margin:.2rem 0 .8rem} .wide{overflow-x:auto}
td.id{font-family:ui-monospace,monospace;font-size:.78rem;overflow-wrap:anywhere} td.at{white-space:nowrap}
@media print{body{font-size:11px;margin:0;max-width:none} h2{break-after:avoid} tr,svg{break-inside:avoid} thead{
display:table-header-group} @page{size:A4 landscape;margin:12mm}}
"""


def as_html(report: Report, language: Language) -> str:
    """Return a report as a page; grades lead to their evidence on it."""
    title = report.title.shown(language)
    figures = "".join(
        f'<div class="figure"><b>{number_text(figure)}</b>{_both(report.figure_words[name], language)}</div>'
        for name, figure in report.figures.items()
    )
    drawn = sorted(report.tables, key=lambda table: table.bars is None)
    tables = "".join(_table(table, language, report) for table in drawn)
    made = report.made_at.astimezone(VIETNAM)
    return (
        f'<!DOCTYPE html>\n<html lang="{"en" if language == "en" else "vi"}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title><style>{STYLE}</style>'
        f"</head><body><h1>{_both(report.title, language)}</h1>"
        f"<p>{_both(PERIOD, language)}: <b>{report.period.first} … {report.period.last}</b> · "
        f"{_both(MADE, language)}: {made:%Y-%m-%d %H:%M} (UTC+7)</p>"
        f'<div class="figures">{figures}</div>{tables}</body></html>\n'
    )


def _both(words: Words, language: Language) -> str:
    if language != "both" or words.vi == words.en:
        return escape(words.shown(language))
    return f'{escape(words.vi)} <span class="en" lang="en">{escape(words.en)}</span>'


def _table(table: Table, language: Language, report: Report) -> str:
    drawing = drawing_of(table, language)
    picture = as_svg(drawing, table.title.shown(language)) if drawing else ""
    rows, rest, left_out = table.shown()
    proven = _proven(report) if table.key == "units" else set()
    heads = "".join(f'<th class="{_class(column)}">{_both(column.title, language)}</th>' for column in table.columns)
    anchored: set[str] = set()
    body = "".join(_row(table, row, language, proven, anchored) for row in rows)
    if rest is not None:
        body += _sums(table.columns, rest, f"{OTHERS.shown(language)} ({number_text(left_out)})", language)
    if table.totals is not None:
        body += _sums(table.columns, table.totals, TOTAL.shown(language), language)
    share = sum(column.width for column in table.columns)
    widths = "".join(f'<col style="width:{column.width / share:.1%}">' for column in table.columns)
    width = round(max(share * WIDTH, NARROWEST))
    note = f'<p class="note">{_both(table.note, language)}</p>' if table.note else ""
    return (
        f'<section id="{table.key}"><h2>{_both(table.title, language)}</h2>{picture}{note}<div class="wide">'
        f'<table style="width:{width}rem"><colgroup>{widths}</colgroup><thead><tr>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div></section>"
    )


def _row(table: Table, row: Sequence[Cell], language: Language, proven: set[str], anchored: set[str]) -> str:
    cells = []
    for column, cell in zip(table.columns, row, strict=True):
        text = escape(cell_text(column, cell, language))
        if column.key == "code" and isinstance(cell, str) and cell in proven:
            text = f'<a href="#of-{escape(cell)}">{text}</a>'
        cells.append(f'<td class="{_class(column)}">{text}</td>')
    of = row[0] if table.key == "evidence" and isinstance(row[0], str) else ""
    anchor = f' id="of-{escape(of)}"' if of and of not in anchored else ""
    anchored.add(of)
    return f"<tr{anchor}>{''.join(cells)}</tr>"


def _sums(columns: Sequence[Column], cells: Sequence[Cell], name: str, language: Language) -> str:
    texts = [escape(cell_text(column, cell, language)) for column, cell in zip(columns, cells, strict=True)]
    # The name reaches over the columns that have no sum.
    free = next((place for place, text in enumerate(texts) if text), len(texts))
    sums = zip(columns[free:], texts[free:], strict=True)
    return (
        f'<tr class="sum"><td colspan="{free}">{escape(name)}</td>'
        + "".join(f'<td class="{_class(column)}">{text}</td>' for column, text in sums)
        + "</tr>"
    )


def _proven(report: Report) -> set[str]:
    return {str(row[0]) for table in report.tables if table.key == "evidence" for row in table.rows}


def _class(column: Column) -> str:
    if column.kind in (Kind.NUMBER, Kind.BYTES, Kind.SHARE):
        return "n"
    if column.kind is Kind.MOMENT:
        return "at"
    return "id" if column.key in ("document", "document_id") else ""
