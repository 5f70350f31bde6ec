"""The large libraries of a lesson, loaded before the training asks for them: it takes seconds, which a learner who reads the first cells does not notice.

Never in a thread: other libraries look whether PyTorch is there, and take a half loaded one for a whole one.
"""

import asyncio
import atexit
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module

#: in the order in which a lesson needs them
NEEDED = ("pandas", "torch", "torchvision", "timm", "accelerate", "firstread.learning.training")
#: a learner who runs one cell after the other is let through in between
PAUSE_SECONDS = 1.0
_tried: set[str] = set()


def load_between_cells() -> None:
    """Load what is missing, one after the other, whenever the notebook has nothing to do. Where there is no notebook, nothing happens."""
    with suppress(RuntimeError):
        if _missing():
            asyncio.get_running_loop().call_later(PAUSE_SECONDS, _load_one)


def load_all() -> None:
    """Load what is missing, now."""
    while missing := _missing():
        _load(missing)


def _missing() -> list[str]:
    return [name for name in NEEDED if name not in sys.modules and name not in _tried]


def _load_one() -> None:
    if missing := _missing():
        _load(missing)
        load_between_cells()


def _load(missing: list[str]) -> None:
    name, *others = missing
    _tried.add(name)
    with _seldom_collecting(last=not others), suppress(Exception):  # the cell that needs it tells the learner
        import_module(name)


@contextmanager
def _seldom_collecting(*, last: bool) -> Iterator[None]:
    """Thousands of modules make a million objects that stay: looking through all of them for garbage takes a fifth of the time, and again after each training."""
    usual = gc.get_threshold()
    gc.set_threshold(20_000, 5, 1_000_000)  # young objects only
    try:
        yield
        if last:
            gc.collect()
            gc.freeze()
            atexit.register(gc.unfreeze)  # else libraries complain at the end of what was not collected
    finally:
        gc.set_threshold(*usual)


def main() -> None:
    """The Python of `firstread run`: a notebook's usual one that has loaded everything before the first cell."""
    load_all()
    from ipykernel import kernelapp

    kernelapp.launch_new_instance()
