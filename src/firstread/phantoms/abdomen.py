"""Abdominal CT of a phantom patient as a volume, with exact masks of the liver, its segments, lesions and other organs.

A patient is drawn from a seed, in millimetres; every size and spacing of the voxels and every contrast phase shows the
same anatomy. How near the volumes come to a real CT is measured in benchmarks/phantom_realism.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from firstread.core.errors import SettingError, suggest
from firstread.core.geometry import Geometry
from firstread.core.volume import Volume
from firstread.phantoms.body_wall import BodyWall, Rooms, paint_wall
from firstread.phantoms.contrast_phases import PHASES, draw_offsets, tissue_values
from firstread.phantoms.liver import (
    MEDIAN_ML,
    Liver,
    Vessel,
    draw_liver_vessels,
    draw_volume_ml,
    make_liver_neighbours,
)
from firstread.phantoms.liver_lesions import LiverLesion, draw_lesion_count, draw_lesions, paint_lesion
from firstread.phantoms.smooth_fields import SmoothField, draw_ct_noise
from firstread.phantoms.solids import measure, within
from firstread.phantoms.spine import paint_spine
from firstread.phantoms.viscera import Viscus, draw_kidney, draw_viscera, settle, settle_viscera
from firstread.phantoms.voxel_canvas import Box3D, Canvas, Warp

#: incremented whenever a seed gives another patient or other voxels than before
ABDOMEN_VERSION = 1
#: largest number of voxels that are simulated
MAX_VOXELS = 20_000_000
#: value of each organ in `label_map`; the liver includes its vessels and lesions
LABELS = MappingProxyType(
    {
        "liver": 1,
        "gallbladder": 2,
        "portal vein": 3,
        "vena cava": 4,
        "aorta": 5,
        "spleen": 6,
        "right kidney": 7,
        "left kidney": 8,
        "stomach": 9,
        "pancreas": 10,
        "duodenum": 11,
        "colon": 12,
        "small bowel": 13,
        "adrenal glands": 14,
        "psoas": 15,
        "back muscles": 16,
        "heart": 17,
        "oesophagus": 18,
    }
)
_REFERENCE_MM = 5.0


@dataclass(frozen=True, eq=False)
class AbdomenPatient:
    """A phantom patient's abdomen, drawn from a seed: the same seed gives the same voxels.

    Attributes:
        seed: that it was drawn from.
        liver_volume_ml: drawn first, from an adult distribution; the liver is then scaled to it.
        middle_mm: (x, y, z) of the middle of a scan of the liver.

    Example:
        >>> patient = AbdomenPatient.draw(7)
        >>> scan = simulate_ct(patient, geometry=patient.geometry((12, 32, 32), spacing_mm_zyx=(16, 12.4, 12.4)))
        >>> scan.unit, scan.values.shape
        ('HU', (12, 32, 32))
    """

    seed: int
    wall: BodyWall
    warp: Warp
    streaks: SmoothField
    viscera: tuple[Viscus, ...]
    liver: Liver
    vessels: tuple[Vessel, ...]
    lesions: tuple[LiverLesion, ...]
    hu_offsets: dict[str, float]
    noise_hu: float
    disc_mm: float
    middle_mm: tuple[float, float, float]

    @property
    def liver_volume_ml(self) -> float:
        """Volume that the liver was scaled to, vessels and lesions included."""
        return self.liver.volume_ml

    @classmethod
    def draw(cls, seed: int | np.random.Generator, *, lesion_count: int | None = None) -> "AbdomenPatient":
        """Draw a patient.

        Args:
            seed: number from 0, or a generator, from which one is drawn.
            lesion_count: how many liver lesions, as far as there is room for them; None draws the number.
        """
        number = int(seed.integers(2**53)) if isinstance(seed, np.random.Generator) else int(seed)
        if number < 0 or (lesion_count is not None and not 0 <= lesion_count <= 20):
            raise SettingError(
                f"seed={number}, lesion_count={lesion_count} is not possible", expected="a seed from 0, 0 to 20 lesions"
            )
        rng = np.random.default_rng([ABDOMEN_VERSION, number])
        volume_ml = draw_volume_ml(rng)
        scale = float(np.clip((volume_ml / MEDIAN_ML) ** 0.24 * rng.normal(1, 0.02), 0.84, 1.16))
        wall = BodyWall.draw(rng, scale=scale)
        fields = [SmoothField.draw(rng, sd=2.8, step_mm=64.0) for _ in range(3)]
        warp = Warp((fields[0], fields[1], fields[2]))
        kidneys = (draw_kidney(rng, scale, side=-1), draw_kidney(rng, scale, side=1))
        liver = Liver.draw(rng, scale=scale, volume_ml=volume_ml, kidney=kidneys[0])
        canvas, rooms = _reference(wall, warp)
        liver = liver.sized(canvas, rooms)
        inside = liver.inside(canvas, rooms, (slice(None),) * 3)
        slices = canvas.axes_mm[0][(inside > 0).any(axis=(1, 2))]
        return cls(
            seed=number,
            wall=wall,
            warp=warp,
            streaks=SmoothField.draw(rng, sd=1.0, step_mm=9.0),
            viscera=settle_viscera(warp, (*draw_viscera(rng, wall, kidneys), *make_liver_neighbours(liver))),
            liver=liver,
            vessels=_settle_vessels(warp, draw_liver_vessels(rng, liver)),
            hu_offsets=draw_offsets(rng),
            noise_hu=float(rng.uniform(5, 14)),
            disc_mm=float(rng.uniform(0, 33)),
            middle_mm=(0.0, 0.0, float(slices[0] + slices[-1]) / 2),
            lesions=_place_lesions(rng, lesion_count, canvas, inside),  # last: their number changes nothing else
        )

    def geometry(
        self, size_zyx: Sequence[int] = (48, 128, 128), *, spacing_mm_zyx: Sequence[float] = (4.0, 3.1, 3.1)
    ) -> Geometry:
        """Voxel grid around the middle of this patient's liver and body: axial slices from the feet up."""
        reach = (np.asarray(size_zyx, float) - 1) * np.asarray(spacing_mm_zyx, float) / 2
        origin = np.asarray(self.middle_mm) - reach[::-1]
        return Geometry.from_spacing(size_zyx, spacing_mm_zyx=spacing_mm_zyx, origin_mm_lps=origin.tolist())


