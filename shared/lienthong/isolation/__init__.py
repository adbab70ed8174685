"""Processes that may be killed by a bad input without harm to others.

What strangers send is read by libraries that can be made to run for ever, to take all memory, or to crash. So it is
read in processes of its own (`Pool` owns them, `lienthong.isolation.child` is what runs in them), whose limits the
kernel holds; one request more or less is all that the death of such a process costs.
"""

from __future__ import annotations

from lienthong.isolation.pool import Answer, Death, Pool

__all__ = ["Answer", "Death", "Pool"]
