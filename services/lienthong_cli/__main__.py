"""The command `lienthong`: its groups of commands, assembled."""

from __future__ import annotations

import typer

from lienthong_cli import access, agency, deadletter, demo, drill, edxml, ledger, recovery, signature, topology, trust

__all__ = ["app", "main"]

app = typer.Typer(
    name="lienthong",
    help="Liên Thông: trục liên thông văn bản mở / an open exchange for signed official documents.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
access.add_commands(agency.app)
app.add_typer(agency.app, name="agency")
app.add_typer(deadletter.app, name="deadletter")
app.add_typer(demo.app, name="demo")
app.add_typer(edxml.app, name="edxml")
app.add_typer(signature.app, name="signature")
app.add_typer(ledger.app, name="ledger")
app.add_typer(topology.app, name="topology")
app.add_typer(trust.app, name="trust")
app.add_typer(recovery.app)
app.add_typer(drill.app)


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
