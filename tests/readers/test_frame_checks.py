"""Frames are checked when a file is opened: all of them, or a spread of them where there are very many."""

import struct

import numpy as np
import pytest
from pydicom import Dataset, Sequence, dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import ExplicitVRBigEndian, RLELossless

from firstread.core.errors import DataError
from firstread.core.images import read_image, read_info
from firstread.dicom.headers import NoImageError
from firstread.readers import frame_checks

from .dicom_files import make_dicom, save_dicom

JPEG_2000 = "pydicom-data/emri_small_jpeg_2k_lossless.dcm"
RAMP = np.arange(100, dtype=np.uint16).reshape(10, 10)


def frames_of(path):
    dataset = dcmread(path)
    return dataset, list(generate_frames(dataset.PixelData, number_of_frames=int(dataset.NumberOfFrames)))


def save_frames(path, dataset, frames, count=None):
    dataset.PixelData = encapsulate(frames)
    dataset.NumberOfFrames = len(frames) if count is None else count
    dataset.save_as(path)
    return path


@pytest.mark.parametrize("damaged", range(10))
def test_one_damaged_frame_of_ten_is_found(shared_data, tmp_path, damaged):
    dataset, frames = frames_of(shared_data / JPEG_2000)
    frames[damaged] = frames[damaged][:40] + bytes(len(frames[damaged]) - 40)
    with pytest.raises(DataError, match="cannot be decoded"):
        read_info(save_frames(tmp_path / "a.dcm", dataset, frames))


def test_fewer_frames_than_promised_are_found(shared_data, tmp_path):
    dataset, frames = frames_of(shared_data / JPEG_2000)
    with pytest.raises(DataError, match=r"cannot be decoded|is broken|cut short"):
        read_info(save_frames(tmp_path / "a.dcm", dataset, frames[:6], count=10))


@pytest.mark.parametrize("damage", ["empty", "cut", "missing", "first", "last"])
def test_of_very_many_frames_all_are_looked_at_and_some_decoded(shared_data, tmp_path, monkeypatch, damage):
    monkeypatch.setattr(frame_checks, "MAX_DECODED_FRAMES", 4)
    decoded = []
    decode = frame_checks.decode_frame
    monkeypatch.setattr(
        frame_checks, "decode_frame", lambda dataset, index: decoded.append(index) or decode(dataset, index)
    )
    dataset, frames = frames_of(shared_data / JPEG_2000)
    read_info(save_frames(tmp_path / "whole.dcm", dataset, frames))
    assert decoded == [0, 3, 6, 9]
    count = len(frames)
    if damage == "missing":
        frames = frames[:-1]
    else:
        index = {"first": 0, "last": 9}.get(damage, 4)
        middle = len(frames[index]) // 2
        frames[index] = {"empty": b"\0\0", "cut": frames[index][:middle]}.get(damage, frames[index][:40] + b"\xff\xd9")
    with pytest.raises(DataError, match=r"cannot be decoded|cut short|is broken"):
        read_info(save_frames(tmp_path / "a.dcm", dataset, frames, count=count))


def test_a_long_file_that_is_not_compressed_is_not_read_whole(tmp_path, monkeypatch):
    pixels = np.stack([np.full((128, 128), value, np.uint16) for value in range(50)])
    path = save_dicom(tmp_path / "cine.dcm", pixels, Modality="XA")
    sizes = []
    decode = frame_checks.decode_frame
    monkeypatch.setattr(
        frame_checks,
        "decode_frame",
        lambda dataset, index: sizes.append(len(dataset.PixelData)) or decode(dataset, index),
    )
    assert read_info(path).frames == 50
    assert sizes == [128 * 128 * 2]


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16])
def test_the_first_frame_stands_for_all_in_either_byte_order(tmp_path, kind):
    pixels = np.arange(40 * 96 * 96).reshape(40, 96, 96).astype(kind)
    little = save_dicom(tmp_path / "little.dcm", pixels, Modality="XA")
    dataset = make_dicom(pixels.astype(pixels.dtype.newbyteorder(">")), Modality="XA")
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    dataset["PixelData"].VR = "OW"
    dataset.save_as(tmp_path / "big.dcm", implicit_vr=False, little_endian=False, enforce_file_format=True)
    assert read_info(tmp_path / "big.dcm").frames == read_info(little).frames == 40
    if kind != np.uint8:
        assert np.array_equal(read_image(tmp_path / "big.dcm", frame=39), read_image(little, frame=39))


def test_the_window_of_every_frame_is_tried_out(tmp_path):
    def group(depth):
        lut, frame, voi = Dataset(), Dataset(), Dataset()
        lut.LUTDescriptor, lut.LUTData = [4, 0, depth], [0, 10, 200, 255]
        lut["LUTData"].VR = "US"
        voi.VOILUTSequence = Sequence([lut])
        frame.FrameVOILUTSequence = Sequence([voi])
        return frame

    pixels = np.zeros((3, 10, 10), np.uint16)
    for depths, is_read in (((8, 8, 8), True), ((8, 8, 99), False)):
        groups = Sequence([group(depth) for depth in depths])
        path = save_dicom(tmp_path / "a.dcm", pixels, PerFrameFunctionalGroupsSequence=groups)
        if is_read:
            assert read_info(path).frames == 3
        else:
            with pytest.raises(DataError, match="is broken"):
                read_info(path)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("name", [JPEG_2000, "pydicom-data/emri_small_RLE.dcm", "pydicom-data/693_J2KR.dcm"])
