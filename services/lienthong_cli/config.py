"""`lienthong config`: what is wrong with the settings, and what settings there are."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from lienthong.configuration import EVERY_GROUP, WORKERS, env_example, setting_rows
from lienthong.doctor.configuration import faults
from lienthong_cli.endings import USAGE

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Thiết lập: kiểm tra, liệt kê / the settings: check, list.")

Worker = Literal["ingest", "signature-verify", "router", "status-tracker", "notifier"]


@app.command()
def check(
    worker: Annotated[
        Worker | None,
        typer.Option(help="Chỉ thiết lập của tiến trình này / only the settings of this worker."),
    ] = None,
) -> None:
    """Kiểm tra thiết lập trong môi trường / explain every wrong setting of the environment in one line.

    Connects to nothing; `lienthong doctor` does. Exit status: 2 when a setting is wrong.
    """
    found = faults(worker)
    for fault in found:
        typer.echo(str(fault))
    if found:
        raise typer.Exit(USAGE)
    groups = EVERY_GROUP if worker is None else WORKERS[worker]
    count = sum(len(group.model_fields) for group in groups)
    typer.echo(f"{count} thiết lập, không có gì sai / {count} settings, nothing is wrong: {worker or 'lienthong'}")


@app.command()
def table() -> None:
    """In bảng mọi thiết lập / print every setting with its default and meaning, as the README has it."""
    typer.echo("| Variable | Default | Meaning |\n|---|---|---|")
    for row in setting_rows():
        typer.echo(f"| {' | '.join(row)} |")


@app.command()
def example() -> None:
    """In tệp môi trường mẫu / print an environment file that names every setting (`deploy/env.example`)."""
    typer.echo(env_example(), nl=False)
