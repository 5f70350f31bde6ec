"""Step curate: the same tables whoever did it and whenever it was stopped; left out with a reason, and put back."""

import os
import shutil
import subprocess
import sys
import time

import pyarrow.csv as pa_csv
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

import firstread.project.archive_curator as step
from firstread.core.errors import DataError, SettingError, StorageError
from firstread.curation.curation_schemas import SERIES, STUDIES
from firstread.project.archive_curator import CurationSettings, curate_archive, plan_curation
from firstread.project.curation_decisions import stack_identifier, study_identifier
from firstread.project.locks import file_lock
from firstread.project.project import Project
from project.curated_archive import DATES, make_curated_project, uid
from project.hostile_archive import PASSPHRASE, contents, make_project


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    project = make_curated_project(tmp_path_factory.mktemp("curated"))
    return project, curate_archive(project)


def again(made, tmp_path):
    """A second project on the same archive."""
    archive = made[0].settings.archive
    return Project.create(tmp_path / "liver", archive=archive, vault=tmp_path / "vault", deidentified=True)[0]


def tables(project):
    """Bytes of all tables of a project, but for pages, which name their project, and the picture."""
    found = contents(project.paths["curated"])
    return {name: data for name, data in found.items() if name.endswith((".parquet", ".csv"))}


def read(project, name):
    return pq.read_table(project.paths["curated"] / f"{name}.parquet")


def rows(project):
    return {(row["patient"], row["study"]): row for row in read(project, "series").to_pylist()}


def left_out(project):
    return pa_csv.read_csv(project.paths["curated"] / "excluded.csv").to_pylist()


def missing_stack(project):
    return next(row["id"] for row in left_out(project) if "missing_slices" in row["kind"])


def test_counts_and_tables(made):
    project, counts = made
    assert (counts["files"], counts["series"], counts["patients"], counts["studies"]) == (31, 6, 3, 6)
    assert (counts["stacks"], counts["selected"], counts["excluded"]) == (6, 5, 1)
    assert counts["faults"]["missing_slices"] == 1
    assert read(project, "series").schema.equals(SERIES)
    assert read(project, "studies").schema.equals(STUDIES)
    assert {row["plane"] for row in read(project, "series").to_pylist()} == {"axial"}


def test_dates_become_days_and_high_ages_are_one(made):
    studies = read(made[0], "studies").to_pylist()
    assert sorted(row["day"] for row in studies) == [0, 0, 0, 35, 35, 35]
    assert {row["age_years"] for row in studies if row["patient"] == "P2"} == {90}
    instances = ds.dataset(made[0].paths["curated"] / "instances").to_table()
    assert set(instances["day"].to_pylist()) == {0, 35, None}
    assert max(age for age in instances["age_years"].to_pylist() if age) == 90
    for path in made[0].folder.rglob("*"):
        if path.is_file():
            assert not any(date in path.read_bytes().decode("latin-1") for date in DATES), path.name
    for name in ("series", "studies", "faults"):
        assert not any(date in str(read(made[0], name).to_pylist()) for date in DATES)
    assert not any(date in str(instances.to_pylist()) for date in DATES)


def test_everything_left_out_has_an_id_and_a_reason(made):
    found = left_out(made[0])
    assert all(row["id"] and row["reason"] for row in found)
    by_kind = {row["kind"]: row for row in found}
    assert by_kind["missing_slices"]["id"].startswith("S")
    assert "1 of 5 slices are missing" in by_kind["missing_slices"]["reason"]
    assert by_kind["truncated_file"]["file"] == "cut.dcm"
    assert by_kind["not_dicom"]["file"] == "readme.txt"
    assert len(found) == 3
    missing = rows(made[0])["P1", uid("P1", 0)]
    assert (missing["selected"], "slices are missing" in missing["reason"]) == (False, True)
    assert "cut.dcm" in ds.dataset(made[0].paths["curated"] / "instances").to_table()["file"].to_pylist()


