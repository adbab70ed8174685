"""What is trusted: roots, intermediates, and what authorities say about revocation, as one immutable snapshot.

A folder holds it, in PEM or DER::

    roots/           certificates trusted by decision of the operator
    intermediates/   certificates of authorities under them; only these are ever used to build a path
    crls/            revocation lists
    ocsp/            OCSP answers

Everything is read, authenticated and indexed when the snapshot is made, so that a judgement only looks things up. A
file that cannot be used is left out and named in `TrustStore.problems`: a broken download must not stop the exchange.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.verification import Store

from lienthong.trust.crl import read_crl
from lienthong.trust.folder import Contents, read_folder, stamps_of
from lienthong.trust.status_answers import read_ocsp
from lienthong.trust.strength import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from cryptography import x509
    from cryptography.x509 import ocsp

    from lienthong.trust.folder import Parsed, Stamp
    from lienthong.trust.sources import Source

__all__ = ["TrustStore", "identity"]

_Done = dict[tuple[bytes, bytes], "tuple[Source, ...]"]
"""What was authenticated already: by the digest of the source and the identity of the authority."""


class TrustStore:
    """One snapshot of what is trusted; nothing in it ever changes. `load` and `of` make one.

    Attributes:
        roots: the trust anchors.
        intermediates: the configured authorities under them.
        problems: what was left out, and why; for operators.
        folder: where it was read from; None when it was made of things at hand.
    """

    def __init__(
        self,
        contents: Contents,
        *,
        folder: Path | None = None,
        stamps: tuple[Stamp, ...] = (),
        parsed: Parsed | None = None,
        done: _Done | None = None,
    ) -> None:
        self.roots = tuple(dict.fromkeys(contents.roots))
        self.intermediates = tuple(dict.fromkeys(contents.intermediates))
        self.folder = folder
        self.anchors = Store(list(self.roots)) if self.roots else None
        self.candidates = list(self.intermediates)
        self._stamps = stamps
        self._parsed = parsed or {}
        self._by_subject: dict[bytes, tuple[x509.Certificate, ...]] = {}
        for authority in self.all_authorities():
            name = authority.subject.public_bytes()
            self._by_subject[name] = (*self._by_subject.get(name, ()), authority)
        self._lists: dict[bytes, tuple[Source, ...]] = {}
        self._answers: dict[tuple[bytes, int], tuple[Source, ...]] = {}
        self._done: _Done = {}
        problems = list(contents.problems)
        for crl in contents.crls:
            self._take_crl(crl, done or {}, problems)
        for answer in contents.answers:
            self._take_answer(answer, done or {}, problems)
        self.problems = tuple(problems)

    @classmethod
    def of(
        cls,
        *,
        roots: Iterable[x509.Certificate],
        intermediates: Iterable[x509.Certificate] = (),
        crls: Iterable[x509.CertificateRevocationList] = (),
        answers: Iterable[ocsp.OCSPResponse] = (),
    ) -> TrustStore:
        """Make a snapshot of things at hand, such as the evidence kept with a verdict."""
        return cls(Contents(list(roots), list(intermediates), list(crls), list(answers)))

    @classmethod
    def load(cls, folder: Path) -> TrustStore:
        """Read a folder.

        Raises:
            MisconfiguredError: there is no such folder, or no root in it.
        """
        # The stamps are taken first: what changes while it is read is read once more.
        stamps = stamps_of(folder)
        contents, parsed = read_folder(folder, stamps, {})
        return cls(contents, folder=folder, stamps=stamps, parsed=parsed)

    def current(self) -> TrustStore:
        """Return this snapshot, or a new one when a file of its folder came, went or changed.

        Only files that changed are read, and only what is new is authenticated. A snapshot that was not read from a
        folder is always current.

        Raises:
            MisconfiguredError: the folder, or every root in it, is gone.
        """
        if self.folder is None:
            return self
        stamps = stamps_of(self.folder)
        if stamps == self._stamps:
            return self
        contents, parsed = read_folder(self.folder, stamps, self._parsed)
        return TrustStore(contents, folder=self.folder, stamps=stamps, parsed=parsed, done=self._done)

    def all_authorities(self) -> tuple[x509.Certificate, ...]:
        """Return every configured authority: roots, then intermediates."""
        return tuple(dict.fromkeys((*self.roots, *self.intermediates)))

    def authorities(self, name: x509.Name) -> tuple[x509.Certificate, ...]:
        """Return the configured authorities with exactly this name, compared by its DER bytes."""
        return self._by_subject.get(name.public_bytes(), ())

    def sources(self, authority: x509.Certificate, serial_number: int) -> tuple[Source, ...]:
        """Return everything authentic that an authority says about revocation of one of its certificates."""
        key = identity(authority)
        return (*self._lists.get(key, ()), *self._answers.get((key, serial_number), ()))

    def lists(self, authority: x509.Certificate) -> tuple[Source, ...]:
        """Return the authentic CRLs of an authority."""
        return self._lists.get(identity(authority), ())

    def _take_crl(self, crl: x509.CertificateRevocationList, done: _Done, problems: list[str]) -> None:
        name = f"CRL of {crl.issuer.rfc4514_string()}"
        digest = crl.fingerprint(hashes.SHA256())
        authorities = self.authorities(crl.issuer)
        used = False
        for authority in authorities:
            key = (digest, identity(authority))

            def read(authority: x509.Certificate = authority) -> tuple[Source, ...]:
                source = read_crl(crl, authority)
                return () if source is None else (source,)

            self._done[key] = done[key] if key in done else _attempt(read, name, problems)
            used = used or bool(self._done[key])
            self._lists[key[1]] = (*self._lists.get(key[1], ()), *self._done[key])
        if not used:
            problems.append(f"{name}: not signed by a configured authority of this name, or of a kind not used here")

    def _take_answer(self, answer: ocsp.OCSPResponse, done: _Done, problems: list[str]) -> None:
        hasher = hashes.Hash(hashes.SHA256())
        hasher.update(answer.public_bytes(Encoding.DER))
        digest = hasher.finalize()
        used = False
        for authority in self.all_authorities():
            key = (digest, identity(authority))

            def read(authority: x509.Certificate = authority) -> tuple[Source, ...]:
                return read_ocsp(answer, authority)

            self._done[key] = done[key] if key in done else _attempt(read, "OCSP answer", problems)
            for source in self._done[key]:
                used = True
                assert isinstance(source.only, int)
                place = (key[1], source.only)
                self._answers[place] = (*self._answers.get(place, ()), source)
        if not used:
            problems.append("OCSP answer: not signed for a configured authority")


def identity(certificate: x509.Certificate) -> bytes:
    """Return the SHA-256 fingerprint of a certificate."""
    return certificate.fingerprint(hashes.SHA256())


def _attempt(read: Callable[[], tuple[Source, ...]], name: str, problems: list[str]) -> tuple[Source, ...]:
    try:
        return read()
    except UNREADABLE as error:
        problems.append(f"{name}: {error}")
        return ()
