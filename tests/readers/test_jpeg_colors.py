"""Colors of JPEG in DICOM: whatever the markers and the header say of them, black is black and red is red."""

import io

import numpy as np
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit

from firstread.readers.dicom_pixels import read_dicom

from .dicom_files import make_dicom

JFIF, ADOBE = 0xE0, 0xEE


def ultrasound(gray_share=0.9):
    """A gray picture with a black margin and a color bar, as of a Doppler: (48, 64, 3)."""
    rng = np.random.default_rng(0)
    gray = np.clip(rng.normal(90, 30, (48, 64)), 0, 255)
    gray[:, :16] = 0
    picture = np.repeat(gray[..., None], 3, axis=2)
    picture[8:40, 56:] = np.linspace((255, 0, 0), (0, 0, 255), 32)[:, None]
    return np.asarray(Image.fromarray(picture.astype(np.uint8)).resize((64, 48)))


def encode(picture, *, is_ycbcr, marker, subsampling=0, named=False):
    """A JPEG stream of RGB or YCbCr components with a JFIF marker, an Adobe marker or none."""
    stream = io.BytesIO()
    if is_ycbcr:  # Pillow converts RGB, and writes a JFIF marker
        Image.fromarray(picture).save(stream, "JPEG", quality=98, subsampling=subsampling)
    else:  # keeps RGB, and writes an Adobe marker
        Image.fromarray(picture).save(stream, "JPEG", quality=98, subsampling=0, keep_rgb=True)
    data = without_markers(stream.getvalue())
    if not is_ycbcr and not named:  # libjpeg names the components R, G, B; machines number them
        data = data.replace(b"R\x11\x00G\x11\x00B\x11\x00", b"\x01\x11\x00\x02\x11\x00\x03\x11\x00")
        data = data.replace(b"\x03R\x00G\x00B\x00", b"\x03\x01\x00\x02\x00\x03\x00")
    segments = {
        "jfif": b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00",
        "adobe": b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + bytes([is_ycbcr]),
        None: b"",
    }
    return data[:2] + segments[marker] + data[2:]


def without_markers(data):
    kept, offset = data[:2], 2
    while data[offset + 1] != 0xDA:
        end = offset + 2 + int.from_bytes(data[offset + 2 : offset + 4], "big")
        kept += b"" if data[offset + 1] in (JFIF, ADOBE) else data[offset:end]
        offset = end
    return kept + data[offset:]


def save(path, stream, photometric, shape):
    dataset = make_dicom(np.zeros(shape[:2], np.uint8), Modality="US", SamplesPerPixel=3, PlanarConfiguration=0)
    dataset.PhotometricInterpretation = photometric
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.PixelData = encapsulate([stream])
    dataset["PixelData"].VR = "OB"
    dataset.save_as(path, enforce_file_format=True)
    return path


PHOTOMETRIC = ("RGB", "YBR_FULL_422", "YBR_FULL", "rgb ")
STREAMS = ((True, "jfif"), (True, "adobe"), (True, None), (False, "adobe"), (False, None))


@pytest.mark.parametrize(
    ("photometric", "is_ycbcr", "marker"),
    [
        (photometric, is_ycbcr, marker)
        for photometric in PHOTOMETRIC
        for is_ycbcr, marker in STREAMS
        # of a stream without a marker, only the header can say that it is RGB
        if is_ycbcr or marker is not None or not photometric.startswith("YBR")
    ],
)
def test_colors_are_those_of_the_picture(tmp_path, photometric, is_ycbcr, marker):
    picture = ultrasound()
    path = save(tmp_path / "us.dcm", encode(picture, is_ycbcr=is_ycbcr, marker=marker), photometric, picture.shape)
    error = np.abs(read_dicom(path).astype(int) - picture)
    assert error.mean() < 3
    assert (read_dicom(path)[:, :12] < 25).all()


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL_422"])
@pytest.mark.parametrize("marker", ["adobe", None])
def test_components_that_are_called_red_green_and_blue_are(tmp_path, photometric, marker):
    picture = ultrasound()
    stream = encode(picture, is_ycbcr=False, marker=marker, named=True)
    path = save(tmp_path / "us.dcm", stream, photometric, picture.shape)
    assert np.abs(read_dicom(path).astype(int) - picture).mean() < 3


def test_subsampled_colors_are_ycbcr_whatever_the_header_says(tmp_path):
    noise = np.random.default_rng(1).integers(0, 255, (6, 8, 3)).astype(np.uint8)
    picture = np.asarray(Image.fromarray(noise).resize((64, 48), Image.Resampling.BICUBIC))  # as little gray as can be
    path = save(tmp_path / "us.dcm", encode(picture, is_ycbcr=True, marker=None, subsampling=2), "RGB", picture.shape)
    assert np.abs(read_dicom(path).astype(int) - picture).mean() < 10
