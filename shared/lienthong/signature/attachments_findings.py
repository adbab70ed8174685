"""What can be wrong with an attached file, in words its sender can act on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lienthong.errors import Problem

__all__ = ["AttachmentFinding", "AttachmentFlaw", "finding"]

FILE_PROCESSING = 21
"""The provincial platforms' number for a file that cannot be processed."""

_SHOWN = 80


class AttachmentFlaw(StrEnum):
    """Everything that can be wrong with an attached file."""

    # its name
    NAME_MISSING = "name-missing"
    NAME_TOO_LONG = "name-too-long"
    PATH_TRAVERSAL = "path-traversal"
    DEVICE_NAME = "device-name"
    CONTROL_CHARACTER = "control-character"
    INVISIBLE_CHARACTER = "invisible-character"
    CONFUSABLE = "confusable"
    FORBIDDEN_CHARACTER = "forbidden-character"
    NOT_NORMALIZED = "not-normalized"
    SAME_NAME = "same-name"
    # its kind
    EXECUTABLE = "executable"
    MISLABELLED = "mislabelled"
    DECLARED_OTHERWISE = "declared-otherwise"
    TWO_KINDS = "two-kinds"
    MACROS = "macros"
    EMPTY = "empty"
    UNKNOWN_KIND = "unknown-kind"
    # what is packed in it
    ZIP_BOMB = "zip-bomb"
    LYING_SIZE = "lying-size"
    DAMAGED_ZIP = "damaged-zip"
    TOO_MANY_ENTRIES = "too-many-entries"
    TOO_LARGE = "too-large"
    TOO_DEEP = "too-deep"
    ENCRYPTED = "encrypted"
    CLOSED_ARCHIVE = "closed-archive"
    # what a scanner says
    INFECTED = "infected"
    NOT_SCANNED = "not-scanned"


@dataclass(frozen=True, slots=True)
class AttachmentFinding:
    """One thing that is wrong with an attached file.

    Attributes:
        flaw: what.
        refuses: whether the document is refused for it, or it is only worth mending.
        problem: the words for the sender.
    """

    flaw: AttachmentFlaw
    refuses: bool
    problem: Problem

    @property
    def unknown(self) -> bool:
        """Tell whether it could not be found out if the file is bad: a scanner that is silent has found it neither."""
        return self.flaw is AttachmentFlaw.NOT_SCANNED


_NAME, _TYPE, _ENCODING = "R.AttachmentName", "M.Attachment-Type", "R.Attachment-Encoding"
_CONTENT = "R.Attachment-Content"
_F = AttachmentFlaw

