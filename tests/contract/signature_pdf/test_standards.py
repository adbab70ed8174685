"""What we sign is standard PAdES to other programs, and what others signed is right to us."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from asn1crypto import cms
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from tests.unit.signature_pdf.files import contents, letter
from tests.unit.signature_pdf.people import NOW, RECEIVED, Person, SimpleBelief, belief, person, signed, stamper

from lienthong.document.verdicts import Verdict
from lienthong.errors import MisconfiguredError
from lienthong.signature.pdf import PdfJudge, report
from lienthong.signature.pdf_examination import examine
from lienthong.testing.debian import install

if TYPE_CHECKING:
    from datetime import datetime

SAMPLES = Path(__file__).parents[4] / "shared" / "samples"
SIGNERS = ["p256", "p384", "rsa2048", "rsa3072"]


def program(name: str, package: str) -> str:
    """Return the path of a program, installed if it has to be."""
    if not shutil.which(name):
        try:
            install(package)
        except MisconfiguredError as error:
            if os.environ.get("CI", "").lower() in {"true", "1"}:
                pytest.fail(str(error), pytrace=False)
            pytest.skip(str(error))
    found = shutil.which(name)
    assert found
    return found


@pytest.fixture(scope="session")
def pdfsig() -> str:
    """Provide poppler's verifier."""
    return program("pdfsig", "poppler-utils")


@pytest.fixture(scope="session")
def openssl() -> str:
    """Provide OpenSSL's command."""
    return program("openssl", "openssl")


def run(*command: str | Path) -> str:
    """Return what a command says."""
    ended = subprocess.run(  # noqa: S603 - our own arguments
        command, check=False, capture_output=True, text=True, timeout=60
    )
    return ended.stdout + ended.stderr


@pytest.mark.parametrize("kind", SIGNERS)
@pytest.mark.parametrize("stamped", [False, True], ids=["B-B", "B-T"])
def test_poppler_agrees_on_the_integrity_of_what_we_sign(pdfsig: str, tmp_path: Path, kind: str, stamped: bool) -> None:
    """Poppler finds both signatures of a PDF we signed twice intact, as PAdES, and the last covering everything."""
    pdf = signed(letter(), person(kind=kind), stamped=stamper() if stamped else None)
    pdf = signed(pdf, person("Sở", "H23"))
    file = tmp_path / "signed.pdf"
    file.write_bytes(pdf)
    said = run(pdfsig, file)
    assert said.count("Signature is Valid") == 2, said
    assert said.count("ETSI.CAdES.detached") == 2
    assert said.count("Total document signed") == 1
    assert report(examine(pdf), pdf, at=RECEIVED, belief=belief()).verdict is Verdict.VALID


def verified(openssl: str, folder: Path, pdf: bytes, who: Person) -> str:
    """Return what OpenSSL says about a signature over the bytes around it."""
    found = contents(pdf)
    der = cms.ContentInfo.load(bytes.fromhex(found[1].decode())).dump()
    (folder / "cms.der").write_bytes(der)
    (folder / "content").write_bytes(pdf[: found.start(1) - 1] + pdf[found.end(1) + 1 :])
    (folder / "ca.pem").write_bytes(who.certificate_chain[1].public_bytes(Encoding.PEM))
    return run(
        openssl, "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", folder / "cms.der",
        "-content", folder / "content", "-CAfile", folder / "ca.pem", "-purpose", "any",
        "-out", os.devnull, "-attime", str(int(NOW.timestamp())),
    )  # fmt: skip


@pytest.mark.parametrize("kind", SIGNERS)
def test_openssl_verifies_the_cms_of_what_we_sign(openssl: str, tmp_path: Path, kind: str) -> None:
    """OpenSSL verifies the CMS, CAdES attributes included, over the bytes around it, up to our authority."""
    said = verified(openssl, tmp_path, signed(letter(), person(kind=kind)), person(kind=kind))
    assert "successful" in said, said


def samples_belief() -> SimpleBelief:
    """Return the belief in the samples' authorities, after looking at their CRLs."""
    authorities = [
        x509.load_pem_x509_certificate(file.read_bytes())
        if b"-----BEGIN" in file.read_bytes()
        else x509.load_der_x509_certificate(file.read_bytes())
        for folder in ("roots", "intermediates")
        for file in sorted((SAMPLES / "pki" / folder).iterdir())
    ]
    revoked: dict[int, datetime] = {}
    for file in sorted((SAMPLES / "pki" / "crls").iterdir()):
        data = file.read_bytes()
        crl = x509.load_pem_x509_crl(data) if b"-----BEGIN" in data else x509.load_der_x509_crl(data)
        revoked |= {entry.serial_number: entry.revocation_date_utc for entry in crl}
    return SimpleBelief(tuple(authorities), revoked)


@pytest.mark.skipif(not SAMPLES.exists(), reason="the samples are not beside this repository")
@pytest.mark.parametrize("name", ["ok-bb.pdf", "ok-bt.pdf", "ok-two.pdf"])
async def test_the_samples_are_valid(name: str) -> None:
    """The PDFs that are right by the profile are valid, every signature, by their own authorities and CRLs."""
    async with PdfJudge(workers=1) as judge:
        found = await judge.judge((SAMPLES / "signed" / name).read_bytes(), at=NOW, belief=samples_belief())
    assert found.verdict is Verdict.VALID, found
    assert found.findings[0].agency == "000.00.01.G01"


def test_signing_with_a_foreign_key_is_refused() -> None:
    """A key that is not the certificate's signs nothing."""
    wrong = Person(person("Sở", "H23").key, person().certificate_chain)
    with pytest.raises(MisconfiguredError):
        signed(letter(), wrong)


class PssPerson(Person):
    """Somebody whose token signs by RSA-PSS."""

    def sign(self, data: bytes) -> bytes:
        """Return the signature over the data."""
        assert isinstance(self.key, rsa.RSAPrivateKey)
        return self.key.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())


def test_a_key_that_signs_by_pss_is_understood(openssl: str, tmp_path: Path) -> None:
    """A signer that uses RSA-PSS gives a PDF that OpenSSL and we find intact (poppler knows no PSS)."""
    someone = person(kind="rsa2048")
    pdf = signed(letter(), PssPerson(someone.key, someone.certificate_chain))
    said = verified(openssl, tmp_path, pdf, someone)
    assert "successful" in said, said
    assert report(examine(pdf), pdf, at=RECEIVED, belief=belief()).verdict is Verdict.VALID
