"""Judge the statuses that receivers report by their signatures, apply them, and carry them to the sender.

Consumes: ``work.status-tracker`` (exchange ``submission``, key ``status``).
Publishes: the applied status, in the reporter's own bytes with what was found about its signature, to exchange
``status``; a refusal to the notifier.
Records: submission, status (with verdict, signer and evidence), delivery (its state), action (what the
answer to a withdrawal or an update settles), refusal.
Refuses: what is no status message, a reporter who is not the authenticated user, a document nobody sent or the reporter
never got, a signature that is broken, not trusted, revoked or another agency's, no signature where the policy demands
one, a step the life cycle does not allow. The last is recorded as a status too, and not applied.
Applies all the same: a status whose signature could not be judged now. It is no legal document, and says
*indeterminate* to whoever is told.
Quarantines: a message without ``user_id``, since nobody can be answered for it.
"""

from __future__ import annotations
