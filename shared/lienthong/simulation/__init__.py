"""Robot agencies: the 95 units of January 2019 writing to each other, for the demo, tests and measurements.

Everything is seeded: the same seed makes the same documents, addressees and answers.
"""

from __future__ import annotations
