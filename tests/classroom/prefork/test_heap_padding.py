"""Heap padding: new objects are allocated side by side, so that a forked process copies few pages."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="nothing is forked elsewhere")

FRAGMENTED = """
import ctypes, sys
from firstread.classroom.prefork.heap_padding import pad_heap

library = ctypes.CDLL(None)
library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
library.free.argtypes = [ctypes.c_void_p]
kept = [bytes(70) for _ in range(400_000)]
del kept[::20]
places = [library.malloc(700) for _ in range(40_000)]
for number, place in enumerate(places):
    if number % 20 == 0:
        library.free(place)
if sys.argv[1] == "filled":
    pad_heap()
new = [bytes(70) for _ in range(5_000)]
of_python = len({id(one) >> 12 for one in new})
of_library = len({library.malloc(700) >> 12 for _ in range(1_000)})
print(of_python, of_library)
"""


def pages(how):
    done = subprocess.run([sys.executable, "-c", FRAGMENTED, how], capture_output=True, text=True, check=True)
    return [int(number) for number in done.stdout.split()]


def test_new_things_lie_side_by_side():
    of_python, of_library = pages("filled")
    assert of_python <= 5_000 * 112 / 4096 * 1.3
    assert of_library <= 1_000 * 720 / 4096 * 1.3


def test_without_it_they_are_all_over_the_place():
    of_python, of_library = pages("left")
    assert of_python > 5_000 * 112 / 4096 * 3
    assert of_library > 1_000 * 720 / 4096 * 3
