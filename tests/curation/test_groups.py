"""Sets of linked images."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from firstread.curation.groups import DisjointSets

LINKS = st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=30)


def labels(links, count=20):
    sets = DisjointSets(count)
    for first, second in links:
        sets.join(first, second)
    return sets.labels()


@given(LINKS, st.randoms())
def test_neither_the_order_nor_the_direction_of_links_matters(links, random):
    turned = [(b, a) for a, b in links]
    random.shuffle(turned)
    assert np.array_equal(labels(links), labels(turned))


@given(LINKS)
def test_linked_members_share_a_set_and_groups_list_them(links):
    found = labels(links)
    assert all(found[a] == found[b] for a, b in links)
    sets = DisjointSets(20)
    for first, second in links:
        sets.join(first, second)
    for group in sets.groups():
        assert len(group) > 1
        assert len(set(found[group])) == 1


def test_without_links_everybody_is_alone():
    assert labels([], 4).tolist() == [0, 1, 2, 3]
    assert DisjointSets(4).groups() == []
