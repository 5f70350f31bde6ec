"""Folders of firstread's data and training runs. The environment variable FIRSTREAD_HOME moves them all."""

import os
from pathlib import Path


def home_folder() -> Path:
    """The folder that holds data, cached phantoms and runs. `FIRSTREAD_HOME` moves it."""
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
