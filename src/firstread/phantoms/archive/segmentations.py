"""Segmentation of a phantom's CT as DICOM SEG: the liver and each lesion, followed over time by its tracking UID."""

import highdicom as hd
import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from firstread.core.geometry import Geometry
from firstread.phantoms.abdomen import LABELS, AbdomenPatient, label_map, lesion_map
from firstread.phantoms.archive.header_modules import add_equipment, split_time
from firstread.phantoms.archive.studies import Instance, Series, Study
from firstread.phantoms.archive.template_dataset import TemplateDataset
from firstread.phantoms.archive.truth import Stack


def draw_masks(anatomy: AbdomenPatient, geometry: Geometry) -> dict[str, np.ndarray]:
    """Masks of the liver, the aorta and each lesion that the grid shows: name -> bool (slices, rows, columns)."""
    organs = label_map(anatomy, geometry=geometry).values
    lesions = lesion_map(anatomy, geometry=geometry).values
    masks = {"Liver": organs == LABELS["liver"], "Aorta": organs == LABELS["aorta"]}
    for lesion in anatomy.lesions:
        if (mask := lesions == lesion.number).any():
            masks[f"Lesion {lesion.number}"] = mask
    return masks


def add_segmentation(study: Study, masks: dict[str, np.ndarray], geometry: Geometry, *, images: Series) -> Instance:
    """Add a SEG of the liver and its lesions that refers to every slice of a series.

    The slices of the series may be shuffled; frames are found by their position (highdicom 330).
    """
    masks = {name: mask.astype(np.uint8) for name, mask in masks.items() if name != "Aorta"}
    sources = source_datasets(images)
    heights = geometry.to_mm([[index, 0, 0] for index in range(geometry.size_zyx[0])])[:, 2]
    order = [int(np.argmin(np.abs(heights - float(source.ImagePositionPatient[2])))) for source in sources]
    series = study.open_series("SEG", "Leber und Herde")
    segmentation = hd.seg.Segmentation(
        source_images=sources,
        pixel_array=np.stack([mask[order] for mask in masks.values()], axis=-1),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_describe(study, number, name) for number, name in enumerate(masks, start=1)],
        series_instance_uid=series.uid,
        series_number=series.number,
        sop_instance_uid=study.make_uid("segmentation"),
        instance_number=1,
        manufacturer="FIRSTREAD PHANTOMS",
        manufacturer_model_name="Workstation",
        software_versions="phantoms 1",
        device_serial_number=study.identity.serial_number,
        content_creator_name=study.identity.radiologist,
        content_label="LIVER",
        series_description=series.description,
        omit_empty_frames=True,
    )
    instance = Instance(finish_derived(segmentation, study, series))
    _fix_dimension_uids(instance.dataset, study)
    instance.cases["(0008,1115)"] = instance.cases["(5200,9230)"] = REFERENCES
    series.instances.append(instance)
    series.stacks.append(
        Stack("segmentation", plane="axial", sop_instance_uids=(str(instance.dataset.SOPInstanceUID),))
    )
    return instance


REFERENCES = "case 11: references of SEG, RTSTRUCT, SR and PR to the CT must resolve (OHIF 1782)"


def lesion_uid(study: Study, number: int) -> str:
    """Tracking UID of a lesion: the same in each study of the patient."""
    return study.patient.make_uid("lesion", number)


def source_datasets(images: Series) -> list[TemplateDataset]:
    """Headers of a series for highdicom, which takes no code extensions; `finish_derived` sets the character set."""
    sources = [instance.dataset.branch() for instance in images.instances]
    for source in sources:
        source.SpecificCharacterSet = "ISO_IR 192"
    return sources


def finish_derived(made: Dataset, study: Study, series: Series) -> TemplateDataset:
    """A data set of what highdicom made, with the times, people and machine of the study."""
    dataset = TemplateDataset({element.tag: element for element in made})
    dataset.SpecificCharacterSet = list(study.identity.region.character_set)
    dataset.ContentDate, dataset.ContentTime = split_time(study.when)
    dataset.SeriesDate, dataset.SeriesTime = split_time(study.when)
    dataset.InstanceCreationDate, dataset.InstanceCreationTime = split_time(study.when)
    for item in dataset.get(
        "ContributingEquipmentSequence", []
    ):  # highdicom names itself, by the clock of this machine
        item.ContributionDateTime = study.when.strftime("%Y%m%d%H%M%S")
    add_equipment(dataset, study, series.modality)
    return dataset


def _describe(study: Study, number: int, name: str) -> hd.seg.SegmentDescription:
    liver = name == "Liver"
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=name,
        segmented_property_category=codes.SCT.Organ if liver else codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Liver if liver else codes.SCT.Lesion,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
        tracking_uid=None if liver else lesion_uid(study, int(name.split()[1])),
        tracking_id=None if liver else name,
    )


def _fix_dimension_uids(dataset: Dataset, study: Study) -> None:
    """Replace the random UID of the dimensions, so that a second run gives the same bytes."""
    uid = study.make_uid("segmentation dimensions")
    for item in dataset.DimensionOrganizationSequence:
        item.DimensionOrganizationUID = uid
    for item in dataset.DimensionIndexSequence:
        item.DimensionOrganizationUID = uid
