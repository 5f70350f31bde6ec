"""Version of the installed firstread package."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def package_version() -> str:
    """The version of firstread, recorded in each processing step for reproducibility."""
    try:
        return version("firstread")
    except PackageNotFoundError:  # a source tree that was never installed
        return "0+source"
