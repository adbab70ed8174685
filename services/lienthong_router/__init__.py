"""Put a document into the delivery queue of every addressee.

Consumes: ``work.router.urgent``, ``work.router``.
Publishes: the document, once, to exchange ``delivery`` with every addressee's key (RabbitMQ's ``BCC`` header); the
notice of its delivery, or its refusal, to the notifier.
Records: routing, delivery, refusal.
Refuses: an addressee nobody knows, one that neither is connected nor stands below a connected agency, and one that is
named twice in two forms of its code. All or nothing: one such addressee refuses the document.
"""

from __future__ import annotations
