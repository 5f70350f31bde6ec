"""Phantom files: a volume as the few numbers that it is simulated from, and a reader that simulates it anew.

A file `*.phantom` holds one JSON object of a few hundred bytes:

    {"firstread": "phantom", "version": 1, "anatomy": "abdomen", "seed": 7, "lesion_count": null, "shows": "ct",
     "phase": "portal", "size_zyx": [48, 128, 128], "spacing_mm_zyx": [4.0, 3.1, 3.1]}

A file is input like any other: its length, its keys and every value are checked before anything is simulated. `version`
is that of the phantoms: another one would give other voxels under the same name, so it is refused.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from firstread.core.errors import DataError, SettingError, suggest
from firstread.core.files import write_text
from firstread.core.geometry import Geometry
from firstread.core.images import ImageInfo
from firstread.core.volume import Volume
from firstread.core.windows import WindowLike, check_window
from firstread.phantoms.abdomen import (
    ABDOMEN_VERSION,
    MAX_VOXELS,
    AbdomenPatient,
    label_map,
    lesion_map,
    segment_map,
    simulate_ct,
)
from firstread.phantoms.contrast_phases import PHASES

#: what a phantom file can show: the scan, or masks (see `abdomen.LABELS`, Couinaud's segments, numbered lesions)
SHOWS = ("ct", "labels", "segments", "lesions")
MAX_FILE_BYTES = 4096
_SIZES, _SPACINGS_MM, _SEEDS, _LESIONS = (1, 1024), (0.3, 30.0), (0, 2**53), (0, 20)


@dataclass(frozen=True)
class PhantomScan:
    """What a phantom file states: a patient, what is shown of it, and at which voxels.

    Attributes:
        seed: of the patient.
        shows: "ct", "labels", "segments" or "lesions".
        phase: of a CT; masks are the same in all phases.
        size_zyx, spacing_mm_zyx: of the voxels, around the middle of the patient's liver.
        lesion_count: liver lesions; None: as drawn.

    Raises:
        SettingError: a value is out of range.

    Example:
        >>> PhantomScan(7, size_zyx=(6, 16, 16), spacing_mm_zyx=(30, 25, 25)).volume().unit
        'HU'
    """

    seed: int
    shows: str = "ct"
    phase: str = "portal"
    size_zyx: tuple[int, int, int] = (48, 128, 128)
    spacing_mm_zyx: tuple[float, float, float] = (4.0, 3.1, 3.1)
    lesion_count: int | None = None

    def __post_init__(self) -> None:
        for name, known in (("shows", SHOWS), ("phase", PHASES)):
            value = getattr(self, name)
            if not isinstance(value, str) or value not in known:
                raise SettingError(f'"{name}" is not one that firstread has.{suggest(str(value)[:40], known)}')
        size = _check_numbers("size_zyx", self.size_zyx, *_SIZES, kind=int)
        spacing = _check_numbers("spacing_mm_zyx", self.spacing_mm_zyx, *_SPACINGS_MM, kind=float)
        _check_numbers("seed", (self.seed,) * 3, *_SEEDS, kind=int)
        if self.lesion_count is not None:
            _check_numbers("lesion_count", (self.lesion_count,) * 3, *_LESIONS, kind=int)
        if size[0] * size[1] * size[2] > MAX_VOXELS:
            raise SettingError("The volume is too large to simulate", expected=f"at most {MAX_VOXELS:,} voxels")
        object.__setattr__(self, "size_zyx", size)
        object.__setattr__(self, "spacing_mm_zyx", spacing)

    def geometry(self) -> Geometry:
        """Place of the voxels in the patient."""
        return _draw(self.seed, self.lesion_count).geometry(self.size_zyx, spacing_mm_zyx=self.spacing_mm_zyx)

    def volume(self) -> Volume:
        """Simulate it, or take it from the last few that were simulated; the values are read-only."""
        return _simulate(self)


def write_phantom_file(path: str | Path, scan: PhantomScan) -> Path:
    """Write a phantom file, atomically: a few hundred bytes that stand for a volume.

    Raises:
        SettingError: the name does not end in .phantom.
    """
    if Path(path).suffix.lower() != ".phantom":
        raise SettingError("The name of a phantom file ends in .phantom", where=path)
    head = {"firstread": "phantom", "version": ABDOMEN_VERSION, "anatomy": "abdomen"}
    return write_text(path, json.dumps({**head, **asdict(scan)}) + "\n")


def read_phantom_file(path: str | Path) -> PhantomScan:
    """Read and check a phantom file; nothing is simulated yet.

    Raises:
        DataError: no such file, not a phantom file, made by another version, or a value out of range.
    """
    path = Path(path)
    stated = _read_object(path)
    if stated.get("firstread") != "phantom" or stated.get("anatomy") != "abdomen":
        raise DataError(
            'The file does not begin with {"firstread": "phantom"} and an anatomy that is known', where=path
        )
    version = stated.get("version")
    if type(version) is not int or version != ABDOMEN_VERSION:
        raise DataError(
            "The file stands for a phantom of another version, which this firstread would simulate differently",
            where=path,
            expected=f"version {ABDOMEN_VERSION}",
            do="simulate the patients anew, or use the firstread that wrote the file",
        )
    values = {name: value for name, value in stated.items() if name not in ("firstread", "version", "anatomy")}
    if "seed" not in values or not values.keys() <= set(PhantomScan.__dataclass_fields__):
        known = ", ".join(PhantomScan.__dataclass_fields__)
        raise DataError("The phantom file has a key too many, or no seed", where=path, expected=known)
    try:
        return PhantomScan(**values)
    except SettingError as error:
        raise DataError(error.what, where=path, expected=error.expected) from None


def read_image(path: str | Path, *, frame: int | None = None, window: WindowLike = None) -> np.ndarray:
    """Read one axial slice of a phantom file as 8-bit pixels (reader protocol).

    Args:
        path: *.phantom.
        frame: index of the slice, 0 is the lowest; None is the middle one.
        window: see `firstread.core.windows`; "file" or None is the 0.5th to 99.5th percentile of the whole volume.

    Returns:
        uint8 array (height, width), anterior at the top, the patient's right at the left.

    Raises:
        DataError: the file is not valid, or has no such slice.
    """
    scan, checked = read_phantom_file(path), check_window(window)
    count = scan.size_zyx[0]
    index = count // 2 if frame is None else _check_frame(frame, count, path)
    named = window if isinstance(window, str) else checked
    return np.array(_show(scan, named)[index])


def read_info(path: str | Path) -> ImageInfo:
    """What a phantom file states, and the place of its voxels in the patient (reader protocol); no voxel is simulated.

    Raises:
        DataError: the file is not valid.
    """
    scan = read_phantom_file(path)
    is_ct = scan.shows == "ct"
    patient = make_name(scan.seed)
    return ImageInfo(
        format="phantom",
        frames=scan.size_zyx[0],
        rows=scan.size_zyx[1],
        columns=scan.size_zyx[2],
        geometry=scan.geometry(),
        modality="CT" if is_ct else "SEG",
        unit="HU" if is_ct else "",
        patient=patient,
        component=patient,
    )


def make_name(seed: int) -> str:
    """Name of the phantom patient of a seed."""
    return f"PH-abdomen-{seed}"


def read_volume(paths: Sequence[str | Path], *, frame: int | None = None) -> Volume:
    """Read a phantom file as a volume in real units (reader protocol): int16 in HU, or uint8 labels.

    Args:
        paths: of one file.
        frame: one slice, 0 is the lowest, as a volume of one slice; None is the whole volume.

    Raises:
        DataError: more or fewer files than one, the file is not valid, or has no such slice.
    """
    if isinstance(paths, (str, Path)) or len(paths) != 1:
        raise DataError("A phantom's volume is one file", expected="a list of one path")
    volume = read_phantom_file(paths[0]).volume()
    if frame is not None:
        _, rows, columns = volume.geometry.size_zyx
        volume = volume.cropped((_check_frame(frame, len(volume.values), paths[0]), 0, 0), (1, rows, columns))
    return Volume(volume.values.copy(), volume.geometry, volume.unit)


def _check_frame(frame: int, count: int, path: str | Path) -> int:
    if not 0 <= int(frame) < count:
        raise DataError(f"There is no slice {frame}: the volume has {count}", where=path, expected=f"0 to {count - 1}")
    return int(frame)


def _read_object(path: Path) -> dict[str, Any]:
    """The file's JSON object; a long, deep or doubtful one is refused."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError:
        raise DataError("The phantom file is missing or cannot be read", where=path, do="check the path") from None
    try:
        if len(data) > MAX_FILE_BYTES:
            raise ValueError
        found = json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse)
        if not isinstance(found, dict):
            raise ValueError
    except (ValueError, RecursionError):
        raise DataError(
            "The file is not a phantom file",
            where=path,
            expected=f"one JSON object of at most {MAX_FILE_BYTES:,} bytes, each key once",
        ) from None
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError
    return dict(pairs)


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and infinity are no JSON


