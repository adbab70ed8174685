"""Names of attached files: a stranger's text that other people's computers will use to store a file."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

from lienthong.signature.attachments_findings import AttachmentFlaw

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["clashing_names", "name_flaws", "safe_name"]

_MAX_BYTES: Final = 255
"""What common file systems store."""

_DEVICES: Final = frozenset(
    {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"}
    | {f"{port}{number}" for port in ("COM", "LPT") for number in "0123456789¹²³"}
)
_FORBIDDEN: Final = frozenset('/\\:*?"<>|')
_DRIVE: Final = re.compile(r"[A-Za-z]:")
_INVISIBLE: Final = frozenset(
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u2800\u3164\uffa0"
    "\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2028\u2029\u2060\u2061\u2062\u2063\u2064"
    "\u2066\u2067\u2068\u2069\ufeff"
)
_LOOK_ALIKE_SIGNS: Final = frozenset(
    "\u2024\u2044\u2215\u29f8\u29f5\ufe68\uff0e\uff0f\uff3c\uff1a\u2216\u3002\u0338\u0337"
)
_LONG_GAP: Final = re.compile(r"\s{4,}\.")
"""Pushes the real extension out of sight."""

_LOOK_ALIKE_SCRIPTS: Final = frozenset(
    {"CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU", "MATHEMATICAL", "FULLWIDTH", "DOUBLE-STRUCK",
     "SCRIPT", "BLACK-LETTER", "MODIFIER", "CANADIAN", "GEORGIAN", "GOTHIC", "DESERET", "ROMAN", "CIRCLED"}
)  # fmt: skip
_MAX_EXTENSION: Final = 10
_WORD: Final = re.compile(r"[^\W\d_]+")


def name_flaws(name: str, *, folders: bool = False) -> set[AttachmentFlaw]:
    """Return what is wrong with a file name.

    Args:
        name: as the sender wrote it.
        folders: whether it may have folders in it, as entries of a zip do.
    """
    flaws: set[AttachmentFlaw] = set()
    if not name.strip(" ."):
        return {AttachmentFlaw.PATH_TRAVERSAL if ".." in name else AttachmentFlaw.NAME_MISSING}
    if any(len(part.encode("utf-8", "surrogatepass")) > _MAX_BYTES for part in _parts(name, folders=folders)):
        flaws.add(AttachmentFlaw.NAME_TOO_LONG)
    flaws |= _path_flaws(name, folders=folders)
    if any(unicodedata.category(sign) in {"Cc", "Cs", "Co", "Cn"} for sign in name):
        flaws.add(AttachmentFlaw.CONTROL_CHARACTER)
    if any(sign in _INVISIBLE or unicodedata.category(sign) == "Cf" for sign in name) or _LONG_GAP.search(name):
        flaws.add(AttachmentFlaw.INVISIBLE_CHARACTER)
    if _confusable(name):
        flaws.add(AttachmentFlaw.CONFUSABLE)
    forbidden = _FORBIDDEN - {"/"} if folders else _FORBIDDEN
    if any(sign in forbidden for sign in name) or name != name.rstrip(" ."):
        flaws.add(AttachmentFlaw.FORBIDDEN_CHARACTER)
    if not unicodedata.is_normalized("NFC", name):
        flaws.add(AttachmentFlaw.NOT_NORMALIZED)
    return flaws


def safe_name(name: str) -> str:
    """Return a name under which the file can be stored anywhere: one that has no flaws but is still recognized."""
    composed = unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode())
    # A number such as 12/QĐ-TTg is worth keeping; of a path out of the folder only the last part is.
    last = re.split(r"[/\\]", composed)[-1] if _path_flaws(name, folders=False) else composed
    kept = "".join("_" if sign in _FORBIDDEN or sign in _LOOK_ALIKE_SIGNS else sign for sign in last)
    kept = "".join(sign for sign in kept if unicodedata.category(sign)[0] != "C" and sign not in _INVISIBLE)
    kept = unicodedata.normalize("NFC", re.sub(r"\s+", " ", kept)).strip(" .")
    stem, dot, suffix = kept.rpartition(".")
    if not dot:
        stem, suffix = kept, ""
    if _is_device(kept):
        stem = f"_{stem}"
    ending = f"{dot}{suffix}" if len(suffix.encode()) < _MAX_BYTES // 4 else ""
    room = _MAX_BYTES - len(ending.encode())
    return (stem.encode()[:room].decode(errors="ignore").rstrip(" .") + ending) or "attachment"


def clashing_names(names: Iterable[str]) -> set[str]:
    """Return the names that would be one file once stored: other case, other form of the same letters."""
    seen: dict[str, str] = {}
    clashing: set[str] = set()
    for name in names:
        key = unicodedata.normalize("NFKC", safe_name(name)).casefold()
        if key in seen:
            clashing |= {seen[key], name}
        seen.setdefault(key, name)
    return clashing


def _parts(name: str, *, folders: bool) -> list[str]:
    return name.split("/") if folders else [name]


def _path_flaws(name: str, *, folders: bool) -> set[AttachmentFlaw]:
    flaws: set[AttachmentFlaw] = set()
    folded = unicodedata.normalize("NFKC", name).replace("\\", "/")
    parts = folded.split("/")
    leaves = ".." in (part.strip() for part in parts) or folded.startswith(("/", "~/")) or _DRIVE.match(folded)
    if leaves or (folders and "\\" in name) or "%2f" in folded.lower() or "%5c" in folded.lower():
        flaws.add(AttachmentFlaw.PATH_TRAVERSAL)
    if any(_is_device(part) for part in parts):
        flaws.add(AttachmentFlaw.DEVICE_NAME)
    return flaws


def _is_device(name: str) -> bool:
    """Tell whether Windows takes it for a device: the name up to the first dot or colon decides."""
    return re.split(r"[.:]", name.strip(), maxsplit=1)[0].rstrip(" ").upper() in _DEVICES


def _confusable(name: str) -> bool:
    """Tell whether the name has look-alike letters in a Latin word, signs that look like separators, or both."""
    if any(sign in _LOOK_ALIKE_SIGNS for sign in name):
        return True
    folded = unicodedata.normalize("NFKC", name.replace("…", ""))
    if any(folded.count(sign) > name.count(sign) for sign in "./\\:"):
        return True
    _, dot, suffix = name.rpartition(".")
    if dot and len(suffix) <= _MAX_EXTENSION and any(_script(sign) in _LOOK_ALIKE_SCRIPTS for sign in suffix):
        return True
    words = ({_script(sign) for sign in word} for word in _WORD.findall(name))
    return any("LATIN" in scripts and scripts & _LOOK_ALIKE_SCRIPTS for scripts in words)


def _script(sign: str) -> str:
    """Return the script of a letter, by the first word of its Unicode name."""
    return unicodedata.name(sign, "?").split(" ", maxsplit=1)[0]
