"""DICOM tags that tell stacks of slices at the same positions apart: phases, echoes, time points, b-values."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from firstread.dicom.functional_groups import find_group, frame_groups

if TYPE_CHECKING:
    from pydicom import Dataset

#: keyword in a single-frame file -> functional group and keyword in an enhanced one, in the order of trial
_STACK_TAGS: dict[str, tuple[str, str] | None] = {
    "AcquisitionNumber": ("FrameContentSequence", "FrameAcquisitionNumber"),
    "EchoTime": ("MREchoSequence", "EffectiveEchoTime"),
    "EchoNumbers": None,
    "TemporalPositionIdentifier": ("FrameContentSequence", "TemporalPositionIndex"),
    "TriggerTime": ("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime"),
    "NominalPercentageOfCardiacPhase": ("CardiacSynchronizationSequence", "NominalPercentageOfCardiacPhase"),
    "DiffusionBValue": ("MRDiffusionSequence", "DiffusionBValue"),
    "DiffusionGradientOrientation": ("MRDiffusionSequence", "DiffusionGradientDirectionSequence"),
    "InversionTime": ("MRModifierSequence", "InversionTimes"),
    "ConvolutionKernel": ("CTReconstructionSequence", "ConvolutionKernel"),
    "KVP": ("CTXRayDetailsSequence", "KVP"),
    "ImageType": ("MRImageFrameTypeSequence", "FrameType"),
    "ComplexImageComponent": ("MRImageFrameTypeSequence", "ComplexImageComponent"),
    "StackID": ("FrameContentSequence", "StackID"),
    "ContentTime": None,
    "AcquisitionTime": ("FrameContentSequence", "FrameAcquisitionDateTime"),
}
#: those that number or time passes of a series
_PASS_TAGS = ("AcquisitionNumber", "TemporalPositionIdentifier", "AcquisitionTime")
#: slices that a pass has at least
_MIN_PASS = 3
#: share of the whole length that each pass covers at least; what follows one another are no passes
_MIN_REACH = 0.5


def read_stack_tags(dataset: "Dataset", frame: int) -> dict[str, str]:
    """Values, as text, of the tags that may tell stacks apart; those that are missing or damaged are left out."""
    groups = frame_groups(dataset, frame)
    tags = {keyword: _read(dataset, groups, keyword) for keyword in _STACK_TAGS}
    return {keyword: value for keyword, value in tags.items() if value}


def _read(dataset: "Dataset", groups: tuple["Dataset", ...], keyword: str) -> str:
    try:
        group = _STACK_TAGS[keyword] if groups else None
        item = find_group(groups, group[0]) if group else None
        if item is not None and group and group[1] in item:
            return str(item.get(group[1]))
        return str(dataset.get(keyword)) if keyword in dataset else ""
    except Exception:  # a damaged element makes pydicom raise anything; it tells nothing apart then
        return ""


def split_by_tags(
    positions: np.ndarray, tags: Sequence[dict[str, str]], instances: Sequence[tuple[int, int] | None]
) -> list[tuple[tuple[str, ...], np.ndarray]] | None:
    """Split slices into stacks in which each position occurs once.

    Args:
        positions: (N,) int64, number of the position of each slice.
        tags: of each slice, see `read_stack_tags`.
        instances: InstanceNumber and frame of each slice, or None.

    Returns:
        For each stack the tags that tell it from the others, and the indices of its slices; None where nothing does.
    """
    members = np.arange(len(positions))
    exact = _split(members, positions, tags, ()) or _split_by_instance(positions, instances)
    return exact or split_passes(positions, tags, instances)


def split_passes(
    positions: np.ndarray, tags: Sequence[dict[str, str]], instances: Sequence[tuple[int, int] | None]
) -> list[tuple[tuple[str, ...], np.ndarray]] | None:
    """Split slices into passes over the same region, where positions are neither unique nor equally frequent.

    A pass that was started anew may lie between the positions of the others, slices of a pass may be missing, or be
    there twice; a slice that is there twice stays with its pass. Passes are told apart by a tag, or because slices in
    the order of their instances begin again from one end.

    Args:
        positions: (N,) int64, number of the position of each slice.
        tags: of each slice, see `read_stack_tags`.
        instances: InstanceNumber and frame of each slice, or None.

    Returns:
        As `split_by_tags`, of the ways that give whole passes the one that leaves fewest positions twice; None where
        there is none.
    """
    members = np.arange(len(positions))
    ways = [((keyword,), _group(members, tags, keyword)) for keyword in _PASS_TAGS]
    ways.append((("InstanceNumber",), _runs(positions, instances)))
    ways = [(keywords, parts) for keywords, parts in ways if _are_passes(positions, parts)]
    if not ways:
        return None
    keywords, parts = min(ways, key=lambda way: sum(len(part) - len(np.unique(positions[part])) for part in way[1]))
    return [(keywords, part) for part in parts]


def _are_passes(positions: np.ndarray, parts: list[np.ndarray]) -> bool:
    """Whether parts are at least two, nearly equally long, and over the same region."""
    if len(parts) < 2:
        return False
    sizes = [len(part) for part in parts]
    reach = min(np.ptp(positions[part]) for part in parts) / max(int(np.ptp(positions)), 1)
    return min(sizes) >= max(_MIN_PASS, max(sizes) / 2) and reach >= _MIN_REACH


def _runs(positions: np.ndarray, instances: Sequence[tuple[int, int] | None]) -> list[np.ndarray]:
    """Slices in the order of their instances, cut where their positions turn back; a few slices stay with the last."""
    known = [instance for instance in instances if instance is not None]
    if len(known) < max(2, len(instances)) or len(set(known)) < len(known):
        return []
    order = np.array(sorted(range(len(known)), key=lambda index: known[index]))
    steps = np.diff(positions[order])
    way = np.sign(np.median(steps))
    parts: list[np.ndarray] = []
    for run in np.split(order, np.flatnonzero(np.sign(steps) != way) + 1):
        if parts and len(run) < _MIN_PASS:
            parts[-1] = np.concatenate([parts[-1], run])
        else:
            parts.append(run)
    return parts


def _split(
    members: np.ndarray, positions: np.ndarray, tags: Sequence[dict[str, str]], used: tuple[str, ...]
) -> list[tuple[tuple[str, ...], np.ndarray]] | None:
    """One tag that does it alone is preferred; else the first after which other tags split what is left."""
    repeats = _repeats(positions[members])
    if repeats == 1:
        return [(used, members)]
    candidates = []
    for keyword in _STACK_TAGS:
        parts = _group(members, tags, keyword)
        counts = [_repeats(positions[part]) for part in parts]
        if len(parts) > 1 and sum(counts) == repeats:  # fewer would leave repeats, more would cut stacks to pieces
            candidates.append((max(counts), keyword, parts))
    for _, keyword, parts in sorted(candidates, key=lambda candidate: candidate[0] > 1):
        divided = [_split(part, positions, tags, (*used, keyword)) for part in parts]
        stacks = [stack for part in divided if part for stack in part]
        if all(divided):
            return stacks
    return None


def _group(members: np.ndarray, tags: Sequence[dict[str, str]], keyword: str) -> list[np.ndarray]:
    """Slices by the value of a tag."""
    groups: dict[str, list[int]] = {}
    for index in members.tolist():
        groups.setdefault(tags[index].get(keyword, ""), []).append(index)
    return [np.array(part) for part in groups.values()]


def _split_by_instance(
    positions: np.ndarray, instances: Sequence[tuple[int, int] | None]
) -> list[tuple[tuple[str, ...], np.ndarray]] | None:
    """The first, second, ... slice of each position by instance number, where all occur equally often."""
    known = [instance for instance in instances if instance is not None]
    counts = np.bincount(positions)
    if len(set(known)) != len(instances) or counts.min() != counts.max():
        return None
    order = sorted(range(len(instances)), key=lambda index: known[index])
    stacks: list[list[int]] = [[] for _ in range(int(counts.max()))]
    seen = np.zeros(len(counts), np.int64)
    for index in order:
        stacks[seen[positions[index]]].append(index)
        seen[positions[index]] += 1
    return [(("InstanceNumber",), np.array(stack)) for stack in stacks]


def _repeats(positions: np.ndarray) -> int:
    """How often the most frequent position occurs."""
    return int(np.bincount(positions).max())
