"""Payloads by the SHA-256 of their content, kept durably, each once."""

from __future__ import annotations

from lienthong.payload.folder import FolderStore, PayloadStore
from lienthong.payload.journaled import JournaledStore

__all__ = ["FolderStore", "JournaledStore", "PayloadStore"]
