"""Overlays in unused bits of pixels: cleared; padding that uses the same bits, and negative values, stay."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from firstread.deidentification import clean_pixels

from .drawn_images import gray_image


def image_of(pixels, *, overlay_bit=None, **values):
    image = gray_image(pixels, BitsStored=12, HighBit=11, **values)
    if overlay_bit is not None:
        image.add_new((0x6000, 0x0100), "US", 16)
        image.add_new((0x6000, 0x0102), "US", overlay_bit)
    return image


def cleaned(image):
    return clean_pixels(image, frozenset(), search=False)


def test_an_overlay_in_bit_15_is_cleared():
    """deid 201 (open): overlays in high bits are not cleared."""
    tissue = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    plane = np.zeros((64, 64), np.uint16)
    plane[5:12, 4:50] = 1
    result = cleaned(image_of(tissue | plane << 15, overlay_bit=15))
    assert result.dataset.PixelData == tissue.tobytes()


def test_an_overlay_whose_description_was_removed_holds_the_image_back():
    """What an earlier de-identification leaves when it removes groups 60xx only."""
    tissue = np.arange(64, dtype=np.uint16).reshape(8, 8)
    tissue[2, 2:6] |= 1 << 14
    assert "bits of the pixels that the header calls unused" in cleaned(image_of(tissue)).held


def test_padding_outside_of_the_reconstruction_stays():
    """63536 (-2000) in 12-bit CT: masking it would turn air around the patient into tissue of 2096."""
    pixels = np.full((16, 16), 900, np.uint16)
    pixels[:, :3] = 63536
    image = image_of(pixels, PixelPaddingValue=63536)
    assert cleaned(image).dataset is image
    with_overlay = pixels.copy()
    with_overlay[4, 5:9] |= 1 << 15
    result = cleaned(image_of(with_overlay, overlay_bit=15, PixelPaddingValue=63536))
    assert result.dataset.PixelData == pixels.tobytes()  # what pydicom decodes has no unused bits


def test_a_range_of_padding_stays():
    pixels = np.full((4, 4), 100, np.uint16)
    pixels[0] = (63000, 63200, 63400, 63536)
    image = image_of(pixels, PixelPaddingValue=63536, PixelPaddingRangeLimit=63000)
    assert cleaned(image).dataset is image


def test_negative_values_stay():
    pixels = np.array([[-2048, -1, 0, 2047], [-1024, 40, 60, -3]], np.int16)
    image = image_of(pixels)
    assert cleaned(image).dataset is image


@given(pixels=arrays(np.int16, (4, 6), elements=st.integers(-2048, 2047)), where=arrays(np.bool_, (4, 6)))
def test_signed_pixels_are_what_they_were_without_the_overlay(pixels, where):
    marked = pixels.copy()
    marked[where] ^= np.int16(1 << 14)  # bit 14 differs from the sign where the overlay is
    image = image_of(marked, overlay_bit=14)
    result = cleaned(image)
    assert result.dataset.PixelData == pixels.tobytes()


@given(pixels=arrays(np.uint16, (4, 6), elements=st.integers(0, 4095)), bit=st.integers(12, 15))
def test_any_unused_bit_may_hold_the_overlay(pixels, bit):
    plane = np.zeros((4, 6), np.uint16)
    plane[1:3, 2:4] = 1
    result = cleaned(image_of(pixels | plane << bit, overlay_bit=bit))
    assert result.dataset.PixelData == pixels.tobytes()
