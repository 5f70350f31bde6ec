"""MR of a phantom archive: brain as classic series and as one enhanced multi-frame file, breasts as a series."""

from collections.abc import Iterable
from datetime import timedelta

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import EnhancedMRImageStorage, MRImageStorage

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
from firstread.phantoms.breast import BREAST_SIGNAL, make_breasts, simulate_breast_mr
from firstread.phantoms.head import make_head, simulate_brain_mr

FIELD_MM, SPACING_MM = 240.0, 6.0
_TIMES_MS = {"T1": (560, 12), "T1 with contrast": (560, 12), "T2": (4200, 98), "FLAIR": (9000, 110), "DWI": (5200, 86)}


def add_brain(study: Study, *, sequence: str, matrix: int = 128, slices: int = 10) -> Series:
    """Add a brain sequence, a key of BRAIN_SIGNAL, as a series of axial slices."""
    series = study.open_series("MR", f"{sequence} tra")
    template = _start(study, series, body_part="BRAIN", sequence=sequence)
    heights = [-6 + SPACING_MM * 1.2 * index for index in range(slices)]
    frames = _brain_slices(study, sequence, heights, matrix)
    _add_slices(study, series, template, zip(heights, frames, strict=True), field_mm=FIELD_MM)
    return series


def add_breasts(study: Study, *, matrix: int = 128, slices: int = 8) -> Series:
    """Add breasts as a series of axial slices, with the side that the header says: both."""
    sequence = next(iter(BREAST_SIGNAL))
    series = study.open_series("MR", "Mamma bds. dyn")
    template = _start(study, series, body_part="BREAST", sequence="T1")
    template.ImageLaterality = "B"
    rng = study.random("breast")
    breasts = make_breasts(rng)
    heights = [-40 + 10.0 * index for index in range(slices)]
    frames = [simulate_breast_mr(breasts, rng, z=z, sequence=sequence, noise=0.012, size=matrix) for z in heights]
    _add_slices(study, series, template, zip(heights, frames, strict=True), field_mm=340.0)
    return series


def add_enhanced_brain(study: Study, *, matrix: int = 128, slices: int = 8) -> Instance:
    """Add a brain sequence as one Enhanced MR file, with a time in the functional groups of every frame."""
    series = study.open_series("MR", "FLAIR 3D enhanced")
    heights = [SPACING_MM * index for index in range(slices)]
    frames = np.stack(_brain_slices(study, "FLAIR", heights, matrix)).astype("<u2") * 4
    dataset = start_dataset(study, series, sop_class=EnhancedMRImageStorage)
    _fill_enhanced(dataset, study, heights, matrix)
    dataset.PixelData = frames.tobytes()
    dataset["PixelData"].VR = "OW"
    instance = add_instance(series, dataset, study, number=1)
    instance.cases["(5200,9230)"] = "case 20: Enhanced MR with dates in every frame (RSNA Anonymizer 22)"
    _close(series, SPACING_MM)
    return instance


def _brain_slices(study: Study, sequence: str, heights: list[float], matrix: int) -> list[np.ndarray]:
    head = make_head(study.patient.random("head"))
    rng = study.random("brain", sequence)
    return [
        simulate_brain_mr(head, rng, z=z, sequence=sequence, field_mm=FIELD_MM, noise=0.015, size=matrix)
        for z in heights
    ]


def _add_slices(
    study: Study,
    series: Series,
    template: TemplateDataset,
    frames: Iterable[tuple[float, np.ndarray]],
    *,
    field_mm: float,
) -> None:
    spacing = 0.0
    for number, (height, pixels) in enumerate(frames, start=1):
        instance = add_instance(series, template, study, number=number)
        dataset = instance.dataset
        _place(dataset, height, len(pixels), field_mm)
        dataset.PixelData = (pixels.astype("<u2") * 4).tobytes()
        dataset["PixelData"].VR = "OW"
        spacing = height - spacing if number == 2 else spacing if number > 2 else height
    _close(series, abs(spacing))


def _close(series: Series, spacing_mm: float) -> None:
    uids = tuple(str(instance.dataset.SOPInstanceUID) for instance in series.instances)
    series.stacks.append(Stack("original", plane="axial", spacing_mm=spacing_mm, sop_instance_uids=uids))


def _place(dataset: Dataset, height: float, matrix: int, field_mm: float) -> None:
    pixel = field_mm / matrix
    corner = -field_mm / 2 + pixel / 2
    dataset.ImagePositionPatient = [round(corner, 4), round(corner, 4), round(height, 4)]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing = [round(pixel, 6)] * 2
    dataset.SliceThickness, dataset.SliceLocation = 5, round(height, 4)
    dataset.Rows = dataset.Columns = matrix


