"""Stacks of slices in DICOM series: grouping of files, order by position, stacks told apart where positions repeat.

Files are grouped by series, unit, orientation, size and pixel spacing. Within a group slices are ordered by their
position along the normal of the slices (PS3.3 C.7.6.2.1.1), never by InstanceNumber. Where positions occur more than
once, the first tag that splits them into stacks in which each position occurs once tells the stacks apart
(`firstread.readers.stack_tags`); else the order of the instances, if every position occurs equally often.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firstread.core.errors import DataError, SettingError
from firstread.core.geometry import Geometry
from firstread.dicom.headers import convert_dicom_errors, open_dicom
from firstread.dicom.image_plane import ImagePlane
from firstread.readers.dicom_slices import Slice, SliceKind, read_slices
from firstread.readers.stack_tags import split_by_tags, split_passes

#: positions nearer than this are the same, in millimetres
_SAME_POSITION_MM = 0.01
#: directions and relative spacings nearer than this are the same
_SAME_PLANE = 1e-3
#: how far a slice may lie from its regular position, as a share of the distance between slices
_REGULAR = 0.1
_MAX_NAMED = 8
#: slices over a longer way than this many times their number are far apart, rather than missing some between them
_MAX_STRETCH = 10


@dataclass(frozen=True, eq=False)
class SliceStack:
    """Slices of one orientation and size at different positions, in the order of their positions.

    Attributes:
        slices: in the order of a volume: along the normal of the slices.
        geometry: of the volume; None where the slices are no volume.
        problem: why they are none: slices are missing, lie unevenly, occur twice, or state no position; else None.
        series: pseudonym of the series, as `ImageInfo.series`; None where it is not stated.
        modality: such as "CT".
        unit: of the values.
        separated_by: tags that tell this stack from others at the same positions; ("InstanceNumber",) for the order of
            the instances; () where there are no others.
    """

    slices: tuple[Slice, ...]
    geometry: Geometry | None
    problem: DataError | None
    series: str | None
    modality: str | None
    unit: str
    separated_by: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """The file of each slice; several times the same for a multi-frame file."""
        return tuple(one.path for one in self.slices)


def group_series(paths: Iterable[str | Path]) -> list[SliceStack]:
    """Group DICOM files into stacks of slices; each that has a geometry is a volume.

    Args:
        paths: files of one or several series, in any order.

    Returns:
        The stacks, in the order of their first file.

    Raises:
        DataError: a file is broken or no image.
    """
    slices: list[Slice] = []
    for path in map(Path, paths):
        dataset = open_dicom(path, load_pixels=False)
        with convert_dicom_errors(path):
            slices += read_slices(dataset, path)
    return group_slices(slices)


def group_slices(slices: Sequence[Slice]) -> list[SliceStack]:
    """Group slices into stacks, see `group_series`."""
    groups: list[list[Slice]] = []
    by_kind: dict[SliceKind, list[list[Slice]]] = {}
    for one in slices:
        candidates = by_kind.setdefault(one.kind, [])
        group = next((group for group in candidates if _are_parallel(group[0].plane, one.plane)), None)
        if group is None:
            group = []
            candidates.append(group)
            groups.append(group)
        group.append(one)
    return [stack for group in groups for stack in _divide_group(group)]


def _are_parallel(first: ImagePlane | None, second: ImagePlane | None) -> bool:
    if first is None or second is None:
        return first is second
    turned = np.subtract(first.orientation, second.orientation)
    scaled = np.subtract(first.spacing_mm_yx, second.spacing_mm_yx) / np.asarray(first.spacing_mm_yx)
    return bool(max(np.abs(turned).max(), np.abs(scaled).max()) < _SAME_PLANE)


def _divide_group(group: list[Slice]) -> list[SliceStack]:
    problem = next((one.problem for one in group if one.problem), None) or _copies(group)
    if problem:
        return [_make_stack(group, problem=problem)]
    distances = np.array([one.plane.distance_mm for one in group if one.plane])
    order = np.argsort(distances, kind="stable")
    positions = np.zeros(len(group), np.int64)
    positions[order[1:]] = np.cumsum(np.diff(distances[order]) > _SAME_POSITION_MM)
    tags = [one.tags for one in group]
    instances = [one.instance for one in group]
    parts = split_by_tags(positions, tags, instances)
    if parts is None:
        return [_make_stack(group, problem=_repeated_positions(group, positions, distances))]
    stacks = [_check_part(group, part, keywords, positions, distances) for keywords, part in parts]
    if len(stacks) == 1 and stacks[0].problem and (passes := split_passes(positions, tags, instances)):
        divided = [_check_part(group, part, keywords, positions, distances) for keywords, part in passes]
        if all(stack.geometry for stack in divided):
            return divided
    return stacks


def _check_part(
    group: list[Slice], part: np.ndarray, keywords: tuple[str, ...], positions: np.ndarray, distances: np.ndarray
) -> SliceStack:
    """The stack of some slices of a group; a pass that holds a position twice is none."""
    slices = [group[index] for index in part[np.argsort(distances[part], kind="stable")]]
    if len(np.unique(positions[part])) < len(part):
        problem = _repeated_positions(slices, positions[part], distances[part])
        return _make_stack(slices, problem=problem, tags=keywords)
    return _check_stack(slices, keywords)


def _copies(group: list[Slice]) -> DataError | None:
    """The error for images that are in the group twice."""
    seen: dict[tuple[str, int], Path] = {}
    for one in group:
        if one.uid is not None and seen.setdefault((one.uid, one.frame), one.path) is not one.path:
            return DataError(
                f"Two files hold the same image (SOPInstanceUID): {seen[one.uid, one.frame].name} and {one.path.name}",
                where=one.path.parent,
                do="leave one of the copies out",
            )
    return None


def _repeated_positions(group: list[Slice], positions: np.ndarray, distances: np.ndarray) -> DataError:
    numbers, counts = np.unique(positions, return_counts=True)
    repeated = [float(distances[positions == number][0]) for number in numbers[counts > 1]]
    return DataError(
        f"{len(repeated)} of {len(numbers)} positions hold several slices, and no tag tells these apart: "
        f"{_list_millimetres(repeated)}",
        where=group[0].path.parent,
        expected="each position once",
        do="leave the repeated slices out",
    )


def _check_stack(slices: list[Slice], tags: tuple[str, ...]) -> SliceStack:
    """The stack of slices at different positions, in their order, with its geometry or why it has none."""
    planes = [one.plane for one in slices if one.plane]
    positions = np.array([plane.position for plane in planes])
    if len(slices) > 1:
        step = (positions[-1] - positions[0]) / (len(slices) - 1)
        errors = np.linalg.norm(positions - positions[0] - np.arange(len(slices))[:, None] * step, axis=1)
        if not errors.max() <= _REGULAR * abs(float(step @ planes[0].normal)):
            return _make_stack(slices, problem=_irregular(slices, planes), tags=tags)
    elif planes[0].slice_mm is None:
        return _make_stack(slices, problem=_no_thickness(slices[0]), tags=tags)
    else:
        step = planes[0].normal * planes[0].slice_mm
    try:
        geometry = planes[0].geometry((len(slices), slices[0].kind.rows, slices[0].kind.columns), step)
    except SettingError:
        problem = DataError("The slices state impossible positions", where=slices[0].path.parent, do="leave them out")
        return _make_stack(slices, problem=problem, tags=tags)
    return _make_stack(slices, geometry=geometry, tags=tags)


def _no_thickness(one: Slice) -> DataError:
    return DataError(
        "A single slice that states no thickness (SpacingBetweenSlices, SliceThickness) makes no volume",
        where=one.path,
        expected="the other slices of its series, or a thickness",
    )


def _irregular(slices: list[Slice], planes: list[ImagePlane]) -> DataError:
    """The error for slices that are missing, or that lie unevenly."""
    distances = np.array([plane.distance_mm for plane in planes])
    gaps = np.diff(distances)
    step = float(np.median(gaps)) if len(gaps) > 2 else float(gaps.min())
    steps = np.rint(gaps / step)
    is_grid = np.abs(gaps - steps * step).max() < 2 * _REGULAR * step and steps.min() == 1
    if is_grid and len(gaps) < steps.sum() <= _MAX_STRETCH * len(gaps):
        missing = [
            float(start + number * step)
            for start, count in zip(distances, steps, strict=False)
            for number in range(1, int(count))
        ]
        return DataError(
            f"{len(missing)} of {len(slices) + len(missing)} slices are missing: at {_list_millimetres(missing)}",
            where=slices[0].path.parent,
            expected=f"a slice every {step:g} mm, as most of them lie",
            do="get the missing files, or leave the series out",
        )
    if steps.min() == steps.max() == 1:
        what = "The slices are shifted against one another, so they make no straight volume"
    else:
        what = f"The slices lie unevenly: from {gaps.min():.2f} to {gaps.max():.2f} mm apart"
    return DataError(what, where=slices[0].path.parent, expected="slices at equal distances", do="leave the series out")


def _make_stack(
    slices: list[Slice],
    *,
    geometry: Geometry | None = None,
    problem: DataError | None = None,
    tags: tuple[str, ...] = (),
) -> SliceStack:
    kind = slices[0].kind
    return SliceStack(tuple(slices), geometry, problem, kind.series, kind.modality, kind.unit, tags)


def _list_millimetres(distances: Sequence[float]) -> str:
    named = ", ".join(f"{distance:.1f}" for distance in distances[:_MAX_NAMED])
    return f"{named}{', ...' if len(distances) > _MAX_NAMED else ''} mm along the normal of the slices"
