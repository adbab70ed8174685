"""A few facts for warnings only: the numbers of document kinds, and names of agencies whose code is certain.

The directory of agencies is the authority for codes; this table only notices that a name and a code contradict each
other. It holds the level-1 codes that primary sources agree on (lists before the mergers of July 2025).
"""

from __future__ import annotations

import unicodedata

__all__ = ["TYPE_NUMBERS", "fold", "provincial_level_one", "stated_level_one"]

TYPE_NUMBERS: dict[str, frozenset[int]] = {
    "hiến pháp": frozenset({1}),
    "luật": frozenset({2}),
    "pháp lệnh": frozenset({3}),
    "lệnh": frozenset({4}),
    "nghị quyết": frozenset({1, 5}),
    "nghị quyết liên tịch": frozenset({6}),
    "nghị định": frozenset({7}),
    "quyết định": frozenset({2, 8}),
    "thông tư": frozenset({9}),
    "thông tư liên tịch": frozenset({10}),
    "chỉ thị": frozenset({3, 11}),
    "bộ luật": frozenset({12}),
    "quy chế": frozenset({4}),
    "quy định": frozenset({5}),
    "thông cáo": frozenset({6}),
    "thông báo": frozenset({7}),
    "hướng dẫn": frozenset({8}),
    "chương trình": frozenset({9}),
    "công văn": frozenset({18}),
    "công điện": frozenset({19}),
    "giấy mời": frozenset({25}),
}
"""``Type`` for a ``TypeName``: both groups of the annex of QCVN 102 as amended in 2022, as far as it is published."""

_MINISTRIES = {
    "bộ công an": "G01",
    "bộ công thương": "G02",
    "bộ giáo dục và đào tạo": "G03",
    "bộ giao thông vận tải": "G04",
    "bộ kế hoạch và đầu tư": "G05",
    "bộ khoa học và công nghệ": "G06",
    "bộ lao động - thương binh và xã hội": "G07",
    "bộ ngoại giao": "G08",
    "bộ nội vụ": "G09",
    "bộ nông nghiệp và phát triển nông thôn": "G10",
    "bộ quốc phòng": "G11",
    "bộ tài chính": "G12",
    "bộ tài nguyên và môi trường": "G13",
    "bộ thông tin và truyền thông": "G14",
    "bộ tư pháp": "G15",
    "bộ văn hóa, thể thao và du lịch": "G16",
    "bộ xây dựng": "G17",
    "bộ y tế": "G18",
    "ngân hàng nhà nước việt nam": "G19",
    "thanh tra chính phủ": "G20",
    "ủy ban dân tộc": "G21",
    "văn phòng chính phủ": "G22",
}
_PROVINCES = {
    "cao bằng": "H14",
    "đà nẵng": "H17",
    "đồng nai": "H19",
    "hồ chí minh": "H29",
    "lâm đồng": "H36",
    "lạng sơn": "H37",
    "lào cai": "H38",
    "nghệ an": "H41",
    "quảng ngãi": "H48",
    "quảng ninh": "H49",
    "tây ninh": "H53",
    "thanh hóa": "H56",
}
_PROVINCIAL_BODIES = ("ubnd ", "ủy ban nhân dân ", "uỷ ban nhân dân ", "sở ")


def fold(text: str) -> str:
    """Return a name in the form in which names are compared: composed, lower case, single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def stated_level_one(name: str) -> str | None:
    """Return the level-1 code that a name states beyond doubt, or None."""
    folded = fold(name)
    if (ministry := _MINISTRIES.get(folded)) is not None:
        return ministry
    if not provincial_level_one(name):
        return None
    return next((code for province, code in _PROVINCES.items() if folded.endswith(province)), None)


def provincial_level_one(name: str) -> bool:
    """Tell whether a name is that of a provincial body, whose level-1 code begins with H."""
    return fold(name).startswith(_PROVINCIAL_BODIES)
