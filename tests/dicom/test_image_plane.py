"""The plane of a slice: position, orientation and spacing, from a single-frame or an enhanced file."""

import pytest
from pydicom import Dataset, Sequence

from firstread.core.errors import DataError
from firstread.dicom.image_plane import read_image_plane


def dataset(**tags):
    result = Dataset()
    values = {
        "ImagePositionPatient": [1, 2, 3],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "PixelSpacing": [0.8, 0.7],
        **tags,
    }
    for name, value in values.items():
        setattr(result, name, value)
    return result


def test_rows_are_first_in_pixel_spacing_and_last_in_the_affine():
    plane = read_image_plane(dataset())
    grid = plane.geometry((1, 10, 10), 5 * plane.normal)
    assert grid.spacing_mm_zyx == (5.0, 0.8, 0.7)
    assert grid.to_mm([(0, 1, 0), (0, 0, 1)]).tolist() == [[1, 2.8, 3], [1.7, 2, 3]]
    assert plane.distance_mm == 3


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"SpacingBetweenSlices": 4, "SliceThickness": 5}, 4),
        ({"SpacingBetweenSlices": -4}, 4),
        ({"SpacingBetweenSlices": 0, "SliceThickness": 5}, 5),
        ({"SliceThickness": None}, None),
        ({}, None),
    ],
)
def test_the_distance_of_slices_is_stated_or_not_known(tags, expected):
    assert read_image_plane(dataset(**tags)).slice_mm == expected


def test_frames_have_their_own_or_the_shared_group():
    shared, frames = Dataset(), []
    shared.PlaneOrientationSequence = Sequence([dataset()])
    shared.PixelMeasuresSequence = Sequence([dataset()])
    for height in (10, 20):
        group = Dataset()
        group.PlanePositionSequence = Sequence([dataset(ImagePositionPatient=[0, 0, height])])
        frames.append(group)
    enhanced = Dataset()
    enhanced.NumberOfFrames = 2
    enhanced.SharedFunctionalGroupsSequence = Sequence([shared])
    enhanced.PerFrameFunctionalGroupsSequence = Sequence(frames)
    assert [read_image_plane(enhanced, frame).position[2] for frame in (0, 1)] == [10, 20]


def test_one_position_for_many_frames_is_none():
    with pytest.raises(DataError, match=r"no usable position \(ImagePositionPatient\)"):
        read_image_plane(dataset(NumberOfFrames=2), 1)
