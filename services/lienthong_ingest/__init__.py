"""Accept what an agency submitted.

Consumes: ``work.ingest.urgent``, ``work.ingest`` (exchange ``submission``, keys ``<code>.document.urgent`` and
``<code>.document``), and slowly ``work.ingest.diverted``, where documents of an agency come that sends more than it
may, and ``work.ingest.returned``, to which it has the broker move what an agency sends very much of at once.
Publishes: the document to signature-verify; its receipt or refusal to the notifier.
Records: submission, document, attachment, refusal, how much of its quotas an agency has used, who is diverted.
Refuses: what is not edXML, lacks a field, is too large or broken; a sender who is not the authenticated user; an id
that was used before for other content; what is more than an agency may send.
Quarantines: a message without ``user_id``, since nobody can be answered for it.
"""

from __future__ import annotations
