"""Import a lesson's large libraries while the notebook is idle, before the first training needs them.

Never in a thread: other libraries test whether PyTorch is imported, and would use a partially initialized module.
"""

import asyncio
import atexit
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module

#: in the order in which a lesson needs them
MODULES = ("pandas", "torch", "torchvision", "timm", "firstread.learning.training")
#: between two imports, so that cells which are queued run first
IDLE_SECONDS = 1.0
_attempted: set[str] = set()


def preload_when_idle() -> None:
    """Schedule the missing imports on the running event loop, one at a time. Does nothing outside a notebook."""
    with suppress(RuntimeError):
        if _missing_modules():
            asyncio.get_running_loop().call_later(IDLE_SECONDS, _import_next)


def preload_all() -> None:
    """Import the missing modules now."""
    while missing := _missing_modules():
        _import_first(missing)


def _missing_modules() -> list[str]:
    return [name for name in MODULES if name not in sys.modules and name not in _attempted]


def _import_next() -> None:
    if missing := _missing_modules():
        _import_first(missing)
        preload_when_idle()


def _import_first(missing: list[str]) -> None:
    name, *others = missing
    _attempted.add(name)
    with _infrequent_gc(last=not others), suppress(Exception):  # the cell that imports it raises the error again
        import_module(name)


@contextmanager
def _infrequent_gc(*, last: bool) -> Iterator[None]:
    """Collect young objects only during an import; after the `last`, collect fully and freeze what remains.

    Thousands of modules create a million permanent objects: full collections would take a fifth of the time, here and
    after each training.
    """
    thresholds = gc.get_threshold()
    gc.set_threshold(20_000, 5, 1_000_000)  # young objects only
    try:
        yield
        if last:
            gc.collect()
            gc.freeze()
            atexit.register(gc.unfreeze)  # else libraries warn at exit about objects that were not collected
    finally:
        gc.set_threshold(*thresholds)


def main() -> None:
    """Kernel entry point of `firstread run`: ipykernel with all modules imported before the first cell."""
    preload_all()
    from ipykernel import kernelapp

    kernelapp.launch_new_instance()
