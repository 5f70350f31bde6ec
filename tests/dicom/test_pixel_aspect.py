"""Aspect of DICOM pixels: which element counts, and what is damage."""

import numpy as np
import pytest
from pydicom import Dataset, Sequence

from firstread.dicom.pixel_aspect import read_pixel_aspect


def dataset(**tags):
    result = Dataset()
    for name, value in tags.items():
        setattr(result, name, value)
    return result


@pytest.mark.parametrize(
    ("tags", "aspect"),
    [
        ({}, 1.0),
        ({"PixelSpacing": [1.0, 0.5]}, 2.0),
        ({"ImagerPixelSpacing": [0.2, 0.1]}, 2.0),
        ({"NominalScannedPixelSpacing": [0.1, 0.2]}, 0.5),
        ({"PixelAspectRatio": ["4", "3"]}, 4 / 3),
        ({"PixelSpacing": [0.7, 0.7], "PixelAspectRatio": ["4", "3"]}, 1.0),
        ({"PixelSpacing": [0.7, 0.7], "ImagerPixelSpacing": [2, 1]}, 1.0),
        ({"PixelSpacing": [0, 1], "PixelAspectRatio": ["2", "1"]}, 2.0),
        ({"PixelSpacing": [1], "ImagerPixelSpacing": [3, 1]}, 3.0),
        ({"PixelAspectRatio": ["1", "100000"]}, 1.0),
        ({"PixelSpacing": ""}, 1.0),
    ],
)
def test_the_first_usable_element_counts(tags, aspect):
    assert read_pixel_aspect(dataset(**tags)) == pytest.approx(aspect)


def test_damaged_elements_count_as_missing():
    assert read_pixel_aspect(dataset(PixelSpacing=[np.inf, 1])) == 1.0


def test_a_frame_has_the_spacing_of_its_own():
    def group(spacing):
        return dataset(PixelMeasuresSequence=Sequence([dataset(PixelSpacing=spacing)]))

    enhanced = dataset(PerFrameFunctionalGroupsSequence=Sequence([group([1, 1]), group([1, 2])]))
    assert [read_pixel_aspect(enhanced, frame) for frame in range(2)] == [1.0, 0.5]