def _check_numbers(name: str, values: object, low: float, high: float, *, kind: type) -> tuple[Any, Any, Any]:
    """Three numbers within limits, as a tuple of `kind`; numpy's are taken, true and false are not."""
    types = (int, np.integer) if kind is int else (int, float, np.integer, np.floating)
    if (
        not isinstance(values, (list, tuple))
        or len(values) != 3
        or any(isinstance(value, bool) or not isinstance(value, types) or not low <= value <= high for value in values)
    ):
        raise SettingError(f"{name} is not possible", expected=f"{kind.__name__} from {low:g} to {high:g}")
    first, second, third = (kind(value) for value in values)
    return first, second, third


@lru_cache(maxsize=4)
def _draw(seed: int, lesion_count: int | None) -> AbdomenPatient:
    return AbdomenPatient.draw(seed, lesion_count=lesion_count)


@lru_cache(maxsize=3)
def _simulate(scan: PhantomScan) -> Volume:
    patient, grid = _draw(scan.seed, scan.lesion_count), scan.geometry()
    if scan.shows == "ct":
        volume = simulate_ct(patient, phase=scan.phase, geometry=grid)
    else:
        volume = {"labels": label_map, "segments": segment_map, "lesions": lesion_map}[scan.shows](
            patient, geometry=grid
        )
    volume.values.setflags(write=False)
    return volume


@lru_cache(maxsize=3)
def _show(scan: PhantomScan, window: str | tuple[float, float]) -> np.ndarray:
    return scan.volume().shown(window)
