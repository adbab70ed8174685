"""The process that examines PDFs for somebody else, and may die of it: ``python -m lienthong.signature.pdf_child``."""

from __future__ import annotations

import sys

from lienthong.isolation.child import MEBIBYTE, limit_address_space, serve
from lienthong.signature.pdf_examination import examine
from lienthong.signature.pdf_facts import encode_facts

__all__ = ["main"]


def main(arguments: list[str]) -> None:
    """Answer PDFs with facts.

    Args:
        arguments: the megabytes of address space there are.
    """
    limit_address_space(int(arguments[0]) * MEBIBYTE, for_good=True)
    serve(lambda pdf: encode_facts(examine(pdf)))


if __name__ == "__main__":
    main(sys.argv[1:])
