"""Text burned into pixels: how much of it is blacked, what is held back, and what it costs images that carry none.

Phantom archive: truth says where each line of text lies and how strong its contrast is. Published radiographs: the same
kind of lines drawn into them, and the images as they are.
"""

import os
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from firstread.core.errors import DataError
from firstread.deidentification import CleanedPixels, clean_pixels
from firstread.deidentification.identity import nested_identity_values
from firstread.deidentification.pixel_search import TextSearch
from firstread.deidentification.storage_classes import is_searched_for_text
from firstread.deidentification.text_detector import Box
from firstread.dicom.headers import convert_dicom_errors, open_dicom
from firstread.dicom.pixel_elements import number_of_frames
from firstread.evaluation.intervals import wilson_interval
from firstread.phantoms.archive import write_archive
from firstread.phantoms.archive.drawn_text import CONTRASTS, FONTS, SIZES_PX, TextLine, draw_line
from firstread.readers.pillow import read_image

#: share of a line's box that is black where the line counts as gone
GONE = 0.9
#: share of an image above which black boxes destroy it
DESTROYED = 0.01
WORDS = ("MUELLER, Anna", "1957-03-21", "ID 0438210", "St. Marien Hospital", "Dr. K. Weiss", "14:32 03/21/2019")


@dataclass
class Counts:
    """What was counted over a set of images."""

    images: int = 0
    #: contrast -> outcome of each line that must go
    lines: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    misses: list[dict[str, Any]] = field(default_factory=list)
    marks: int = 0
    marks_kept: int = 0
    clean_images: int = 0
    clean_held: list[str] = field(default_factory=list)
    blacked_shares: list[float] = field(default_factory=list)
    changed_outside: int = 0
    cpu_seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    frames: int = 0

    def add(self, dataset: Dataset, rows: list[dict[str, Any]], kind: str) -> None:
        """Clean an image and compare what became of it with the truth: rows of the boxes that were drawn."""
        values = frozenset(nested_identity_values(dataset))
        start = time.process_time()
        cleaned = clean_pixels(dataset, values)
        seconds = time.process_time() - start
        self.images += 1
        self.frames += number_of_frames(dataset)
        self.cpu_seconds[kind].append(seconds / number_of_frames(dataset))
        black = black_share_map(dataset, cleaned)
        secret = [row for row in rows if row["action"] == "pixels_hidden"]
        for row in secret:
            y0, x0, y1, x1 = row["box"]
            gone = float(black[y0:y1, x0:x1].mean()) >= GONE
            outcome = "held" if cleaned.held else "gone" if gone else "missed"
            self.lines[row["contrast"]].append(outcome)
            if outcome == "missed":
                self.misses.append({name: row[name] for name in ("contrast", "font", "font_px")} | {"kind": kind})
        for row in rows:
            if row["action"] == "pixels_retained" and row["value"] and kind in ("CR", "DX"):
                y0, x0, y1, x1 = row["box"]
                self.marks += 1
                self.marks_kept += not black[y0:y1, x0:x1].any()
        if not secret:
            self.clean_images += 1
            self.clean_held += [cleaned.held] if cleaned.held else []
            texts = draw(TextSearch(cleaned.boxes).hidden, black.shape)
            self.blacked_shares.append(float(texts.mean()))
        if cleaned.dataset is not None:
            self.changed_outside += count_changed(dataset, cleaned.dataset, black)

    def summary(self) -> dict[str, Any]:
        """Figures for the documentation."""
        by_contrast = {}
        for contrast, outcomes in sorted(self.lines.items(), reverse=True):
            counts = Counter(outcomes)
            hidden = len(outcomes) - counts["missed"]
            interval = wilson_interval(hidden, len(outcomes))
            by_contrast[str(contrast)] = {
                "lines": len(outcomes),
                "blacked": counts["gone"],
                "held back": counts["held"],
                "missed": counts["missed"],
                "gone or held": round(hidden / len(outcomes), 3),
                "low": round(interval.low, 3),
                "high": round(interval.high, 3),
            }
        destroyed = sum(share > DESTROYED for share in self.blacked_shares)
        return {
            "images": self.images,
            "frames": self.frames,
            "by_contrast": by_contrast,
            "misses": self.misses,
            "images_without_identity": self.clean_images,
            "of_them_held_back": len(self.clean_held),
            "reasons": dict(Counter(self.clean_held)),
            "of_them_blacked_over_1_percent": destroyed,
            "largest_blacked_share": round(max(self.blacked_shares, default=0.0), 5),
            "marks": self.marks,
            "marks_kept": self.marks_kept,
            "pixels_changed_outside_of_boxes": self.changed_outside,
            "cpu_seconds_a_frame": {kind: round(float(np.median(s)), 2) for kind, s in self.cpu_seconds.items()},
        }


