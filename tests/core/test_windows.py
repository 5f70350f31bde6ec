"""Windows: agreement with pydicom, named windows and validation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.pixels import apply_windowing

from firstread.core.errors import SettingError
from firstread.core.windows import CT_WINDOWS, apply_range, apply_window, check_window

VALUES = np.arange(-2048, 2048, 3, dtype=np.int16)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize(("center", "width"), [(40.0, 400.0), (-600.0, 1500.0), (0.5, 2.0)])
def test_agrees_with_pydicom(function, center, width):
    dataset = Dataset()
    dataset.WindowCenter, dataset.WindowWidth, dataset.VOILUTFunction = center, width, function
    dataset.PhotometricInterpretation, dataset.BitsStored, dataset.PixelRepresentation = "MONOCHROME2", 8, 0
    expected = np.rint(apply_windowing(VALUES, dataset))
    assert np.abs(apply_window(VALUES, center=center, width=width, function=function) - expected).max() <= 1


@given(center=st.floats(-2000, 2000), width=st.floats(0.5, 5000))
def test_brighter_stays_brighter(center, width):
    for function in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        shown = apply_window(VALUES, center=center, width=width, function=function).astype(int)
        assert (np.diff(shown) >= 0).all()


def test_names_numbers_and_typos():
    assert check_window("lung") == CT_WINDOWS["lung"]
    assert check_window(None) == "file"
    assert check_window([40, 400]) == (40.0, 400.0)
    with pytest.raises(SettingError, match='Did you mean "lung"'):
        check_window("lungs")
    for wrong in ((40, 0), (40,), 7, (float("nan"), 3), ("a", "b")):
        with pytest.raises(SettingError, match="cannot be used"):
            check_window(wrong)


def test_a_flat_image_and_one_of_nothing_but_nan_are_black():
    assert apply_range(np.full((3, 3), 7.0), percentiles=True).max() == 0
    assert apply_range(np.full((3, 3), np.nan), percentiles=True).max() == 0
