"""The group `firstread project curate` from the terminal, on a de-identified archive: listed, put back, left out."""

import json

import pytest
from typer.testing import CliRunner

from firstread.cli import app
from firstread.core.errors import DataError, SettingError
from project.curated_archive import write_curated_archive


def call(*words):
    result = CliRunner().invoke(app, ["project", *map(str, words)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def new(base):
    words = ("new", base / "liver", "--archive", base / "archive", "--vault", base / "vault", "--deidentified")
    return call(*words)


def test_from_a_deidentified_archive_to_tables(tmp_path):
    write_curated_archive(tmp_path / "archive", patients=("P1",))
    made = new(tmp_path)
    assert made.exit_code == 0
    assert "Recovery code" not in made.output
    assert "Nothing checks that" in made.output
    assert "firstread project curate" in made.output
    here = ("-C", tmp_path / "liver")
    status = call("status", *here)
    assert status.output.count("skipped") == 3
    assert "Next: firstread project curate" in status.output
    assert "11 files" in call("curate", *here, "--dry-run").output
    assert json.loads(call("curate", *here, "--dry-run", "--json").output)["decisions"] == 0
    assert not (tmp_path / "liver" / "30-curated").exists()
    counts = json.loads(call("curate", *here, "--processes", 1, "--json").output)
    assert (counts["stacks"], counts["excluded"]) == (2, 1)
    listed = json.loads(call("curate", "list", *here, "--json").output)
    stack = next(row["id"] for row in listed if row["kind"] == "missing_slices")
    assert stack in call("curate", "list", *here).output
    kept = call("curate", "put-back", stack, "--reason", "looked at", *here)
    assert "takes effect with: firstread project curate" in kept.output
    stale = call("status", *here)
    assert stale.exit_code == 1
    assert "curation decisions has changed since" in stale.output
    shown = call("curate", *here, "--processes", 1)
    assert "2 selected, 0 left out" in shown.output
    assert "report.html" in shown.output
    assert call("curate", "exclude", stack, "--reason", "after all", *here).exit_code == 0
    assert call("status", *here).exit_code == 1


def test_parts_say_what_is_left(tmp_path):
    write_curated_archive(tmp_path / "archive", patients=("P3",))
    new(tmp_path)
    shown = call("curate", "-C", tmp_path / "liver", "--shard", "2/2", "--processes", 1)
    assert "1 shards of files of other parts are not done yet" in shown.output
    assert "run the same line again" in shown.output


def test_wrong_use_is_a_sentence(tmp_path):
    write_curated_archive(tmp_path / "archive", patients=("P3",))
    new(tmp_path)
    here = ("-C", tmp_path / "liver")
    with pytest.raises(DataError, match="not curated yet"):
        call("curate", "list", *here)
    with pytest.raises(DataError, match="not curated yet"):
        call("curate", "put-back", "P3", "--reason", "x", *here)
    with pytest.raises(SettingError, match="is not possible"):
        call("curate", *here, "--shard", "3/2")
    with pytest.raises(DataError, match="does not apply"):
        call("index", *here)
    assert call("curate", "put-back", "P3", *here).exit_code == 2  # a reason is needed
    with pytest.raises(SettingError, match="Phantom archives hold identities"):
        call("new", tmp_path / "demo", "--phantoms", 1, "--deidentified", "--vault", tmp_path / "v2")
