"""What can go wrong on the broker, by what its caller does about it.

::

    Unavailable
    ├── ConnectionLost      every message taken so far will be delivered again: forget them, consume again
    ├── Unroutable          no queue is bound to the key of this one message
    └── PublishForbidden    the broker closes the channel at this one message

A plain `Unavailable` is the broker's trouble, not the message's: the same call may succeed later.
"""

from __future__ import annotations

from lienthong.errors import Unavailable

__all__ = ["ConnectionLost", "PublishForbidden", "Unroutable"]


class ConnectionLost(Unavailable):
    """The consuming connection is gone, and every delivery tag with it; the broker sends again what is not acked."""


class Unroutable(Unavailable):
    """The message reached no queue: its exchange has no binding for any of its keys."""


class PublishForbidden(Unavailable):
    """The broker closes the channel at this message: no such exchange, no permission, not our user, or too large."""
