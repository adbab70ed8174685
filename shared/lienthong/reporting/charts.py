"""Bars, drawn once and put into a page or on paper: rectangles and short texts in points, from the top left."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Literal

from lienthong.reporting.model import cell_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lienthong.reporting.model import Bars, Language, Table

__all__ = ["Box", "Drawing", "Label", "as_svg", "drawing_of"]

COLOUR = "#2b6cb0"
INK = "#1f2933"
WIDTH = 620.0
LABELS = 290.0
ROW = 18.0
BAR = 12.0
HEIGHT = 150.0
TEXT = 9.0
LONGEST = 60
"""Characters of a bar's name; what is longer is cut off, and stands whole in the table."""
MOST_UPRIGHT_LABELS = 16


@dataclass(frozen=True, slots=True)
class Box:
    """A filled rectangle."""

    x: float
    y: float
    width: float
    height: float
    colour: str


@dataclass(frozen=True, slots=True)
class Label:
    """A text; (x, y) is where its base line starts, has its middle, or ends."""

    x: float
    y: float
    text: str
    anchor: Literal["start", "middle", "end"] = "start"


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is drawn, and how large it is."""

    width: float
    height: float
    boxes: Sequence[Box]
    labels: Sequence[Label]


def drawing_of(table: Table, language: Language) -> Drawing | None:
    """Return the bars of a table; None when it is not drawn or has nothing to draw."""
    if table.bars is None:
        return None
    rows, _, _ = table.shown()
    label, value = table.column(table.bars.label), table.column(table.bars.value)
    named = [(row[label], cell_text(table.columns[label], row[label], language), row[value]) for row in rows]
    values = [(str(key), name, number) for key, name, number in named if isinstance(number, int)]
    if not values or not max(number for _, _, number in values):
        return None
    column = table.columns[value]
    shown = [(key, name, number, cell_text(column, number, language)) for key, name, number in values]
    return _upright(shown) if table.bars.upright else _lying(shown, table.bars)


def as_svg(drawing: Drawing, title: str) -> str:
    """Return a drawing as an SVG element; `title` is what a screen reader says of it."""
    boxes = "".join(
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" fill="{box.colour}"/>'
        for box in drawing.boxes
    )
    labels = "".join(
        f'<text x="{label.x:.1f}" y="{label.y:.1f}" text-anchor="{label.anchor}">{escape(label.text)}</text>'
        for label in drawing.labels
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {drawing.width:.0f} {drawing.height:.0f}" role="img" '
        f'aria-label="{escape(title)}" font-size="{TEXT}" fill="{INK}">'
        f"{boxes}{labels}</svg>"
    )


def _lying(values: Sequence[tuple[str, str, int, str]], bars: Bars) -> Drawing:
    longest = max(number for _, _, number, _ in values)
    scale = (WIDTH - LABELS - 60) / longest
    boxes, labels = [], []
    for place, (key, name, number, text) in enumerate(values):
        top = place * ROW
        length = max(number * scale, 0.8 if number else 0.0)
        boxes.append(Box(LABELS, top + (ROW - BAR) / 2, length, BAR, bars.colours.get(key, COLOUR)))
        labels.append(Label(LABELS - 6, top + ROW / 2 + 3, _cut(name), "end"))
        labels.append(Label(LABELS + length + 5, top + ROW / 2 + 3, text))
    return Drawing(WIDTH, len(values) * ROW, boxes, labels)


def _upright(values: Sequence[tuple[str, str, int, str]]) -> Drawing:
    longest = max(number for _, _, number, _ in values)
    step = WIDTH / len(values)
    ground = HEIGHT - 16
    scale = (ground - 14) / longest
    every = 1 if len(values) <= 24 else -(-len(values) // MOST_UPRIGHT_LABELS)  # noqa: PLR2004 - the hours of a day
    # A date is wider than a bar: then only some have room for their names.
    if any(len(name) > 2 for _, name, _, _ in values):  # noqa: PLR2004 - an hour
        every = max(every, -(-len(values) // (MOST_UPRIGHT_LABELS // 2)))
    boxes, labels = [], []
    for place, (_, name, number, text) in enumerate(values):
        height = number * scale
        width = min(step * 0.7, 40.0)
        middle = place * step + step / 2
        boxes.append(Box(middle - width / 2, ground - height, width, height, COLOUR))
        if place % every == 0:
            labels.append(Label(middle, HEIGHT - 4, name, "middle"))
        if number and len(values) <= 24:  # noqa: PLR2004 - likewise
            labels.append(Label(middle, ground - height - 3, text, "middle"))
    boxes.append(Box(0, ground, WIDTH, 0.5, INK))
    return Drawing(WIDTH, HEIGHT, boxes, labels)


def _cut(name: str) -> str:
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"