def test_a_cut_compressed_file_never_counts_as_a_report(shared_data, tmp_path, name, share):
    content = (shared_data / name).read_bytes()
    (tmp_path / "cut.dcm").write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError) as error:
        read_info(tmp_path / "cut.dcm")
    assert not isinstance(error.value, NoImageError)


def test_a_file_cut_anywhere_before_its_pixels_is_no_report_once_it_names_its_kind(tmp_path):
    content = save_dicom(tmp_path / "whole.dcm", RAMP).read_bytes()
    for end in range(400, len(content), 7):
        (tmp_path / "cut.dcm").write_bytes(content[:end])
        with pytest.raises(DataError) as error:
            read_info(tmp_path / "cut.dcm")
        assert not isinstance(error.value, NoImageError), end


@pytest.mark.parametrize(
    "sop_class",
    [
        "1.2.840.10008.5.1.4.1.1.88.11",  # Basic Text SR
        "1.2.840.10008.5.1.4.1.1.481.3",  # RT Structure Set
        "1.2.840.10008.5.1.4.1.1.11.1",  # Grayscale Softcopy Presentation State
        "1.2.840.10008.5.1.4.1.1.66.5",  # Surface Segmentation
        "1.2.840.10008.5.1.4.1.1.104.1",  # Encapsulated PDF
        "1.2.840.10008.1.3.10",  # DICOMDIR
    ],
)
def test_objects_of_kinds_without_pixels_are_no_images(tmp_path, sop_class):
    dataset = make_dicom(RAMP, SOPClassUID=sop_class)
    dataset.file_meta.MediaStorageSOPClassUID = sop_class
    for name in ("PixelData", "Rows", "Columns"):
        delattr(dataset, name)
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    with pytest.raises(NoImageError, match=r"holds no image \("):
        read_info(tmp_path / "a.dcm")


def write_implicit(path, dataset):
    """Write elements as they are, without pydicom's check that a dataset is complete."""
    content = b""
    for tag in sorted(dataset.keys()):
        value = dataset.get_item(tag).value  # as it was read
        content += struct.pack("<HHL", tag.group, tag.element, len(value)) + value
    path.write_bytes(content)


@pytest.mark.parametrize("missing", ["BitsAllocated", "BitsStored", "PixelRepresentation", "PhotometricInterpretation"])
def test_what_would_have_to_be_guessed_is_named(tmp_path, missing):
    dataset = dcmread(save_dicom(tmp_path / "a.dcm", RAMP, preamble=False), force=True)
    delattr(dataset, missing)
    write_implicit(tmp_path / "a.dcm", dataset)
    with pytest.raises(DataError, match=f"does not state its {missing}"):
        read_info(tmp_path / "a.dcm")


def test_samples_follow_from_the_photometric_interpretation(tmp_path):
    dataset = make_dicom(RAMP)
    whole = save_dicom(tmp_path / "whole.dcm", RAMP)
    del dataset.SamplesPerPixel
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    assert np.array_equal(read_image(tmp_path / "a.dcm"), read_image(whole))


@pytest.mark.parametrize("spelling", ["monochrome2", " MONOCHROME2 ", "Monochrome2"])
def test_spellings_of_the_photometric_interpretation(tmp_path, spelling):
    whole = save_dicom(tmp_path / "whole.dcm", RAMP)
    other = save_dicom(tmp_path / "other.dcm", RAMP, PhotometricInterpretation=spelling)
    assert np.array_equal(read_image(other), read_image(whole))


def test_a_compression_without_a_decoder_is_named(tmp_path):
    dataset = make_dicom(RAMP)
    dataset.PixelData = encapsulate([b"\0" * 20])
    dataset["PixelData"].VR = "OB"
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.90"
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    content = (tmp_path / "a.dcm").read_bytes()
    (tmp_path / "a.dcm").write_bytes(content.replace(b"1.2.840.10008.1.2.4.90", b"1.2.840.10008.1.2.4.11"))
    with pytest.raises(DataError, match=r"no decoder here reads: 1\.2\.840\.10008\.1\.2\.4\.11 of 16 bits"):
        read_info(tmp_path / "a.dcm")


def test_a_broken_run_length_is_found(tmp_path):
    dataset = make_dicom(RAMP)
    dataset.compress(RLELossless)
    dataset.save_as(tmp_path / "whole.dcm", enforce_file_format=True)
    assert read_info(tmp_path / "whole.dcm").rows == 10
    dataset.PixelData = encapsulate([b"\2" + bytes(63) + b"\1\2\3\4"])
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    with pytest.raises(DataError, match=r"RLE .* are broken"):
        read_info(tmp_path / "a.dcm")


def test_a_deflated_file_that_is_cut_is_broken(shared_data, tmp_path):
    content = (shared_data / "pydicom-tests/src/pydicom/data/test_files/image_dfl.dcm").read_bytes()
    (tmp_path / "a.dcm").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"is broken|cut short") as error:
        read_info(tmp_path / "a.dcm")
    assert not isinstance(error.value, NoImageError)
