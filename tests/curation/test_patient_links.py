"""Patients who may be one person share a component."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

from firstread.curation.patient_links import link_patients, patient_pairs

NAMES = [f"P{number}" for number in range(8)]


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=12))
def test_linked_patients_share_a_component_and_others_do_not(pairs):
    matrix = np.eye(len(NAMES))
    for first, second in pairs:
        matrix[NAMES.index(first), NAMES.index(second)] = 1
    _, labels = connected_components(matrix, directed=False)
    found = link_patients(NAMES, pairs)
    for number, name in enumerate(NAMES):
        assert found[name] == NAMES[labels.tolist().index(labels[number])]


def test_spellings_are_one():
    assert link_patients(["p-007", "P7", "P8"], []) == {"p-007": "P7", "P7": "P7", "P8": "P8"}


def test_links_come_from_studies_sessions_and_images():
    series = pa.table(
        {
            "series": list("abxyuv"),
            "study": ["T1", "T1", "T5", "T6", "T7", "T8"],
            "patient": ["P1", "P2", "P5", "P6", "P7", "P8"],
        }
    )
    study = pa.table({"study": ["T1", "T3", "T4"], "patient": ["P1", "P3", "P4"], "linked_study": [None, "T4", None]})
    instances = pa.table({"study": ["T7", "T7", None, None], "patient": ["P7", "P9", "P1", "P8"]})
    shared = [
        {
            "kind": "images_under_two_ids",
            "patient": "P5",
            "evidence": "4 images have the pixels of series y of another",
        },
        {"kind": "two_ids_in_one_study", "patient": "P1", "evidence": "the files of the study state 2 patients"},
        {"kind": "two_ids_in_one_study", "patient": "P7", "evidence": "the files of the study state 2 patients"},
    ]
    found = patient_pairs(series=series, study=study, faults=pa.Table.from_pylist(shared), instances=instances)
    assert found == [("P1", "P2"), ("P3", "P4"), ("P5", "P6"), ("P7", "P9")]
