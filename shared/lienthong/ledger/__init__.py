"""The only asyncpg code: the ledger's schema, its statements, one transaction a batch, and what people ask of it."""

from __future__ import annotations
