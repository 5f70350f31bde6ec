"""Page of a session's record: served beside its script, or as one file that opens from disk."""

import base64
import hashlib
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader

from firstread.classroom.database.store import Store
from firstread.classroom.outcomes import record_chart
from firstread.classroom.outcomes.record_resolution import MIN_CLASS
from firstread.classroom.outcomes.session_data import load_session_data
from firstread.classroom.outcomes.session_record import SessionRecord, build_session_record
from firstread.classroom.progress.dashboard import PAGES
from firstread.core.files import write_text
from firstread.lessons.lesson_info import LessonInfo

_STYLES = ("base.css", "record.css")
SCRIPT = "record.js"


def render_session_record(record: SessionRecord | None, lesson: LessonInfo, *, self_contained: bool = False) -> str:
    """Render the page of a record.

    Args:
        record: None shows that nothing has happened yet.
        self_contained: True puts the script into the page, which then allows its own script and style only and loads
            nothing; False refers to the script that the service serves.
    """
    pages = Environment(loader=FileSystemLoader(PAGES), autoescape=True)
    style = "".join((PAGES / name).read_text(encoding="utf-8") for name in _STYLES)
    script = (PAGES / SCRIPT).read_text(encoding="utf-8") if self_contained else ""
    policy = (
        f"default-src 'none'; img-src data:; script-src '{_source_hash(script)}'; style-src '{_source_hash(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return pages.get_template("record.html").render(
        record=record,
        lesson=lesson.title,
        charts=record_chart,
        style=style,
        script=script,
        policy=policy if self_contained else "",
        min_class=MIN_CLASS,
        now=datetime.now(UTC),
    )


def session_record_page(store: Store, lesson: LessonInfo, *, self_contained: bool = False) -> str:
    """Build the record of a class's session and render its page."""
    record = build_session_record(load_session_data(store), lesson)
    return render_session_record(record, lesson, self_contained=self_contained)


def write_session_record(store: Store, lesson: LessonInfo, path: Path) -> Path:
    """Write the record of a class's session as one file that opens from disk."""
    return write_text(path, session_record_page(store, lesson, self_contained=True))


def _source_hash(text: str) -> str:
    """Source expression of an inline script or style in a content security policy."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
