"""Put a document into the delivery queue of every addressee.

Consumes: ``work.router.urgent``, ``work.router``.
Publishes: the document, once, to exchange ``delivery`` with every addressee's key (RabbitMQ's ``BCC`` header); the
notice of its delivery, or its refusal, to the notifier. For an addressee that does not collect it waits in the ledger.
Records: routing, delivery, refusal; what a withdrawal, an update or a replacement does to earlier deliveries (action,
and the delivery's state); who is parked, and what waits for them.
Refuses: an addressee nobody knows, one that neither is connected nor stands below a connected agency, and one that is
named twice in two forms of its code. A withdrawal, an update or a replacement of what its sender never sent there, or
of what has ended there. All or nothing: one such addressee refuses the document.
Waits: for the document that another one acts on, when it was overtaken by it.
"""

from __future__ import annotations
