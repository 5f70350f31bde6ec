"""Search for text in frames: each of them, at two sizes and equalised; what is text, a mark, or too large."""

import numpy as np
import pytest

from firstread.deidentification import pixel_search
from firstread.deidentification.pixel_search import highest_line, search_text
from firstread.deidentification.text_detector import Box, ReadText, TextBox

from .drawn_images import INK, Blind, FakeDetector, gray_image

VALUES = frozenset({("name", "Hidden^Harriet"), ("id", "H-4711-0815")})


def search(pixels, detector, **values):
    return search_text(gray_image(pixels, **values), VALUES, detector)


def run(frames=60, size=64):
    """Frames of a run that differ, with a white line in frame 31 only."""
    pixels = np.random.default_rng(1).integers(20, 120, (frames, size, size), dtype=np.uint8)
    pixels[31, 20:28, 6:50] = INK
    return pixels


def test_text_in_one_frame_of_sixty_is_found():
    """Case 17: Presidio 1731 (XA multi-frame: "Too many dimensions: 3 > 2")."""
    result = search(run(), FakeDetector())
    assert {text.frame for text in result.found} == {31}
    assert result.found[0].rank == "red"
    assert all(box.y0 <= 20 and box.y1 >= 28 and box.x0 <= 6 and box.x1 >= 50 for box in result.hidden)


def test_frames_that_equal_earlier_ones_are_skipped():
    pixels = np.random.default_rng(1).integers(20, 120, (1, 800, 800), dtype=np.uint8)
    once, often = FakeDetector(), FakeDetector()
    search(pixels, once)
    result = search(np.repeat(pixels, 90, axis=0), often)
    assert result.held is None
    assert often.looks <= once.looks


def test_more_frames_than_can_be_looked_at_hold_the_file_back(monkeypatch):
    monkeypatch.setattr(pixel_search, "MAX_WORK_MEGAPIXELS", 5.0)
    result = search(run(), Blind())
    assert "more frames" in result.held
    assert result.found == ()


def test_more_text_than_can_be_read_holds_the_file_back(monkeypatch):
    class Wallpaper(Blind):
        def find(self, picture):
            return tuple(TextBox(Box(y, 0, y + 5, 9), 0.9) for y in range(0, 90, 6))

        def read(self, picture):
            return ReadText("", 0.0)

    monkeypatch.setattr(pixel_search, "MAX_WORK_MEGAPIXELS", 2.0)
    assert "more text" in search(np.zeros((100, 100), np.uint8), Wallpaper()).held


class Fixed:
    """One box, read as told."""

    def __init__(self, box, text, *, score=0.9, read_score=0.95):
        self.box, self.text, self.score, self.read_score = box, text, score, read_score

    def find(self, picture):
        scale = picture.shape[0] / 600
        return (TextBox(Box(*(round(edge * scale) for edge in self.box)), self.score),)

    def read(self, picture):
        return ReadText(self.text, self.read_score)


IMAGE = np.random.default_rng(0).integers(20, 90, (600, 600), dtype=np.uint8)
LINE, HIGH = Box(20, 20, 50, 200), Box(100, 100, 100 + 80, 500)


@pytest.mark.parametrize("mark", ["L", "R", "PORTABLE", "AP", "PA ERECT", "RCC", "Supine"])
def test_marks_of_radiographs_stay(mark):
    result = search(IMAGE, Fixed(LINE, mark))
    assert [text.rank for text in result.found] == ["mark"]
    assert result.hidden == ()


def test_a_mark_that_is_the_name_of_the_patient_goes():
    image = gray_image(IMAGE)
    result = search_text(image, frozenset({("name", "Li^Na")}), Fixed(LINE, "LI"))
    assert result.hidden


def test_a_whole_picture_that_is_called_text_is_not_blacked():
    """The trap of rapidocr: a clean ultrasound image is one box of text to it."""
    result = search(IMAGE, Fixed(Box(0, 0, 600, 600), "O", score=0.62, read_score=0.5))
    assert (result.hidden, result.held) == ((), None)


def test_letters_higher_than_a_line_hold_the_image_back():
    assert HIGH.y1 - HIGH.y0 > highest_line(600)
    result = search(IMAGE, Fixed(HIGH, "HARRIET"))
    assert result.hidden == ()
    assert "larger than a line" in result.held
    assert search(IMAGE, Fixed(HIGH, "R")).held is None


def test_what_cannot_be_read_is_text_where_it_is_a_line_and_sure():
    """Scripts that the recognition does not know."""
    assert search(IMAGE, Fixed(LINE, "?oXi", score=0.8, read_score=0.35)).hidden
    assert not search(IMAGE, Fixed(LINE, "?oXi", score=0.6, read_score=0.35)).hidden
    assert not search(IMAGE, Fixed(Box(20, 20, 50, 55), "oXi", score=0.8, read_score=0.35)).hidden


def test_tissue_that_is_read_as_letters_stays():
    """Boxes of the detector in published MR, CT and NM without text, and what was read in them."""
    for text, score, read_score in (
        ("NOR", 0.46, 0.68),
        ("M20 17", 0.45, 0.54),
        ("M", 0.73, 0.96),
        ("207", 0.49, 0.75),
        ("MON", 0.69, 0.33),
        ("O", 0.75, 0.62),
    ):
        assert search(IMAGE, Fixed(LINE, text, score=score, read_score=read_score)).hidden == ()


def test_text_drawn_with_the_padding_value_is_seen():
    """Viewers show padding black, so such text is invisible in some and plain in others."""
    pixels = np.random.default_rng(2).integers(900, 1100, (64, 64)).astype(np.int16)
    pixels[20:28, 6:50] = 3000
    found = search(pixels, FakeDetector(), PixelPaddingValue=3000, BitsStored=16)
    assert found.hidden


def test_the_median_of_frames_is_looked_at():
    """Text stands still while tissue moves: what no single frame shows as pure white, their median does."""
    rng = np.random.default_rng(3)
    frames = np.full((9, 64, 64), 60, np.uint8)
    frames[:, 20:28, 6:50] = INK
    for frame in frames:
        frame[rng.random((64, 64)) < 0.3] = 0
        frame[24, 20:30] = 0
    result = search(frames, FakeDetector())
    assert result.hidden


def test_small_text_in_a_large_picture_is_looked_at_unreduced():
    """A mammogram of 4,000 pixels is reduced to half before the detector sees it."""

    class Sharp(FakeDetector):
        def find(self, picture):
            return super().find(picture) if max(picture.shape) <= 2000 else ()

    pixels = np.full((3000, 4000), 60, np.uint8)
    pixels[2900:2914, 3800:3990] = INK
    (box,) = search(pixels, Sharp()).hidden
    assert (box.y0 <= 2900, box.x0 <= 3800, box.y1 >= 2914, box.x1 >= 3990) == (True,) * 4


def test_boxes_outside_of_the_image_are_cut():
    found = search(IMAGE, Fixed(Box(560, 500, 640, 700), "HIDDEN"))
    assert all(box.y0 < 600 and box.x0 < 600 for box in found.hidden)
