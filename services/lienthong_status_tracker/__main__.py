"""Run the status-tracker worker: `python -m lienthong_status_tracker`."""

from __future__ import annotations

from lienthong.payload import JournaledStore
from lienthong.settings import LifeCycleSettings, PayloadSettings, QuotaSettings, SignatureSettings, TrustSettings
from lienthong.signature.policy import Policy
from lienthong.trust.refresher import Refresher
from lienthong.worker.examiners import Examiners
from lienthong.worker.quotas import Quotas
from lienthong.worker.service import Connections, main
from lienthong.worker.trusting import TrustCheck
from lienthong_status_tracker.handler import TrackStatus


async def build(connections: Connections) -> TrackStatus:
    """Return the handler with what the settings name, and begin what goes on beside it."""
    signature, trust, enter = SignatureSettings(), TrustSettings(), connections.closing.enter_async_context
    folder = PayloadSettings().folder
    policy = Policy.read(signature.policy) if signature.policy else Policy()
    # A status has no attached files: there is nothing for ClamAV to scan.
    examiners = await enter(Examiners(folder, trust.folder, processes=signature.processes))
    connections.checks["trust"] = TrustCheck(trust.folder)
    refresher = await enter(Refresher(trust.folder)) if trust.refresh else None
    remember = refresher.remember if refresher else None
    quotas = Quotas("status", QuotaSettings())
    strict = LifeCycleSettings().profile == "strict"
    store = await enter(JournaledStore(folder))
    return TrackStatus(store, examiners, policy, remember=remember, quotas=quotas, strict=strict)


if __name__ == "__main__":
    main(TrackStatus.step, build, role="lienthong_status_tracker")
