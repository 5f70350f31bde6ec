"""What pip is told to install where a lesson's notebook is opened without firstread, as in Colab and Kaggle."""

import tomllib
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from firstread.core.errors import DataError

#: as a lesson's text names it; the notebook says where it comes from
NAMED_IN_LESSONS = "firstread[all]"
#: no account can have this name: it stands in pyproject.toml until firstread has a public address
PLACEHOLDER_OWNER = "-owner-"
_PYPROJECT = Path(__file__).resolve().parents[3] / "pyproject.toml"


def repository_url() -> str:
    """Address of firstread's repository: `[project.urls]` of the source tree, or of the installed package.

    Example:
        >>> repository_url().startswith("https://")
        True
    """
    if _PYPROJECT.exists():
        return tomllib.loads(_PYPROJECT.read_text(encoding="utf-8"))["project"]["urls"]["Repository"]
    try:
        stated = metadata("firstread").get_all("Project-URL") or []
    except PackageNotFoundError:
        stated = []
    urls = dict(line.split(", ", maxsplit=1) for line in stated)
    if "Repository" not in urls:
        raise DataError("The address of firstread's repository is missing", do="install firstread again")
    return urls["Repository"]


def pip_requirement(extra: str = "learn") -> str:
    """Requirement by which pip installs firstread from its repository (PEP 508).

    Args:
        extra: "learn" or "project" for a notebook on a server of somebody else's, as in Colab, whose own notebook server
            must not be replaced while it runs; "all" for a computer of one's own.

    Example:
        >>> pip_requirement("all").split(" @ ")[0]
        'firstread[all]'
    """
    return f"firstread[{extra}] @ git+{repository_url()}"
