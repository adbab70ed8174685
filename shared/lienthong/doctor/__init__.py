"""What an operator would check, checked: each area in a module of its own; see `lienthong.doctor.examination`."""

from __future__ import annotations
