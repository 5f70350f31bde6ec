"""Volumes of real scans: places, units and masks that are known, and public bug reports on spacing, order and flips."""

import warnings
from pathlib import Path

import nibabel
import numpy as np
import pytest
from pydicom import dcmread
from scipy import ndimage

from firstread.core.errors import DataError
from firstread.core.geometry import Geometry, same_grid
from firstread.core.images import read_info, read_volume
from firstread.core.volume import Volume
from firstread.readers.dicom_seg import read_segmentation, write_segmentation
from firstread.readers.dicom_series import group_series
from firstread.readers.nifti import write_nifti


@pytest.fixture(scope="module")
def liver(shared_data):
    """Files of a CT of three slices, its volume, and the segmentation of its liver."""
    folder = shared_data / "dcmqi" / "data" / "segmentations"
    files = sorted((folder / "ct-3slice").glob("*.dcm"))
    scan = read_volume(files)
    return files, scan, read_segmentation(folder / "liver.dcm", grid=scan.geometry)


def test_a_liver_lies_on_its_scan(liver):
    _, scan, mask = liver
    values = scan.values[mask.labels.values == 1]
    assert (scan.unit, dict(mask.structures)) == ("HU", {1: "Liver"})
    assert values.size == 107_098
    assert values.mean() == pytest.approx(37.3, abs=0.05)
    assert values.std() == pytest.approx(59, abs=0.5)
    flipped = scan.values[mask.labels.values[:, :, ::-1] == 1]  # what a left-right flip would give
    assert flipped.mean() == pytest.approx(-42.9, abs=0.1)
    assert flipped.std() > 180


def test_a_liver_survives_seg_to_nifti_to_seg(liver, tmp_path):
    files, scan, mask = liver
    as_nifti = read_volume(write_nifti(tmp_path / "liver.nii.gz", mask.labels))
    same_grid(scan.geometry, as_nifti.geometry)
    again = write_segmentation(tmp_path / "liver.dcm", as_nifti, ["Liver"], files[::-1])
    read = read_segmentation(again, grid=scan.geometry)
    assert np.array_equal(read.labels.values, mask.labels.values)
    assert dict(read.structures) == dict(mask.structures)


def test_nifti_and_dicom_of_one_scan_are_one_volume(liver, tmp_path):
    """The NIfTI is made from the tags by hand, as a converter does: RAS affine, columns first."""
    files, scan, _ = liver
    slices = sorted((dcmread(file) for file in files), key=lambda one: float(one.ImagePositionPatient[2]))
    row, column = np.reshape([float(value) for value in slices[0].ImageOrientationPatient], (2, 3))
    first, last = (np.array([float(value) for value in one.ImagePositionPatient]) for one in (slices[0], slices[-1]))
    affine = np.eye(4)
    affine[:3, 0] = row * float(slices[0].PixelSpacing[1])
    affine[:3, 1] = column * float(slices[0].PixelSpacing[0])
    affine[:3, 2] = (last - first) / (len(slices) - 1)
    affine[:3, 3] = first
    affine[:2] *= -1
    values = np.stack(
        [one.pixel_array * float(one.RescaleSlope) + float(one.RescaleIntercept) for one in slices], axis=-1
    )
    image = nibabel.Nifti1Image(values.swapaxes(0, 1).astype(np.int16), affine)
    nibabel.save(image, tmp_path / "scan.nii.gz")
    read = read_volume(tmp_path / "scan.nii.gz")
    same_grid(scan.geometry, read.geometry, names=("DICOM", "NIfTI"))
    assert np.array_equal(read.values, scan.values)
    assert read.geometry.orientation_zyx == scan.geometry.orientation_zyx == "SPL"
    place = scan.geometry.to_mm([(1, 200, 150)])
    assert read.geometry.to_indices(place)[0] == pytest.approx((1, 200, 150), abs=1e-3)
    assert place[0] == pytest.approx(first + (last - first) / 2 + 200 * column * 0.8105 + 150 * row * 0.8105, abs=0.5)


def test_two_files_with_one_affine_and_another_extent_are_refused(shared_data):
    folder = shared_data / "totalsegmentator"
    large, small, mask = (read_volume(folder / f"example_{name}.nii.gz") for name in ("ct", "ct_sm", "seg"))
    assert np.array_equal(large.geometry.affine_lps, small.geometry.affine_lps)
    with pytest.raises(DataError, match="scan and the mask have different numbers of voxels"):
        same_grid(large.geometry, mask.geometry, names=("scan", "mask"))
    same_grid(small.geometry, mask.geometry)


