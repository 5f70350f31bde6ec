"""Preloading of libraries between the first cells."""

import asyncio
import subprocess
import sys

import pytest

from firstread.lessons import preload
from firstread.lessons.preload import preload_all, preload_when_idle

SCRIPT = """
import asyncio, gc, sys
from firstread.lessons import preload
preload.IDLE_SECONDS = 0
usual = gc.get_threshold()
preload.preload_when_idle()  # no notebook, no loading
assert "torch" not in sys.modules

async def notebook():
    preload.preload_when_idle()
    while preload._missing_modules():
        assert gc.get_threshold() == usual and gc.isenabled()  # a cell
        await asyncio.sleep(0.01)

asyncio.run(notebook())
assert not [name for name in preload.MODULES if name not in sys.modules]
assert gc.get_threshold() == usual
assert "accelerate" not in sys.modules  # nothing here uses it
"""


@pytest.fixture
def needed(monkeypatch):
    """Other libraries than the large ones."""

    def set_to(*names):
        monkeypatch.setattr(preload, "MODULES", names)
        monkeypatch.setattr(preload, "_attempted", set())
        monkeypatch.setattr(preload.gc, "freeze", lambda: None)

    return set_to


def test_all_is_loaded_between_the_first_cells():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_nothing_waits_where_all_is_there(needed):
    needed("json")

    async def notebook():
        preload_when_idle()
        return [one for one in asyncio.get_running_loop()._scheduled if not one.cancelled()]

    assert asyncio.run(notebook()) == []


def test_a_library_that_is_missing_is_left_to_the_cell_that_needs_it(needed):
    needed("a_library_that_is_missing", "json")
    preload_all()
    with pytest.raises(ModuleNotFoundError, match="a_library_that_is_missing"):
        __import__("a_library_that_is_missing")
