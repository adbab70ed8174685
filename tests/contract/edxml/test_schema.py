"""Our schema of the format."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from lxml import etree

from lienthong.document.life_cycle import STATUS_CODES
from lienthong.edxml import names
from lienthong.edxml.schema import schema_errors, schema_text

if TYPE_CHECKING:
    from pathlib import Path

XS = "{http://www.w3.org/2001/XMLSchema}"


@pytest.mark.parametrize("name", ["document.edxml", "status.edxml"])
def test_what_the_national_sdk_writes_is_valid(data_folder: Path, name: str) -> None:
    """The schema describes real messages, not only ours."""
    assert schema_errors((data_folder / name).read_bytes()) == ()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("<edXML:OrganId>H23.1</edXML:OrganId>", "", "OrganId"),
        (">2026/12/01<", ">01/12/2026<", "01/12/2026"),
        (">1</edXML:Priority", "> 1 </edXML:Priority", "Priority"),
        (">1</edXML:SteeringType", "></edXML:SteeringType", "SteeringType"),
        ("edXML:Subject", "edXML:Subjekt", "Subjekt"),
        ("Bussiness", "Business", "Business"),
        ("http://www.mic.gov.vn/TBT/QCVN_102_2016", "http://www.e-doc.vn/Schema/", "No matching global declaration"),
        ("</edXML:edXMLHeader>", "", "mismatch"),
    ],
)
def test_what_is_wrong_is_not_valid(data_folder: Path, old: str, new: str, said: str) -> None:
    """Each is found, with its line."""
    text = (data_folder / "document.edxml").read_bytes().decode()
    assert old in text
    errors = schema_errors(text.replace(old, new).encode())
    assert errors
    assert said in errors[0]


def test_every_element_of_the_schema_is_a_name_of_the_format() -> None:
    """Schema and reader know the same words; what only the schema lacks is what we do not write."""
    declared = {found.get("name") for found in etree.fromstring(schema_text()).iter(f"{XS}element")}
    known = set(names.CHILDREN) | {name for inside in names.CHILDREN.values() for name in inside}
    assert declared <= known
    assert known - declared == {names.STATUS, names.FORMAT, names.REPLY_FORS, names.REFERENCE_CODES}


def test_the_schema_knows_the_status_codes_of_the_life_cycle() -> None:
    """One table, two places: they agree."""
    (kind,) = etree.fromstring(schema_text()).iterfind(f"{XS}simpleType[@name='StatusCode']")
    assert [found.get("value") for found in kind.iter(f"{XS}enumeration")] == list(STATUS_CODES)
