"""Angiography of a phantom archive: an enhanced multi-frame XA run in which text appears in some frames only."""

from datetime import timedelta

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import EnhancedXAImageStorage
from scipy.ndimage import gaussian_filter

from firstread.phantoms.archive.drawn_text import TextLine, draw_line, text_actions
from firstread.phantoms.archive.header_modules import (
    add_instance,
    join_time,
    make_code,
    make_item,
    split_time,
    start_dataset,
)
from firstread.phantoms.archive.studies import Instance, Series, Study
from firstread.phantoms.archive.template_dataset import TemplateDataset
from firstread.phantoms.archive.truth import Stack

SIZE = 256


def add_angiography(
    study: Study, *, frames: int, lines: tuple[TextLine, ...], text_frames: tuple[int, ...], note: str
) -> Instance:
    """Add a run as a series of one file.

    Args:
        frames: number of frames.
        lines: burned in, from the top left corner on.
        text_frames: frames in which they stand, from 0.
        note: case that the text stands for.
    """
    series = study.open_series("XA", "Aorta abd. DSA")
    instance = add_instance(series, _start(study, series, frames), study, number=1)
    pixels = simulate_run(study, frames)
    top = 8
    for line in lines:
        shown = pixels[list(text_frames)]
        box = draw_line(shown, line, corner=(top, 8))
        pixels[list(text_frames)] = shown
        instance.actions += text_actions(line, box, note=note, frames=text_frames)
        top = box[2] + 5
    instance.dataset.Rows = instance.dataset.Columns = SIZE
    instance.dataset.PixelData = np.rint(np.clip(pixels, 0, 255)).astype(np.uint8).tobytes()
    instance.dataset["PixelData"].VR = "OW"
    series.stacks.append(Stack("original", sop_instance_uids=(str(instance.dataset.SOPInstanceUID),)))
    return instance


def simulate_run(study: Study, frames: int) -> np.ndarray:
    """Simulate contrast medium that fills a tree of vessels over ribs and bowel gas: float (frames, rows, columns)."""
    rng = study.random("angiography")
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    background = 150 + 40 * gaussian_filter(rng.normal(size=(SIZE, SIZE)), 22) * 22
    spine = np.exp(-(((x - 0.5) / 0.11) ** 2))
    background -= spine * (26 + 8 * np.sin(y * 38))
    arrival, opacity = _vessel_tree(rng)
    shown = []
    for frame in range(frames):
        time = frame / max(frames - 1, 1)
        filled = np.clip((time - 0.15 - 0.5 * arrival) * 9, 0, 1) * np.clip((1.25 - time - 0.1 * arrival) * 4, 0, 1)
        noise = rng.normal(0, 5, (SIZE, SIZE))
        shown.append(background - 95 * opacity * filled + noise)
    return np.stack(shown)


def _vessel_tree(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """When contrast medium arrives at each pixel (0 to 1), and how much of it the vessels hold."""
    arrival, opacity = np.ones((SIZE, SIZE)), np.zeros((SIZE, SIZE))
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)

    def paint(start: np.ndarray, angle: float, length: float, width: float, time: float) -> None:
        point = start.copy()
        for step in range(int(length / 2)):
            angle += rng.normal(0, 0.05)
            point += 2 * np.array([np.sin(angle), np.cos(angle)])
            y0, x0 = (int(v) for v in point - width - 2)
            box = np.s_[max(y0, 0) : max(y0 + int(2 * width) + 5, 0), max(x0, 0) : max(x0 + int(2 * width) + 5, 0)]
            ink = np.clip(width - np.hypot(y[box] - point[0], x[box] - point[1]) + 0.5, 0, 1)
            arrival[box] = np.where(ink > opacity[box], time + step / 300, arrival[box])
            opacity[box] = np.maximum(opacity[box], ink * min(1.0, 0.45 + width / 12))
            if width > 1.6 and step % 14 == 9:
                turn = rng.uniform(0.5, 1.0) * (1 if rng.random() < 0.5 else -1)
                paint(point, angle + turn, length * 0.55, width * 0.55, time + step / 300)

    paint(np.array([0.0, SIZE * 0.52]), np.pi / 2, SIZE * 0.9, 8.0, 0.0)
    return arrival, gaussian_filter(opacity, 0.7)


