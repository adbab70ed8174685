"""Run the router worker: `python -m lienthong_router`."""

from __future__ import annotations

from lienthong.payload import FolderStore
from lienthong.settings import PayloadSettings
from lienthong.worker.service import Connections, main
from lienthong_router.handler import RouteDocument


async def build(connections: Connections) -> RouteDocument:
    """Return the handler with what the settings name."""
    return RouteDocument(FolderStore(PayloadSettings().folder), connections.bus.declare)


if __name__ == "__main__":
    main(RouteDocument.step, build, role="lienthong_router")
