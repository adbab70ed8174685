"""What we sign is standard XML-DSig and XAdES, and what others sign by profile 1 we accept."""

from __future__ import annotations

import datetime as dt
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from signxml.verifier import SignatureConfiguration, XMLVerifier

from lienthong.edxml import Attachment, Document, Organization, ResponseFor, Status, encode
from lienthong.signature import Layout, examine_message, sign_message
from lienthong.testing.message_forge import HEADER, Draft, Kind, signer

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography import x509

NOON = dt.datetime(2026, 11, 10, 5, tzinfo=dt.UTC)
KINDS: tuple[Kind, ...] = ("rsa", "pss", "p256", "p384")
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
DOCUMENT = Document(
    Organization("000.00.01.G01", "Bộ <Thử> & nghiệm"),
    (Organization("000.00.02.H02"),),
    "d-1",
    subject='V/v "thử"\nnghiệm',
    attachments=(Attachment("a.pdf", b"%PDF-1.7 a"), Attachment("b.txt", b"b")),
)
STATUS = Status(Organization("H02"), ResponseFor("000.00.01.G01", "d-1"), "03")
HERE = Path(__file__).parent


def written(folder: Path, kind: Kind) -> list[Path]:
    """Return files of messages we signed: a document, the same with a hop's trace, and a status."""
    document = sign_message(encode(DOCUMENT), signer(kind), signing_time=NOON)
    end = b"</edXML:TraceHeaderList>"
    hop = b"<edXML:TraceHeader><edXML:OrganId>P01</edXML:OrganId></edXML:TraceHeader>"
    status = sign_message(encode(STATUS), signer(kind), signing_time=NOON)
    files = []
    for name, data in (("document", document), ("traced", document.replace(end, hop + end)), ("status", status)):
        files.append(folder / f"{kind}-{name}.xml")
        files[-1].write_bytes(data)
    return files


def test_every_sample_is_intact(signed_samples: tuple[Path, ...]) -> None:
    """Messages that others signed by profile 1 are accepted, in every layout among them."""
    found = {sample.name: examine_message(sample.read_bytes()) for sample in signed_samples}
    assert {name: each.reason.en for name, each in found.items() if each.state != "intact"} == {}
    assert {each.layout for each in found.values()} == {"manifest", "enveloped"}
    assert {each.agency for each in found.values()} == {"000.00.01.G01"}


ODD = {
    "no default namespace": '<x xmlns=""><y/></x>',
    "default namespace taken back": '<a xmlns="urn:a"><b xmlns=""><c xmlns="urn:a"/></b></a>',
    "prefix bound again": '<edXML:a><p:b xmlns:p="urn:1"><p:c xmlns:p="urn:2" p:d="e"/></p:b></edXML:a>',
    "prefix used by an attribute only": '<a xmlns:p="urn:1" xmlns:q="urn:2" q:x="1" p:x="2" x="3"/>',
    "prefix declared and not used": '<a xmlns:p="urn:1"><b xmlns:q="urn:2"/></a>',
    "attributes of xml": '<a xml:lang="vi" xml:space="preserve"> <b xml:lang=""/> </a>',
    "signs in an attribute": "<a b='\"&#9;&#10;&#13;&lt;&amp;>'/>",
    "signs in a text": "<a>&#13;&#10;\t&gt;&lt;&amp;\"'\U0001d11e</a>",
    "line ends": "<a>\r\n\r</a>",
    "CDATA": "<a><![CDATA[<&>]]>]]&gt;</a>",
    "letters apart": "<a b='\u1ea1\u0323'>e\u0302\u0323</a>",
}


def test_the_jdk_agrees_about_canonical_forms(tmp_path: Path, program: Callable[[str, str], Path]) -> None:
    """What we hash is exclusive canonical XML as others write it, in every layout, however odd the message."""
    java = program("java", "default-jdk-headless")
    program("javac", "default-jdk-headless")
    files: dict[str, Path] = {}
    for name, xml in ODD.items():
        for layout in LAYOUTS:
            header = HEADER.replace("</edXML:MessageHeader>", f"{xml}</edXML:MessageHeader>")
            data = Draft(layout, header=header).sign()
            assert examine_message(data).state == "intact", name
            files[f"{name}, {layout}"] = tmp_path / f"{len(files)}.xml"
            files[f"{name}, {layout}"].write_bytes(data)
    ran = subprocess.run(  # noqa: S603 - a program of Debian's
        [java, HERE / "VerifySignature.java", *files.values()], capture_output=True, text=True, check=False, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    assert dict(zip(files, ran.stdout.split(), strict=True)) == dict.fromkeys(files, "valid")


def test_the_jdk_confirms_what_we_sign(tmp_path: Path, program: Callable[[str, str], Path]) -> None:
    """Our signatures are standard XML-DSig to the JDK, with every kind of key."""
    java = program("java", "default-jdk-headless")
    program("javac", "default-jdk-headless")
    files = [file for kind in KINDS for file in written(tmp_path, kind)]
    changed = tmp_path / "changed.xml"
    changed.write_bytes(files[0].read_bytes().replace(b"d-1<", b"d-2<", 1))
    ran = subprocess.run(  # noqa: S603 - programs of Debian's
        [java, HERE / "VerifySignature.java", *files, changed], capture_output=True, text=True, check=False, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == ["valid"] * len(files) + ["invalid"]


# xmlsec1 of Debian 12 does not know RSA-PSS without parameters.
@pytest.mark.parametrize("kind", ["rsa", "p256", "p384"])
def test_xmlsec_confirms_what_we_sign(tmp_path: Path, program: Callable[[str, str], Path], kind: Kind) -> None:
    """Our signatures are standard XML-DSig to libxmlsec, too."""
    xmlsec1 = program("xmlsec1", "xmlsec1")
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(signer(kind).certificate_chain[0].public_bytes(Encoding.PEM))
    namespace = "http://www.mic.gov.vn/TBT/QCVN_102_2016"
    ids = [f"{namespace}:{name}" for name in ("MessageHeader", "edXMLManifest")]
    ids.append("http://uri.etsi.org/01903/v1.3.2#:SignedProperties")
    moment = "2026-11-15+00:00:00"
    options = [option for name in ids for option in ("--id-attr:Id", name)]
    for file in written(tmp_path, kind):
        ran = subprocess.run(  # noqa: S603 - programs of Debian's
            [xmlsec1, "--verify", "--trusted-pem", trusted, "--verification-gmt-time", moment, *options, file],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert ran.returncode == 0, f"{file.name}: {ran.stdout}{ran.stderr}"


@pytest.mark.parametrize("kind", KINDS)
def test_signxml_confirms_what_we_sign(tmp_path: Path, kind: Kind) -> None:
    """A third reader finds the same references as ours."""
    certificate: x509.Certificate = signer(kind).certificate_chain[0]
    for file in written(tmp_path, kind)[:2]:
        expected = SignatureConfiguration(expect_references=3)
        verified = XMLVerifier().verify(
            file.read_bytes(), x509_cert=certificate, id_attribute="Id", expect_config=expected
        )
        assert isinstance(verified, list)
        parts = {part.kind: part.canonical for part in examine_message(file.read_bytes()).parts}
        assert [each.signed_data for each in verified][:2] == [parts["header"], parts["manifest"]]
