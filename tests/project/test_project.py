"""A project folder: made once, steps in order, stale is said, nothing in it names a patient."""

import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from firstread.core.errors import DataError, SettingError, StorageError
from firstread.project.index import index_archive, index_folder
from firstread.project.locks import file_lock
from firstread.project.project import Project
from readers.dicom_files import save_series

PASSPHRASE = "four words of my own"
IDENTITY = ("SECRET", "ID-SECRET-77", "1.2.3")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    base = tmp_path_factory.mktemp("project")
    values = np.zeros((4, 8, 8), np.int16)
    save_series(base / "archive" / "Mueller_Hans" / "CT", values)
    save_series(base / "archive" / "Mueller_Hans" / "CT2", values, SeriesInstanceUID="1.2.3.5", PatientID="ID-8")
    (base / "archive" / "report.txt").write_text("no DICOM")
    (base / "archive" / "cut.dcm").write_bytes(next((base / "archive").rglob("*.dcm")).read_bytes()[:300])
    project, _ = Project.create(base / "liver", archive=base / "archive", passphrase=PASSPHRASE, vault=base / "vault")
    counts = index_archive(project, processes=2)
    return project, counts


def test_the_index_counts_what_is_there(made):
    _, counts = made
    assert counts["files"] == 10
    assert counts["states"]["ok"] == 8
    assert counts["states"]["not_dicom"] == 1
    assert (counts["patients"], counts["studies"], counts["series"], counts["volumes"]) == (2, 1, 2, 2)


def test_the_tables_hold_stacks_with_their_place(made):
    stacks = pq.read_table(index_folder(made[0]) / "stacks.parquet").to_pylist()
    assert [row["slices"] for row in stacks] == [4, 4]
    assert all(row["spacing_between_mm"] == pytest.approx(5) and row["is_volume"] for row in stacks)
    assert all(row["gantry_tilt_deg"] == pytest.approx(0, abs=1e-3) for row in stacks)


def test_the_folder_names_no_patient_and_the_vault_is_apart(made):
    project, _ = made
    for path in project.folder.rglob("*"):
        assert not any(text in path.name for text in ("Mueller", *IDENTITY))
        if path.is_file():
            content = path.read_bytes()
            assert not any(text.encode() in content for text in ("Mueller", "SECRET", "ID-SECRET-77"))
    assert not project.vault.folder.is_relative_to(project.folder)


def test_status_says_done_and_what_comes_next(made):
    states = [(status.name, status.state) for status in made[0].status()]
    assert states[:4] == [("index", "done"), ("deidentify", "open"), ("verify", "open"), ("curate", "open")]
    assert states[4:] == [("clinical", "optional"), ("cohort", "open"), ("split", "open")]
    assert made[0].check_audit() == 2


def test_a_changed_archive_makes_the_index_stale_and_nothing_is_run(made, tmp_path):
    copy = tmp_path / "archive"
    shutil.copytree(made[0].settings.archive, copy)
    project, _ = Project.create(tmp_path / "p", archive=copy, passphrase=PASSPHRASE, vault=tmp_path / "v")
    index_archive(project)
    before = {path.name: path.stat().st_mtime_ns for path in index_folder(project).iterdir()}
    (copy / "new.txt").write_text("new")
    status = project.status()[0]
    assert (status.state, status.reason) == ("stale", "archive has changed since")
    assert {path.name: path.stat().st_mtime_ns for path in index_folder(project).iterdir()} == before
    assert index_archive(project)["files"] == 11
    assert project.status()[0].state == "done"


def test_parts_make_the_same_index(made, tmp_path):
    project, _ = Project.create(
        tmp_path / "p", archive=made[0].settings.archive, passphrase=PASSPHRASE, vault=tmp_path / "v"
    )
    assert index_archive(project, part=(2, 2))["shards_left"] == 1
    assert project.status()[0].state == "open"
    assert index_archive(project, part=(1, 2)) == made[1]
    for name in ("stacks.parquet", "studies.parquet"):
        assert pq.read_table(index_folder(project) / name).equals(pq.read_table(index_folder(made[0]) / name))


def test_a_step_without_the_one_before_is_refused(made):
    with pytest.raises(DataError, match='"verify" needs "deidentify"'), made[0].step("verify"):
        pass


def test_a_second_writer_is_refused(made):
    with (
        file_lock(made[0].folder / ".lock"),
        pytest.raises(StorageError, match="Another firstread is at work"),
        made[0].step("index"),
    ):
        pass


def test_a_step_that_fails_is_not_done(made, tmp_path):
    project, _ = Project.create(
        tmp_path / "p", archive=made[0].settings.archive, passphrase=PASSPHRASE, vault=tmp_path / "v"
    )
    with pytest.raises(RuntimeError), project.step("index"):
        raise RuntimeError
    assert project.status()[0].state == "open"
    assert len(project.audit.read()) == 1


@pytest.mark.parametrize("name", ["..", "a/../..", "ä", "-x", "x" * 80])
def test_a_name_that_is_no_name_is_refused(made, tmp_path, name):
    with pytest.raises((SettingError, DataError)):
        Project.create(tmp_path / name, archive=made[0].settings.archive, passphrase=PASSPHRASE, vault=tmp_path / "v")


def test_a_vault_in_the_project_is_refused(made, tmp_path):
    with pytest.raises(SettingError, match="vault would lie in the project"):
        Project.create(
            tmp_path / "p", archive=made[0].settings.archive, passphrase=PASSPHRASE, vault=tmp_path / "p" / "vault"
        )


@pytest.mark.parametrize("text", ["", "format = 2", "format = 1\nidentifier = 3", "identifier = '../..'\nformat = 1"])
def test_a_damaged_description_is_refused(tmp_path, text):
    (tmp_path / "project.toml").write_text(text)
    with pytest.raises(DataError, match=r"damaged|another version"):
        Project.open(tmp_path)


def test_a_folder_that_is_no_project_is_named(tmp_path):
    with pytest.raises(DataError, match="no project"):
        Project.open(tmp_path)
