"""What is shown has square pixels; what networks, boxes and masks use is the grid of the file."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.core.case import Case, Image
from firstread.core.geometry import Geometry
from firstread.core.images import MAX_IMAGE_PIXELS, read_image
from firstread.core.square_pixels import make_square_pixels, read_pixel_aspect, read_square_pixels, square_size
from firstread.core.volume import Volume
from firstread.readers.nifti import write_nifti


@pytest.mark.parametrize("name", ["par_2_1.dcm", "spacing_2_1.dcm"])
def test_dicom_is_shown_as_dcmtk_scales_it(shared_data, name):
    path = shared_data / "failing-inputs" / "08_non_square_pixels" / name
    stored = read_image(path)
    case = Case("a", str(path))
    assert stored.shape == case.pixels().shape == (64, 64)
    assert case.image().shape == read_square_pixels(path).shape == (128, 64)  # dcm2pnm +a +Sxf 1: 64 wide, 128 high
    assert np.abs(case.image()[::2].astype(int) - stored)[1:-1].mean() < 12
    assert case.show().axes[0].images[0].get_array().shape == (128, 64)


def test_slices_of_a_volume_are_shown_square(tmp_path):
    grid = Geometry.from_spacing((3, 20, 24), spacing_mm_zyx=(5, 3, 1))
    path = write_nifti(tmp_path / "a.nii", Volume(np.zeros((3, 20, 24), np.int16), grid))
    assert read_pixel_aspect(path) == pytest.approx(3)
    image = Image("image", (str(path),), 1)
    assert (image.pixels().shape, image.shown().shape) == ((20, 24), (60, 24))


def test_square_pixels_are_left_alone():
    picture = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert make_square_pixels(picture, 1.0) is picture
    assert make_square_pixels(picture, 1.004) is picture
    assert make_square_pixels(np.zeros((3, 4, 3), np.uint8), 0.5).shape == (3, 8, 3)


@given(rows=st.integers(1, 10_000), columns=st.integers(1, 10_000), aspect=st.floats(0.01, 100))
def test_the_shape_of_the_field_of_view_is_kept(rows, columns, aspect):
    height, width = square_size(rows, columns, aspect)
    assert 1 <= height * width <= MAX_IMAGE_PIXELS * 1.01 + height + width
    if min(height, width) > 50:
        assert height / width == pytest.approx(rows * aspect / columns, rel=0.03)


def test_a_place_in_the_stored_grid_is_found_in_what_is_shown():
    stored = np.zeros((32, 32), np.uint8)
    stored[10, 20] = 255
    shown = make_square_pixels(stored, 3.0)
    row, column = np.unravel_index(shown.argmax(), shown.shape)
    assert (row, column) == ((10 + 0.5) * 3 - 0.5, 20)


def test_a_reader_that_says_nothing_of_aspects_has_square_pixels(tmp_path):
    from firstread.phantoms.phantom_file import PhantomScan, write_phantom_file

    scan = PhantomScan(7, size_zyx=(3, 12, 16), spacing_mm_zyx=(30, 25, 25))
    assert read_pixel_aspect(write_phantom_file(tmp_path / "a.phantom", scan)) == 1.0
