"""After a loss: the exchange's memory as a backup, back from one, and what broker, ledger and payloads disagree on."""

from __future__ import annotations
