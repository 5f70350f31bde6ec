"""Volumes with label maps, in nnU-Net's format or as pairs, and boxes of COCO are opened as cohorts."""

import json

import nibabel
import numpy as np
import pytest

from firstread.core.cohort import Cohort
from firstread.core.errors import DataError
from firstread.core.tasks import Segmentation
from firstread.datasets.dataset import open_dataset
from firstread.datasets.folder_contents import list_image_files
from firstread.datasets.nifti_pairs import find_pairs

SHAPE = (6, 8, 10)  # x, y, z as NIfTI stores them


def write(path, value=0, *, shape=SHAPE, dtype=np.int16):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.zeros(shape, dtype)
    values[2:4, 2:5, 3:6] = value
    nibabel.save(nibabel.Nifti1Image(values, np.diag([0.8, 0.8, 5, 1])), path)
    return path


def write_nnunet(folder, *, cases=6, labels=None, description=None):
    for number in range(cases):
        write(folder / f"imagesTr/liver_{number:03d}_0000.nii.gz", 100)
        write(folder / f"labelsTr/liver_{number:03d}.nii.gz", 1 + number % 2, dtype=np.uint8)
    content = {"channel_names": {"0": "CT"}, "labels": labels or {"background": 0, "liver": 1, "tumour": 2}}
    content |= {"numTraining": cases, "file_ending": ".nii.gz", **(description or {})}
    (folder / "dataset.json").write_text(json.dumps(content))
    return folder


def test_an_nnunet_dataset(tmp_path):
    folder = write_nnunet(tmp_path / "Dataset003_Liver")
    write(folder / "imagesTs/liver_100_0000.nii.gz", 100)
    cohort = open_dataset(folder, split="patient")
    assert cohort.task == Segmentation(("liver", "tumour"))
    case = cohort.find("liver_001")
    assert list(case.images) == ["CT"]
    assert case.volume().geometry.spacing_mm_zyx == pytest.approx((5, 0.8, 0.8))
    assert np.unique(case.mask_volume(cohort.task.structures).values).tolist() == [0, 2]
    assert case.mask("liver").values.sum() == 0
    assert case.mask("tumour").values.sum() == 2 * 3 * 3
    assert sorted(cohort.table["split"].dropna().unique()) == ["test", "train", "validation"]
    assert cohort.find("liver_100").split is None  # without a label map there is nothing to learn or to measure
    again = Cohort.load(cohort.save(tmp_path / "saved"))
    assert again.find("liver_001").mask("tumour").values.sum() == 18


def test_test_images_of_nnunet_are_the_test_split_if_they_can_be_measured(tmp_path):
    folder = write_nnunet(tmp_path)
    write(folder / "imagesTs/liver_100_0000.nii.gz", 100)
    splits = open_dataset(folder).table["split"].tolist()
    assert set(splits[:-1]) == {"train", "validation", "test"}  # divided as if it were not there
    assert splits[-1] is None
    write(folder / "imagesTs/liver_101_0000.nii.gz", 100)
    write(folder / "labelsTs/liver_101.nii.gz", 1, dtype=np.uint8)
    assert open_dataset(folder).table["split"].tolist() == ["train"] * 6 + [None, "test"]


def test_the_first_version_of_the_format_and_regions(tmp_path):
    folder = write_nnunet(tmp_path, labels={"0": "background", "1": "liver"})
    assert open_dataset(folder).task == Segmentation(("liver",))
    labels = {"background": 0, "tumour": 2, "whole liver": [1, 2], "ignore": 9}
    case = open_dataset(write_nnunet(tmp_path / "regions", labels=labels))[1]
    assert case.mask("whole liver").values.sum() == case.mask("tumour").values.sum() == 18


@pytest.mark.parametrize(
    ("description", "words"),
    [
        ({"labels": {}}, "No structure is described"),
        ({"labels": {"liver": "one"}}, "no whole number"),
        ({"channel_names": {"0": "CT", "1": "PET"}}, "6 cases lack a channel"),
        ({"channel_names": ["CT"]}, "no description of a data set"),
    ],
)
def test_nnunet_datasets_that_do_not_hold_what_they_say(tmp_path, description, words):
    with pytest.raises(DataError, match=words):
        open_dataset(write_nnunet(tmp_path, description=description))


