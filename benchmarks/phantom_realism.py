"""How near the phantom abdomen comes to a real CT: histogram, liver, noise, tissue shares, volumes, seconds.

The real one is `totalsegmentator/example_ct_sm.nii.gz` with `example_seg.nii.gz` (label 5 is the liver): 90 mm of one
unenhanced scan at 3 mm, labels by a model. It is one patient: the figures say what is near, not what is right.

    python -m benchmarks.phantom_realism --picture side_by_side.png
"""

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
from scipy import ndimage

from firstread.core.geometry import Geometry
from firstread.core.volume import Volume
from firstread.core.windows import apply_window
from firstread.phantoms.abdomen import LABELS, AbdomenPatient, label_map, simulate_ct
from firstread.phantoms.liver import draw_volume_ml

DATA = Path(os.environ.get("FIRSTREAD_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
BINS_HU = np.arange(-200, 401, 20)
TISSUES = {"fat": (-130, -60), "water": (-30, 20), "soft tissue": (20, 80), "enhanced": (80, 150), "bone": (200, 400)}
#: the real scan begins just below the dome of the diaphragm
_REAL_TOP_MM = -14.0


def main() -> None:
    """Print the table, and write figures and picture where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=20, help="phantoms, seeds from 0 (default: 20)")
    parser.add_argument("--picture", type=Path, help="PNG file: real and phantom in three planes")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    results = measure_realism(options.patients)
    for name, (real, phantom) in results.items():
        print(f"{name:<44}{real!s:>12}  {phantom}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    if options.picture:
        write_picture(options.picture)


def read_real() -> tuple[Volume, np.ndarray]:
    """The real scan, and its liver, both (z, y, x) in axes SPL."""
    import nibabel

    folder, arrays = DATA / "totalsegmentator", []
    for name in ("example_ct_sm.nii.gz", "example_seg.nii.gz"):
        image = nibabel.as_closest_canonical(nibabel.load(folder / name))
        arrays.append(np.asanyarray(image.dataobj).transpose(2, 1, 0)[:, ::-1, ::-1])
    spacing = image.header.get_zooms()[::-1]
    grid = Geometry.from_spacing(arrays[0].shape, spacing_mm_zyx=[float(step) for step in spacing])
    return Volume(arrays[0].astype(np.float32), grid, "HU"), arrays[1] == 5


def simulate_like_real(seed: int, real: Geometry) -> tuple[Volume, np.ndarray]:
    """An unenhanced phantom at the size, spacing and level of the real scan, and its liver."""
    patient = AbdomenPatient.draw(seed, lesion_count=0)
    slices, rows, columns = real.size_zyx
    z, y, x = real.spacing_mm_zyx
    origin = (-(columns - 1) * x / 2, -(rows - 1) * y / 2, _REAL_TOP_MM - (slices - 1) * z)
    grid = Geometry.from_spacing(real.size_zyx, spacing_mm_zyx=(z, y, x), origin_mm_lps=origin)
    scan = simulate_ct(patient, phase="unenhanced", geometry=grid)
    return scan, label_map(patient, geometry=grid).values == LABELS["liver"]


def measure_realism(count: int) -> dict[str, tuple[object, object]]:
    """Figures by name: (real, phantoms)."""
    real, real_liver = read_real()
    phantoms = [simulate_like_real(seed, real.geometry) for seed in range(count)]
    truth = _histogram(real.values)
    each = np.array([_histogram(scan.values) for scan, _ in phantoms])
    overlaps = np.minimum(each, truth).sum(axis=1)
    results: dict[str, tuple[object, object]] = {
        "overlap of HU histograms, all phantoms pooled": (
            1,
            round(float(np.minimum(each.mean(axis=0), truth).sum()), 3),
        ),
        "overlap, one phantom: median (lowest, highest)": (1, _spread(overlaps)),
    }
    for name, (low, high) in TISSUES.items():
        shares = [_share(scan.values, low, high) for scan, _ in phantoms]
        results[f"share {name}, {low} to {high} HU"] = (round(_share(real.values, low, high), 3), _spread(shares))
    liver = [_texture(scan.values, mask) for scan, mask in phantoms]
    for name, value in _texture(real.values, real_liver).items():
        results[f"liver {name}"] = (round(value, 2), _spread([row[name] for row in liver]))
    rng = np.random.default_rng(0)
    volumes = np.percentile([draw_volume_ml(rng) for _ in range(2000)], (5, 50, 95)).round().astype(int).tolist()
    results["liver volume ml, 5 / 50 / 95 %"] = ("adults 1,500", " / ".join(map(str, volumes)))
    for size, spacing in (((48, 128, 128), (4, 3.1, 3.1)), ((64, 256, 256), (3, 1.56, 1.56))):
        results["CPU s to draw and simulate " + " x ".join(map(str, size))] = ("", _time(size, spacing))
    return results


def _time(size: tuple[int, int, int], spacing: tuple[float, float, float]) -> str:
    seconds = []
    for seed in range(100, 105):
        start = time.process_time()
        patient = AbdomenPatient.draw(seed)
        simulate_ct(patient, geometry=patient.geometry(size, spacing_mm_zyx=spacing))
        seconds.append(time.process_time() - start)
    return _spread(seconds)


def _body(values: np.ndarray) -> np.ndarray:
    """Voxels of the body by slice, without the table."""
    labels, _ = ndimage.label(ndimage.binary_opening(values > -250, iterations=2))
    return ndimage.binary_dilation(labels == np.bincount(labels[labels > 0]).argmax(), iterations=2)


def _histogram(values: np.ndarray) -> np.ndarray:
    counts = np.histogram(values[_body(values)], bins=BINS_HU)[0]
    shares: np.ndarray = counts / counts.sum()
    return shares


def _share(values: np.ndarray, low: float, high: float) -> float:
    inside = values[_body(values)]
    inside = inside[(inside >= BINS_HU[0]) & (inside <= BINS_HU[-1])]
    return float(((inside >= low) & (inside < high)).mean())


def _texture(values: np.ndarray, liver: np.ndarray) -> dict[str, float]:
    """Mean and standard deviation in the liver, and the correlation of neighbours well inside it."""
    core = ndimage.binary_erosion(liver, iterations=2)
    rest = values - values[core].mean(dtype=np.float64)
    figures = {"mean HU": float(values[liver].mean()), "sd HU": float(values[liver].std())}
    for axis, letter in ((2, "x"), (1, "y"), (0, "z")):
        moved, mask = np.moveaxis(rest, axis, 0), np.moveaxis(core, axis, 0)
        for lag in (1, 2):
            both = mask[lag:] & mask[:-lag]
            figures[f"correlation {lag} voxel in {letter}"] = float(
                (moved[lag:][both] * moved[:-lag][both]).mean() / (rest[core] ** 2).mean()
            )
    return figures


def _spread(values: list[float] | np.ndarray) -> str:
    return f"{np.median(values):.2f} ({np.min(values):.2f}, {np.max(values):.2f})"


def write_picture(path: Path, seeds: tuple[int, ...] = (14, 13)) -> None:
    """Real scan and phantoms below one another: four axial slices, two frontal and one lateral plane, same scale."""
    from PIL import Image

    real, _ = read_real()
    scans = [real, *(simulate_like_real(seed, real.geometry)[0] for seed in seeds)]
    rows = []
    for scan in scans:
        shown = apply_window(scan.values, center=50, width=400)
        slices = [shown[index] for index in (3, 11, 19, 27)]
        planes = [shown[::-1, 42], shown[::-1, 62], shown[::-1, :, 36]]
        tall = [np.pad(plane, ((0, 4), (0, 122 - plane.shape[1]))) for plane in planes]
        rows.append(np.hstack([*slices, np.vstack(tall)[:101]]))
    picture = Image.fromarray(np.vstack(rows))
    picture = picture.resize((picture.width * 2, picture.height * 2), Image.Resampling.BICUBIC)
    picture.quantize(64).save(path, optimize=True)


if __name__ == "__main__":
    main()
