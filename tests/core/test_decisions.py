"""decide: one rule for all, a score of exactly the threshold is positive."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from firstread.core.decisions import decide


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.floats(0, 1))
def test_two_classes_are_decided_at_the_threshold(scores, threshold):
    positive = np.array(scores)
    found = decide(np.stack([1 - positive, positive], axis=1), threshold=threshold)
    assert (found == (positive >= threshold)).all()


def test_more_classes_take_the_highest_and_the_first_of_equals():
    assert decide(np.array([[0.2, 0.5, 0.3], [0.4, 0.2, 0.4]])).tolist() == [1, 0]
    assert decide(np.zeros((0, 3))).shape == (0,)
