"""Columns of the tables of a phantom archive's truth; what they mean stands in docs/explanation/phantom-archive.md."""

import pyarrow as pa

_DICTIONARY = pa.dictionary(pa.int32(), pa.string())
ACTION_SCHEMA = pa.schema(
    {
        "patient": _DICTIONARY,
        "file": _DICTIONARY,
        "sop_instance_uid": _DICTIONARY,
        "tag_path": _DICTIONARY,
        "keyword": _DICTIONARY,
        "action": _DICTIONARY,
        "value": pa.string(),
        "scope": _DICTIONARY,
        "option": _DICTIONARY,
        "box": pa.list_(pa.int32()),
        "frame": pa.int32(),
        "contrast": pa.int32(),
        "font": _DICTIONARY,
        "font_px": pa.int32(),
        "note": _DICTIONARY,
    }
)
IDENTITY_SCHEMA = pa.schema(
    {"patient": pa.string(), "kind": pa.string(), "value": pa.string(), "character_set": pa.string()}
)
FAULT_SCHEMA = pa.schema(
    {
        "patient": pa.string(),
        "kind": pa.string(),
        "file": pa.string(),
        "series": pa.string(),
        "study": pa.string(),
        "note": pa.string(),
    }
)
FILE_SCHEMA = pa.schema(
    {
        "patient": pa.string(),
        "file": pa.string(),
        "sop_instance_uid": pa.string(),
        "sop_class_uid": pa.string(),
        "transfer_syntax": pa.string(),
        "modality": pa.string(),
        "needs_person": pa.bool_(),
        "violations": pa.list_(pa.string()),
    }
)
STACK_SCHEMA = pa.schema(
    {
        "patient": pa.string(),
        "study": pa.string(),
        "series": pa.string(),
        "stack": pa.int32(),
        "modality": pa.string(),
        "kind": pa.string(),
        "plane": pa.string(),
        "phase": pa.string(),
        "instances": pa.int32(),
        "missing_slices": pa.int32(),
        "spacing_mm": pa.float64(),
        "gantry_tilt_deg": pa.float64(),
        "day": pa.int32(),
        "sop_instance_uids": pa.list_(pa.string()),
        "note": pa.string(),
    }
)
