"""Ultrasound of a phantom archive: a curved sector of speckle with vessels, a cyst and colour Doppler."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    UltrasoundImageStorage,
    UltrasoundMultiFrameImageStorage,
)
from scipy.ndimage import gaussian_filter, map_coordinates

from firstread.phantoms.archive.drawn_text import TextLine, draw_line, text_actions
from firstread.phantoms.archive.header_modules import add_instance, start_dataset
from firstread.phantoms.archive.pixel_data import set_pixels
from firstread.phantoms.archive.studies import Instance, Series, Study
from firstread.phantoms.archive.template_dataset import TemplateDataset
from firstread.phantoms.archive.truth import Action, Stack

ROWS, COLUMNS = 480, 640
#: rows and columns of the region of the image, half open: y0, x0, y1, x1
REGION = (56, 60, 452, 580)
_HALF_ANGLE, _NEAR_MM, _DEPTH_MM = np.radians(36), 48.0, 150.0
_POLAR = (420, 256)


@dataclass(frozen=True)
class UltrasoundSettings:
    """How an ultrasound-like image is made and stored.

    Attributes:
        frames: 1 is a still image, more a loop.
        colour: a box of colour Doppler; else gray.
        photometric: "MONOCHROME2", "RGB", "YBR_FULL", "YBR_FULL_422" or "YBR_RCT".
        planar: 0: colour by pixel, 1: colour by plane.
        transfer_syntax: that the pixels are stored in.
        regions: whether SequenceOfUltrasoundRegions says where the image lies.
        burned_in: value of BurnedInAnnotation, empty leaves it out.
    """

    frames: int = 1
    colour: bool = False
    photometric: str = "MONOCHROME2"
    planar: int = 0
    transfer_syntax: UID = ExplicitVRLittleEndian
    regions: bool = True
    burned_in: str = ""


def add_ultrasound(
    study: Study, settings: UltrasoundSettings, *, lines: tuple[TextLine, ...], clean: bool = False, note: str = ""
) -> Instance:
    """Add an image or a loop as a series of its own.

    Args:
        lines: burned in above the image, from the top left corner on; the last one lies in the image.
        clean: nothing that names the patient is drawn; lines are ignored.
        note: case that the burned-in text stands for.
    """
    series = study.open_series("US", "Leber")
    instance = add_instance(series, _start(study, series, settings), study, number=1)
    frames = simulate_frames(study, settings, series.number)
    actions = _draw_captions(frames, settings, () if clean else lines, note=note)
    instance.actions += actions
    set_pixels(
        instance,
        np.rint(np.clip(frames, 0, 255)).astype(np.uint8),
        settings.photometric,
        planar=settings.planar,
        transfer_syntax=settings.transfer_syntax,
    )
    instance.needs_person = not settings.regions
    series.stacks.append(Stack("original", sop_instance_uids=(str(instance.dataset.SOPInstanceUID),)))
    return instance


def simulate_frames(study: Study, settings: UltrasoundSettings, number: int) -> np.ndarray:
    """Simulate the frames of a loop: float (frames, rows, columns) or (frames, rows, columns, 3), 0 to 255."""
    rng = study.random("ultrasound", number)
    tissue, velocity = _draw_tissue(rng)
    speckle = rng.normal(size=(2, *_POLAR))
    shown = []
    for frame in range(settings.frames):
        fresh = rng.normal(size=(2, *_POLAR)) * 0.35
        waves = gaussian_filter(speckle * 0.94 + fresh, (0, 0.9, 1.6))
        envelope = np.hypot(*waves) / 0.42
        shift = 2.5 * np.sin(2 * np.pi * frame / 12)
        echo = envelope * np.roll(tissue, round(shift), axis=0)
        bright = np.clip(20 * np.log10(echo + 1e-3) + 44, 0, 60) / 60 * 235
        gray = _scan_convert(bright)
        shown.append(_add_doppler(gray, velocity, rng) if settings.colour else gray)
    frames = np.stack(shown)
    if not settings.colour and settings.photometric != "MONOCHROME2":
        frames = np.repeat(frames[..., None], 3, axis=-1)
    return frames


def _draw_tissue(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Echogenicity of the liver (depth, angle), and flow of blood, 1 towards the probe, -1 away from it."""
    depth, angle = np.meshgrid(np.linspace(0, 1, _POLAR[0]), np.linspace(-1, 1, _POLAR[1]), indexing="ij")
    tissue = np.full(_POLAR, 0.55)
    tissue *= 1 + 0.35 * gaussian_filter(rng.normal(size=_POLAR), 18) * 18
    tissue[depth < 0.10] = 0.9  # abdominal wall with its fascia
    for level in (0.035, 0.07, 0.10):
        tissue[np.abs(depth - level - 0.006 * np.sin(5 * angle)) < 0.004] = 2.6
    flow = np.zeros(_POLAR)
    for _ in range(int(rng.integers(3, 6))):
        slope, offset, width = rng.uniform(-0.35, 0.35), rng.uniform(0.25, 0.7), rng.uniform(0.012, 0.028)
        first, last = rng.uniform(-0.95, -0.2), rng.uniform(0.2, 0.95)
        along = np.clip((angle - first) / (last - first), 0, 1)
        width = width * np.sqrt(np.clip(np.minimum(6 * along, 2.2 * (1 - along)), 0, 1))
        distance = np.abs(depth - offset - slope * angle - 0.03 * np.sin(4 * angle + offset * 9))
        wall = distance < width * 1.45
        tissue[wall] = np.maximum(tissue[wall], 0.95)
        tissue[distance < width] = 0.03
        flow[distance < width] = 1.0 if slope > 0 else -1.0
    cyst = ((depth - rng.uniform(0.3, 0.6)) / 0.07) ** 2 + ((angle - rng.uniform(-0.5, 0.5)) / 0.17) ** 2
    tissue[cyst < 1] = 0.02
    below = (depth > depth[np.argmin(cyst) // _POLAR[1], 0]) & (np.abs(angle - angle.flat[np.argmin(cyst)]) < 0.12)
    tissue[below & (cyst >= 1)] *= 1.5  # enhancement behind a cyst
    diaphragm = np.abs(depth - 0.86 + 0.11 * (angle - 0.15) ** 2)
    tissue[diaphragm < 0.012] = 4.0
    tissue[(depth > 0.87 - 0.11 * (angle - 0.15) ** 2) & (diaphragm >= 0.012)] *= 0.45
    shadow = np.abs(angle - rng.uniform(-0.8, 0.8)) < 0.04  # a rib
    tissue[shadow & (depth > 0.09)] *= 0.22
    return gaussian_filter(tissue * (1.15 - 0.5 * depth), 1.1), flow * (depth > 0.2)


def _scan_convert(polar: np.ndarray) -> np.ndarray:
    """Lay a (depth, angle) image out as a curved sector in the region of the picture."""
    rows, columns, inside = _sector()
    picture = np.zeros((ROWS, COLUMNS), np.float32)
    y0, x0, y1, x1 = REGION
    picture[y0:y1, x0:x1] = map_coordinates(polar, [rows, columns], order=1, mode="constant") * inside
    return picture


@lru_cache(maxsize=1)
def _sector() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y0, x0, y1, x1 = REGION
    mm = (_NEAR_MM * (1 - np.cos(_HALF_ANGLE)) + _DEPTH_MM) / (y1 - y0)
    top = _NEAR_MM * np.cos(_HALF_ANGLE)
    y, x = np.mgrid[0 : y1 - y0, 0 : x1 - x0].astype(np.float32)
    y, x = y * mm + top, (x - (x1 - x0) / 2) * mm
    radius, angle = np.hypot(x, y), np.arctan2(x, y)
    rows = (radius - _NEAR_MM) / _DEPTH_MM * (_POLAR[0] - 1)
    columns = (angle / _HALF_ANGLE + 1) / 2 * (_POLAR[1] - 1)
    inside = (np.abs(angle) < _HALF_ANGLE) & (radius > _NEAR_MM) & (radius < _NEAR_MM + _DEPTH_MM)
    return rows, columns, inside.astype(np.float32)


def _add_doppler(gray: np.ndarray, velocity: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Colour the flow within a box, red towards the probe and blue away from it."""
    flow = _scan_convert(gaussian_filter(velocity, 1.2))
    colour = np.repeat(gray[..., None], 3, axis=-1)
    y0, x0, y1, x1 = 150, 230, 330, 430
    box = np.zeros((ROWS, COLUMNS), bool)
    box[y0:y1, x0:x1] = True
    towards, away = box & (flow > 0.4), box & (flow < -0.4)
    speed = rng.uniform(0.6, 1.0, (ROWS, COLUMNS))
    colour[towards] = np.stack([230 * speed, 70 * speed, 20 * speed], axis=-1)[towards]
    colour[away] = np.stack([20 * speed, 80 * speed, 230 * speed], axis=-1)[away]
    for edge in (np.s_[y0, x0:x1], np.s_[y1, x0:x1], np.s_[y0:y1, x0], np.s_[y0:y1, x1]):
        colour[edge] = (220, 220, 220)
    return colour


def _draw_captions(
    frames: np.ndarray, settings: UltrasoundSettings, lines: tuple[TextLine, ...], *, note: str
) -> list[Action]:
    """Gray bar, depth scale, technical text, and the lines that name the patient."""
    bar = np.linspace(235, 10, 120)
    frames[:, 90:210, 20:32] = bar[None, :, None, None] if frames.ndim == 4 else bar[None, :, None]
    if settings.colour:
        _draw_velocity_bar(frames)
    for tick in range(0, 16):
        row = REGION[0] + 8 + tick * 24
        frames[:, row, 598 : 598 + (12 if tick % 5 == 0 else 6)] = 180
    technical = TextLine("MI 1.2  TIs 0.4   C5-1   16 cm   Gen", secret=False, font="DejaVuSansMono", size_px=12)
    box = draw_line(frames, technical, corner=(460, 20))
    y0, x0, y1, x1 = REGION
    actions = [Action("(7fe0,0010)", "PixelData", "pixels_retained", "", box=(y0 + 150, x0 + 170, y1 - 60, x1 - 170))]
    top, left = 6, 20
    for number, line in enumerate(lines):
        typed_by_hand = number == len(lines) - 1 and len(lines) > 1
        corner = (y1 - 40, x0 + 90) if typed_by_hand else (top, left)
        box = draw_line(frames, line, corner=corner)
        actions += text_actions(line, box, note=note)
        left = box[3] + 16
        if left > 420:
            top, left = box[2] + 5, 20
    return actions


def _draw_velocity_bar(frames: np.ndarray) -> None:
    """The bar of velocities: red above, blue below (deid 228: a reader that mixes planes turns it green)."""
    half = np.linspace(1, 0.2, 60)[:, None, None]
    frames[:, 230:290, 20:32] = half * np.array([235.0, 60.0, 20.0])
    frames[:, 290:350, 20:32] = half[::-1] * np.array([20.0, 70.0, 235.0])


def _start(study: Study, series: Series, settings: UltrasoundSettings) -> TemplateDataset:
    loop = settings.frames > 1
    sop_class = UltrasoundMultiFrameImageStorage if loop else UltrasoundImageStorage
    dataset = start_dataset(study, series, sop_class=sop_class)
    dataset.BodyPartExamined = "LIVER"
    dataset.PatientOrientation = []
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "ABDOMINAL", "0011" if settings.colour else "0001"]
    dataset.UltrasoundColorDataPresent = int(settings.colour)
    if settings.burned_in:
        dataset.BurnedInAnnotation = settings.burned_in
    if loop:
        dataset.FrameTime = 40
        dataset.FrameIncrementPointer = 0x00181063
        dataset.NumberOfFrames = settings.frames
    if settings.regions:
        dataset.SequenceOfUltrasoundRegions = [_region()]
    return dataset


def _region() -> Dataset:
    """Where the image lies (PS3.3 C.8.5.5)."""
    item = Dataset()
    y0, x0, y1, x1 = REGION
    item.RegionSpatialFormat, item.RegionDataType, item.RegionFlags = 1, 1, 0
    item.RegionLocationMinX0, item.RegionLocationMinY0 = x0, y0
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = x1 - 1, y1 - 1
    item.PhysicalUnitsXDirection = item.PhysicalUnitsYDirection = 3
    item.PhysicalDeltaX = item.PhysicalDeltaY = _DEPTH_MM / 10 / (y1 - y0)
    return item
