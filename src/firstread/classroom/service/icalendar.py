"""Calendar entry (iCalendar, RFC 5545) that reminds a participant of the last quiz, with their personal link."""

from datetime import UTC, datetime, timedelta

_MAX_LINE_BYTES = 75


def all_day_event(*, title: str, description: str, url: str, day: datetime, uid: str) -> bytes:
    """One all-day event with an alarm at nine, as the content of an .ics file.

    Args:
        uid: identifies the event, so that a second import updates the first.
    """
    lines = [
        *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//firstread//classroom//EN", "BEGIN:VEVENT"),
        f"UID:{uid}@firstread",
        f"DTSTAMP:{datetime.now(UTC):%Y%m%dT%H%M%SZ}",
        f"DTSTART;VALUE=DATE:{day:%Y%m%d}",
        f"DTEND;VALUE=DATE:{day + timedelta(days=1):%Y%m%d}",
        f"SUMMARY:{_escape_text(title)}",
        f"DESCRIPTION:{_escape_text(f'{description} {url}')}",
        f"URL:{url}",
        *("BEGIN:VALARM", "ACTION:DISPLAY", f"DESCRIPTION:{_escape_text(title)}", "TRIGGER:PT9H", "END:VALARM"),
        *("END:VEVENT", "END:VCALENDAR"),
    ]
    return b"".join(_fold_line(line.encode()) for line in lines)


def _escape_text(text: str) -> str:
    for character in "\\;,":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.split())


def _fold_line(line: bytes) -> bytes:
    """Fold a content line longer than 75 bytes; a UTF-8 character is never split."""
    pieces = []
    while len(line) > _MAX_LINE_BYTES:
        cut = _MAX_LINE_BYTES
        while line[cut] & 0xC0 == 0x80:
            cut -= 1
        pieces.append(line[:cut])
        line = b" " + line[cut:]
    return b"\r\n".join([*pieces, line]) + b"\r\n"
