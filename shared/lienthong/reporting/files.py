"""A report for programs and spreadsheets: JSON, CSV, XLSX."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from lienthong.document.zone import VIETNAM
from lienthong.errors import MisconfiguredError
from lienthong.reporting.model import Kind, printable

if TYPE_CHECKING:
    from lienthong.reporting.model import Cell, Column, Language, Report, Table

__all__ = ["MISSING", "as_csv", "as_json", "as_xlsx"]

MISSING = "hãy cài / install lienthong[reports]"
_FORMULA = ("=", "+", "-", "@")
WIDEST = 60
FORMATS = {
    Kind.NUMBER: "#,##0",
    Kind.BYTES: "#,##0",
    Kind.SHARE: "0%",
    Kind.MOMENT: "yyyy-mm-dd hh:mm",
    Kind.TEXT: "General",
}


def as_json(report: Report) -> str:
    """Return a report as JSON: codes and numbers as they are, moments in ISO 8601 with Vietnam's offset."""
    written = {
        "schema_version": 1,
        "report": report.key,
        "from": report.period.first.isoformat(),
        "to": report.period.last.isoformat(),
        "made_at": report.made_at.astimezone(VIETNAM).isoformat(),
        "figures": dict(report.figures),
        "tables": {table.key: table.records() for table in report.tables},
    }
    return json.dumps(written, ensure_ascii=False, indent=2, default=_json_cell)


def as_csv(table: Table) -> str:
    """Return one table as CSV (RFC 4180) with a byte order mark, by which spreadsheets know UTF-8.

    Columns and values are those of the JSON. A text that a spreadsheet would run as a formula has an apostrophe before
    it, for strangers wrote it.
    """
    text = io.StringIO()
    text.write("\ufeff")
    writer = csv.writer(text)
    writer.writerow([column.key for column in table.columns])
    writer.writerows([[_csv_cell(cell) for cell in row] for row in table.rows])
    return text.getvalue()


def as_xlsx(report: Report, language: Language) -> bytes:
    """Return a report as a workbook: a sheet with the figures, and one for each table.

    Raises:
        MisconfiguredError: the extra ``reports`` is not installed.
    """
    try:
        import xlsxwriter  # noqa: PLC0415 - an extra, needed by nobody without reports
    except ModuleNotFoundError as error:
        raise MisconfiguredError(MISSING) from error
    data = io.BytesIO()
    with xlsxwriter.Workbook(data, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}) as book:
        book.set_properties({"title": report.title.shown(language), "created": report.made_at.replace(tzinfo=None)})
        bold = book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
        formats = {kind: book.add_format({"num_format": form}) for kind, form in FORMATS.items()}
        sums = {kind: book.add_format({"num_format": form, "bold": True}) for kind, form in FORMATS.items()}
        sheet = book.add_worksheet("figures")
        sheet.set_column(0, 0, WIDEST)
        sheet.write_string(0, 0, report.title.shown(language), bold)
        sheet.write_string(1, 0, f"{report.period.first} … {report.period.last}")
        for place, (name, figure) in enumerate(report.figures.items(), 3):
            sheet.write_string(place, 0, report.figure_words[name].shown(language))
            sheet.write_number(place, 1, figure, formats[Kind.NUMBER])
        for table in report.tables:
            sheet = book.add_worksheet(table.key)
            _fill(sheet, table, language, bold, formats)
            for place, cell in enumerate(table.totals or ()):
                if cell is not None:
                    _write(sheet, len(table.rows) + 1, place, table.columns[place], cell, language, sums)
    return data.getvalue()


def _fill(sheet: Any, table: Table, language: Language, bold: Any, formats: dict[Kind, Any]) -> None:
    for place, column in enumerate(table.columns):
        sheet.write_string(0, place, column.title.shown(language, "\n"), bold)
        sheet.set_column(place, place, min(column.width * 1.4, WIDEST))
    for line, row in enumerate(table.rows, 1):
        for place, cell in enumerate(row):
            _write(sheet, line, place, table.columns[place], cell, language, formats)
    sheet.freeze_panes(1, 0)
    if table.rows:
        sheet.autofilter(0, 0, len(table.rows), len(table.columns) - 1)


def _write(
    sheet: Any, line: int, place: int, column: Column, cell: Cell, language: Language, formats: dict[Kind, Any]
) -> None:
    form = formats[column.kind]
    if isinstance(cell, datetime):
        # A spreadsheet knows no zones: what it shows is Vietnam's time.
        sheet.write_datetime(line, place, cell.astimezone(VIETNAM).replace(tzinfo=None), form)
    elif isinstance(cell, (int, float)):
        sheet.write_number(line, place, cell, form)
    elif cell is not None:
        named = column.names.get(cell) if isinstance(cell, str) else None
        sheet.write_string(line, place, named.shown(language) if named else printable(str(cell)), form)


def _json_cell(cell: object) -> str:
    if isinstance(cell, datetime):
        return cell.astimezone(VIETNAM).isoformat()
    if isinstance(cell, UUID):
        return str(cell)
    raise TypeError(type(cell).__name__)


def _csv_cell(cell: Cell) -> str | int | float:
    if cell is None:
        return ""
    if isinstance(cell, (int, float)):
        return cell
    if not isinstance(cell, str):
        return _json_cell(cell)
    text = printable(cell)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text
