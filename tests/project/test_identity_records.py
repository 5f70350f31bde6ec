"""Encrypted identities: each record stays in its place, in its project, under its key."""

import pytest

from firstread.core.errors import DataError
from firstread.project.identity_records import IdentityRecords

KEY = bytes(range(32))


@pytest.fixture
def records(tmp_path):
    records = IdentityRecords(tmp_path / "identities.bin", KEY, project="liver")
    records.add({"P1": {"name": "DOE^JOHN", "id": "007"}, "P2": {"name": "山田", "id": "8"}})
    return records


def test_a_pseudonym_is_led_back(records):
    assert records.find("P2") == {"name": "山田", "id": "8"}
    assert records.find("P3") is None


def test_what_is_known_is_not_written_again(records, tmp_path):
    before = (tmp_path / "identities.bin").read_bytes()
    assert records.add({"P1": {"name": "DOE^JOHN", "id": "007"}}) == 0
    assert (tmp_path / "identities.bin").read_bytes() == before
    assert records.add({"P1": {"name": "DOE^JOHN", "id": "0007"}}) == 1
    assert records.find("P1") == {"name": "DOE^JOHN", "id": "0007"}


def test_no_identity_is_readable_and_nobody_else_may_read(records, tmp_path):
    path = tmp_path / "identities.bin"
    assert b"DOE" not in path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("kind", ["byte", "swap", "cut", "project", "key"])
def test_what_was_changed_is_noticed(records, tmp_path, kind):
    path = tmp_path / "identities.bin"
    content = path.read_bytes()
    length = 4 + int.from_bytes(content[:4])
    changed = {
        "byte": content[:20] + bytes([content[20] ^ 1]) + content[21:],
        "swap": content[length:] + content[:length],
        "cut": content[:-3],
    }
    path.write_bytes(changed.get(kind, content))
    project, key = "other" if kind == "project" else "liver", bytes(32) if kind == "key" else KEY
    with pytest.raises(DataError, match="is damaged, or does not belong to this project"):
        list(IdentityRecords(path, key, project=project).records())
