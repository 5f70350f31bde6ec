"""Side markers lie on their own side of the patient, whole, and within the field that was exposed."""

import numpy as np
import pytest

from firstread.phantoms.markers import ExposedField, add_markers, collimate

SIZE = 128


def draw(seed, *, field=None, letters=("L", "R")):
    field = field or ExposedField(0, SIZE, 0, SIZE)
    return add_markers(np.zeros((SIZE, SIZE)), np.random.default_rng(seed), field, letters=letters)


def test_every_letter_lies_on_its_own_side():
    seen = {"L": 0, "R": 0}
    for seed in range(500):
        image, marks = draw(seed)
        if marks not in (("L",), ("R",)):  # text and leads beside it would move the centroid
            continue
        columns = np.nonzero(image)[1]
        on_left = columns.mean() < SIZE / 2
        assert on_left == (marks == ("R",)), seed  # image left is the patient's right
        assert (columns < SIZE / 2).all() if on_left else (columns >= SIZE / 2).all()
        seen[marks[0]] += 1
    assert min(seen.values()) > 50


def test_only_the_side_that_is_shown_is_named():
    for letters in (("L",), ("R",)):
        marks = {mark for seed in range(60) for mark in draw(seed, letters=letters)[1]}
        assert marks & {"L", "R"} == set(letters)


def test_nothing_is_cut_off_by_the_edge_or_the_collimation():
    field = ExposedField(top=11, bottom=SIZE - 20, left=25, right=SIZE - 9)
    for seed in range(300):
        image, marks = draw(seed, field=field)
        if not marks or "leads" in marks:
            continue
        rows, columns = np.nonzero(image > 0.05)
        assert field.top <= rows.min()
        assert rows.max() < field.bottom
        assert field.left <= columns.min()
        assert columns.max() < field.right


def test_markers_are_as_frequent_as_stated():
    marks = [draw(seed)[1] for seed in range(600)]
    assert np.mean([bool({"L", "R"} & set(found)) for found in marks]) == pytest.approx(0.6, abs=0.07)
    assert np.mean(["text" in found for found in marks]) == pytest.approx(0.25, abs=0.06)


def test_collimation_darkens_what_was_not_exposed_and_nothing_else():
    image = np.full((SIZE, SIZE), 0.7)
    fields = []
    for seed in range(100):
        result, field = collimate(image, np.random.default_rng(seed))
        inside = result[field.top : field.bottom, field.left : field.right]
        assert (inside == 0.7).all()
        assert (result == 0.7).sum() == inside.size
        assert result.min() == 0.7 or result.min() <= 0.06
        fields.append(field)
    assert 20 < sum(field.rows * field.columns < SIZE**2 for field in fields) < 80
