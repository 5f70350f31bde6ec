"""The NIfTI reader: axial slices in radiological orientation."""

import gzip

import nibabel
import numpy as np
import pytest

from firstread.core.errors import DataError
from firstread.core.images import read_image
from firstread.datasets.dataset import open_dataset
from firstread.readers.nifti import count_slices


def save(path, data, affine=None):
    nibabel.save(nibabel.Nifti1Image(data, np.eye(4) if affine is None else affine), path)
    return path


@pytest.fixture
def volume():
    """Right-anterior-superior axes; bright at the patient's right, at the front, at the top."""
    data = np.zeros((6, 8, 5), np.int16)
    data[0], data[:, -1], data[..., -1] = -500, 300, 900  # x = 0 is the patient's left in a RAS volume's lowest x
    return data


def test_front_is_at_the_top_and_right_is_at_the_left(tmp_path, volume):
    path = save(tmp_path / "v.nii.gz", volume)
    image = read_image(path, frame=1, window="full")
    assert image.shape == (8, 6)
    assert (image[0] > image[1, 0]).all()  # front
    assert (image[1:, -1] == 0).all()  # the lowest x lies at the right of the picture
    assert (image[1:, 0] > 0).all()


def test_the_way_the_voxels_are_stored_does_not_matter(tmp_path, volume):
    plain = save(tmp_path / "a.nii", volume)
    flipped = save(tmp_path / "b.nii", volume[::-1, ::-1, ::-1], np.diag([-1, -1, -1, 1]))
    turned = save(tmp_path / "c.nii", volume.transpose(2, 0, 1), np.eye(4)[:, [2, 0, 1, 3]])
    for frame in range(5):
        expected = read_image(plain, frame=frame)
        assert np.array_equal(read_image(flipped, frame=frame), expected)
        assert np.array_equal(read_image(turned, frame=frame), expected)


def test_slices_are_counted_and_the_middle_one_is_shown(tmp_path, volume):
    path = save(tmp_path / "v.nii.gz", volume)
    assert count_slices(path) == 5
    assert np.array_equal(read_image(path), read_image(path, frame=2))
    with pytest.raises(DataError, match="no slice 5"):
        read_image(path, frame=5)


def test_a_volume_is_rows_of_one_patient(tmp_path, volume):
    save(tmp_path / "v.nii.gz", volume)
    cohort = open_dataset(tmp_path / "v.nii.gz", window="lung")
    assert cohort.table["frame"].tolist() == [0, 1, 2, 3, 4]
    assert len(set(cohort.components)) == 1
    assert set(cohort.table["patient_source"]) == {"file"}
    assert cohort[4].case == "v#4"
    assert cohort[4].image().max() == 255


def test_of_a_series_of_volumes_the_first_is_read(tmp_path, volume):
    path = save(tmp_path / "v.nii", np.stack([volume, volume * 0], axis=-1))
    assert np.array_equal(read_image(path, frame=1), read_image(save(tmp_path / "w.nii", volume), frame=1))


def test_broken_flat_and_cut_volumes_are_refused(tmp_path, volume):
    with pytest.raises(DataError, match="two axes"):
        read_image(save(tmp_path / "flat.nii", volume[..., 0]))
    content = save(tmp_path / "v.nii.gz", np.random.default_rng(0).normal(size=(20, 20, 20))).read_bytes()
    for cut in (30, 400, len(content) // 2):
        (tmp_path / "cut.nii.gz").write_bytes(content[:cut])
        with pytest.raises(DataError, match=r"broken or cut short|not an image"):
            read_image(tmp_path / "cut.nii.gz")
    (tmp_path / "cut.nii.gz").write_bytes(content[:-4])
    with pytest.raises(DataError, match="broken or cut short"):
        count_slices(tmp_path / "cut.nii.gz")
    (tmp_path / "cut.nii").write_bytes(gzip.decompress(content)[:3000])
    with pytest.raises(DataError, match="broken or cut short"):
        read_image(tmp_path / "cut.nii")


def test_a_real_ct_looks_like_one(shared_data):
    lung = read_image(shared_data / "totalsegmentator" / "example_ct.nii.gz", window="abdomen")
    assert lung.ndim == 2
    assert lung.std() > 30
