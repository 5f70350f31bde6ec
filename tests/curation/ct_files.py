"""Small CT series of phantoms as DICOM files, with the faults that a test asks for."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from firstread.curation.series_description import SeriesDescription, describe_series
from firstread.phantoms.abdomen import AbdomenPatient, simulate_ct

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SPACING_MM = (10.0, 4.1, 4.1)


@lru_cache(maxsize=16)
def abdomen(phase="portal", seed=4, slices=24, matrix=96):
    """Hounsfield units (z, y, x) of a phantom's abdomen, from the feet up."""
    patient = AbdomenPatient.draw(seed)
    grid = patient.geometry((slices, matrix, matrix), spacing_mm_zyx=SPACING_MM)
    return simulate_ct(patient, phase=phase, geometry=grid).values


def ramp(slices=6, size=16):
    """Pixels that are no body: each slice a gradient of its own."""
    rows = np.arange(size * size, dtype=np.int16).reshape(size, size)
    return np.stack([rows + 7 * index - 1000 for index in range(slices)])


def write_series(
    folder: Path,
    values: np.ndarray,
    *,
    heights=None,
    orientation=AXIAL,
    spacing=SPACING_MM,
    per_slice=None,
    **tags,
) -> list[Path]:
    """Write (z, y, x) Hounsfield units as one file a slice; names say nothing of the order.

    Args:
        heights: position of each slice along the normal; None is one every spacing[0].
        per_slice: further tags of each slice.
        tags: of all files; a value of None leaves a tag out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    normal = np.cross(orientation[:3], orientation[3:])
    heights = np.arange(len(values)) * spacing[0] if heights is None else heights
    series = tags.pop("SeriesInstanceUID", None) or generate_uid(entropy_srcs=[str(folder)])
    paths = []
    for index, name in enumerate(np.random.default_rng(1).permutation(len(values))):
        own = (
            {
                "PatientID": "P1",
                "StudyInstanceUID": "1.2.3",
                "SeriesInstanceUID": series,
                "SOPInstanceUID": generate_uid(entropy_srcs=[str(folder), str(index)]),
                "Modality": "CT",
                "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
                "InstanceNumber": len(values) - index,
                "ImagePositionPatient": [
                    round(float(v), 4) for v in np.array([-190.0, -190.0, 0.0]) + heights[index] * normal
                ],
                "ImageOrientationPatient": list(orientation),
                "PixelSpacing": list(spacing[1:]),
                "SliceThickness": spacing[0],
                "FrameOfReferenceUID": "1.2.3.5",
                "StudyDate": "20200102",
                "StudyTime": "101112",
            }
            | tags
            | (per_slice[index] if per_slice else {})
        )
        paths.append(_write(folder / f"{name:03d}.dcm", values[index], own))
    return sorted(paths)


def _write(path: Path, hounsfield: np.ndarray, tags: dict) -> Path:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = tags.get("SOPClassUID", CTImageStorage)
    meta.MediaStorageSOPInstanceUID = tags["SOPInstanceUID"]
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    stored = np.clip(np.rint(hounsfield) + 1024, 0, 4095).astype("<u2")
    dataset.Rows, dataset.Columns = stored.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = -1024, 1, "HU"
    for keyword, value in tags.items():
        if value is not None:
            setattr(dataset, keyword, value)
    dataset.PixelData = stored.tobytes()
    dataset["PixelData"].VR = "OW"
    dataset.save_as(path, enforce_file_format=True)
    return path


def describe(paths) -> SeriesDescription:
    """`describe_series` of files in one folder."""
    return describe_series(paths, root=paths[0].parent)


def kinds(found: SeriesDescription) -> list[str]:
    """Kinds of the faults, once each."""
    return sorted({str(fault["kind"]) for fault in found.faults})


def fault(found: SeriesDescription, kind: str) -> dict:
    """The one fault of a kind."""
    (row,) = [row for row in found.faults if row["kind"] == kind]
    return row