_WORDS: dict[AttachmentFlaw, tuple[str, bool, str, str]] = {
    _F.NAME_MISSING: (_NAME, True, "không có tên; hãy đặt tên kèm phần mở rộng", "has no name; give it one"),
    _F.NAME_TOO_LONG: (
        _NAME,
        True,
        "có tên quá dài (tối đa 255 byte); hãy rút ngắn",
        "has too long a name (255 bytes)",
    ),
    _F.PATH_TRAVERSAL: (
        _NAME,
        True,
        "có tên là đường dẫn ra ngoài thư mục; hãy chỉ ghi tên tệp",
        "has a name that is a path out of its folder; write the file name only",
    ),
    _F.DEVICE_NAME: (
        _NAME,
        True,
        "trùng tên thiết bị của Windows (CON, NUL, COM1…); hãy đổi tên",
        "has the name of a Windows device (CON, NUL, COM1…); rename it",
    ),
    _F.CONTROL_CHARACTER: (
        _NAME,
        True,
        "có ký tự điều khiển trong tên; hãy gõ lại tên",
        "has control characters in its name; type the name again",
    ),
    _F.INVISIBLE_CHARACTER: (
        _NAME,
        True,
        "có ký tự vô hình hoặc đảo chiều chữ trong tên, che giấu tên thật; hãy gõ lại tên",
        "has invisible or direction-changing characters that disguise its name; type the name again",
    ),
    _F.CONFUSABLE: (
        _NAME,
        True,
        "trộn chữ cái của hệ chữ khác trông giống chữ Latinh trong tên; hãy gõ lại tên",
        "mixes look-alike letters of another script into its name; type the name again",
    ),
    _F.FORBIDDEN_CHARACTER: (
        _NAME,
        False,
        r'có ký tự mà nhiều máy không lưu được trong tên (/ \ : * ? " < > |); nên đổi tên',
        r'has characters in its name that many systems cannot store (/ \ : * ? " < > |); better rename it',
    ),
    _F.NOT_NORMALIZED: (
        _NAME,
        False,
        "có dấu tiếng Việt trong tên không theo Unicode dựng sẵn (NFC); được đọc là NFC",
        "has a name that is not composed Unicode (NFC); it is read as NFC",
    ),
    _F.SAME_NAME: (
        _NAME,
        True,
        "trùng tên với tệp khác khi lưu trên máy; hãy đổi tên một tệp",
        "has the same name as another file once both are stored; rename one of them",
    ),
    _F.EXECUTABLE: (
        _TYPE,
        True,
        "là chương trình hoặc tập lệnh chạy được, không phải văn bản; hãy bỏ tệp này",
        "is a program or a script, not a document; leave it out",
    ),
    _F.MISLABELLED: (
        _TYPE,
        True,
        "có nội dung không đúng với phần mở rộng của tên; hãy đặt đúng tên hoặc gửi đúng tệp",
        "is not what the extension of its name says; name it rightly or send the right file",
    ),
    _F.DECLARED_OTHERWISE: (
        _TYPE,
        False,
        "có nội dung không đúng với ContentType đã khai; được đọc theo nội dung",
        "is not of the declared ContentType; it is read as what it is",
    ),
    _F.TWO_KINDS: (
        _TYPE,
        True,
        "vừa là tệp loại này vừa là tệp nén, mỗi phần mềm đọc một khác; hãy gửi tệp gốc",
        "is one kind of file and a zip at once, read differently by different programs; send the original",
    ),
    _F.MACROS: (
        _TYPE,
        False,
        "có macro; hãy cân nhắc gửi bản không có macro",
        "has macros; consider sending a version without",
    ),
    _F.EMPTY: (_TYPE, True, "rỗng (0 byte); hãy gửi lại tệp", "is empty (0 bytes); send it again"),
    _F.UNKNOWN_KIND: (
        _TYPE,
        False,
        "thuộc loại không nhận biết được; nơi nhận có thể không mở được",
        "is of no kind we know; its receiver may not be able to open it",
    ),
    _F.ZIP_BOMB: (
        _ENCODING,
        True,
        "là bom nén: nở ra gấp quá nhiều lần khi giải nén; hãy gửi tệp gốc",
        "is a zip bomb: it unpacks to many times its size; send the original",
    ),
    _F.LYING_SIZE: (
        _ENCODING,
        True,
        "khai sai kích thước hoặc mã kiểm tra của tệp bên trong; hãy nén lại",
        "lies about the size or check sum of a file inside; pack it again",
    ),
    _F.DAMAGED_ZIP: (
        _ENCODING,
        True,
        "là tệp nén hỏng hoặc sai cấu trúc; hãy nén lại",
        "is a damaged or malformed zip; pack it again",
    ),
    _F.TOO_MANY_ENTRIES: (
        _ENCODING,
        True,
        "chứa quá nhiều tệp bên trong; hãy chia nhỏ",
        "holds too many files; split it",
    ),
    _F.TOO_LARGE: (
        _ENCODING,
        True,
        "quá lớn sau khi giải nén; hãy chia nhỏ",
        "is too large once unpacked; split it",
    ),
    _F.TOO_DEEP: (
        _ENCODING,
        True,
        "nén nhiều lớp lồng nhau quá mức; hãy nén một lớp",
        "is packed in too many layers; pack it once",
    ),
    _F.ENCRYPTED: (
        _ENCODING,
        False,
        "có mật khẩu nên không kiểm tra được bên trong; nên gửi tệp không mật khẩu",
        "has a password, so nobody can look inside; better send it without",
    ),
    _F.CLOSED_ARCHIVE: (
        _ENCODING,
        False,
        "là tệp nén loại không kiểm tra được bên trong; nên dùng zip",
        "is an archive nobody here can look into; better use zip",
    ),
    _F.INFECTED: (_CONTENT, True, "có mã độc; hãy quét và gửi lại tệp sạch", "has a virus; clean it and send it again"),
    _F.NOT_SCANNED: (
        _CONTENT,
        False,
        "chưa kiểm tra được có mã độc hay không",
        "could not be scanned for viruses yet",
    ),
}


def finding(flaw: AttachmentFlaw, name: str, *, detail: str = "") -> AttachmentFinding:
    """Return a finding about a file of that name.

    Args:
        flaw: what is wrong.
        name: the file's; shown shortened and without what does not print.
        detail: a scanner's own words; shown likewise.
    """
    code, refuses, vi, en = _WORDS[flaw]
    shown, said = _shown(name), f" ({_shown(detail)})" if detail else ""
    problem = Problem(
        code, "AttachmentName", f"Tệp “{shown}” {vi}{said}", f"The file “{shown}” {en}{said}", FILE_PROCESSING
    )
    return AttachmentFinding(flaw, refuses, problem)


def _shown(text: str) -> str:
    return "".join(sign if sign.isprintable() else "�" for sign in text[:_SHOWN])
