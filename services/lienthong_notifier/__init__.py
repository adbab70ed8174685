"""Tell people and systems what happened.

Consumes: ``work.notifier``.
Publishes: receipts, what was found about signatures, refusals and delivery notices to exchange ``status``.
Records: notice.
Refuses: nothing.
"""

from __future__ import annotations
