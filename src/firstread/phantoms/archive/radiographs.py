"""Radiographs of a phantom archive: computed radiography of chest and abdomen with lead markers and burned-in text."""

from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import ComputedRadiographyImageStorage, DigitalXRayImageStorageForPresentation
from scipy.ndimage import gaussian_filter

from firstread.phantoms.archive.drawn_text import TextLine, draw_line, text_actions
from firstread.phantoms.archive.header_modules import add_instance, make_code, split_time, start_dataset
from firstread.phantoms.archive.studies import Instance, Series, Study
from firstread.phantoms.archive.template_dataset import TemplateDataset
from firstread.phantoms.archive.truth import Action, Fault, Stack
from firstread.phantoms.radiograph import project_attenuation
from firstread.phantoms.shapes import Plane
from firstread.phantoms.trunk import Trunk, make_trunk

#: region -> height of the middle of the field of view, its size (mm), code of the anatomy, series description
_REGIONS = {
    "chest": (92.0, 365.0, ("51185008", "SCT", "Chest"), "Thorax p.a. stehend"),
    "abdomen": (-190.0, 385.0, ("818981001", "SCT", "Abdomen"), "Abdomen a.p. liegend"),
}
FULL_SCALE = 4095


@dataclass(frozen=True)
class RadiographSettings:
    """How a radiograph is made.

    Attributes:
        region: "chest" or "abdomen".
        digital: Digital X-Ray (DX) instead of Computed Radiography (CR).
        inverted: MONOCHROME1, bone stored dark.
        matrix: rows and columns.
        wrong_side: the side marker says the other side.
    """

    region: str = "chest"
    digital: bool = False
    inverted: bool = False
    matrix: int = 512
    wrong_side: bool = False


def add_radiograph(
    study: Study, settings: RadiographSettings, *, lines: tuple[TextLine, ...] = (), burned_in: str = "", note: str = ""
) -> Instance:
    """Add a frontal radiograph as a series of one image.

    Args:
        lines: burned in, from the top left corner on.
        burned_in: value of BurnedInAnnotation; empty leaves it out.
        note: case that the burned-in text stands for.
    """
    modality = "DX" if settings.digital else "CR"
    series = study.open_series(modality, _REGIONS[settings.region][3])
    template = _start(study, series, settings)
    instance = add_instance(series, template, study, number=1)
    pixels = simulate_detector(study, settings)
    instance.actions += _draw_marks(pixels, settings, lines, note=note)
    if burned_in:
        instance.dataset.BurnedInAnnotation = burned_in
    stored = np.rint(np.clip(pixels, 0, FULL_SCALE)).astype("<u2")
    instance.dataset.PixelData = (FULL_SCALE - stored if settings.inverted else stored).astype("<u2").tobytes()
    instance.dataset["PixelData"].VR = "OW"
    uid = str(instance.dataset.SOPInstanceUID)
    series.stacks.append(Stack("original", plane="coronal", sop_instance_uids=(uid,)))
    if settings.wrong_side:
        text = "the lead marker L lies on the patient's right; PatientOrientation is true"
        study.faults.append(Fault("wrong_laterality", file=uid, series=series.uid, study=study.uid, note=text))
    return instance


def simulate_detector(study: Study, settings: RadiographSettings) -> np.ndarray:
    """Simulate what a detector shows: float (rows, columns), 0 to FULL_SCALE, bone bright, right side at the left."""
    rng = study.random("radiograph", settings.region)
    trunk: Trunk = make_trunk(study.patient.random("trunk"))
    middle_mm, field_mm, _, _ = _REGIONS[settings.region]
    plane = Plane.centered(
        settings.matrix,
        field_mm=field_mm,
        x_mm=float(rng.normal(0, 6)),
        row_mm=middle_mm + rng.normal(0, 8),
        upward=True,
    )
    attenuation = project_attenuation(trunk, plane)
    beam = np.exp(-attenuation)
    beam = 0.88 * beam + 0.12 * gaussian_filter(beam, settings.matrix / 14)
    photons = 10 ** rng.uniform(3.9, 4.6)
    counts = rng.poisson(np.clip(beam / np.median(beam), 0, 60) * photons * 0.25) / photons
    signal = -np.log(np.clip(gaussian_filter(counts, 0.6), 1e-5, None))
    signal -= 0.45 * gaussian_filter(signal, settings.matrix / 9)
    low, high = np.percentile(signal, (1.0, 99.6))
    return np.clip((signal - low) / (high - low), 0, 1) ** rng.uniform(0.85, 1.2) * 0.92 * FULL_SCALE


def _draw_marks(
    pixels: np.ndarray, settings: RadiographSettings, lines: tuple[TextLine, ...], *, note: str
) -> list[Action]:
    """Draw the lead marker on its side and lines of text from the top left corner on."""
    size = settings.matrix
    right_at_left = not settings.wrong_side
    marker = TextLine(
        "R" if right_at_left else "L", secret=False, font="DejaVuSans-Bold", size_px=size // 16, lead=True
    )
    box = draw_line(pixels, marker, corner=(size // 9, size // 24), full_scale=FULL_SCALE)
    actions = text_actions(marker, box)
    top = size // 9 + size // 10
    for line in lines:
        box = draw_line(pixels, line, corner=(top, size // 48), full_scale=FULL_SCALE)
        actions += text_actions(line, box, note=note)
        top = box[2] + 5
    return actions


def _start(study: Study, series: Series, settings: RadiographSettings) -> TemplateDataset:
    sop_class = DigitalXRayImageStorageForPresentation if settings.digital else ComputedRadiographyImageStorage
    dataset = start_dataset(study, series, sop_class=sop_class)
    dataset.BodyPartExamined = settings.region.upper()
    dataset.ViewPosition = "PA" if settings.region == "chest" else "AP"
    dataset.PatientOrientation = ["L", "F"]
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.AcquisitionDate, dataset.AcquisitionTime = split_time(study.when)
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME1" if settings.inverted else "MONOCHROME2"
    dataset.Rows = dataset.Columns = settings.matrix
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.WindowCenter, dataset.WindowWidth = 2048, 4096
    spacing = round(_REGIONS[settings.region][1] / settings.matrix, 5)
    dataset.ImagerPixelSpacing = [spacing, spacing]
    dataset.KVP = 117
    if settings.digital:
        _add_digital_modules(dataset, settings)
    return dataset


def _add_digital_modules(dataset: Dataset, settings: RadiographSettings) -> None:
    """Type 1 and 2 elements of the DX modules (PS3.3 C.8.11)."""
    dataset.PresentationIntentType = "FOR PRESENTATION"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", ""]
    dataset.ImageLaterality = "U"
    dataset.PixelIntensityRelationship = "LOG"
    dataset.PixelIntensityRelationshipSign = -1 if settings.inverted else 1
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = 0, 1, "US"
    dataset.PresentationLUTShape = "INVERSE" if settings.inverted else "IDENTITY"
    dataset.LossyImageCompression = "00"
    dataset.BurnedInAnnotation = "NO"
    dataset.PositionerType = "COLUMN"
    dataset.DetectorType = "SCINTILLATOR"
    dataset.AcquisitionContextSequence = []
    dataset.AnatomicRegionSequence = [make_code(*_REGIONS[settings.region][2])]
