"""Faults of real archives that only the images show: coverage, noise, field of view, part of the body, overlap, copies.

Each concerns the arterial series of one half of the patients and the unenhanced series of the other half.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import zoom

from firstread.core.geometry import Geometry
from firstread.phantoms.abdomen import LABELS, label_map
from firstread.phantoms.archive.ct_series import list_uids
from firstread.phantoms.archive.fault_places import find_phase, note_fault
from firstread.phantoms.archive.studies import ArchivePatient, Instance, Series, Study
from firstread.phantoms.archive.truth import Stack
from firstread.phantoms.smooth_fields import draw_ct_noise

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

#: share of the liver's height that is not scanned, and of its largest section that lies in the last slice at least
_CUT_SHARES, _CUT_SECTION = (0.2, 0.4), 0.3
#: standard deviation of the noise that is added, in HU, and tube current of such a scan
_NOISE_HU, _NOISE_MA = (48.0, 90.0), 18
#: share of the field of view that is reconstructed
_FIELD_SHARE = (0.52, 0.66)
#: 12 bits of CT; an overlay may lie in the bits above
_PIXEL_BITS = 0x0FFF
_OVERLAP_SHARE = 0.4
#: what a protocol for another part of the body writes: BodyPartExamined, ProtocolName
_OTHER_PARTS = (("HEAD", "Neurocranium"), ("KNEE", "Knie"), ("NECK", "Hals"))


def plant_low_coverage(patient: ArchivePatient) -> None:
    """The scan ends within the liver: at its top in the arterial phase, at its bottom in the unenhanced one."""
    study, series = _choose(patient)
    is_top = _phase(patient) == "arterial"
    heights = np.array([float(instance.dataset.ImagePositionPatient[2]) for instance in series.instances])
    limit = _cut_height(patient, study, is_top=is_top)
    kept = heights <= limit if is_top else heights >= limit
    series.instances = [instance for instance, keep in zip(series.instances, kept, strict=True) if keep]
    series.stacks = [replace(series.stacks[0], sop_instance_uids=list_uids(series))]
    end = "top" if is_top else "bottom"
    note_fault(study, "low_coverage", series, f"the scan ends within the liver, at its {end}")


def _cut_height(patient: ArchivePatient, study: Study, *, is_top: bool) -> float:
    """Height in millimetres at which a scan ends within the liver, where its section is still large."""
    grid = patient.anatomy.geometry((52, 32, 32), spacing_mm_zyx=(5.0, 12.4, 12.4))
    areas = (label_map(patient.anatomy, geometry=grid).values == LABELS["liver"]).sum(axis=(1, 2))
    heights = grid.origin_mm_lps[2] + 5.0 * np.arange(52)
    inside = np.flatnonzero(areas)
    share = float(study.random("coverage").uniform(*_CUT_SHARES))
    large = np.flatnonzero(areas >= _CUT_SECTION * areas.max())
    low, high = heights[inside[0]], heights[inside[-1]]
    if is_top:
        return float(min(high - share * (high - low), heights[large[-1]]))
    return float(max(low + share * (high - low), heights[large[0]]))


def plant_noise(patient: ArchivePatient) -> None:
    """One phase was scanned with far too little dose."""
    study, series = _choose(patient)
    rng = study.random("noise")
    shape = (len(series.instances), *_pixels(series.instances[0]).shape)
    grid = Geometry.from_spacing(shape, spacing_mm_zyx=_spacing(series.instances[0]))
    noise = draw_ct_noise(rng, grid, sd_hu=float(rng.uniform(*_NOISE_HU)), broad_share=0.05)
    for instance, values in zip(series.instances, noise, strict=True):
        _store(instance, _pixels(instance) + values)
        instance.dataset.XRayTubeCurrent = _NOISE_MA
    note_fault(study, "noise", series, "noise of a dose that is far too low")


def plant_truncated_field_of_view(patient: ArchivePatient) -> None:
    """One phase was reconstructed in a field of view that is smaller than the body."""
    study, series = _choose(patient)
    share = float(study.random("field of view").uniform(*_FIELD_SHARE))
    for instance in series.instances:
        _shrink_field(instance, share)
    note_fault(study, "truncated_field_of_view", series, f"{share:.0%} of the field of view were reconstructed")


def _shrink_field(instance: Instance, share: float) -> None:
    pixels, dataset = _pixels(instance), instance.dataset
    size = len(pixels)
    inner = max(8, round(size * share))
    first = (size - inner) // 2
    _store(instance, zoom(pixels[first : first + inner, first : first + inner], size / inner, order=1))
    old = [float(value) for value in dataset.PixelSpacing]
    new = [value * inner / size for value in old]
    # the middle of the first pixel of the smaller field
    shift = [first * o + (n - o) / 2 for o, n in zip(old, new, strict=True)]
    x, y, z = (float(value) for value in dataset.ImagePositionPatient)
    dataset.ImagePositionPatient = [round(x + shift[1], 4), round(y + shift[0], 4), z]
    dataset.PixelSpacing = [round(value, 6) for value in new]
    dataset.ReconstructionDiameter = round(new[0] * size, 2)


def plant_wrong_body_part(patient: ArchivePatient) -> None:
    """The technician chose the protocol of another part of the body, and scanned the abdomen with it."""
    study, series = _choose(patient)
    part, protocol = _OTHER_PARTS[patient.home.number % len(_OTHER_PARTS)]
    for instance in series.instances:
        instance.dataset.BodyPartExamined, instance.dataset.ProtocolName = part, protocol
    note_fault(study, "wrong_body_part", series, f"the abdomen was scanned with a protocol for {part}")


def plant_overlapping_slices(patient: ArchivePatient) -> None:
    """A part of one phase was reconstructed a second time, between the first slices."""
    study, series = _choose(patient)
    count = len(series.instances)
    first, number = count // 2, max(2, count // 7)
    for index in range(first, min(first + number, count - 1)):
        series.instances.append(_between(series, index, study, number=count + 1 + index - first))
    series.stacks = [replace(series.stacks[0], sop_instance_uids=list_uids(series))]
    note_fault(study, "overlapping_slices", series, f"{len(series.instances) - count} slices lie between others")


def _between(series: Series, index: int, study: Study, *, number: int) -> Instance:
    """A slice between one and the next."""
    one, other = series.instances[index], series.instances[index + 1]
    made = Instance(one.dataset.branch(), transfer_syntax=one.transfer_syntax, cases=dict(one.cases))
    made.kept, made.violations = dict(one.kept), list(one.violations)
    made.dataset.SOPInstanceUID = study.make_uid("between", series.number, index)
    made.dataset.InstanceNumber = number
    places = [np.array([float(v) for v in d.dataset.ImagePositionPatient]) for d in (one, other)]
    place = places[0] + _OVERLAP_SHARE * (places[1] - places[0])
    made.dataset.ImagePositionPatient = [round(float(value), 4) for value in place]
    made.dataset.SliceLocation = round(float(place[2]), 4)
    _store(made, _pixels(one) * (1 - _OVERLAP_SHARE) + _pixels(other) * _OVERLAP_SHARE)
    return made


def plant_images_under_two_ids(patient: ArchivePatient) -> None:
    """The coronal reformations came back from another hospital, which gave the patient an id of its own."""
    study, _ = find_phase(patient, "venous")
    series = next(one for one in study.series if one.stacks and one.stacks[0].kind == "derived")
    patient.identity = replace(study.identity, patient_id=f"X{study.identity.other_id}", issuer="")
    other = patient.open_study("returned", study.when, study.description)
    patient.identity = patient.home
    again = other.open_series(series.modality, series.description)
    for number, instance in enumerate(series.instances, start=1):
        again.instances.append(_under_other_id(instance.dataset, other, again, number))
    again.stacks.append(Stack("derived", plane="coronal", phase="venous", sop_instance_uids=list_uids(again)))
    for where, which in ((study, series), (other, again)):
        note_fault(where, "images_under_two_ids", which, "the same images under two ids, without a common identifier")


def _under_other_id(dataset: "Dataset", study: Study, series: Series, number: int) -> Instance:
    made = dataset.branch()  # type: ignore[operator]
    made.PatientID, made.IssuerOfPatientID = study.identity.patient_id, study.identity.issuer
    made.StudyInstanceUID, made.StudyID, made.AccessionNumber = study.uid, study.study_id, study.accession
    made.SeriesInstanceUID, made.SeriesNumber = series.uid, series.number
    made.SOPInstanceUID = study.make_uid("instance", series.number, number)
    made.FrameOfReferenceUID = study.make_uid("frame of reference")
    return Instance(made)


def _phase(patient: ArchivePatient) -> str:
    return "arterial" if patient.home.number % 2 else "unenhanced"


def _choose(patient: ArchivePatient) -> tuple[Study, Series]:
    return find_phase(patient, _phase(patient))


def _pixels(instance: Instance) -> np.ndarray:
    """Stored pixels of an uncompressed CT image as float32 (rows, columns), without overlay bits."""
    dataset = instance.dataset
    stored = np.frombuffer(dataset.PixelData, "<u2").reshape(dataset.Rows, dataset.Columns)
    return (stored & _PIXEL_BITS).astype(np.float32)


def _store(instance: Instance, pixels: np.ndarray) -> None:
    """Replace the 12 bits of the pixels; an overlay in the bits above stays."""
    dataset = instance.dataset
    old = np.frombuffer(dataset.PixelData, "<u2").reshape(dataset.Rows, dataset.Columns)
    new = np.clip(np.rint(pixels), 0, _PIXEL_BITS).astype("<u2")
    dataset.PixelData = (new | (old & ~np.uint16(_PIXEL_BITS))).astype("<u2").tobytes()
    dataset["PixelData"].VR = "OW"


def _spacing(instance: Instance) -> tuple[float, float, float]:
    row, column = (float(value) for value in instance.dataset.PixelSpacing)
    return float(instance.dataset.SliceThickness), row, column
