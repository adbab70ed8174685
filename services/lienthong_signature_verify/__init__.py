"""Judge every signature in a document, and say what the document is worth.

Consumes: ``work.signature-verify.urgent``, ``work.signature-verify``.
Publishes: the document to the router, unless it is held or refused; to the notifier, what was found (to the sender,
and to its receivers when a later judgement changes it) or the refusal; and to itself, the wish to judge again what
could not be found out.
Records: verification, refusal.
Refuses: a document with a signature that is broken or not trusted, or with a file that must not be passed on; an
unsigned one, or one that could not be judged in time, where the policy says so.
"""

from __future__ import annotations
