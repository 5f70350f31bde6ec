"""Columns of the tables of curation: series (a row a stack), studies, faults that were found, and instances.

Values are what the files state: of a de-identified archive, pseudonyms, cleaned descriptions and shifted dates. A null
is "not stated", never "no".

Source: columns as in docs/explanation/curation.md; coordinates are LPS millimetres (PS3.3 C.7.6.2.1.1).
"""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import pyarrow as pa

from firstread.core.table_schemas import WORD

PLANES = ("axial", "coronal", "sagittal", "oblique", "none")
#: "none" is a stack that has no contrast phase: no CT or MR, a localizer, a screen
PHASES = ("unenhanced", "arterial", "venous", "delayed", "unknown", "none")
KINDS = ("original", "derived", "localizer", "screenshot", "dose", "other")
#: what a table of files says of each: an image, an object without pixels, or a file that cannot be read
INSTANCE_STATUSES = ("ok", "no_image", "broken")
#: features of the pixels of a stack, in its own unit, from a sample of its slices; columns of SERIES
FEATURES = (
    "feature_mean",
    "feature_sd",
    "feature_p1",
    "feature_p10",
    "feature_p50",
    "feature_p90",
    "feature_p99",
    "feature_entropy",
    "feature_edges",
    "feature_body_share",
    "feature_body_area_mm2",
    "feature_air_share",
    "feature_fat_share",
    "feature_soft_share",
    "feature_bone_share",
    "feature_symmetry",
)

#: one row a stack: slices of one series, orientation and size at different positions
SERIES = pa.schema(
    {
        "series": pa.string(),
        "stack": pa.int32(),
        "study": WORD,
        "patient": WORD,
        "modality": WORD,
        "body_part": WORD,
        "body_part_confidence": pa.float64(),
        "body_part_evidence": pa.string(),
        "description_clean": pa.string(),
        "series_number": pa.int64(),
        "instances": pa.int32(),
        "first_file": pa.string(),
        "stack_rule": WORD,
        "plane": WORD,
        "plane_confidence": pa.float64(),
        "phase": WORD,
        "phase_confidence": pa.float64(),
        "phase_evidence": pa.string(),
        "kind": WORD,
        "kind_evidence": pa.string(),
        "side_marker": pa.string(),
        "kernel": WORD,
        "slices": pa.int32(),
        "rows": pa.int32(),
        "columns": pa.int32(),
        "spacing_between_mm": pa.float64(),
        "slice_thickness_mm": pa.float64(),
        "pixel_spacing_mm": pa.float64(),
        "spacing_irregular": pa.bool_(),
        "missing_slices": pa.int32(),
        "overlap_slices": pa.int32(),
        "gantry_tilt_deg": pa.float64(),
        "coverage_mm": pa.float64(),
        "contrast_agent": pa.bool_(),
        "acquisition_s": pa.float64(),
        "echo_time_ms": pa.float64(),
        "repetition_time_ms": pa.float64(),
        "b_value_s_mm2": pa.float64(),
        "noise_hu": pa.float64(),
        "aorta_hu": pa.float64(),
        "liver_hu": pa.float64(),
        "kidney_hu": pa.float64(),
        "spleen_hu": pa.float64(),
        **{name: pa.float64() for name in FEATURES},
        "is_volume": pa.bool_(),
        "selected": pa.bool_(),
        "reason": pa.string(),
    }
)
#: one row a study
STUDIES = pa.schema(
    {
        "study": pa.string(),
        "patient": WORD,
        "day": pa.int32(),
        "age_years": pa.int32(),
        "sex": WORD,
        "site": WORD,
        "scanner": WORD,
        "description_clean": pa.string(),
        "series": pa.int32(),
        "instances": pa.int32(),
        "linked_study": pa.string(),
    }
)
#: one row a fault that was found; `series`, `stack`, `study` and `file` as far as they concern it
FAULTS_FOUND = pa.schema(
    {
        "id": pa.string(),
        "kind": WORD,
        "patient": WORD,
        "study": pa.string(),
        "series": pa.string(),
        "stack": pa.int32(),
        "file": pa.string(),
        "evidence": pa.string(),
        "confidence": pa.float64(),
        "action": WORD,
        "excluded": pa.bool_(),
        "put_back_by": pa.string(),
        "put_back_at": pa.string(),
        "put_back_reason": pa.string(),
    }
)
#: one row a file, as far as `relate` and `describe_studies` need it; dates are as the file states them
INSTANCES = pa.schema(
    {
        "file": pa.string(),
        "status": WORD,
        "reason": pa.string(),
        "instance": pa.string(),
        "series": pa.string(),
        "stack": pa.int32(),
        "study": pa.string(),
        "patient": WORD,
        "modality": WORD,
        "sop_class": WORD,
        "instance_number": pa.int64(),
        "series_number": pa.int64(),
        "frame_of_reference": WORD,
        "position_mm": pa.float64(),
        "sha256": pa.string(),
        "pixel_sha256": pa.string(),
        "study_date": WORD,
        "study_time_s": pa.float64(),
        "age_years": pa.int32(),
        "sex": WORD,
        "site": WORD,
        "scanner": WORD,
        "study_description": WORD,
    }
)


