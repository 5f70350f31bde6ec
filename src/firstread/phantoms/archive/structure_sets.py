"""RT Structure Set of a phantom's CT: the aorta and the lesions as closed contours on the slices."""

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, RTStructureSetStorage

from firstread.core.geometry import Geometry
from firstread.phantoms.archive.header_modules import add_instance, make_reference, split_time, start_dataset
from firstread.phantoms.archive.segmentations import REFERENCES
from firstread.phantoms.archive.studies import Instance, Series, Study
from firstread.phantoms.archive.truth import Stack

_ANGLES = np.linspace(0, 2 * np.pi, 25)[:-1]
_STUDY_COMPONENT = "1.2.840.10008.3.1.2.3.1"


def add_structure_set(study: Study, masks: dict[str, np.ndarray], geometry: Geometry, *, images: Series) -> Instance:
    """Add an RTSTRUCT whose contours refer to the slices that they lie on (PS3.3 A.19)."""
    series = study.open_series("RTSTRUCT", "Konturen")
    dataset = start_dataset(study, series, sop_class=RTStructureSetStorage)
    frame = images.instances[0].dataset.FrameOfReferenceUID
    dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator = frame, ""
    dataset.StructureSetLabel = "LIVER"
    dataset.StructureSetName = f"{study.identity.latin_family} {study.when:%d.%m.%Y}"
    dataset.StructureSetDate, dataset.StructureSetTime = split_time(study.when)
    dataset.ReferencedFrameOfReferenceSequence = [_referenced_frame(study, images, frame)]
    uids = _uids_by_height(images)
    regions = {name: mask for name, mask in masks.items() if name != "Liver"}
    dataset.StructureSetROISequence = Sequence(
        _region(number, name, frame) for number, name in enumerate(regions, start=1)
    )
    dataset.ROIContourSequence = Sequence(
        _contours(number, mask, geometry, uids) for number, mask in enumerate(regions.values(), start=1)
    )
    dataset.RTROIObservationsSequence = Sequence(_observation(number, study) for number in range(1, len(regions) + 1))
    dataset.ApprovalStatus = "APPROVED"
    dataset.ReviewDate, dataset.ReviewTime = split_time(study.when)
    dataset.ReviewerName = study.identity.radiologist
    instance = add_instance(series, dataset, study, number=1)
    del instance.dataset.ContentDate, instance.dataset.ContentTime
    instance.cases["(3006,0010)"] = instance.cases["(3006,0039)"] = REFERENCES
    series.stacks.append(Stack("structures", sop_instance_uids=(str(instance.dataset.SOPInstanceUID),)))
    return instance


def outline(mask: np.ndarray) -> np.ndarray:
    """Outline of a region that all of its points see from the middle: (points, 2) rows and columns."""
    points = np.argwhere(mask).astype(float)
    middle = points.mean(axis=0)
    offsets = points - middle
    directions = np.stack([np.sin(_ANGLES), np.cos(_ANGLES)], axis=1)
    along = offsets @ directions.T
    across = np.abs(offsets @ np.stack([directions[:, 1], -directions[:, 0]]))
    reach = np.where(across <= 0.8, along, -np.inf).max(axis=0)
    return middle + (np.maximum(reach, 0) + 0.5)[:, None] * directions


def _uids_by_height(images: Series) -> list[tuple[float, str]]:
    return [(float(i.dataset.ImagePositionPatient[2]), str(i.dataset.SOPInstanceUID)) for i in images.instances]


def _contours(number: int, mask: np.ndarray, geometry: Geometry, uids: list[tuple[float, str]]) -> Dataset:
    item = Dataset()
    item.ROIDisplayColor, item.ReferencedROINumber = [255, 80 * (number % 4), 0], number
    contours = []
    for index in np.flatnonzero(mask.any(axis=(1, 2))):
        points = geometry.to_mm([(index, row, column) for row, column in outline(mask[index])])
        uid = uids[int(np.argmin([abs(height - points[0, 2]) for height, _ in uids]))][1]
        contour = Dataset()
        contour.ContourImageSequence = [make_reference(CTImageStorage, uid)]
        contour.ContourGeometricType, contour.NumberOfContourPoints = "CLOSED_PLANAR", len(points)
        contour.ContourData = [f"{value:.2f}" for value in points.ravel()]
        contours.append(contour)
    item.ContourSequence = contours
    return item


def _region(number: int, name: str, frame: str) -> Dataset:
    item = Dataset()
    item.ROINumber, item.ReferencedFrameOfReferenceUID, item.ROIName = number, frame, name
    item.ROIGenerationAlgorithm = "MANUAL"
    return item


def _observation(number: int, study: Study) -> Dataset:
    item = Dataset()
    item.ObservationNumber = item.ReferencedROINumber = number
    item.RTROIInterpretedType, item.ROIInterpreter = "", study.identity.radiologist
    return item


def _referenced_frame(study: Study, images: Series, frame: str) -> Dataset:
    item, referenced_study, referenced_series = Dataset(), Dataset(), Dataset()
    referenced_series.SeriesInstanceUID = images.uid
    referenced_series.ContourImageSequence = [make_reference(CTImageStorage, uid) for _, uid in _uids_by_height(images)]
    referenced_study.ReferencedSOPClassUID, referenced_study.ReferencedSOPInstanceUID = _STUDY_COMPONENT, study.uid
    referenced_study.RTReferencedSeriesSequence = [referenced_series]
    item.FrameOfReferenceUID, item.RTReferencedStudySequence = frame, [referenced_study]
    return item
