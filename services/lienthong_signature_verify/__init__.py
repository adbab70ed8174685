"""Judge every signature in a document.

Consumes: ``work.signature-verify.urgent``, ``work.signature-verify``.
Publishes: the document to the router.
Records: verification.
Refuses: nothing yet.

There is no signature profile yet: the verdict on every document is *indeterminate*, with that as its reason. What is
judged already is that the payload is the one that was received and that its sender is the authenticated user.
"""

from __future__ import annotations
