"""The NIfTI reader: axial slices in radiological orientation, volumes in their own grid; and the writer."""

import gzip
import itertools

import nibabel
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from firstread.core.errors import DataError, FirstreadError, SettingError
from firstread.core.geometry import Geometry
from firstread.core.images import read_image
from firstread.core.volume import Volume
from firstread.datasets.dataset import open_dataset
from firstread.readers import nifti
from firstread.readers.nifti import count_slices, read_info, read_volume, write_nifti


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


AXIS_ORDERS = [
    (order, signs) for order in itertools.permutations(range(3)) for signs in itertools.product((1, -1), repeat=3)
]


@pytest.mark.parametrize(("order", "signs"), AXIS_ORDERS)
def test_every_axis_order_and_flip_puts_each_voxel_in_the_same_place(tmp_path, volume, order, signs):
    """A RAS volume stored in another order: the landmarks keep their millimetres, the letters follow the axes."""
    affine = np.diag([0.7, 0.8, 5.0, 1.0])
    affine[:3, 3] = [-10, 20, 30]
    stored, turned = volume.transpose(order), affine[:, [*order, 3]]
    for axis, sign in enumerate(signs):
        if sign < 0:
            stored = np.flip(stored, axis)
            turned[:3, 3] += turned[:3, axis] * (stored.shape[axis] - 1)
            turned[:3, axis] *= -1
    read = read_volume([save(tmp_path / "v.nii", np.ascontiguousarray(stored), turned)])
    assert read.values.shape == stored.shape[::-1]
    assert np.array_equal(read.values, stored.T)
    letters = ["RAS"[axis] if sign > 0 else "LPI"[axis] for axis, sign in zip(order, signs, strict=True)]
    assert read.geometry.orientation_zyx == "".join(letters[::-1])
    for x, y, z in ((0, 0, 0), (5, 7, 4), (1, 6, 2)):
        place = [10 - 0.7 * x, -20 - 0.8 * y, 30 + 5 * z]  # LPS
        index = tuple(np.rint(read.geometry.to_indices([place])[0]).astype(int))
        assert read.values[index] == volume[x, y, z]
        assert read.geometry.to_mm([index])[0] == pytest.approx(place)
    for frame in range(5):
        one = read_volume([tmp_path / "v.nii"], frame=frame)
        assert one.geometry.orientation_zyx == "SPL"
        assert one.geometry.to_mm([(0, 0, 0)])[0] == pytest.approx([10 - 0.7 * 5, -20 - 0.8 * 7, 30 + 5 * frame])
        assert np.array_equal(one.values[0], volume[::-1, ::-1, frame].T)
        assert np.array_equal(one.shown((0, 400))[0], read_image(tmp_path / "v.nii", frame=frame, window=(0, 400)))


@pytest.mark.parametrize(
    ("slope", "inter", "kind"), [(1, -1024, np.int16), (2, 0, np.int16), (0.125, 0, np.float32), (1, 40000, np.float32)]
)
def test_the_scale_of_the_file_is_applied(tmp_path, volume, slope, inter, kind):
    image = nibabel.Nifti1Image(volume, np.eye(4))
    image.header.set_slope_inter(slope, inter)
    image.to_filename(tmp_path / "v.nii")
    with open(tmp_path / "v.nii", "r+b") as file:  # nibabel rescales on writing: put the stored integers back
        file.seek(112)
        file.write(np.array([slope, inter], "<f4").tobytes())
        file.seek(352)
        file.write(volume.tobytes(order="F"))
    read = read_volume([tmp_path / "v.nii"])
    assert read.values.dtype == kind
    assert np.array_equal(read.values, (volume.astype(float) * slope + inter).T)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16, np.int32, np.int64, ">i2"])
