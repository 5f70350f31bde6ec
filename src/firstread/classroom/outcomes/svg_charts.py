"""SVG charts for pages: interval plot, dumbbell plot, bubble plot, stacked bar, slope chart and dot plot.

Each is an SVG element of the full width of its container; positions are in per cent, so that lines and letters stay
crisp on a phone and on a projector. Colors come from the page's style sheet, in light and dark; shape, filling or text
is a second cue beside each color.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

_ROW_HEIGHT_PX = 30
_ROW_CENTER_PX = _ROW_HEIGHT_PX / 2


@dataclass(frozen=True)
class Axis:
    """Horizontal axis.

    Attributes:
        low, high: values at the left and at the right end.
        step: distance between two ticks.
        percent: True for shares, formatted in per cent.
        signed: True for differences, formatted with their sign.
    """

    low: float
    high: float
    step: float
    percent: bool = False
    signed: bool = False

    def position(self, value: float) -> str:
        """Position of a value, in per cent of the width; values outside are clamped to the ends."""
        clamped = min(max(value, self.low), self.high)
        return f"{100 * (clamped - self.low) / (self.high - self.low):.2f}%"

    @property
    def ticks(self) -> list[float]:
        """Values of the ticks."""
        count = round((self.high - self.low) / self.step)
        return [round(self.low + number * self.step, 10) for number in range(count + 1)]

    def format(self, value: float) -> str:
        """Format a value as a tick label."""
        factor = 100 if self.percent else 1
        scaled, decimals = factor * value, self._decimals(factor)
        if not round(scaled, decimals):
            text = f"{abs(scaled):.{decimals}f}"  # no sign for zero
        else:
            text = f"{scaled:+.{decimals}f}" if self.signed else f"{scaled:.{decimals}f}"
        return f"{text} %" if self.percent and not self.signed else text

    def _decimals(self, factor: int) -> int:
        return max(0, -math.floor(math.log10(self.step * factor) + 1e-9))


def make_axis(
    values: Iterable[float],
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    percent: bool = False,
    signed: bool = False,
) -> Axis:
    """Make an axis with round ticks that covers all finite values.

    Args:
        minimum, maximum: ends of the possible range, such as 0 and 1 for a share.
        percent, signed: see `Axis`; the range of a signed axis is symmetric about zero.
    """
    finite = [value for value in values if math.isfinite(value)]
    if signed:
        largest = max((abs(value) for value in finite), default=0.0) or 0.05
        low, high = -largest, largest
    else:
        low, high = (min(finite), max(finite)) if finite else (minimum or 0.0, maximum or 1.0)
    if high - low < 0.02:
        low, high = low - 0.02, high + 0.02
    step = _nice_step((high - low) / 5)
    low, high = step * math.floor(low / step + 1e-9), step * math.ceil(high / step - 1e-9)
    low = low if minimum is None else max(low, minimum)
    high = high if maximum is None else min(high, maximum)
    return Axis(low=round(low, 10), high=round(high, 10), step=step, percent=percent, signed=signed)


def interval_plot(axis: Axis, row: Mapping[str, float], *, marker: str = "filled", alt_text: str = "") -> Markup:
    """Row of an interval plot: a marker at the value, and a line with caps over its interval.

    Args:
        row: value (or mean), low, high; without a value only the grid is drawn.
        marker: "filled" (circle) or "hollow" (diamond).
        alt_text: description for screen readers; without it the chart is hidden from them.
    """
    value = row.get("value", row.get("mean", math.nan))
    low, high = row.get("low", math.nan), row.get("high", math.nan)
    parts = [_grid(axis)]
    if math.isfinite(low) and math.isfinite(high):
        y, css_class = _ROW_CENTER_PX, f"reach {marker}"
        parts.append(_line(css_class, x1=axis.position(low), x2=axis.position(high), y1=y, y2=y))
        parts += [
            _line(css_class, x1=axis.position(end), x2=axis.position(end), y1=y - 5, y2=y + 5)
            for end in (low, high)
            if axis.low <= end <= axis.high
        ]
    if math.isfinite(value):
        parts.append(_marker(axis.position(value), f"{_ROW_CENTER_PX}", marker))
    return _svg(parts, alt_text)


def scale(axis: Axis, label: str = "") -> Markup:
    """Tick labels of an axis and its label, for the row below a plot."""
    parts = [
        f'<text x="{axis.position(tick)}" y="15" text-anchor="middle">{escape(axis.format(tick))}</text>'
        for tick in axis.ticks
    ]
    if label:
        parts.append(f'<text class="label" x="50%" y="36" text-anchor="middle">{escape(label)}</text>')
    return _svg(parts, "", 44 if label else 22)


def dumbbell_plot(
    axis: Axis, before: Mapping[str, float] | None, after: Mapping[str, float] | None, *, alt_text: str = ""
) -> Markup:
    """Row of a dumbbell plot: share of right answers before (hollow) and after (filled), joined by a line."""
    parts, y = [_grid(axis)], _ROW_CENTER_PX
    if before and after:
        x1, x2 = axis.position(before["right"]), axis.position(after["right"])
        parts.append(_line("way", x1=x1, x2=x2, y1=y, y2=y))
    ends = ((before, "hollow"), (after, "filled"))
    parts += [_marker(axis.position(end["right"]), f"{y}", marker) for end, marker in ends if end]
    return _svg(parts, alt_text)


def bubble_plot(axis: Axis, counts: Mapping[int, int], total: int, *, marker: str, alt_text: str = "") -> Markup:
    """Distribution of scores: a bubble at each score, its area proportional to the number of participants.

    Args:
        counts: number of right answers -> number of participants.
        total: number of questions.
    """
    largest = max(counts.values(), default=1)
    parts = [_grid(axis, height=44)]
    for right, count in counts.items():
        radius = 9 + 11 * math.sqrt(count / largest)
        x = axis.position(right / total)
        parts.append(
            f'<circle class="crowd {marker}" cx="{x}" cy="22" r="{radius:.1f}"/>'
            f'<text class="count" x="{x}" y="27" text-anchor="middle">{count}</text>'
        )
    return _svg(parts, alt_text, 44)


def stacked_bar(counts: Sequence[int], *, alt_text: str = "") -> Markup:
    """Stacked bar of the ratings of a statement, from the least to the most agreement."""
    total, left = sum(counts), 0.0
    parts: list[str] = []
    for number, count in enumerate(counts, start=1):
        if count:
            width = 100 * count / total
            parts.append(f'<rect class="level-{number}" x="{left:.2f}%" width="{width:.2f}%" y="2" height="26"/>')
            parts.append(
                f'<text class="on-{number}" x="{left + width / 2:.2f}%" y="20" text-anchor="middle">{count}</text>'
            )
            left += width
    return _svg(parts, alt_text)


def slope_chart(points: Sequence[Mapping[str, float]], *, alt_text: str = "") -> Markup:
    """Share of right answers after the lesson (hollow, at day 0) and days later (filled), one line a participant."""
    axis = make_axis([0.0, *(point["days"] for point in points)], minimum=0.0)
    parts: list[str] = []
    for percent in (0, 50, 100):
        y = _y_position(percent / 100)
        parts.append(_line("grid", x1="0", x2="100%", y1=y, y2=y))
        parts.append(f'<text x="0" y="{y}" dy="-4">{percent} %</text>')
    for tick in axis.ticks:
        parts.append(f'<text x="{_x_position(axis, tick)}" y="99%" text-anchor="middle">{tick:g}</text>')
    for point in points:
        x1, y1 = _x_position(axis, 0), _y_position(point["after"])
        x2, y2 = _x_position(axis, point["days"]), _y_position(point["later"])
        parts.append(_line("way thin", x1=x1, y1=y1, x2=x2, y2=y2))
        parts += [_marker(x1, y1, "hollow"), _marker(x2, y2, "filled")]
    return _svg(parts, alt_text, 260)


def dot_plot(axis: Axis, values: Sequence[float], own_value: float | None = None, *, alt_text: str = "") -> Markup:
    """Dot plot of all values, equal ones stacked; the participant's own value as a large marker below them."""
    bins = Counter(round((value - axis.low) / (axis.high - axis.low), 2) for value in values)
    most = max(bins.values(), default=1)
    spacing = min(11.0, 150 / most)
    height = round(spacing * most) + 34
    parts = [_grid(axis, height=height)]
    parts += [
        f'<circle class="other" cx="{100 * x:.2f}%" cy="{height - 26 - spacing * level:.1f}" r="{spacing * 0.42:.1f}"/>'
        for x, count in bins.items()
        for level in range(count)
    ]
    if own_value is not None:
        parts.append(_marker(axis.position(own_value), f"{height - 10}", "filled"))
    return _svg(parts, alt_text, height)


