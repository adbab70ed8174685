"""The trust folder: what is read, what is left out, and when it is read again."""

from __future__ import annotations

import base64
import datetime as dt
import os
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from lienthong.document.verdicts import Verdict
from lienthong.errors import MisconfiguredError
from lienthong.testing.hierarchy import Hierarchy, Revocation
from lienthong.trust import TrustStore, Usage, judge
from lienthong.trust.crl import read_crl

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography import x509

NOW = dt.datetime(2026, 11, 15, tzinfo=dt.UTC)


@pytest.fixture
def hierarchy() -> Hierarchy:
    """Provide a hierarchy of this test's own."""
    return Hierarchy(NOW)


@pytest.fixture
def folder(tmp_path: Path, hierarchy: Hierarchy) -> Path:
    """Provide a complete trust folder, PEM and DER mixed."""
    write(tmp_path / "roots/root.pem", hierarchy.root.certificate.public_bytes(Encoding.PEM))
    write(tmp_path / "intermediates/sub.crt", hierarchy.sub.certificate.public_bytes(Encoding.DER))
    lists = [hierarchy.crl(hierarchy.root), hierarchy.crl(hierarchy.sub)]
    write(tmp_path / "crls/root.crl", lists[0].public_bytes(Encoding.DER))
    write(tmp_path / "crls/sub.crl", lists[1].public_bytes(Encoding.PEM))
    return tmp_path


def write(path: Path, data: bytes) -> None:
    """Write a file as a download does: whole, under its name at once."""
    path.parent.mkdir(exist_ok=True)
    unfinished = path.with_name(f".{path.name}")
    unfinished.write_bytes(data)
    unfinished.replace(path)


def verdict(certificate: x509.Certificate, store: TrustStore) -> Verdict:
    """Return the verdict on a signer now."""
    return judge(certificate, at=NOW, now=NOW, usage=Usage.SIGNATURE, store=store).verdict


def test_a_folder_in_pem_and_der_is_read(folder: Path, hierarchy: Hierarchy) -> None:
    """Both encodings are read, whatever a file is called."""
    store = TrustStore.load(folder)
    assert store.problems == ()
    assert verdict(hierarchy.signer().certificate, store) is Verdict.VALID


def test_several_things_in_one_pem_file_are_all_read(folder: Path, hierarchy: Hierarchy) -> None:
    """A bundle of lists or certificates is as good as single files."""
    for name in ("root.crl", "sub.crl"):
        (folder / "crls" / name).unlink()
    bundle = b"".join(hierarchy.crl(one).public_bytes(Encoding.PEM) for one in (hierarchy.root, hierarchy.sub))
    write(folder / "crls/all.pem", bundle)
    assert verdict(hierarchy.signer().certificate, TrustStore.load(folder)) is Verdict.VALID


def test_an_answer_in_pem_or_der_is_read(folder: Path, hierarchy: Hierarchy) -> None:
    """OCSP answers, too, may be kept in either form."""
    (folder / "crls/sub.crl").unlink()
    for name, pem in (("der", False), ("pem", True)):
        signer = hierarchy.signer().certificate
        data = hierarchy.answer(signer).public_bytes(Encoding.DER)
        if pem:
            body = base64.encodebytes(data)
            data = b"-----BEGIN OCSP RESPONSE-----\n" + body + b"-----END OCSP RESPONSE-----\n"
        write(folder / f"ocsp/{name}", data)
        store = TrustStore.load(folder)
        assert store.problems == ()
        assert verdict(signer, store) is Verdict.VALID


def test_a_changed_list_is_picked_up(folder: Path, hierarchy: Hierarchy) -> None:
    """The next snapshot sees what a refresh wrote; the old one stays as it was."""
    signer = hierarchy.signer().certificate
    store = TrustStore.load(folder)
    assert store.current() is store
    crl = hierarchy.crl(hierarchy.sub, Revocation(signer, NOW - dt.timedelta(days=1)))
    write(folder / "crls/sub.crl", crl.public_bytes(Encoding.DER))
    newer = store.current()
    assert verdict(signer, newer) is Verdict.INVALID
    assert verdict(signer, store) is Verdict.VALID
    assert newer.current() is newer


def test_only_what_is_new_is_authenticated_again(
    folder: Path, hierarchy: Hierarchy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large list that did not change costs nothing when another one did."""
    store = TrustStore.load(folder)
    authenticated: list[str] = []

    def counting(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> object:
        authenticated.append(crl.issuer.rfc4514_string())
        return read_crl(crl, issuer)

    monkeypatch.setattr("lienthong.trust.store.read_crl", counting)
    write(folder / "crls/sub.crl", hierarchy.crl(hierarchy.sub).public_bytes(Encoding.DER))
    assert store.current() is not store
    assert authenticated == [hierarchy.sub.certificate.subject.rfc4514_string()]


@pytest.mark.parametrize("place", ["intermediates/x.crt", "crls/x.crl", "ocsp/x.der", "roots/x.pem"])
def test_a_broken_file_is_named_and_left_out(folder: Path, hierarchy: Hierarchy, place: str) -> None:
    """Half a download neither stops the exchange nor goes unnoticed."""
    write(folder / place, b"\x30\x82\x10\x00 half a file")
    store = TrustStore.load(folder)
    assert len(store.problems) == 1
    assert store.problems[0].startswith(place)
    assert verdict(hierarchy.signer().certificate, store) is Verdict.VALID


def test_an_unfinished_file_is_not_looked_at(folder: Path) -> None:
    """What is being written under a hidden name is not part of the folder yet."""
    store = TrustStore.load(folder)
    (folder / "crls/.sub.crl.1").write_bytes(b"half")
    assert store.current() is store


def test_a_list_that_is_not_authentic_is_named(folder: Path) -> None:
    """An operator learns of a list that nobody configured signed."""
    stranger = Hierarchy(NOW)
    write(folder / "crls/lie.crl", stranger.crl(stranger.sub).public_bytes(Encoding.DER))
    (problem,) = TrustStore.load(folder).problems
    assert problem.startswith("CRL of CN=Sub CA")


def test_a_folder_without_roots_is_a_mistake_of_the_operator(folder: Path, tmp_path: Path) -> None:
    """Nothing could ever be believed without a root: that is said at the start, not by refusing every document."""
    with pytest.raises(MisconfiguredError, match="does not exist"):
        TrustStore.load(tmp_path / "nowhere")
    (folder / "roots/root.pem").unlink()
    with pytest.raises(MisconfiguredError, match="roots/"):
        TrustStore.load(folder)


def test_a_file_touched_but_not_changed_keeps_the_verdict(folder: Path, hierarchy: Hierarchy) -> None:
    """Reading again what is the same gives the same."""
    store = TrustStore.load(folder)
    os.utime(folder / "crls/sub.crl", (1, 1))
    assert verdict(hierarchy.signer().certificate, store.current()) is Verdict.VALID
