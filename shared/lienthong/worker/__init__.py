"""The one runner of every worker: take a batch, decide, record, publish, acknowledge; drain and health."""

from __future__ import annotations
