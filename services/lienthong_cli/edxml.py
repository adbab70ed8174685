"""`lienthong edxml`: judge and show edXML files."""

from __future__ import annotations

import typer

__all__ = ["app"]

app = typer.Typer(help="Kiểm tra và xem gói tin edXML / check and show edXML messages.", no_args_is_help=True)
