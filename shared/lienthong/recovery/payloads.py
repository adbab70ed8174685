"""The payload store compared with the ledger, and mended from a backup."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lienthong.ledger.copying import snapshot
from lienthong.recovery.findings import Finding, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lienthong.payload import FolderStore

__all__ = ["mend_payloads", "payload_findings"]

_MENDABLE = {Kind.PAYLOAD_MISSING, Kind.PAYLOAD_DAMAGED}


async def payload_findings(ledger_url: str, store: FolderStore, before: datetime) -> list[Finding]:
    """Read every payload, and return those that the ledger names and that are missing or damaged.

    Those that it does not name are counted, if they are from before then: later ones may be about to be recorded.
    """
    there = await store.digests()
    async with snapshot(ledger_url) as ledger:
        named = await ledger.payloads()
    findings = []
    for digest in sorted(named.needed | (named.maybe & there)):
        state = await store.state(digest)
        if state != "good":
            kind = Kind.PAYLOAD_MISSING if state == "missing" else Kind.PAYLOAD_DAMAGED
            findings.append(Finding(kind, digest=digest, detail=str(store.path(digest)), repairable=False))
    unnamed = there - named.needed - named.maybe
    old = await asyncio.to_thread(_older, [store.path(digest) for digest in unnamed], before)
    if old:
        examples = ", ".join(str(path) for path in sorted(old)[:3])
        findings.append(Finding(Kind.PAYLOAD_UNNAMED, detail=examples, count=len(old), repairable=False))
    return findings


async def mend_payloads(findings: Sequence[Finding], store: FolderStore, spare: FolderStore | None) -> list[Finding]:
    """Write missing and damaged payloads from a backup that has them intact; return those that were mended."""
    mended = []
    for finding in findings:
        if finding.kind in _MENDABLE and finding.digest is not None and spare is not None:
            if await spare.state(finding.digest) == "good":
                await store.put(await spare.get(finding.digest))
                finding.repaired = True
                mended.append(finding)
            else:
                finding.trouble = "the backup has not got it"
    return mended


def _older(paths: Sequence[Path], before: datetime) -> list[Path]:
    return [path for path in paths if path.exists() and datetime.fromtimestamp(path.stat().st_mtime, UTC) < before]
