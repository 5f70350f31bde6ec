"""SVG time line of a session's record: one row a place, and lanes for calls, marks and the help queue.

Each row is an SVG element of the full width of its container, with a line at the current moment that the script moves.
Attributes instead of style attributes, because the page's policy allows its own style sheet only.
"""

import itertools
import math
from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

from firstread.classroom.outcomes.session_entries import RecordEntry
from firstread.classroom.outcomes.session_record import SessionRecord

ROW_HEIGHT = 24
#: a single participant is still seen
_MIN_HALF_HEIGHT = 1.2
_MAX_TICKS = 8
_TICK_MINUTES = (1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 720, 1440)


def clock_text(seconds: int) -> str:
    """Hours and minutes since the start, such as "0:07"."""
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}"


def occupancy_row(record: SessionRecord, place: int) -> Markup:
    """Number of participants at one place over time, as a band that is the thicker, the more there are."""
    counts = [frame[place] for frame in record.frames]
    largest = max((max(frame) for frame in record.frames), default=0)
    label = f"{record.resolution.places[place]}: at most {max(counts, default=0)} at once"
    return _svg(_band(counts, largest), label, view_box=f"0 0 {max(1, len(counts) - 1)} {ROW_HEIGHT}")


def queue_row(record: SessionRecord) -> Markup:
    """Number of open help requests over time."""
    counts = [waiting + taken for waiting, taken in record.queue]
    waiting = [one for one, _ in record.queue]
    largest = max(counts, default=0)
    shape = _band(counts, largest, "taken") + _band(waiting, largest, "waiting")
    label = f"Help requests: at most {largest} at once"
    return _svg(shape, label, view_box=f"0 0 {max(1, len(counts) - 1)} {ROW_HEIGHT}")


def call_row(record: SessionRecord) -> Markup:
    """Steps that everyone was called to, each from its call to the next, and pauses of the plan."""
    parts: list[str] = []
    calls = [entry for entry in record.entries if entry.kind == "step" or entry.value == "ended"]
    for begin, end, entry in _segments(calls, record.seconds):
        if entry.kind == "step" and entry.value:
            x, width = _position(begin, record), _position(end - begin, record)
            parts.append(f'<rect class="call" x="{x}" width="{width}" y="2" height="{ROW_HEIGHT - 4}" rx="3">')
            parts.append(f"<title>{escape(entry.value)}</title></rect>")
            if 100 * (end - begin) / record.seconds > 3:  # there is room for the number
                number = escape(entry.value.split(".")[0][:3])
                parts.append(f'<text class="on-call" x="{x}" dx="5" y="17">{number}</text>')
    plan = [entry for entry in record.entries if entry.kind == "plan"]
    for begin, end, entry in _segments(plan, record.seconds):
        if entry.value == "paused":
            x, width = _position(begin, record), _position(end - begin, record)
            parts.append(f'<rect class="pause" x="{x}" width="{width}" y="0" height="{ROW_HEIGHT}"/>')
    return _svg("".join(parts), "Calls to a step, and pauses")


def mark_row(record: SessionRecord, *kinds: str, label: str) -> Markup:
    """A mark at each entry of these kinds."""
    marks = [entry for entry in record.entries if entry.kind in kinds]
    parts = [f'<circle class="{entry.kind}" cx="{_position(entry.seconds, record)}" cy="12" r="5"/>' for entry in marks]
    return _svg("".join(parts), f"{label}: {len(marks)}")


def has_entries(record: SessionRecord, *kinds: str) -> bool:
    """True if there is an entry of these kinds."""
    return any(entry.kind in kinds for entry in record.entries)


def axis_row(record: SessionRecord) -> Markup:
    """Tick labels of the time."""
    minutes = record.seconds / 60
    step = next((one for one in _TICK_MINUTES if minutes / one <= _MAX_TICKS), _TICK_MINUTES[-1])
    ticks = range(0, int(minutes) + 1, step)
    parts = []
    for tick in ticks:
        share = 60 * tick / record.seconds
        anchor = "start" if share < 0.03 else "end" if share > 0.97 else "middle"
        x = _position(60 * tick, record)
        parts.append(f'<text x="{x}" y="16" text-anchor="{anchor}">{clock_text(60 * tick)}</text>')
    return _svg("".join(parts), "")


def _segments(entries: Sequence[RecordEntry], end: int) -> Iterable[tuple[int, int, RecordEntry]]:
    """Begin, end and entry of each state that entries change."""
    for entry, following in itertools.zip_longest(entries, entries[1:]):
        yield entry.seconds, following.seconds if following else end, entry


def _band(counts: Sequence[int], largest: int, css_class: str = "people") -> str:
    """Path of a stepped band about the middle of the row; each frame lasts until the next."""
    upper: list[str] = []
    lower: list[str] = []
    previous = None
    for frame, count in enumerate(counts):
        last = frame == len(counts) - 1
        if count == previous and not last:
            continue
        # by the square root, so that two are seen beside thirty
        half = max(_MIN_HALF_HEIGHT, (ROW_HEIGHT / 2 - 1) * math.sqrt(count / largest)) if count else 0.0
        top, bottom = f"{ROW_HEIGHT / 2 - half:.1f}", f"{ROW_HEIGHT / 2 + half:.1f}"
        upper.append(f"H{frame}V{top}" if upper else f"M{frame} {top}")
        lower.append(f"V{bottom}H{frame}")
        previous = count
    if not any(counts):
        return ""
    # back along the lower edge: the height of each frame holds from there to the next
    back = "".join(reversed(lower))
    return f'<path class="{css_class}" d="{"".join(upper)}{back}Z"/>'


def _position(seconds: float, record: SessionRecord) -> str:
    return f"{100 * seconds / record.seconds:.2f}%"


def _svg(content: str, label: str, *, view_box: str = "") -> Markup:
    scaled = f'viewBox="{view_box}" preserveAspectRatio="none"' if view_box else ""
    role = f'role="img" aria-label="{escape(label)}"' if label else 'aria-hidden="true"'
    now = f'<line class="now" x1="0" x2="0" y1="0" y2="{ROW_HEIGHT}"/>'
    # labels are escaped, all else is numbers and names of classes
    return Markup(f'<svg class="lane" height="{ROW_HEIGHT}" {scaled} {role}>{content}{now}</svg>')  # noqa: S704
