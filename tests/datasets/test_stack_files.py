"""A cohort of stacks whose files are known: volumes or slices, what is no volume left out with its reason."""

from pathlib import Path

import numpy as np
import pytest

from firstread.core.errors import DataError, SettingError
from firstread.core.provenance import Origin
from firstread.core.tasks import Classification
from firstread.datasets.stack_files import StackFiles, open_stacks
from readers.dicom_files import save_series

TASK = Classification(("no", "yes"), "lesion")


@pytest.fixture
def stacks(tmp_path):
    found = []
    for number, count in enumerate((5, 3)):
        values = np.arange(count * 64, dtype=np.int16).reshape(count, 8, 8)
        save_series(tmp_path / str(number), values, SeriesInstanceUID=f"1.2.{number}")
        files = tuple(sorted((tmp_path / str(number)).glob("*.dcm")))
        facts = {"patient": f"P{number}", "component": f"P{number}", "patient_source": "stated", "split": "train"}
        found.append(StackFiles(f"S{number}", files, ("yes", None)[number], facts))
    return found


def opened(stacks, **settings):
    return open_stacks(stacks, task=TASK, origin=Origin("test"), **settings)


def test_each_stack_is_a_volume_with_its_facts(stacks):
    cohort = opened(stacks)
    assert [case.volume().values.shape for case in cohort] == [(5, 8, 8), (3, 8, 8)]
    assert cohort.targets.tolist() == [1, -1]
    assert cohort.table["patient"].tolist() == ["P0", "P1"]
    assert cohort.table["split"].tolist() == ["train", "train"]


def test_slices_are_equally_far_apart_and_keep_the_class(stacks):
    cohort = opened(stacks, slices=2)
    assert [case.case for case in cohort] == ["S0/2", "S0/4", "S1/1", "S1/3"]
    assert cohort.targets.tolist() == [1, 1, -1, -1]
    whole = [str(path) for path in opened(stacks).tables.images["files"].to_pylist()[0]]
    assert [names[0] for names in cohort.tables.images["files"].to_pylist()][:2] == [whole[1], whole[3]]
    assert cohort[0].image().shape == (9, 8)  # with square pixels
    assert len(opened(stacks, slices=99)) == 8


def test_what_is_no_volume_is_left_out_with_the_reason(stacks):
    mixed = StackFiles("mixed", stacks[0].files + stacks[1].files)
    ordered = opened(stacks).tables.images["files"].to_pylist()[0]
    gap = StackFiles("gap", tuple(Path(name) for name in ordered[:2] + ordered[3:]))
    cohort = opened([stacks[0], mixed, gap])
    left_out = cohort.steps[0].parameters["left_out"]
    assert len(cohort) == 1
    assert set(left_out) == {"mixed", "gap"}
    assert "2 stacks" in left_out["mixed"]
    with pytest.raises(DataError, match="No series can be opened"):
        opened([mixed])
    with pytest.raises(SettingError, match="slices=0"):
        opened(stacks, slices=0)
