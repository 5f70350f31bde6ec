"""The DICOM pixel reader: windows, LUTs, frames, limits, broken files, and error messages without identity."""

import io
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import Dataset, Sequence, dcmwrite
from pydicom.uid import DeflatedExplicitVRLittleEndian

from firstread.core.errors import DataError, FirstreadError, SettingError
from firstread.core.images import read_image, read_info, read_volume
from firstread.dicom import headers
from firstread.readers.dicom_pixels import count_frames, read_dicom, read_header

from .dicom_files import make_dicom, save_dicom

RAMP = np.arange(-1000, 1000, 20, dtype=np.int16).reshape(10, 10)


def test_the_window_of_the_file_is_used_by_default(tmp_path):
    path = save_dicom(tmp_path / "ct", RAMP, WindowCenter=[40, 600], WindowWidth=[400, 2800])
    image = read_dicom(path)
    assert image.dtype == np.uint8
    assert (image[RAMP <= -160] == 0).all()
    assert (image[RAMP >= 240] == 255).all()
    assert 120 < image[RAMP == 40][0] < 135


def test_hounsfield_units_come_from_slope_and_intercept(tmp_path):
    plain = save_dicom(tmp_path / "plain", RAMP)
    shifted = save_dicom(tmp_path / "shifted", (RAMP + 1024).astype(np.uint16), RescaleSlope=1, RescaleIntercept=-1024)
    assert np.array_equal(read_dicom(plain, window="lung"), read_dicom(shifted, window="lung"))


def test_monochrome1_is_turned_over_and_padding_stays_black(tmp_path):
    pixels = RAMP.copy()
    pixels[0, 0] = -2000
    tags = {"WindowCenter": 0, "WindowWidth": 2000, "PixelPaddingValue": -2000}
    two = read_dicom(save_dicom(tmp_path / "two", pixels, **tags))
    one = read_dicom(save_dicom(tmp_path / "one", pixels, PhotometricInterpretation="MONOCHROME1", **tags))
    assert one[0, 0] == two[0, 0] == 0
    assert np.array_equal(one.ravel()[1:], 255 - two.ravel()[1:])


def test_padding_does_not_stretch_the_range(tmp_path):
    pixels = np.where(np.arange(100).reshape(10, 10) < 30, -30000, RAMP).astype(np.int16)
    path = save_dicom(tmp_path / "padded", pixels, PixelPaddingValue=-30000)
    image = read_dicom(path, window="full")
    assert image[pixels > -30000].min() == 0
    assert image.max() == 255


def test_eight_bits_without_a_window_are_left_as_they_are(tmp_path):
    pixels = np.arange(100, dtype=np.uint8).reshape(10, 10)
    path = save_dicom(tmp_path / "us", pixels, Modality="US")
    assert np.array_equal(read_dicom(path), pixels)


def test_a_lookup_table_goes_before_the_window(tmp_path):
    item = Dataset()
    item.LUTDescriptor, item.LUTData = [4, 0, 8], [0, 10, 200, 255]
    item["LUTData"].VR = "US"
    pixels = np.array([[0, 1], [2, 9]], np.uint16)
    path = save_dicom(tmp_path / "lut", pixels, VOILUTSequence=Sequence([item]), WindowCenter=1, WindowWidth=2)
    assert read_dicom(path).tolist() == [[0, 10], [200, 255]]


def test_each_frame_has_the_window_and_the_units_of_its_own(tmp_path):
    def group(center: float, intercept: float) -> Dataset:
        window, value, frame = Dataset(), Dataset(), Dataset()
        window.WindowCenter, window.WindowWidth = center, 100
        value.RescaleSlope, value.RescaleIntercept, value.RescaleType = 1, intercept, "HU"
        frame.FrameVOILUTSequence, frame.PixelValueTransformationSequence = Sequence([window]), Sequence([value])
        return frame

    pixels = np.full((2, 4, 4), 50, np.uint16)
    groups = Sequence([group(50, 0), group(50, -1000)])
    path = save_dicom(tmp_path / "enhanced", pixels, PerFrameFunctionalGroupsSequence=groups)
    assert abs(int(read_dicom(path, frame=0)[0, 0]) - 128) < 3
    assert read_dicom(path, frame=1)[0, 0] == 0


