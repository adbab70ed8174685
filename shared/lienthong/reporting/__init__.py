"""Reports about a period, from the ledger's figures to a table, a file for programs or a spreadsheet, a page, a PDF."""

from __future__ import annotations
