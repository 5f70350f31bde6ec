"""A tiny file of each registered format, for the contract tests."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from firstread.core.geometry import Geometry
from firstread.core.volume import Volume

PIXELS = np.random.default_rng(0).integers(0, 255, (12, 20)).astype(np.uint8)


def picture(ending: str) -> Callable[[Path], Path]:
    """Maker of a picture of noise, which compression cannot make short."""

    def write(folder: Path) -> Path:
        Image.fromarray(PIXELS).save(folder / f"tiny.{ending}")
        return folder / f"tiny.{ending}"

    return write


def dicom(folder: Path) -> Path:
    """A CT slice that states its place."""
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = CTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
    dataset.PatientID, dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1", "1.2.3", "1.2.3.4"
    dataset.Modality, dataset.InstanceNumber = "CT", 1
    dataset.Rows, dataset.Columns = PIXELS.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PixelRepresentation = 1, "MONOCHROME2", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
    dataset.PixelSpacing, dataset.SliceThickness = [0.8, 0.7], 5
    dataset.ImageOrientationPatient, dataset.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [-10, -20, 30]
    dataset.PixelData = (PIXELS.astype(np.uint16) * 8).tobytes()
    dataset.save_as(folder / "tiny.dcm", enforce_file_format=True)
    return folder / "tiny.dcm"


def nifti(folder: Path) -> Path:
    """Four slices in Hounsfield units."""
    from firstread.readers.nifti import write_nifti

    values = np.stack([PIXELS.astype(np.int16) + 10 * z for z in range(4)])
    grid = Geometry.from_spacing(values.shape, spacing_mm_zyx=(5, 0.8, 0.7))
    return write_nifti(folder / "tiny.nii.gz", Volume(values, grid, unit="HU"))


def phantom(folder: Path) -> Path:
    """Three slices of a simulated abdomen."""
    from firstread.phantoms.phantom_file import PhantomScan, write_phantom_file

    scan = PhantomScan(7, size_zyx=(3, 12, 16), spacing_mm_zyx=(30, 25, 25))
    return write_phantom_file(folder / "tiny.phantom", scan)


#: name of a registered reader -> maker of a file of its format in a folder
TINY_FILES: dict[str, Callable[[Path], Path]] = {
    "png": picture("png"),
    "jpeg": picture("jpg"),
    "tiff": picture("tif"),
    "bmp": picture("bmp"),
    "gif": picture("gif"),
    "webp": picture("webp"),
    "dicom": dicom,
    "nifti": nifti,
    "phantom": phantom,
}


def make_tiny_file(kind: str, folder: Path) -> Path:
    """A tiny file of a format."""
    assert kind in TINY_FILES, (
        f'A reader "{kind}" is registered; add a tiny file of it to tests/contracts/tiny_files.py'
    )
    return TINY_FILES[kind](folder)
