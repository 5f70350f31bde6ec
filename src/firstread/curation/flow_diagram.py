"""Flow diagram of participants as SVG, in the manner of STARD 2015 (doi 10.1136/bmj.h5527) and CONSORT.

One column that is as wide as a phone: whoever is left goes down on the left, whoever leaves goes out to the right.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

import pyarrow as pa

from firstread.curation.participant_flow import UNIT_WORDS, counted

_WIDTH, _MARGIN, _INDENT = 420, 8, 96
#: pixels that it is wide where there is room
_SHOWN = 600
_LINE, _PAD, _GAP, _LETTER = 20, 10, 12, 7.6
_INK, _QUIET, _BLUE, _ORANGE = "#1b2430", "#5b6675", "#0072B2", "#B34700"
_FONT = "system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
_ELLIPSIS = "…"
_MOST_LINES = 6


def draw_flow(flow: pa.Table, *, title: str = "", note: str = "", partitions: Mapping[str, int] | None = None) -> str:
    """Draw the flow of participants.

    Args:
        flow: of `select_participants`.
        title: above the diagram.
        note: below it, such as that the criteria were drawn a posteriori.
        partitions: name of a split -> number of units in it, for boxes below the last one.

    Returns:
        SVG, 420 units wide, shown larger where there is room; it holds no script and refers to no other file.

    Example:
        >>> from firstread.curation.participant_flow import FLOW
        >>> row = {"step": 0, "criterion": "Assessed", "side": "start", "unit": "patient", "before": 5, "left": 0,
        ...        "after": 5, "patients_after": 5, "studies_after": 9, "series_after": 20}
        >>> svg = draw_flow(pa.Table.from_pylist([row, row | {"side": "included", "criterion": "Included"}], FLOW))
        >>> svg.startswith("<svg") and "5 patients, 9 studies, 20 series" in svg
        True
    """
    drawing = _Drawing()
    rows = flow.to_pylist()
    if title:
        drawing.text(title, bold=True)
    for place, row in enumerate(rows):
        side, unit = row["side"], row["unit"]
        if side in ("start", "included"):
            drawing.main_box([row["criterion"], _all_units(row)])
        else:
            drawing.side_box(_leaving(row, rows[place - 1]), strong=side == "missing")
            if place + 1 < len(rows) and rows[place + 1]["side"] not in ("missing", "included"):
                drawing.count(counted(row["after"], unit))
    if partitions:
        unit = rows[-1]["unit"] if rows else "patient"
        drawing.partition_boxes([(name, counted(number, unit)) for name, number in partitions.items()])
    if note:
        drawing.text(note)
    return drawing.svg(title or "Flow of participants", [f"{row['criterion']}: {row['after']} left" for row in rows])


def _all_units(row: Mapping[str, int]) -> str:
    return ", ".join(counted(row[f"{several}_after"], unit) for unit, (_, several) in UNIT_WORDS.items())


def _leaving(row: Mapping[str, Any], before: Mapping[str, Any]) -> list[str]:
    """Lines of a box beside the flow: how many are excluded, and why."""
    name, unit = row["criterion"], row["unit"]
    series = before["series_after"] - row["series_after"]
    more = f" ({counted(series, 'series')})" if unit != "series" and series else ""
    lines = [f"{counted(row['left'], unit)} excluded{more}"]
    lines.append(f"Not met: {name}" if row["side"] == "include" else name)
    if row["undecided"]:
        lines.append(f"{counted(row['undecided'], unit)} included without an answer")
    return lines


@dataclass
class _Drawing:
    """Shapes from top to bottom."""

    shapes: list[str] = field(default_factory=list)
    y: int = _MARGIN
    #: where the line down begins that no box has ended yet
    stem: int | None = None

    def text(self, text: str, *, bold: bool = False) -> None:
        """A paragraph as wide as the drawing."""
        for line in wrap(text, _WIDTH - 2 * _MARGIN):
            self._line(line, _MARGIN, bold=bold, color=_INK if bold else _QUIET)
        self.y += _GAP // 2

    def main_box(self, lines: list[str]) -> None:
        """A box of who is left."""
        self._down()
        self._box(_MARGIN, _WIDTH - 2 * _MARGIN, lines, stroke=_BLUE, fill="#eaf3fa")
        self.stem = self.y
        self.y += _GAP

    def side_box(self, lines: list[str], *, strong: bool) -> None:
        """A box of who leaves, with an arrow from the line down."""
        top = self.y
        color = _ORANGE if strong else _QUIET
        self._box(_INDENT, _WIDTH - _INDENT - _MARGIN, lines, stroke=color, fill="#fdf3ec" if strong else "#ffffff")
        middle = (top + self.y) // 2
        x = _stem_x()
        self.shapes.append(
            f'<path d="M{x} {middle}H{_INDENT - 2}" stroke="{color}" marker-end="url(#tip)" fill="none"/>'
        )
        self.y += _GAP

    def count(self, text: str) -> None:
        """Who is left, beside the line down."""
        self.y += _LINE - 6
        self.shapes.append(_text(text, _stem_x() + 10, self.y, bold=True))
        self.y += _GAP

    def partition_boxes(self, boxes: list[tuple[str, str]]) -> None:
        """Boxes side by side below the last one."""
        self._down()
        width = (_WIDTH - 2 * _MARGIN - _GAP * (len(boxes) - 1)) // len(boxes)
        top, lowest = self.y, self.y
        for number, lines in enumerate(boxes):
            self.y = top
            self._box(_MARGIN + number * (width + _GAP), width, list(lines), stroke=_BLUE, fill="#ffffff")
            lowest = max(lowest, self.y)
        self.y, self.stem = lowest + _GAP, None

    def svg(self, title: str, sentences: list[str]) -> str:
        """The whole drawing."""
        height = self.y + _MARGIN
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_SHOWN}" role="img" '
            f'font-family="{_FONT}" font-size="14" style="max-width:100%;height:auto">'
        )
        tip = (
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
            f'orient="auto"><path d="M0 0L8 4L0 8z" fill="{_QUIET}"/></marker></defs>'
        )
        said = f"<title>{_clean(title)}</title><desc>{_clean('; '.join(sentences))}</desc>"
        ground = f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>'
        return "\n".join([head, said, tip, ground, *self.shapes, "</svg>"]) + "\n"

    def _down(self) -> None:
        """The line from the last box to here."""
        if self.stem is not None:
            self.y += _GAP // 2
            end = self.y - 1
            x = _stem_x()
            line = f'<path d="M{x} {self.stem}V{end}" stroke="{_QUIET}" marker-end="url(#tip)" fill="none"/>'
            self.shapes.append(line)

    def _box(self, x: int, width: int, lines: list[str], *, stroke: str, fill: str) -> None:
        shown = [(part, number == 0) for number, line in enumerate(lines) for part in wrap(line, width - 2 * _PAD)]
        height = len(shown) * _LINE + 2 * _PAD - 4
        self.shapes.append(
            f'<rect x="{x}" y="{self.y}" width="{width}" height="{height}" rx="4" fill="{fill}" stroke="{stroke}"/>'
        )
        bottom = self.y + height
        self.y += _PAD - 4
        for text, is_bold in shown:
            self._line(text, x + _PAD, bold=is_bold)
        self.y = bottom

    def _line(self, text: str, x: int, *, bold: bool = False, color: str = _INK) -> None:
        self.y += _LINE
        self.shapes.append(_text(text, x, self.y - 5, bold=bold, color=color))


def wrap(text: str, width: float) -> list[str]:
    """Break a text into lines of a width in units of the drawing; words that are too long are broken too.

    Example:
        >>> wrap("Portal venous CT", 80)
        ['Portal', 'venous CT']
    """
    lines, line = [], ""
    for word in text.split():
        for piece in _pieces(word, width):
            joined = f"{line} {piece}".strip()
            if line and _length(joined) > width:
                lines.append(line)
                line = piece
            else:
                line = joined
    lines.append(line)
    if len(lines) > _MOST_LINES:
        lines = [*lines[: _MOST_LINES - 1], lines[_MOST_LINES - 1] + _ELLIPSIS]
    return lines


def _pieces(word: str, width: float) -> list[str]:
    pieces, piece = [], ""
    for letter in word:
        if piece and _length(piece + letter) > width:
            pieces.append(piece)
            piece = ""
        piece += letter
    return [*pieces, piece]


def _length(text: str) -> float:
    return sum(2 * _LETTER if unicodedata.east_asian_width(letter) in "WF" else _LETTER for letter in text)


def _stem_x() -> int:
    return _MARGIN + 24


def _text(text: str, x: int, y: int, *, bold: bool = False, color: str = _INK) -> str:
    weight = ' font-weight="600"' if bold else ""
    return f'<text x="{x}" y="{y}" fill="{color}"{weight}>{_clean(text)}</text>'


def _clean(text: str) -> str:
    """A text as XML can hold it."""
    return escape("".join(letter if letter.isprintable() else " " for letter in text))
