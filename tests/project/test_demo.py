"""The demonstration: a whole project on invented patients, from the archive to a page; the test set is opened once."""

import json

import pytest

from firstread.core.errors import DataError
from firstread.curation.eligibility import parse_eligibility
from firstread.project import demo
from firstread.project.demo import DemoSettings, run_demo
from firstread.project.project import Project

SMALL = DemoSettings(patients=24, slices=16, epochs=1, processes=2)


def test_its_eligibility_file_is_one():
    eligibility = parse_eligibility(demo.ELIGIBILITY)
    assert eligibility.planned == "a priori"
    assert [criterion.side for criterion in eligibility.criteria] == ["include", "include", "exclude"]


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match="holds something already"):
        run_demo(tmp_path / "demo", SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]


@pytest.mark.slow
def test_from_the_archive_to_a_page_and_again_without_a_second_opening(tmp_path, monkeypatch):
    page = run_demo(tmp_path / "demo", SMALL)
    html = page.read_text()
    for words in ("What was done", "Who is in", "Table 1", "trivial rule", "Not a medical device", "30-curated"):
        assert words in html
    project = Project.open(tmp_path / "demo")
    assert {status.state for status in project.status()} == {"done"}
    assert (tmp_path / "demo-passphrase.txt").stat().st_mode & 0o777 == 0o600
    openings = [seal["openings"] for seal in json.loads(project.paths["seal"].read_text())["seals"]]
    assert [len(found) for found in openings] == [1]

    monkeypatch.setattr(demo, "cut_organ_slices", None)  # nothing is trained again
    assert run_demo(tmp_path / "demo", SMALL) == page
    assert project.seal_warning() == ""
