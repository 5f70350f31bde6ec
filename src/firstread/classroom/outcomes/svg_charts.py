"""Small drawings for pages: rows of an interval plot, stacked bars, points over days.

Each is a piece of SVG as wide as the page gives it room; its places are in per cent, so that lines and letters stay crisp on a phone
and on a projector. Colours come from the page's style, in light and dark; a second cue (shape, filling, words) stands beside each colour.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

_ROW_PIXELS = 30
_MIDDLE = _ROW_PIXELS / 2


@dataclass(frozen=True)
class Axis:
    """From left to right.

    Attributes:
        percent: True if its numbers are shares, shown in per cent.
        signed: True if its numbers are differences, shown with their sign.
    """

    low: float
    high: float
    step: float
    percent: bool = False
    signed: bool = False

    def at(self, value: float) -> str:
        """Where a value stands; what lies outside stands at the edge."""
        inside = min(max(value, self.low), self.high)
        return f"{100 * (inside - self.low) / (self.high - self.low):.2f}%"

    @property
    def ticks(self) -> list[float]:
        """The values that are written below it."""
        count = round((self.high - self.low) / self.step)
        return [round(self.low + number * self.step, 10) for number in range(count + 1)]

    def words(self, value: float) -> str:
        """A value as it is written."""
        shown, digits = (100 * value, self._digits(100)) if self.percent else (value, self._digits(1))
        text = (
            f"{shown:+.{digits}f}"
            if self.signed and round(shown, digits)
            else f"{abs(shown) if not round(shown, digits) else shown:.{digits}f}"
        )
        return f"{text} %" if self.percent and not self.signed else text

    def _digits(self, times: int) -> int:
        return max(0, -math.floor(math.log10(self.step * times) + 1e-9))


def axis_for(values: Iterable[float], *, least: float | None = None, most: float | None = None, **more: bool) -> Axis:
    """An axis with round numbers that holds these values, and no more than is possible.

    Args:
        least, most: the ends of what is possible, such as 0 and 1 for a share.
        more: `percent`, `signed`.
    """
    known = [value for value in values if math.isfinite(value)]
    if more.get("signed"):
        widest = max((abs(value) for value in known), default=0.0) or 0.05
        low, high = -widest, widest
    else:
        low, high = (min(known), max(known)) if known else (least or 0.0, most or 1.0)
    if high - low < 0.02:
        low, high = low - 0.02, high + 0.02
    step = _round_step((high - low) / 5)
    low, high = step * math.floor(low / step + 1e-9), step * math.ceil(high / step - 1e-9)
    low = low if least is None else max(low, least)
    high = high if most is None else min(high, most)
    return Axis(low=round(low, 10), high=round(high, 10), step=step, **more)


def interval(axis: Axis, row: Mapping[str, float], *, mark: str = "filled", words: str = "") -> Markup:
    """A value with its interval on a line.

    Args:
        row: value (or mean), low, high; without a value nothing but the grid is drawn.
        mark: "filled" (circle) or "hollow" (diamond).
        words: for who cannot see it.
    """
    value = row.get("value", row.get("mean", math.nan))
    low, high = row.get("low", math.nan), row.get("high", math.nan)
    parts = [_grid(axis)]
    if math.isfinite(low) and math.isfinite(high):
        parts.append(
            f'<line class="reach {mark}" x1="{axis.at(low)}" x2="{axis.at(high)}" y1="{_MIDDLE}" y2="{_MIDDLE}"/>'
        )
        parts += [
            f'<line class="reach {mark}" x1="{axis.at(end)}" x2="{axis.at(end)}" y1="{_MIDDLE - 5}" y2="{_MIDDLE + 5}"/>'
            for end in (low, high)
            if axis.low <= end <= axis.high
        ]
    if math.isfinite(value):
        parts.append(_mark(axis.at(value), f"{_MIDDLE}", mark))
    return _svg(parts, words)


def scale(axis: Axis, label: str = "") -> Markup:
    """The numbers below rows of intervals."""
    parts = [
        f'<text x="{axis.at(tick)}" y="15" text-anchor="middle">{escape(axis.words(tick))}</text>'
        for tick in axis.ticks
    ]
    if label:
        parts.append(f'<text class="label" x="50%" y="36" text-anchor="middle">{escape(label)}</text>')
    return _svg(parts, "", 44 if label else 22)


def change(
    axis: Axis, before: Mapping[str, float] | None, after: Mapping[str, float] | None, *, words: str = ""
) -> Markup:
    """A share before (hollow) and after (filled), joined by a line."""
    parts = [_grid(axis)]
    key = "right"
    if before and after:
        ends = (axis.at(before[key]), axis.at(after[key]))
        parts.append(f'<line class="way" x1="{ends[0]}" x2="{ends[1]}" y1="{_MIDDLE}" y2="{_MIDDLE}"/>')
    parts += [
        _mark(axis.at(one[key]), f"{_MIDDLE}", mark) for one, mark in ((before, "hollow"), (after, "filled")) if one
    ]
    return _svg(parts, words)


def spread(axis: Axis, counts: Mapping[int, int], of: int, *, mark: str, words: str = "") -> Markup:
    """How many participants had so many right: a circle each, its area by the number, which stands in it."""
    most = max(counts.values(), default=1)
    parts = [_grid(axis, height=44)]
    for right, count in counts.items():
        radius = 9 + 11 * math.sqrt(count / most)
        place = axis.at(right / of)
        parts.append(
            f'<circle class="crowd {mark}" cx="{place}" cy="22" r="{radius:.1f}"/>'
            f'<text class="count" x="{place}" y="27" text-anchor="middle">{count}</text>'
        )
    return _svg(parts, words, 44)


def stack(counts: Sequence[int], *, words: str = "") -> Markup:
    """One bar, divided by how many chose what, from the least to the most agreement."""
    of, left, parts = sum(counts), 0.0, []
    for number, count in enumerate(counts, start=1):
        if count:
            width = 100 * count / of
            parts.append(f'<rect class="level-{number}" x="{left:.2f}%" width="{width:.2f}%" y="2" height="26"/>')
            parts.append(
                f'<text class="on-{number}" x="{left + width / 2:.2f}%" y="20" text-anchor="middle">{count}</text>'
            )
            left += width
    return _svg(parts, words)


def over_days(points: Sequence[Mapping[str, float]], *, words: str = "") -> Markup:
    """Share of right answers after the lesson (hollow, at day 0) and later (filled), each participant's joined by a line."""
    axis = axis_for([0.0, *(point["days"] for point in points)], least=0.0)
    parts = []
    for percent in (0, 50, 100):
        parts.append(
            f'<line class="grid" x1="0" x2="100%" y1="{_height(percent / 100)}" y2="{_height(percent / 100)}"/>'
        )
        parts.append(f'<text x="0" y="{_height(percent / 100)}" dy="-4">{percent} %</text>')
    for tick in axis.ticks:
        parts.append(f'<text x="{_across(axis, tick)}" y="99%" text-anchor="middle">{tick:g}</text>')
    for point in points:
        ends = [(_across(axis, 0), _height(point["after"])), (_across(axis, point["days"]), _height(point["later"]))]
        parts.append(
            f'<line class="way thin" x1="{ends[0][0]}" y1="{ends[0][1]}" x2="{ends[1][0]}" y2="{ends[1][1]}"/>'
        )
        parts += [_mark(*place, mark) for place, mark in zip(ends, ("hollow", "filled"), strict=True)]
    return _svg(parts, words, 260)


