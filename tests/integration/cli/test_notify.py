"""`lienthong notify`, as it is typed."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from lienthong.document.webhooks import key_of
from lienthong_cli.__main__ import assembled


def test_subscriptions_are_set_listed_and_ended(database: str) -> None:
    """Only what can be told is taken; the ledger keeps who decided it, and no webhook's key."""
    settings = {
        "LIENTHONG_LEDGER_URL": database,
        "LIENTHONG_OPERATOR": "lan",
        "LIENTHONG_NOTIFIER_WEBHOOK_SECRET": "s" * 32,
        "COLUMNS": "200",
    }

    def typed(*arguments: str, status: int = 0) -> str:
        done = CliRunner().invoke(assembled("notify"), ["notify", *arguments], env=settings)
        assert done.exit_code == status, done.output
        return done.output

    url = "https://h23.example.vn/hook"
    assert "is not in the directory" in typed("set", "H23", "--mail=a@b.vn", status=1)
    typed("set", "operators", "--mail=ops@b.vn", "--topic=parked", "--digest=7", "--language=both")
    assert "it was so already" in typed(
        "set", "operators", "--mail=ops@b.vn", "--topic=parked", "--digest=7", "--language=both"
    )
    for wrong, reason in (
        (("--mail=no address",), "address of mail"),
        (("--mail=a@b.vn\nBcc: c@d.vn",), "address of mail"),
        (("--webhook=http://b.vn/",), "only https"),
        (("--webhook=https://u:p@b.vn/",), "without a password"),
        (("--webhook=file:///etc/passwd",), "https"),
        (("--mail=a@b.vn", "--topic=statuses"), "choose from: parked"),
    ):
        assert reason in typed("set", "operators", *wrong, status=1)
    typed("set", "operators", status=2)
    typed("set", "operators", f"--webhook={url}", "--topic=flood")
    assert typed("key", "operators", f"--webhook={url}").strip() == key_of("s" * 32, None, url)
    listed = json.loads(typed("list", "operators", "--json"))
    assert [(one["subscription"]["target"], one["subscription"]["topics"], one["waiting"]) for one in listed] == [
        ("ops@b.vn", ["parked"], 0),
        (url, ["flood"], 0),
    ]
    assert "7:00" in typed("list")
    typed("end", "operators", f"--webhook={url}")
    assert "no such subscription" in typed("end", "operators", f"--webhook={url}", status=1)
    assert len(json.loads(typed("list", "--json"))) == 1