def test_parts_and_processes_make_the_same_tables(made, tmp_path, monkeypatch):
    plan = step.ShardPlan
    monkeypatch.setattr(step, "ShardPlan", lambda *args, **more: plan(*args, **{**more, "size": 2}))
    one, many = again(made, tmp_path / "one"), again(made, tmp_path / "many")
    counts = curate_archive(one)
    found = [curate_archive(many, CurationSettings(processes=2, part=(part, 3))) for part in (3, 1, 2)]
    assert [row["pass"] for row in found] == ["files", "files", "series"]  # the last one goes on by itself
    assert curate_archive(many, CurationSettings(part=(3, 3)))["pass"] == "series"
    assert not many.paths["curated"].exists()
    found = [curate_archive(many, CurationSettings(part=(part, 3))) for part in (1, 2)]
    assert found == [counts, counts]
    assert next(one for one in many.status() if one.name == "curate").state == "done"
    assert tables(many) == tables(one)


def test_a_second_run_describes_nothing_anew(made):
    before = {path: path.stat().st_mtime_ns for path in (made[0].settings.vault / "curation").rglob("part-*.parquet")}
    kept = tables(made[0])
    assert curate_archive(made[0]) == made[1]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert tables(made[0]) == kept


@pytest.mark.slow
@pytest.mark.parametrize("moment", range(10))
def test_kill_at_any_moment_gives_the_same_tables(made, tmp_path, monkeypatch, moment):
    """The run is killed after so many files of its work, from before the first to after the last table."""
    monkeypatch.setattr(step, "SERIES_A_SHARD", 1)
    whole, project = again(made, tmp_path / "whole"), again(made, tmp_path / "killed")
    curate_archive(whole)
    code = "import sys; import firstread.project.archive_curator as step; step.SERIES_A_SHARD = 1\n"
    code += "from firstread.project.project import Project; step.curate_archive(Project.open(sys.argv[1]))"
    environment = {**os.environ, "FIRSTREAD_PROGRESS": "off"}
    process = subprocess.Popen([sys.executable, "-c", code, str(project.folder)], env=environment)
    places, wanted = (project.settings.vault / "curation", project.paths["curated"]), (0, 1, 2, 3, 5, 9, 14, 20, 21, 23)
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if sum(len(list(place.rglob("*.*"))) for place in places) >= wanted[moment]:
            break
        time.sleep(0.001)
    process.kill()
    process.wait()
    curate_archive(project)
    assert tables(project) == tables(whole)


def test_what_another_run_left_is_removed(made, tmp_path):
    project = again(made, tmp_path)
    project.paths["curated"].joinpath("instances").mkdir(parents=True)
    (project.paths["curated"] / "instances" / "part-00099.parquet").write_bytes(b"old")
    (project.paths["curated"] / "instances" / ".part-00000.parquet.0123.parquet").write_bytes(b"half")
    (project.paths["curated"] / ".series.parquet.0123456789abcdef.parquet").write_bytes(b"half")
    curate_archive(project)
    assert tables(project) == tables(made[0])


def test_put_back_takes_effect_when_it_runs_again(made, tmp_path):
    project = again(made, tmp_path)
    curate_archive(project)
    stack, before = missing_stack(project), tables(project)
    assert project.put_back(stack, reason="one slice is no matter here") == 1
    status = next(one for one in project.status() if one.name == "curate")
    assert (status.state, status.reason) == ("stale", "curation decisions has changed since")
    assert tables(project) == before
    counts = curate_archive(project)
    assert (counts["selected"], counts["put_back"]) == (6, 1)
    fault = next(row for row in read(project, "faults").to_pylist() if row["kind"] == "missing_slices")
    assert (fault["excluded"], fault["put_back_reason"]) == (False, "one slice is no matter here")
    assert fault["put_back_by"]
    assert fault["put_back_at"]
    row = next(row for row in left_out(project) if row["id"] == stack)
    assert row["decision"] == "put back"
    lines = [entry for entry in project.audit.read() if "put back" in entry["action"]]
    assert lines[0]["action"] == f"put back {stack}: one slice is no matter here"
    project.exclude(stack, reason="after all")
    counts = curate_archive(project)
    assert (counts["selected"], counts["put_back"]) == (5, 0)
    assert next(row for row in left_out(project) if row["id"] == stack)["reason"] == "after all"


