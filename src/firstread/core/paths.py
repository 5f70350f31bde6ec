"""Folders of firstread's data and training runs. The environment variable FIRSTREAD_HOME moves them all."""

import os
from pathlib import Path

from firstread.core.errors import StorageError


def home_folder() -> Path:
    """The folder that holds data, cached phantoms and runs. `FIRSTREAD_HOME` moves it.

    Raises:
        StorageError: a file stands where the folder, or one above it, should be.
    """
    folder = _home_folder()
    if not folder.is_dir():
        in_the_way = next((path for path in (folder, *folder.parents) if path.exists()), folder)
        if in_the_way.exists() and not in_the_way.is_dir():
            raise StorageError(
                "firstread keeps its data in a folder, and a file stands there",
                where=in_the_way,
                do="move that file away, or point FIRSTREAD_HOME at a folder",
            )
    return folder


def is_own_place(path: Path) -> bool:
    """Whether a path lies in firstread's own folder, whatever stands there."""
    return path.absolute().is_relative_to(_home_folder().absolute())


def _home_folder() -> Path:
    configured = os.environ.get("FIRSTREAD_HOME")
    if configured:
        return Path(configured).expanduser()
    from platformdirs import user_data_path

    return user_data_path("firstread", appauthor=False)


def data_folder() -> Path:
    """Named data sets, downloaded or simulated, one folder each."""
    return home_folder() / "data"


def runs_folder() -> Path:
    """Training runs and lesson reports, one folder each."""
    return home_folder() / "runs"
