"""Pixels of an image without text: gone or held back, never silently kept; nothing that is clean is destroyed."""

import builtins
import logging

import numpy as np
import pydicom
import pytest
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit

from firstread.core.errors import DataError
from firstread.deidentification import (
    Profile,
    clean_pixels,
    deidentify_dataset,
    deidentify_file,
    pixel_cleaner,
    review_class,
    text_detector,
)
from firstread.deidentification.identity import nested_identity_values
from firstread.deidentification.text_detector import use_detector

from .drawn_images import INK, Blind, FakeDetector, bars, colour_image, gray_image, noisy, with_line
from .identified_files import KEYS, identified_ct, item, sequence, write

VALUES = frozenset({("name", "Hidden^Harriet"), ("id", "H-4711-0815"), ("birth_date", "19700321")})
NOTHING = np.random.default_rng(0).integers(20, 200, (120, 160), dtype=np.uint8)


def with_regions(image, y0, x0, y1, x1):
    region = item(RegionLocationMinX0=x0, RegionLocationMinY0=y0, RegionLocationMaxX1=x1, RegionLocationMaxY1=y1)
    image.SequenceOfUltrasoundRegions = sequence(region)
    return image


def test_a_name_in_colour_frames_is_black_and_the_bars_are_not():
    """Case 15: deid 228, 166; RSNA Anonymizer 39."""
    image = colour_image(bars(frames=3), "RGB", planar=1)
    result = clean_pixels(image, VALUES, detector=FakeDetector())
    pixels = result.dataset.pixel_array
    assert pixels[:, 4:14, 30:90].max() == 0
    assert (pixels[:, 60, 12] == (220, 20, 20)).all()
    assert (pixels[:, 60, -12] == (20, 20, 220)).all()
    assert result.boxes[0].rank == "red"
    assert result.actions == {"pixels: red text blacked": len(result.boxes)}


def test_a_lossy_compression_stays_stated():
    """Case 16: what was lost before is still lost when the pixels are stored without compression."""
    image = colour_image(bars(), "YBR_FULL_422", transfer_syntax=JPEGBaseline8Bit)
    output = clean_pixels(image, VALUES, detector=FakeDetector()).dataset
    assert output.LossyImageCompression == "01"
    assert output.LossyImageCompressionMethod == "ISO_10918_1"


def test_outside_of_ultrasound_regions_is_blank_without_any_reading():
    """CTP's and dicompixelanon's rule; the detector sees none of it."""
    image = with_regions(colour_image(bars(frames=2)), 30, 0, 95, 127)
    result = clean_pixels(image, VALUES, detector=FakeDetector())
    pixels = result.dataset.pixel_array
    assert pixels[:, :30].max() == 0
    assert (pixels[:, 30:] == bars(frames=2)[:, 30:]).all()
    assert result.boxes == ()


def test_an_image_without_text_keeps_its_bytes_and_its_compression():
    for image in (gray_image(NOTHING), colour_image(bars(line=False), "YBR_RCT", transfer_syntax=JPEG2000Lossless)):
        output = clean_pixels(image, VALUES, detector=Blind()).dataset
        assert output.PixelData == image.PixelData
        assert output.file_meta.TransferSyntaxUID == image.file_meta.TransferSyntaxUID
        assert output.BurnedInAnnotation == "NO"
        assert "BurnedInAnnotation" not in image


def test_what_was_read_is_in_no_result_and_no_log(caplog):
    with caplog.at_level(logging.DEBUG):
        result = clean_pixels(colour_image(bars()), VALUES, detector=FakeDetector("HIDDEN, Harriet"))
    assert "HIDDEN" not in (repr(result) + str(result.boxes) + caplog.text).upper()


def test_a_page_of_text_is_held_back():
    """A scanned letter: black boxes would leave a black picture."""
    pixels = NOTHING.copy()
    pixels[:110] = INK
    assert "Most of the picture is text" in clean_pixels(gray_image(pixels), VALUES, detector=Page()).held


class Page(FakeDetector):
    def find(self, picture):
        (found,) = super().find(picture)
        y0, y1 = found.box.y0, found.box.y1
        step = (y1 - y0) // 10
        lines = [found.box._replace(y0=y, y1=y + step) for y in range(y0, y1 - step + 1, step)]
        return tuple(text_detector.TextBox(box, 0.9) for box in lines)


def test_a_file_that_unpacks_to_more_than_its_share_of_memory_is_held_back(monkeypatch):
    monkeypatch.setattr(pixel_cleaner, "MAX_DECODED_BYTES", 1000)
    assert "more memory" in clean_pixels(gray_image(NOTHING), VALUES, detector=Blind()).held


def test_a_detector_that_fails_holds_the_file_back():
    class Failing(Blind):
        def find(self, picture):
            raise DataError("The text detector failed on a picture of the file")

    assert "detector failed" in clean_pixels(gray_image(NOTHING), VALUES, detector=Failing()).held


def test_pixels_that_cannot_be_decoded_are_held_back():
    image = colour_image(bars(), "YBR_RCT", transfer_syntax=JPEG2000Lossless)
    image.PixelData = image.PixelData[:200]
    profile = Profile(frozenset({"clean_pixel_data"}), frozenset({review_class(image)}))
    assert deidentify_dataset(image, profile=profile, keys=KEYS).held


