"""The directory's commands of `lienthong agency`, as they are typed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from typer.testing import CliRunner

from lienthong.trust import DevelopmentAuthority
from lienthong_cli.__main__ import assembled

if TYPE_CHECKING:
    from pathlib import Path


def test_the_life_of_an_agency_in_the_directory(database: str, tmp_path: Path) -> None:
    """Imported, searched, refused as official with the list of what is missing, merged, shown with its history."""
    authority = DevelopmentAuthority.create(tmp_path / "authority")
    settings = {
        "LIENTHONG_LEDGER_URL": database,
        "LIENTHONG_OPERATOR": "lan@phòng-vận-hành",
        "LIENTHONG_TRUST_FOLDER": str(authority.trust_folder),
        "COLUMNS": "200",
    }

    def typed(*arguments: str, status: int = 0) -> str:
        # In this process: a dozen commands would spend a minute on starting alone.
        done = CliRunner().invoke(assembled("agency"), ["agency", *arguments], env=settings)
        assert done.exit_code == status, done.output
        return done.output

    file = tmp_path / "cơ-quan.csv"
    file.write_text("code,name,parent\nH23,UBND tỉnh Hải Dương,\nH23.4,Sở Nội vụ,H24\n", encoding="utf-8")
    refused = typed("import", str(file), status=1)
    assert "dòng / line 3, cột / column parent: H24" in refused
    assert "nothing was changed" in refused
    file.write_text("code,name,parent\nH23,UBND tỉnh Hải Dương,\nH23.4,Sở Nội vụ,H23\n", encoding="utf-8")
    assert "2 agencies, 2 new, 0 changed" in typed("import", str(file))
    page = json.loads(typed("list", "--limit=1", "--json"))
    assert (page["total"], page["after"], [one["code"] for one in page["agencies"]]) == (2, "H23", ["H23"])
    assert "Sở Nội vụ" in typed("list", "--text=sở nội")
    authority.issue("H23", "UBND")
    typed("certificate", "H23", str(authority.folder / "agencies" / "H23.pem"))
    typed("contact", "H23", "clerk", "--email=vt@example.vn")
    typed("conformance", "H23", "--passed", "--on=2026-01-02", "--software=iOffice", "--version=5.2")
    missing = typed("stage", "H23", "official", status=1)
    assert "chưa kết nối thử" in missing
    assert "no mail address of a technician's" in missing
    assert "not connected" in typed("merge", "H23.4", "H23", status=1)
    shown = json.loads(typed("show", "000.00.00.H23", "--json"))
    assert (shown["conformance_on"], shown["software"], shown["contacts"][0]["email"]) == (
        "2026-01-02",
        "iOffice",
        "vt@example.vn",
    )
    assert [one["what"] for one in shown["history"]] == [
        "CertificateRecorded",
        "ContactRecorded",
        "ConformanceRecorded",
    ]
    assert {one["by"] for one in shown["history"]} == {"lan@phòng-vận-hành"}
    for words in (("set", "H23", "--mail=vt@example.vn", "--topic=waiting"), ("end", "H23", "--mail=vt@example.vn")):
        assert CliRunner().invoke(assembled("notify"), ["notify", *words], env=settings).exit_code == 0
    told = [one for one in json.loads(typed("show", "H23", "--json"))["history"] if one["what"].startswith("Subsc")]
    assert [(one["what"], one["target"]) for one in told] == [
        ("SubscriptionSet", "vt@example.vn"),
        ("SubscriptionEnded", "vt@example.vn"),
    ]
    assert "thôi nhận thông báo / told no more" in typed("show", "H23")
    assert "UBND tỉnh Hải Dương" in typed("show", "H23")
    assert "is not in the directory" in typed("show", "H99", status=1)
