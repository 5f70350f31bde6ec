"""Commands `project clinical`, `cohort`, `split` and `open-test`: the whole path, dry runs, JSON, wrong use."""

import json

import pytest
from typer.testing import CliRunner

from firstread.cli import app
from firstread.core.errors import DataError, SettingError
from project.curated_project import ELIGIBILITY, make_project, patient


def call(*words):
    result = CliRunner().invoke(app, ["project", *map(str, words)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    base = tmp_path_factory.mktemp("commands")
    made = make_project(base, patients=24, slices=2)
    (base / "who.toml").write_text(ELIGIBILITY)
    rows = "\n".join(f"{patient(number)},{number % 3},Name{number}" for number in range(30))
    (base / "table.csv").write_text(f"mrn,metastases,surname\n{rows}\n")
    return made


def test_from_a_table_to_an_opened_test_set(project):
    here, base = ("-C", project.folder), project.folder.parent
    clinical = ("clinical", base / "table.csv", "--id-column", "mrn", *here)
    assert "6 are of nobody" in call(*clinical, "--dry-run").output
    assert not (project.folder / "25-clinical" / "columns.csv").exists()
    counts = json.loads(call(*clinical, "--json").output)
    assert (counts["matched"], counts["columns"], list(counts["dropped"])) == (24, ["metastases"], ["surname"])

    cohort = ("cohort", "--from", base / "who.toml", *here)
    dry = json.loads(call(*cohort, "--dry-run", "--json").output)
    assert not (project.folder / "40-cohort").exists()
    shown = call(*cohort)
    assert f"{dry['included']} of 24 included" in shown.output
    assert 'Note: "Venous CT" cannot be answered for 3 patients' in shown.output

    split = ("split", "--fractions", "0.5,0.25,0.25", *here)
    dry = json.loads(call(*split, "--dry-run", "--json").output)
    assert not (project.folder / "50-splits").exists()
    assert str(dry["splits"]["train"]) in call(*split).output

    status = json.loads(call("status", "--json", *here).output)
    assert [step["state"] for step in status["steps"][-4:]] == ["done", "done", "done", "done"]
    assert status["next"] is None

    opened = json.loads(call("open-test", "--reason", "the model is final", "--json", *here).output)
    assert (opened["cases"], opened["warning"]) == (dry["splits"]["test"], "")
    assert "Warning: The test set was opened twice" in call("open-test", "--reason", "again", *here).output
    with pytest.raises(SettingError, match="--new-seal"):
        call(*split, "--seed", 7)
    with pytest.raises(SettingError, match="A reason is needed"):
        call(*split, "--seed", 7, "--new-seal")
    assert call(*split, "--seed", 7, "--new-seal", "--reason", "more patients").exit_code == 0


def test_wrong_use_is_said(project, tmp_path):
    here = ("-C", project.folder)
    with pytest.raises(SettingError, match=r"0\.8,0\.1,0\.1"):
        call("split", "--fractions", "many", *here)
    with pytest.raises(SettingError, match="either drawn or taken over"):
        call("cohort", "--draw", "--from", tmp_path / "x.toml", *here)
    with pytest.raises(DataError, match="There is no such table"):
        call("clinical", tmp_path / "x.csv", "--id-column", "mrn", *here)
    assert call("open-test", *here).exit_code == 2  # a reason is needed
