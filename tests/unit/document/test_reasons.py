"""The exchange's own reasons to refuse."""

from __future__ import annotations

import inspect
import re
from datetime import UTC, datetime

from lienthong.document import reasons
from lienthong.errors import Problem

GRAMMAR = re.compile(r"[NRMT]\.[\w.\-]+|ExistDoc|CheckSignature|Permission|Quota")

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def test_every_reason_speaks_both_languages_and_the_grammar() -> None:
    """Each reason has a code of the grammar, a provincial number, and says in both languages what to do."""
    for name in reasons.__all__:
        make = getattr(reasons, name)
        kinds = [str(parameter.annotation) for parameter in inspect.signature(make).parameters.values()]
        arguments = [1 if "int" in kind else NOW if "datetime" in kind else "x" for kind in kinds]
        problem = make(*arguments)
        assert isinstance(problem, Problem)
        assert GRAMMAR.fullmatch(problem.code), problem.code
        assert problem.province_code in {10, 18, 19, 21, 22, 23}
        assert problem.vi != problem.en
        assert len(problem.vi) > len("Thiếu") < len(problem.en)
