"""Faults of the files and stacks of one series, each with its evidence in words."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from firstread.curation.body_part import BodyPart
from firstread.curation.contrast_phase import ContrastPhase
from firstread.curation.curation_schemas import make_fault
from firstread.curation.organ_enhancement import Enhancement
from firstread.curation.series_files import SeriesFile
from firstread.curation.series_kind import SeriesKind
from firstread.curation.side_markers import SideMarker, contradiction
from firstread.curation.stack_geometry import StackGeometry
from firstread.curation.stack_sample import StackSample
from firstread.readers.dicom_series import SliceStack

#: tags by which passes of a series are told apart; echoes and b-values are no passes
_PASS_TAGS = ("AcquisitionNumber", "AcquisitionTime", "ContentTime", "TemporalPositionIdentifier", "InstanceNumber")
#: slices that a pass has more than, and the share of it that lies where another pass does
_MIN_PASS, _MIN_OVERLAP = 2, 0.5
#: noise in HU of a soft kernel at 3 mm above which an image is called noisy, and how much sharp kernels add
_MAX_NOISE_HU, _SHARP_FACTOR = 32.0, 3.0
_THICKNESS_MM = 3.0
#: share of the liver's largest section in the last slice from which it is cut
_MAX_LIVER_END = 0.12
_MIN_SLICES_OF_COVERAGE = 6
#: length of the edge of the field of view that the body reaches in the middle slice, in mm
_MAX_CUT_MM = 100.0
#: relative difference of exposure from which it varies
_VARIES = 0.02


@dataclass(frozen=True, eq=False)
class StackDescription:
    """What was found out about one stack."""

    stack: SliceStack
    files: list[SeriesFile]
    kind: SeriesKind
    geometry: StackGeometry
    sample: StackSample | None
    enhancement: Enhancement
    part: BodyPart
    phase: ContrastPhase
    features: dict[str, float | None]
    marker: SideMarker | None = None

    @property
    def noise_hu(self) -> float | None:
        """Median over slices of the noise in soft tissue; None where it was not measured."""
        values = [value for value in (self.sample.noise if self.sample else ()) if np.isfinite(value)]
        return round(float(np.median(values)), 2) if values else None

    @property
    def is_image_of_slices(self) -> bool:
        """Whether it is an original or derived image with a place in the patient."""
        return self.kind.name in ("original", "derived") and self.geometry.plane != "none"


def find_file_faults(files: list[SeriesFile]) -> list[dict[str, object]]:
    """Broken files, and files that share one SOPInstanceUID."""
    faults = [
        make_fault(
            "truncated_file", evidence=str(file.row["reason"]), confidence=0.95, file=_name(file), **_where(file)
        )
        for file in files
        if file.is_broken
    ]
    by_uid: defaultdict[str, list[SeriesFile]] = defaultdict(list)
    for file in files:
        if file.row["instance"]:
            by_uid[str(file.row["instance"])].append(file)
    for group in by_uid.values():
        if len(group) > 1:
            faults += _copies(group)
    return faults


def _copies(group: list[SeriesFile]) -> list[dict[str, object]]:
    """Files of one SOPInstanceUID: of equal ones the first is kept, of unequal ones none."""
    if len({file.row["sha256"] for file in group}) == 1:
        return [
            make_fault(
                "duplicate_same_content",
                evidence="the file repeats another one byte for byte",
                confidence=0.99,
                file=_name(file),
                **_where(file),
            )
            for file in group[1:]
        ]
    same_pixels = len({file.row["pixel_sha256"] for file in group}) == 1
    what = "headers differ, pixels are equal" if same_pixels else "pixels differ"
    return [
        make_fault(
            "duplicate_other_content",
            evidence=f"{len(group)} files share one SOPInstanceUID; {what}",
            confidence=0.97,
            file=_name(file),
            **_where(file),
        )
        for file in group
    ]


def find_series_faults(described: list[StackDescription]) -> list[dict[str, object]]:
    """Faults that only several stacks of a series show: passes, and a localizer among other slices."""
    faults: list[dict[str, object]] = []
    first = described[0].files[0] if described else None
    images = [one for one in described if one.is_image_of_slices]
    passes = _find_passes(images)
    if first and len(passes) > 1:
        rule = ", ".join(dict.fromkeys(tag for one in passes for tag in one.stack.separated_by)) or "geometry"
        sure = 0.6 if "InstanceNumber" in rule else 0.9
        text = f"{len(passes)} passes over one region, told apart by {rule}"
        faults.append(make_fault("several_passes", evidence=text, confidence=sure, **_where(first)))
    scouts = [number for number, one in enumerate(described) if one.kind.name == "localizer"]
    if first and scouts and images:
        text = f"{len(scouts)} localizer among {sum(len(one.stack.slices) for one in images)} slices"
        where = _where(first) | {"stack": scouts[0]}
        faults.append(make_fault("localizer_among_axials", evidence=text, confidence=0.95, **where))
    return faults


def _find_passes(images: list[StackDescription]) -> list[StackDescription]:
    """Stacks of one series over the same region: by tags of passes, and on CT also where spacing or tilt differ."""
    long = [one for one in images if len(one.stack.slices) > _MIN_PASS]
    tagged = [one for one in long if set(one.stack.separated_by) & set(_PASS_TAGS)]
    originals = [one for one in long if one.stack.modality == "CT" and one.kind.name == "original"]
    overlapping = [
        one
        for one in originals
        if any(one is not other and _overlap(one, other) >= _MIN_OVERLAP for other in originals)
    ]
    return overlapping if len(overlapping) > len(tagged) else tagged


def _overlap(one: StackDescription, other: StackDescription) -> float:
    """Share of the shorter of two stacks of one plane that lies where the other does."""
    if one.geometry.plane != other.geometry.plane:
        return 0.0
    axis = ("sagittal", "coronal", "axial", "oblique").index(one.geometry.plane) % 3
    (low, high), (first, last) = (_extent(stack, axis) for stack in (one, other))
    return (min(high, last) - max(low, first)) / max(min(high - low, last - first), 1e-6)


def _extent(one: StackDescription, axis: int) -> tuple[float, float]:
    places = [slice_.plane.position[axis] for slice_ in one.stack.slices if slice_.plane]
    return min(places), max(places)


def find_stack_faults(one: StackDescription, number: int) -> list[dict[str, object]]:
    """Faults of one stack, by geometry, headers and pixels."""
    where = _where(one.files[0]) | {"stack": number}
    found: list[tuple[str, str, float]] = []
    if one.is_image_of_slices:
        found += _geometry_faults(one)
    if one.kind.name in ("original", "derived"):
        found += _header_faults(one)
        found += _pixel_faults(one)
    faults = [make_fault(kind, evidence=text, confidence=sure, **where) for kind, text, sure in found]
    for slice_, reason in one.sample.unread if one.sample else ():
        file = next((file for file in one.files if file.path == slice_.path), None)
        if file and not file.is_broken:
            faults.append(
                make_fault("truncated_file", evidence=reason, confidence=0.9, file=_name(file), **_where(file))
            )
    return faults


def _geometry_faults(one: StackDescription) -> list[tuple[str, str, float]]:
    geometry, found = one.geometry, []
    every = f"a slice every {geometry.spacing_mm:g} mm" if geometry.spacing_mm else "slices"
    if geometry.missing and not geometry.is_irregular:
        total = len(one.stack.slices) + geometry.missing
        found.append(("missing_slices", f"{geometry.missing} of {total} slices are missing; {every}", 0.95))
    if geometry.repeated:
        found.append(("duplicate_position", f"{geometry.repeated} positions hold a further slice", 0.95))
    if geometry.overlapping:
        found.append(("overlapping_slices", f"{geometry.overlapping} slices lie between others; {every}", 0.9))
    if geometry.is_irregular and one.kind.name == "original":
        found.append(("irregular_spacing", f"slices lie unevenly; most often {every}", 0.85))
    if geometry.tilt_deg and one.kind.name == "original":
        found.append(("gantry_tilt", f"slices are tilted by {geometry.tilt_deg:.1f} degrees", 0.95))
    return found


def _header_faults(one: StackDescription) -> list[tuple[str, str, float]]:
    found = []
    files = one.files
    absent = sum(file.row["instance_number"] is None for file in files if not file.is_broken)
    if absent and len(files) > 1:
        found.append(("instance_number_absent", f"{absent} of {len(files)} files carry no InstanceNumber", 0.99))
    for keyword in ("XRayTubeCurrent", "Exposure"):
        stated = [file.numbers[keyword] for file in files if keyword in file.numbers]
        if len(stated) > 1 and max(stated) - min(stated) > _VARIES * max(map(abs, stated)):
            text = f"{keyword} from {min(stated):g} to {max(stated):g}"
            found.append(("exposure_varies", text, 0.99))
            break
    if one.phase.contradiction:
        found.append(("phase_contradiction", one.phase.contradiction, one.phase.contradiction_confidence))
    if one.part.contradiction:
        found.append(("wrong_body_part", one.part.contradiction, one.part.contradiction_confidence))
    if one.marker:
        texts = files[0].texts
        side = texts.get("Laterality") or texts.get("ImageLaterality") or ""
        wrong = contradiction(one.marker, orientation=files[0].patient_orientation, laterality=side)
        if wrong:
            found.append(("wrong_laterality", wrong, round(min(0.95, one.marker.overlap), 3)))
    return found


def _pixel_faults(one: StackDescription) -> list[tuple[str, str, float]]:
    """Noise, truncation and coverage of axial CT."""
    if one.sample is None or one.sample.unit != "HU" or one.kind.name != "original":
        return []
    found: list[tuple[str, str, float]] = []
    noise, limit = one.noise_hu, noise_limit(one)
    if noise is not None and noise > limit:
        found.append(("noise", f"{noise:.0f} HU, expected below {limit:.0f} HU", min(0.95, 0.5 + noise / limit / 4)))
    if one.geometry.plane != "axial":
        return found
    cut = float(np.median(one.sample.cut_mm)) if one.sample.cut_mm else 0.0
    if cut > _MAX_CUT_MM:
        text = f"the body reaches {cut:.0f} mm of the edge of the field of view"
        found.append(("truncated_field_of_view", text, 0.9))
    return found + _coverage_faults(one)


def _coverage_faults(one: StackDescription) -> list[tuple[str, str, float]]:
    ends = {"top": one.enhancement.liver_top, "bottom": one.enhancement.liver_bottom}
    cut = {name: share for name, share in ends.items() if share is not None and share > _MAX_LIVER_END}
    if not cut or len(one.stack.slices) < _MIN_SLICES_OF_COVERAGE or one.part.name != "abdomen":
        return []
    text = ", ".join(f"{share:.0%} of the liver's largest section in the {name} slice" for name, share in cut.items())
    return [("low_coverage", text, round(min(0.95, 0.7 + max(cut.values()) / 2), 3))]


def noise_limit(one: StackDescription) -> float:
    """Noise in HU above which a stack is noisy for its slice thickness and its kernel."""
    thickness = one.files[0].numbers.get("SliceThickness") or one.geometry.spacing_mm or _THICKNESS_MM
    limit = _MAX_NOISE_HU * float(np.sqrt(_THICKNESS_MM / np.clip(thickness, 0.5, _THICKNESS_MM)))
    return limit * (_SHARP_FACTOR if is_sharp(one.files[0].texts.get("ConvolutionKernel", "")) else 1.0)


def is_sharp(kernel: str) -> bool:
    """Whether a reconstruction kernel is one for bone or lung, by its name.

    Example:
        >>> is_sharp("B70f"), is_sharp("B30f"), is_sharp("LUNG"), is_sharp("STANDARD")
        (True, False, True, False)
    """
    name = kernel.upper().split("\\\\")[0].strip()
    digits = "".join(char for char in name[1:3] if char.isdigit())
    if name[:1] in ("B", "H", "I", "U") and name[1:3].isdigit():
        return int(digits) >= 50
    return name in ("LUNG", "BONE", "EDGE", "BONEPLUS", "DETAIL", "YB", "YC", "YD", "E", "D") or name.startswith("FC5")


def _where(file: SeriesFile) -> dict[str, str | int | None]:
    names = ("patient", "study", "series")
    return {name: None if file.row[name] is None else str(file.row[name]) for name in names}


def _name(file: SeriesFile) -> str:
    return str(file.row["file"])
