"""Disjoint sets (union-find): groups of images that are linked to one another."""

import numpy as np


class DisjointSets:
    """Sets of the numbers 0 to N - 1, each alone at first."""

    def __init__(self, count: int) -> None:
        self._parents = list(range(count))
        self._sizes = [1] * count

    def find(self, member: int) -> int:
        """The number that stands for the set of a member."""
        parents = self._parents
        while parents[member] != member:
            parents[member] = parents[parents[member]]
            member = parents[member]
        return member

    def join(self, first: int, second: int) -> int:
        """Join the sets of two members; returns the number that stands for the joined set."""
        first, second = self.find(first), self.find(second)
        if first == second:
            return first
        if self._sizes[first] < self._sizes[second]:
            first, second = second, first
        self._parents[second] = first
        self._sizes[first] += self._sizes[second]
        return first

    def labels(self) -> np.ndarray:
        """(N,) number of the set of each member, counted from 0 in the order of the first members.

        Example:
            >>> sets = DisjointSets(4)
            >>> _ = sets.join(1, 3)
            >>> sets.labels().tolist()
            [0, 1, 2, 1]
        """
        numbers: dict[int, int] = {}
        return np.array([numbers.setdefault(self.find(i), len(numbers)) for i in range(len(self._parents))], np.int64)

    def groups(self) -> list[list[int]]:
        """Members of each set of at least two, largest first, then by first member."""
        found: dict[int, list[int]] = {}
        for member in range(len(self._parents)):
            found.setdefault(self.find(member), []).append(member)
        return sorted((group for group in found.values() if len(group) > 1), key=lambda g: (-len(g), g[0]))
