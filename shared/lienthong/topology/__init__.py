"""Every exchange, queue and key of the exchange, as data and pure naming functions."""

from __future__ import annotations
