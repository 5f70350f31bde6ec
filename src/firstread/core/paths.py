"""Where firstread keeps its things. Every path can be moved with one environment variable, FIRSTREAD_HOME."""

import os
from pathlib import Path


def home() -> Path:
    """The folder that holds data, cached phantoms and runs. `FIRSTREAD_HOME` moves it."""
    chosen = os.environ.get("FIRSTREAD_HOME")
    if chosen:
        return Path(chosen).expanduser()
    from platformdirs import user_data_path

    return user_data_path("firstread", appauthor=False)


def data_folder() -> Path:
    """Named data sets, downloaded or simulated, one folder each."""
    return home() / "data"


def runs_folder() -> Path:
    """Training runs and lesson reports, one folder each."""
    return home() / "runs"


def version() -> str:
    """The version of firstread, written into every step so that it can be done again."""
    from firstread import __version__

    return __version__