def test_a_header_that_says_aligned_while_the_image_says_no(shared_data):
    """Both files carry one affine; the small one is the upper part of the large one, 246 mm higher."""
    folder = shared_data / "totalsegmentator"
    large, small, mask = (read_volume(folder / f"example_{name}.nii.gz") for name in ("ct", "ct_sm", "seg"))
    assert np.array_equal(large.values[82:112], small.values)
    right = small.values[mask.values == 5]
    wrong = large.values[:30][mask.values == 5]
    assert np.median(right) == pytest.approx(46, abs=1)
    assert right.std() < 20 < wrong.std()
    assert 82 * large.geometry.spacing_mm_zyx[0] == pytest.approx(246)


def test_masks_that_are_called_livers_are_vessels(shared_data):
    volumes, pieces = [], []
    for path in sorted((shared_data / "crlm-liver-masks").glob("*.nii.gz")):
        mask = read_volume(path)
        assert mask.geometry.orientation_zyx == "SPL"
        assert mask.geometry.spacing_mm_zyx[0] == pytest.approx(7.5)
        volumes.append((mask.values > 0).sum() * mask.geometry.voxel_volume_ml)
        pieces.append(ndimage.label(mask.values)[1])
    assert volumes == pytest.approx([34.8, 43.3, 50.5], abs=0.05)
    assert pieces == [82, 47, 66]  # a liver is one piece of 1,000 to 2,500 ml


def test_a_wrong_distance_of_slices_makes_a_liver_of_six_litres():
    """kits19 8: the z spacing of two cases was wrong in the header."""
    right = Geometry.from_spacing((40, 128, 128), spacing_mm_zyx=(5, 1.6, 1.6))
    wrong = Geometry.from_spacing((40, 128, 128), spacing_mm_zyx=(20, 1.6, 1.6))
    voxels = 1500 / right.voxel_volume_ml
    assert voxels * wrong.voxel_volume_ml == pytest.approx(6000)


@pytest.mark.parametrize("spacing", [(5, 0.8, 0.8), (5.0, 0.8, 0.8), np.array([5, 0.8, 0.8])])
@pytest.mark.parametrize(("shift", "distance"), [((1, 0, 0), 5.0), ((0, 4, 0), 3.2), ((0, 0, 4), 3.2)])
def test_a_box_is_moved_by_the_spacing_of_its_own_axis(tmp_path, spacing, shift, distance):
    """MedSAM 401, SimpleITK 2135, ITK 5577: z first, y, x; whole numbers and fractions mixed."""
    grid = Geometry.from_spacing((12, 20, 20), spacing_mm_zyx=spacing)
    boxes = np.zeros((2, 12, 20, 20), np.uint8)
    boxes[0, 3:6, 5:9, 5:9] = 1
    boxes[1] = np.roll(boxes[0], shift, (0, 1, 2))
    first, second = (
        read_volume(write_nifti(tmp_path / f"{index}.nii", Volume(box, grid))) for index, box in enumerate(boxes)
    )
    far = ndimage.distance_transform_edt(first.values == 0, sampling=first.geometry.spacing_mm_zyx)
    assert far[second.values > 0].max() == pytest.approx(distance)
    moved = np.subtract(*(volume.geometry.to_mm(np.argwhere(volume.values)).mean(axis=0) for volume in (second, first)))
    assert np.linalg.norm(moved) == pytest.approx(distance)


def test_a_whole_series_is_what_highdicom_and_another_converter_made_of_it(shared_data):
    """IBSI publishes the CT of a sarcoma as DICOM and, converted by others, as NIfTI."""
    import highdicom

    folder = shared_data / "ibsi-sts" / "ibsi_validation"
    files = sorted((folder / "dicom" / "STS_001" / "CT" / "image").glob("*.dcm"))
    ours, converted = read_volume(files[::-1]), read_volume(folder / "nifti" / "STS_001" / "CT_image.nii.gz")
    same_grid(ours.geometry, converted.geometry, names=("DICOM", "NIfTI"))
    assert np.array_equal(ours.values, converted.values)
    assert ours.values.dtype == converted.values.dtype == np.int16
    theirs = highdicom.get_volume_from_series([dcmread(file) for file in files], atol=0.1)
    grid = highdicom.VolumeGeometry(ours.geometry.affine_lps, ours.geometry.size_zyx, "PATIENT")
    assert np.array_equal(theirs.match_geometry(grid, tol=0.05).array, ours.values)


def test_every_real_folder_is_stacks_or_a_sentence(shared_data):
    folders: dict[Path, list[Path]] = {}
    for path in sorted((shared_data / "dcm4che-testdata").rglob("*.dcm")) + sorted(
        (shared_data / "dcmqi").rglob("*.dcm")
    ):
        folders.setdefault(path.parent, []).append(path)
    volumes = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for files in folders.values():
            readable = [file for file in files if _is_readable(file)]
            for stack in group_series(readable):
                assert (stack.geometry is None) != (stack.problem is None)
                if stack.geometry:
                    assert stack.geometry.size_zyx[0] == len(stack.files)
                    volumes += 1
    assert volumes > 5


def _is_readable(path: Path) -> bool:
    try:
        read_info(path)
    except DataError:
        return False
    return True
