"""A cohort of stacks of DICOM slices whose files are known already, as a project's tables list them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from firstread.core.cohort import Cohort
from firstread.core.errors import DataError, SettingError
from firstread.core.images import ImageInfo
from firstread.core.progress_bar import track
from firstread.core.provenance import Origin, Step
from firstread.core.tables import Tables
from firstread.core.tasks import Classification
from firstread.datasets.volume_cohort import image_row
from firstread.readers.dicom_reader import read_info_and_slices
from firstread.readers.dicom_series import SliceStack, group_slices
from firstread.readers.dicom_slices import Slice


@dataclass(frozen=True)
class StackFiles:
    """The files of one stack, and what is known of it.

    Attributes:
        case: unique name.
        files: of its slices, in any order.
        label: class, or None.
        facts: columns of the case: `patient`, `component`, `split`, `site`, ...
    """

    case: str
    files: tuple[Path, ...]
    label: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


def open_stacks(
    stacks: Sequence[StackFiles], *, task: Classification, origin: Origin, slices: int | None = None
) -> Cohort:
    """Open stacks as a cohort; only headers are read.

    Args:
        stacks: in the order of the cohort.
        task: of which the labels are classes.
        origin: of the data.
        slices: None makes each stack a case, a volume; a number makes so many of its slices cases, equally far apart,
            each with the label of its stack.

    Returns:
        A cohort; stacks that are no volume are listed in its first step, with the reason.

    Raises:
        DataError: no stack is a volume.
        SettingError: `slices` is below 1.
    """
    if slices is not None and slices < 1:
        raise SettingError(f"slices={slices} is not possible", expected="1 or more, or None for whole volumes")
    rows: tuple[list[dict[str, Any]], ...] = ([], [], [])
    left_out: dict[str, str] = {}
    for one in track(stacks, "Looking at the series"):
        try:
            stack, info = _read(one)
        except DataError as error:
            left_out[one.case] = error.what
            continue
        for case, own in _cases(one, stack, slices):
            _add(rows, case, own, one, (stack, info), task.name)
    if not rows[0]:
        reason = next(iter(left_out.values()), "there is none")
        raise DataError(f"No series can be opened. The first: {reason}", expected="series that are volumes")
    unit = "series" if slices is None else f"{slices} slices of each series"
    step = Step("opened", {"unit": unit, "left_out": left_out})
    return Cohort(Tables.from_rows(*rows), task, origin, (step,))


def _read(one: StackFiles) -> tuple[SliceStack, ImageInfo]:
    """The stack that the files are, and the header of one of them."""
    found: list[Slice] = []
    info: ImageInfo | None = None
    for path in one.files:
        info, slices = read_info_and_slices(path)
        found += slices
    stacks = group_slices(found)
    if info is None or len(stacks) != 1:
        raise DataError(f"Its files are {len(stacks)} stacks, not one")
    if stacks[0].geometry is None:
        raise DataError(stacks[0].problem.what if stacks[0].problem else "It is no volume")
    return stacks[0], info


def _cases(one: StackFiles, stack: SliceStack, slices: int | None) -> list[tuple[str, tuple[Slice, ...]]]:
    """Name and slices of each case of a stack."""
    if slices is None:
        return [(one.case, stack.slices)]
    count = min(slices, len(stack.slices))
    places = [(2 * number + 1) * len(stack.slices) // (2 * count) for number in range(count)]
    return [(f"{one.case}/{place + 1}", (stack.slices[place],)) for place in places]


def _add(
    rows: tuple[list[dict[str, Any]], ...],
    case: str,
    slices: tuple[Slice, ...],
    one: StackFiles,
    read: tuple[SliceStack, ImageInfo],
    finding: str,
) -> None:
    stack, info = read
    cases, images, targets = rows
    is_whole = case == one.case
    cases.append({"case": case, "unit": "series" if is_whole else "frame", "parent": one.case, **one.facts})
    files = list(dict.fromkeys(part.path for part in slices))
    geometry = stack.geometry if is_whole else None
    header = replace(info, frames=len(slices), geometry=geometry, modality=stack.modality, unit=stack.unit)
    row = image_row(case, "image", files, header)
    images.append(row if is_whole or slices[0].frame == 0 else row | {"frame": slices[0].frame})
    if one.label is not None:
        targets.append({"case": case, "kind": "class", "name": finding, "value": one.label})