def _x_position(axis: Axis, days: float) -> str:
    return f"{8 + 90 * (days - axis.low) / (axis.high - axis.low):.2f}%"


def _y_position(share: float) -> str:
    return f"{6 + 80 * (1 - share):.2f}%"


def _marker(x: str, y: str, marker: str) -> str:
    if marker == "filled":
        return f'<circle class="mark filled" cx="{x}" cy="{y}" r="7"/>'
    return f'<svg x="{x}" y="{y}" overflow="visible"><path class="mark hollow" d="M-7.5 0L0-7.5L7.5 0L0 7.5Z"/></svg>'


def _grid(axis: Axis, *, height: int = _ROW_HEIGHT_PX) -> str:
    lines = [_line("grid", x1=axis.position(tick), x2=axis.position(tick), y1=0, y2=height) for tick in axis.ticks]
    if axis.signed:
        lines.append(_line("nothing", x1=axis.position(0), x2=axis.position(0), y1=0, y2=height))
    return "".join(lines)


def _line(css_class: str, **ends: str | float) -> str:
    attributes = " ".join(f'{name}="{value}"' for name, value in ends.items())
    return f'<line class="{css_class}" {attributes}/>'


def _svg(parts: Iterable[str], alt_text: str, height: int = _ROW_HEIGHT_PX) -> Markup:
    label = f'role="img" aria-label="{escape(alt_text)}"' if alt_text else 'aria-hidden="true"'
    # labels and descriptions are escaped
    return Markup(f'<svg class="drawing" width="100%" height="{height}" {label}>{"".join(parts)}</svg>')  # noqa: S704


def _nice_step(minimum: float) -> float:
    """The smallest of 1, 2, 5 and 10 times a power of ten that is at least this."""
    power = 10.0 ** math.floor(math.log10(minimum))
    return next(nice * power for nice in (1, 2, 5, 10) if minimum <= nice * power * 1.0001)