def _start(study: Study, series: Series, *, body_part: str, sequence: str) -> TemplateDataset:
    """Elements of a classic MR series (PS3.3 A.4)."""
    dataset = start_dataset(study, series, sop_class=MRImageStorage)
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
    dataset.BodyPartExamined = body_part
    dataset.PatientPosition = "HFS"
    dataset.FrameOfReferenceUID = study.make_uid("frame of reference")
    dataset.PositionReferenceIndicator = ""
    dataset.ScanningSequence = "IR" if sequence == "FLAIR" else "SE"
    dataset.SequenceVariant, dataset.ScanOptions, dataset.MRAcquisitionType = "SK", "", "2D"
    dataset.RepetitionTime, dataset.EchoTime = _TIMES_MS[sequence]
    if sequence == "FLAIR":
        dataset.InversionTime = 2500
    dataset.EchoTrainLength = 1
    dataset.MagneticFieldStrength = 1.5
    dataset.ProtocolName = f"{sequence} {body_part.lower()}"
    dataset.AcquisitionNumber = 1
    dataset.AcquisitionDate, dataset.AcquisitionTime = split_time(study.when)
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.WindowCenter, dataset.WindowWidth = 500, 1000
    if sequence == "T1 with contrast":
        dataset.ContrastBolusAgent = "Gadobutrol"
    return dataset


def _fill_enhanced(dataset: Dataset, study: Study, heights: list[float], matrix: int) -> None:
    """Enhanced MR image (PS3.3 A.36.2)."""
    offset = study.identity.region.utc_offset
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "T2", "NONE"]
    dataset.AcquisitionDateTime = join_time(study.when, offset)
    dataset.AcquisitionNumber, dataset.AcquisitionDuration = 1, 240.0
    dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator = study.make_uid("frame of reference"), ""
    dataset.PatientPosition = "HFS"
    dataset.AcquisitionContextSequence = []
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.Rows = dataset.Columns = matrix
    dataset.NumberOfFrames = len(heights)
    dataset.PresentationLUTShape, dataset.LossyImageCompression, dataset.BurnedInAnnotation = "IDENTITY", "00", "NO"
    for keyword, value in _ENHANCED.items():
        setattr(dataset, keyword, value)
    dataset.DimensionOrganizationSequence, dataset.DimensionIndexSequence = _dimensions(study)
    dataset.SharedFunctionalGroupsSequence = [_shared(matrix)]
    dataset.PerFrameFunctionalGroupsSequence = Sequence(
        _frame(study, number, height, offset) for number, height in enumerate(heights)
    )


_ENHANCED = {
    "ResonantNucleus": "1H",
    "KSpaceFiltering": "NONE",
    "MagneticFieldStrength": 1.5,
    "ApplicableSafetyStandardAgency": "IEC",
    "PixelPresentation": "MONOCHROME",
    "VolumetricProperties": "VOLUME",
    "VolumeBasedCalculationTechnique": "NONE",
    "ComplexImageComponent": "MAGNITUDE",
    "AcquisitionContrast": "T2",
    "ContentQualification": "PRODUCT",
    "PulseSequenceName": "FLAIR",
    "MRAcquisitionType": "3D",
    "EchoPulseSequence": "SPIN",
    "MultipleSpinEcho": "NO",
    "MultiPlanarExcitation": "NO",
    "PhaseContrast": "NO",
    "TimeOfFlightContrast": "NO",
    "SteadyStatePulseSequence": "NONE",
    "EchoPlanarPulseSequence": "NO",
    "SaturationRecovery": "NO",
    "SpectrallySelectedSuppression": "NONE",
    "OversamplingPhase": "NONE",
    "GeometryOfKSpaceTraversal": "RECTILINEAR",
    "RectilinearPhaseEncodeReordering": "LINEAR",
    "SegmentedKSpaceTraversal": "SINGLE",
    "CoverageOfKSpace": "FULL",
    "NumberOfKSpaceTrajectories": 1,
    "BulkMotionCompensationTechnique": "NONE",
    "T2Preparation": "NO",
    "BloodSignalNulling": "NO",
}


def _dimensions(study: Study) -> tuple[list[Dataset], list[Dataset]]:
    organization, index = Dataset(), Dataset()
    organization.DimensionOrganizationUID = study.make_uid("dimensions")
    index.DimensionOrganizationUID = organization.DimensionOrganizationUID
    index.DimensionIndexPointer, index.FunctionalGroupPointer = 0x00209057, 0x00209111
    return [organization], [index]


