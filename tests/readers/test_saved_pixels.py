"""A cohort that was saved and read again shows the same pictures, of every format, with the same facts."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firstread.core.cohort import Cohort
from firstread.core.columns import make_table
from firstread.core.provenance import Origin
from firstread.datasets.frames import read_frame_rows

from .dicom_files import save_dicom
from .mutations import make_pictures

#: text that other programs take for numbers, dates or nothing
TEXTS = st.sampled_from(
    ["000", "007", "1.0", "1e5", "0x10", "True", "NaN", "None", "null", "-", " a ", "2020-01-01", "é"]
)


@pytest.fixture(scope="module")
def stacks(tmp_path_factory):
    """One file of each format, several with more than one frame."""
    folder = tmp_path_factory.mktemp("pictures")
    paths = make_pictures(folder)
    return [*paths, save_dicom(folder / "cine.dcm", np.arange(300, dtype=np.uint8).reshape(3, 10, 10), Modality="US")]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(facts=st.lists(st.one_of(st.none(), TEXTS), min_size=40, max_size=40))
def test_pictures_and_facts_come_back(tmp_path_factory, stacks, facts):
    rows = []
    for path in stacks:
        for row in read_frame_rows(path):
            case = f"{path.name}#{row['frame']}"
            fact = facts[len(rows) % len(facts)]
            rows.append({"case": case, "file": str(path), **row, "label": "a", "accession": fact})
    cohort = Cohort.from_table(make_table(rows), ("a",), Origin("all", "formats"))
    folder = tmp_path_factory.mktemp("saved")
    loaded = Cohort.load(cohort.save(folder))
    for before, after in zip(cohort, loaded, strict=True):
        assert np.array_equal(before.image(), after.image())
        assert np.array_equal(before.pixels(), after.pixels())
        assert before.frame == after.frame
        assert before.metadata.get("accession") == after.metadata.get("accession")
    assert np.array_equal(cohort.images(16), loaded.images(16))
