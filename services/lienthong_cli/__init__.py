"""The command line `lienthong`, for operators, agencies and auditors. One module for each group of commands."""

from __future__ import annotations
