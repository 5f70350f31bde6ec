"""What packages registered: tasks, networks, readers, metrics and trivial rules, by entry point."""

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from firstread.core.errors import MissingDependencyError, suggest


def find_registered(group: str, name: str) -> Any:
    """What a package registered under the entry point group `firstread.<group>` and a name.

    Raises:
        MissingDependencyError: nothing is registered under this name.
    """
    points = registered(group)
    if name not in points:
        raise MissingDependencyError(
            f'Nothing in "firstread.{group}" is called "{name}".{suggest(name, tuple(points))}',
            do="install the package that provides it, or install firstread again",
        )
    return points[name].load()


@cache
def registered(group: str) -> dict[str, EntryPoint]:
    """Entry points of the group `firstread.<group>` by name."""
    return {point.name: point for point in entry_points(group=f"firstread.{group}")}
