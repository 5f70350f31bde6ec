"""HU of aorta, liver, kidneys and spleen on axial CT of the upper abdomen, found without a network.

The spine is found first, by bone near the middle; then the aorta as the brightest even disc in front of it, in most
slices; the liver as the largest homogeneous organ at the right; the kidneys beside the spine. Each is None where it is
not found. The method is for phases, which differ by tens of HU, and not for measuring an organ.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from firstread.curation.stack_sample import StackSample

#: the ring of bone around the spinal canal, in the order of trial, and the mean of what lies in it, in HU
_RING_HU, _CANAL_HU = (100.0, 150.0), (-40.0, 60.0)
#: area of the canal, the way from its middle to the front of a vertebral body, and HU of its spongy bone and discs
_CANAL_MM2, _CANAL_TO_FRONT_MM, _VERTEBRA_HU = (60.0, 700.0), (34.0, 50.0), 62.0
#: HU of soft tissue with or without contrast medium
_SOFT_HU = (-20.0, 220.0)
#: liver: HU, volume and how far its voxels may differ
_LIVER_HU, _MIN_LIVER_ML, _MAX_LIVER_SPREAD_HU = (0.0, 200.0), 250.0, 45.0
#: radius of the opening that cuts the liver from its neighbours, and of a disc within the aorta
_OPENING_MM, _AORTA_MM = 9.0, 4.5
#: window in front of the spine, and beside it, in mm: left is positive, behind is positive
_AORTA_WINDOW = ((-8, 38), (-34, 12))
_KIDNEY_WINDOW = ((22, 82), (-32, 52))
_MIN_SLICES = 4
#: how far at the right of the spine the ends of the liver are looked for
_SIDE_MM = 20.0
#: noise above which organs are looked for on smoother slices
_NOISY_HU, _NOISY_SLICES = 25.0, 5
#: how far HU may differ within a disc of the aorta, above a share of its brightness
_MAX_AORTA_SD_HU, _AORTA_SD_SHARE = 14.0, 0.12


@dataclass(frozen=True)
class Enhancement:
    """Measured HU of organs; None where an organ was not found.

    Attributes:
        aorta_hu, liver_hu, kidney_hu, spleen_hu: of the organ.
        liver_top, liver_bottom: share of the liver's largest section that lies in the top and the bottom slice.
        liver_ml: volume of what was taken for the liver.
    """

    aorta_hu: float | None = None
    liver_hu: float | None = None
    kidney_hu: float | None = None
    spleen_hu: float | None = None
    liver_top: float | None = None
    liver_bottom: float | None = None
    liver_ml: float | None = None

    def text(self) -> str:
        """Evidence in words, such as "aorta 148 HU, liver 112 HU"."""
        named = {"aorta": self.aorta_hu, "liver": self.liver_hu, "kidney": self.kidney_hu, "spleen": self.spleen_hu}
        return ", ".join(f"{name} {value:.0f} HU" for name, value in named.items() if value is not None)


def measure_enhancement(sample: StackSample) -> Enhancement:
    """Measure organs on axial slices of a CT; what cannot be found is None."""
    if len(sample.values) < _MIN_SLICES:
        return Enhancement()
    spine = find_spine(sample)
    if spine is None:
        return Enhancement()
    liver = find_liver(sample, spine)
    liver_hu = round(float(np.median(sample.values[liver])), 1) if liver is not None else None
    # without contrast medium the heart is like the liver, which it lies on; it is not at the right
    side = max(1, int(spine[0] - _SIDE_MM / sample.pixel_mm))
    areas = liver[:, :, :side].sum(axis=(1, 2)) if liver is not None else np.zeros(len(sample.values))
    largest = float(areas.max()) or 1.0
    return Enhancement(
        aorta_hu=measure_aorta(sample, spine),
        liver_hu=liver_hu,
        kidney_hu=measure_kidneys(sample, spine, liver),
        spleen_hu=measure_spleen(sample, spine, liver),
        liver_top=round(float(areas[-1]) / largest, 3) if liver is not None else None,
        liver_bottom=round(float(areas[0]) / largest, 3) if liver is not None else None,
        liver_ml=float(sample.volume_ml(liver)) if liver is not None else None,
    )


def find_spine(sample: StackSample) -> tuple[float, float] | None:
    """Column and row, in pixels of the sample, of the front edge of the vertebral bodies, by the median of slices.

    The spinal canal is a hole in a ring of bone near the middle; a vertebral body reaches some 40 mm further forward
    than its middle. How far, is measured a little at the right, and bounded: an enhanced vena cava may lie on it.
    """
    found, depths = [], []
    for values, body in zip(sample.values, sample.inside, strict=True):
        canal = find_canal(values, body, pixel_mm=sample.pixel_mm)
        if canal is not None:
            found.append(canal)
            depths.append(_front_mm(values, canal, sample.pixel_mm))
    if len(found) < _MIN_SLICES:
        return None
    x, y = np.median(np.array(found), axis=0)
    return float(x), float(y) - float(np.clip(np.median(depths), *_CANAL_TO_FRONT_MM)) / sample.pixel_mm


def _front_mm(values: np.ndarray, canal: tuple[float, float], pixel_mm: float) -> float:
    """How far from the middle of the canal a vertebral body reaches forward, up to what is no bone, in millimetres."""
    x, y = canal
    columns = slice(max(0, int(x - 9 / pixel_mm)), int(x + 1 / pixel_mm) + 1)
    ahead = values[: max(1, int(y - _CANAL_TO_FRONT_MM[0] / 2 / pixel_mm)), columns].mean(axis=1)[::-1]
    ends = np.flatnonzero(ahead < _VERTEBRA_HU)
    return float(y - (len(ahead) - 1 - ends[0])) * pixel_mm if len(ends) else _CANAL_TO_FRONT_MM[1]


def find_canal(values: np.ndarray, body: np.ndarray, *, pixel_mm: float) -> tuple[float, float] | None:
    """Column and row of the middle of the spinal canal in a slice (H, W); None where its ring of bone is not closed."""
    rows, columns = np.nonzero(body)
    if not len(rows):
        return None
    middle, reach = (columns.min() + columns.max()) / 2, 60 / pixel_mm
    left = max(0, int(middle - reach))
    near = ndimage.gaussian_filter(values[:, left : int(middle + reach) + 1], 0.5)
    top = int(rows.min() + 0.4 * (rows.max() - rows.min()))
    for limit in _RING_HU:
        bone = near > limit
        bone[:top] = False
        bone = ndimage.binary_closing(bone, iterations=1)
        labels, count = ndimage.label(ndimage.binary_fill_holes(bone) & ~bone)
        best = None
        for number in range(1, count + 1):
            hole = labels == number
            row, column = np.nonzero(hole)
            is_canal = _CANAL_MM2[0] <= len(row) * pixel_mm**2 <= _CANAL_MM2[1]
            is_canal = is_canal and _CANAL_HU[0] <= float(near[hole].mean()) <= _CANAL_HU[1]
            # of several holes the canal lies furthest behind
            if is_canal and (best is None or row.mean() > best[1]):
                best = (float(column.mean()) + left, float(row.mean()))
        if best is not None:
            return best
    return None


def measure_aorta(sample: StackSample, spine: tuple[float, float]) -> float | None:
    """HU of the aorta: the brightest even disc in front of the spine, by the median of the slices."""
    (left, right), (front, back) = _AORTA_WINDOW
    x, y = spine
    pixel = sample.pixel_mm
    radius = _AORTA_MM / pixel
    disc = _disc(radius)
    columns = slice(max(0, int(x + left / pixel)), int(x + right / pixel) + 1)
    rows = slice(max(0, int(y + front / pixel)), int(y + back / pixel) + 1)
    window = sample.values[:, rows, columns]
    if min(window.shape) < 4:
        return None
    means = np.stack([ndimage.convolve(plane, disc, mode="nearest") for plane in window])
    squares = np.stack([ndimage.convolve(plane**2, disc, mode="nearest") for plane in window])
    deviation = np.sqrt(np.maximum(squares - means**2, 0))
    row, column = np.indices(means.shape[1:])
    row_mm, column_mm = row * pixel + front, column * pixel + left
    # no disc whose middle is nearer to a vertebral body (about 48 mm x 40 mm) than its radius
    is_spine = ((column_mm / 29) ** 2 + ((row_mm - 19) / 27) ** 2) < 1
    if _noise(sample) > _NOISY_HU:  # the brightest of many noisy discs is too bright
        means = ndimage.uniform_filter1d(means, _NOISY_SLICES, axis=0, mode="nearest")
    is_even = deviation < _MAX_AORTA_SD_HU + _AORTA_SD_SHARE * np.maximum(means, 0) + _noise(sample)
    brightest = np.where(is_even & ~is_spine, means, -np.inf).reshape(len(means), -1).max(axis=1)
    brightest = brightest[np.isfinite(brightest)]
    if len(brightest) < _MIN_SLICES:
        return None
    value = float(np.median(brightest))
    return round(value, 1) if -20 < value < 900 else None


def find_liver(sample: StackSample, spine: tuple[float, float]) -> np.ndarray | None:
    """Mask (N, H, W) of the liver: the largest homogeneous organ at the right; None where there is none."""
    x, y = spine
    smooth = smoothed(sample)
    is_soft = (smooth > _LIVER_HU[0]) & (smooth < _LIVER_HU[1]) & sample.inside
    is_soft[:, int(y + 34 / sample.pixel_mm) :] = False
    is_soft[:, :, int(x + 60 / sample.pixel_mm) :] = False
    disc = _disc(_OPENING_MM / sample.pixel_mm) > 0
    core = np.stack([ndimage.binary_erosion(plane, disc) for plane in is_soft])
    core[:, :, int(x - 14 / sample.pixel_mm) :] = False
    if sample.volume_ml(core) < 40:
        return None
    # the value that is most frequent within large organs at the right
    counts, edges = np.histogram(smooth[core], bins=np.arange(0, 206, 6))
    counts = ndimage.gaussian_filter1d(counts.astype(float), 1)
    mode = float(edges[int(counts.argmax())] + 3)
    spread = max(14.0, 3.2 * float(np.percentile(np.abs(smooth[core] - mode), 40)))
    if spread > _MAX_LIVER_SPREAD_HU:
        return None
    is_like = is_soft & (np.abs(smooth - mode) < spread)
    eroded = np.stack([ndimage.binary_erosion(plane, disc) for plane in is_like])
    labels, count = ndimage.label(eroded)
    if not count:
        return None
    sizes = np.bincount(labels.ravel())[1:]
    largest = labels == int(sizes.argmax()) + 1
    grown = np.stack([ndimage.binary_dilation(plane, disc) for plane in largest]) & is_like
    centre = np.nonzero(grown)[2].mean()
    if sample.volume_ml(grown) < _MIN_LIVER_ML or centre > x:
        return None
    return grown


def smoothed(sample: StackSample) -> np.ndarray:
    """(N, H, W) values, smoothed within slices, and over slices too where they are noisy."""
    sigma = (0.8, 2.0, 2.0) if _noise(sample) > _NOISY_HU else (0.0, 1.2, 1.2)
    smooth: np.ndarray = ndimage.gaussian_filter(sample.values, sigma)
    return smooth


def _noise(sample: StackSample) -> float:
    values = [value for value in sample.noise if np.isfinite(value)]
    return float(np.median(values)) if values else 0.0


def measure_kidneys(sample: StackSample, spine: tuple[float, float], liver: np.ndarray | None) -> float | None:
    """HU of the brighter parts of what lies beside the spine, bone and liver left out."""
    found = []
    for side in (-1, 1):
        values = _window_values(sample, spine, liver, side)
        if len(values) * sample.voxel_ml > 20:
            found.append(float(np.percentile(values, 90)))
    return round(float(np.median(found)), 1) if found else None


def _window_values(sample: StackSample, spine: tuple[float, float], liver: np.ndarray | None, side: int) -> np.ndarray:
    (near, far), (front, back) = _KIDNEY_WINDOW
    x, y = spine
    edges = sorted((x + side * near / sample.pixel_mm, x + side * far / sample.pixel_mm))
    columns = slice(max(0, int(edges[0])), int(edges[1]) + 1)
    rows = slice(max(0, int(y + front / sample.pixel_mm)), int(y + back / sample.pixel_mm) + 1)
    values = smoothed(sample)[:, rows, columns]
    is_organ = (values > _SOFT_HU[0]) & (values < 300)
    disc = _disc(8 / sample.pixel_mm) > 0
    is_organ = np.stack([ndimage.binary_opening(plane, disc) for plane in is_organ])
    if liver is not None:
        is_organ &= ~liver[:, rows, columns]
    return values[is_organ]


def measure_spleen(sample: StackSample, spine: tuple[float, float], liver: np.ndarray | None) -> float | None:
    """HU of the largest homogeneous organ at the left and behind; None without a liver to compare its height with."""
    if liver is None:
        return None
    x, y = spine
    start = int(x + 45 / sample.pixel_mm)
    smooth = smoothed(sample)
    is_soft = (smooth > 10) & (smooth < 200) & sample.inside
    is_soft[:, :, :start] = False
    is_soft[:, : int(y - 45 / sample.pixel_mm)] = False
    disc = _disc(9 / sample.pixel_mm) > 0
    core = np.stack([ndimage.binary_erosion(plane, disc) for plane in is_soft])
    labels, count = ndimage.label(core)
    if not count:
        return None
    largest = labels == int(np.bincount(labels.ravel())[1:].argmax()) + 1
    return round(float(np.median(smooth[largest])), 1) if sample.volume_ml(largest) > 5 else None


def _disc(radius: float) -> np.ndarray:
    """Disc of weights that add up to one; at least one pixel."""
    reach = max(1, int(np.ceil(radius)))
    rows, columns = np.indices((2 * reach + 1, 2 * reach + 1)) - reach
    disc = (rows**2 + columns**2 <= max(radius, 1.0) ** 2).astype(np.float32)
    weights: np.ndarray = disc / disc.sum()
    return weights
