"""Tell people and systems what happened; watch the law's deadlines.

Consumes: ``work.notifier``.
Publishes: receipts, what was found about signatures, refusals, delivery notices and deadlines to exchange ``status``;
    to itself, what its watch on deadlines has to tell.
Records: notice, sending, deadline, and on a delivery by when it has to be answered.
Refuses: nothing.
"""

from __future__ import annotations
