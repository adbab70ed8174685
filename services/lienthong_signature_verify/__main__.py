"""Run the signature-verify worker: `python -m lienthong_signature_verify`."""

from __future__ import annotations

from lienthong.payload import FolderStore
from lienthong.settings import PayloadSettings
from lienthong.worker.service import Connections, main
from lienthong_signature_verify.handler import VerifySignature


async def build(_connections: Connections) -> VerifySignature:
    """Return the handler with what the settings name."""
    return VerifySignature(FolderStore(PayloadSettings().folder))


if __name__ == "__main__":
    main(VerifySignature.step, build, role="lienthong_signature_verify")
