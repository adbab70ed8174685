"""Run the status-tracker worker: `python -m lienthong_status_tracker`."""

from __future__ import annotations

from lienthong.payload import FolderStore
from lienthong.settings import PayloadSettings
from lienthong.worker.service import Connections, main
from lienthong_status_tracker.handler import TrackStatus


async def build(_connections: Connections) -> TrackStatus:
    """Return the handler with what the settings name."""
    return TrackStatus(FolderStore(PayloadSettings().folder))


if __name__ == "__main__":
    main(TrackStatus.step, build, role="lienthong_status_tracker")
