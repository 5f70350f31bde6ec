"""Columns of a table are recognized by the names that published tables use."""

import pytest

from firstread.datasets.table_columns import candidate_columns, guess_id_columns


@pytest.mark.parametrize(
    ("names", "column", "expected"),
    [
        (["image_path", "Target", "age"], "file", "image_path"),
        (["Image Index", "Finding Labels"], "file", "Image Index"),
        (["Image Index", "Finding Labels"], "label", "Finding Labels"),
        (["image_id", "dx"], "file", "image_id"),
        (["image_id", "dx"], "label", "dx"),
        (["id", "label"], "file", "id"),
        (["file", "usage"], "split", "usage"),
    ],
)
def test_common_names_are_known(names, column, expected):
    assert candidate_columns(names, column)[0] == expected


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *[
            (name, "patient")
            for name in ("patient", "Patient ID", "participant_id", "mrn", "ptid", "patient_name", "PID")
        ],
        *[(name, "patient") for name in ("Subject", "USUBJID", "Subject ID", "medical_record_number", "empi_anon")],
        *[
            (name, "study")
            for name in ("study_id", "StudyInstanceUID", "Accession Number", "case_id", "exam", "session")
        ],
        *[(name, "series") for name in ("SeriesInstanceUID", "scan_id", "volume_id")],
    ],
)
def test_columns_that_state_a_patient_a_study_or_a_series_are_known(name, kind):
    assert guess_id_columns(["file", name, "label"]) == {kind: [name]}


@pytest.mark.parametrize("name", ["patient_age", "study_date", "sex", "patients_weight", "case_control"])
def test_facts_are_no_identifiers(name):
    assert guess_id_columns([name]) == {}
