"""Inputs that once were misread, from public bug reports: each has its right value here.

Each lies in a folder of the real images with a note that says what is right.
"""

import shutil

import numpy as np
import pytest
from PIL import Image, ImageOps
from pydicom import dcmread

from firstread.core.errors import DataError
from firstread.core.images import read_image, read_info, read_volume
from firstread.dicom.headers import NoImageError


@pytest.fixture
def inputs(shared_data):
    folder = shared_data / "failing-inputs"
    if not folder.is_dir():
        pytest.skip("the failing inputs are not here")
    return folder


def test_a_window_narrower_than_1_is_a_gradient(inputs):
    path = inputs / "01_window_width_below_1" / "width_lt_1.dcm"
    dataset = dcmread(path)
    values = dataset.pixel_array * float(dataset.RescaleSlope)
    center, width = float(dataset.WindowCenter), float(dataset.WindowWidth)
    expected = np.clip((values - (center - width / 2)) / width, 0, 1) * 255  # LINEAR_EXACT, PS3.3 C.11.2.1.3.2
    assert np.abs(read_image(path) - expected).max() <= 0.51
    assert np.abs(read_image(path, window=(center, width)) - expected).max() <= 0.51
    assert len(np.unique(read_image(path))) > 150


@pytest.mark.parametrize("name", ["exif3.jpg", "exif6.jpg", "exif8.jpg", "exif6.png"])
def test_exif_orientation_turns_the_picture(inputs, name):
    path = inputs / "02_exif_orientation" / name
    expected = np.asarray(ImageOps.exif_transpose(Image.open(path)))
    assert np.array_equal(read_image(path), expected)
    assert (read_info(path).rows, read_info(path).columns) == expected.shape
    assert np.array_equal(read_volume(path).values[0], expected)


def test_a_tiff_is_turned_like_the_png_of_the_same_picture(inputs):
    folder = inputs / "02_exif_orientation"
    assert np.array_equal(read_image(folder / "orient6.tif"), read_image(folder / "exif6.png"))


@pytest.mark.parametrize("name", ["f32hot.tif", "g16hot.png", "la12.png", "rgb12in16.png"])
def test_pictures_of_16_bits_are_neither_black_nor_white(inputs, name):
    image = read_image(inputs / "03_sixteen_bit_near_black" / name)
    assert (image.min(), image.max()) == (0, 255)
    assert 80 < image.mean() < 100


def test_a_whole_file_of_64_bits_is_not_called_broken(inputs):
    with pytest.raises(DataError, match="64-bit floating-point samples, which firstread does not read"):
        read_info(inputs / "05_false_sentence_broken" / "f64.tif")


def test_a_rescale_slope_of_0_is_ignored_in_a_picture_and_refused_in_a_volume(inputs, tmp_path):
    path = inputs / "06_rescale_slope_zero" / "slope_zero.dcm"
    values = dcmread(path).pixel_array.astype(float)
    expected = np.clip((values - (1000 - 0.5)) / (800 - 1) + 0.5, 0, 1) * 255  # LINEAR on the stored values
    assert np.abs(read_image(path) - expected).max() <= 0.51
    info = read_info(path)
    assert (info.geometry, info.unit) == (None, "")
    with pytest.raises(DataError, match="zero or no number, so the values have no unit"):
        read_volume(path)
    for window in ("lung", (40, 400)):
        with pytest.raises(DataError, match="no window in Hounsfield units fits"):
            read_image(path, window=window)


def test_monochrome1_in_small_letters_is_monochrome1(inputs):
    folder = inputs / "09_photometric_missing_or_lower_case"
    small = read_image(folder / "mono1_lower.dcm")
    dataset = dcmread(folder / "mono1_lower.dcm")
    values = np.frombuffer(dataset.PixelData, "<u2").reshape(64, 64).astype(float)
    expected = 255 - np.clip((values - (1000 - 0.5)) / (800 - 1) + 0.5, 0, 1) * 255
    assert np.abs(small - expected).max() <= 0.51


def test_a_missing_photometric_interpretation_is_named_not_guessed(inputs):
    for read in (read_info, read_image, read_volume):
        with pytest.raises(DataError, match="does not state its PhotometricInterpretation"):
            read(inputs / "09_photometric_missing_or_lower_case" / "no_photometric.dcm")


def test_a_compressed_file_that_was_cut_is_cut_and_no_report(inputs):
    path = inputs / "21_compressed_dicom_cut_is_silently_dropped" / "cut_j2k.dcm"
    with pytest.raises(DataError, match="cut short, or was written without its pixels") as error:
        read_info(path)
    assert not isinstance(error.value, NoImageError)


def test_a_damaged_code_stream_is_found_when_the_file_is_opened(inputs):
    with pytest.raises(DataError, match=r"JPEG 2000 .* are broken: they cannot be decoded"):
        read_info(inputs / "22_bad_codestream_stops_check_and_training" / "bad_codestream.dcm")


@pytest.mark.parametrize(
    ("name", "window"),
    [
        ("06_rescale_slope_zero/slope_zero.dcm", "file"),
        ("09_photometric_missing_or_lower_case/mono1_lower.dcm", "file"),
    ],
)
def test_they_look_as_dcmtk_shows_them(inputs, tmp_path, name, window):
    import subprocess

    program = shutil.which("dcmj2pnm") or shutil.which("dcm2pnm")
    if program is None:
        pytest.skip("dcmj2pnm of dcmtk is not here")
    picture = tmp_path / "dcmtk.pgm"
    subprocess.run([program, "+op", "+Wi", "1", str(inputs / name), str(picture)], capture_output=True, check=True)
    theirs = np.asarray(Image.open(picture).convert("L")).astype(int)
    assert np.abs(read_image(inputs / name, window=window) - theirs).max() <= 1
