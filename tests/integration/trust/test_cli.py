"""`lienthong trust` as an operator uses it."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from typer.testing import CliRunner

from lienthong.testing.hierarchy import Hierarchy
from lienthong.trust import DevelopmentAuthority, TrustStore
from lienthong_cli.__main__ import assembled

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def hierarchy() -> Hierarchy:
    """Provide a hierarchy that is right today."""
    return Hierarchy(NOW)


def trust(*arguments: str | Path) -> Result:
    """Run `lienthong trust` and return what came of it."""
    return CliRunner().invoke(assembled(), ["trust", *map(str, arguments)])


def written(path: Path, data: bytes) -> Path:
    """Write a file and return its path."""
    path.write_bytes(data)
    return path


def test_import_sorts_out_what_it_is_given(hierarchy: Hierarchy, tmp_path: Path) -> None:
    """Certificates, lists and answers find their places by what they are; the result is a usable folder."""
    folder = tmp_path / "trust"
    signer = hierarchy.signer().certificate
    files = [
        written(tmp_path / "a", hierarchy.root.certificate.public_bytes(Encoding.PEM)),
        written(tmp_path / "b", hierarchy.sub.certificate.public_bytes(Encoding.DER)),
        written(tmp_path / "c", hierarchy.crl(hierarchy.root).public_bytes(Encoding.DER)),
        written(tmp_path / "d", hierarchy.crl(hierarchy.sub).public_bytes(Encoding.PEM)),
        written(tmp_path / "e", hierarchy.answer(signer).public_bytes(Encoding.DER)),
    ]
    done = trust("import", *files, "--root", "--trust", folder)
    assert done.exit_code == 0, done.output
    assert hierarchy.root.certificate.fingerprint(hashes.SHA256()).hex() in done.output
    store = TrustStore.load(folder)
    assert (store.roots, store.intermediates) == ((hierarchy.root.certificate,), (hierarchy.sub.certificate,))
    assert store.problems == ()
    assert {path.parent.name for path in folder.glob("*/*")} == {"roots", "intermediates", "crls", "ocsp"}


def test_a_root_is_not_trusted_by_accident(hierarchy: Hierarchy, tmp_path: Path) -> None:
    """A self-signed certificate needs the operator's word, and its fingerprint is shown for comparing."""
    file = written(tmp_path / "a", hierarchy.root.certificate.public_bytes(Encoding.PEM))
    refused = trust("import", file, "--trust", tmp_path / "trust")
    assert refused.exit_code == 1
    assert "--root" in refused.output
    assert not (tmp_path / "trust/roots").exists()


@pytest.mark.parametrize("what", ["a signer", "junk", "nothing"])
def test_what_no_authority_made_is_not_imported(hierarchy: Hierarchy, tmp_path: Path, what: str) -> None:
    """A signer's certificate, junk and a missing file are refused in words."""
    file = tmp_path / "a"
    if what != "nothing":
        file.write_bytes(
            hierarchy.signer().certificate.public_bytes(Encoding.PEM) if what == "a signer" else b"\x30\x03junk"
        )
    refused = trust("import", file, "--root", "--trust", tmp_path / "trust")
    assert refused.exit_code == 1
    assert "lỗi / error" in refused.output


def test_status_says_what_an_operator_has_to_see_to(hierarchy: Hierarchy, tmp_path: Path) -> None:
    """Missing and stale lists are warnings with exit 1; when all is well it is exit 0."""
    authority = DevelopmentAuthority.create(tmp_path / "authority")
    folder = authority.trust_folder
    assert trust("status", "--trust", folder).exit_code == 0
    (folder / "crls/root.crl").unlink()
    late = dt.datetime.now(dt.UTC) - dt.timedelta(days=30)
    stale = DevelopmentAuthority.load(tmp_path / "authority", clock=lambda: late)
    (folder / "crls/issuing.crl").write_bytes(stale.crl("issuing"))
    (folder / "crls/strange.crl").write_bytes(hierarchy.crl(hierarchy.sub).public_bytes(Encoding.DER))
    said = trust("status", "--trust", folder, "--json")
    assert said.exit_code == 1
    found = json.loads(said.output)
    root, issuing = found["authorities"]
    assert "no authentic CRL" in root["warnings"][0]
    assert "stale since" in issuing["warnings"][0]
    assert len(found["problems"]) == 1
    spoken = trust("status", "--trust", folder)
    assert spoken.exit_code == 1
    assert "CRL hết hạn" in spoken.output


def test_list_names_every_authority(tmp_path: Path) -> None:
    """The list is what is trusted and nothing else, with fingerprints to compare."""
    authority = DevelopmentAuthority.create(tmp_path / "authority")
    listed = json.loads(trust("list", "--trust", authority.trust_folder, "--json").output)
    assert [entry["kind"] for entry in listed] == ["root", "intermediate"]
    assert listed[0]["sha256"] == authority.root.fingerprint(hashes.SHA256()).hex()
    spoken = trust("list", "--trust", authority.trust_folder).output
    assert all(entry["subject"] in spoken and entry["sha256"] in spoken for entry in listed)
    assert trust("list", "--trust", tmp_path / "nowhere").exit_code == 1


def test_a_development_authority_serves_what_a_refresh_fetches(tmp_path: Path) -> None:
    """`dev-authority --serve` makes an authority, issues to agencies, serves its lists, and ends on a signal."""
    with contextlib.closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path / "authority"
    command = [sys.executable, "-m", "lienthong_cli", "trust", "dev-authority", str(folder), "--serve"]
    command += ["--url", f"http://127.0.0.1:{port}", "--agency", "H23=Tỉnh Hải Dương", "--agency", "G22"]
    serving = subprocess.Popen(  # noqa: S603 - our own arguments
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"}
    )
    try:
        assert serving.stdout is not None
        lines: list[str] = []
        while not lines or "/tsa" not in lines[-1]:
            lines.append(serving.stdout.readline())
            assert lines[-1], lines
        done = trust("refresh", "--trust", folder / "trust")
        assert done.exit_code == 0, done.output
        assert done.output.count("✓") == 2
    finally:
        serving.send_signal(signal.SIGINT)
        serving.wait(timeout=20)
        assert serving.stdout is not None
        serving.stdout.close()
    gone = trust("refresh", "--trust", folder / "trust", "--seconds", "5")
    assert gone.exit_code == 1
    assert gone.output.count("✗") == 2
    authority = DevelopmentAuthority.load(folder)
    assert (folder / "private/root.key").stat().st_mode & 0o077 == 0
    assert authority.credential("H23").certificate.subject != authority.credential("G22").certificate.subject
