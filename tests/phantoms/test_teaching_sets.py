"""Teaching sets of volumes: small files, exact truth."""

import pytest

from firstread.core.geometry import same_grid
from firstread.core.tasks import Segmentation
from firstread.phantoms.teaching_sets import make_liver_phantoms


def test_liver_phantoms_are_volumes_with_masks_and_boxes(tmp_path):
    cohort = make_liver_phantoms(tmp_path / "liver", count=7, seed=1)
    assert cohort.task == Segmentation(("liver",))
    assert cohort.counts()["all"].sum() == 7
    assert {name for name in cohort.table["split"]} == {"train", "validation", "test"}
    case = next(case for case in cohort if any(row["kind"] == "box" for row in case.targets))
    volume, liver, lesions = case.volume("portal"), case.mask("liver"), case.mask("lesion")
    same_grid(volume.geometry, liver.geometry)
    stated = next(float(row["value"]) for row in case.targets if row["kind"] == "number")
    assert liver.values.sum() * volume.geometry.voxel_volume_ml == pytest.approx(stated, rel=0.05)
    assert not (lesions.values & ~liver.values).any()
    assert 60 < volume.values[liver.values].mean() < 160  # enhanced liver, in HU
    assert sum(file.stat().st_size for file in (tmp_path / "liver").rglob("*.phantom")) < 7 * 3000
    again = make_liver_phantoms(tmp_path / "again", count=7, seed=1)
    assert (again.find(case.case).volume().values == volume.values).all()
