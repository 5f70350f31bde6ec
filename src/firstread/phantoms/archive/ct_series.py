"""CT of a phantom patient's abdomen as DICOM series: localiser, contrast phases, coronal reformations."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage
from scipy.ndimage import zoom

from firstread.core.geometry import Geometry
from firstread.core.volume import Volume
from firstread.phantoms.abdomen import AbdomenPatient, simulate_ct
from firstread.phantoms.archive.header_modules import add_instance, join_time, split_time, start_dataset
from firstread.phantoms.archive.studies import Series, Study
from firstread.phantoms.archive.template_dataset import TemplateDataset
from firstread.phantoms.archive.truth import Stack

#: phase -> what technicians call it, seconds after the injection
PHASE_NAMES = {
    "unenhanced": ("Abdomen nativ 4.0", 0),
    "arterial": ("Abdomen art 4.0", 35),
    "portal": ("Abdomen ven 4.0", 70),
}
FIELD_OF_VIEW_MM = 396.8
SCAN_LENGTH_MM = 256.0


@dataclass(frozen=True)
class ScanGrid:
    """Slices and pixels of the CT of an archive: they cover the whole abdomen at any number."""

    matrix: int
    slices: int

    def geometry(self, patient: AbdomenPatient) -> Geometry:
        """Voxels of one patient's scan."""
        in_plane = FIELD_OF_VIEW_MM / self.matrix
        spacing = (SCAN_LENGTH_MM / self.slices, in_plane, in_plane)
        return patient.geometry((self.slices, self.matrix, self.matrix), spacing_mm_zyx=spacing)


def add_phase(study: Study, anatomy: AbdomenPatient, *, grid: ScanGrid, phase: str, frame_of_reference: str) -> Volume:
    """Add one phase as a series of axial slices to a study; returns its voxels in Hounsfield units."""
    name, _ = PHASE_NAMES[phase]
    series = study.open_series("CT", name)
    volume = simulate_ct(anatomy, phase=phase, geometry=grid.geometry(anatomy))
    template = start_ct(study, series, frame_of_reference=frame_of_reference)
    template.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    add_contrast(template, study, phase=phase)
    add_stack(study, series, volume, template)
    series.stacks.append(
        Stack(
            "original",
            plane="axial",
            phase="venous" if phase == "portal" else phase,
            spacing_mm=volume.geometry.spacing_mm_zyx[0],
            sop_instance_uids=list_uids(series),
        )
    )
    return volume


def add_localizer(study: Study, volume: Volume, *, frame_of_reference: str) -> Series:
    """Add the scout view that was taken before a scan: a frontal projection of the volume."""
    series = study.open_series("CT", "Topogramm 0.6")
    template = start_ct(study, series, frame_of_reference=frame_of_reference)
    template.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    pixels, spacing, origin = project_frontal(volume)
    instance = add_instance(series, template, study, number=1)
    fill_slice(instance.dataset, pixels, spacing_mm=(spacing, spacing), position_mm=origin, orientation=CORONAL)
    instance.dataset.SliceThickness = None
    del instance.dataset.RescaleType
    series.stacks.append(Stack("localizer", plane="localizer", sop_instance_uids=list_uids(series)))
    return series


def add_reformation(
    study: Study, volume: Volume, *, frame_of_reference: str, original: Series, count: int = 6
) -> Series:
    """Add coronal reformations of a phase: derived images with a series UID of their own."""
    series = study.open_series("CT", original.description)
    template = start_ct(study, series, frame_of_reference=frame_of_reference)
    template.ImageType = ["DERIVED", "SECONDARY", "MPR"]
    template.DerivationDescription = "coronal reformation"
    z, y, x = volume.geometry.spacing_mm_zyx
    rows = np.linspace(0.3, 0.7, count) * volume.geometry.size_zyx[1]
    template.SliceThickness = round(y, 4)
    for number, row in enumerate(rows.astype(int), start=1):
        plane = zoom(volume.values[::-1, row, :].astype(np.float32), (z / x, 1.0), order=1)
        top = volume.geometry.to_mm([[len(volume.values) - 1, row, 0]])[0]
        instance = add_instance(series, template, study, number=number)
        fill_slice(instance.dataset, plane, spacing_mm=(x, x), position_mm=top, orientation=CORONAL)
    spacing = float(rows[1].astype(int) - rows[0].astype(int)) * y if count > 1 else None
    series.stacks.append(
        Stack("derived", plane="coronal", phase="venous", spacing_mm=spacing, sop_instance_uids=list_uids(series))
    )
    return series


AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)


def start_ct(study: Study, series: Series, *, frame_of_reference: str) -> TemplateDataset:
    """Elements that all images of a CT series share (PS3.3 A.3)."""
    dataset = start_dataset(study, series, sop_class=CTImageStorage)
    dataset.FrameOfReferenceUID = frame_of_reference
    dataset.PositionReferenceIndicator = ""
    dataset.BodyPartExamined = "ABDOMEN"
    dataset.PatientPosition = "FFS"
    dataset.ProtocolName = "Liver three phases"
    dataset.KVP = 120
    dataset.XRayTubeCurrent = 210
    dataset.ExposureTime = 500
    dataset.ConvolutionKernel = "B30f"
    dataset.GantryDetectorTilt = 0
    dataset.AcquisitionNumber = series.number
    dataset.AcquisitionDate, dataset.AcquisitionTime = split_time(study.when + timedelta(seconds=40 * series.number))
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = -1024, 1, "HU"
    dataset.WindowCenter, dataset.WindowWidth = 50, 400
    return dataset


def add_contrast(template: TemplateDataset, study: Study, *, phase: str) -> None:
    """Contrast/Bolus module of an enhanced phase (PS3.3 C.7.6.4); the times of injection and scan."""
    if phase == "unenhanced":
        return
    start = study.when + timedelta(seconds=90)
    scan = start + timedelta(seconds=PHASE_NAMES[phase][1])
    template.ContrastBolusAgent = "Iohexol 350"
    template.ContrastBolusRoute = "IV"
    template.ContrastBolusVolume = 100
    template.ContrastBolusStartTime = split_time(start)[1]
    template.AcquisitionDate, template.AcquisitionTime = split_time(scan)
    template.AcquisitionDateTime = join_time(scan, study.identity.region.utc_offset)


def add_stack(study: Study, series: Series, volume: Volume, template: TemplateDataset, *, first: int = 1) -> None:
    """Add the axial slices of a volume, numbered from the head to the feet, as scanners do."""
    z, y, x = volume.geometry.spacing_mm_zyx
    positions = volume.geometry.to_mm([[index, 0, 0] for index in range(len(volume.values))])
    template = template.branch()
    template.SliceThickness = round(z, 4)
    for number, index in enumerate(range(len(volume.values) - 1, -1, -1), start=first):
        instance = add_instance(series, template, study, number=number)
        fill_slice(
            instance.dataset, volume.values[index], spacing_mm=(y, x), position_mm=positions[index], orientation=AXIAL
        )


def fill_slice(
    dataset: Dataset,
    hounsfield: np.ndarray,
    *,
    spacing_mm: tuple[float, float],
    position_mm: Sequence[float] | np.ndarray,
    orientation: Sequence[float],
) -> None:
    """Image plane and pixels of one CT image (PS3.3 C.7.6.2): (rows, columns) Hounsfield units as 12 bits."""
    dataset.ImagePositionPatient = [round(float(value), 4) for value in position_mm]
    dataset.ImageOrientationPatient = list(orientation)
    dataset.PixelSpacing = [round(value, 6) for value in spacing_mm]
    dataset.SliceLocation = round(float(position_mm[2]), 4)
    stored = np.clip(np.rint(hounsfield) + 1024, 0, 4095).astype("<u2")
    dataset.Rows, dataset.Columns = stored.shape
    dataset.PixelData = stored.tobytes()
    dataset["PixelData"].VR = "OW"


def project_frontal(volume: Volume) -> tuple[np.ndarray, float, np.ndarray]:
    """Mean along the rays from front to back: values, pixel spacing in mm, position of the first pixel."""
    z, _, x = volume.geometry.spacing_mm_zyx
    mean = volume.values.astype(np.float32).mean(axis=1)[::-1]
    pixels = zoom((mean + 1000) * 1.3 - 900, (2 * z / x, 2.0), order=1)
    top = volume.geometry.to_mm([[len(volume.values) - 1, volume.geometry.size_zyx[1] // 2, 0]])[0]
    return pixels, x / 2, top


def list_uids(series: Series) -> tuple[str, ...]:
    """SOP Instance UIDs of a series, in the order of its instances."""
    return tuple(str(instance.dataset.SOPInstanceUID) for instance in series.instances)
