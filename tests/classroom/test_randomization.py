"""Randomization: balanced at every moment, unpredictable, the same after a restart."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.classroom.randomization import arm_combinations, assign_arms

FACTORIAL = {"augmentation": ["on", "off"], "dropout": ["on", "off"]}


@given(st.integers(0, 2**32), st.integers(1, 60))
def test_groups_are_balanced_whenever_the_class_stops_filling(seed, people):
    drawn = [assign_arms(number, FACTORIAL, seed=seed) for number in range(people)]
    counts = Counter((one["augmentation"], one["dropout"]) for one in drawn)
    every = [counts[tuple(one.values())] for one in arm_combinations(FACTORIAL)]
    assert max(every) - min(every) <= 2
    for experiment, groups in FACTORIAL.items():
        single = Counter(one[experiment] for one in drawn)
        assert abs(single[groups[0]] - single[groups[1]]) <= 4


def test_every_combination_is_as_likely_for_everyone():
    for number in (0, 3, 10):
        counts = Counter(tuple(assign_arms(number, FACTORIAL, seed=seed).values()) for seed in range(2000))
        assert all(count == pytest.approx(500, abs=90) for count in counts.values())


def test_the_last_of_a_block_cannot_be_foreseen():
    lasts = Counter()
    for seed in range(400):
        seen = [tuple(assign_arms(number, FACTORIAL, seed=seed).values()) for number in range(4)]
        lasts[len(set(seen)) == 4] += 1
    assert 0 < lasts[True] < 400


def test_after_a_restart_nothing_has_changed():
    first = [assign_arms(number, FACTORIAL, seed=7) for number in range(30)]
    assert first == [assign_arms(number, FACTORIAL, seed=7) for number in range(30)]
    assert assign_arms(0, {}, seed=7) == {}
