"""Structured report of a phantom's lesions: TID 1500 with their diameters, observed by an invented radiologist."""

from collections.abc import Sequence

import highdicom as hd
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from firstread.phantoms.archive.segmentations import REFERENCES, finish_derived, lesion_uid, source_datasets
from firstread.phantoms.archive.studies import Instance, Series, Study
from firstread.phantoms.archive.truth import Stack
from firstread.phantoms.archive.truth_keywords import STRUCTURED
from firstread.phantoms.lesion_table import LesionRow

_Group = hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations


def add_measurement_report(
    study: Study, rows: Sequence[LesionRow], *, volume_ml: float, images: Series, segmentation: Instance
) -> Instance:
    """Add a Comprehensive 3D SR: a group for the liver and each lesion, which refers to its segment and to the CT."""
    series = study.open_series("SR", "Messungen")
    observer = hd.sr.ObservationContext(
        observer_person_context=hd.sr.ObserverContext(
            observer_type=codes.DCM.Person,
            observer_identifying_attributes=hd.sr.PersonObserverIdentifyingAttributes(
                name=study.identity.radiologist, organization_name=study.identity.hospital
            ),
        )
    )
    lesions = [row for row in rows if find_segment(segmentation, f"Lesion {row.lesion}")]
    groups = [_measure_liver(study, volume_ml, images, segmentation)]
    groups += [_measure_lesion(study, row, images, segmentation) for row in lesions]
    report = hd.sr.MeasurementReport(
        observation_context=observer,
        procedure_reported=Code("418891003", "SCT", "CT of abdomen with contrast"),
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
    )
    made = hd.sr.Comprehensive3DSR(
        evidence=[*source_datasets(images), *source_datasets(Series("", 0, "SEG", "", [segmentation]))],
        content=report,
        series_instance_uid=series.uid,
        series_number=series.number,
        sop_instance_uid=study.make_uid("measurement report"),
        instance_number=1,
        manufacturer="FIRSTREAD PHANTOMS",
        is_complete=True,
        is_verified=True,
        verifying_observer_name=study.identity.radiologist,
        verifying_organization=study.identity.hospital,
        series_description=series.description,
        record_evidence=True,
    )
    instance = Instance(finish_derived(made, study, series))
    _add_comment(instance, study)
    _fix_times(instance.dataset, study)
    instance.cases["(0040,a375)"] = instance.cases["(0040,a385)"] = REFERENCES
    instance.cases["(0040,a730)"] = f"case 19: names in the content of a structured report; {STRUCTURED}"
    instance.needs_person = True
    series.instances.append(instance)
    series.stacks.append(Stack("report", sop_instance_uids=(str(instance.dataset.SOPInstanceUID),)))
    return instance


def find_segment(segmentation: Instance, label: str) -> int:
    """Number of the segment with a label, 0 if there is none."""
    found = [item.SegmentNumber for item in segmentation.dataset.SegmentSequence if item.SegmentLabel == label]
    return int(found[0]) if found else 0


def _measure_liver(study: Study, volume_ml: float, images: Series, segmentation: Instance) -> _Group:
    tracking = hd.sr.TrackingIdentifier(uid=study.patient.make_uid("liver"), identifier="Liver")
    volume = hd.sr.Measurement(name=codes.SCT.Volume, value=round(volume_ml, 1), unit=Code("ml", "UCUM", "milliliter"))
    middle = images.instances[len(images.instances) // 2].dataset
    return _group("Liver", tracking, volume, middle, segmentation)


def _measure_lesion(study: Study, row: LesionRow, images: Series, segmentation: Instance) -> _Group:
    tracking = hd.sr.TrackingIdentifier(uid=lesion_uid(study, row.lesion), identifier=f"Lesion {row.lesion}")
    length = hd.sr.Measurement(name=codes.SCT.Length, value=round(row.diameter_mm, 1), unit=codes.UCUM.Millimeter)
    nearest = min(images.instances, key=lambda i: abs(float(i.dataset.ImagePositionPatient[2]) - row.z_mm)).dataset
    return _group(f"Lesion {row.lesion}", tracking, length, nearest, segmentation)


def _group(
    label: str, tracking: hd.sr.TrackingIdentifier, measured: hd.sr.Measurement, image: Dataset, segmentation: Instance
) -> _Group:
    """Measurements of one segment, with the image that shows it."""
    return hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking,
        referenced_segment=hd.sr.ReferencedSegment(
            sop_class_uid=segmentation.dataset.SOPClassUID,
            sop_instance_uid=segmentation.dataset.SOPInstanceUID,
            segment_number=find_segment(segmentation, label),
            source_images=[hd.sr.SourceImageForSegmentation(image.SOPClassUID, image.SOPInstanceUID)],
        ),
        measurements=[measured],
        finding_type=codes.SCT.Liver if label == "Liver" else codes.SCT.Lesion,
    )


def _add_comment(instance: Instance, study: Study) -> None:
    """A comment as radiologists type it: a name, a date of an earlier scan, and a finding."""
    who = study.identity
    text = f"{who.latin_family}, seen on {study.when:%d.%m.%Y}: metastases measured in the portal venous phase"
    comment = hd.sr.TextContentItem(codes.DCM.Comment, text, hd.sr.RelationshipTypeValues.CONTAINS)
    instance.dataset.ContentSequence.append(comment)


def _fix_times(dataset: Dataset, study: Study) -> None:
    """Replace the clock of this machine by that of the study."""
    for item in dataset.get("VerifyingObserverSequence", []):
        item.VerificationDateTime = study.when.strftime("%Y%m%d%H%M%S")
    dataset.pop("TimezoneOffsetFromUTC", None)
