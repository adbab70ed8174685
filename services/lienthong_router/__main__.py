"""Run the router worker: `python -m lienthong_router`."""

from __future__ import annotations

from lienthong.payload import FolderStore
from lienthong.settings import ParkingSettings, PayloadSettings
from lienthong.worker.service import Connections, main
from lienthong_router.handler import RouteDocument
from lienthong_router.parking import Parking


async def build(connections: Connections) -> RouteDocument:
    """Return the handler with what the settings name, and begin what goes on beside it."""
    store, bus = FolderStore(PayloadSettings().folder), connections.bus
    parking = Parking(connections.ledger, bus, store, ParkingSettings().limit)
    await connections.closing.enter_async_context(parking)
    return RouteDocument(store, bus.declare, parking.note)


if __name__ == "__main__":
    main(RouteDocument.step, build, role="lienthong_router")
