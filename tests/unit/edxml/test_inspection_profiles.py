"""Reading messages: defects of real traffic, in the lenient and in the strict profile."""

from __future__ import annotations

import pytest
from tests.unit.edxml.examples import changed, places, read_document

from lienthong.edxml import (
    Document,
    Inspection,
    Profile,
    inspect,
)


class TestDefectsOfRealTraffic:
    """Defects that stop nobody in the lenient profile, are named there, and are refused where we certify."""

    @staticmethod
    def both(data: bytes) -> tuple[Inspection, Inspection]:
        """Return the inspection in the lenient and in the strict profile."""
        lenient, strict = (inspect(data, profile=profile) for profile in (Profile.LENIENT, Profile.STRICT))
        assert lenient.message is not None, lenient.problems
        return lenient, strict

    @pytest.mark.parametrize(
        ("change", "code", "path"),
        [
            ((">2026/12/01<", "><"), "N.MessageHeader.DueDate", "MessageHeader/DueDate"),
            ((">2026/12/01<", ">0001/01/01<"), "R.MessageHeader.DueDate", "MessageHeader/DueDate"),
            (
                ("<edXML:ResponseFor>", "<edXML:ResponseFor/><edXML:ResponseFor>"),
                "N.MessageHeader.ResponseFor",
                "MessageHeader/ResponseFor",
            ),
            (
                (
                    "<edXML:OrganId>H23.1</edXML:OrganId>\r\n          <edXML:Time",
                    "<edXML:OrganId>null</edXML:OrganId><edXML:Time",
                ),
                "N.TraceHeaderList.TraceHeader.OrganId",
                "TraceHeaderList/TraceHeader[1]/OrganId",
            ),
            (
                ("<edXML:OrganId>H23.1</edXML:OrganId>\r\n          <edXML:Time", "<edXML:Time"),
                "N.TraceHeaderList.TraceHeader.OrganId",
                "TraceHeaderList/TraceHeader[1]/OrganId",
            ),
            (
                (">1</edXML:Priority", "> 1 </edXML:Priority"),
                "T.MessageHeader.OtherInfo.Priority",
                "MessageHeader/OtherInfo/Priority",
            ),
            (
                (">3</edXML:Page", ">ba</edXML:Page"),
                "T.MessageHeader.OtherInfo.PageAmount",
                "MessageHeader/OtherInfo/PageAmount",
            ),
            ((">1</edXML:Steering", "></edXML:Steering"), "N.MessageHeader.SteeringType", "MessageHeader/SteeringType"),
            ((">false<", "><"), "N.MessageHeader.OtherInfo.Direction", "MessageHeader/OtherInfo/Direction"),
            (
                (">0</edXML:BussinessDocType", "></edXML:BussinessDocType"),
                "N.TraceHeaderList.Bussiness.BussinessDocType",
                "TraceHeaderList/Bussiness/BussinessDocType",
            ),
        ],
    )
    def test_blemishes(self, document_text: str, change: tuple[str, str], code: str, path: str) -> None:
        """A warning for real traffic is a problem for a certified sender."""
        lenient, strict = self.both(changed(document_text, change))
        assert (code, path) in places(lenient.warnings)
        assert (code, path) in places(strict.problems)

    def test_a_null_hop_is_kept_without_its_agency(self, document_text: str) -> None:
        """The trace keeps its length and its times."""
        start = document_text.index("<edXML:TraceHeader>")
        text = document_text[:start] + document_text[start:].replace(">H23.1<", ">null<", 1)
        document = read_document(text.encode())
        assert [hop.organ_id for hop in document.trace] == [None]
        assert document.trace[0].timestamp is not None

    @pytest.mark.parametrize(
        ("change", "code", "said"),
        [
            ((">18<", ">1<"), "M.MessageHeader.DocumentType", "Công văn"),
            ((">Vụ Kiểm thử<", ">UBND tỉnh Cao Bằng<"), "M.MessageHeader.To.OrganName", "H14"),
            ((">Sở Thử nghiệm<", ">Văn phòng Chính phủ<"), "M.MessageHeader.From.OrganName", "G22"),
            ((">Vụ Kiểm thử<", ">Sở Y tế Hải Phòng<"), "M.MessageHeader.To.OrganName", "H…"),
            ((">H23.1,2026/11/20,", ">H23.1,2026/02/30,"), "R.MessageHeader.DocumentId", "2026/02/30"),
            ((">1</edXML:Priority", ">5</edXML:Priority"), "R.MessageHeader.OtherInfo.Priority", "ordinary"),
            (
                ("<edXML:Subject>", "<edXML:Subjekt>x</edXML:Subjekt><edXML:Subject>"),
                "M.MessageHeader.Subjekt",
                "ignored",
            ),
        ],
    )
    def test_oddities(self, document_text: str, change: tuple[str, str], code: str, said: str) -> None:
        """What contradicts itself is read as it stands, and named."""
        lenient, _ = self.both(changed(document_text, change))
        warned = [warning for warning in lenient.warnings if warning.code == code]
        assert len(warned) == 1
        assert said in warned[0].en

    def test_a_sound_message_has_no_warnings(self, document_text: str, status_text: str) -> None:
        """Warnings are worth reading because there are none without a reason."""
        for text in (document_text, status_text):
            for inspection in self.both(text.encode()):
                assert inspection.warnings == ()
                assert inspection.problems == ()

    SIGNATURE = (
        '<Signature><SignedInfo><SignatureMethod Algorithm="http://www.w3.org/2000/09/xmldsig#rsa-sha1"/>'
        '<Reference URI="">'
        '<Transforms><Transform Algorithm="http://www.w3.org/TR/xml-exc-c14n#"/></Transforms></Reference></SignedInfo>'
        "<KeyInfo><X509Data><X509Certificate>MIIFqTCCBJG</X509Certificate></X509Data></KeyInfo></Signature>"
    )

    @pytest.mark.parametrize("namespace", [None, "http://www.w3.org/2000/09/xmldsig#"])
    def test_the_old_signature_is_kept_and_never_counted(self, document_text: str, namespace: str | None) -> None:
        """It is recorded as it stands, with what is wrong about it: URI, certificate, worth."""
        signature = (
            self.SIGNATURE
            if namespace is None
            else self.SIGNATURE.replace("<Signature>", f'<Signature xmlns="{namespace}">')
        )
        lenient, _ = self.both(changed(document_text, ("</edXML:edXMLHeader>", f"{signature}</edXML:edXMLHeader>")))
        assert isinstance(lenient.message, Document)
        assert lenient.message.legacy_signature == signature
        assert [warning.code for warning in lenient.warnings] == [
            "M.Signature.SignedInfo.Reference.Transforms.Transform",
            "T.Signature.KeyInfo.X509Data.X509Certificate",
            "M.Signature",
        ]
        assert "http://www.w3.org/2001/10/xml-exc-c14n#" in lenient.warnings[0].en
        assert "11 characters" in lenient.warnings[1].en
        assert "never counted as proof" in lenient.warnings[2].en

    def test_a_whole_certificate_is_not_called_truncated(self, document_text: str) -> None:
        """Only what is cut is reported: one DER sequence as long as it says is whole."""
        whole = self.SIGNATURE.replace("MIIFqTCCBJG", "MAMCAQE=")
        lenient, _ = self.both(changed(document_text, ("</edXML:edXMLHeader>", f"{whole}</edXML:edXMLHeader>")))
        assert not [warning for warning in lenient.warnings if warning.code.startswith("T.")]

    def test_warnings_can_be_left_out(self, document_text: str) -> None:
        """The workers read without looking around; the verdict is the same."""
        assert inspect(changed(document_text, (">18<", ">1<")), warnings=False).warnings == ()
