"""What a header states of its pixels, damaged or spelled otherwise than the standard asks."""

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from firstread.dicom.pixel_elements import get_numbers, is_color, photometric_interpretation


def dataset(**tags):
    result = Dataset()
    for name, value in tags.items():
        setattr(result, name, value)
    return result


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, ()), ("", ()), ([1, 2], (1.0, 2.0)), (3, (3.0,)), ([1, np.nan], ()), (np.inf, ())],
)
def test_numbers_are_finite_or_none(value, expected):
    assert get_numbers(dataset(PixelSpacing=value), "PixelSpacing") == expected


def test_a_damaged_element_has_no_numbers():
    damaged = Dataset()
    tag = Tag("RescaleSlope")
    damaged[tag] = RawDataElement(tag, "DS", 4, b"abcd", 0, False, True)
    assert get_numbers(damaged, "RescaleSlope") == ()
    assert get_numbers(damaged, "RescaleIntercept") == ()


@pytest.mark.parametrize(
    ("stated", "meant"),
    [("MONOCHROME1", "MONOCHROME1"), (" palette  color ", "PALETTE COLOR"), ("rgb", "RGB"), ("", None), (" ", None)],
)
def test_spellings_of_the_photometric_interpretation(stated, meant):
    assert photometric_interpretation(dataset(PhotometricInterpretation=stated)) == meant


def test_color():
    assert is_color(dataset(SamplesPerPixel=3))
    assert is_color(dataset(SamplesPerPixel=1, PhotometricInterpretation="palette color"))
    assert not is_color(dataset(PhotometricInterpretation="MONOCHROME2"))
