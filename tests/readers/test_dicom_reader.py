"""Headers of DICOM files, and pictures and volumes through the reader of the format."""

import numpy as np
import pytest

from firstread.core.errors import DataError
from firstread.dicom.headers import read_header
from firstread.readers.dicom_pixels import read_dicom
from firstread.readers.dicom_reader import read_image, read_info, read_volume

from .dicom_files import make_frame_group, save_dicom, save_enhanced, save_series

SLICES = np.random.default_rng(0).integers(0, 2000, (3, 4, 5)).astype(np.uint16)


def test_the_header_of_a_slice_states_its_place_and_no_person(tmp_path):
    paths = save_series(tmp_path, SLICES, SliceThickness=5, RescaleSlope=1, RescaleIntercept=-1024)
    info, header = read_info(paths[0]), read_header(paths[0])
    assert (info.format, info.frames, info.rows, info.columns) == ("dicom", 1, 4, 5)
    assert (info.modality, info.unit, info.instance) == ("CT", "HU", 1)
    assert (info.patient, info.study, info.series) == tuple(header[name] for name in ("patient", "study", "series"))
    assert info.geometry == read_volume([paths[0]]).geometry
    assert "SECRET" not in str(info)


def test_the_header_of_an_enhanced_image_states_the_place_of_its_frames(tmp_path):
    groups = [make_frame_group(position=(0, 0, 30 - 3 * index)) for index in range(3)]
    info = read_info(save_enhanced(tmp_path / "mr", SLICES, groups))
    assert (info.frames, info.geometry.size_zyx, info.geometry.origin_mm_lps) == (3, (3, 4, 5), (0.0, 0.0, 24.0))


@pytest.mark.parametrize(
    "tags", [{}, {"ImagePositionPatient": [0, 0, 0]}, {"ImageOrientationPatient": [1, 0], "PixelSpacing": [1]}]
)
def test_a_picture_without_a_place_still_has_a_header(tmp_path, tags):
    info = read_info(save_dicom(tmp_path / "cr", SLICES[0], Modality="CR", **tags))
    assert (info.geometry, info.rows, info.modality) == (None, 4, "CR")


def test_the_header_is_checked_against_the_length_of_the_file(tmp_path):
    with pytest.raises(DataError, match="fewer pixels than its header promises"):
        read_info(save_dicom(tmp_path / "ct", SLICES[0], Rows=4000))


def test_pictures_are_those_of_read_dicom(tmp_path):
    path = save_dicom(tmp_path / "ct", SLICES[0], WindowCenter=1000, WindowWidth=500)
    assert np.array_equal(read_image(path), read_dicom(path))
    assert np.array_equal(read_image(path, window="full"), read_dicom(path, window="full"))


def test_a_volume_shown_in_a_window_is_the_picture(tmp_path):
    paths = save_series(tmp_path, SLICES, RescaleSlope=1, RescaleIntercept=-1024)
    volume = read_volume(paths)
    shown = volume.shown("abdomen")
    by_height = {one.tobytes(): index for index, one in enumerate(shown)}
    assert sorted(by_height[read_image(path, window="abdomen").tobytes()] for path in paths) == [0, 1, 2]


def test_a_frame_of_several_files_is_refused(tmp_path):
    with pytest.raises(DataError, match="A frame was asked of 3 files"):
        read_volume(save_series(tmp_path, SLICES), frame=0)


def test_stacks_are_listed_where_there_are_many(tmp_path):
    paths = [
        path
        for number in range(8)
        for path in save_series(tmp_path / str(number), SLICES, SeriesInstanceUID=f"1.2.3.{number}")
    ]
    with pytest.raises(DataError, match=r"8 stacks of slices, not one volume: 3 slices; .*\.\.\."):
        read_volume(paths)


def test_positions_along_the_normal_tell_the_order_of_slices(tmp_path):
    positions = np.array([[0, 0, 30.0], [0, 0, 10], [0, 0, 20]])
    paths = save_series(tmp_path, SLICES, positions=positions, SliceThickness=10, per_slice=[{"InstanceNumber": 1}] * 3)
    found = {path: read_info(path).positions_mm for path in paths}
    assert sorted(found.values()) == [(10.0,), (20.0,), (30.0,)]
    ordered = sorted(paths, key=lambda path: found[path])
    volume = read_volume(paths)
    assert all(np.array_equal(read_volume([path]).values[0], volume.values[z]) for z, path in enumerate(ordered))


def test_frames_that_lie_out_of_order_say_where_they_lie(tmp_path):
    heights = (12.0, 0.0, 8.0, 4.0)
    frames = np.concatenate([SLICES, SLICES[:1] + 7])
    groups = [make_frame_group(position=(0, 0, height)) for height in heights]
    path = save_enhanced(tmp_path / "mr", frames, groups)
    assert read_info(path).positions_mm == heights
    volume = read_volume([path])
    for z, frame in enumerate(np.argsort(heights)):
        assert np.array_equal(volume.values[z], frames[frame])


def test_a_picture_without_a_place_has_no_positions(tmp_path):
    assert read_info(save_dicom(tmp_path / "cr", SLICES[0], Modality="CR")).positions_mm is None
