"""Lesson 4 on a folder of one's own: without a truth and without a clinical table it goes through all the same."""

import shutil

import pytest
from executed_lesson import execute

from firstread.core.errors import DataError, SettingError
from firstread.lessons import find_lesson
from firstread.lessons.lesson_data import archive_folder, prepare_data

INFO = find_lesson("archive")


@pytest.mark.slow
def test_it_goes_through_on_files_of_ones_own(small_pile, tmp_path, firstread_home):
    shutil.copytree(small_pile / "dicom", tmp_path / "own")
    data = prepare_data(INFO, str(tmp_path / "own"), classes={}, folder=tmp_path)
    done = execute(INFO, data=data, folder=tmp_path)
    assert done["pile"].folder == tmp_path / "own"
    assert done["eligibility"].left_out
    assert "Nobody knows" in repr(done.value("twelve.score()"))
    assert done["versions"]["as it lies"].table["patient"].nunique() == 60, "phantoms, of whom the truth is known"
    assert "Left out" not in done["report"].read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_real_folder_goes_through_pile_and_curation(shared_data):
    from firstread.lessons.pile import Pile
    from firstread.lessons.pile_curation import PileCuration

    pile = Pile.open(archive_folder(str(shared_data / "dcmqi")))
    assert len(PileCuration.of(pile).table) == len(pile)
    assert "data:image/png" in repr(pile.series[0].show()) or pile.series[0].image().ndim == 2


def test_a_folder_without_images_is_refused_before_anything_runs(tmp_path):
    (tmp_path / "a.txt").write_text("nothing")
    with pytest.raises(DataError, match="no DICOM file with an image"):
        prepare_data(INFO, str(tmp_path), classes={}, folder=tmp_path)
    with pytest.raises(SettingError, match="There is no data set"):
        prepare_data(INFO, "no-such-folder", classes={}, folder=tmp_path)


def test_it_has_no_classes(small_pile, tmp_path):
    with pytest.raises(SettingError, match="This lesson has no classes"):
        prepare_data(INFO, str(small_pile / "dicom"), classes={"a": "b"}, folder=tmp_path)
