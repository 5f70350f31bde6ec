"""Files below a folder: images, files of operating systems, and others, without following a link twice."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from natsort import natsorted, ns

from firstread.core.columns import parse_split_name
from firstread.core.errors import DataError
from firstread.datasets.archives import is_stray_file
from firstread.datasets.frames import is_image_file

#: more files than this mean that the path is wrong: the root of a disk, or a home folder
MAX_FILES = 1_000_000


@dataclass
class FolderContents:
    """What lies below a folder, in natural order.

    Attributes:
        images: files that are images, by name or first bytes.
        folders: all folders that are not hidden.
        stray_files: names of files of operating systems.
        other_files: names of all other files.
        repeated: pairs of folders that are one, by a link.
    """

    images: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    stray_files: list[str] = field(default_factory=list)
    other_files: list[str] = field(default_factory=list)
    repeated: list[tuple[Path, Path]] = field(default_factory=list)


def list_image_files(folder: Path) -> list[Path]:
    """Images below a folder, in natural order."""
    return list_files(folder).images


def list_files(base: Path) -> FolderContents:
    """List everything below a folder.

    Raises:
        DataError: more files than a data set has.
    """
    listing = FolderContents()
    visited: dict[str, Path] = {}
    count = 0
    for current, folders, names in os.walk(base, followlinks=True):
        real_path, folder = os.path.realpath(current), Path(current)
        if real_path in visited:  # by a symbolic link
            folders.clear()
            if not folder.is_relative_to(visited[real_path]):  # else the link leads to a folder above
                listing.repeated.append((visited[real_path], folder))
            continue
        visited[real_path] = folder
        for name in natsorted(names, alg=ns.IGNORECASE):
            count += 1
            if count > MAX_FILES:
                raise DataError(
                    f"The folder holds more than {MAX_FILES:,} files",
                    where=base,
                    do="choose the folder of the images",
                )
            _classify_file(folder / name, base, listing)
        hidden = [name for name in folders if name.startswith(".") or name == "__MACOSX"]
        listing.stray_files += [(folder / name).relative_to(base).as_posix() + "/" for name in hidden]
        folders[:] = natsorted((name for name in folders if name not in hidden), alg=ns.IGNORECASE)
        listing.folders += [folder / name for name in folders]
    return listing


def _classify_file(path: Path, base: Path, listing: FolderContents) -> None:
    relative = path.relative_to(base).as_posix()
    if is_stray_file(relative) or path.name.startswith("."):
        listing.stray_files.append(relative)
    elif path.name.upper() != "DICOMDIR" and path.is_file() and is_image_file(path):
        listing.images.append(path)
    else:
        listing.other_files.append(relative)


def find_data_root(folder: Path) -> Path:
    """Descend while a folder holds nothing but one folder of folders, as after unpacking an archive."""
    for _ in range(4):
        children = [path for path in folder.iterdir() if not is_stray_file(path.name) and not path.name.startswith(".")]
        if len(children) != 1 or not children[0].is_dir() or parse_split_name(children[0].name):
            return folder
        if not any(path.is_dir() for path in children[0].iterdir()):
            return folder
        folder = children[0]
    return folder
