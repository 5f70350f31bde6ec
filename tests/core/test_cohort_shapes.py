"""What a radiology project holds fits into three tables: phases, readers, boxes, time points, survival, pairs."""

import nibabel
import numpy as np
import pyarrow as pa
import pytest

from firstread.core.cohort import Cohort
from firstread.core.errors import DataError
from firstread.core.provenance import Origin
from firstread.core.table_schemas import CASES, IMAGES, TARGETS
from firstread.core.tables import Tables
from firstread.core.target_selection import select_targets
from firstread.core.tasks import Classification, Segmentation

ORIGIN = Origin("made up")


def write_nifti(path, values):
    image = nibabel.Nifti1Image(values.transpose(2, 1, 0), np.diag([-0.8, -0.8, 5, 1]))  # LPS (0, 0, 0), z upwards
    nibabel.save(image, path)
    return str(path)


def test_a_ct_study_with_three_phases_and_the_masks_of_two_readers(tmp_path):
    rng = np.random.default_rng(0)
    phases = {name: rng.integers(-100, 200, (4, 8, 8)).astype(np.int16) for name in ("native", "arterial", "portal")}
    liver = np.zeros((4, 8, 8), np.uint8)
    liver[1:3, 2:6, 2:6] = 1
    images = [
        {"case": "s1", "name": name, "files": [write_nifti(tmp_path / f"{name}.nii", values)], "unit": "HU"}
        for name, values in phases.items()
    ]
    masks = [
        {"case": "s1", "kind": "mask", "name": "liver", "value": "1", "image": "portal", "reader": reader, "file": file}
        for reader, file in (
            ("AB", write_nifti(tmp_path / "ab.nii", liver)),
            ("CD", write_nifti(tmp_path / "cd.nii", np.roll(liver, 1, axis=2))),
        )
    ]
    tables = Tables.from_rows([{"case": "s1", "unit": "study", "patient": "001"}], images, masks)
    cohort = Cohort(tables, Segmentation(("liver",)), ORIGIN)
    case = Cohort.load(cohort.save(tmp_path / "saved"))[0]

    assert list(case.images) == ["native", "arterial", "portal"]
    portal = case.volume("portal")
    np.testing.assert_array_equal(portal.values, phases["portal"])
    assert portal.geometry.spacing_mm_zyx == pytest.approx((5, 0.8, 0.8))
    assert case.mask("liver", reader="AB").values.sum() == case.mask("liver", reader="CD").values.sum() == 32
    with pytest.raises(DataError, match="2 masks of liver"):
        case.mask("liver")
    with pytest.raises(DataError, match='2 readers said something of "liver"'):
        cohort.task.check(cohort.tables)
    agreed = Segmentation(("liver",), reader="AB")
    agreed.check(cohort.tables)
    assert agreed.strata(cohort.tables).tolist() == [1]
    for reader, expected in (("AB", liver), ("CD", np.roll(liver, 1, axis=2))):
        labels = case.mask_volume(("liver",), grid=portal.geometry, reader=reader)
        assert np.array_equal(labels.values, expected)
    with pytest.raises(DataError, match="2 masks of liver"):
        case.mask_volume(("liver",))


def test_a_label_is_set_in_the_name_of_the_reader_whose_word_counts():
    cases = [{"case": "a"}, {"case": "b"}]
    said = {"kind": "class", "name": "label"}
    targets = [{"case": case, **said, "value": "no", "reader": reader} for case in "ab" for reader in ("AB", "CD")]
    images = [{"case": case, "name": "image", "files": [f"{case}.png"]} for case in "ab"]
    task = Classification(("no", "yes"), reader="CD")
    cohort = Cohort(Tables.from_rows(cases, images, targets), task, ORIGIN)
    assert cohort.with_column("label", ["yes", None]).targets.tolist() == [1, -1]


def test_the_picture_of_a_series_is_its_middle_slice(tmp_path):
    from PIL import Image

    files = []
    for gray in (10, 20, 30, 40):
        files.append(str(tmp_path / f"{gray}.png"))
        Image.fromarray(np.full((8, 8), gray, np.uint8)).save(files[-1])
    images = [{"case": "c", "name": "image", "files": files}]
    cohort = Cohort(Tables.from_rows([{"case": "c"}], images), Classification(()), ORIGIN)
    assert (cohort[0].image() == 30).all()
    assert (cohort.images(8) == 30).all()


def test_boxes_in_millimetres():
    box = {"kind": "box", "name": "metastasis", "space": "mm", "reader": "AB"}
    corners = {"x0": -60.0, "y0": -40.5, "z0": 10.0, "x1": -48.0, "y1": -30.0, "z1": 20.0}
    targets = [{"case": "s1", **box, **corners, "lesion": "L1"}, {"case": "s1", **box, **corners, "lesion": "L2"}]
    images = [
        {"case": "s1", "name": "image", "files": ["s1.nii"]},
        {"case": "s2", "name": "image", "files": ["s2.nii"]},
    ]
    cohort = Cohort(Tables.from_rows([{"case": "s1"}, {"case": "s2"}], images, targets), Classification(()), ORIGIN)
    assert [row["lesion"] for row in cohort[0].targets] == ["L1", "L2"]
    assert cohort[0].targets[0]["z1"] - cohort[0].targets[0]["z0"] == 10.0
    assert cohort[1].targets == ()
    with pytest.raises(TypeError):
        cohort[0].targets[0]["x0"] = 0.0


