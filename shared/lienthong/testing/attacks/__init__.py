"""Every way known of making a verifier believe a message that nobody signed, as messages to be refused.

Made by code, one group for each class in signature profile 1; nothing here was ever on a wire. A message is made when
it is asked for: some are large.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lienthong.testing.attacks.algorithms import algorithms, references, transforms
from lienthong.testing.attacks.coverage import attachments, coverage, tampering
from lienthong.testing.attacks.keys import keys, properties
from lienthong.testing.attacks.parser import parser
from lienthong.testing.attacks.values import values
from lienthong.testing.attacks.wrapping import wrapping

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lienthong.signature.reasons import Code

__all__ = ["Attack", "attacks"]


@dataclass(frozen=True)
class Attack:
    """One message, every one of which has to be found broken.

    Attributes:
        group: the class of attack.
        name: which one; unique.
        code: the reason it has to be refused for.
        make: makes the message.
    """

    group: str
    name: str
    code: Code
    make: Callable[[], bytes]


def attacks() -> Iterator[Attack]:
    """Yield every attack."""
    groups = (
        *(parser, wrapping, coverage, attachments, values, algorithms),
        *(transforms, references, keys, properties, tampering),
    )
    for group in groups:
        for name, code, make in group():
            yield Attack(group.__name__, f"{group.__name__}: {name}", code, make)
