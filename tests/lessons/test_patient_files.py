"""A patient's files in a lesson: grouped by series, in order, and what names the patient gathered from all of them."""

import shutil

import firstread as fr
import pytest
from pydicom.data import get_testdata_file

from firstread.core.errors import DataError, SettingError
from firstread.deidentification.pseudonym_keys import PseudonymKeys
from firstread.lessons import patient_files
from firstread.lessons.patient_files import PatientFiles


@pytest.fixture(scope="module")
def patient(teaching_patient):
    return PatientFiles.open(teaching_patient)


def test_files_are_grouped_by_series_in_the_order_of_their_instances(patient):
    found = [(one.modality, len(one.files)) for one in patient.series]
    assert found == [("CT", 12), ("CT", 1), ("DOC", 1), ("DX", 1), ("US", 1)]
    names = [path.name for path in patient.series[0].files]
    assert names == sorted(names)


def test_the_middle_of_the_longest_series_is_opened(patient):
    assert patient.image().path.name == "CT^0007.dcm"
    assert patient.image("us").path.name == "US^0001.dcm"
    with pytest.raises(SettingError, match='No file holds a picture of the modality "MR"'):
        patient.image("MR")


def test_each_series_has_a_picture_and_a_document_a_tile(patient):
    titles = [axes.get_title() for axes in patient.show().axes]
    assert titles[2] == "DOC, Letter (no picture)"
    assert len([title for title in titles if title]) == 5


def test_held_files_are_shown(patient, tmp_path):
    held = fr.deidentify(patient.folder, tmp_path / "out", quiet=True).held
    titles = [axes.get_title() for axes in patient.show(held).axes]
    assert [title.split(",")[0] for title in titles] == ["CT", "DOC", "DX", "US"]


def test_what_names_the_patient_comes_from_all_files(patient):
    values = dict.fromkeys(text for _, text in patient.identity_values(patient.image("US").dataset()))
    assert "0047118" in values
    assert "X5530271" in values, "which stands in the CT alone"


def test_pseudonyms_side_by_side(patient, tmp_path):
    keys = PseudonymKeys.from_secret(bytes(32))
    runs = {
        name: fr.deidentify(patient.folder, tmp_path / name, keys=chosen, quiet=True)
        for name, chosen in {"anonymous": None, "first": keys, "again": keys}.items()
    }
    table = patient.compare_pseudonyms(runs)
    assert table.loc["PatientID", "original"] == "0047118"
    assert table.loc["PatientID", "first"] == table.loc["PatientID", "again"] != table.loc["PatientID", "anonymous"]


def test_a_folder_without_dicom(tmp_path):
    (tmp_path / "readme.txt").write_text("nothing")
    with pytest.raises(DataError, match="There is no DICOM file in this folder"):
        PatientFiles.open(tmp_path)


def test_an_archive_is_no_patient(tmp_path, monkeypatch):
    monkeypatch.setattr(patient_files, "MAX_FILES", 2)
    for number in range(3):
        shutil.copy(get_testdata_file("CT_small.dcm"), tmp_path / f"{number}.dcm")
    with pytest.raises(DataError, match="There are more than 2 files here"):
        PatientFiles.open(tmp_path)
