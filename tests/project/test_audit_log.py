"""The audit log: nothing can be changed, taken out or cut off unnoticed."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firstread.core.errors import DataError
from firstread.project.audit_log import AuditLog, ChainHead


@pytest.fixture
def log(tmp_path):
    log = AuditLog(tmp_path / "audit.jsonl")
    for number in range(4):
        log.append("index", f"action {number}", actor="me", counts={"files": number})
    return log


def test_what_was_written_is_read(log):
    assert [entry["action"] for entry in log.read()] == [f"action {number}" for number in range(4)]
    assert log.verify().lines == 4


def test_an_empty_log_is_whole(tmp_path):
    assert AuditLog(tmp_path / "none.jsonl").verify() == ChainHead()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(position=st.integers(0, 10_000), value=st.integers(0, 255))
def test_a_changed_byte_is_noticed(log, position, value):
    content, head = log.path.read_bytes(), log.verify()
    position %= len(content)
    changed = content[:position] + bytes([value]) + content[position + 1 :]
    log.path.write_bytes(changed)
    try:
        if changed != content:
            with pytest.raises(DataError, match=r"broken in line|ends before line"):
                log.verify(head)
    finally:
        log.path.write_bytes(content)


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_line_that_is_taken_out_is_noticed(log, missing):
    lines = log.path.read_bytes().splitlines(keepends=True)
    del lines[missing]
    log.path.write_bytes(b"".join(lines))
    with pytest.raises(DataError, match=f"broken in line {missing + 1}"):
        log.verify()


def test_lines_cut_off_at_the_end_are_noticed_by_who_knows_the_end(log):
    head = log.verify()
    lines = log.path.read_bytes().splitlines(keepends=True)
    log.path.write_bytes(b"".join(lines[:-1]))
    assert log.verify().lines == 3
    with pytest.raises(DataError, match="ends before line 4"):
        log.verify(head)


def test_a_log_that_was_made_anew_is_noticed(log, tmp_path):
    head = log.verify()
    log.path.unlink()
    for number in range(5):
        log.append("index", f"other {number}", actor="me")
    with pytest.raises(DataError, match="ends before line 4"):
        log.verify(head)


def test_a_line_cut_by_a_crash_is_noticed_and_never_written_behind(log):
    with open(log.path, "ab") as file:
        file.write(b'{"line": 5')
    with pytest.raises(DataError, match="broken in line 5"):
        log.append("index", "more", actor="me")
    assert json.loads(log.path.read_bytes().splitlines()[0])["line"] == 1
