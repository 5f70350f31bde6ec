"""Lesson 3 on files of one's own, and in the folder of a class."""

import shutil

import pytest
from executed_lesson import execute

from firstread.core.errors import DataError, SettingError
from firstread.lessons import find_lesson
from firstread.lessons.lesson_data import prepare_data
from firstread.lessons.warmup import warm_up

INFO = find_lesson("dicom")


@pytest.mark.parametrize("folder", ["dcmqi", "highdicom-tests"])
def test_it_goes_through_on_real_files(shared_data, tmp_path, folder):
    data = prepare_data(INFO, str(shared_data / folder), classes={}, folder=tmp_path)
    done = execute(INFO, data=data, folder=tmp_path)
    assert done["shared"].written + len(done["shared"].held) > 0
    assert done["report"].is_file()


def test_a_folder_without_dicom_is_refused_before_anything_runs(tmp_path):
    (tmp_path / "a.txt").write_text("nothing")
    with pytest.raises(DataError, match="There is no DICOM file in this folder"):
        prepare_data(INFO, str(tmp_path), classes={}, folder=tmp_path)
    with pytest.raises(SettingError, match="There is no data set"):
        prepare_data(INFO, "no-such-folder", classes={}, folder=tmp_path)


def test_it_has_no_classes(teaching_patient, tmp_path):
    with pytest.raises(SettingError, match="This lesson has no classes"):
        prepare_data(INFO, str(teaching_patient), classes={"a": "b"}, folder=tmp_path)


def test_a_class_warms_it_up(teaching_patient):
    warm_up(INFO, data=str(teaching_patient))


def test_a_second_run_of_a_cell_starts_with_an_empty_folder(teaching_patient, tmp_path):
    done = execute(INFO, data=str(teaching_patient), folder=tmp_path)
    before = sorted(path.name for path in done["shared"].folder.rglob("*.dcm"))
    done.run('shared = fr.deidentify(patient.folder, lesson.new_folder("shared"))')
    after = sorted(path.name for path in done["shared"].folder.rglob("*.dcm"))
    assert len(before) == len(after) == 12
    assert not set(before) & set(after), "another key, other names"
    shutil.rmtree(done["shared"].folder)
