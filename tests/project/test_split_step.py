"""Step `split` and the sealed test set: who is where, what is recorded, what later reports say."""

import csv
import hashlib
import json
import subprocess
import sys

import pandas as pd
import pyarrow.parquet as pq
import pytest

import firstread as fr
from firstread.core.errors import DataError, SettingError
from firstread.core.predictions import Predictions
from firstread.project.sealed_test import open_test_set
from project.curated_project import ELIGIBILITY, make_project
from project.test_cohort_step import KILLED

REASON = "the model is final"


@pytest.fixture
def project(tmp_path):
    return chosen(tmp_path)


def chosen(folder, **settings):
    project = make_project(folder, **settings)
    (folder / "who.toml").write_text(ELIGIBILITY)
    project.cohort(source=folder / "who.toml")
    return project


def splits_of(project):
    return pq.read_table(project.paths["splits"]).to_pylist()


def sides(rows, key="split"):
    return {name: {row["component"] for row in rows if row[key] == name} for name in {row[key] for row in rows}}


def test_no_component_is_on_two_sides_and_each_class_has_its_share(project):
    counts = project.split(fractions=(0.6, 0.2, 0.2)).counts
    rows = splits_of(project)
    groups = sides(rows)
    assert set(groups) == {"train", "validation", "test"}
    assert not groups["train"] & groups["validation"] | groups["train"] & groups["test"]
    assert all({"metastasis", "no metastasis"} == {r["stratum"] for r in rows if r["split"] == n} for n in groups)
    assert sum(counts["splits"].values()) == counts["patients"] == len(rows)
    assert any("May be one person" in remark for remark in counts["remarks"])
    assert {row["rule"] for row in rows} == {"by component, 0.6/0.2/0.2"}


def test_sizes_say_the_width_of_the_interval(project):
    project.split(fractions=(0.6, 0.2, 0.2))
    with open(project.paths["split folder"] / "sizes.csv", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
    assert [row["metric"] for row in rows] == ["accuracy", "sensitivity", "specificity", "AUC"]
    positives = next(row for row in rows if row["metric"] == "sensitivity")
    found = fr.sample_size(sensitivity=0.8, width=float(positives["width"]) + 0.001, prevalence=0.5)
    assert found.positives == int(positives["counted"])


def test_folds_beside_a_sealed_test(project):
    counts = project.split(method="folds", folds=3).counts
    rows = splits_of(project)
    groups = sides([row for row in rows if row["fold"] is not None], "fold")
    assert set(groups) == {0, 1, 2}
    assert not groups[0] & groups[1] | groups[1] & groups[2] | groups[0] & groups[2]
    assert not any(row["split"] == "test" and row["fold"] is not None for row in rows)
    assert set(counts["folds"]) == {"0", "1", "2"}


def test_nested_folds_test_everybody_once(project):
    project.split(method="nested", folds=3, inner=2)
    nested = pq.read_table(project.paths["split folder"] / "nested.parquet").to_pylist()
    outer = {row["patient"]: row["fold"] for row in splits_of(project)}
    for fold in range(3):
        inside = {row["patient"] for row in nested if row["fold"] == fold}
        assert inside == {patient for patient, own in outer.items() if own != fold}
    project.split()
    assert not (project.paths["split folder"] / "nested.parquet").exists()


def test_a_temporal_split_needs_a_calendar(project):
    with pytest.raises(SettingError, match="Days count from each patient's own first study"):
        project.split(method="temporal", by="study.day")
    project.split(method="temporal", by="clinical.year", fractions=(0.6, 0.2, 0.2))
    year = {row["patient"]: row["year"] for row in pq.read_table(project.paths["clinical"]).to_pylist()}
    years = {name: [year[r["patient"]] for r in splits_of(project) if r["split"] == name] for name in fr_splits()}
    assert max(years["train"]) < min(years["validation"]) <= max(years["validation"]) < min(years["test"])


def fr_splits():
    return ("train", "validation", "test")


def test_sites_are_left_out_for_the_test(project):
    with pytest.raises(SettingError, match=r'of the site "Nord"\. Did you mean "North"'):
        project.split(method="site", sites=("Nord",))
    project.split(method="site", sites=("South",))
    site = {row["patient"]: row["site"] for row in pq.read_table(project.paths["included"]).to_pylist()}
    found = {name: {site[r["patient"]] for r in splits_of(project) if r["split"] == name} for name in fr_splits()}
    assert found["test"] == {"South"}
    assert found["train"] == found["validation"] == {"North"}


def test_a_contiguous_split_follows_the_files(project):
    project.split(method="contiguous", fractions=(0.6, 0.2, 0.2), gap=1)
    rows = splits_of(project)
    for stratum in ("metastasis", "no metastasis"):
        order = [row["split"] for row in rows if row["stratum"] == stratum and row["patient"] != "P0001"]
        known = [name for name in order if name]
        assert known == sorted(known, key=fr_splits().index)
        assert None in order


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"method": "holdut"}, 'Did you mean "holdout"'),
        ({"seeds": 3}, 'no setting "seeds". Did you mean "seed"'),
        ({"fractions": (0.5, 0.6)}, "cannot be used"),
        ({"method": "temporal"}, "has a column of times"),
        ({"by": "clinical.year"}, "and no other"),
        ({"method": "site"}, "names the sites"),
        ({"method": "temporal", "by": "clinical.yeer"}, 'Did you mean "year"'),
        ({"method": "temporal", "by": "study.site"}, "holds no numbers"),
        ({"fractions": (float("nan"), 0.1, 0.1)}, "cannot be used"),
        ({"seed": -1}, "a whole number from 0 on"),
        ({"method": "folds", "folds": 1}, "a whole number from 2 on"),
        ({"method": "folds", "folds": 30}, "too few to be divided into 31 parts"),
    ],
)
def test_what_cannot_be_is_said(project, settings, said):
    with pytest.raises((SettingError, DataError), match=said):
        project.split(**settings)
    assert not project.paths["splits"].exists()


