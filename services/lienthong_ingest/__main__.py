"""Run the ingest worker: `python -m lienthong_ingest`."""

from __future__ import annotations

from lienthong.payload import JournaledStore
from lienthong.settings import PayloadSettings, QuotaSettings
from lienthong.worker.ladder import Ladder
from lienthong.worker.quotas import Quotas
from lienthong.worker.service import Connections, main, own_user
from lienthong_ingest.handler import IngestDocument


async def build(connections: Connections) -> IngestDocument:
    """Return the handler with what the settings name."""
    store = JournaledStore(PayloadSettings().folder)
    quotas = Quotas("document", QuotaSettings())
    ladder = Ladder(IngestDocument.step, own_user(connections.bus))
    return IngestDocument(await connections.closing.enter_async_context(store), quotas, ladder.put_aside)


if __name__ == "__main__":
    main(IngestDocument.step, build, role="lienthong_ingest")
