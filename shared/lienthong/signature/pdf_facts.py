"""What the examination of a PDF found: facts about bytes, without any trust; they cross a pipe between processes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - read by pydantic at run time
from enum import StrEnum
from typing import ClassVar

from pydantic import ConfigDict, TypeAdapter

from lienthong.document.verdicts import Reason

__all__ = ["Flaw", "PdfFacts", "SignatureFacts", "decode_facts", "encode_facts", "reason_of"]


class Flaw(StrEnum):
    """Everything that can be wrong with a PDF or with one signature in it, trust apart."""

    # the file
    NOT_A_PDF = "not-a-pdf"
    TOO_LARGE = "too-large"
    UNREADABLE = "unreadable"
    ENCRYPTED = "encrypted"
    PAGE_TREE = "page-tree"
    FIELD_TREE = "field-tree"
    BOMB = "bomb"
    TOO_SLOW = "too-slow"
    TOO_MUCH_MEMORY = "too-much-memory"
    CRASHED = "crashed"
    # its signatures, taken together
    ORPHANED = "orphaned"
    EMPTY_FIELD = "empty-field"
    SHARED_VALUE = "shared-value"
    TOO_MANY_SIGNATURES = "too-many-signatures"
    NOT_COVERED = "not-covered"
    # one signature
    UNKNOWN_FORMAT = "unknown-format"
    BYTE_RANGE = "byte-range"
    PADDING = "padding"
    MALFORMED = "malformed"
    TOO_MANY_CERTIFICATES = "too-many-certificates"
    NO_CERTIFICATE = "no-certificate"
    WRONG_CERTIFICATE = "wrong-certificate"
    WEAK = "weak"
    DIGEST = "digest"
    SIGNATURE = "signature"
    MODIFIED = "modified"
    HIDDEN = "hidden"


@dataclass(frozen=True, slots=True)
class SignatureFacts:
    """One signature, or one document time stamp, as it stands in the file.

    Attributes:
        field: the fully qualified name of its form field.
        document_timestamp: whether it is a ``DocTimeStamp`` and not somebody's signature.
        flaw: what is wrong with it; None when it is intact.
        certificate: the signer's certificate, DER; None when there is none.
        token: the RFC 3161 token, DER: of a document time stamp itself, of a signature the stamp on it, if any.
        signature_value: what the stamp on a signature is about.
        claimed_at: the signing time the signer claims, if it can be read.
        covered: offset of the gap's beginning, of its end, and of the end of what is signed.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    field: str
    document_timestamp: bool
    flaw: Flaw | None = None
    certificate: bytes | None = None
    token: bytes | None = None
    signature_value: bytes = b""
    claimed_at: datetime | None = None
    covered: tuple[int, int, int] = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class PdfFacts:
    """A PDF: what is wrong with all of it, and its signatures in signing order."""

    flaw: Flaw | None = None
    signatures: tuple[SignatureFacts, ...] = ()


_CODEC = TypeAdapter(PdfFacts)


def encode_facts(facts: PdfFacts) -> bytes:
    """Return the facts as JSON."""
    return _CODEC.dump_json(facts)


def decode_facts(data: bytes) -> PdfFacts:
    """Return the facts in the JSON.

    Raises:
        pydantic.ValidationError: it is not what `encode_facts` writes.
    """
    return _CODEC.validate_json(data)


def reason_of(flaw: Flaw) -> Reason:
    """Return the ETSI EN 319 102-1 sub-indication of a flaw, with words a clerk can act on."""
    return _REASONS[flaw]


_RESIGN_VI = "hãy xuất lại tệp PDF rồi ký lại"
_RESIGN_EN = "export the PDF again and sign it again"
_FORMAT = "FORMAT_FAILURE"

