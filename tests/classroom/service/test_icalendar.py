"""A reminder that calendars can read."""

from datetime import UTC, datetime

from firstread.classroom.service.icalendar import all_day_event


def test_an_entry_is_whole_and_its_lines_are_short():
    link = "http://class.example/services/classroom/me/link/p7-ab/" + "x" * 43
    entry = all_day_event(
        title="Quiz; lesson 1, ä" * 9,
        description="Five minutes,\nplease.",
        url=link,
        day=datetime(2026, 12, 31, tzinfo=UTC),
        uid="p7",
    )
    lines = entry.split(b"\r\n")
    assert lines[-1] == b""
    assert all(len(line) <= 75 for line in lines)
    assert all(line.decode() or True for line in lines), "no letter is cut in two"
    whole = entry.decode().replace("\r\n ", "")
    assert "DTSTART;VALUE=DATE:20261231\r\nDTEND;VALUE=DATE:20270101\r\n" in whole
    assert f"URL:{link}\r\n" in whole
    assert "Quiz\\; lesson 1\\, ä" in whole
    assert "DESCRIPTION:Five minutes\\, please. http" in whole
