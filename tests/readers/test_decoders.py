"""Decoding of compressed DICOM pixels: broken streams are refused before a decoder can crash the process."""

import random

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate, get_frame

from firstread.core.errors import FirstreadError
from firstread.readers.dicom_pixels import read_dicom

LOSSLESS = "pydicom-data/JPGLosslessP14SV1_1s_1f_8b.dcm"
COMPRESSED = [
    LOSSLESS,
    "pydicom-data/emri_small_jpeg_2k_lossless.dcm",
    "pydicom-data/emri_small_jpeg_ls_lossless.dcm",
    "pydicom-data/emri_small_RLE.dcm",
    "pydicom-tests/src/pydicom/data/test_files/SC_rgb_jpeg_gdcm.dcm",
    "pydicom-tests/src/pydicom/data/test_files/SC_rgb_jpeg_dcmtk.dcm",
]


@pytest.mark.parametrize(
    ("offset", "value"),
    [(4, 255), (5, 1), (7, 1), (9, 3), (11, 0x22)],
    ids=["precision", "rows", "columns", "components", "sampling"],
)
def test_a_lossless_jpeg_must_say_what_the_dicom_header_says(shared_data, tmp_path, offset, value):
    dataset = dcmread(shared_data / LOSSLESS)
    stream = bytearray(get_frame(dataset.PixelData, 0, number_of_frames=1))
    stream[stream.index(b"\xff\xc3") + offset] = value
    dataset.PixelData = encapsulate([bytes(stream)])
    dataset.save_as(tmp_path / "changed.dcm")
    with pytest.raises(FirstreadError, match="cannot be decoded"):
        read_dicom(tmp_path / "changed.dcm")


@pytest.mark.parametrize("name", COMPRESSED)
def test_wrong_bytes_in_compressed_pixels_are_an_image_or_a_sentence(shared_data, tmp_path, name):
    content = (shared_data / name).read_bytes()
    rng = random.Random(0)
    for _ in range(25):
        data = bytearray(content)
        for _ in range(rng.choice([1, 3, 20])):
            data[rng.randrange(len(data) // 4, len(data))] = rng.randrange(256)
        (tmp_path / "x.dcm").write_bytes(data[: rng.choice([len(data), rng.randrange(len(data))])])
        try:
            outcome = str(read_dicom(tmp_path / "x.dcm").dtype)
        except FirstreadError as error:
            outcome = str(error)
        assert outcome == np.dtype(np.uint8).name or "Where" in outcome