def simulate_ct(patient: AbdomenPatient, *, phase: str = "portal", geometry: Geometry | None = None) -> Volume:
    """Simulate a CT of a phantom's abdomen: int16 Hounsfield units.

    Args:
        phase: "unenhanced", "arterial", "portal" or "delayed"; the anatomy is the same in all of them.
        geometry: axial slices from the feet up; None is `patient.geometry()`.

    Raises:
        SettingError: unknown phase, or a geometry whose axes are not those of the patient.
    """
    if phase not in PHASES:
        raise SettingError(f'There is no phase "{phase}".{suggest(phase, PHASES)}', where="phase")
    geometry = geometry or patient.geometry()
    canvas, rooms = _open_canvas(patient, geometry, with_hu=True)
    _paint(patient, canvas, rooms, phase)
    rng = np.random.default_rng([ABDOMEN_VERSION, patient.seed, 1 + PHASES.index(phase)])
    canvas.hu += draw_ct_noise(rng, geometry, sd_hu=patient.noise_hu, broad_share=0.2)
    return Volume(np.rint(np.clip(canvas.hu, -1024, 3071)).astype(np.int16), geometry, "HU")


def label_map(patient: AbdomenPatient, *, geometry: Geometry | None = None) -> Volume:
    """Exact organ masks of a phantom: uint8, values by `LABELS`, 0 elsewhere."""
    geometry = geometry or patient.geometry()
    canvas, rooms = _open_canvas(patient, geometry, with_hu=False)
    _paint(patient, canvas, rooms, PHASES[0])
    return Volume(canvas.labels, geometry)


def segment_map(patient: AbdomenPatient, *, geometry: Geometry | None = None) -> Volume:
    """Couinaud segments of a phantom's liver: uint8, 1 to 8, 0 outside the liver."""
    geometry = geometry or patient.geometry()
    canvas, rooms = _open_canvas(patient, geometry, with_hu=False)
    if (box := _liver_box(canvas)) is not None:
        inside = patient.liver.inside(canvas, rooms, box)
        segments = patient.liver.segments(canvas.x[box], canvas.y[box], canvas.z[box])
        canvas.labels[box] = np.where(inside > 0, segments, 0)
    return Volume(canvas.labels, geometry)


def lesion_map(patient: AbdomenPatient, *, geometry: Geometry | None = None) -> Volume:
    """Liver lesions of a phantom: uint8, each by its number from 1, 0 elsewhere."""
    geometry = geometry or patient.geometry()
    canvas, rooms = _open_canvas(patient, geometry, with_hu=False)
    for lesion in patient.lesions:
        if (box := lesion.shape.box(canvas)) is not None:
            inside = _lesion_inside(patient, lesion, canvas, rooms, box)
            canvas.labels[box][inside > 0] = lesion.number
    return Volume(canvas.labels, geometry)


def _open_canvas(patient: AbdomenPatient, geometry: Geometry, *, with_hu: bool) -> tuple[Canvas, Rooms]:
    if geometry.orientation_zyx != "SPL" or np.count_nonzero(geometry.affine_lps[:3, :3]) != 3:
        raise SettingError(
            "A phantom cannot be simulated on this grid", where=geometry.describe(), expected="axes SPL, not tilted"
        )
    if np.prod([float(count) for count in geometry.size_zyx]) > MAX_VOXELS:
        raise SettingError("This grid is too large to simulate", expected=f"at most {MAX_VOXELS:,} voxels")
    steps = zip(geometry.size_zyx, geometry.spacing_mm_zyx, geometry.origin_mm_lps[::-1], strict=True)
    z, y, x = (first + np.arange(count) * spacing for count, spacing, first in steps)
    canvas = Canvas((z, y, x), patient.warp, with_hu=with_hu)
    return canvas, Rooms.of(patient.wall, canvas.x, canvas.y, canvas.z)


