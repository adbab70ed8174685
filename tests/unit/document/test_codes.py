"""Agency codes in all the forms of domain and traffic."""

from __future__ import annotations

import pytest

from lienthong.document.codes import CodeForm, ancestors, code_form, is_agency_code, level_one


@pytest.mark.parametrize(
    ("code", "form"),
    [
        ("000.11.37.H53", CodeForm.OLD),
        ("G22", CodeForm.NEW),
        ("H37.02.02", CodeForm.NEW),
        ("G12.12.B3", CodeForm.NEW),
        ("28.22.H17", CodeForm.TRANSITIONAL),
        ("79.H36", CodeForm.TRANSITIONAL),
        ("vxp.saas.02", CodeForm.OTHER),
        ("000.1137.H53", CodeForm.OTHER),
    ],
)
def test_form(code: str, form: CodeForm) -> None:
    """Each form of the law, and the ones only traffic knows, is told apart."""
    assert code_form(code) is form


@pytest.mark.parametrize(
    ("code", "above"),
    [
        ("000.11.37.H53", ("000.00.37.H53", "000.00.00.H53", "H53")),
        ("000.00.12.H53", ("000.00.00.H53", "H53")),
        ("000.00.00.G22", ("G22",)),
        ("H23.1.2", ("H23.1", "H23")),
        ("G22", ()),
        ("28.22.H17", ("22.H17", "H17")),
        ("vxp.saas.02", ()),
    ],
)
def test_ancestors(code: str, above: tuple[str, ...]) -> None:
    """Who stands above is read right to left in the old form and left to right in the new one, nearest first."""
    assert ancestors(code) == above


@pytest.mark.parametrize(
    ("code", "level"), [("000.11.37.H53", "H53"), ("H23.1.2", "H23"), ("28.22.H17", "H17"), ("vxp.saas.02", None)]
)
def test_level_one(code: str, level: str | None) -> None:
    """Level 1 is the last group of the old form and the first of the new one."""
    assert level_one(code) == level


@pytest.mark.parametrize("text", ["", "null", "G22 ", "G22..1", ".G22", "G22#", "H23.*", "A" * 36, "Đ01"])
def test_what_is_no_code(text: str) -> None:
    """Nothing that could break a routing key, a queue's name or a regular expression passes as a code."""
    assert not is_agency_code(text)


@pytest.mark.parametrize("text", ["G22", "000.00.00.H53", "28.22.H17", "vxp.saas.02", "A" * 35])
def test_what_may_be_a_code(text: str) -> None:
    """Every form of the law and the exceptions of test axes may be registered."""
    assert is_agency_code(text)
