"""OpenSSL understands what the development authority makes, and we understand what OpenSSL makes."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from lienthong.document.verdicts import Verdict
from lienthong.errors import MisconfiguredError
from lienthong.testing.debian import install
from lienthong.trust import DevelopmentAuthority, TrustStore, judge_timestamp
from lienthong.trust.development_stamps import request_stamp

if TYPE_CHECKING:
    from pathlib import Path

DATA = b"Quyet dinh so 28\n"
TSA_CONFIGURATION = """
[stamps]
default_tsa = stamps
serial = {folder}/serial
crypto_device = builtin
signer_cert = {authority}/private/tsa.pem
signer_key = {authority}/private/tsa.key
certs = {folder}/chain.pem
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
"""


@pytest.fixture(scope="module")
def openssl() -> str:
    """Provide OpenSSL's command line."""
    if not shutil.which("openssl"):
        try:
            install("openssl")
        except MisconfiguredError as error:
            if os.environ.get("CI", "").lower() in {"true", "1"}:
                pytest.fail(str(error), pytrace=False)
            pytest.skip(str(error))
    return shutil.which("openssl") or "openssl"


@pytest.fixture
def authority(tmp_path: Path) -> DevelopmentAuthority:
    """Provide a development authority with one agency."""
    made = DevelopmentAuthority.create(tmp_path / "authority", url="http://127.0.0.1:8318")
    made.issue("H23", "Văn thư UBND tỉnh")
    return made


def run(*arguments: object) -> str:
    """Run a command and return what it says; it has to succeed."""
    ended = subprocess.run(  # noqa: S603 - our own arguments
        [str(argument) for argument in arguments], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr + ended.stdout
    return ended.stdout + ended.stderr


def test_openssl_verifies_the_chain_with_its_lists(openssl: str, authority: DevelopmentAuthority) -> None:
    """An agency's certificate verifies up to the root, with both lists checked; after its revocation it does not."""
    trust = authority.trust_folder
    chain = authority.folder / "all.pem"

    def verify() -> subprocess.CompletedProcess[str]:
        run(openssl, "crl", "-inform", "DER", "-in", trust / "crls/root.crl", "-out", authority.folder / "root.pem")
        run(openssl, "crl", "-inform", "DER", "-in", trust / "crls/issuing.crl", "-out", authority.folder / "sub.pem")
        chain.write_bytes(b"".join((authority.folder / name).read_bytes() for name in ("root.pem", "sub.pem")))
        arguments = ["verify", "-x509_strict", "-crl_check_all", "-CRLfile", str(chain)]
        arguments += ["-CAfile", str(trust / "roots/root.crt"), "-untrusted", str(trust / "intermediates/issuing.crt")]
        return subprocess.run(  # noqa: S603 - our own arguments
            [openssl, *arguments, str(authority.folder / "agencies/H23.pem")],
            capture_output=True,
            text=True,
            check=False,
        )

    assert verify().returncode == 0
    authority.revoke(authority.credential("H23").certificate)
    refused = verify()
    assert refused.returncode != 0
    assert "certificate revoked" in refused.stderr


def test_openssl_accepts_our_ocsp_answers(openssl: str, authority: DevelopmentAuthority, tmp_path: Path) -> None:
    """OpenSSL's question gets an answer it believes."""
    trust, request, response = authority.trust_folder, tmp_path / "request.der", tmp_path / "answer.der"
    subject = ["-issuer", trust / "intermediates/issuing.crt", "-cert", authority.folder / "agencies/H23.pem"]
    run(openssl, "ocsp", "-no_nonce", *subject, "-reqout", request)
    for revoked, word in ((False, "good"), (True, "revoked")):
        if revoked:
            authority.revoke(authority.credential("H23").certificate)
        response.write_bytes(authority.answer(request.read_bytes()))
        said = run(openssl, "ocsp", "-no_nonce", *subject, "-respin", response, "-CAfile", trust / "roots/root.crt")
        assert "Response verify OK" in said
        assert f"H23.pem: {word}" in said


def test_openssl_verifies_our_stamps(openssl: str, authority: DevelopmentAuthority, tmp_path: Path) -> None:
    """A stamp by the development authority verifies in OpenSSL, for OpenSSL's own request and for ours."""
    trust, data, query, reply = authority.trust_folder, tmp_path / "data", tmp_path / "query", tmp_path / "reply"
    data.write_bytes(DATA)
    trusted = ["-CAfile", trust / "roots/root.crt", "-untrusted", trust / "intermediates/issuing.crt"]
    run(openssl, "ts", "-query", "-data", data, "-sha512", "-cert", "-out", query)
    reply.write_bytes(authority.stamp(query.read_bytes()))
    assert "Verification: OK" in run(openssl, "ts", "-verify", "-queryfile", query, "-in", reply, *trusted)
    reply.write_bytes(authority.stamp(request_stamp(DATA, nonce=2**63)))
    assert "Verification: OK" in run(openssl, "ts", "-verify", "-data", data, "-in", reply, *trusted)


@pytest.mark.parametrize("form", ["-token_out", "-text"], ids=["token", "response"])
@pytest.mark.parametrize("hash_name", ["-sha256", "-sha512"])
def test_we_judge_openssls_stamps(
    openssl: str, authority: DevelopmentAuthority, tmp_path: Path, form: str, hash_name: str
) -> None:
    """A stamp by OpenSSL, with its whole chain in it, alone or in a response, proves its time for its data only."""
    chain = b"".join(one.public_bytes(Encoding.PEM) for one in (authority.root, authority.issuing))
    (tmp_path / "chain.pem").write_bytes(chain)
    (tmp_path / "serial").write_text("01\n", encoding="ascii")
    (tmp_path / "data").write_bytes(DATA)
    configuration = tmp_path / "tsa.cnf"
    text = TSA_CONFIGURATION.format(folder=tmp_path, authority=authority.folder)
    configuration.write_text(text, encoding="utf-8")
    query, reply = tmp_path / "query", tmp_path / "reply"
    run(openssl, "ts", "-query", "-data", tmp_path / "data", hash_name, "-cert", "-out", query)
    extra = ["-token_out"] if form == "-token_out" else []
    section = ["-config", configuration, "-section", "stamps"]
    run(openssl, "ts", "-reply", *section, "-queryfile", query, *extra, "-out", reply)
    store, now = TrustStore.load(authority.trust_folder), dt.datetime.now(dt.UTC)
    found = judge_timestamp(reply.read_bytes(), imprint_of=DATA, now=now, store=store)
    assert found.judgement.verdict is Verdict.VALID, found.judgement.reason
    assert found.time is not None
    assert abs(found.time - now) < dt.timedelta(minutes=5)
    other = judge_timestamp(reply.read_bytes(), imprint_of=DATA[:-1], now=now, store=store)
    assert other.judgement.reason.code == "HASH_FAILURE"
