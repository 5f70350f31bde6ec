"""Step `cohort`: who is in, the flow, Table 1, the bias; the same tables however often it is killed."""

import csv
import hashlib
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

from firstread.core.errors import DataError, SettingError
from project.curated_project import ELIGIBILITY, finish_curation, make_project, write_clinical


@pytest.fixture
def project(tmp_path):
    return make_project(tmp_path)


@pytest.fixture
def eligibility(tmp_path):
    path = tmp_path / "who.toml"
    path.write_text(ELIGIBILITY)
    return path


def flow_of(project):
    with open(project.paths["cohort"] / "flow.csv", encoding="utf-8") as file:
        return [(row["side"], int(row["before"]), int(row["left"]), int(row["after"])) for row in csv.DictReader(file)]


def digests(project):
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(project.paths["cohort"].glob("[!.]*"))
    }


def test_the_flow_is_that_of_a_count_by_hand(project, eligibility):
    counts = project.cohort(source=eligibility).counts
    # of 40 patients one has a venous series that curation took out, five have no known phase, four are children, of
    # whom one has no known phase either
    unknown = {number for number in range(40) if number % 8 == 7}
    children = {number for number in range(40) if number % 10 == 9} - unknown
    left = 40 - 1 - len(unknown)
    assert flow_of(project) == [
        ("start", 40, 0, 40),
        ("curation", 40, 0, 40),
        ("include", 40, 1, 39),
        ("missing", 39, len(unknown), left),
        ("exclude", left, len(children), left - len(children)),
        ("included", left - len(children), 0, left - len(children)),
    ]
    assert counts["included"] == left - len(children)
    assert counts["not_answered"] == len(unknown)
    assert any(
        "cannot be answered for 5 patients, because series.phase is not stated" in one for one in counts["remarks"]
    )
    included = {row["patient"] for row in pq.read_table(project.paths["included"]).to_pylist()}
    assert included == {f"P{n:04d}" for n in range(40)} - {f"P{n:04d}" for n in {2} | unknown | children}


def test_the_class_comes_from_the_clinical_table(project, eligibility):
    counts = project.cohort(source=eligibility).counts
    rows = {row["patient"]: row["target"] for row in pq.read_table(project.paths["included"]).to_pylist()}
    assert rows["P0003"] == "metastasis"
    assert rows["P0004"] == "no metastasis"
    assert counts["classes"] == {
        name: sum(value == name for value in rows.values()) for name in ("metastasis", "no metastasis")
    }


def test_patients_of_one_study_are_one_component(project, eligibility):
    project.cohort(source=eligibility)
    rows = {row["patient"]: row["component"] for row in pq.read_table(project.paths["included"]).to_pylist()}
    assert rows["P0000"] == rows["P0001"] == "P0000"
    assert rows["P0003"] == "P0003"


def test_the_page_says_flow_table_and_bias(project, eligibility):
    project.cohort(source=eligibility)
    page = (project.paths["cohort"] / "report.html").read_text()
    for text in ("Flow of participants", "data:image/svg+xml", "Available cases", "Verification", "median (quartiles)"):
        assert text in page
    bias = (project.paths["cohort"] / "bias.md").read_text()
    assert "Brought by: Venous CT." in bias
    assert "Operated" not in bias
    assert "a posteriori" not in bias


def test_a_drawn_file_says_that_it_is_a_posteriori_everywhere(project):
    project.cohort(draw=True)
    assert 'planned = "a posteriori"' in project.paths["eligibility"].read_text()
    assert "drawn a posteriori" in (project.paths["cohort"] / "flow.svg").read_text()
    assert "drawn a posteriori" in (project.paths["cohort"] / "bias.md").read_text()
    with pytest.raises(SettingError, match="not drawn over"):
        project.cohort(draw=True)
    path = project.paths["eligibility"]
    path.write_text(path.read_text().replace("a posteriori", "a priori", 1).replace('"a posteriori"', '"a priori"'))
    assert "criteria were drawn from this archive before" in project.cohort().counts["remarks"][-1]


def test_without_a_file_it_is_said_what_to_do(project):
    with pytest.raises(DataError, match="cohort --draw"):
        project.cohort()


def test_a_file_that_does_not_fit_is_not_taken_over(project, eligibility):
    eligibility.write_text(ELIGIBILITY.replace("series.phase", "series.phse"))
    with pytest.raises(SettingError, match=r'criterion "Venous CT", series\.phse'):
        project.cohort(source=eligibility)
    assert not project.paths["eligibility"].exists()


def test_a_changed_input_is_stale_and_nothing_is_run(project, eligibility):
    project.cohort(source=eligibility)
    assert project.status()[-2].state == "done"
    before = digests(project)
    write_clinical(project, patients=40, metastases=2)
    status = project.status()[-2]
    assert (status.name, status.state, status.reason) == ("cohort", "stale", "clinical has changed since")
    assert digests(project) == before
    project.cohort()
    path = project.paths["eligibility"]
    path.write_text(path.read_text() + "\n# a thought\n")
    assert project.status()[-2].reason == "eligibility has changed since"


def test_it_needs_curation(tmp_path, eligibility):
    project = make_project(tmp_path / "other")
    project.states.reopen("curate")
    with pytest.raises(DataError, match='The step "curate" is not done yet'):
        project.cohort(source=eligibility)


def test_a_damaged_table_is_said(project, eligibility):
    project.paths["curated series"].write_bytes(b"PAR1")
    finish_curation(project)
    with pytest.raises(DataError, match="A table is damaged"):
        project.cohort(source=eligibility)


KILLED = """
import os, sys
from pathlib import Path
import firstread.core.files as files
from firstread.project.project import Project
left = int(sys.argv[2])
replace = Path.replace
def killed(self, target):
    global left
    if left == 0:
        os.kill(os.getpid(), 9)
    left -= 1
    return replace(self, target)
Path.replace = killed
project = Project.open(sys.argv[1])
getattr(project, sys.argv[3])(**eval(sys.argv[4]))
"""


@pytest.mark.slow
def test_killed_anywhere_and_started_again_the_tables_are_the_same(tmp_path, eligibility):
    whole = make_project(tmp_path / "whole")
    whole.cohort(source=eligibility)
    for writes in (0, 1, 3, 5, 7, 8):
        project = make_project(tmp_path / f"killed{writes}")
        command = [sys.executable, "-c", KILLED, str(project.folder), str(writes), "cohort"]
        ended = subprocess.run([*command, repr({"source": str(eligibility)})], check=False)
        assert ended.returncode == -9
        assert project.status()[-2].state == "open"
        project.cohort(source=eligibility)
        assert digests(project) == digests(whole)