def test_frames_are_counted_and_chosen(tmp_path):
    pixels = np.stack([np.full((4, 4), value, np.uint8) for value in (10, 20, 30)])
    path = save_dicom(tmp_path / "cine", pixels)
    assert count_frames(path) == 3
    assert read_dicom(path)[0, 0] == 10
    assert read_dicom(path, frame=2)[0, 0] == 30
    with pytest.raises(DataError, match="no frame 3"):
        read_dicom(path, frame=3)


@pytest.mark.parametrize("name", ["IM000001", "scan.dcm", "scan.img"])
def test_neither_name_nor_preamble_matters(tmp_path, name):
    bare = save_dicom(tmp_path / "bare" / name, RAMP, preamble=False)
    whole = save_dicom(tmp_path / "whole" / name, RAMP)
    assert np.array_equal(read_image(bare), read_image(whole))


def test_the_header_tells_no_person(tmp_path):
    header = read_header(save_dicom(tmp_path / "ct", RAMP))
    assert header["modality"] == "CT"
    assert header["rows"] == header["columns"] == 10
    assert "SECRET" not in str(header)
    assert header["patient"].startswith("P")
    assert header["patient"] == read_header(save_dicom(tmp_path / "again", RAMP))["patient"]
    assert header["patient"] != read_header(save_dicom(tmp_path / "other", RAMP, PatientID="2"))["patient"]


def test_a_ct_window_on_another_modality_is_refused(tmp_path):
    with pytest.raises(SettingError, match="is for CT"):
        read_dicom(save_dicom(tmp_path / "mr", RAMP, Modality="MR"), window="lung")


def test_empty_missing_and_foreign_files_are_refused(tmp_path):
    (tmp_path / "empty.dcm").touch()
    (tmp_path / "text.dcm").write_text("this is a letter, not an image\n" * 20)
    with pytest.raises(DataError, match="empty"):
        read_dicom(tmp_path / "empty.dcm")
    with pytest.raises(DataError):
        read_dicom(tmp_path / "text.dcm")
    with pytest.raises(DataError, match="no such file"):
        read_dicom(tmp_path / "nothing.dcm")
    with pytest.raises(DataError):
        read_dicom(tmp_path)


def test_fewer_pixels_than_promised_are_refused_without_telling_who(tmp_path):
    path = save_dicom(tmp_path / "short", RAMP, Rows=500)
    with pytest.raises(DataError, match="fewer pixels than its header promises") as error:
        read_dicom(path)
    assert "SECRET" not in str(error.value)
    with pytest.raises(DataError, match="fewer pixels"):
        read_header(path)


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"Rows": 60000, "Columns": 60000}, "more than firstread decodes"),
        ({"NumberOfFrames": 2_000_000_000}, "claims to have"),
        ({"Rows": 0}, "does not state its Rows"),
    ],
)
def test_absurd_sizes_are_refused_before_anything_is_decoded(tmp_path, tags, words):
    with pytest.raises(DataError, match=words):
        read_dicom(save_dicom(tmp_path / "absurd", RAMP, **tags))


def test_a_deflated_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(headers, "MAX_INFLATED_BYTES", 1_000_000)
    dataset = make_dicom(np.zeros((2000, 2000), np.uint16))
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dcmwrite(tmp_path / "bomb.dcm", dataset, enforce_file_format=True)
    assert (tmp_path / "bomb.dcm").stat().st_size < 50_000
    with pytest.raises(DataError, match="unpacks to more"):
        read_dicom(tmp_path / "bomb.dcm")
    monkeypatch.undo()
    assert read_dicom(tmp_path / "bomb.dcm").shape == (2000, 2000)
    assert zlib.ZLIB_VERSION


def _file_bytes() -> bytes:
    stream = io.BytesIO()
    dcmwrite(stream, make_dicom(RAMP, WindowCenter=40, WindowWidth=400), enforce_file_format=True)
    return stream.getvalue()


COMPLETE_FILE = _file_bytes()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, len(COMPLETE_FILE) - 1))
def test_a_file_cut_anywhere_is_refused_in_a_sentence(tmp_path, cut):
    path = tmp_path / "cut.dcm"
    path.write_bytes(COMPLETE_FILE[:cut])
    with pytest.raises(FirstreadError) as error:
        read_dicom(path)
    assert "SECRET" not in str(error.value)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(offset=st.integers(0, len(COMPLETE_FILE) - 1), value=st.integers(0, 255))