@pytest.mark.parametrize("level", ["stack", "study", "study uid", "series", "patient", "fault"])
def test_each_level_can_be_named(made, tmp_path, level):
    project = tmp_path / "copy"
    shutil.copytree(made[0].folder, project)
    project = Project.open(project)
    project.vault.remember(project.audit.verify(None))
    row = rows(project)["P1", uid("P1", 0)]
    fault = next(fault for fault in read(project, "faults").to_pylist() if fault["kind"] == "missing_slices")
    name = {
        "stack": stack_identifier(row["series"], row["stack"]),
        "study": study_identifier(row["study"]),
        "study uid": row["study"],
        "series": row["series"],
        "patient": "P1",
        "fault": fault["id"],
    }[level]
    assert project.put_back(name, reason="looked at") >= 1
    assert curate_archive(project)["selected"] == 6


def test_the_narrowest_decision_counts(made, tmp_path):
    project = again(made, tmp_path)
    curate_archive(project)
    stack = missing_stack(project)
    project.exclude("P1", reason="not of this study")
    assert curate_archive(project)["selected"] == 4
    project.put_back(stack, reason="but this one is")
    assert curate_archive(project)["selected"] == 5
    reasons = {row["reason"] for row in read(project, "series").to_pylist() if row["patient"] == "P1"}
    assert reasons == {"not of this study", None}


@pytest.mark.parametrize(
    ("verb", "kind", "message"),
    [
        ("put_back", "truncated_file", "What cannot be read cannot be put back"),
        ("put_back", "not_dicom", "no DICOM file cannot be put back"),
        ("exclude", "truncated_file", "A fault cannot be left out"),
    ],
)
def test_what_cannot_be_decided_is_refused(made, verb, kind, message):
    name = next(row["id"] for row in left_out(made[0]) if row["kind"] == kind)
    with pytest.raises(SettingError, match=message):
        getattr(made[0], verb)(name, reason="because")


def test_an_unknown_name_and_an_empty_reason_are_refused(made):
    with pytest.raises(DataError, match=r"Nothing that was curated has this name.*curate list"):
        made[0].put_back("S00000000000", reason="because")
    with pytest.raises(SettingError, match="A reason is needed"):
        made[0].put_back("P1", reason="  ")
    assert not made[0].paths["curation decisions"].exists()


@pytest.mark.parametrize("text", ["", "[]", '{"decisions": 3}', '{"decisions": [{"verb": "burn"}]}'])
def test_damaged_decisions_are_refused(made, tmp_path, text):
    project = again(made, tmp_path)
    project.paths["curation decisions"].write_text(text)
    with pytest.raises(DataError, match=r"damaged|JSON"):
        curate_archive(project)


def test_a_changed_archive_makes_curation_stale_and_nothing_is_run(tmp_path):
    project = make_curated_project(tmp_path, patients=("P3",))
    curate_archive(project)
    before = tables(project)
    (tmp_path / "archive" / "more.txt").write_text("more")
    status = next(one for one in project.status() if one.name == "curate")
    assert (status.state, status.reason) == ("stale", "image folder has changed since")
    assert tables(project) == before
    assert curate_archive(project)["files"] == 13
    assert len(list((project.settings.vault / "curation").iterdir())) == 1


def test_images_that_change_during_the_run_are_refused(tmp_path, monkeypatch):
    project = make_curated_project(tmp_path, patients=("P3",))
    run_pass = step.run_pass

    def with_a_new_file(work, plan, **more):
        (tmp_path / "archive" / f"{plan.unit}.txt").write_text("new")
        return run_pass(work, plan, **more)

    monkeypatch.setattr(step, "run_pass", with_a_new_file)
    with pytest.raises(DataError, match="The images changed while they were curated"):
        curate_archive(project)
    assert next(one for one in project.status() if one.name == "curate").state == "open"


def test_the_dry_run_writes_nothing(tmp_path):
    project = make_curated_project(tmp_path, patients=("P3",))
    before = contents(tmp_path)
    assert plan_curation(project)["files"] == 12
    assert contents(tmp_path) == before


