"""Freed memory goes back, and asking for it never fails."""

import gc

from firstread.core.memory import release_memory


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
