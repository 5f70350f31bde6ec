"""Images with drawn text, and detectors that are known to find it, for the tests of pixels."""

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from firstread.deidentification.text_detector import Box, ReadText, TextBox
from firstread.phantoms.archive.drawn_text import TextLine, draw_line
from firstread.phantoms.archive.pixel_data import set_pixels
from firstread.phantoms.archive.studies import Instance

#: ink of the fake detector: nothing else in a picture is so bright
INK = 255


class FakeDetector:
    """Finds lines of pure white, at any size, and reads what it was told to."""

    def __init__(self, text="HIDDEN, Harriet", *, score=0.9, read_score=0.95):
        self.text, self.score, self.read_score = text, score, read_score
        self.looks = 0

    def find(self, picture):
        self.looks += 1
        ink = (picture >= INK - 5).all(axis=-1)
        if not ink.any():
            return ()
        y, x = np.nonzero(ink)
        box = Box(int(y.min()), int(x.min()), int(y.max()) + 1, int(x.max()) + 1)
        return (TextBox(box, self.score),)

    def read(self, picture):
        return ReadText(self.text, self.read_score)


class Blind:
    """Finds nothing."""

    def find(self, picture):
        return ()

    def read(self, picture):
        raise AssertionError("nothing was found that could be read")


def gray_image(pixels, **values):
    """A secondary capture of Hidden^Harriet from stored values: (H, W) or (frames, H, W) of 8 or 16 bits."""
    pixels = np.asarray(pixels)
    dataset = start()
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    if pixels.ndim == 3:
        dataset.NumberOfFrames = len(pixels)
    bits = 8 * pixels.dtype.itemsize
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    data = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset["PixelData"].VR = "OB" if bits == 8 else "OW"
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def colour_image(frames, photometric="RGB", *, planar=0, transfer_syntax=ExplicitVRLittleEndian):
    """Frames of RGB, (frames, H, W, 3), stored in a photometric interpretation and transfer syntax."""
    dataset = start()
    if len(frames) > 1:
        dataset.NumberOfFrames = len(frames)
    instance = Instance(dataset)
    set_pixels(instance, frames, photometric, planar=planar, transfer_syntax=transfer_syntax)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(instance.transfer_syntax)
    dataset["PixelData"].is_undefined_length = instance.transfer_syntax.is_encapsulated
    return dataset


def start():
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.set_original_encoding(False, True, "iso8859")
    dataset.SOPClassUID = SecondaryCaptureImageStorage
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID = "1.2.3.1", "1.2.3.2", "1.2.3.3"
    dataset.Modality, dataset.PatientName, dataset.PatientID = "OT", "Hidden^Harriet", "H-4711-0815"
    dataset.PatientBirthDate = "19700321"
    return dataset


def bars(*, frames=1, rows=96, columns=128, line=True):
    """Frames of RGB: a red bar on the left, a blue one on the right, a white block at the top if there is a line."""
    image = np.full((frames, rows, columns, 3), 40, np.uint8)
    image[:, 30:, 8:24] = (220, 20, 20)
    image[:, 30:, -24:-8] = (20, 20, 220)
    if line:
        image[:, 4:14, 30:90] = INK
    return image


def noisy(rows=256, columns=256, *, seed=0, level=90, sigma=8):
    """Gray noise as floats, without text."""
    return np.random.default_rng(seed).normal(level, sigma, (rows, columns))


def with_line(pixels, text, *, corner=(40, 30), size_px=16, contrast=150):
    """A copy of float pixels with a line of text in it, as uint8; and the box of its ink."""
    pixels = pixels.copy()
    box = draw_line(pixels, TextLine(text, size_px=size_px, contrast=contrast), corner=corner)
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8), box