def measure_burned_in_text(*, quick: bool) -> dict[str, Any]:
    """Recall by contrast, images held back or blacked without need, and seconds, as if all classes were reviewed."""
    results = {"phantom archive": _phantom_archive(1 if quick else 5).summary()}
    mirror = os.environ.get("FIRSTREAD_DATA_MIRROR", "")
    pictures = sorted(Path(mirror, "hello-world-openi").rglob("*.png"))[:: 48 if quick else 8]
    if pictures:
        results["published radiographs, text drawn into them"] = _published(pictures, planted=True).summary()
        results["published radiographs as they are"] = _published(pictures, planted=False).summary()
    return results


def _phantom_archive(patients: int) -> Counts:
    """Images of a phantom archive in which text may be burned."""
    counts = Counts()
    with tempfile.TemporaryDirectory() as folder:
        write_archive(folder, patients=patients, seed=11, processes=1, matrix=64, slices=16)
        rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in pq.read_table(Path(folder, "truth", "actions.parquet")).to_pylist():
            if row["keyword"] == "PixelData" and row["box"]:
                rows[row["file"]].append(row)
        for name, boxes in sorted(rows.items()):
            try:
                dataset = open_dicom(_find(Path(folder, "dicom"), name))
            except DataError:  # planted faults: files that are cut short
                continue
            if is_searched_for_text(dataset, str(dataset.SOPClassUID)):
                with convert_dicom_errors(Path(name)):
                    counts.add(dataset, boxes, str(dataset.Modality))
    return counts


def _find(folder: Path, name: str) -> Path:
    path = folder / name
    return path if path.is_file() else folder.parent / name


def _published(pictures: list[Path], *, planted: bool) -> Counts:
    counts = Counts()
    for number, picture in enumerate(pictures):
        pixels = read_image(picture).astype(np.float32)
        pixels = pixels if pixels.ndim == 2 else pixels.mean(axis=-1)
        rows = list(_plant(pixels, number)) if planted else []
        counts.add(as_dataset(np.clip(np.rint(pixels), 0, 255).astype(np.uint8)), rows, "CR")
    return counts


def _plant(pixels: np.ndarray, number: int) -> Iterator[dict[str, Any]]:
    """Draw a line of each contrast into a picture, in four bands from its top to its bottom."""
    rng = np.random.default_rng([7, number])
    for band, contrast in enumerate(rng.permutation(CONTRASTS)):
        font, size = str(rng.choice(FONTS)), int(rng.choice(SIZES_PX))
        line = TextLine(str(rng.choice(WORDS)), font=font, size_px=size, contrast=int(contrast))
        top = int((band + rng.uniform(0.1, 0.7)) / 4 * pixels.shape[0])
        box = draw_line(pixels, line, corner=(top, int(rng.uniform(0, 0.6) * pixels.shape[1])))
        yield {"action": "pixels_hidden", "box": box, "contrast": int(contrast), "font": font, "font_px": size}


def as_dataset(pixels: np.ndarray) -> Dataset:
    """A gray picture as a secondary capture."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.set_original_encoding(False, True, "iso8859")
    dataset.SOPClassUID, dataset.Modality = SecondaryCaptureImageStorage, "CR"
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = "Mueller^Anna", "0438210", "19570321"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    dataset.PixelData = pixels.tobytes() + b"\0" * (pixels.size % 2)
    return dataset


def draw(boxes: Iterable[Box], shape: tuple[int, int]) -> np.ndarray:
    """Boxes as a mask."""
    mask = np.zeros(shape, bool)
    for box in boxes:
        mask[box.y0 : box.y1, box.x0 : box.x1] = True
    return mask


def black_share_map(dataset: Dataset, cleaned: CleanedPixels) -> np.ndarray:
    """Where a cleaned image is black by boxes or by regions."""
    return draw([*TextSearch(cleaned.boxes).hidden, *cleaned.blanked], (int(dataset.Rows), int(dataset.Columns)))


def count_changed(dataset: Dataset, cleaned: Dataset, black: np.ndarray) -> int:
    """Pixels outside of the boxes that are not what the original decodes to; pairs of YBR_FULL_422 go together."""
    from pydicom.pixels import pixel_array

    before, after = (pixel_array(item) for item in (dataset, cleaned))
    changed = before != after
    changed = changed.any(axis=-1) if before.shape[-1] == 3 and before.ndim > 2 else changed
    changed = changed.any(axis=0) if changed.ndim > 2 else changed
    if dataset.PhotometricInterpretation == "YBR_FULL_422":
        black = black.reshape(len(black), -1, 2).any(axis=-1).repeat(2, axis=1)
    return int((changed & ~black).sum())
