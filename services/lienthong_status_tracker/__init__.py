"""Apply the statuses that receivers report, and carry them to the sender.

Consumes: ``work.status-tracker`` (exchange ``submission``, key ``status``).
Publishes: the applied status, in the reporter's own bytes, to exchange ``status``; a refusal to the notifier.
Records: submission, status, delivery (its state), refusal.
Refuses: what is no status message, a reporter who is not the authenticated user, a document nobody sent or the reporter
never got, a step the life cycle does not allow. The last is recorded as a status too, and not applied.
Quarantines: a message without ``user_id``, since nobody can be answered for it.
"""

from __future__ import annotations
