"""What a reader promises, as functions that raise AssertionError."""

import inspect
from pathlib import Path

import numpy as np
import pytest

from firstread.core.errors import DataError
from firstread.core.geometry import same_grid
from firstread.core.images import Reader, find_reader, is_readable, read_image, read_info, read_volume, sniff_format
from firstread.core.square_pixels import read_pixel_aspect

#: shares of a file that are left of it
CUTS = (0.02, 0.3, 0.6, 0.9)


def check_reader(kind: str, reader: Reader, path: Path) -> None:
    """The whole contract of a reader, on one file of its format."""
    check_functions(reader)
    check_recognition(reader, path)
    check_agreement(kind, path)
    check_frames_that_are_not_there(path)
    check_broken_files(path)


def check_functions(reader: Reader) -> None:
    """The three functions have the protocol's arguments."""
    for name in ("read_image", "read_info", "read_volume"):
        ours = inspect.signature(getattr(Reader, name)).parameters
        assert list(inspect.signature(getattr(reader, name)).parameters) == [one for one in ours if one != "self"]


def check_recognition(reader: Reader, path: Path) -> None:
    """`recognizes`, where a reader has it, claims its own files and no others, and raises nothing."""
    if not hasattr(reader, "recognizes"):
        return
    head = path.read_bytes()[:352]
    assert reader.recognizes(head, path)
    assert reader.recognizes(head, path.with_name("a name without an extension"))
    others = [b"", b"\0" * 352, b"\xff" * 352, b"hello, I am a text", bytes(range(256))]
    assert not any(reader.recognizes(other, path.with_name("other")) for other in others)


def check_agreement(kind: str, path: Path) -> None:
    """The file is told by its bytes, and header, pictures and volume agree."""
    content = path.read_bytes()
    assert sniff_format(path) == kind
    assert is_readable(path)
    info = read_info(str(path))
    assert info.format == kind
    for frame in range(info.frames):
        picture = read_image(path, frame=frame)
        assert picture.dtype == np.uint8
        assert picture.shape in ((info.rows, info.columns), (info.rows, info.columns, 3))
    volume = read_volume(path)
    assert volume.values.shape[:3] == volume.geometry.size_zyx
    assert volume.unit == info.unit
    assert volume.values.size >= info.frames * info.rows * info.columns
    if info.geometry is not None:
        same_grid(info.geometry, volume.geometry)
    last = read_volume(path, frame=info.frames - 1)
    assert last.values.shape[:3] == (1, info.rows, info.columns)
    assert last.unit == volume.unit
    assert read_pixel_aspect(path, frame=info.frames - 1) > 0
    assert path.read_bytes() == content


def check_frames_that_are_not_there(path: Path) -> None:
    """A frame that the file does not have is refused in a sentence."""
    for frame in (99, -1):
        for read in (read_image, read_volume):
            with pytest.raises(DataError, match=rf"(There is no|frame|slice).*{path.name}"):
                read(path, frame=frame)


def check_broken_files(path: Path) -> None:
    """A cut or an empty file is refused by each function, by the file's name."""
    content = path.read_bytes()
    reader = find_reader(path)
    parts = [content[: int(share * len(content))] for share in CUTS]
    for number, part in enumerate([b"", b"\0" * len(content), *parts]):
        broken = path.with_name(f"broken{number}{''.join(path.suffixes)}")
        broken.write_bytes(part)
        for read in (read_image, read_info, read_volume, reader.read_image, reader.read_info):
            with pytest.raises(DataError, match=broken.name):
                read(broken)
        with pytest.raises(DataError, match=broken.name):
            reader.read_volume([broken])
