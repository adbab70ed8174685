"""Names of attached files: what is refused, what is mended, what stays."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lienthong.signature.attachments import AttachmentFlaw as F
from lienthong.signature.attachments import clashing_names, safe_name
from lienthong.signature.attachments_names import name_flaws

MENDED = {F.FORBIDDEN_CHARACTER, F.NOT_NORMALIZED}

HOSTILE: list[tuple[str, F]] = [
    ("../../etc/passwd", F.PATH_TRAVERSAL),
    ("..\\..\\Windows\\win.ini", F.PATH_TRAVERSAL),
    ("a/../b.pdf", F.PATH_TRAVERSAL),
    ("/etc/passwd", F.PATH_TRAVERSAL),
    ("\\\\server\\share\\a.pdf", F.PATH_TRAVERSAL),
    ("C:\\a.pdf", F.PATH_TRAVERSAL),
    ("c:a.pdf", F.PATH_TRAVERSAL),
    ("~/.ssh/authorized_keys", F.PATH_TRAVERSAL),
    ("．．/a.pdf", F.PATH_TRAVERSAL),
    ("..%2fa.pdf", F.PATH_TRAVERSAL),
    ("..", F.PATH_TRAVERSAL),
    ("CON", F.DEVICE_NAME),
    ("con.pdf", F.DEVICE_NAME),
    ("NUL.tar.gz", F.DEVICE_NAME),
    ("Com1.docx", F.DEVICE_NAME),
    ("lpt¹.txt", F.DEVICE_NAME),
    ("aux .pdf", F.DEVICE_NAME),
    ("prn:stream.pdf", F.DEVICE_NAME),
    ("CONIN$", F.DEVICE_NAME),
    ("a\x00.pdf", F.CONTROL_CHARACTER),
    ("a\r\nContent-Type: x.pdf", F.CONTROL_CHARACTER),
    ("a\x7f.pdf", F.CONTROL_CHARACTER),
    ("a\udc80.pdf", F.CONTROL_CHARACTER),
    ("hóa đơn \u202efdp.exe", F.INVISIBLE_CHARACTER),
    ("a\u2066b\u2069.pdf", F.INVISIBLE_CHARACTER),
    ("a\u200b.pdf", F.INVISIBLE_CHARACTER),
    ("\ufeffa.pdf", F.INVISIBLE_CHARACTER),
    ("a\u00ad.pdf", F.INVISIBLE_CHARACTER),
    ("a\u3164.pdf", F.INVISIBLE_CHARACTER),
    ("công văn.pdf          .exe", F.INVISIBLE_CHARACTER),
    ("cоng van.pdf", F.CONFUSABLE),
    ("Ρhụ lục.pdf", F.CONFUSABLE),
    ("a.рdf", F.CONFUSABLE),
    ("a.𝐩𝐝𝐟", F.CONFUSABLE),
    ("a.ｐｄｆ", F.CONFUSABLE),
    ("a／b.pdf", F.CONFUSABLE),
    ("a∕b.pdf", F.CONFUSABLE),
    ("a․pdf․exe", F.CONFUSABLE),
    ("a" * 252 + ".pdf", F.NAME_TOO_LONG),
    ("ệ" * 100 + ".pdf", F.NAME_TOO_LONG),
    ("", F.NAME_MISSING),
    ("   ", F.NAME_MISSING),
    (".", F.NAME_MISSING),
]


@pytest.mark.parametrize(("name", "flaw"), HOSTILE)
def test_hostile_names_are_told(name: str, flaw: F) -> None:
    """Paths, devices, control, direction and look-alike characters in a name are found by what they are."""
    assert flaw in name_flaws(name)


@pytest.mark.parametrize(
    "name",
    [
        "Công văn số 12.pdf",
        "Quyết định 28-2018-QĐ-TTg.docx",
        "Báo cáo quý IV (lần 2).xlsx",
        "Đề án α.pdf",
        "kế hoạch… cuối năm.v2.pdf",
        "Phụ lục 1.1. Danh sách.pdf",
        "consultation.pdf",
        "computer1.txt",
        "дорога.pdf",
        "文件.pdf",
    ],
)
def test_ordinary_names_have_no_flaw(name: str) -> None:
    """Vietnamese names, numbers, brackets and other scripts standing alone are nothing special."""
    assert name_flaws(name) == set()
    assert safe_name(name) == name


@pytest.mark.parametrize("form", ["NFD", "NFKD"])
def test_decomposed_vietnamese_is_mended_not_refused(form: str) -> None:
    """A name in decomposed form, or with its marks in another order, is the same name once stored."""
    name = "Nghị quyết về chuyển đổi số.pdf"
    loose = unicodedata.normalize(form, name)  # type: ignore[arg-type]
    assert name_flaws(loose) == {F.NOT_NORMALIZED}
    assert safe_name(loose) == name
    assert safe_name("e\u0302\u0323.pdf") == safe_name("e\u0323\u0302.pdf") == "ệ.pdf"


def test_a_number_with_a_slash_stays_readable() -> None:
    """The notation 12/QĐ-TTg in a name is kept, with what file systems can store; of a real path only the file is."""
    assert safe_name("12/QĐ-TTg.pdf") == "12_QĐ-TTg.pdf"
    assert safe_name("../../etc/passwd") == "passwd"


def test_names_that_would_be_one_file_are_told() -> None:
    """Names that differ only in case, form or invisible signs would overwrite each other."""
    names = ["Tệp.pdf", unicodedata.normalize("NFD", "TỆP.PDF"), "khác.pdf", "khác\u200b.pdf", "riêng.pdf"]
    assert clashing_names(names) == set(names[:4])


@given(st.text(max_size=400) | st.text(alphabet="./\\:CONaux \u202e\u0301ệр\x00~", max_size=40))
def test_a_safe_name_is_safe_whatever_it_was(name: str) -> None:
    """The name under which a file is stored has no path, device, control or invisible character, and can be stored."""
    safe = safe_name(name)
    serious = name_flaws(safe) - {F.CONFUSABLE}
    assert not serious
    assert 0 < len(safe.encode()) <= 255
    assert safe_name(safe) == safe
