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


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT"])
@given(width=st.floats(1e-6, 0.99), center=st.floats(-10, 10))
def test_a_width_below_1_is_a_gradient_from_edge_to_edge(function, width, center):
    values = center + width * np.linspace(-0.5, 0.5, 101)
    shown = apply_window(values, center=center, width=width, function=function).astype(int)
    assert (shown[0], shown[-1]) == (0, 255)
    assert abs(shown[50] - 127.5) < 1
    assert np.abs(shown - np.linspace(0, 255, 101)).max() <= 1


@given(width=st.floats(1, 10), slope=st.floats(1e-5, 0.01))
def test_a_narrow_window_over_near_values_covers_its_width(width, slope):
    values = np.arange(0, width / slope + 1)[:: max(1, int(width / slope) // 500)] * slope
    shown = apply_window(values, center=width / 2, width=width, step=slope)
    assert np.abs(shown - np.clip(values / (width - slope), 0, 1) * 255).max() <= 0.51
    seen_from_the_values = apply_window(values + slope / 3, center=width / 2, width=width).astype(int)
    assert np.abs(seen_from_the_values - shown).max() <= 2


def test_a_width_of_1_over_whole_numbers_is_a_threshold():
    for values in (np.array([-1, 0, 1, 2]), np.array([-1.0, 0.0, 1.0, 2.0])):
        assert apply_window(values, center=1, width=1).tolist() == [0, 0, 255, 255]


@pytest.mark.parametrize("slope", [2.0, 1.0, -1.0])
def test_values_a_step_of_1_or_more_apart_follow_the_standard_to_the_letter(slope):
    values = np.arange(-50, 50) * slope
    expected = np.clip((values - (10 - 0.5)) / (30 - 1) + 0.5, 0, 1) * 255  # PS3.3 C.11.2.1.2.1
    assert np.abs(apply_window(values, center=10, width=30, step=slope) - expected).max() <= 0.51


@pytest.mark.parametrize("kind", [np.int32, np.uint32, np.int64, np.float64])
def test_large_numbers_keep_their_differences(kind):
    values = (2_000_000_000 + np.arange(256)).astype(kind)
    assert apply_range(values, percentiles=False).tolist() == list(range(256))
