"""The index finds the nearest vectors without comparing all with all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.curation.neighbor_index import NeighborIndex


def unit_vectors(count, dimensions=16, seed=0):
    values = np.random.default_rng(seed).normal(size=(count, dimensions)).astype(np.float32)
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def test_near_copies_are_found_among_thousands():
    vectors = unit_vectors(5000)
    near = vectors[:200] + 0.05 * unit_vectors(200, seed=1)
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    indices, cosines = NeighborIndex(vectors).search(near, count=1)
    assert (indices[:, 0] == np.arange(200)).mean() > 0.98
    assert cosines[:, 0].min() > 0.9


def test_the_negative_of_a_vector_is_found_with_a_negative_cosine():
    vectors = unit_vectors(1000)
    indices, cosines = NeighborIndex(vectors).search(-vectors[:5], count=1)
    assert indices[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert np.allclose(cosines, -1, atol=1e-4)


def test_vectors_that_are_all_alike_have_a_bounded_number_of_neighbours():
    vectors = np.repeat(unit_vectors(1), 20_000, axis=0)
    indices, cosines = NeighborIndex(vectors).search(vectors[:50], count=8)
    assert indices.shape == (50, 8)
    assert (indices >= 0).all()
    assert np.allclose(cosines, 1, atol=1e-4)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_vectors(count):
    vectors = unit_vectors(count)
    indices, _ = NeighborIndex(vectors).search(unit_vectors(3, seed=1), count=4)
    assert indices.shape == (3, 4)
    assert ((indices >= 0).sum(axis=1) == count).all()


@given(st.integers(2, 60), st.integers(0, 1000))
def test_a_small_index_is_exact_and_symmetric(count, seed):
    vectors = unit_vectors(count, 8, seed)
    indices, cosines = NeighborIndex(vectors).search(vectors, count=count)
    exact = vectors @ vectors.T
    for row in range(count):
        assert sorted(indices[row]) == list(range(count))
        assert np.allclose(exact[row, indices[row]], cosines[row], atol=1e-5)


def test_vectors_of_no_length_are_nobodys_neighbour():
    vectors = unit_vectors(10)
    vectors[3] = 0
    indices, _ = NeighborIndex(vectors).search(vectors, count=10)
    assert 3 not in indices
