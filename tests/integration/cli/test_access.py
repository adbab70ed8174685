"""The operator's commands of `lienthong agency`, as they are typed."""

from __future__ import annotations

import json
import re
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiormq
import asyncpg
from tests.integration.cli.test_topology import lienthong

from lienthong.ledger.ledger import Ledger
from lienthong.ledger.rows import AgencyRow

if TYPE_CHECKING:
    from lienthong.bus.admin import BrokerAdmin
    from lienthong.testing.servers import Servers


async def test_an_agency_is_let_in_shut_out_and_let_in_again(
    servers: Servers, broker_admin: BrokerAdmin, vhost: str, database: str
) -> None:
    """Each command says what is so now, in both languages; the history has who decided it and why; no password."""
    code = f"H23.{uuid.uuid4().hex[:6].upper()}"
    settings = {
        "LIENTHONG_BROKER_URL": vhost,
        "LIENTHONG_BROKER_MANAGEMENT_URL": servers.management_url,
        "LIENTHONG_LEDGER_URL": database,
        "LIENTHONG_OPERATOR": "lan@phòng-vận-hành",
    }
    try:
        refused = lienthong("agency", "add", code, "--name=Sở", "--password", **settings)
        assert refused.returncode == 3
        assert "LIENTHONG_ACCESS_PASSWORDS=true" in refused.stderr
        settings["LIENTHONG_ACCESS_PASSWORDS"] = "true"
        added = lienthong("agency", "add", code, "--name=Sở", "--password", **settings)
        assert added.returncode == 0, added.stderr
        password = re.findall("shown this once: (.+)", added.stdout)[0]
        place = urlsplit(vhost)
        url = place._replace(netloc=f"{code}:{password}@{place.hostname}:{place.port}").geturl()
        await (await aiormq.connect(url)).close()
        again = lienthong("agency", "add", code, **settings)
        assert "the ledger said so already" in again.stdout
        assert "shown this once" not in again.stdout
        suspended = lienthong("agency", "suspend", code, "--reason=khóa bị lộ", **settings)
        assert "đã bị đình chỉ, mọi kết nối đã đóng / is suspended" in suspended.stdout
        assert lienthong("agency", "add", code, **settings).returncode == 1
        assert "is resumed; trial" in lienthong("agency", "resume", code, **settings).stdout
        rotated = lienthong("agency", "rotate-credential", code, "--certificate-only", **settings)
        assert "trial, chứng thư / certificate" in rotated.stdout
        assert "until the broker has a CRL" in rotated.stderr
        history = await entries(database, code)
        assert [kind for kind, _ in history] == [
            "AgencyAdmitted",
            "AgencySuspended",
            "AgencyResumed",
            "CredentialRotated",
        ]
        assert {facts["by"] for _, facts in history} == {"lan@phòng-vận-hành"}
        assert history[1][1]["reason"] == "khóa bị lộ"
        assert password not in str(history)
    finally:
        await broker_admin.delete_user(code)


async def entries(database: str, code: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the history of an agency, oldest first."""
    connection = await asyncpg.connect(database)
    rows = await connection.fetch("select kind, facts from entry where agency = $1 order by entry", code)
    await connection.close()
    return [(row["kind"], json.loads(row["facts"])) for row in rows]


async def test_quotas_are_shown_and_changed(database: str) -> None:
    """What is not said for an agency is the setting's; a change is in the history with who made it; so is its end."""
    settings = {"LIENTHONG_LEDGER_URL": database, "LIENTHONG_OPERATOR": "lan@phòng-vận-hành"}
    ledger = await Ledger.connect(database)
    await ledger.register([AgencyRow("H23", "Tỉnh", stage="official")])
    await ledger.close()
    assert "all agencies collect" in lienthong("agency", "parked", **settings).stdout
    assert "documents a minute: 600 (mặc định / by default)" in lienthong("agency", "quota", "H23", **settings).stdout
    given = lienthong("agency", "quota", "H23", "--documents-per-minute=7", "--megabytes-per-hour=0", **settings)
    assert "documents a minute: 7\n" in given.stdout
    assert "MB an hour: không giới hạn / no limit\n" in given.stdout
    assert "by default" in lienthong("agency", "quota", "H23", "--default", **settings).stdout
    assert lienthong("agency", "quota", "H24", **settings).returncode == 1
    history = await entries(database, "H23")
    assert [(kind, facts["by"], facts["documents_per_minute"]) for kind, facts in history] == [
        ("QuotaChanged", "lan@phòng-vận-hành", 7),
        ("QuotaChanged", "lan@phòng-vận-hành", None),
    ]
