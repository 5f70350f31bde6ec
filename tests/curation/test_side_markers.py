"""Side markers: read where they stand alone and are sure; a mirrored letter is no fault by itself."""

import numpy as np
import pytest
from PIL import Image

from firstread.curation.side_markers import contradiction, find_side_marker
from firstread.phantoms.archive.drawn_text import FONTS, render_ink


def radiograph(letter="R", *, x=40, font="DejaVuSans-Bold", size=512, height=32, text=""):
    """A gradient with a letter as bright as the image can be."""
    rows, columns = np.indices((size, size))
    image = 900 + 4 * columns + rows.astype(float)
    for shown, at in ((letter, (60, x)), (text, (300, 40))):
        if shown:
            ink = render_ink(shown, font, height)
            image[at[0] : at[0] + ink.shape[0], at[1] : at[1] + ink.shape[1]] += ink * 4095
    return np.clip(image, 0, 4095)


@pytest.mark.parametrize("height", [20, 32, 60])
@pytest.mark.parametrize("letter", ["R", "L"])
def test_a_letter_of_lead_that_stands_alone_is_read(height, letter):
    found = find_side_marker(radiograph(letter, height=height))
    assert (found.letter, found.x_share < 0.5) == (letter, True)


@pytest.mark.parametrize("font", FONTS)
@pytest.mark.parametrize("letter", ["R", "L"])
def test_in_thin_letters_a_marker_is_read_rightly_or_not_at_all(font, letter):
    found = find_side_marker(radiograph(letter, font=font))
    assert found is None or found.letter == letter


@pytest.mark.parametrize("letter", ["P", "B", "K", "A", "I", "E", "1", "8"])
def test_other_letters_are_no_marker(letter):
    assert find_side_marker(radiograph(letter)) is None


@pytest.mark.parametrize("text", ["MUELLER", "R L", "ROLLER, RALF"])
def test_letters_of_a_line_of_text_are_no_marker(text):
    assert find_side_marker(radiograph("", text=text)) is None


def test_two_different_markers_say_nothing():
    two = np.maximum(radiograph("R"), radiograph("L", x=420))  # right and left, each on its side
    assert find_side_marker(two) is None


def test_a_mirrored_letter_is_read_and_is_no_fault(shared_data):
    """A posteroanterior radiograph of Open-i whose lead letter L is seen from behind, at the right."""
    file = next((shared_data / "hello-world-openi").rglob("chst39.png"))
    found = find_side_marker(np.asarray(Image.open(file).convert("L"), float))
    assert (found.letter, found.x_share > 0.5, found.is_mirrored) == ("L", True, True)
    assert contradiction(found, orientation=("L", "F"), laterality="") == ""


def test_no_marker_of_77_real_radiographs_is_on_the_wrong_side(shared_data):
    """Open-i's radiographs lie with the patient's right at the left."""
    found = [
        find_side_marker(np.asarray(Image.open(file).convert("L"), float))
        for file in sorted((shared_data / "hello-world-openi").rglob("*.png"))
    ]
    assert not [one for one in found if one and contradiction(one, orientation=("L", "F"), laterality="")]


@pytest.mark.parametrize(
    ("letter", "x", "orientation", "laterality", "wrong"),
    [
        ("R", 40, ("L", "F"), "", False),
        ("L", 40, ("L", "F"), "", True),
        ("L", 430, ("L", "F"), "", False),
        ("R", 430, ("L", "F"), "", True),
        ("R", 40, ("R", "F"), "", True),
        ("L", 40, ("", ""), "", False),
        ("L", 40, ("A", "F"), "", False),
        ("L", 40, ("", ""), "R", True),
        ("L", 40, ("", ""), "L", False),
    ],
)
def test_a_marker_against_the_header(letter, x, orientation, laterality, wrong):
    found = find_side_marker(radiograph(letter, x=x))
    assert bool(contradiction(found, orientation=orientation, laterality=laterality)) is wrong


@pytest.mark.parametrize("image", [np.zeros((64, 64)), np.full((64, 64), 7.0), np.eye(64) * 100])
def test_pictures_without_anything_bright(image):
    assert find_side_marker(image) is None
