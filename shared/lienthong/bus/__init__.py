"""The only aio-pika code: a connection that reconnects, batches in, confirmed batches out."""

from __future__ import annotations