def test_labels_keep_their_type_and_whole_numbers_become_int16(tmp_path, volume, kind):
    image = nibabel.Nifti1Image((volume // 100).clip(0).astype(kind), np.eye(4), dtype=kind)
    image.to_filename(tmp_path / "v.nii")
    read = read_volume([tmp_path / "v.nii"])
    assert read.values.dtype == np.dtype(kind).newbyteorder("=")
    assert np.array_equal(read.values, (volume // 100).clip(0).T)
    assert read_volume([save(tmp_path / "d.nii", volume.astype(np.float64))]).values.dtype == np.int16
    holes = np.where(volume > 0, np.nan, volume)
    read = read_volume([save(tmp_path / "f.nii", holes)]).values
    assert (read.dtype, np.isnan(read).sum()) == (np.float32, (volume > 0).sum())


def test_several_volumes_are_refused_and_an_axis_of_one_is_not(tmp_path, volume):
    with pytest.raises(DataError, match="holds 2 volumes"):
        read_volume([save(tmp_path / "time.nii", np.stack([volume, volume], axis=-1))])
    assert read_info(tmp_path / "time.nii").geometry is None
    assert read_volume([save(tmp_path / "one.nii", volume[..., None])]).values.shape == (5, 8, 6)
    with pytest.raises(DataError, match="2 NIfTI files"):
        read_volume([tmp_path / "time.nii", tmp_path / "one.nii"])
    with pytest.raises(DataError, match="complex"):
        read_volume([save(tmp_path / "c.nii", volume.astype(np.complex64))])


def test_the_header_states_the_grid_and_the_slices(tmp_path, volume):
    turned = save(tmp_path / "c.nii.gz", volume.transpose(2, 0, 1), np.diag([1, 2, 3, 1.0])[:, [2, 0, 1, 3]])
    info = read_info(turned)
    assert (info.format, info.frames, info.rows, info.columns) == ("nifti", 5, 8, 6)
    assert info.geometry == read_volume([turned]).geometry
    assert read_image(turned).shape == (info.rows, info.columns)


def test_a_slice_of_an_uncompressed_file_is_read_alone(tmp_path, volume, monkeypatch):
    path = save(tmp_path / "v.nii", volume)
    whole = read_image(path, frame=2, window="full")
    parts = []
    read = nifti._read_voxels
    monkeypatch.setattr(
        nifti, "_read_voxels", lambda image, path, slicer: parts.append(slicer) or read(image, path, slicer)
    )
    assert read_image(path, frame=2, window=(200, 1400)).shape == whole.shape
    assert read_volume([path], frame=2).values.shape == (1, 8, 6)
    assert [part[2] for part in parts] == [slice(2, 3)] * 2


def test_a_second_version_of_the_format_is_read(tmp_path, volume):
    nibabel.save(nibabel.Nifti2Image(volume, np.eye(4)), tmp_path / "two.nii")
    assert read_image(tmp_path / "two.nii", frame=1).shape == (8, 6)
    assert np.array_equal(read_volume([tmp_path / "two.nii"]).values, volume.T)


GRID = Geometry.from_spacing(
    (5, 8, 6), spacing_mm_zyx=(5, 0.8, 0.7), origin_mm_lps=(-123.456789, 98.7654321, 1234.5678)
)


@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz", "V.NII.GZ"])
def test_what_is_written_comes_back(tmp_path, volume, name):
    path = write_nifti(tmp_path / "new" / name, Volume(volume.T.copy(), GRID, unit="HU"))
    read = read_volume([path])
    assert np.array_equal(read.values, volume.T)
    assert read.values.dtype == np.int16
    assert (read.unit, read_info(path).unit) == ("HU", "HU")
    assert np.abs(read.geometry.affine_lps - GRID.affine_lps).max() < 1e-6
    assert np.allclose(nibabel.load(path).affine, nibabel.load(path).get_qform(), atol=1e-3)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=arrays(
        st.sampled_from([np.int16, np.uint8, np.uint16, np.int32, np.float32]),
        array_shapes(min_dims=3, max_dims=3, max_side=4),
    ),
    turn=st.lists(st.floats(-1, 1), min_size=9, max_size=9),
    origin=st.lists(st.floats(-2000, 2000), min_size=3, max_size=3),
    unit=st.sampled_from(["HU", "", "BQML"]),
)
def test_any_volume_comes_back(tmp_path, values, turn, origin, unit):
    affine = np.eye(4)
    affine[:3, :3] = np.diag([5, 0.8, 0.7]) + 0.15 * np.reshape(turn, (3, 3))
    affine[:3, 3] = origin
    volume = Volume(values, Geometry(values.shape, affine), unit=unit)
    read = read_volume([write_nifti(tmp_path / "v.nii", volume)])
    assert np.array_equal(read.values, values, equal_nan=values.dtype.kind == "f")
    is_whole = values.dtype != np.float32 or bool((np.rint(values) == values).all() and np.abs(values).max() < 32768)
    assert read.values.dtype == (np.int16 if is_whole and values.dtype == np.float32 else values.dtype)
    assert read.unit == unit
    assert np.abs(read.geometry.affine_lps - affine).max() < 1e-6


def test_colour_and_bool_come_back(tmp_path):
    grid = Geometry.from_spacing((2, 3, 4), spacing_mm_zyx=(1, 1, 1))
    colours = np.random.default_rng(0).integers(0, 255, (2, 3, 4, 3)).astype(np.uint8)
    assert np.array_equal(read_volume([write_nifti(tmp_path / "c.nii.gz", Volume(colours, grid))]).values, colours)
    mask = colours[..., 0] > 99
    assert np.array_equal(read_volume([write_nifti(tmp_path / "m.nii.gz", Volume(mask, grid))]).values, mask)


def test_equal_volumes_are_equal_files_and_a_failed_write_leaves_the_old_one(tmp_path, volume, monkeypatch):
    first = Volume(volume.T.copy(), GRID)
    assert (
        write_nifti(tmp_path / "a.nii.gz", first).read_bytes() == write_nifti(tmp_path / "b.nii.gz", first).read_bytes()
    )
    before = (tmp_path / "a.nii.gz").read_bytes()
    monkeypatch.setattr(nibabel.Nifti1Image, "to_stream", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_nifti(tmp_path / "a.nii.gz", first)
    assert (tmp_path / "a.nii.gz").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.nii.gz", "b.nii.gz"]


def test_names_and_types_that_nifti_has_not_are_refused(tmp_path, volume):
    with pytest.raises(SettingError, match="no name for a NIfTI file"):
        write_nifti(tmp_path / "v.img", Volume(volume.T, GRID))
    with pytest.raises(SettingError, match="cannot hold values of the type complex64"):
        write_nifti(tmp_path / "v.nii", Volume(volume.T.astype(np.complex64), GRID))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 0.999), value=st.integers(0, 255), cut=st.booleans())
def test_a_damaged_file_is_a_volume_or_a_sentence(tmp_path, place, value, cut):
    if not (tmp_path / "whole.nii").exists():
        write_nifti(tmp_path / "whole.nii", Volume(np.zeros((2, 2, 2), np.int16), GRID.cropped((0, 0, 0), (2, 2, 2))))
    data = bytearray((tmp_path / "whole.nii").read_bytes())
    data[int(place * len(data))] = value
    (tmp_path / "x.nii").write_bytes(data[: int(place * len(data))] if cut else data)
    try:
        outcome = read_volume([tmp_path / "x.nii"]).geometry.describe()
    except FirstreadError as error:
        outcome = str(error)
    assert "voxels (z, y, x)" in outcome or "Where" in outcome