def test_a_changed_cohort_is_stale_and_nothing_is_run(project):
    project.split()
    before = project.paths["splits"].read_bytes()
    project.cohort()
    assert project.status()[-1].state == "done"  # the same cohort
    path = project.paths["eligibility"]
    path.write_text(path.read_text().replace("< 18", "< 50"))
    assert [(one.name, one.state) for one in project.status()[-2:]] == [("cohort", "stale"), ("split", "stale")]
    project.cohort()
    assert (project.status()[-1].state, project.status()[-1].reason) == ("stale", "included has changed since")
    assert project.paths["splits"].read_bytes() == before


def test_a_cohort_without_a_class_is_divided_all_the_same(tmp_path):
    project = make_project(tmp_path)
    path = tmp_path / "who.toml"
    path.write_text(ELIGIBILITY.split("[target]")[0])
    project.cohort(source=path)
    counts = project.split(fractions=(0.5, 0.25, 0.25)).counts
    assert set(counts["splits"]) == {"train", "validation", "test"}
    assert {row["stratum"] for row in splits_of(project)} == {None}
    sizes = (project.paths["split folder"] / "sizes.csv").read_text()
    assert "accuracy" in sizes
    assert "sensitivity" not in sizes


def test_classes_of_a_column_have_their_share_of_each_part(tmp_path):
    project = make_project(tmp_path)
    path = tmp_path / "who.toml"
    path.write_text(ELIGIBILITY.split("[target]")[0] + '[target]\nname = "site"\ncolumn = "study.site"\n')
    project.cohort(source=path)
    project.split(fractions=(0.5, 0.25, 0.25))
    rows = splits_of(project)
    assert {(row["split"], row["stratum"]) for row in rows if row["split"]} == {
        (split, site) for split in fr_splits() for site in ("North", "South")
    }
    assert sum(row["split"] is None for row in rows) == sum(row["stratum"] is None for row in rows)


@pytest.fixture(scope="module")
def with_images(tmp_path_factory):
    project = chosen(tmp_path_factory.mktemp("images"), patients=24, slices=3)
    project.split(fractions=(0.6, 0.2, 0.2))
    return project


def test_cases_are_the_series_that_are_in_but_the_sealed_ones(with_images):
    cohort = with_images.cases()
    rows = pq.read_table(with_images.paths["included"]).to_pylist()
    split = {row["patient"]: row["split"] for row in splits_of(with_images)}
    assert {case.case for case in cohort} == {row["series"] for row in rows if split[row["patient"]] != "test"}
    assert len(cohort.test) == 0
    assert cohort.classes == ("no metastasis", "metastasis")
    table = cohort.table.set_index("case")
    for row in rows:
        if row["series"] in table.index:
            assert table.loc[row["series"], "label"] == row["target"]
            assert table.loc[row["series"], "patient"] == row["patient"]
    assert cohort[0].volume().values.shape == (3, 8, 8)
    assert table["clinical_metastases"].max() == 1
    assert [step.name for step in cohort.steps][-2:] == ["project cohort", "project split"]


def test_slices_can_be_cases(with_images):
    cohort = with_images.cases(slices=2)
    assert len(cohort) == 2 * len(with_images.cases())
    assert {case.image().ndim for case in cohort} == {2}


