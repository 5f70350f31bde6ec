"""An archive is the same whoever writes it: after a stop, in several processes, another day."""

import hashlib
from pathlib import Path

import pandas as pd
import pytest

from firstread.core.errors import SettingError
from firstread.phantoms.archive import write_archive, writer

SMALL = {"patients": 2, "matrix": 32, "slices": 8}


def fingerprint(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def straight(tmp_path_factory) -> Path:
    return write_archive(tmp_path_factory.mktemp("straight") / "archive", processes=1, **SMALL)


@pytest.mark.slow
def test_a_stopped_run_is_continued_to_the_same_bytes(straight, tmp_path, monkeypatch):
    written = []
    write = writer.write_patient

    def stop(patient, folder):
        for file in write(patient, folder):
            written.append(file.path)
            if len(written) == 60:  # in the middle of the second patient
                raise KeyboardInterrupt
            yield file

    monkeypatch.setattr(writer, "write_patient", stop)
    with pytest.raises(KeyboardInterrupt):
        write_archive(tmp_path / "archive", processes=1, **SMALL)
    assert 0 < len(list((tmp_path / "archive" / "truth" / "parts").iterdir())) < 2
    monkeypatch.setattr(writer, "write_patient", write)
    write_archive(tmp_path / "archive", processes=1, **SMALL)
    assert fingerprint(tmp_path / "archive") == fingerprint(straight)


@pytest.mark.slow
def test_two_processes_write_the_same_bytes(straight, tmp_path):
    write_archive(tmp_path / "archive", processes=2, **SMALL)
    assert fingerprint(tmp_path / "archive") == fingerprint(straight)


def test_a_complete_archive_is_left_alone(archive):
    before = fingerprint(archive.folder)
    write_archive(archive.folder, patients=3, processes=1, matrix=32, slices=8)
    assert fingerprint(archive.folder) == before


def test_a_folder_of_another_archive_is_refused(archive):
    with pytest.raises(SettingError, match="archive of other settings"):
        write_archive(archive.folder, patients=3, seed=1, processes=1, matrix=32, slices=8)


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(SettingError, match="not empty"):
        write_archive(tmp_path, patients=1, processes=1, matrix=32, slices=8)


@pytest.mark.parametrize("setting", [{"patients": 0}, {"seed": -1}, {"matrix": 8}, {"slices": 1}])
def test_impossible_settings_are_refused(tmp_path, setting):
    with pytest.raises(SettingError, match="is not possible"):
        write_archive(tmp_path / "archive", **{"patients": 1, "processes": 1, **setting})


def test_the_clinical_table_and_the_reports_agree_with_the_phantoms(archive):
    clinical = pd.read_csv(archive.folder / "truth" / "clinical.csv", dtype={"patient_id": str})
    assert len(clinical) == 3
    for row in clinical.itertuples():
        report = (archive.folder / "truth" / "reports" / f"{row.patient}-ct.txt").read_text(encoding="utf-8")
        assert report.count("mm (lesion") == row.lesions
        assert ("No liver metastasis" in report) is (row.metastases == 0)
        later = archive.folder / "truth" / "reports" / f"{row.patient}-follow-up.txt"
        assert later.exists() is (row.metastases > 0)
        if isinstance(row.response, str):
            change = row.follow_up_sum_of_diameters_mm / row.sum_of_diameters_mm
            assert (change <= 0.7) is (row.response == "partial response")
            assert (change >= 1.2) is (row.response == "progressive disease")
            assert row.response in later.read_text(encoding="utf-8")
