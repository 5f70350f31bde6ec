"""Segmentation: it learns from slices of volumes, and its masks lie on the grids of the scans."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import torch

from firstread.core.cohort import Cohort
from firstread.core.errors import DataError, SettingError
from firstread.core.geometry import Geometry, same_grid
from firstread.core.images import read_volume
from firstread.core.provenance import Origin
from firstread.core.run import Run
from firstread.core.tables import Tables
from firstread.core.tasks import Segmentation
from firstread.core.volume import Volume
from firstread.learning.augmentation import Augmentation
from firstread.learning.example_sources import load_examples
from firstread.learning.models import build_model, load_model
from firstread.learning.prediction import predict
from firstread.learning.training import train
from firstread.learning.volume_slices import SliceExamples, network_grid, read_network_volume
from firstread.readers.nifti import write_nifti

SPACING = (4.0, 6.0, 6.0)
LIVER = Segmentation(("liver",))


def ball(grid, center_mm, radius_mm):
    indices = np.indices(grid.size_zyx).reshape(3, -1).T
    distance = np.linalg.norm(grid.to_mm(indices) - center_mm, axis=1)
    return (distance < radius_mm).reshape(grid.size_zyx)


@pytest.fixture
def balls(tmp_path):
    """Twelve scans of a bright ball in noise, each on its own grid, with the ball as "liver"."""
    rng, cases, images, targets = np.random.default_rng(0), [], [], []
    for number in range(12):
        grid = Geometry.from_spacing((10, 40, 36), spacing_mm_zyx=(4.0, 3.0, 3.0), origin_mm_lps=rng.uniform(-9, 9, 3))
        inside = ball(grid, grid.to_mm([[5, 20, 18]])[0] + rng.uniform(-12, 12, 3), 20)
        hu = np.where(inside, 110, -60) + rng.normal(0, 15, grid.size_zyx)
        name = f"scan {number}/1"
        file = write_nifti(tmp_path / f"{number}.nii.gz", Volume(hu.astype(np.int16), grid, unit="HU"))
        mask = write_nifti(tmp_path / f"{number}-mask.nii.gz", Volume(inside.astype(np.uint8), grid))
        split = "train" if number < 8 else "validation" if number < 10 else "test"
        cases.append({"case": name, "patient": f"P{number}", "split": split})
        images.append({"case": name, "name": "portal", "files": [str(file)], "modality": "CT", "unit": "HU"})
        targets.append({"case": name, "kind": "mask", "name": "liver", "value": "1", "file": str(mask)})
    return Cohort(Tables.from_rows(cases, images, targets), Segmentation(("liver",)), Origin("balls"))


def network(task=LIVER, **settings):
    return build_model(task=task, **{"size": 24, "spacing_mm_zyx": SPACING, "slices": 3, **settings})


def test_it_learns_and_its_masks_lie_on_the_scans(balls, tmp_path):
    model = network()
    augmentation = Augmentation(rotate_degrees=10, shift=0.05)
    run = train(
        model,
        balls,
        epochs=12,
        augmentation=augmentation,
        schedule="one-cycle",
        learning_rate=1e-2,
        folder=tmp_path / "run",
        precision="float32",
        quiet=True,
    )
    assert run.metric == "dice"
    assert run.history[-1]["validation_dice"] > run.history[0]["validation_dice"]
    assert run.metadata["examples"] == "slices in memory"
    predictions = predict(model, balls.test, folder=tmp_path / "masks")
    assert list(predictions.table["structure"]) == ["liver", "liver"]
    for case, row in zip(balls.test, predictions.table.itertuples(), strict=True):
        found, truth = read_volume([row.mask_file]), case.mask("liver")
        same_grid(found.geometry, case.volume().geometry)
        inside = found.values == int(row.value)
        dice = 2 * (inside & truth.values).sum() / (inside.sum() + truth.values.sum())
        assert dice > 0.8
        assert row.volume_ml == pytest.approx(inside.sum() * truth.geometry.voxel_volume_ml)
    again = load_model(tmp_path / "run" / "last.safetensors")
    assert again.describe() == model.describe()
    other = predict(again, balls.test, folder=tmp_path / "again")
    assert list(other.table["volume_ml"]) == list(predictions.table["volume_ml"])


@pytest.fixture
def two_readers(balls, tmp_path):
    """The balls as the reader "A" drew them; "B" drew nothing."""
    own = balls.tables.targets.to_pylist()
    targets = [{**row, "reader": "A"} for row in own]
    for number, (case, row) in enumerate(zip(balls, own, strict=True)):
        empty = write_nifti(tmp_path / f"{number}-empty.nii.gz", case.mask("liver").labelled([99]))
        targets.append({**row, "reader": "B", "file": str(empty)})
    tables = Tables(balls.tables.cases, balls.tables.images, pa.Table.from_pylist(targets))
    return replace(balls, tables=tables, task=Segmentation(("liver",), reader="A"))


def test_it_learns_from_the_masks_of_the_reader_whose_word_counts(balls, two_readers, tmp_path):
    model = network(task=two_readers.task)
    assert model.task == two_readers.task
    of_b = replace(two_readers, task=Segmentation(("liver",), reader="B"))
    voxels = []
    for cohort in (balls, two_readers, of_b):
        examples = load_examples(model, cohort.train)
        voxels.append(int((examples.batch(np.arange(len(examples)))[1] > 0).sum()))
    assert voxels[0] == voxels[1] > voxels[2] == 0
    train(model, two_readers, epochs=1, folder=tmp_path / "run", quiet=True)
    found = predict(model, of_b.test, folder=tmp_path / "masks")
    assert found.task == of_b.task
    assert all("empty" in file for file in found.table["truth_file"])
    assert {baseline.task.reader for baseline in found.baselines} == {"B"}
    with pytest.raises(SettingError, match="trained on another cohort"):
        train(model, of_b, epochs=1, resume=Run.load(tmp_path / "run"), quiet=True)


def test_what_a_cut_off_training_began_is_finished_the_same(balls, tmp_path):
    from firstread.learning.training import continue_training

    settings = {"epochs": 2, "schedule": "one-cycle", "precision": "float32", "quiet": True}
    run = train(network(), balls, folder=tmp_path / "run", **settings)
    model, same = continue_training(tmp_path / "run", balls)
    assert same.history == run.history
    assert model.task == balls.task


@pytest.mark.parametrize("axes", ["SPL", "SAL", "LPS", "RAI"])
def test_a_network_sees_axial_slices_whatever_the_orientation(axes):
    """The same ball in the patient, stored along other axes, comes out at the same place."""
    directions = {"L": (1, 0, 0), "R": (-1, 0, 0), "P": (0, 1, 0), "A": (0, -1, 0), "S": (0, 0, 1), "I": (0, 0, -1)}
    affine = np.eye(4)
    affine[:3, :3] = 4.0 * np.array([directions[letter] for letter in axes]).T
    affine[:3, 3] = -affine[:3, :3] @ [15, 15, 15]  # the middle of the patient is the origin
    grid = Geometry((31, 31, 31), affine)
    volume = Volume(ball(grid, [20, -12, 28], 16).astype(np.float32), grid)
    inputs = network(spacing_mm_zyx=(4.0, 4.0, 4.0)).inputs
    seen = volume.resampled(network_grid(grid, inputs))
    assert seen.geometry.orientation_zyx == "SPL"
    center = seen.geometry.to_mm(np.argwhere(seen.values > 0.5)).mean(axis=0)
    assert np.allclose(center, [20, -12, 28], atol=1.0)
    assert seen.values.sum() == pytest.approx(volume.values.sum(), rel=0.02)


def test_slices_on_disk_are_those_in_memory(balls):
    inputs = network().inputs
    in_memory, on_disk = SliceExamples(inputs, memory_bytes=1e9), SliceExamples(inputs, memory_bytes=0)
    for case in balls.train:
        volume, own_grid = read_network_volume(case, inputs)
        labels = case.mask_volume(("liver",), grid=own_grid).resampled(volume.geometry, order=0, outside=0)
        for examples in (in_memory, on_disk):
            examples.add(volume, labels)
    assert on_disk.source == "slices in memory and on disk"
    indices = np.arange(len(in_memory))
    one, other = (e.batch(indices, torch.Generator().manual_seed(3)) for e in (in_memory, on_disk))
    assert one[0].shape == (len(indices), 3, 24, 24)
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_what_a_segmentation_cannot_do_is_said(balls):
    with pytest.raises(SettingError, match="backbone and a head"):
        train(network(), balls, epochs=1, freeze=True)
    with pytest.raises(SettingError, match="for a cohort"):
        predict(network(), balls[0])
    with pytest.raises(SettingError, match=r"different tasks.*segmentation, spleen"):
        train(build_model(task=Segmentation(("spleen",)), size=24), balls, epochs=1)
    with pytest.raises(SettingError, match="no such setting"):
        build_model(task=balls.task, dropout=0.3)
    with pytest.raises(SettingError, match="size=20"):
        build_model(task=balls.task, size=20)
    with pytest.raises(DataError, match="no cases to predict"):
        predict(network(), balls.where([False] * len(balls)))
    pet = SimpleNamespace(case="pet", images={}, volume=lambda name: replace(balls[0].volume(), unit="SUV"))
    with pytest.raises(DataError, match=r"values are in SUV.*Expected: HU"):
        read_network_volume(pet, network().inputs)