def strip(axis: Axis, values: Sequence[float], mine: float | None = None, *, words: str = "") -> Markup:
    """Everyone's value as a dot, equal ones above one another, and one's own as a large one."""
    places = Counter(round((value - axis.low) / (axis.high - axis.low), 2) for value in values)
    apart = min(11.0, 150 / max(places.values(), default=1))
    height = round(apart * max(places.values(), default=1)) + 34
    parts = [_grid(axis, height=height)]
    parts += [
        f'<circle class="other" cx="{100 * place:.2f}%" cy="{height - 26 - apart * level:.1f}" r="{apart * 0.42:.1f}"/>'
        for place, count in places.items()
        for level in range(count)
    ]
    if mine is not None:
        parts.append(_mark(axis.at(mine), f"{height - 10}", "filled"))
    return _svg(parts, words, height)


def _across(axis: Axis, days: float) -> str:
    return f"{8 + 90 * (days - axis.low) / (axis.high - axis.low):.2f}%"


def _height(share: float) -> str:
    return f"{6 + 80 * (1 - share):.2f}%"


def _mark(x: str, y: str, mark: str) -> str:
    if mark == "filled":
        return f'<circle class="mark filled" cx="{x}" cy="{y}" r="7"/>'
    return f'<svg x="{x}" y="{y}" overflow="visible"><path class="mark hollow" d="M-7.5 0L0-7.5L7.5 0L0 7.5Z"/></svg>'


def _grid(axis: Axis, *, height: int = _ROW_PIXELS) -> str:
    lines = [
        f'<line class="grid" x1="{axis.at(tick)}" x2="{axis.at(tick)}" y1="0" y2="{height}"/>' for tick in axis.ticks
    ]
    if axis.signed:
        lines.append(f'<line class="nothing" x1="{axis.at(0)}" x2="{axis.at(0)}" y1="0" y2="{height}"/>')
    return "".join(lines)


def _svg(parts: Iterable[str], words: str, height: int = _ROW_PIXELS) -> Markup:
    told = f'role="img" aria-label="{escape(words)}"' if words else 'aria-hidden="true"'
    return Markup(f'<svg class="drawing" width="100%" height="{height}" {told}>{"".join(parts)}</svg>')  # noqa: S704 - words are escaped


def _round_step(about: float) -> float:
    power = 10 ** math.floor(math.log10(about))
    return next(nice * power for nice in (1, 2, 5, 10) if about <= nice * power * 1.0001)
