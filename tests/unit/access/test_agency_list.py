"""Lists of agencies as people send them: what is read, and what is said about the rest."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from lienthong.access.agency_list import COLUMNS, read_list
from lienthong.ledger.registry import CodeRow, ContactRow, ListedAgency, SuccessorRow

NATIONAL = Path(__file__).parents[4] / "shared" / "agencies.csv"


def test_every_column_is_read() -> None:
    """Each column says what its name says; codes of both forms are the agency's for the same days."""
    cells = {
        "code": "H29.1",
        "name": "Sở Nội vụ, tỉnh X",
        "old_code": "000.00.09.H29",
        "kind": "sở",
        "parent": "H29",
        "valid_from": "2020-09-15",
        "valid_to": "2025-07-01",
        "successor": "H01.1",
        "succeeded_on": "2025-07-01",
        "supervised": "Có",
        "software": "iOffice",
        "software_version": "5.2",
        "security_level": "3",
        "contact": "Nguyễn Văn A",
        "email": "vt@example.vn",
        "technical_phone": "0243",
    }
    row = ";".join(f'"{cells.get(column, "")}"' for column in COLUMNS)
    found = read_list(f"\ufeff{';'.join(COLUMNS)}\r\n\r\n{row}\r\n".encode())
    assert found.troubles == []
    (line,) = found.lines
    assert line.number == 3
    assert line.agency == ListedAgency("H29.1", "Sở Nội vụ, tỉnh X", "sở", "H29", True, "iOffice", "5.2", 3)
    days = (date(2020, 9, 15), date(2025, 7, 1))
    assert line.codes == (CodeRow("H29.1", "H29.1", *days), CodeRow("000.00.09.H29", "H29.1", *days))
    assert line.contacts == (
        ContactRow("H29.1", "clerk", "Nguyễn Văn A", "vt@example.vn", None),
        ContactRow("H29.1", "technical", None, None, "0243"),
    )
    assert line.successor == SuccessorRow("H29.1", "H01.1", days[1])


def test_a_short_list_says_nothing_about_the_rest() -> None:
    """Code and name are enough; what is not said is None, and level 1 has its old form."""
    (line,) = read_list(b"code,name\nH29,UBND\n").lines
    assert line.agency == ListedAgency("H29", "UBND")
    assert [row.code for row in line.codes] == ["H29", "000.00.00.H29"]


@pytest.mark.parametrize(
    ("text", "line", "column", "remedy"),
    [
        ("name\nx", 1, "code", "add it"),
        ("code,name,stage\nH1,x,official", 1, "stage", "--skip-column"),
        ("code,name,name\nH01,x,x", 1, "name", "remove one"),
        ("code,name\nH01,x\nH01,y", 3, "code", "line 2"),
        ("code,name,old_code\nH01.1,x,000.00.01.H01\nH01.2,y,000.00.01.H01", 3, "old_code", "line 2"),
        ('code,name\n"H01",x\nH02,a,b', 3, "", "quotes"),
        ('code,name\nH01,"two\nlines"\nH02,', 4, "name", "fill it in"),
        ("code,name\n000.1137.H53,x", 2, "code", "--any-code"),
        ("code,name\nH53/1,x", 2, "code", "no agency code"),
        ("code,name,old_code\nH53.1,x,H53.2", 2, "old_code", "old form"),
        ("code,name,valid_from\nH01,x,01/07/2025", 2, "valid_from", "2025-07-01"),
        ("code,name,valid_from,valid_to\nH01,x,2025-07-01,2025-07-01", 2, "valid_to", "after valid_from"),
        ("code,name,security_level\nH01,x,6", 2, "security_level", "from 1 to 5"),
        ("code,name,supervised\nH01,x,maybe", 2, "supervised", "yes or no"),
        ("code,name,email\nH01,x,a@b", 2, "email", "address"),
        ("code,name,contact\nH01,x,Lan", 2, "contact", "email or phone"),
        ("code,name,successor\nH01,x,H02", 2, "succeeded_on", "day of the merger"),
        ("code,name,succeeded_on\nH01,x,2025-07-01", 2, "successor", "successor's code"),
        ("code,name,parent\nH01,x,H01", 2, "parent", "itself"),
        ("code,name\nH01,x\0y", 2, "name", "control characters"),
    ],
)
def test_what_is_wrong_is_named(text: str, line: int, column: str, remedy: str) -> None:
    """Line, column and remedy, in both languages."""
    troubles = read_list(text.encode()).troubles
    assert [(one.line, one.column) for one in troubles if remedy in one.en] == [(line, column)]
    assert all(one.vi != one.en for one in troubles)


def test_another_encoding_is_named_by_its_line() -> None:
    """A file in another encoding is not guessed at."""
    (trouble,) = read_list("code,name\nH01,Hà Nội".encode("cp1258", "replace") + b"\xff").troubles
    assert (trouble.line, "CSV UTF-8" in trouble.en) == (2, True)


def test_environments_with_codes_of_their_own_may_say_so() -> None:
    """Codes of neither form are taken when that is wanted, and columns left out when that is."""
    found = read_list(b"code,name,note\nvxp.saas.02,x,y\n", skipped=["note"], any_code=True)
    assert (found.troubles, [line.agency.code for line in found.lines]) == ([], ["vxp.saas.02"])


@pytest.mark.skipif(not NATIONAL.exists(), reason="the list is not part of the product")
def test_a_real_list_is_told_its_real_mistakes() -> None:
    """In a list as it is in use, the codes that stand there twice and the one with a missing dot are found."""
    troubles = read_list(NATIONAL.read_bytes(), skipped=["confidence"]).troubles
    assert "000.1137.H53" in {one.en.split()[0] for one in troubles}
    assert {one.column for one in troubles} <= {"code", ""}
