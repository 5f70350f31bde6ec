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
    series = pa.table({"series": list("ab"), "study": ["T1", "T1"], "patient": ["P1", "P2"]})
    study = pa.table({"study": ["T1", "T3", "T4"], "patient": ["P1", "P3", "P4"], "linked_study": [None, "T4", None]})
    instances = pa.table({"patient": ["P5", "P6", "P6"], "pixel_sha256": ["x", "x", None]})
    assert patient_pairs(series=series, study=study, instances=instances) == [("P1", "P2"), ("P3", "P4"), ("P5", "P6")]
