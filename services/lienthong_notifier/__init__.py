"""Tell people and systems what happened; watch the law's deadlines.

Consumes: ``work.notifier``.
Publishes: receipts, what was found about signatures, refusals, delivery notices and deadlines to exchange ``status``;
    to itself, what its watch on deadlines has to tell; mails to an SMTP server, signed calls to webhooks.
Records: notice, letter, alarm, sending, deadline, and on a delivery by when it has to be answered.
Refuses: nothing.
"""

from __future__ import annotations
