"""NIfTI headers: which affine counts, lengths in millimetres, and what firstread adds to a header."""

import gzip

import nibabel
import numpy as np
import pytest

from firstread.core.errors import DataError
from firstread.core.geometry import Geometry
from firstread.core.images import read_image, read_info, read_volume
from firstread.core.volume import Volume
from firstread.readers import nifti_header
from firstread.readers.nifti import write_nifti
from firstread.readers.nifti_header import affine_to_ras, geometry_from_ras

GRID = Geometry.from_spacing(
    (5, 8, 6), spacing_mm_zyx=(5, 0.8, 0.7), origin_mm_lps=(-123.456789, 98.7654321, 1234.5678)
)


@pytest.fixture
def volume():
    """(x, y, z) voxels that are all different."""
    return np.arange(6 * 8 * 5, dtype=np.int16).reshape(6, 8, 5)


def test_ras_and_lps_are_turned_into_one_another():
    grid = geometry_from_ras(np.diag([0.7, 0.8, 5.0, 1.0]), (6, 8, 5))
    assert grid.size_zyx == (5, 8, 6)
    assert grid.orientation_zyx == "SAR"
    assert grid.to_mm([(1, 1, 1)]).tolist() == [[-0.7, -0.8, 5.0]]
    assert np.array_equal(affine_to_ras(grid), np.diag([0.7, 0.8, 5.0, 1.0]))


def test_the_sform_is_used_before_the_qform_as_nibabel_does(tmp_path, volume):
    image = nibabel.Nifti1Image(volume, np.eye(4))
    image.set_qform(np.diag([2, 2, 2, 1]), code=1)
    image.set_sform(np.diag([3, 3, 3, 1]), code=1)
    nibabel.save(image, tmp_path / "both.nii")
    assert read_volume([tmp_path / "both.nii"]).geometry.spacing_mm_zyx == (3, 3, 3)
    image.set_sform(None, code=0)
    nibabel.save(image, tmp_path / "q.nii")
    assert read_volume([tmp_path / "q.nii"]).geometry.spacing_mm_zyx == (2, 2, 2)


@pytest.mark.parametrize(("unit", "factor"), [("mm", 1), ("meter", 1000), ("micron", 0.001), ("unknown", 1)])
def test_lengths_become_millimetres(tmp_path, volume, unit, factor):
    image = nibabel.Nifti1Image(volume, np.diag([1, 2, 3, 1]))
    image.header.set_xyzt_units(unit)
    nibabel.save(image, tmp_path / "v.nii")
    assert read_volume([tmp_path / "v.nii"]).geometry.spacing_mm_zyx == pytest.approx((3 * factor, 2 * factor, factor))


@pytest.mark.parametrize("affine", [np.full((4, 4), np.nan), np.diag([1.0, 1.0, 0.0, 1.0])])
def test_an_impossible_affine_is_refused(tmp_path, volume, affine):
    image = nibabel.Nifti1Image(volume, np.eye(4))
    image.header["sform_code"] = 1
    for row, name in enumerate(("srow_x", "srow_y", "srow_z")):
        image.header[name] = affine[row]
    with open(tmp_path / "v.nii", "wb") as file:
        file.write(image.header.binaryblock + b"\0" * 4 + volume.tobytes(order="F"))
    with pytest.raises(DataError, match=r"impossible place|broken or cut short"):
        read_volume([tmp_path / "v.nii"])


def test_an_affine_changed_by_another_program_counts(tmp_path, volume):
    path = write_nifti(tmp_path / "v.nii", Volume(volume.T.copy(), GRID, unit="HU"))
    image = nibabel.load(path)
    image.set_sform(np.diag([2, 2, 2, 1]), code=1)
    nibabel.save(image, tmp_path / "moved.nii")
    assert read_volume([tmp_path / "moved.nii"]).geometry.spacing_mm_zyx == (2, 2, 2)


