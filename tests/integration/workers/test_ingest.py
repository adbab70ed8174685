"""ingest: from bytes to a recorded document, or to a refusal."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.integration.workers.conftest import document, handle, ids, status, submitted

from lienthong.document.messages import DocumentToVerify, NoticeToSend, Receipt, Refused
from lienthong.edxml import Attachment, Business, BusinessType, DocumentCode, OtherInfo, Signer
from lienthong.ledger.rows import AgencyRow
from lienthong.ledger.search import Search, Wanted
from lienthong.worker.submissions import submitted_at
from lienthong_ingest.handler import IngestDocument

if TYPE_CHECKING:
    from lienthong.bus.messages import Incoming
    from lienthong.ledger.ledger import Ledger
    from lienthong.payload import FolderStore
    from lienthong.worker.handler import Outcome


@pytest.fixture
def ingest(store: FolderStore) -> IngestDocument:
    """Provide the handler."""
    return IngestDocument(store)


def receipt(outcome: Outcome) -> Receipt:
    """Return the receipt an outcome sends."""
    notice = NoticeToSend.model_validate_json(outcome.outputs[-1].body).notice
    assert isinstance(notice, Receipt)
    return notice


def codes(outcome: Outcome) -> list[str]:
    """Return the codes of the one refusal an outcome sends."""
    (output,) = outcome.outputs
    notice = NoticeToSend.model_validate_json(output.body).notice
    assert isinstance(notice, Refused)
    return [problem.code for problem in notice.problems]


async def test_a_document_goes_to_verification_with_a_receipt(
    ingest: IngestDocument, ledger: Ledger, store: FolderStore
) -> None:
    """A good document is kept, handed on in its lane, and its sender gets a receipt."""
    message = submitted(document(attachments=(Attachment("a.txt", b"abc"),)))
    (outcome,) = await handle(ingest, ledger, message)
    verify = DocumentToVerify.model_validate_json(outcome.outputs[0].body)
    assert outcome.outputs[0].routing_key == "signature-verify"
    assert receipt(outcome).document == verify.document
    assert await store.get(verify.sha256) == message.body


async def test_a_document_is_found_by_what_it_says(ingest: IngestDocument, ledger: Ledger, database: str) -> None:
    """Who signed, the number, the files: what the envelope says is what the document is found by, or is left out."""
    letter = document(
        subject="Về phòng, chống bão",
        code=DocumentCode("102", "UBND-VP"),
        signer=Signer("Đỗ Thị Ửng", "Chủ tịch", "TM."),
        attachments=(Attachment("Phụ lục.pdf", b"abc"),),
    )
    signed_by_nobody = document("d2", signer=Signer())
    await handle(ingest, ledger, submitted(letter), submitted(signed_by_nobody, message_id="m2"))
    search = await Search.connect(database)
    wanted = Wanted(subject="chong bao", number="102/ubnd", signer="tm chu tich do thi ung", attachment="phu luc")
    (found,) = await search.find(wanted, limit=2)
    assert (found.signer_name, found.signer_position, found.document_id) == ("Đỗ Thị Ửng", "TM. Chủ tịch", "d1")
    (other,) = await search.find(Wanted(document_id="d2"), limit=2)
    assert (other.signer_name, other.signer_position) == (None, None)
    await search.close()


async def test_an_urgent_document_keeps_its_lane(ingest: IngestDocument, ledger: Ledger) -> None:
    """What the document says about its urgency decides, not the key it was sent with."""
    (outcome,) = await handle(ingest, ledger, submitted(document(other=OtherInfo(priority=3))))
    assert outcome.outputs[0].routing_key == "signature-verify.urgent"


async def test_a_redelivery_repeats_exactly_what_had_not_left(ingest: IngestDocument, ledger: Ledger) -> None:
    """Before the mark everything is published again under the same ids; after it nothing is."""
    message = submitted(document())
    first = await handle(ingest, ledger, message, mark=False)
    again = await handle(ingest, ledger, message, mark=True)
    assert ids(first) == ids(again)
    assert first[0].outputs == again[0].outputs
    assert (await handle(ingest, ledger, message))[0].outputs == ()


async def test_the_same_document_again_gets_its_first_receipt(ingest: IngestDocument, ledger: Ledger) -> None:
    """Another message with the same document goes no further once the first has, and is told so."""
    (first,) = await handle(ingest, ledger, submitted(document()))
    (second,) = await handle(ingest, ledger, submitted(document(), message_id="m2"))
    assert len(second.outputs) == 1
    assert receipt(second).repeated
    assert receipt(second).received_at == receipt(first).received_at


async def test_a_document_that_never_left_is_carried_by_its_repetition(ingest: IngestDocument, ledger: Ledger) -> None:
    """A document recorded and then dead-lettered before it left is forwarded by the next message with it."""
    (first,) = await handle(ingest, ledger, submitted(document()), mark=False)
    (second,) = await handle(ingest, ledger, submitted(document(), message_id="m2"))
    assert second.outputs[0].message_id == first.outputs[0].message_id


async def test_every_submission_gets_its_receipt(ingest: IngestDocument, ledger: Ledger) -> None:
    """Whoever carries a document on carries its first receipt, too: the first message finds it marked by then."""
    (first,) = await handle(ingest, ledger, submitted(document()), mark=False)
    (second,) = await handle(ingest, ledger, submitted(document(), message_id="m2"))
    assert (await handle(ingest, ledger, submitted(document())))[0].outputs == ()
    assert first.outputs[-1] in second.outputs
    assert receipt(second).submission_message_id == "m2"


async def test_the_same_document_twice_in_a_batch_is_one(ingest: IngestDocument, ledger: Ledger) -> None:
    """Sixteen messages with one document in one batch make one document and sixteen receipts that say the same."""
    batch = [submitted(document(), message_id=f"m{number}") for number in range(16)]
    outcomes = await handle(ingest, ledger, *batch)
    assert len({receipt(outcome).document for outcome in outcomes}) == 1
    assert sorted(receipt(outcome).submission_message_id for outcome in outcomes) == sorted(
        f"m{number}" for number in range(16)
    )
    assert [receipt(outcome).repeated for outcome in outcomes].count(False) == 1


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (submitted(b"not xml"), "T.edXML"),
        (submitted(document(), message_id=None), "N.message_id"),
        (submitted(document(), **{"content-sha256": "0" * 64}), "M.content-sha256"),
        (submitted(document(), **{"content-sha256": "a\0b"}), "M.content-sha256"),
        (replace(submitted(document()), headers={"content-sha256": {"a": [1] * 1000}}), "M.content-sha256"),
        (submitted(document(), user="H23"), "Permission"),
        (submitted(document(sender="H23.1"), user="G22"), "Permission"),
        (submitted(document(sender="H98"), user="G22"), "M.MessageHeader.From.OrganId"),
        (submitted(document(sender="G01"), user="G01"), "Permission"),
        (submitted(status("01", reporter="G22")), "M.routing_key"),
        (submitted(document(to=("H23", "H23"))), "M.MessageHeader.To.OrganId"),
    ],
)
async def test_what_is_refused(ingest: IngestDocument, ledger: Ledger, message: Incoming, code: str) -> None:
    """Each wrong message is refused once with a code, its good neighbour in the batch goes through."""
    outcome, neighbour = await handle(ingest, ledger, message, submitted(document("d2"), message_id="other"))
    assert codes(outcome) == [code]
    assert len(neighbour.outputs) == 2
    assert (await handle(ingest, ledger, message))[0].outputs == ()


@pytest.mark.parametrize(
    "said", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "yesterday", "2026-11-22T01:02:03", 7]
)
async def test_a_time_that_cannot_be_is_not_believed(ingest: IngestDocument, ledger: Ledger, said: object) -> None:
    """A sender who says nonsense about when it submitted is taken to say nothing."""
    message = replace(submitted(document()), headers={"submitted-at": said})
    assert submitted_at(message) == message.received_at
    (outcome,) = await handle(ingest, ledger, message)
    assert receipt(outcome).document_id == "d1"


@pytest.mark.parametrize("priority", [5, 40_000, 999_999_999])
async def test_an_urgency_beyond_the_table_is_ordinary(ingest: IngestDocument, ledger: Ledger, priority: int) -> None:
    """Whatever number stands in Priority, the document is received."""
    (outcome,) = await handle(ingest, ledger, submitted(document(other=OtherInfo(priority=priority))))
    assert outcome.outputs[0].routing_key == "signature-verify"


async def test_an_agency_may_send_for_one_it_carries(ingest: IngestDocument, ledger: Ledger) -> None:
    """An agency without a connection sends through its nearest connected ancestor, and the receipt goes there."""
    (outcome,) = await handle(ingest, ledger, submitted(document(sender="H23.1"), user="H23"))
    assert NoticeToSend.model_validate_json(outcome.outputs[-1].body).agency == "H23"
    assert receipt(outcome).document_id == "d1"


async def test_other_content_under_the_same_document_id_is_refused(ingest: IngestDocument, ledger: Ledger) -> None:
    """The first content stands; the second is refused, and refused the same way when it is redelivered."""
    await handle(ingest, ledger, submitted(document(subject="một")))
    other = submitted(document(subject="hai"), message_id="m2")
    (refused,) = await handle(ingest, ledger, other, mark=False)
    (again,) = await handle(ingest, ledger, other, mark=False)
    assert codes(refused) == codes(again) == ["ExistDoc"]


async def test_other_content_under_the_same_message_id_is_refused(ingest: IngestDocument, ledger: Ledger) -> None:
    """A message id stands for one content; another agency may use the same id."""
    await handle(ingest, ledger, submitted(document()))
    refused, other = await handle(
        ingest, ledger, submitted(document("d2")), submitted(document("d3", sender="H23", to=("G22",)))
    )
    assert codes(refused) == ["M.message_id"]
    assert receipt(other).document_id == "d3"


async def test_a_withdrawal_is_not_its_document(ingest: IngestDocument, ledger: Ledger) -> None:
    """A withdrawal carries the DocumentId of what it withdraws and is accepted beside it."""
    await handle(ingest, ledger, submitted(document()))
    withdrawal = document(business=Business(BusinessType.WITHDRAW, reason="gửi nhầm"))
    (outcome,) = await handle(ingest, ledger, submitted(withdrawal, message_id="m2"))
    assert not receipt(outcome).repeated


async def test_a_decision_is_recalled_when_the_directory_has_moved(ingest: IngestDocument, ledger: Ledger) -> None:
    """What was received stays received, and what was refused stays refused, whatever the directory says later."""
    good = submitted(document())
    refused = submitted(document("d2", sender="H98"), user="G22", message_id="m2")
    first = await handle(ingest, ledger, good, refused, mark=False)
    await ledger.register([AgencyRow("G22", "VPCP", stage="suspended"), AgencyRow("H98", "Mới", parent="G22")])
    again = await handle(ingest, ledger, good, refused, mark=False)
    assert ids(again) == ids(first)


async def test_a_message_without_user_is_quarantined(ingest: IngestDocument, ledger: Ledger) -> None:
    """Nobody can be answered for it: it is put aside, and its neighbour goes through."""
    nameless = replace(submitted(document()), user_id=None, routing_key="a\0b")
    outcome, neighbour = await handle(ingest, ledger, nameless, submitted(document("d2"), message_id="m2"))
    (output,) = outcome.outputs
    assert (output.exchange, output.body) == ("quarantine", nameless.body)
    assert receipt(neighbour).document_id == "d2"
