"""The kit an agency installs: send documents, receive them, report what becomes of them, hear what became of its own.

::

    signer = FileSigner.load(Path("key.pem"), Path("certificate.pem"))    # or a token's: lienthong.signature.pkcs11
    async with AgencyClient("amqps://H23@axis.example/lienthong", signer=signer, state=Path("h23.sqlite")) as agency:
        await agency.send(document)                              # signed, and on the exchange's disk when it returns
        async for delivery in agency.deliveries():
            register(delivery.document, delivery.value)          # 01 is reported when the loop comes back
            await agency.report_status(delivery, "03")
        async for status in agency.statuses():
            ...                                                  # Receipt, Verified, Refused, Delivered, StatusReport …
"""

from __future__ import annotations

from lienthong.agency.client import AgencyClient
from lienthong.agency.messages import Delivery, DocumentReference, StatusReport, Submission
from lienthong.document.life_cycle import STATUS_CODES, Event, State
from lienthong.document.messages import Deadline, Delivered, Receipt, Refused, Verified, Waiting

__all__ = [
    "STATUS_CODES",
    "AgencyClient",
    "Deadline",
    "Delivered",
    "Delivery",
    "DocumentReference",
    "Event",
    "Receipt",
    "Refused",
    "State",
    "StatusReport",
    "Submission",
    "Verified",
    "Waiting",
]
