"""Do we believe the signer at that moment: trust anchors, certificate paths, revocation, time stamps.

`TrustStore` is a snapshot of what is trusted; `judge` answers for a certificate, `judge_timestamp` for an RFC 3161
token, both from the snapshot alone; `Refresher` fetches what authorities publish, in the background, into the folder
from which the next snapshot is read. `DevelopmentAuthority` plays all the authorities for demo and tests. What speaks
HTTP stays in modules of its own (`refresher`, `development_server`), so that a judge need not load it.
"""

from __future__ import annotations

from lienthong.trust.development import DevelopmentAuthority
from lienthong.trust.development_certificates import Credential
from lienthong.trust.judgement import Judgement, judge
from lienthong.trust.path import Usage
from lienthong.trust.sources import Evidence
from lienthong.trust.store import TrustStore
from lienthong.trust.timestamps import TimestampJudgement, judge_timestamp

__all__ = [
    "Credential",
    "DevelopmentAuthority",
    "Evidence",
    "Judgement",
    "TimestampJudgement",
    "TrustStore",
    "Usage",
    "judge",
    "judge_timestamp",
]
