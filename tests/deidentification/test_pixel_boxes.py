"""Black boxes in stored pixels: every form that archives hold; all other pixels as they were, or as they decode."""

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.pixels import pixel_array
from pydicom.uid import (
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from firstread.core.errors import DataError
from firstread.deidentification.pixel_boxes import paint_boxes
from firstread.deidentification.text_detector import Box
from firstread.dicom.headers import open_dicom

from .drawn_images import bars, colour_image, gray_image
from .identified_files import write

BOX = Box(2, 29, 16, 91)
NATIVE = ExplicitVRLittleEndian


def shown(dataset):
    """Pixels as pydicom decodes them, colour as RGB: (frames, H, W, 3)."""
    pixels = pixel_array(dataset)
    return pixels if pixels.ndim == 4 else pixels[None]


def reopened(dataset, tmp_path):
    return pydicom.dcmread(write(dataset, tmp_path / "out.dcm"))


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize(
    ("photometric", "planar", "syntax"),
    [
        ("RGB", 0, NATIVE),
        ("RGB", 1, NATIVE),
        ("YBR_FULL", 0, NATIVE),
        ("YBR_FULL", 1, NATIVE),
        ("YBR_FULL_422", 0, NATIVE),
        ("RGB", 0, RLELossless),
        ("YBR_FULL", 0, RLELossless),
        ("YBR_FULL_422", 0, JPEGBaseline8Bit),
        ("YBR_RCT", 0, JPEG2000Lossless),
        ("RGB", 0, JPEGLSLossless),
    ],
)
def test_colour_is_black_in_the_box_and_as_it_was_outside(photometric, planar, syntax, frames, tmp_path):
    """Cases 15 and 16: deid 228, 166, 240 (frames scrambled, YBR_FULL_422), RSNA Anonymizer 39 (colours swapped),
    dicompixelanon 11 (RLE and YBR written wrongly)."""
    original = reopened(colour_image(bars(frames=frames), photometric, planar=planar, transfer_syntax=syntax), tmp_path)
    before = shown(original)
    output = reopened(paint_boxes(original, (BOX,)), tmp_path)
    after = shown(output)
    assert (output.Rows, output.Columns, output.get("NumberOfFrames")) == (96, 128, original.get("NumberOfFrames"))
    black = np.zeros(before.shape[1:3], bool)
    black[BOX.y0 : BOX.y1, BOX.x0 : BOX.x1] = True
    assert after[:, black].max() <= 1
    aside = black.copy()
    aside[:, 28], aside[:, 91] = black[:, 29], black[:, 90]  # the neighbours of a pair that shares its colour
    assert (after[:, ~aside] == before[:, ~aside]).all()
    assert (after[:, 40:, 10:20, 0] > 180).all()  # the left bar is red, the right one blue
    assert (after[:, 40:, -20:-10, 2] > 180).all()
    assert not output.file_meta.TransferSyntaxUID.is_compressed
    assert output.PhotometricInterpretation == ("RGB" if syntax.is_compressed else photometric)
    assert output.get("LossyImageCompression") == ("01" if syntax == JPEGBaseline8Bit else None)


def test_high_throughput_jpeg_2000(shared_data, tmp_path):
    """Case 16, on published files in the newest compression."""
    checked = 0
    for path in sorted((shared_data / "pydicom-data").rglob("HTJ2K*.dcm")):
        original = open_dicom(path)
        before = shown(original)
        output = reopened(paint_boxes(original, (Box(0, 0, 4, 6),)), tmp_path)
        after = shown(output)
        assert not output.file_meta.TransferSyntaxUID.is_compressed
        assert (after[:, 4:] == before[:, 4:]).all()
        assert (after[:, :4, 6:] == before[:, :4, 6:]).all()
        checked += 1
    assert checked
    assert str(HTJ2KLossless).startswith("1.2.840.10008.1.2.4.20")


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "u4"])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_gray_of_any_depth_is_shown_black(dtype, photometric):
    pixels = np.arange(40 * 50).reshape(40, 50).astype(dtype)
    image = gray_image(pixels, PhotometricInterpretation=photometric)
    output = paint_boxes(image, (Box(10, 5, 20, 25),)).pixel_array
    inside = output[10:20, 5:25]
    if pixels.dtype.kind == "u":
        assert set(inside.ravel()) == {2 ** (8 * pixels.dtype.itemsize) - 1 if photometric == "MONOCHROME1" else 0}
    else:
        assert set(inside.ravel()) == {pixels.max() if photometric == "MONOCHROME1" else pixels.min()}
    output[10:20, 5:25] = pixels[10:20, 5:25]
    assert (output == pixels).all()


@pytest.mark.parametrize("name", ["OBXXXX1A.dcm", "OBXXXX1A_rle_2frame.dcm"])
def test_a_palette_gets_its_darkest_colour(shared_data, name):
    original = open_dicom(shared_data / "pydicom-data" / name)
    output = paint_boxes(original, (Box(0, 0, 20, 30),))
    assert output.PhotometricInterpretation == "PALETTE COLOR"
    colours = pydicom.pixels.apply_color_lut(output.pixel_array, output)
    assert colours[..., :20, :30, :].max() <= colours.min() + 1
    assert (output.pixel_array[..., 20:, :] == original.pixel_array[..., 20:, :]).all()


def test_single_bits():
    """Multi-frame single bit secondary capture: eight pixels a byte."""
    bits = np.ones((2, 16, 24), np.uint8)
    image = gray_image(np.zeros((2, 16, 24), np.uint8), BitsAllocated=1, BitsStored=1, HighBit=0)
    image.PixelData = np.packbits(bits, bitorder="little").tobytes()
    output = paint_boxes(image, (Box(3, 5, 9, 18),)).pixel_array
    bits[:, 3:9, 5:18] = 0
    assert (output == bits).all()


def test_words_in_the_other_byte_order(tmp_path):
    original = open_dicom(pydicom.data.get_testdata_file("MR_small_bigendian.dcm"))
    before = original.pixel_array
    output = paint_boxes(original, (Box(0, 0, 8, 8),)).pixel_array
    assert (output[:8, :8] == before.min()).all()
    assert (output[8:] == before[8:]).all()


def test_a_form_that_nothing_can_be_drawn_in_is_refused():
    image = gray_image(np.zeros((8, 8), np.uint8), BitsAllocated=12, BitsStored=12, HighBit=11)
    with pytest.raises(DataError, match="no box can be drawn"):
        paint_boxes(image, (Box(0, 0, 2, 2),))


def test_the_dataset_given_is_not_changed():
    image = colour_image(bars(), "YBR_RCT", transfer_syntax=JPEG2000Lossless)
    data, syntax = image.PixelData, image.file_meta.TransferSyntaxUID
    paint_boxes(image, (BOX,))
    assert (image.PixelData, image.file_meta.TransferSyntaxUID) == (data, syntax)
    assert image.PhotometricInterpretation == "YBR_RCT"


@given(
    y=st.integers(0, 30),
    x=st.integers(0, 40),
    height=st.integers(1, 40),
    width=st.integers(1, 60),
    planar=st.booleans(),
)
def test_no_pixel_outside_of_the_box_changes(y, x, height, width, planar):
    rng = np.random.default_rng(0)
    frames = rng.integers(1, 255, (2, 32, 42, 3), dtype=np.uint8)
    image = colour_image(frames, "RGB", planar=int(planar))
    output = paint_boxes(image, (Box(y, x, y + height, x + width),)).pixel_array
    frames[:, y : y + height, x : x + width] = 0
    assert (output == frames).all()
