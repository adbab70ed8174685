"""Tell people and systems what happened.

Consumes: ``work.notifier``.
Publishes: receipts, refusals and delivery notices to exchange ``status``.
Records: notice.
Refuses: nothing.
"""

from __future__ import annotations
