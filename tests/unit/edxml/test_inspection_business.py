"""Reading messages: what a document does to an earlier one."""

from __future__ import annotations

from tests.unit.edxml.examples import changed, element, read_document

from lienthong.edxml import (
    BusinessType,
    Document,
    Receiver,
    Replacement,
    inspect,
)


class TestBusiness:
    """What a document does to an earlier one."""

    UPDATE = (
        "<edXML:DocumentId>H23.1,2014/02/30,100/STN-VP</edXML:DocumentId><edXML:BussinessDocType>2</edXML:BussinessDocType>"
        "<edXML:BussinessDocumentInfo><edXML:DocumentInfo>1</edXML:DocumentInfo>"
        "<edXML:DocumentReceiver>0</edXML:DocumentReceiver><edXML:ReceiverList>"
        "<edXML:Receiver><edXML:OrganId>G22</edXML:OrganId><edXML:ReceiverType>0</edXML:ReceiverType></edXML:Receiver>"
        "<edXML:Receiver><edXML:OrganId>G14</edXML:OrganId><edXML:ReceiverType>1</edXML:ReceiverType></edXML:Receiver>"
        "</edXML:ReceiverList></edXML:BussinessDocumentInfo>"
    )
    REPLACE = (
        "<edXML:BussinessDocType>3</edXML:BussinessDocType><edXML:ReplacementInfoList><edXML:ReplacementInfo>"
        "<edXML:DocumentId>H23.1-99</edXML:DocumentId><edXML:OrganIdList><edXML:OrganId>G22</edXML:OrganId>"
        "<edXML:OrganId>G14</edXML:OrganId></edXML:OrganIdList></edXML:ReplacementInfo></edXML:ReplacementInfoList>"
    )
    NEW = "<edXML:BussinessDocType>0</edXML:BussinessDocType>"

    def test_an_update_says_what_changed(self, document_text: str) -> None:
        """The earlier document, and whether content or receivers changed, and how."""
        business = read_document(changed(document_text, (self.NEW, self.UPDATE))).business
        assert business.type is BusinessType.UPDATE
        assert business.document_id == "H23.1,2014/02/30,100/STN-VP"
        assert (business.content_changed, business.receivers_changed) == (True, False)
        assert business.receivers == (Receiver("G22", added=False), Receiver("G14", added=True))

    def test_a_replacement_says_what_it_replaces(self, document_text: str) -> None:
        """Which document, for which receivers."""
        business = read_document(changed(document_text, (self.NEW, self.REPLACE))).business
        assert business.type is BusinessType.REPLACE
        assert business.replacements == (Replacement("H23.1-99", ("G22", "G14")),)

    def test_a_changed_receiver_without_code_or_direction_is_refused(self, document_text: str) -> None:
        """Nobody is added or removed by guess."""
        half = self.UPDATE.replace("<edXML:ReceiverType>1</edXML:ReceiverType>", "").replace(">G22<", "><")
        inspection = inspect(changed(document_text, (self.NEW, half)))
        head = "TraceHeaderList/Bussiness/BussinessDocumentInfo/ReceiverList"
        assert [problem.path for problem in inspection.problems] == [
            f"{head}/Receiver[1]/OrganId",
            f"{head}/Receiver[2]/ReceiverType",
        ]

    def test_a_replacement_of_nothing_is_refused(self, document_text: str) -> None:
        """A replacement entry without DocumentId replaces nothing."""
        inspection = inspect(changed(document_text, (self.NEW, self.REPLACE.replace("H23.1-99", ""))))
        assert [problem.code for problem in inspection.problems] == [
            "N.TraceHeaderList.Bussiness.ReplacementInfoList.ReplacementInfo.DocumentId"
        ]

    def test_the_right_spelling_is_read_as_the_official_one(self, document_text: str) -> None:
        """Some provinces write Business; the national SDK ignores that, so the sender is warned."""
        inspection = inspect(changed(document_text, (self.NEW, self.UPDATE), ("Bussiness", "Business")))
        assert isinstance(inspection.message, Document)
        assert inspection.message.business.type is BusinessType.UPDATE
        assert "Business" in inspection.warnings[0].en
        assert inspection.warnings[0].path == "TraceHeaderList/Bussiness"

    def test_no_trace_at_all_is_a_new_document(self, document_text: str) -> None:
        """Test traffic has documents without TraceHeaderList; they are new ones."""
        document = read_document(changed(document_text, (element(document_text, "TraceHeaderList"), "")))
        assert document.business.type is BusinessType.NEW
        assert document.trace == ()
