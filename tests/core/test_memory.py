"""Freed memory is returned to the system, or retained within the block."""

import gc
import os
import platform
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from firstread.core.memory import release_memory, retain_freed_memory


def test_circles_are_collected():
    class Circle:
        alive = 0

        def __init__(self):
            self.me = self
            Circle.alive += 1

        def __del__(self):
            Circle.alive -= 1

    gc.disable()
    try:
        Circle()
        assert Circle.alive == 1
        release_memory()
        assert Circle.alive == 0
    finally:
        gc.enable()


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only GNU's C library is told what to keep")
@pytest.mark.parametrize("fails", [False, True])
def test_freed_memory_stays_at_hand_and_goes_back_afterwards(fails):
    release_memory()
    before = resident_mb()
    with suppress(ZeroDivisionError), retain_freed_memory():
        large = np.ones(25 * 2**20)  # 200 MB
        del large
        assert resident_mb() > before + 150
        assert 1 / (not fails)
    release_memory()
    assert resident_mb() < before + 50
    large = np.ones(25 * 2**20)
    del large
    assert resident_mb() < before + 50
