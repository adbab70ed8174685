"""Payloads by the SHA-256 of their content, kept durably, each once."""

from __future__ import annotations

from lienthong.payload.folder import FolderStore, PayloadStore

__all__ = ["FolderStore", "PayloadStore"]
