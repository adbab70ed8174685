"""Run the ingest worker: `python -m lienthong_ingest`."""

from __future__ import annotations

from lienthong.payload import JournaledStore
from lienthong.settings import PayloadSettings, QuotaSettings
from lienthong.worker.diversion import Diversion
from lienthong.worker.quotas import Quotas
from lienthong.worker.service import Connections, main
from lienthong_ingest.handler import IngestDocument


async def build(connections: Connections) -> IngestDocument:
    """Return the handler with what the settings name."""
    store = JournaledStore(PayloadSettings().folder)
    diversion = await connections.closing.enter_async_context(Diversion(connections.bus, connections.ledger))
    quotas = Quotas("document", QuotaSettings(), diversion)
    return IngestDocument(await connections.closing.enter_async_context(store), quotas)


if __name__ == "__main__":
    main(IngestDocument.step, build, role="lienthong_ingest")
