"""Files that a table names: by path, without extension, or by name alone, as published tables do."""

import os
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path, PurePosixPath

from firstread.datasets.frames import without_extension

#: files beside a table of which the names are kept; a larger tree is searched by path only
_MAX_FILES = 1_000_000
#: files of one name that are compared; a name that more files have says nothing without its folders
_MAX_CANDIDATES = 100


class ImageFinder:
    """Finds the files that a table names, relative to its folder.

    A name is looked up as a path, then among all files below the folder: by its last parts, with any extension of an
    image. Two files that fit equally well are no match.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, name: str) -> Path | None:
        """The file of a name, or None."""
        parts = [part for part in PurePosixPath(name.replace("\\", "/").strip()).parts if part != "."]
        if not parts:
            return None
        for start in range(len(parts)):  # a table may name folders above the one that it lies in
            path = self._folder.joinpath(*parts[start:])
            if path.is_file():
                return path
        folded = tuple(part.casefold() for part in parts)
        stem = without_extension(folded[-1])
        return self._best(folded, self._by_name.get(folded[-1], [])) or self._best(folded, self._by_stem.get(stem, []))

    def finds_any(self, names: Iterable[str]) -> bool:
        """Whether one of the first names is that of a file."""
        return any(self.find(name) for name in list(names)[:20])

    def _best(self, wanted: tuple[str, ...], candidates: list[Path]) -> Path | None:
        """The one candidate with the most folders in common with the name; None where several have."""
        if len(candidates) > _MAX_CANDIDATES:
            return None
        scores = [_common_folders(wanted, path.relative_to(self._folder)) for path in candidates]
        best = max(scores, default=0)
        fitting = [path for path, score in zip(candidates, scores, strict=True) if score == best]
        return fitting[0] if len(fitting) == 1 else None

    @cached_property
    def _files(self) -> list[Path]:
        files: list[Path] = []
        for current, folders, names in os.walk(self._folder):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            files += [Path(current) / name for name in sorted(names) if not name.startswith(".")]
            if len(files) > _MAX_FILES:
                return []
        return files

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        return _grouped(self._files, by_stem=False)

    @cached_property
    def _by_stem(self) -> dict[str, list[Path]]:
        return _grouped([path for path in self._files if without_extension(path.name) != path.name], by_stem=True)


def _grouped(files: list[Path], *, by_stem: bool) -> dict[str, list[Path]]:
    groups: dict[str, list[Path]] = {}
    for path in files:
        name = path.name.casefold()
        groups.setdefault(without_extension(name) if by_stem else name, []).append(path)
    return groups


def _common_folders(wanted: tuple[str, ...], path: Path) -> int:
    """Number of folders, from the file upwards, that a path has in common with a name."""
    folders = [part.casefold() for part in path.parts[:-1]][::-1]
    pairs = zip(wanted[:-1][::-1], folders, strict=False)
    return next((count for count, (one, other) in enumerate(pairs) if one != other), min(len(wanted) - 1, len(folders)))
