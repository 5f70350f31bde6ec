"""A reminder for a participant's own calendar: the day of the last quiz, with their link (iCalendar, RFC 5545)."""

from datetime import UTC, datetime, timedelta

_LINE_BYTES = 75


def calendar_entry(*, title: str, text: str, link: str, day: datetime, mark: str) -> bytes:
    """One entry of a whole day, as a file that calendars open.

    Args:
        mark: says which entry this is, so that a second import changes the first.
    """
    lines = [
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//firstread//classroom//EN", "BEGIN:VEVENT", f"UID:{mark}@firstread",
        f"DTSTAMP:{datetime.now(UTC):%Y%m%dT%H%M%SZ}", f"DTSTART;VALUE=DATE:{day:%Y%m%d}", f"DTEND;VALUE=DATE:{day + timedelta(days=1):%Y%m%d}",
        f"SUMMARY:{_escaped(title)}", f"DESCRIPTION:{_escaped(f'{text} {link}')}", f"URL:{link}",
        "BEGIN:VALARM", "ACTION:DISPLAY", f"DESCRIPTION:{_escaped(title)}", "TRIGGER:PT9H", "END:VALARM",
        "END:VEVENT", "END:VCALENDAR",
    ]  # fmt: skip
    return b"".join(_folded(line.encode()) for line in lines)


def _escaped(text: str) -> str:
    for letter in "\\;,":
        text = text.replace(letter, f"\\{letter}")
    return " ".join(text.split())


def _folded(line: bytes) -> bytes:
    """Lines longer than 75 bytes go on in the next, after a space; no letter is cut in two."""
    pieces = []
    while len(line) > _LINE_BYTES:
        cut = _LINE_BYTES
        while line[cut] & 0xC0 == 0x80:
            cut -= 1
        pieces.append(line[:cut])
        line = b" " + line[cut:]
    return b"\r\n".join([*pieces, line]) + b"\r\n"