@pytest.mark.parametrize("content", [b'{"firstread": 1, "unit"', b'{"firstread": 1, "unit": "HU", "affine_lps": "x"}'])
def test_a_damaged_extension_is_left_alone(tmp_path, volume, content):
    image = nibabel.Nifti1Image(volume, np.eye(4))
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", content))
    nibabel.save(image, tmp_path / "v.nii")
    assert read_volume([tmp_path / "v.nii"]).geometry.spacing_mm_zyx == (1, 1, 1)


def test_absurd_sizes_are_refused_before_memory_is_taken(tmp_path, volume, monkeypatch):
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), tmp_path / "v.nii")
    monkeypatch.setattr(nifti_header, "MAX_VOXELS", 100)
    for read in (read_info, lambda path: read_volume([path])):
        with pytest.raises(DataError, match="a size that firstread does not read"):
            read(tmp_path / "v.nii")


def _save_pair(folder, image_class, values):
    image = image_class(values, np.diag([1.0, 2.0, 3.0, 1.0]))
    nibabel.save(image, folder / "scan.img")
    return folder / "scan.hdr"


@pytest.mark.parametrize("image_class", [nibabel.Nifti1Pair, nibabel.Nifti2Pair])
def test_a_pair_of_files_is_one_volume(tmp_path, image_class):
    values = np.random.default_rng(0).integers(-500, 500, (12, 13, 14)).astype(np.int16)
    path = _save_pair(tmp_path, image_class, values)
    assert read_info(path).frames == 14
    assert np.array_equal(read_volume(path).values, values.T)
    assert read_volume(path).geometry.spacing_mm_zyx == (3, 2, 1)
    assert read_image(path, frame=3).shape == (13, 12)
    with pytest.raises(DataError, match=r"second half of a pair of files: the \.hdr beside it"):
        read_info(tmp_path / "scan.img")
    voxels = (tmp_path / "scan.img").read_bytes()
    (tmp_path / "scan.img").write_bytes(voxels[:-1])
    with pytest.raises(DataError, match="broken or cut short"):
        read_info(path)
    (tmp_path / "scan.img").unlink()
    with pytest.raises(DataError, match="lacks the file of its voxels"):
        read_info(path)


@pytest.mark.parametrize("image_class", [nibabel.AnalyzeImage, nibabel.Spm99AnalyzeImage])
def test_analyze_does_not_say_left_from_right(tmp_path, image_class):
    path = _save_pair(tmp_path, image_class, np.zeros((3, 4, 5), np.int16))
    for read in (read_info, read_image, read_volume):
        with pytest.raises(DataError, match=r"ANALYZE 7\.5 file, which does not say where left and right are"):
            read(path)


@pytest.mark.parametrize("ending", ["nii", "nii.gz"])
@pytest.mark.parametrize("missing", [1, 100, 352])
def test_the_header_does_not_count_as_voxels(tmp_path, ending, missing):
    values = np.random.default_rng(0).integers(-500, 500, (12, 13, 14)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "whole.nii")
    content = (tmp_path / "whole.nii").read_bytes()[:-missing]
    path = tmp_path / f"cut.{ending}"
    path.write_bytes(gzip.compress(content) if ending == "nii.gz" else content)
    for read in (read_info, read_image):
        with pytest.raises(DataError, match="broken or cut short"):
            read(path)


def test_a_wrong_checksum_is_found(tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.zeros((3, 4, 5), np.int16), np.eye(4)), tmp_path / "a.nii.gz")
    content = bytearray((tmp_path / "a.nii.gz").read_bytes())
    content[-6] ^= 255
    (tmp_path / "a.nii.gz").write_bytes(content)
    with pytest.raises(DataError, match="broken or cut short"):
        read_info(tmp_path / "a.nii.gz")


def test_complex_numbers_are_named_when_the_file_is_opened(tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.zeros((3, 4, 5), np.complex64), np.eye(4)), tmp_path / "a.nii")
    with pytest.raises(DataError, match="holds complex numbers"):
        read_info(tmp_path / "a.nii")
