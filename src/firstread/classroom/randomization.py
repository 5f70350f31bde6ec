"""Randomisation: who gets which group of an experiment, balanced while the class fills.

Permuted blocks (Schulz and Grimes 2002, Lancet 359:515, doi 10.1016/S0140-6736(02)07683-3): within each block every combination of groups
comes equally often, in random order; the size of a block is itself random, so that nobody can foresee the last of one.
"""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np

#: how often every combination comes within a block
REPEATS = (1, 2)


def combinations(experiments: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """Every combination of groups: {"augmentation": ["on", "off"], ...} -> [{"augmentation": "on", ...}, ...]."""
    names = list(experiments)
    return [dict(zip(names, groups, strict=True)) for groups in product(*(experiments[name] for name in names))]


def assign(number: int, experiments: Mapping[str, Sequence[str]], *, seed: int) -> dict[str, str]:
    """The groups of the participant who joined as `number` (0, 1, 2, ...).

    The same seed and number always give the same groups, so nothing is lost if the service stops between two people.

    Args:
        number: how many joined before.
        experiments: name -> groups; with none, nobody is assigned anything.
        seed: of the class.
    """
    if not experiments:
        return {}
    choices = combinations(experiments)
    rng, before = np.random.default_rng(seed), 0
    while True:
        block = np.repeat(np.arange(len(choices)), rng.choice(REPEATS))
        rng.shuffle(block)
        if number < before + len(block):
            return choices[int(block[number - before])]
        before += len(block)
