"""DICOM series as volumes: one row a series, whatever the files are called."""

import numpy as np
import pytest

from firstread.core.errors import DataError, SettingError
from firstread.datasets.dataset import open_dataset
from readers.dicom_files import save_dicom, save_series

VALUES = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)


def series(folder, number, *, patient="001", study="1", **tags):
    uids = {"SeriesInstanceUID": f"1.2.3.{study}.{number}", "StudyInstanceUID": f"1.2.3.{study}"}
    return save_series(folder, VALUES + number, PatientID=patient, **uids, **tags)


def test_each_series_is_a_case_with_its_volume(tmp_path):
    series(tmp_path / "a", 1)
    series(tmp_path / "b", 2)
    series(tmp_path / "c", 3, patient="1", study="2")
    cohort = open_dataset(tmp_path, unit="series")
    assert cohort.table["case"].tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(cohort[1].volume().values, VALUES + 2)
    row = cohort.tables.images.to_pylist()[1]
    assert (row["slices"], row["rows"], row["columns"]) == (4, 5, 6)
    assert row["spacing_mm"] == pytest.approx([5, 0.8, 0.7])
    assert len(row["files"]) == 4
    assert cohort[0].patient != cohort[2].patient  # "001" is not "1"
    assert len(set(cohort.components)) == 1  # and may be the same person
    assert cohort.table["parent"].nunique() == 2


def test_series_in_one_folder_are_told_apart_and_those_that_are_no_volume_are_named(tmp_path):
    for number in (1, 2, 3):
        for path in series(tmp_path / f"part{number}", number):
            path.rename(tmp_path / f"{number}-{path.name}")
        (tmp_path / f"part{number}").rmdir()
    sorted(tmp_path.glob("3-*"))[1].unlink()
    (tmp_path / "broken.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\1" * 50)
    with pytest.warns(UserWarning, match="2 series or files are no volumes"):
        cohort = open_dataset(tmp_path, unit="series")
    assert len(cohort) == 2
    left_out = cohort.steps[0].parameters["left_out"]
    assert len(left_out) == 2
    assert "broken.dcm" in left_out


def test_without_a_patient_the_study_keeps_its_series_together(tmp_path):
    series(tmp_path / "a", 1, patient="")
    series(tmp_path / "b", 2, patient="")
    cohort = open_dataset(tmp_path, unit="series")
    assert cohort.table["patient_source"].tolist() == ["study", "study"]
    assert len(set(cohort.components)) == 1


def test_folders_without_volumes_are_refused(tmp_path):
    with pytest.raises(DataError, match="no DICOM images"):
        open_dataset(tmp_path, unit="series")
    save_dicom(tmp_path / "one.dcm", VALUES[0])
    with pytest.raises(DataError, match="No series is a volume"):
        open_dataset(tmp_path, unit="series")
    with pytest.raises(SettingError, match='Did you mean "series"'):
        open_dataset(tmp_path, unit="serie")
