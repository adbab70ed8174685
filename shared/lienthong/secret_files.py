"""Secrets in files of their own, as Docker, Kubernetes and systemd hand them to a process."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from lienthong.errors import MisconfiguredError

__all__ = ["read_secret", "secret_of"]

FILE = "_FILE"


def read_secret(file: Path) -> str:
    """Return the secret in a file, without white space around it.

    Raises:
        MisconfiguredError: there is no such file, it cannot be read or is empty, or everybody may read it.
    """
    try:
        if stat.S_IMODE(file.stat().st_mode) & stat.S_IROTH:
            raise MisconfiguredError(
                f"{file}: ai cũng đọc được tệp bí mật này, hãy / everybody may read this secret, run: chmod o-r {file}"
            )
        secret = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "UTF-8"
        raise MisconfiguredError(
            f"{file}: không đọc được tệp bí mật / the secret's file cannot be read: {why}"
        ) from None
    if not secret:
        raise MisconfiguredError(f"{file}: tệp bí mật trống / the secret's file is empty")
    return secret


def secret_of(variable: str) -> str | None:
    """Return a secret of the environment: of this variable, or of the file that ``<variable>_FILE`` names.

    Raises:
        MisconfiguredError: both are given, or the file cannot be used.
    """
    value, file = os.environ.get(variable), os.environ.get(variable + FILE)
    if file is None:
        return value
    if value is not None:
        raise MisconfiguredError(f"chỉ được đặt một / only one may be set: {variable}, {variable}{FILE}")
    return read_secret(Path(file))