def _reference(wall: BodyWall, warp: Warp) -> tuple[Canvas, Rooms]:
    """A coarse canvas that holds the whole liver."""
    edges = ((-250, 25), (-125, 125), (-175, 120))
    z, y, x = (np.arange(low, high, _REFERENCE_MM) for low, high in edges)
    canvas = Canvas((z, y, x), warp, with_hu=False)
    return canvas, Rooms.of(wall, canvas.x, canvas.y, canvas.z)


def _place_lesions(
    rng: np.random.Generator, count: int | None, canvas: Canvas, inside_mm: np.ndarray
) -> tuple[LiverLesion, ...]:
    """Draw lesions at points of the liver; None draws their number."""
    held = inside_mm > 0
    points = np.stack([canvas.x[held], canvas.y[held], canvas.z[held]], axis=1)
    wanted = draw_lesion_count(rng) if count is None else count
    return draw_lesions(rng, wanted, positions_mm=points, inside_mm=inside_mm[held])


def _liver_box(canvas: Canvas) -> Box3D | None:
    return canvas.box((-190, -150, -260), (130, 140, 20))


def _lesion_inside(
    patient: AbdomenPatient, lesion: LiverLesion, canvas: Canvas, rooms: Rooms, box: Box3D
) -> np.ndarray:
    own = lesion.shape.inside(canvas.x[box], canvas.y[box], canvas.z[box])
    return np.minimum(own, patient.liver.inside(canvas, rooms, box))


def _paint(patient: AbdomenPatient, canvas: Canvas, rooms: Rooms, phase: str) -> None:
    """Paint all tissues in one phase; of a canvas without Hounsfield units only the labels."""
    hu = tissue_values(phase, patient.hu_offsets)
    streaks = patient.streaks.on_grid(canvas.axes_mm)
    if canvas.hu is not None:
        paint_wall(canvas, patient.wall, rooms, hu, streaks)
    for viscus in patient.viscera:
        _paint_viscus(canvas, patient, viscus, rooms, hu, streaks)
    paint_spine(canvas, hu, scale=patient.wall.scale, offset_mm=patient.disc_mm, streaks=streaks)
    _paint_liver(canvas, patient, rooms, hu, phase)


def _paint_viscus(
    canvas: Canvas, patient: AbdomenPatient, viscus: Viscus, rooms: Rooms, hu: dict[str, float], streaks: np.ndarray
) -> None:
    if canvas.hu is None and not viscus.label:
        return
    found = measure(viscus.solid, canvas)
    if found is None:
        return
    box, inside = found
    if viscus.room == "abdomen":
        room = rooms.abdomen[box] - 1.5
    elif viscus.room == "cavity":
        room = rooms.cavity[box]
    elif viscus.room == "chest":
        room = np.minimum(rooms.cavity[box], -rooms.below[box])
    else:
        room = rooms.depth[box] - patient.wall.fat_mm * 1.3
    if viscus.waves_mm:
        inside = inside + np.float32(viscus.waves_mm) * streaks[box]
    inside = within(inside, room) - np.float32(viscus.inset_mm)
    if viscus.front_mm is not None:
        inside = np.minimum(inside, np.float32(viscus.front_mm) - canvas.y[box])
    value = hu[viscus.tissue] + viscus.streaks_hu * streaks[box] if viscus.streaks_hu else hu[viscus.tissue]
    canvas.paint(box, inside, value, label=LABELS.get(viscus.label))


def _paint_liver(canvas: Canvas, patient: AbdomenPatient, rooms: Rooms, hu: dict[str, float], phase: str) -> None:
    """Paint the liver with its vessels and lesions."""
    box = _liver_box(canvas)
    if box is None:
        return
    inside = patient.liver.inside(canvas, rooms, box)
    canvas.paint(box, inside, hu["liver"], label=LABELS["liver"])
    if canvas.hu is not None:
        _paint_liver_contents(canvas, patient, rooms, hu, phase)


def _paint_liver_contents(
    canvas: Canvas, patient: AbdomenPatient, rooms: Rooms, hu: dict[str, float], phase: str
) -> None:
    solid = [lesion for lesion in patient.lesions if lesion.kind != "focal fat"]
    for vessel in patient.vessels:
        if (found := vessel.pipe.inside(canvas)) is not None:
            canvas.paint(found[0], np.minimum(found[1], rooms.abdomen[found[0]]), hu[vessel.tissue])
    for lesion in [lesion for lesion in patient.lesions if lesion not in solid] + solid:
        if (box := lesion.shape.box(canvas)) is not None:
            paint_lesion(canvas, box, _lesion_inside(patient, lesion, canvas, rooms, box), lesion, hu, phase)


def _settle_vessels(warp: Warp, vessels: Sequence[Vessel]) -> tuple[Vessel, ...]:
    pipes = settle(warp, [vessel.pipe for vessel in vessels])
    return tuple(replace(vessel, pipe=pipe) for vessel, pipe in zip(vessels, pipes, strict=True))