def test_a_missing_label_map_is_named(tmp_path):
    folder = write_nnunet(tmp_path)
    (folder / "labelsTr/liver_002.nii.gz").unlink()
    with pytest.raises(DataError, match=r"1 training images have no label map.*liver_002"):
        open_dataset(folder)


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("images/{}.nii.gz", "labels/{}.nii.gz"),
        ("{}/ct.nii.gz", "{}/liver_mask.nii.gz"),
        ("case_{}/imaging.nii.gz", "case_{}/segmentation.nii.gz"),
        ("volume-{}.nii", "segmentation-{}.nii"),
        ("{}_CT.nii.gz", "{}_seg.nii.gz"),
    ],
)
def test_pairs_by_name(tmp_path, image, mask):
    for name in ("a1", "b2", "c3", "d4"):
        write(tmp_path / image.format(name), 100)
        write(tmp_path / mask.format(name), 1, dtype=np.uint8)
    cohort = open_dataset(tmp_path)
    assert len(cohort) == 4
    assert cohort.task.kind == "segmentation"
    assert len(set(cohort.components)) == 4
    assert cohort[0].mask(cohort.task.structures[0]).values.sum() == 18
    assert cohort[0].volume().values.max() == 100


def test_names_of_structures_and_volumes_without_masks(tmp_path):
    for name in ("a", "b", "c"):
        write(tmp_path / f"images/{name}.nii.gz", 100)
    assert find_pairs(tmp_path, list_image_files(tmp_path)) == []
    for name in ("a", "b", "c"):
        write(tmp_path / f"masks/{name}.nii.gz", 3, dtype=np.uint8)
    (tmp_path / "labels.json").write_text('{"spleen": 3}')
    assert open_dataset(tmp_path).task == Segmentation(("spleen",))


def test_an_image_that_is_called_a_mask_and_a_mask_on_another_grid_are_refused(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        write(tmp_path / f"images/{name}.nii", 100)
        (tmp_path / "masks").mkdir(exist_ok=True)
        values = rng.normal(size=SHAPE).astype(np.float32)
        nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / f"masks/{name}.nii")
    with pytest.raises(DataError, match="holds the values of an image"):
        open_dataset(tmp_path)
    for name in ("a", "b", "c"):
        write(tmp_path / f"masks/{name}.nii", 1, shape=(6, 8, 9), dtype=np.uint8)
    with pytest.raises(DataError, match="image and the label map have different numbers of voxels"):
        open_dataset(tmp_path)


def write_coco(folder, *, box=(2, 3, 4, 5), file="a.png"):
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(folder / "a.png")
    content = {
        "images": [{"id": 7, "file_name": file, "height": 20, "width": 30}],
        "categories": [{"id": 1, "name": "nodule"}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 1, "bbox": list(box)}],
    }
    (folder / "boxes.json").write_text(json.dumps(content))
    return folder


def test_boxes_of_a_coco_file(tmp_path):
    cohort = open_dataset(write_coco(tmp_path))
    box = cohort[0].targets[0]
    assert (box["kind"], box["name"], box["space"]) == ("box", "nodule", "pixel")
    assert [box[name] for name in ("x0", "y0", "x1", "y1")] == [2, 3, 6, 8]
    assert cohort[0].image().shape == (20, 30)
    assert len(open_dataset(tmp_path / "boxes.json")) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"box": (28, 3, 9, 5)}, "does not lie on its image"),
        ({"box": (2, 3, 0, 5)}, "does not lie on its image"),
        ({"box": (2, 3, 4)}, "entry of the COCO file is broken"),
        ({"file": "../secret.png"}, "is not there"),
        ({"file": "/etc/passwd"}, "is not there"),
    ],
)
def test_coco_files_that_make_no_sense(tmp_path, arguments, words):
    with pytest.raises(DataError, match=words):
        open_dataset(write_coco(tmp_path / "d", **arguments))
