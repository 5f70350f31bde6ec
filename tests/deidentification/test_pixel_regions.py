"""Ultrasound regions: all outside of them is blank; what makes no sense is not believed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.deidentification.pixel_regions import boxes_outside, ultrasound_regions
from firstread.deidentification.text_detector import Box

from .drawn_images import bars, colour_image
from .identified_files import item, sequence


def image_with(*regions):
    image = colour_image(bars())
    image.SequenceOfUltrasoundRegions = sequence(
        *(
            item(RegionLocationMinX0=x0, RegionLocationMinY0=y0, RegionLocationMaxX1=x1 - 1, RegionLocationMaxY1=y1 - 1)
            for y0, x0, y1, x1 in regions
        )
    )
    return image


@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.integers(0, 60), st.integers(1, 41), st.integers(1, 61)).map(
            lambda edges: Box(edges[0], edges[1], edges[0] + edges[2], edges[1] + edges[3])
        ),
        min_size=1,
        max_size=4,
    )
)
def test_boxes_cover_each_pixel_outside_once_and_none_inside(regions):
    rows, columns = 82, 122
    covered, inside = np.zeros((rows, columns), int), np.zeros((rows, columns), bool)
    for box in boxes_outside(tuple(regions), rows, columns):
        covered[box.y0 : box.y1, box.x0 : box.x1] += 1
    for box in regions:
        inside[box.y0 : box.y1, box.x0 : box.x1] = True
    assert (covered == ~inside).all()


def test_regions_of_two_images_on_one_screen():
    assert len(ultrasound_regions(image_with((10, 5, 90, 60), (10, 64, 90, 120)))) == 2


@pytest.mark.parametrize("region", [(10, 5, 97, 60), (10, 5, 90, 129), (50, 5, 50, 60)])
def test_a_region_outside_of_the_image_or_without_area_is_not_believed(region):
    """Then nothing is known of the machine's frame, and the class is one without regions."""
    assert ultrasound_regions(image_with((10, 5, 90, 60), region)) == ()


def test_a_region_without_edges_is_not_believed():
    image = colour_image(bars())
    image.SequenceOfUltrasoundRegions = sequence(item(RegionLocationMinX0=1))
    assert ultrasound_regions(image) == ()
