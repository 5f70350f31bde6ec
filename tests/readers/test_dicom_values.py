"""Values of DICOM volumes: real units, types, slices with a scale of their own, colour, broken files."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import Dataset, Sequence, dcmread
from pydicom.uid import RLELossless

from firstread.core.errors import DataError, FirstreadError
from firstread.readers import dicom_values
from firstread.readers.dicom_reader import read_volume

from .dicom_files import make_frame_group, save_dicom, save_enhanced, save_series

STORED = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)


def test_ct_is_in_hounsfield_units_and_stays_int16(tmp_path):
    volume = read_volume(save_series(tmp_path, STORED, RescaleSlope=1, RescaleIntercept=-1024))
    assert (volume.unit, volume.values.dtype) == ("HU", np.int16)
    assert np.array_equal(volume.values, STORED.astype(int) - 1024)


@pytest.mark.parametrize(
    ("stored", "slope", "intercept", "kind"),
    [
        (STORED, 2, -5, np.int16),
        (STORED, 0.5, 0, np.float32),
        (STORED, 1, 0.5, np.float32),
        (STORED + 40000, 1, 0, np.float32),
        (STORED + 40000, 1, -40000, np.int16),
        (STORED.astype(np.int16) - 30000, 1, -1024, np.int16),
        (STORED.astype(np.int16) - 32000, 1, -1024, np.float32),
        (STORED.astype(np.uint8), 1, 0, np.int16),
    ],
)
def test_values_are_exact_in_the_smaller_type_that_holds_them(tmp_path, stored, slope, intercept, kind):
    volume = read_volume(save_series(tmp_path, stored, RescaleSlope=slope, RescaleIntercept=intercept))
    assert volume.values.dtype == kind
    assert np.array_equal(volume.values, stored.astype(np.float64) * slope + intercept)


def test_each_slice_of_a_pet_has_its_own_scale(tmp_path):
    own = [{"RescaleSlope": 1, "RescaleIntercept": 0}, {"RescaleSlope": 1.5, "RescaleIntercept": 0}]
    volume = read_volume(save_series(tmp_path, STORED, per_slice=own, Modality="PT", Units="BQML"))
    assert volume.unit == "BQML"
    assert volume.values.dtype == np.float32
    assert np.array_equal(volume.values, STORED * np.array([1, 1.5])[:, None, None])


def test_frames_of_an_enhanced_image_have_their_own_scale(tmp_path):
    groups = [make_frame_group(position=(0, 0, 3 * index), rescale=(1 + index, 10)) for index in range(2)]
    volume = read_volume([save_enhanced(tmp_path / "mr", STORED, groups)])
    assert (volume.unit, volume.geometry.spacing_mm_zyx) == ("", (3.0, 0.8, 0.7))
    assert np.array_equal(volume.values, STORED * np.array([1, 2])[:, None, None] + 10)


def test_a_modality_table_gives_the_values(tmp_path):
    table = Dataset()
    table.LUTDescriptor, table.LUTData, table.ModalityLUTType = [24, 0, 16], list(range(1000, 1024)), "US"
    table["LUTData"].VR = "US"
    volume = read_volume(save_series(tmp_path, STORED, ModalityLUTSequence=Sequence([table])))
    assert np.array_equal(volume.values, STORED + 1000)


def test_bits_beyond_those_stored_do_not_count(tmp_path):
    stored = (STORED | 0xF000).astype(np.uint16)  # an overlay in the upper four bits
    volume = read_volume(save_series(tmp_path, stored, BitsStored=12, HighBit=11))
    assert np.array_equal(volume.values, STORED)
    signed = (np.array([[[-1, -2048, 2047]]] * 2) & 0x0FFF).astype(np.uint16)
    volume = read_volume(save_series(tmp_path / "s", signed, BitsStored=12, HighBit=11, PixelRepresentation=1))
    assert volume.values[0, 0].tolist() == [-1, -2048, 2047]


def test_monochrome1_is_not_inverted(tmp_path):
    volume = read_volume(save_series(tmp_path, STORED, PhotometricInterpretation="MONOCHROME1"))
    assert np.array_equal(volume.values, STORED)


def test_one_bit_is_zero_and_one(tmp_path):
    bits = np.random.default_rng(0).integers(0, 2, (2, 4, 4)).astype(np.uint8)
    tags = {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0, "Modality": "OT"}
    own = [{"PixelData": np.packbits(one.ravel(), bitorder="little").tobytes()} for one in bits]
    assert np.array_equal(read_volume(save_series(tmp_path, bits, per_slice=own, **tags)).values, bits)


def test_colour_is_a_volume_of_three_channels(tmp_path):
    colours = np.random.default_rng(0).integers(0, 255, (2, 3, 4, 3)).astype(np.uint8)
    tags = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0, "NumberOfFrames": 1}
    own = [{"Rows": 3, "Columns": 4, "PixelData": one.tobytes()} for one in colours]
    volume = read_volume(save_series(tmp_path, colours, per_slice=own, **tags))
    assert volume.is_color
    assert volume.unit == ""
    assert np.array_equal(volume.values, colours)


def test_compressed_slices_are_the_same(tmp_path):
    paths = save_series(tmp_path, STORED)
    plain = read_volume(paths)
    for path in paths:
        dataset = dcmread(path)
        dataset.compress(RLELossless, generate_instance_uid=False)
        dataset.save_as(path)
    assert np.array_equal(read_volume(paths).values, plain.values)


@pytest.mark.filterwarnings("ignore:Invalid value for VR DS")
@pytest.mark.parametrize("slope", [0, "nan", "1e999"])
def test_a_slope_without_meaning_is_refused(tmp_path, slope):
    with pytest.raises(DataError, match="no unit"):
        read_volume(save_series(tmp_path, STORED, RescaleSlope=slope, RescaleIntercept=0))


def test_one_frame_is_read_without_decoding_the_others(tmp_path, monkeypatch):
    groups = [make_frame_group(position=(0, 0, 30 - 3 * index)) for index in range(5)]
    frames = np.arange(5, dtype=np.uint16)[:, None, None] + np.zeros((5, 2, 3), np.uint16)
    path = save_enhanced(tmp_path / "mr", frames, groups)
    decoded = []
    decode = dicom_values.decode_frame
    monkeypatch.setattr(dicom_values, "decode_frame", lambda data, index: decoded.append(index) or decode(data, index))
    one = read_volume([path], frame=3)
    assert decoded == [3]
    assert one.values.tolist() == [[[3, 3, 3], [3, 3, 3]]]
    assert one.geometry.origin_mm_lps == (0.0, 0.0, 21.0)
    assert one.geometry.spacing_mm_zyx == (3.0, 0.8, 0.7)
    with pytest.raises(DataError, match="no frame 5: the file has 5"):
        read_volume([path], frame=5)


def test_absurd_sizes_are_refused_before_memory_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(dicom_values, "MAX_VOXELS", 20)
    with pytest.raises(DataError, match="a size that firstread does not read"):
        read_volume(save_series(tmp_path, STORED))


def test_a_private_compression_is_refused(tmp_path):
    paths = save_series(tmp_path, STORED)
    dataset = dcmread(paths[0])
    dataset.file_meta.TransferSyntaxUID = "1.2.840.113619.5.2"
    dataset.save_as(paths[0], enforce_file_format=True, implicit_vr=False, little_endian=True)
    with pytest.raises(DataError, match=r"no decoder here reads: 1.2.840.113619.5.2"):
        read_volume(paths)


def test_a_series_with_a_truncated_file_is_refused(tmp_path):
    paths = save_series(tmp_path, STORED)
    content = paths[1].read_bytes()
    paths[1].write_bytes(content[:-5])
    with pytest.raises(DataError, match="fewer pixels than its header promises"):
        read_volume(paths)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return save_dicom(
        tmp_path_factory.mktemp("whole") / "ct",
        STORED[0],
        ImagePositionPatient=[0, 0, 0],
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        PixelSpacing=[1, 1],
        SliceThickness=5,
        RescaleSlope=1,
        RescaleIntercept=-1024,
    ).read_bytes()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 0.999), value=st.integers(0, 255))
def test_a_wrong_byte_is_a_volume_or_a_sentence(tmp_path, whole, place, value):
    offset = int(place * len(whole))
    (tmp_path / "changed").write_bytes(whole[:offset] + bytes([value]) + whole[offset + 1 :])
    try:
        outcome = read_volume([tmp_path / "changed"]).geometry.describe()
    except FirstreadError as error:
        outcome = str(error)
    assert "voxels (z, y, x)" in outcome or "Where" in outcome
    assert "SECRET" not in outcome
