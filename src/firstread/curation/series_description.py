"""What each stack of a series is, and what is wrong with it: from headers, geometry and a sample of the pixels."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from firstread.curation.body_part import name_body_part
from firstread.curation.contrast_phase import ContrastPhase, PhaseWitnesses, delay_after, name_phase
from firstread.curation.curation_schemas import SERIES
from firstread.curation.organ_enhancement import Enhancement, measure_enhancement
from firstread.curation.series_files import SeriesFile, read_files
from firstread.curation.series_kind import SeriesKind, name_kind
from firstread.curation.side_markers import read_side_marker
from firstread.curation.stack_faults import StackDescription, find_file_faults, find_series_faults, find_stack_faults
from firstread.curation.stack_features import measure_features
from firstread.curation.stack_geometry import measure_geometry
from firstread.curation.stack_sample import sample_stack
from firstread.readers.dicom_series import SliceStack, group_slices

#: modalities whose stacks may have a contrast phase
_WITH_PHASES = ("CT",)
#: modalities whose images may carry a side marker
_RADIOGRAPHS = ("CR", "DX", "RG")
#: PatientOrientation of a projection -> plane
_PROJECTIONS = {"L\\F": "coronal", "R\\F": "coronal", "A\\F": "sagittal", "P\\F": "sagittal"}


@dataclass(frozen=True)
class SeriesDescription:
    """Rows of one series for the tables SERIES (one a stack), FAULTS_FOUND and INSTANCES (one a file)."""

    stacks: list[dict[str, object]]
    faults: list[dict[str, object]]
    instances: list[dict[str, object]]


def describe_series(paths: Iterable[str | Path], *, root: str | Path) -> SeriesDescription:
    """Describe the stacks of one series and find their faults; nothing is raised for broken files.

    At most 24 slices of a stack are decoded, one at a time, so that memory does not grow with the series.

    Args:
        paths: all files of the series, in any order.
        root: folder to which file names in the tables are relative.

    Returns:
        Rows for the tables of `firstread.curation.curation_schemas`.

    Example:
        >>> from pydicom.data import get_testdata_file
        >>> file = get_testdata_file("CT_small.dcm")
        >>> found = describe_series([file], root=Path(file).parent)
        >>> row = found.stacks[0]
        >>> row["kind"], row["plane"], row["phase"], len(found.instances)
        ('original', 'axial', 'unknown', 1)
    """
    files = read_files(paths, root=root)
    faults = find_file_faults(files)
    kept = _without_copies(files)
    by_path = {file.path: file for file in kept}
    stacks = group_slices([one for file in kept for one in file.slices if file.slices])
    described = [
        _describe_stack(stack, [by_path[path] for path in dict.fromkeys(stack.files)], is_alone=len(stacks) == 1)
        for stack in stacks
    ]
    placed = {file.path for one in described for file in one.files}
    others = [file for file in kept if file.path not in placed and not file.is_broken]
    rows = [_stack_row(one, number) for number, one in enumerate(described)]
    if others:
        rows.append(_other_row(others, len(rows)))
    for number, one in enumerate(described):
        faults += find_stack_faults(one, number)
        for file in one.files:
            file.row["stack"] = number
    faults += find_series_faults(described)
    return SeriesDescription(_select(rows, faults, files), faults, [file.row for file in files])


def _without_copies(files: list[SeriesFile]) -> list[SeriesFile]:
    """One file of each SOPInstanceUID: the first whole one; copies would make two stacks of one."""
    best: dict[object, SeriesFile] = {}
    for file in files:
        key = file.row["instance"] or file.path
        if key not in best or (best[key].is_broken and not file.is_broken):
            best[key] = file
    return list(best.values())


def _describe_stack(stack: SliceStack, files: list[SeriesFile], *, is_alone: bool) -> StackDescription:
    first = next((file for file in files if not file.is_broken), files[0])
    kind, geometry = name_kind(first), measure_geometry(stack)
    sample = sample_stack(stack)
    is_axial_ct = stack.unit == "HU" and geometry.plane == "axial" and kind.name in ("original", "derived")
    features = measure_features(sample) if sample else {}
    enhancement = measure_enhancement(sample) if sample and is_axial_ct else Enhancement()
    part = name_body_part(first, features if is_axial_ct else None, enhancement)
    phase = _name_phase(stack, first, kind, enhancement, is_alone=is_alone)
    is_radiograph = stack.modality in _RADIOGRAPHS and not first.is_broken and kind.name in ("original", "derived")
    marker = read_side_marker(first.path) if is_radiograph else None
    return StackDescription(stack, files, kind, geometry, sample, enhancement, part, phase, features, marker)


def _name_phase(
    stack: SliceStack, first: SeriesFile, kind: SeriesKind, enhancement: Enhancement, *, is_alone: bool
) -> ContrastPhase:
    if stack.modality not in _WITH_PHASES or kind.name not in ("original", "derived"):
        return ContrastPhase("none", 1.0, "")
    # a description of a series that holds several passes names one of them at most
    words = [first.texts.get(keyword, "") for keyword in ("SeriesDescription", "ProtocolName")] if is_alone else []
    return name_phase(
        PhaseWitnesses(
            description=" ".join(words),
            has_agent=bool(first.texts.get("ContrastBolusAgent")),
            delay_s=delay_after(first.bolus_s, first.acquired_s),
            enhancement=enhancement if enhancement.aorta_hu is not None else None,
        )
    )


def _plane(one: StackDescription) -> tuple[str, float]:
    """Plane of slices by their geometry, of a projection by its PatientOrientation."""
    if one.kind.name not in ("original", "derived"):
        return "none", 1.0
    if one.geometry.plane == "none" and (name := _PROJECTIONS.get("\\".join(one.files[0].patient_orientation))):
        return name, 0.85
    return one.geometry.plane, one.geometry.plane_confidence if one.geometry.plane != "none" else 1.0


def _stack_row(one: StackDescription, number: int) -> dict[str, object]:
    first = next((file for file in one.files if not file.is_broken), one.files[0])
    geometry, stack = one.geometry, one.stack
    plane, plane_confidence = _plane(one)
    row = _common_row(first, one.files, number)
    spacing = stack.slices[0].plane.spacing_mm_yx if stack.slices[0].plane else (None,)
    return (
        row
        | one.features
        | {
            "body_part": one.part.name,
            "body_part_confidence": one.part.confidence,
            "body_part_evidence": one.part.evidence,
            "stack_rule": ", ".join(stack.separated_by) or "position",
            "plane": plane,
            "plane_confidence": plane_confidence,
            "phase": one.phase.name,
            "phase_confidence": one.phase.confidence,
            "phase_evidence": one.phase.evidence,
            "kind": one.kind.name,
            "kind_evidence": one.kind.evidence,
            "side_marker": one.marker.text() if one.marker else None,
            "slices": len(stack.slices),
            "rows": stack.slices[0].kind.rows,
            "columns": stack.slices[0].kind.columns,
            "spacing_between_mm": geometry.spacing_mm,
            "pixel_spacing_mm": spacing[0],
            "spacing_irregular": geometry.is_irregular if geometry.plane != "none" else None,
            "missing_slices": geometry.missing if geometry.plane != "none" else None,
            "overlap_slices": geometry.overlapping + geometry.repeated if geometry.plane != "none" else None,
            "gantry_tilt_deg": geometry.tilt_deg if geometry.plane != "none" else None,
            "coverage_mm": geometry.coverage_mm,
            "noise_hu": one.noise_hu,
            "aorta_hu": one.enhancement.aorta_hu,
            "liver_hu": one.enhancement.liver_hu,
            "kidney_hu": one.enhancement.kidney_hu,
            "spleen_hu": one.enhancement.spleen_hu,
            "is_volume": stack.geometry is not None,
        }
    )


def _common_row(first: SeriesFile, files: list[SeriesFile], number: int) -> dict[str, object]:
    """Columns that the header states."""
    row: dict[str, object] = dict.fromkeys(SERIES.names)
    return row | {
        "series": first.row["series"] or first.row["file"],
        "stack": number,
        "study": first.row["study"],
        "patient": first.row["patient"],
        "modality": first.row["modality"],
        "description_clean": first.texts.get("SeriesDescription"),
        "series_number": first.row["series_number"],
        "instances": len(files),
        "first_file": first.row["file"],
        "kernel": first.texts.get("ConvolutionKernel"),
        "slice_thickness_mm": first.numbers.get("SliceThickness"),
        "contrast_agent": bool(first.texts["ContrastBolusAgent"]) if "ContrastBolusAgent" in first.texts else None,
        "acquisition_s": first.acquired_s,
        "echo_time_ms": first.numbers.get("EchoTime"),
        "repetition_time_ms": first.numbers.get("RepetitionTime"),
        "b_value_s_mm2": first.numbers.get("DiffusionBValue"),
    }


def _other_row(files: list[SeriesFile], number: int) -> dict[str, object]:
    """The row of objects without slices: reports, structure sets, documents."""
    for file in files:
        file.row["stack"] = number
    return _common_row(files[0], files, number) | {
        "stack_rule": "none",
        "plane": "none",
        "plane_confidence": 1.0,
        "phase": "none",
        "phase_confidence": 1.0,
        "kind": "other",
        "kind_evidence": "objects without slices",
        "slices": 0,
        "is_volume": False,
    }


def _select(
    rows: list[dict[str, object]], faults: list[dict[str, object]], files: list[SeriesFile]
) -> list[dict[str, object]]:
    """Propose which stacks to use: originals without a fault that excludes them; with the reason of the others."""
    stack_of = {file.row["file"]: file.row["stack"] for file in files}
    reasons: set[tuple[object, str]] = set()
    for fault in faults:
        # of equal files one is left, so that its stack is whole
        if fault["excluded"] and fault["kind"] != "duplicate_same_content":
            reasons.add((stack_of.get(fault["file"], fault["stack"]), str(fault["kind"])))
    for row in rows:
        found = sorted(kind for stack, kind in reasons if stack == row["stack"])
        row["selected"] = row["kind"] == "original" and not found
        row["reason"] = ", ".join(found) or (None if row["kind"] == "original" else f"kind: {row['kind']}")
    return rows