def _shared(matrix: int) -> Dataset:
    """Functional groups that all frames share (PS3.3 A.36.2.3)."""
    pixel = round(FIELD_MM / matrix, 6)
    timing = make_item(
        RepetitionTime=9000.0,
        FlipAngle=120.0,
        EchoTrainLength=16,
        RFEchoTrainLength=16,
        GradientEchoTrainLength=0,
        SpecificAbsorptionRateSequence=[
            make_item(SpecificAbsorptionRateDefinition="IEC_HEAD", SpecificAbsorptionRateValue=0.8)
        ],
        GradientOutputType="DB_DT",
        GradientOutput=20.0,
        OperatingModeSequence=[
            make_item(OperatingModeType="STATIC FIELD", OperatingMode="IEC_NORMAL"),
            make_item(OperatingModeType="RF", OperatingMode="IEC_NORMAL"),
            make_item(OperatingModeType="GRADIENT", OperatingMode="IEC_NORMAL"),
        ],
    )
    field = make_item(
        InPlanePhaseEncodingDirection="ROW",
        MRAcquisitionFrequencyEncodingSteps=matrix,
        MRAcquisitionPhaseEncodingStepsInPlane=matrix,
        MRAcquisitionPhaseEncodingStepsOutOfPlane=8,
        PercentSampling=100.0,
        PercentPhaseFieldOfView=100.0,
    )
    modifier = make_item(
        InversionRecovery="YES",
        InversionTimes=[2500.0],
        FlowCompensation="NONE",
        Spoiling="NONE",
        T2Preparation="NO",
        SpectrallySelectedExcitation="NONE",
        SpatialPresaturation="NONE",
        PartialFourier="NO",
        ParallelAcquisition="NO",
    )
    imaging = make_item(
        MagnetizationTransfer="NONE",
        BloodSignalNulling="NO",
        Tagging="NONE",
        TransmitterFrequency=63.6,
        PixelBandwidth=130.0,
    )
    receive = make_item(
        ReceiveCoilName="Head", ReceiveCoilManufacturerName="", ReceiveCoilType="VOLUME", QuadratureReceiveCoil="YES"
    )
    transmit = make_item(TransmitCoilName="Body", TransmitCoilManufacturerName="", TransmitCoilType="BODY")
    anatomy = make_item(AnatomicRegionSequence=[make_code("12738006", "SCT", "Brain")], FrameLaterality="U")
    return make_item(
        PixelMeasuresSequence=[make_item(PixelSpacing=[pixel, pixel], SliceThickness=SPACING_MM)],
        PlaneOrientationSequence=[make_item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
        FrameAnatomySequence=[anatomy],
        PixelValueTransformationSequence=[make_item(RescaleIntercept=0, RescaleSlope=1, RescaleType="US")],
        FrameVOILUTSequence=[make_item(WindowCenter=500, WindowWidth=1000)],
        MRTimingAndRelatedParametersSequence=[timing],
        MRFOVGeometrySequence=[field],
        MREchoSequence=[make_item(EffectiveEchoTime=110.0)],
        MRModifierSequence=[modifier],
        MRImagingModifierSequence=[imaging],
        MRReceiveCoilSequence=[receive],
        MRTransmitCoilSequence=[transmit],
        MRAveragesSequence=[make_item(NumberOfAverages=1.0)],
    )


def _frame(study: Study, number: int, height: float, offset: str) -> Dataset:
    item, content, position, kind = Dataset(), Dataset(), Dataset(), Dataset()
    when = study.when + timedelta(seconds=4 * number)
    content.FrameReferenceDateTime = content.FrameAcquisitionDateTime = join_time(when, offset)
    content.FrameAcquisitionDuration, content.FrameAcquisitionNumber = 4000.0, 1
    content.StackID, content.InStackPositionNumber, content.DimensionIndexValues = "1", number + 1, [number + 1]
    position.ImagePositionPatient = [-FIELD_MM / 2, -FIELD_MM / 2, height]
    kind.FrameType = ["ORIGINAL", "PRIMARY", "T2", "NONE"]
    kind.PixelPresentation, kind.VolumetricProperties = "MONOCHROME", "VOLUME"
    kind.VolumeBasedCalculationTechnique, kind.ComplexImageComponent = "NONE", "MAGNITUDE"
    kind.AcquisitionContrast = "T2"
    item.FrameContentSequence, item.PlanePositionSequence, item.MRImageFrameTypeSequence = [content], [position], [kind]
    return item