_REASONS: dict[Flaw, Reason] = {
    Flaw.NOT_A_PDF: Reason(
        _FORMAT,
        f"Tệp không bắt đầu bằng %PDF-, nên không phải tệp PDF nguyên vẹn; {_RESIGN_VI}",
        f"The file does not begin with %PDF-, so it is no intact PDF; {_RESIGN_EN}",
    ),
    Flaw.TOO_LARGE: Reason(
        _FORMAT,
        "Tệp PDF lớn hơn giới hạn nên không kiểm tra được; hãy chia nhỏ hoặc giảm dung lượng rồi ký lại",
        "The PDF is larger than the limit and cannot be examined; split it or make it smaller, then sign it again",
    ),
    Flaw.UNREADABLE: Reason(
        _FORMAT,
        f"Cấu trúc tệp PDF sai chuẩn, không đọc được chắc chắn; {_RESIGN_VI}",
        f"The structure of the PDF breaks the standard and has no certain reading; {_RESIGN_EN}",
    ),
    Flaw.ENCRYPTED: Reason(
        _FORMAT,
        "Tệp PDF bị đặt mật khẩu (mã hóa); hãy gửi tệp không mã hóa",
        "The PDF is encrypted; send one that is not",
    ),
    Flaw.PAGE_TREE: Reason(
        _FORMAT,
        f"Cây trang của tệp PDF lặp vòng hoặc sai cấu trúc; {_RESIGN_VI}",
        f"The page tree of the PDF runs in a loop or is malformed; {_RESIGN_EN}",
    ),
    Flaw.FIELD_TREE: Reason(
        _FORMAT,
        f"Cây ô biểu mẫu của tệp PDF lặp vòng hoặc sai cấu trúc; {_RESIGN_VI}",
        f"The tree of form fields in the PDF runs in a loop or is malformed; {_RESIGN_EN}",
    ),
    Flaw.BOMB: Reason(
        _FORMAT,
        f"Tệp PDF nở ra quá lớn khi giải nén; {_RESIGN_VI}",
        f"The PDF unpacks to far more than it may; {_RESIGN_EN}",
    ),
    Flaw.TOO_SLOW: Reason(
        _FORMAT,
        f"Kiểm tra tệp PDF vượt quá thời gian cho phép nên bị dừng; {_RESIGN_VI}",
        f"Examining the PDF took more time than allowed and was stopped; {_RESIGN_EN}",
    ),
    Flaw.TOO_MUCH_MEMORY: Reason(
        _FORMAT,
        f"Kiểm tra tệp PDF vượt quá bộ nhớ cho phép nên bị dừng; {_RESIGN_VI}",
        f"Examining the PDF took more memory than allowed and was stopped; {_RESIGN_EN}",
    ),
    Flaw.CRASHED: Reason(
        _FORMAT,
        f"Tệp PDF làm chương trình kiểm tra ngừng đột ngột; {_RESIGN_VI}",
        f"The PDF made the program that examines it crash; {_RESIGN_EN}",
    ),
    Flaw.ORPHANED: Reason(
        _FORMAT,
        "Trong tệp còn dấu vết chữ ký số nhưng không có ô chữ ký nào dẫn tới: chữ ký đã bị gỡ; hãy gửi bản gốc đã ký",
        "There are remains of a signature that no signature field leads to: it was stripped; send the signed original",
    ),
    Flaw.EMPTY_FIELD: Reason(
        "SIGNED_DATA_NOT_FOUND",
        "Tệp có ô chữ ký chưa ký hoặc đã bị gỡ chữ ký; hãy ký đủ các ô hoặc bỏ ô thừa trước khi ký",
        "The file has a signature field without a signature; sign every field, or take it out before signing",
    ),
    Flaw.SHARED_VALUE: Reason(
        _FORMAT,
        f"Hai ô chữ ký dùng chung một chữ ký; {_RESIGN_VI}",
        f"Two signature fields share one signature; {_RESIGN_EN}",
    ),
    Flaw.TOO_MANY_SIGNATURES: Reason(
        _FORMAT,
        "Tệp có nhiều chữ ký số hơn mức cho phép (8); hãy gửi bản có ít chữ ký hơn",
        "The file has more signatures than allowed (8); send one with fewer",
    ),
    Flaw.NOT_COVERED: Reason(
        _FORMAT,
        "Có nội dung được thêm vào sau chữ ký cuối cùng; hãy gửi lại bản gốc đã ký, không sửa hay lưu lại tệp",
        "Something was added after the last signature; send the signed original again, neither edited nor saved anew",
    ),
    Flaw.UNKNOWN_FORMAT: Reason(
        _FORMAT,
        "Chữ ký không thuộc loại được chấp nhận (ETSI.CAdES.detached, adbe.pkcs7.detached, ETSI.RFC3161); "
        "hãy ký lại theo PAdES",
        "The signature is of none of the accepted kinds (ETSI.CAdES.detached, adbe.pkcs7.detached, ETSI.RFC3161); "
        "sign again as PAdES",
    ),
    Flaw.BYTE_RANGE: Reason(
        _FORMAT,
        f"Vùng được ký (ByteRange) không phủ đúng toàn bộ tệp trừ chỗ chứa chữ ký; {_RESIGN_VI}",
        f"What is signed (ByteRange) is not exactly everything around the signature itself; {_RESIGN_EN}",
    ),
    Flaw.PADDING: Reason(
        _FORMAT,
        f"Sau chữ ký có dữ liệu lạ được giấu trong phần đệm; {_RESIGN_VI}",
        f"Foreign data is hidden in the padding after the signature; {_RESIGN_EN}",
    ),
    Flaw.MALFORMED: Reason(
        _FORMAT,
        f"Cấu trúc chữ ký (CMS) sai chuẩn; {_RESIGN_VI}",
        f"The structure of the signature (CMS) breaks the standard; {_RESIGN_EN}",
    ),
    Flaw.TOO_MANY_CERTIFICATES: Reason(
        _FORMAT,
        "Chữ ký kèm nhiều chứng thư hơn mức cho phép (6); hãy ký lại chỉ kèm chuỗi chứng thư của người ký",
        "The signature brings more certificates than allowed (6); sign again with the signer's chain only",
    ),
    Flaw.NO_CERTIFICATE: Reason(
        "NO_SIGNING_CERTIFICATE_FOUND",
        "Chữ ký không kèm chứng thư số của người ký; hãy ký lại có kèm chứng thư",
        "The signature does not bring the signer's certificate; sign again with it",
    ),
    Flaw.WRONG_CERTIFICATE: Reason(
        "NO_SIGNING_CERTIFICATE_FOUND",
        f"Chứng thư kèm theo không phải chứng thư mà người ký đã ghi trong chữ ký; {_RESIGN_VI}",
        f"The certificate is not the one the signer named in the signature; {_RESIGN_EN}",
    ),
    Flaw.WEAK: Reason(
        "CRYPTO_CONSTRAINTS_FAILURE",
        "Thuật toán hoặc khóa ký không đạt yêu cầu (SHA-256 trở lên; RSA từ 2048 bit, P-256 hoặc P-384); hãy ký lại",
        "The algorithm or key is not acceptable (SHA-256 or better; RSA of 2048 bits or more, P-256 or P-384); "
        "sign again",
    ),
    Flaw.DIGEST: Reason(
        "HASH_FAILURE",
        "Nội dung tệp đã thay đổi sau khi ký; hãy gửi lại bản gốc đã ký",
        "The content was changed after signing; send the signed original again",
    ),
    Flaw.SIGNATURE: Reason(
        "SIG_CRYPTO_FAILURE",
        "Chữ ký không khớp với khóa của người ký; hãy gửi lại bản gốc đã ký",
        "The signature does not belong to the signer's key; send the signed original again",
    ),
    Flaw.MODIFIED: Reason(
        _FORMAT,
        "Sau chữ ký này tệp đã bị sửa theo cách không được phép (không phải chỉ thêm chữ ký hoặc dấu thời gian); "
        "hãy gửi lại bản gốc đã ký",
        "After this signature the file was changed in a way that is not allowed (more than another signature or time "
        "stamp); send the signed original again",
    ),
    Flaw.HIDDEN: Reason(
        _FORMAT,
        "Hình của chữ ký thêm sau che phần lớn trang đã ký trước; hãy ký lại với hình chữ ký nhỏ hơn",
        "The picture of a later signature covers most of a page that was signed before; sign again with a smaller one",
    ),
}
