"""The shared samples: everything behind them is believed at their time, by their trust folder."""

from __future__ import annotations

import base64
import datetime as dt
import re
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lienthong.document.verdicts import Verdict
from lienthong.trust import TrustStore, Usage, der, judge, judge_timestamp

SAMPLES = Path(__file__).parents[4] / "shared" / "samples"
NOW = dt.datetime(2026, 11, 15, tzinfo=dt.UTC)
TOKEN = der.oid("1.2.840.113549.1.9.16.2.14")
"""The unsigned attribute that carries a signature's time stamp (RFC 3161, appendix A)."""

pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the shared samples are not beside this repository")


@pytest.fixture(scope="module")
def store() -> TrustStore:
    """Provide the samples' trust folder."""
    return TrustStore.load(SAMPLES / "pki")


def signers_in_xml(data: bytes) -> list[x509.Certificate]:
    """Return the signer's certificate of a message: the first of its KeyInfo."""
    found = re.search(rb"X509Certificate>([^<]+)<", data)
    assert found is not None
    return [x509.load_der_x509_certificate(base64.b64decode(found[1]))]


def contents_in_pdf(data: bytes) -> list[bytes]:
    """Return the CMS of every signature in a PDF."""
    return [
        der.read(bytes.fromhex(found[1].decode())).whole
        for found in re.finditer(rb"/Contents\s*<([0-9A-Fa-f]+)>", data)
    ]


def signers_in_pdf(data: bytes) -> list[x509.Certificate]:
    """Return the end entities' certificates in the signatures of a PDF."""
    certificates = [one for cms in contents_in_pdf(data) for one in pkcs7.load_der_pkcs7_certificates(cms)]
    return [one for one in certificates if not one.extensions.get_extension_for_class(x509.BasicConstraints).value.ca]


def usage_of(certificate: x509.Certificate) -> Usage:
    """Return what a sample's certificate is for."""
    for extension in certificate.extensions:
        value = extension.value
        if isinstance(value, x509.ExtendedKeyUsage) and ExtendedKeyUsageOID.TIME_STAMPING in value:
            return Usage.TIMESTAMP
    return Usage.SIGNATURE


def test_the_folder_has_no_problems(store: TrustStore) -> None:
    """Every certificate and list of the samples' trust folder is usable."""
    assert store.problems == ()


@pytest.mark.parametrize("path", sorted((SAMPLES / "signed").glob("ok-*")), ids=lambda path: path.name)
def test_every_signer_of_a_good_sample_is_believed(store: TrustStore, path: Path) -> None:
    """The certificates behind the samples are valid at their time."""
    data = path.read_bytes()
    signers = signers_in_xml(data) if path.suffix == ".xml" else signers_in_pdf(data)
    assert signers
    for signer in signers:
        found = judge(signer, at=NOW, now=NOW, usage=usage_of(signer), store=store)
        assert found.verdict is Verdict.VALID, (
            signer.subject.get_attributes_for_oid(NameOID.COMMON_NAME),
            found.reason,
        )


def test_the_stamp_in_a_sample_proves_its_time(store: TrustStore) -> None:
    """A time stamp made by another implementation is judged right, for its signature and for nothing else."""
    (cms,) = contents_in_pdf((SAMPLES / "signed/ok-bt.pdf").read_bytes())
    signed_data = der.read(list(der.children(der.read(cms).content))[1].content)
    (signer_info,) = der.children(list(der.children(signed_data.content))[-1].content)
    fields = list(der.children(signer_info.content))
    (signature,) = (field.content for field in fields if field.tag == 0x04)
    unsigned = [list(der.children(one.content)) for one in der.children(fields[-1].content)]
    (token,) = (der.read(values.content).whole for kind, values in unsigned if kind.whole == TOKEN)
    found = judge_timestamp(token, imprint_of=signature, now=NOW, store=store)
    assert found.judgement.verdict is Verdict.VALID, found.judgement.reason
    assert found.time is not None
    assert found.time <= NOW
    assert judge_timestamp(token, imprint_of=b"", now=NOW, store=store).judgement.verdict is Verdict.INVALID
