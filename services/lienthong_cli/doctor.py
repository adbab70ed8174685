"""`lienthong doctor`: everything an operator would look at, and what to do about what is found."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Annotated

import typer

from lienthong.doctor.examination import examine
from lienthong.doctor.patient import Instruments
from lienthong.telemetry.logs import configure_logging
from lienthong_cli.endings import REFUSED, UNAVAILABLE

__all__ = ["app"]

app = typer.Typer()


@app.command()
def doctor(
    workers: Annotated[
        Path | None,
        typer.Option(
            "--workers",
            metavar="DIR",
            exists=True,
            file_okay=False,
            help="Thư mục có tệp <tên>-broker-url và <tên>-ledger-url của các tiến trình; thử cả mật khẩu của họ / "
            "folder of the workers' addresses; their passwords are looked at, too.",
        ),
    ] = None,
    backups: Annotated[
        Path | None,
        typer.Option(
            "--backups",
            metavar="DIR",
            exists=True,
            file_okay=False,
            help="Thư mục các bản sao lưu / the folder of backups.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="In dạng JSON / print JSON.")] = False,
) -> None:
    """Khám toàn bộ trục, không sửa gì / look at everything an operator would, and name a remedy for each finding.

    Run it as the operator, on a machine with the workers' settings and the payload folder. Exit status: 0 when nothing
    is found, 1 when something is, 3 when neither broker nor ledger could be looked at.
    """
    configure_logging("lienthong-doctor", "error")
    # What does not answer is a finding; the client library below says the same for each attempt.
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)
    done = asyncio.run(examine(Instruments(workers=workers, backups=backups)))
    if as_json:
        findings = [finding.facts() for finding in done.findings]
        print(json.dumps({"findings": findings, "checked": done.checked, "blind": done.blind}, ensure_ascii=False))
    else:
        for finding in done.findings:
            typer.echo(str(finding))
        if not done.findings:
            typer.echo(f"không thấy gì sai / nothing is wrong: {', '.join(done.checked)}")
    if done.findings:
        raise typer.Exit(UNAVAILABLE if done.blind else REFUSED)
