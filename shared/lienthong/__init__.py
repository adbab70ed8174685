"""Liên Thông: an open exchange for signed official documents between government agencies."""

from __future__ import annotations

__version__ = "0.1.0"