def test_a_file_with_a_wrong_byte_is_an_image_or_a_sentence(tmp_path, offset, value):
    path = tmp_path / "changed.dcm"
    path.write_bytes(COMPLETE_FILE[:offset] + bytes([value]) + COMPLETE_FILE[offset + 1 :])
    try:
        outcome = str(read_dicom(path).dtype)
    except FirstreadError as error:
        outcome = str(error)
    assert outcome == "uint8" or "What to do" in outcome or "Expected" in outcome or "Where" in outcome
    assert "SECRET" not in outcome


@pytest.mark.parametrize(
    "tags",
    [
        {"RescaleSlope": 0, "RescaleIntercept": -1024},
        {"RescaleSlope": "", "RescaleIntercept": ""},
        {"RescaleIntercept": -1024},
        {"RescaleSlope": 2},
        {"RescaleSlope": [], "RescaleIntercept": 5},
    ],
)
def test_a_rescale_that_cannot_be_used_is_ignored_and_named_where_a_unit_is_asked(tmp_path, tags):
    path = save_dicom(tmp_path / "a", RAMP, WindowCenter=0, WindowWidth=500, **tags)
    plain = save_dicom(tmp_path / "b", RAMP, WindowCenter=0, WindowWidth=500)
    assert np.array_equal(read_dicom(path), read_dicom(plain))
    assert np.array_equal(read_dicom(path, window="full"), read_dicom(plain, window="full"))
    assert read_info(path).unit == ""
    with pytest.raises(DataError, match="no number, so the values have no unit"):
        read_volume(path)
    with pytest.raises(DataError, match="no window in Hounsfield units fits"):
        read_dicom(path, window="abdomen")


def test_a_rescale_slope_that_is_no_number_is_ignored(tmp_path):
    path = save_dicom(tmp_path / "a", RAMP, RescaleSlope="12345678", RescaleIntercept="0")
    path.write_bytes(path.read_bytes().replace(b"12345678", b"no numbr"))
    assert np.array_equal(read_dicom(path, window="full"), read_dicom(save_dicom(tmp_path / "b", RAMP), window="full"))
    assert read_info(path).geometry is None


def test_a_huge_slope_overflows_nothing(tmp_path):
    path = save_dicom(tmp_path / "a", RAMP, RescaleSlope="1e300", RescaleIntercept="0")
    assert read_dicom(path).dtype == np.uint8
    assert read_info(path).rows == 10


def palette(tmp_path, entries, *, depth=16):
    tags = {}
    for color, values in zip(("Red", "Green", "Blue"), entries, strict=True):
        tags[f"{color}PaletteColorLookupTableDescriptor"] = [len(values), 0, depth]
        tags[f"{color}PaletteColorLookupTableData"] = np.array(values, "<u2").tobytes()
    pixels = np.arange(4, dtype=np.uint8).reshape(2, 2)
    return save_dicom(tmp_path / "palette", pixels, PhotometricInterpretation="PALETTE COLOR", Modality="US", **tags)


def test_a_palette_of_8_bits_stored_in_16_is_not_black(tmp_path):
    entries = [[0, 100, 200, 255], [0, 0, 50, 255], [255, 0, 10, 255]]
    for depth in (8, 16):
        shown = read_dicom(palette(tmp_path, entries, depth=depth))
        assert shown.reshape(4, 3).T.tolist() == entries


def test_a_palette_of_16_bits_is_scaled(tmp_path):
    shown = read_dicom(palette(tmp_path, [[0, 257, 65535, 128 * 257]] * 3))
    assert shown[..., 0].ravel().tolist() == [0, 1, 255, 128]


@pytest.mark.parametrize("name", ["OBXXXX1A", "OBXXXX1A_2frame", "rtdose", "rtdose_1frame"])
def test_big_and_little_endian_are_one_picture(shared_data, name):
    little = next(shared_data.rglob(f"{name}.dcm"))
    big = next(shared_data.rglob(name.replace("_", "_expb_") + ".dcm" if "_" in name else f"{name}_expb.dcm"))
    last = read_info(little).frames - 1
    assert np.array_equal(read_dicom(little, frame=last), read_dicom(big, frame=last))
    assert np.array_equal(read_dicom(little, frame=last), read_dicom(big, frame=last))
