"""Randomization of participants to the arms of experiments, by permuted blocks.

Source: Schulz and Grimes 2002, Lancet 359:515, doi 10.1016/S0140-6736(02)07683-3. Each block has every combination of
arms equally often, in random order. The block size is random, too, so that the last assignment of a block cannot be
predicted.
"""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np

#: number of times that each combination is in a block, drawn for each block
BLOCK_REPEATS = (1, 2)


def arm_combinations(experiments: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """All combinations of arms: {"augmentation": ["on", "off"], ...} -> [{"augmentation": "on", ...}, ...]."""
    names = list(experiments)
    return [dict(zip(names, arms, strict=True)) for arms in product(*(experiments[name] for name in names))]


def assign_arms(number: int, experiments: Mapping[str, Sequence[str]], *, seed: int) -> dict[str, str]:
    """Arms of the participant who joined as `number` (0, 1, 2, ...).

    Deterministic for a seed and number, so no state is lost when the service restarts.

    Args:
        number: of participants who joined before.
        experiments: name -> arms; empty for no assignment.
        seed: of the class.
    """
    if not experiments:
        return {}
    combinations = arm_combinations(experiments)
    rng, block_start = np.random.default_rng(seed), 0
    while True:
        block = np.repeat(np.arange(len(combinations)), rng.choice(BLOCK_REPEATS))
        rng.shuffle(block)
        if number < block_start + len(block):
            return combinations[int(block[number - block_start])]
        block_start += len(block)
