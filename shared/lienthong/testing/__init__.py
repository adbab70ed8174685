"""What tests, the demo and integrators borrow: real servers for as long as they are needed."""

from __future__ import annotations
