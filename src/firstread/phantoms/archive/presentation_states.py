"""Grayscale softcopy presentation state on a phantom's CT: a window, an arrow and a text that names the patient."""

from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, GrayscaleSoftcopyPresentationStateStorage

from firstread.phantoms.archive.header_modules import add_instance, make_reference, split_time, start_dataset
from firstread.phantoms.archive.segmentations import REFERENCES
from firstread.phantoms.archive.studies import Instance, Series, Study
from firstread.phantoms.archive.truth import Stack


def add_presentation_state(study: Study, *, images: Series) -> Instance:
    """Add a presentation state of the middle slice of a series (PS3.3 A.33.1)."""
    series = study.open_series("PR", "Markierung")
    shown = images.instances[len(images.instances) // 2].dataset
    dataset = start_dataset(study, series, sop_class=GrayscaleSoftcopyPresentationStateStorage)
    dataset.BodyPartExamined = "ABDOMEN"
    dataset.PresentationCreationDate, dataset.PresentationCreationTime = split_time(study.when)
    dataset.ContentLabel, dataset.ContentDescription = "FINDING", "marked for the tumour board"
    dataset.ContentCreatorName = study.identity.radiologist
    referenced = Dataset()
    referenced.SeriesInstanceUID = images.uid
    referenced.ReferencedImageSequence = [make_reference(CTImageStorage, shown.SOPInstanceUID)]
    dataset.ReferencedSeriesSequence = [referenced]
    dataset.GraphicLayerSequence = [_layer()]
    dataset.GraphicAnnotationSequence = [_annotation(study, shown)]
    dataset.DisplayedAreaSelectionSequence = [_displayed_area(shown)]
    window = Dataset()
    window.WindowCenter, window.WindowWidth = 90, 180
    dataset.SoftcopyVOILUTSequence = [window]
    dataset.PresentationLUTShape = "IDENTITY"
    instance = add_instance(series, dataset, study, number=1)
    del instance.dataset.ContentDate, instance.dataset.ContentTime
    instance.cases["(0008,1115)"] = REFERENCES
    instance.cases["(0070,0001)"] = "text over an image in a presentation state (PS3.15 clean graphics)"
    series.stacks.append(Stack("presentation", sop_instance_uids=(str(instance.dataset.SOPInstanceUID),)))
    return instance


def _layer() -> Dataset:
    layer = Dataset()
    layer.GraphicLayer, layer.GraphicLayerOrder = "MARKS", 1
    return layer


def _annotation(study: Study, shown: Dataset) -> Dataset:
    item, text, graphic = Dataset(), Dataset(), Dataset()
    item.ReferencedImageSequence = [make_reference(CTImageStorage, shown.SOPInstanceUID)]
    item.GraphicLayer = "MARKS"
    who = study.identity
    text.UnformattedTextValue = f"{who.latin_family.upper()} {who.birth_date:%d.%m.%Y} metastasis?"
    text.AnchorPointAnnotationUnits, text.AnchorPoint, text.AnchorPointVisibility = "PIXEL", [40.0, 50.0], "Y"
    graphic.GraphicAnnotationUnits, graphic.GraphicDimensions, graphic.NumberOfGraphicPoints = "PIXEL", 2, 2
    graphic.GraphicData, graphic.GraphicType, graphic.GraphicFilled = [40.0, 50.0, 60.0, 62.0], "POLYLINE", "N"
    item.TextObjectSequence, item.GraphicObjectSequence = [text], [graphic]
    return item


def _displayed_area(shown: Dataset) -> Dataset:
    area = Dataset()
    area.ReferencedImageSequence = [make_reference(CTImageStorage, shown.SOPInstanceUID)]
    area.DisplayedAreaTopLeftHandCorner = [1, 1]
    area.DisplayedAreaBottomRightHandCorner = [shown.Columns, shown.Rows]
    area.PresentationSizeMode = "SCALE TO FIT"
    area.PresentationPixelSpacing = list(shown.PixelSpacing)
    return area
