"""The exchange's own reasons to refuse."""

from __future__ import annotations

import inspect
import re

from lienthong.document import reasons
from lienthong.errors import Problem

GRAMMAR = re.compile(r"[NRMT]\.[\w.\-]+|ExistDoc|CheckSignature|Permission")


def test_every_reason_speaks_both_languages_and_the_grammar() -> None:
    """Each reason has a code of the grammar, a provincial number, and says in both languages what to do."""
    for name in reasons.__all__:
        make = getattr(reasons, name)
        arguments = [1 if "int" in str(p.annotation) else "x" for p in inspect.signature(make).parameters.values()]
        problem = make(*arguments)
        assert isinstance(problem, Problem)
        assert GRAMMAR.fullmatch(problem.code), problem.code
        assert problem.province_code in {10, 18, 19, 21, 22, 23}
        assert problem.vi != problem.en
        assert len(problem.vi) > len("Thiếu") < len(problem.en)