def test_without_the_extra_images_are_held_back_with_its_name(monkeypatch):
    real_import = builtins.__import__

    def refuse(name, *arguments, **options):
        if name.split(".")[0] == "rapidocr":
            raise ImportError(name)
        return real_import(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    text_detector._load_rapid_detector.cache_clear()
    image = gray_image(NOTHING)
    profile = Profile(frozenset({"clean_pixel_data"}), frozenset({review_class(image)}))
    with use_detector(None):
        held = deidentify_dataset(image, profile=profile, keys=KEYS).held
        assert 'pip install "firstread[pixels]"' in held
        # what needs no search is written all the same
        scanned = identified_ct(ImageType=["ORIGINAL", "PRIMARY", "AXIAL"])
        assert deidentify_dataset(scanned, profile=profile, keys=KEYS).held is None


def test_slices_of_noise_are_not_searched_and_derived_or_drawn_ones_are():
    searched = []

    class Noting(Blind):
        def find(self, picture):
            searched.append(picture.shape)
            return ()

    profile = Profile(frozenset({"clean_pixel_data"}))
    with use_detector(Noting()):
        assert not deidentify_dataset(
            identified_ct(ImageType=["ORIGINAL", "PRIMARY", "AXIAL"]), profile=profile, keys=KEYS
        ).held
        assert searched == []
        for kind in (["DERIVED", "SECONDARY", "MPR"], ["DERIVED", "PRIMARY"], None):
            values = {"ImageType": kind} if kind else {}
            assert not deidentify_dataset(identified_ct(**values), profile=profile, keys=KEYS).held
            assert searched
            searched.clear()


@pytest.mark.parametrize("options", [(), ("clean_pixel_data",)])
def test_a_ct_with_an_overlay_in_its_pixels_is_cleared_with_any_profile(options, tmp_path):
    """One slice held back for an overlay would leave its series with a gap."""
    pixels = np.full((32, 32), 700, np.uint16)
    marked = pixels.copy()
    marked[4, 5:20] |= 1 << 15
    values = {"Rows": 32, "Columns": 32, "BitsStored": 12, "HighBit": 11, "PixelData": marked.tobytes()}
    dataset = identified_ct(ImageType=["ORIGINAL", "PRIMARY", "AXIAL"], **values)
    dataset.add_new((0x6000, 0x0100), "US", 16)
    dataset.add_new((0x6000, 0x0102), "US", 15)
    path = write(dataset, tmp_path / "in" / "a.dcm")
    result = deidentify_file(path, tmp_path / "out", profile=Profile().with_options(*options), keys=KEYS)
    output = pydicom.dcmread(tmp_path / "out" / result.output)
    assert output.PixelData == pixels.tobytes()
    assert [element.tag for element in output if element.tag.group == 0x6000] == []


@pytest.mark.parametrize(("text", "contrast"), [("HIDDEN, Harriet", 200), ("21.03.1970", 150), ("ID H-4711-0815", 100)])
def test_the_real_detector_finds_a_name_that_the_header_denies(real_detector, text, contrast, tmp_path):
    """Case 18: CTP 16, pydicom 375: BurnedInAnnotation NO, and a name in the pixels."""
    pixels, box = with_line(noisy(), text, contrast=contrast)
    image = gray_image(pixels, BurnedInAnnotation="NO")
    profile = Profile(frozenset({"clean_pixel_data"}), frozenset({review_class(image)}))
    path = write(image, tmp_path / "in" / "a.dcm")
    result = deidentify_file(path, tmp_path / "out", profile=profile, keys=KEYS)
    assert result.held is None
    output = pydicom.dcmread(tmp_path / "out" / result.output).pixel_array
    y0, x0, y1, x1 = box
    assert (output[y0:y1, x0:x1] == 0).all()
    black = output == 0
    assert black.mean() < 0.1
    assert (output[~black] == pixels[~black]).all()


def test_the_real_detector_finds_a_name_in_a_slice_that_calls_itself_original(real_detector):
    """A workstation that draws into CT and leaves ImageType as it was."""
    tissue = np.random.default_rng(4).normal(1050, 25, (256, 256))
    pixels, box = with_line(tissue / 8, "HIDDEN, Harriet", contrast=100)
    stored = np.where(pixels > 200, 3071, np.rint(tissue)).astype(np.uint16)
    dataset = identified_ct(
        ImageType=["ORIGINAL", "PRIMARY", "AXIAL"], Rows=256, Columns=256, PixelData=stored.tobytes()
    )
    output = deidentify_dataset(dataset, profile=Profile(frozenset({"clean_pixel_data"})), keys=KEYS).dataset
    y0, x0, y1, x1 = box
    assert (output.pixel_array[y0:y1, x0:x1] == 0).all()


def test_the_real_detector_keeps_a_marker_and_finds_the_name_beside_it(real_detector):
    """Case 18: CR with a name on a lead marker; the side must stay."""
    pixels, marker = with_line(noisy(512, 512), "R", corner=(60, 40), size_px=32)
    pixels, name = with_line(pixels.astype(float), "HIDDEN, Harriet", corner=(120, 40), size_px=16)
    result = clean_pixels(gray_image(pixels), VALUES)
    output = result.dataset.pixel_array
    assert (output[marker[0] : marker[2], marker[1] : marker[3]] != 0).all()
    assert (output[name[0] : name[2], name[1] : name[3]] == 0).all()
    assert {text.rank for text in result.boxes} == {"red", "mark"}


def test_the_real_detector_destroys_no_noise(real_detector):
    for seed in range(3):
        image = gray_image(np.clip(noisy(200, 240, seed=seed, sigma=25), 0, 255).astype(np.uint8))
        result = clean_pixels(image, frozenset(nested_identity_values(image)))
        assert result.held is None
        assert result.dataset.PixelData == image.PixelData


def test_the_real_detector_takes_pictures_of_any_shape(real_detector):
    """A picture of one row must not be enlarged until memory is full."""
    for shape in ((1, 4000), (4000, 1), (2, 2), (1, 1)):
        assert clean_pixels(gray_image(np.full(shape, 90, np.uint8)), VALUES).held is None
