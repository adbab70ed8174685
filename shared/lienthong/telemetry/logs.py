"""Logs as JSON lines on stderr: one line says one whole thing, with its time in UTC and its event's name."""

from __future__ import annotations

import json
import logging
import sys
from typing import TYPE_CHECKING, Any

import structlog

from lienthong.errors import MisconfiguredError

if TYPE_CHECKING:
    from structlog.typing import Processor

__all__ = ["configure_logging"]

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure_logging(service: str, level: str) -> None:
    """Send every log line of this process, ours and the libraries', to stderr as JSON.

    Args:
        service: stands in every line as ``service``.
        level: ``debug``, ``info``, ``warning`` or ``error``.

    Raises:
        MisconfiguredError: there is no such level.
    """
    if level.lower() not in LEVELS:
        raise MisconfiguredError(f"the log level must be one of {', '.join(LEVELS)}, not {level!r}")
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder(), structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(serializer=_as_json),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS[level.lower()])
    structlog.contextvars.bind_contextvars(service=service)


def _as_json(line: Any, **options: Any) -> str:
    return json.dumps(line, ensure_ascii=False, **options)
