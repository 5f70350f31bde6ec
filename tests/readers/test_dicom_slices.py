"""Headers of slices: one a frame, with what is broken in them as a reason and not as an error."""

import numpy as np
import pytest

from firstread.dicom.headers import open_dicom
from firstread.readers.dicom_slices import read_slices

from .dicom_files import AXIAL, make_frame_group, save_dicom, save_enhanced

PIXELS = np.zeros((4, 5), np.uint16)


def slices_of(path):
    return read_slices(open_dicom(path, load_pixels=False), path)


def test_a_file_is_one_slice_and_a_frame_another(tmp_path):
    place = {"ImagePositionPatient": [0, 0, 7], "ImageOrientationPatient": list(AXIAL), "PixelSpacing": [1, 1]}
    (one,) = slices_of(save_dicom(tmp_path / "ct", PIXELS, EchoTime=3, **place))
    assert (one.frame, one.plane.distance_mm, one.problem, one.instance) == (0, 7, None, (1, 0))
    assert (one.kind.rows, one.kind.columns, one.kind.modality, one.kind.unit) == (4, 5, "CT", "HU")
    assert one.tags["EchoTime"] == "3.0"
    assert "SECRET" not in str(one)
    frames = slices_of(
        save_enhanced(tmp_path / "mr", np.stack([PIXELS] * 2), [make_frame_group(position=(0, 0, z)) for z in (5, 8)])
    )
    assert [(one.frame, one.plane.distance_mm, one.kind.modality) for one in frames] == [(0, 5, "MR"), (1, 8, "MR")]


@pytest.mark.parametrize(("tags", "words"), [({}, "no usable position"), ({"ImageType": ["MOSAIC"]}, "mosaic")])
def test_a_slice_without_a_place_has_a_reason(tmp_path, tags, words):
    (one,) = slices_of(save_dicom(tmp_path / "ct", PIXELS, **tags))
    assert one.plane is None
    assert words in str(one.problem)
