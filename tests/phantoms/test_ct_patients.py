"""Phantom CT patients on disk: small files, and rows that agree with the volumes."""

import numpy as np
import pytest

from firstread.core.errors import SettingError
from firstread.phantoms.ct_patients import simulate_ct_patients
from firstread.phantoms.phantom_file import PhantomScan, read_phantom_file, read_volume

SMALL = PhantomScan(0, size_zyx=(32, 60, 60), spacing_mm_zyx=(6.0, 6.5, 6.5), lesion_count=3)


def test_rows_agree_with_what_the_files_show(tmp_path):
    rows = simulate_ct_patients(
        tmp_path,
        count=2,
        seed=4,
        phases=("arterial", "portal"),
        structures=("liver", "lesion", "segment VIII"),
        scan=SMALL,
    )
    assert len({row["patient"] for row in rows}) == len({row["seed"] for row in rows}) == 2
    for row in rows:
        assert set(row["images"]) == {"arterial", "portal"}
        masks = {(mask["structure"], mask["lesion"]): mask for mask in row["masks"]}
        assert set(masks) == {("liver", None), ("segment VIII", None), *(("lesion", n) for n in (1, 2, 3))}
        scan = read_volume([row["images"]["portal"]])
        liver = read_volume([masks["liver", None]["file"]])
        assert liver.geometry == scan.geometry
        volume_ml = (liver.values == masks["liver", None]["value"]).sum() * scan.geometry.voxel_volume_ml
        assert volume_ml == pytest.approx(row["liver_volume_ml"], rel=0.03)
        assert [lesion["lesion"] for lesion in row["lesions"]] == [1, 2, 3]
        assert {"x0_mm", "z1_mm", "kind", "segment", "diameter_mm"} <= set(row["lesions"][0])


def test_the_same_seed_gives_the_same_patients_wherever_they_are_written(tmp_path):
    one, two = (simulate_ct_patients(tmp_path / name, count=2, seed=1, scan=SMALL) for name in "ab")
    assert [row["seed"] for row in one] == [row["seed"] for row in two]
    assert [row["lesions"] for row in one] == [row["lesions"] for row in two]
    other = simulate_ct_patients(tmp_path / "c", count=2, seed=2, scan=SMALL)
    assert not {row["seed"] for row in one} & {row["seed"] for row in other}


def test_files_are_small_and_are_of_one_patient(tmp_path):
    (row,) = simulate_ct_patients(tmp_path, count=1, structures=("liver", "spleen"), scan=SMALL)
    files = sorted(tmp_path.rglob("*.phantom"))
    assert [file.name for file in files] == ["labels.phantom", "portal.phantom"]  # one file holds both structures
    assert sum(file.stat().st_size for file in files) < 1000
    assert {read_phantom_file(file).seed for file in files} == {row["seed"]}
    assert np.unique([mask["value"] for mask in row["masks"]]).size == 2


def test_unknown_names_get_a_suggestion(tmp_path):
    with pytest.raises(SettingError, match='Did you mean "liver"'):
        simulate_ct_patients(tmp_path, count=1, structures=("livers",))
    with pytest.raises(SettingError, match='Did you mean "delayed"'):
        simulate_ct_patients(tmp_path, count=1, phases=("delay",))
    with pytest.raises(SettingError, match="1 patient"):
        simulate_ct_patients(tmp_path, count=0)
    assert list(tmp_path.iterdir()) == []
