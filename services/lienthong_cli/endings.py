"""How a command ends when it could not do its work: one line for people, a status for scripts."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import typer

from lienthong.errors import LienThongError, MisconfiguredError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["INTERRUPTED", "REFUSED", "UNAVAILABLE", "USAGE", "explained", "fail"]

REFUSED = 1
USAGE = 2
UNAVAILABLE = 3
"""Nothing is wrong with the document: the broker, the ledger, a file or a setting has to be mended first."""
INTERRUPTED = 130


@contextmanager
def explained() -> Iterator[None]:
    """End the command with one line on standard error instead of a traceback, whatever was raised on purpose."""
    try:
        yield
    except Unavailable as error:
        fail(f"không kết nối được, hãy thử lại / not reachable now, try again: {error}", UNAVAILABLE, error)
    except MisconfiguredError as error:
        fail(str(error), UNAVAILABLE, error)
    except LienThongError as error:
        fail(str(error), REFUSED, error)
    except OSError as error:
        if error.filename is None:
            raise
        fail(f"không dùng được tệp / cannot use the file: {error.filename}: {error.strerror}", UNAVAILABLE, error)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def fail(text: str, status: int, cause: Exception | None = None) -> NoReturn:
    """Say why on standard error and end the command with a status."""
    typer.echo(f"lỗi / error: {text}", err=True)
    raise typer.Exit(status) from cause