def _start(study: Study, series: Series, frames: int) -> TemplateDataset:
    """Enhanced XA image (PS3.3 A.47) with the time of each frame in the per-frame functional groups."""
    dataset = start_dataset(study, series, sop_class=EnhancedXAImageStorage)
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "SINGLE PLANE", "NONE"]
    dataset.AcquisitionDateTime = join_time(study.when, study.identity.region.utc_offset)
    dataset.AcquisitionNumber = 1
    dataset.PlaneIdentification = "MONOPLANE"
    dataset.PositionerType, dataset.CArmPositionerTabletopRelationship = "CARM", "YES"
    dataset.RadiationSetting, dataset.RadiationMode, dataset.PlanesInAcquisition = "GR", "PULSED", "SINGLE PLANE"
    dataset.AveragePulseWidth, dataset.AcquisitionDuration = 8.0, 250.0 * frames
    dataset.DistanceReceptorPlaneToDetectorHousing = dataset.AcquiredImageAreaDoseProduct = None
    dataset.PatientOrientationCodeSequence = [_supine()]
    dataset.PatientGantryRelationshipCodeSequence = [make_code("102540001", "SCT", "headfirst")]
    dataset.KVP, dataset.ExposureTimeInms, dataset.XRayTubeCurrentInmA = 80.0, 8.0, 320.0
    dataset.ContentQualification = "PRODUCT"
    dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator = study.make_uid("frame of reference"), ""
    dataset.SynchronizationFrameOfReferenceUID = study.make_uid("clock")
    dataset.SynchronizationTrigger, dataset.AcquisitionTimeSynchronized = "NO TRIGGER", "Y"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    dataset.PixelIntensityRelationship, dataset.PixelIntensityRelationshipSign = "LIN", 1
    dataset.PresentationLUTShape, dataset.LossyImageCompression = "IDENTITY", "00"
    dataset.BurnedInAnnotation = "NO"
    dataset.AcquisitionContextSequence, dataset.AcquisitionProtocolName = [], "Aorta"
    dataset.NumberOfFrames = frames
    dataset.SharedFunctionalGroupsSequence = [_shared(study)]
    offset = study.identity.region.utc_offset
    dataset.PerFrameFunctionalGroupsSequence = Sequence(_frame(study, number, offset) for number in range(frames))
    dataset.ContentDate, dataset.ContentTime = split_time(study.when)
    return dataset


def _shared(study: Study) -> Dataset:
    """Functional groups that all frames share (PS3.3 A.47.3)."""
    anatomy = make_item(AnatomicRegionSequence=[make_code("818981001", "SCT", "Abdomen")], FrameLaterality="U")
    kind = make_item(FrameType=["ORIGINAL", "PRIMARY", "SINGLE PLANE", "NONE"])
    window = make_item(WindowCenter=128, WindowWidth=256)
    pixels = make_item(
        FrameType=["ORIGINAL", "PRIMARY", "SINGLE PLANE", "NONE"],
        GeometricalProperties="UNIFORM",
        ImageProcessingApplied="NONE",
        ImagerPixelSpacing=[0.8, 0.8],
        PixelIntensityRelationship="LIN",
        PixelIntensityRelationshipSign=1,
    )
    calibration = make_item(
        TableHeight=80.0, DistanceObjectToTableTop=100.0, BeamAngle=0.0, ObjectPixelSpacingInCenterOfBeam=[0.6, 0.6]
    )
    position = make_item(PositionerPrimaryAngle=0.0, PositionerSecondaryAngle=0.0)
    table = make_item(
        TableTopVerticalPosition=0.0,
        TableTopLongitudinalPosition=0.0,
        TableTopLateralPosition=0.0,
        TableHorizontalRotationAngle=0.0,
        TableHeadTiltAngle=0.0,
        TableCradleTiltAngle=0.0,
    )
    collimator = make_item(
        CollimatorShape="RECTANGULAR",
        CollimatorLeftVerticalEdge=0,
        CollimatorRightVerticalEdge=SIZE + 1,
        CollimatorUpperHorizontalEdge=0,
        CollimatorLowerHorizontalEdge=SIZE + 1,
    )
    return make_item(
        FrameAnatomySequence=[anatomy],
        XAXRFFrameCharacteristicsSequence=[kind],
        FrameVOILUTSequence=[window],
        PatientOrientationInFrameSequence=[make_item(PatientOrientation=["L", "F"])],
        IrradiationEventIdentificationSequence=[make_item(IrradiationEventUID=study.make_uid("irradiation"))],
        FramePixelDataPropertiesSequence=[pixels],
        ProjectionPixelCalibrationSequence=[calibration],
        PositionerPositionSequence=[position],
        TablePositionSequence=[table],
        CollimatorShapeSequence=[collimator],
        XRayGeometrySequence=[make_item(DistanceSourceToIsocenter=750.0, DistanceSourceToDetector=1000.0)],
    )


def _supine() -> Dataset:
    recumbent = make_code("102538003", "SCT", "recumbent")
    recumbent.PatientOrientationModifierCodeSequence = [make_code("40199007", "SCT", "supine")]
    return recumbent


def _frame(study: Study, number: int, offset: str) -> Dataset:
    item, content = Dataset(), Dataset()
    when = study.when + timedelta(milliseconds=250 * number)
    content.FrameReferenceDateTime = content.FrameAcquisitionDateTime = join_time(when, offset)
    content.FrameAcquisitionDuration = 8.0
    content.FrameAcquisitionNumber = 1
    item.FrameContentSequence = [content]
    return item