def test_an_empty_archive_is_a_sentence(tmp_path):
    (tmp_path / "archive").mkdir()
    with pytest.raises(DataError, match="There are no images to curate"):
        curate_archive(make_curated_project(tmp_path))


def test_files_without_an_image_at_all_are_listed(tmp_path):
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "readme.txt").write_text("no DICOM")
    project = make_curated_project(tmp_path)
    assert curate_archive(project)["stacks"] == 0
    assert [row["file"] for row in left_out(project)] == ["readme.txt"]


def test_a_second_run_at_the_same_time_is_refused(made):
    with (
        file_lock(made[0].folder / ".curate.lock"),
        pytest.raises(StorageError, match="Another firstread is at work"),
    ):
        curate_archive(made[0])


def test_a_linked_folder_is_not_written_into(made, tmp_path):
    project = again(made, tmp_path)
    (tmp_path / "elsewhere").mkdir()
    project.paths["curated"].symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="is a link"):
        curate_archive(project)
    assert not list((tmp_path / "elsewhere").iterdir())


def test_outputs_are_curated_when_they_are_verified(tmp_path):
    project = make_project(tmp_path, images=1)
    with pytest.raises(DataError, match=r'"verify" is not done yet'):
        curate_archive(project)
    project.index()
    project.deidentify(passphrase=PASSPHRASE)
    project.verify()
    counts = project.curate().counts
    assert counts["files"] == len(list(project.paths["deidentified"].glob("P*/T*/S*/I*.dcm")))
    assert all(str(patient).startswith("P") for patient in read(project, "series")["patient"].to_pylist())
    assert project.verify().passed
    states = {one.name: one.state for one in project.status()}
    assert states["curate"] == "done"  # a new verification is no new output
    next(project.paths["deidentified"].glob("P*/T*/S*/I*.dcm")).unlink()
    status = next(one for one in project.status() if one.name == "curate")
    assert status.state == "stale"


def test_a_reason_that_names_somebody_is_refused(tmp_path):
    project = make_project(tmp_path, images=1)
    project.index()
    project.deidentify(passphrase=PASSPHRASE)
    project.verify()
    project.curate()
    with pytest.raises(SettingError, match="names somebody"):
        project.exclude(read(project, "series")["patient"][0].as_py(), reason="this is Harriet")
    assert not project.paths["curation decisions"].exists()


def test_withdrawal_takes_the_patient_out_of_curation(tmp_path):
    project = make_project(tmp_path, images=1)
    project.index()
    project.deidentify(passphrase=PASSPHRASE)
    project.verify()
    project.curate()
    patient = read(project, "series")["patient"][0].as_py()
    project.exclude(patient, reason="not of this study")
    project.curate()
    project.withdraw(patient, passphrase=PASSPHRASE, reason="consent withdrawn")
    for path in project.folder.rglob("*"):
        if path.is_file() and path.name != "audit.jsonl":
            assert patient.encode() not in path.read_bytes(), path.name
    assert patient not in str(read(project, "series").to_pylist())
    assert not (project.settings.vault / "curation").exists()
    assert next(one for one in project.status() if one.name == "curate").state == "stale"


def test_steps_before_do_not_apply_to_a_deidentified_archive(made):
    project = made[0]
    assert {one.name: one.state for one in project.status()}["deidentify"] == "skipped"
    for run in (project.index, project.verify, lambda: project.deidentify(passphrase=PASSPHRASE)):
        with pytest.raises(DataError, match="does not apply: the archive was stated to be de-identified already"):
            run()
    with pytest.raises(SettingError, match="This project has no key"):
        project.open_key(PASSPHRASE)
    assert "stated to be de-identified already" in project.audit.read()[0]["action"]
    assert Project.open(project.folder).settings.deidentified


def test_a_project_that_is_to_deidentify_needs_a_passphrase(made, tmp_path):
    with pytest.raises(SettingError, match="needs a passphrase"):
        Project.create(tmp_path / "p", archive=made[0].settings.archive, vault=tmp_path / "v")
    assert not (tmp_path / "v").exists()