def test_a_patient_with_four_time_points():
    days = (0, 58, 121, 180)
    cases = [{"case": f"p7-{day}", "patient": "P7", "days": day, "unit": "study", "parent": "p7"} for day in days]
    images = [{"case": row["case"], "name": "image", "files": [f"{row['case']}.nii"]} for row in cases]
    size = [
        {"case": f"p7-{day}", "kind": "number", "name": "longest_mm", "value": str(mm), "lesion": "L1", "days": day}
        for day, mm in zip(days, (31.0, 24.5, 18.0, 22.0), strict=True)
    ]
    cohort = Cohort(Tables.from_rows(cases, images, size), Classification(()), ORIGIN)
    course = cohort.tables.targets.to_pandas()
    assert course["value"].astype(float).tolist() == [31.0, 24.5, 18.0, 22.0]
    assert [case.metadata["days"] for case in cohort] == list(days)
    assert cohort.table["component"].nunique() == 1  # all four stay on one side of a split


def test_a_survival_time():
    cases = [{"case": "p1", "patient": "p1", "unit": "patient", "days": 0}, {"case": "p2", "patient": "p2", "days": 0}]
    event = {"kind": "event", "name": "death"}
    targets = [{"case": "p1", **event, "value": "1", "days": 412}, {"case": "p2", **event, "value": "0", "days": 900}]
    targets.append({"case": "p1", "kind": "number", "name": "CEA", "value": "5.3", "known_on_day": 30})
    tables = Tables.from_rows(cases, [{"case": c["case"], "files": ["x.nii"]} for c in cases], targets)
    rows = select_targets(tables.targets, kind="event", name="death")
    assert rows["days"].to_pylist() == [412, 900]
    assert rows["value"].to_pylist() == ["1", "0"]
    assert tables.row(0)[2][1]["known_on_day"] == 30  # later than the index day: a task must refuse it as a feature


def test_an_image_pair_for_denoising(tmp_path):
    clean = np.full((2, 4, 4), 40, np.int16)
    files = {
        "input": write_nifti(tmp_path / "low.nii", clean + 15),
        "target": write_nifti(tmp_path / "full.nii", clean),
    }
    images = [{"case": "c", "name": name, "files": [file], "unit": "HU"} for name, file in files.items()]
    case = Cohort(Tables.from_rows([{"case": "c"}], images), Classification(()), ORIGIN)[0]
    assert (case.volume("input").values - case.volume("target").values == 15).all()


def test_a_cohort_of_a_million_frames_is_opened_and_divided_quickly(tmp_path):
    count = 300_000  # `benchmarks/large_cohort.py` measures ten million and the memory
    names = pa.array([f"f{i}" for i in range(count)])
    patients = pa.array([f"{i // 100:06d}" for i in range(count)]).dictionary_encode()
    files = pa.ListArray.from_arrays(pa.array(range(count + 1), pa.int32()), names)
    split = pa.array(["train", "test"] * (count // 2)).dictionary_encode()
    label = pa.array(["yes", "no"] * (count // 2))
    tables = Tables(
        pa.table({"case": names, "patient": patients, "split": split}),
        pa.table({"case": names, "files": files, "name": ["image"] * count}),
        pa.table({"case": names, "kind": ["class"] * count, "name": ["label"] * count, "value": label}),
    )
    cohort = Cohort.load(Cohort(tables, Classification(("no", "yes")), ORIGIN).save(tmp_path))
    assert (len(cohort), len(cohort.train), cohort.targets.sum()) == (count, count // 2, count // 2)
    assert cohort.test[-1].patient == "002999"
    assert cohort.test.targets.sum() == 0


def test_every_column_of_the_three_tables_is_kept(tmp_path):
    values = {pa.string(): "x", pa.int32(): 3, pa.float32(): 0.5, pa.float64(): 0.5}
    special = {"case": "c", "split": "test", "patient_source": "study", "kind": "box", "files": ["/a/x.dcm"]}
    special |= {"spacing_mm": [1.0, 2.0, 3.0], "affine_lps": [float(i) for i in range(16)]}
    rows = [
        {field.name: special.get(field.name, values.get(field.type, "word")) for field in schema}
        for schema in (CASES, IMAGES, TARGETS)
    ]
    rows[2]["file"] = "/a/mask.nii"
    cohort = Cohort(Tables.from_rows(*[[row] for row in rows]), Classification(()), ORIGIN)
    assert list(Cohort.load(cohort.save(tmp_path)).tables.row(0)) == [rows[0], [rows[1]], [rows[2]]]
