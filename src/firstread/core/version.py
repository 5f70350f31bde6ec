"""Version of the installed firstread package."""


def package_version() -> str:
    """The version of firstread, recorded in each processing step for reproducibility."""
    from firstread import __version__

    return __version__
