"""Pixel data in the photometric interpretations and transfer syntaxes of a department's machines."""

from io import BytesIO

import numpy as np
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, JPEGBaseline8Bit

from firstread.phantoms.archive.studies import Instance

#: quality of the lossy JPEG of ultrasound machines
JPEG_QUALITY = 85
_TO_YBR = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])


def set_pixels(
    instance: Instance,
    frames: np.ndarray,
    photometric: str,
    *,
    planar: int = 0,
    transfer_syntax: UID = ExplicitVRLittleEndian,
) -> None:
    """Store 8-bit frames: (frames, rows, columns), or (frames, rows, columns, 3) in RGB.

    Args:
        photometric: that the file states and holds: "MONOCHROME2", "RGB", "YBR_FULL", "YBR_FULL_422" or "YBR_RCT".
        planar: PlanarConfiguration of uncompressed colour.
        transfer_syntax: uncompressed, JPEG baseline (lossy) or one of pydicom's lossless ones.
    """
    dataset = instance.dataset
    colour = frames.ndim == 4
    dataset.SamplesPerPixel = 3 if colour else 1
    dataset.PhotometricInterpretation = photometric
    by_plane = planar == 1 and not transfer_syntax.is_encapsulated
    if colour:
        dataset.PlanarConfiguration = int(by_plane)  # encoders read colour by pixel
    dataset.Rows, dataset.Columns = frames.shape[1:3]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    instance.transfer_syntax = transfer_syntax
    if transfer_syntax == JPEGBaseline8Bit:
        _set_jpeg(instance, frames)
        return
    data = encode_colour(frames, photometric, by_plane=by_plane) if colour else frames.tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset["PixelData"].VR = "OB" if transfer_syntax.is_encapsulated else "OW"
    if photometric == "YBR_FULL_422":  # allowed by C.7.6.3.1.2, and in archives; dciodvfy knows it compressed only
        instance.violations += ["<YBR_FULL_422>", "PixelData has incorrect value length"]
    if transfer_syntax.is_encapsulated:
        compress(instance, transfer_syntax)
        if colour:
            dataset.PlanarConfiguration = planar


def transfer(instance: Instance, transfer_syntax: UID) -> None:
    """Give an instance with uncompressed 16-bit pixels another transfer syntax, without a loss."""
    if transfer_syntax.is_encapsulated:
        compress(instance, transfer_syntax)
        return
    if transfer_syntax == ExplicitVRBigEndian:
        swapped = np.frombuffer(instance.dataset.PixelData, "<u2").byteswap().tobytes()
        instance.dataset.PixelData = swapped
        instance.dataset["PixelData"].VR = "OW"
    instance.transfer_syntax = transfer_syntax


def compress(instance: Instance, transfer_syntax: UID) -> None:
    """Compress an instance's uncompressed pixels without a loss."""
    from pydicom.dataset import FileMetaDataset

    dataset = instance.dataset
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    plugin = {"RLE": "pydicom", "JPEG 2000": "pylibjpeg", "JPEG-LS": "pyjpegls"}
    name = next(plugin for start, plugin in plugin.items() if transfer_syntax.name.startswith(start))
    dataset.compress(transfer_syntax, encoding_plugin=name, generate_instance_uid=False)
    del dataset.file_meta
    instance.transfer_syntax = transfer_syntax


def encode_colour(frames: np.ndarray, photometric: str, *, by_plane: bool) -> bytes:
    """Uncompressed colour as bytes (PS3.3 C.7.6.3.1.2)."""
    if photometric in ("RGB", "YBR_RCT"):  # the encoder of JPEG 2000 turns RGB into YBR_RCT
        return (np.moveaxis(frames, -1, 1) if by_plane else frames).tobytes()
    ybr = to_ybr(frames)
    if photometric == "YBR_FULL":
        return (np.moveaxis(ybr, -1, 1) if by_plane else ybr).tobytes()
    pairs = ybr.reshape(*ybr.shape[:2], -1, 2, 3)  # Y1 Y2 Cb Cr of each two pixels
    chroma = pairs[..., 1:].astype(np.uint16).mean(axis=-2).round().astype(np.uint8)
    return np.concatenate([pairs[..., 0], chroma], axis=-1).tobytes()


def to_ybr(rgb: np.ndarray) -> np.ndarray:
    """RGB of 8 bits to YBR_FULL (PS3.3 C.7.6.3.1.2)."""
    ybr = rgb.astype(np.float32) @ _TO_YBR.T.astype(np.float32) + np.array([0, 128, 128], np.float32)
    return np.clip(np.rint(ybr), 0, 255).astype(np.uint8)


def _set_jpeg(instance: Instance, frames: np.ndarray) -> None:
    """JPEG baseline, colour with half the horizontal resolution of chroma, as ultrasound machines write it."""
    from PIL import Image

    parts = []
    for frame in frames:
        buffer = BytesIO()
        subsampling = {"subsampling": "4:2:2"} if frame.ndim == 3 else {}
        Image.fromarray(frame).save(buffer, format="JPEG", quality=JPEG_QUALITY, **subsampling)
        parts.append(buffer.getvalue())
    dataset = instance.dataset
    dataset.PixelData = encapsulate(parts)
    dataset["PixelData"].VR = "OB"
    dataset.LossyImageCompression = "01"
    dataset.LossyImageCompressionRatio = round(frames.nbytes / sum(map(len, parts)), 2)
    dataset.LossyImageCompressionMethod = "ISO_10918_1"
