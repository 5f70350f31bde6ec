"""Factories of small DICOM files and series for tests."""

from pathlib import Path

import numpy as np
from pydicom import Dataset, Sequence
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, EnhancedMRImageStorage, ExplicitVRLittleEndian, generate_uid


def make_dicom(pixels: np.ndarray, **tags) -> Dataset:
    """A CT slice (H, W) or stack (F, H, W) of 16-bit pixels, with patient identity that must not leak."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = CTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
    dataset.PatientName, dataset.PatientID = "SECRET^PERSON", "ID-SECRET-77"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3", "1.2.3.4"
    dataset.Modality, dataset.InstanceNumber = "CT", 1
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    if pixels.ndim == 3:
        dataset.NumberOfFrames = len(pixels)
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = pixels.dtype.itemsize * 8
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    for name, value in tags.items():
        setattr(dataset, name, value)
    return dataset


def save_dicom(path: Path, pixels: np.ndarray, *, preamble: bool = True, **tags) -> Path:
    """Write `make_dicom` to `path`; returns it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset = make_dicom(pixels, **tags)
    if preamble:
        dataset.save_as(path, enforce_file_format=True)
    else:
        del dataset.file_meta
        dataset.save_as(path, implicit_vr=True, little_endian=True)
    return path


AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def save_series(
    folder: Path, values: np.ndarray, *, positions=None, orientation=AXIAL, spacing=(0.8, 0.7), per_slice=None, **tags
) -> list[Path]:
    """Write slices (z, y, x) as single-frame files whose names and numbers say nothing of their order.

    Args:
        positions: (z, 3) ImagePositionPatient; None is every 5 mm along the normal.
        per_slice: for each slice more tags.
    """
    normal = np.cross(orientation[:3], orientation[3:])
    if positions is None:
        positions = np.array([-100.0, -120.0, 30.0]) + np.outer(np.arange(len(values)), 5 * normal)
    paths = []
    for index, name in enumerate(np.random.default_rng(0).permutation(len(values))):
        own = {"InstanceNumber": int(name) + 1, **tags, **(per_slice[index] if per_slice else {})}
        place = {
            "ImagePositionPatient": [f"{value:.10g}" for value in positions[index]],
            "ImageOrientationPatient": [f"{value:.10g}" for value in orientation],
            "PixelSpacing": list(spacing),
            "FrameOfReferenceUID": "1.2.3.5",
        }
        paths.append(save_dicom(folder / f"{name:03d}.dcm", values[index], **{**place, **own}))
    return sorted(paths)


def make_frame_group(*, position, tags=None, rescale=None) -> Dataset:
    """Functional groups of one frame: its position, more groups of one item, and slope and intercept."""
    groups = {"PlanePositionSequence": {"ImagePositionPatient": list(position)}, **(tags or {})}
    if rescale:
        groups["PixelValueTransformationSequence"] = {
            "RescaleSlope": rescale[0],
            "RescaleIntercept": rescale[1],
            "RescaleType": "US",
        }
    return make_groups(groups)


def make_groups(groups: dict[str, dict]) -> Dataset:
    """Sequences of one item each."""
    result = Dataset()
    for keyword, values in groups.items():
        item = Dataset()
        for name, value in values.items():
            setattr(item, name, value)
        setattr(result, keyword, Sequence([item]))
    return result


def save_enhanced(path: Path, frames: np.ndarray, per_frame: list[Dataset], **tags) -> Path:
    """An enhanced MR of frames (F, H, W) with axial slices of 0.8 x 0.7 mm."""
    shared = make_groups(
        {
            "PlaneOrientationSequence": {"ImageOrientationPatient": list(AXIAL)},
            "PixelMeasuresSequence": {"PixelSpacing": [0.8, 0.7], "SliceThickness": 4},
        }
    )
    values = {
        "SOPClassUID": EnhancedMRImageStorage,
        "Modality": "MR",
        "SharedFunctionalGroupsSequence": Sequence([shared]),
        "PerFrameFunctionalGroupsSequence": Sequence(per_frame),
    }
    return save_dicom(path, frames, **{**values, **tags})
