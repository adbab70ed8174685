"""Run the ingest worker: `python -m lienthong_ingest`."""

from __future__ import annotations

from lienthong.payload import FolderStore
from lienthong.settings import PayloadSettings
from lienthong.worker.service import Connections, main
from lienthong_ingest.handler import IngestDocument


async def build(_connections: Connections) -> IngestDocument:
    """Return the handler with what the settings name."""
    return IngestDocument(FolderStore(PayloadSettings().folder))


if __name__ == "__main__":
    main(IngestDocument.step, build, role="lienthong_ingest")
