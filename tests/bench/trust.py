"""How long a judgement takes on warm caches, and what a large list and a changed folder cost. Prints, does not judge.

Run it with ``python tests/bench/trust.py``.
"""

from __future__ import annotations

import datetime as dt
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from lienthong.testing.hierarchy import Hierarchy
from lienthong.trust import DevelopmentAuthority, TrustStore, Usage, judge, judge_timestamp
from lienthong.trust.development_stamps import request_stamp

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
LISTED, ANSWERS, ROUNDS = 20_000, 1_000, 500


def milliseconds(action: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Return the best of five means of an action, in milliseconds."""
    best = float("inf")
    for _ in range(5):
        begun = time.perf_counter()
        for _ in range(rounds):
            action()
        best = min(best, (time.perf_counter() - begun) / rounds * 1000)
    return best


def say(what: str, value: float) -> None:
    """Print one measurement."""
    sys.stdout.write(f"{what:<55} {value:9.3f} ms\n")


def large_list(h: Hierarchy) -> x509.CertificateRevocationList:
    """Return a list of many certificates that are not the one judged."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(h.sub.certificate.subject)
        .last_update(NOW - dt.timedelta(days=1))
        .next_update(NOW + dt.timedelta(days=6))
    )
    for serial in range(1, LISTED + 1):
        entry = x509.RevokedCertificateBuilder(serial, NOW - dt.timedelta(days=9))
        reason = x509.CRLReason(x509.ReasonFlags.superseded)
        builder = builder.add_revoked_certificate(entry.add_extension(reason, critical=False).build())
    return builder.sign(h.sub.key, SHA256())


def arithmetic() -> None:
    """Measure one RSA-2048 verification, to compare with."""
    key = rsa.generate_private_key(65537, 2048)
    signature, public = key.sign(b"x", padding.PKCS1v15(), SHA256()), key.public_key()
    say("one RSA-2048 verification", milliseconds(lambda: public.verify(signature, b"x", padding.PKCS1v15(), SHA256())))


def judgements() -> None:
    """Measure judgements of a signer and of a time stamp."""
    h = Hierarchy(NOW)
    crl, signer = large_list(h), h.signer().certificate
    store = h.store(h.crl(h.root), crl, answers=[h.answer(signer)])
    say(
        f"judge a signer: list of {LISTED:,} and an OCSP answer",
        milliseconds(lambda: judge(signer, at=NOW, now=NOW, usage=Usage.SIGNATURE, store=store)),
    )
    say(f"authenticate and index a list of {LISTED:,}, once", milliseconds(lambda: h.store(h.crl(h.root), crl), 2))


def folders() -> None:
    """Measure what a folder with many answers costs when nothing, and when one file, changed."""
    with tempfile.TemporaryDirectory() as name:
        authority = DevelopmentAuthority.create(Path(name) / "authority")
        token = authority.stamp(request_stamp(b"data"))
        folder, h = authority.trust_folder, Hierarchy(NOW)
        (folder / "roots/h.crt").write_bytes(h.root.certificate.public_bytes(Encoding.DER))
        (folder / "intermediates/h.crt").write_bytes(h.sub.certificate.public_bytes(Encoding.DER))
        for number in range(ANSWERS):
            answer = h.answer(h.signer().certificate).public_bytes(Encoding.DER)
            (folder / f"ocsp/{number}.der").write_bytes(answer)
        store = TrustStore.load(folder)
        say(
            "judge a time stamp",
            milliseconds(lambda: judge_timestamp(token, imprint_of=b"data", now=dt.datetime.now(dt.UTC), store=store)),
        )
        say(f"look whether a folder of {ANSWERS:,} answers changed", milliseconds(store.current, 20))

        def changed() -> None:
            authority.publish()
            store.current()

        say("the same, and read again what did", milliseconds(changed, 5))


def main() -> None:
    """Measure everything."""
    arithmetic()
    judgements()
    folders()


if __name__ == "__main__":
    main()
