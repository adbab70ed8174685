"""Run the signature-verify worker: `python -m lienthong_signature_verify`."""

from __future__ import annotations

from lienthong.settings import PayloadSettings, SignatureSettings, TrustSettings
from lienthong.signature.policy import Policy
from lienthong.trust.refresher import Refresher
from lienthong.worker.examiners import Examiners
from lienthong.worker.service import Connections, main
from lienthong.worker.trusting import TrustCheck
from lienthong_signature_verify.handler import VerifySignature
from lienthong_signature_verify.relay import Relay


async def build(connections: Connections) -> VerifySignature:
    """Return the handler with what the settings name, and begin what goes on beside it."""
    signature, trust, enter = SignatureSettings(), TrustSettings(), connections.closing.enter_async_context
    policy = Policy.read(signature.policy) if signature.policy else Policy()
    examiners = await enter(
        Examiners(PayloadSettings().folder, trust.folder, processes=signature.processes, clamd=signature.clamd)
    )
    connections.checks["trust"] = TrustCheck(trust.folder)
    refresher = await enter(Refresher(trust.folder)) if trust.refresh else None
    await enter(Relay(connections.ledger, connections.bus, trust.folder))
    return VerifySignature(examiners, policy, remember=refresher.remember if refresher else None)


if __name__ == "__main__":
    main(VerifySignature.step, build, role="lienthong_signature_verify")
