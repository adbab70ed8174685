"""What the exchange says about itself: structured logs, metrics, and the catalogue of every event's name."""

from __future__ import annotations