class FaultKind(NamedTuple):
    """What one kind of fault means: what happens to the stack, file or study that has it, and a sentence for people."""

    action: str
    meaning: str


#: kind of a fault -> its action ("exclude": left out until somebody puts it back; "note": said, and kept) and meaning
FAULT_KINDS: Mapping[str, FaultKind] = MappingProxyType(
    {
        "missing_slices": FaultKind("exclude", "slices are missing between others"),
        "duplicate_position": FaultKind("exclude", "several slices lie at one position"),
        "overlapping_slices": FaultKind("exclude", "slices lie nearer to one another than all others, between them"),
        "irregular_spacing": FaultKind("exclude", "slices lie at unequal distances"),
        "gantry_tilt": FaultKind("note", "slices are tilted against the way from one to the next"),
        "low_coverage": FaultKind("exclude", "the scan ends within the liver"),
        "noise": FaultKind("exclude", "the image is far noisier than others of its kind"),
        "truncated_field_of_view": FaultKind("exclude", "the body reaches beyond the field of view"),
        "wrong_body_part": FaultKind("exclude", "the pixels show another part of the body than the header says"),
        "truncated_file": FaultKind("exclude", "a file is broken, or ends early"),
        "exposure_varies": FaultKind("note", "tube current or exposure differ from slice to slice"),
        "instance_number_absent": FaultKind("note", "slices carry no number; they are ordered by position"),
        "several_passes": FaultKind("note", "several passes lie in one series; they are told apart"),
        "localizer_among_axials": FaultKind("note", "a localizer lies among the slices; it is told apart"),
        "derived_same_number": FaultKind("note", "a derived series carries the number of its original"),
        "wrong_laterality": FaultKind("exclude", "the side marker contradicts the header"),
        "phase_contradiction": FaultKind(
            "exclude", "description or contrast agent contradict the measured enhancement"
        ),
        "duplicate_same_content": FaultKind("exclude", "a file repeats another one"),
        "duplicate_other_content": FaultKind("exclude", "files share one SOP Instance UID and differ"),
        "split_study": FaultKind("note", "one session carries several Study Instance UIDs"),
        "two_ids_in_one_study": FaultKind("exclude", "one study states several patients"),
        "images_under_two_ids": FaultKind("exclude", "the same images lie under several patients"),
        "contradicting_phases": FaultKind("note", "the phases of one study contradict one another"),
        "not_described": FaultKind("exclude", "the series could not be described"),
    }
)


def make_fault(kind: str, *, evidence: str, confidence: float, **where: str | int | None) -> dict[str, object]:
    """A row of FAULTS_FOUND; its id is the same whenever the same fault is found in the same place.

    Args:
        kind: a key of FAULT_KINDS, which says what becomes of what has the fault.
        evidence: in words, with measured values and their units; nothing out of a patient's record.
        confidence: 0 to 1.
        where: patient, study, series, stack and file, as far as they are known.

    Example:
        >>> fault = make_fault("missing_slices", evidence="2 of 40 slices", confidence=0.95, series="S1", stack=0)
        >>> fault["action"], fault["excluded"], len(str(fault["id"]))
        ('exclude', True, 12)
    """
    row: dict[str, object] = dict.fromkeys(FAULTS_FOUND.names)
    places = [str(where.get(name)) for name in ("patient", "study", "series", "stack", "file")]
    action = FAULT_KINDS[kind].action
    digest = hashlib.sha256("\0".join([kind, *places]).encode("utf-8", "replace")).hexdigest()
    return (
        row
        | where
        | {
            "id": f"F{digest[:11]}",
            "kind": kind,
            "evidence": evidence,
            "confidence": round(confidence, 3),
            "action": action,
            "excluded": action == "exclude",
        }
    )