def test_opening_is_recorded_and_a_second_one_is_said_in_every_result(with_images):
    seal = json.loads(with_images.paths["seal"].read_text())["seals"][-1]
    assert seal["openings"] == []
    first = with_images.open_test(reason=REASON)
    assert first.warnings == ()
    assert {row["patient"] for row in splits_of(with_images) if row["split"] == "test"} == set(
        first.test.table["patient"]
    )
    again = with_images.open_test(reason="another look")
    assert "opened twice" in again.warnings[0]
    openings = json.loads(with_images.paths["seal"].read_text())["seals"][-1]["openings"]
    assert [opening["reason"] for opening in openings] == [REASON, "another look"]
    assert next(entry["action"] for entry in with_images.audit.read() if entry["step"] == "open-test") == REASON

    test = again.test
    scores = pd.DataFrame({"case": test.table["case"], "label": test.table["label"]})
    predictions = Predictions.from_scores(scores, [0.5] * len(test), classes=test.classes, cohort=test)
    assert "opened twice" in fr.evaluate(predictions).notes[0]
    saved = Predictions.load(predictions.save(with_images.folder.parent / "answers.parquet"))
    assert "opened twice" in fr.evaluate(saved).notes[0]

    with pytest.raises(SettingError, match="opened twice, and this split has another one"):
        with_images.split(seed=5, fractions=(0.6, 0.2, 0.2))
    with_images.split(fractions=(0.6, 0.2, 0.2))  # the same test set: nothing new
    with_images.paths["seal"].unlink()  # the audit log knows all the same
    with pytest.raises(SettingError, match="opened twice"):
        with_images.split(seed=5, fractions=(0.6, 0.2, 0.2))
    with_images.split(seed=5, fractions=(0.6, 0.2, 0.2), reason="the cohort has grown")
    assert "Earlier test sets of this project were opened twice" in with_images.seal_warning()
    assert "opened twice" in (with_images.paths["split folder"] / "report.html").read_text()


def test_an_unopened_test_set_may_be_drawn_anew_and_the_history_stays(project):
    project.split(fractions=(0.6, 0.2, 0.2))
    project.split(fractions=(0.6, 0.2, 0.2), seed=5)
    seals = json.loads(project.paths["seal"].read_text())["seals"]
    assert [seal["ended"] for seal in seals] == ["drawn anew before it was opened", ""]
    assert project.seal_warning() == ""


def test_a_test_set_that_comes_back_is_known(project):
    settings = {"fractions": (0.6, 0.2, 0.2)}
    project.split(**settings)
    open_test_set(project, reason=REASON, actor="tester")
    with pytest.raises(SettingError, match="opened once, and this split has another one"):
        project.split(method="nested", folds=3, inner=2)
    project.split(method="nested", folds=3, inner=2, reason="too few for one test set")
    project.split(**settings, reason="back again")
    assert "opened twice" in open_test_set(project, reason=REASON, actor="tester")
    project.paths["seal"].unlink()
    project.split(**settings)  # the same test set, whose seal was lost
    assert "opened twice" in project.seal_warning()
    project.split(**settings, seed=4, reason="a fresh one")
    project.split(**settings)
    assert "opened twice" in project.seal_warning()


def test_a_test_set_that_was_changed_is_not_opened(project):
    project.split(fractions=(0.6, 0.2, 0.2))
    table = pq.read_table(project.paths["splits"])
    column = table.column_names.index("split")
    changed = table.set_column(column, "split", [["test"] * len(table)])
    pq.write_table(changed, project.paths["splits"])
    with pytest.raises(DataError, match="not the one that was sealed"):
        project.open_test(reason=REASON)


def test_without_a_split_there_is_nothing_to_open(project):
    with pytest.raises(DataError, match='"split" is not done yet'):
        project.open_test(reason=REASON)
    project.split(fractions=(0.8, 0.2, 0))
    with pytest.raises(DataError, match="no sealed test set"):
        project.open_test(reason=REASON)
    with pytest.raises(SettingError, match="A reason is needed"):
        project.open_test(reason=" ")


@pytest.mark.slow
def test_killed_anywhere_and_started_again_the_splits_are_the_same(tmp_path):
    def digests(project):
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(project.paths["split folder"].glob("[!.]*"))
            if path.name != "seal.json"  # holds the time
        }

    whole = chosen(tmp_path / "whole")
    whole.split()
    for writes in (0, 1, 2, 4, 5):
        project = chosen(tmp_path / f"killed{writes}")
        command = [sys.executable, "-c", KILLED, str(project.folder), str(writes), "split", "{}"]
        assert subprocess.run(command, check=False).returncode == -9
        project.split()
        assert digests(project) == digests(whole)
        assert len(json.loads(project.paths["seal"].read_text())["seals"]) == 1
