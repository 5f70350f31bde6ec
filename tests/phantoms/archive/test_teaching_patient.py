"""The patient of lesson 3: small, the same every time, with everything that the lesson speaks of."""

from firstread.phantoms.archive.teaching_patient import OPENED_SLICE, write_teaching_patient


def test_the_same_files_every_time(teaching_patient, tmp_path):
    files = write_teaching_patient(tmp_path)
    assert len(files) == 16
    for file in files:
        assert (tmp_path / file.path).read_bytes() == (teaching_patient / file.path).read_bytes()


def test_her_name_is_drawn_into_three_pictures(tmp_path):
    files = write_teaching_patient(tmp_path)
    drawn = {file.path for file in files if any(action.action == "pixels_hidden" for action in file.actions)}
    drawn -= {files[OPENED_SLICE].path}  # whose text lies in an overlay
    assert sorted(path.rsplit("/", 1)[1] for path in drawn) == ["CT^0001.dcm", "DX^0001.dcm", "US^0001.dcm"]
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.dcm")) < 4e6
