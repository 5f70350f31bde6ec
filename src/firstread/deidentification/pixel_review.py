"""Sheets of thumbnails for a person who says yes or no to a whole class of images before it leaves the house.

They show the pixels of the originals, names in them too: they belong into the vault, beside the originals.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from firstread.core.errors import DataError
from firstread.core.files import write_atomically, write_text
from firstread.deidentification.identity import nested_identity_values
from firstread.deidentification.identity_index import readable_datasets
from firstread.deidentification.pixel_cleaner import MAX_DECODED_BYTES, CleanedPixels, clean_pixels, decoded_bytes
from firstread.deidentification.pixel_ranks import AMBER, MARK, RANKS, RED
from firstread.deidentification.review_class import review_class
from firstread.deidentification.storage_classes import reason_to_hold_class, reason_to_review
from firstread.dicom.headers import convert_dicom_errors
from firstread.dicom.pixel_elements import number_of_frames, pixel_keyword
from firstread.readers.decoders import decode_frame
from firstread.readers.dicom_pixels import make_picture

if TYPE_CHECKING:
    from PIL.Image import Image

    from firstread.deidentification.profile import Profile

#: columns of `tiles.csv`
COLUMNS = ("review_class", "sheet", "tile", "file", "texts", "own_values", "held")
_TILE_PX, _CAPTION_PX, _TILES_ACROSS, _TILES_DOWN = 300, 18, 4, 4
_OUTLINES = {RED: (255, 40, 40), AMBER: (255, 190, 0), MARK: (60, 220, 60)}
_OUTSIDE = (70, 110, 255)
_SEED_BYTES = 8


@dataclass
class _Sample:
    """Files of a review class, of which a sample is shown."""

    count: int = 0
    #: order by hash, file
    files: list[tuple[bytes, Path]] = field(default_factory=list)

    def add(self, path: Path, order: bytes, size: int) -> None:
        self.count += 1
        self.files = sorted([*self.files, (order, path)])[:size]


@dataclass(frozen=True)
class _Tile:
    picture: "Image"
    cleaned: CleanedPixels


def write_review_sheets(
    files: Iterable[str | Path], folder: str | Path, *, profile: "Profile", tiles: int = 48
) -> list[Path]:
    """Write contact sheets of the images that wait for a person, and a table of what each tile shows.

    A person looks at the sheets of a review class and names the class in `Profile(reviewed=...)` if all text on them
    is framed: red is like a value of the patient's own, yellow other text (both become black), green a mark that
    stays. What is framed in blue lies outside of the ultrasound regions and becomes black too. Of a class with more
    images a sample is shown, the same in every run.

    Args:
        files: DICOM files; those that need no person are left out.
        folder: gets `NN-MM.png` and `tiles.csv`; it shows names of patients and belongs into the vault.
        profile: the profile of the de-identification; classes that it names as reviewed are left out.
        tiles: images of a class that are shown at most.

    Returns:
        The sheets, in the order of the classes.

    Raises:
        MissingDependencyError: the extra `pixels` is not installed.
        StorageError: the disk is full or the folder cannot be written.
    """
    from firstread.deidentification.text_detector import load_text_detector

    load_text_detector()
    folder = Path(folder)
    rows: list[dict[str, object]] = []
    sheets: list[Path] = []
    size = _TILES_ACROSS * _TILES_DOWN
    for number, (name, sample) in enumerate(sorted(_sample(files, profile, tiles).items()), start=1):
        for page, first in enumerate(range(0, len(sample.files), size), start=1):
            path = folder / f"{number:02d}-{page:02d}.png"
            title = f"{name}: {len(sample.files)} of {sample.count} images"
            rows += _write_sheet([file for _, file in sample.files[first : first + size]], path, title, name)
            sheets.append(path)
    text = StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(folder / "tiles.csv", text.getvalue())
    return sheets


def _sample(files: Iterable[str | Path], profile: "Profile", tiles: int) -> dict[str, _Sample]:
    """Images that wait for a person, by review class; which are shown is decided by a hash of their UID."""
    samples: dict[str, _Sample] = {}
    for path, dataset in readable_datasets(map(Path, files)):
        try:
            with convert_dicom_errors(path):
                sop_class = str(dataset.get("SOPClassUID") or "")
                waits = reason_to_hold_class(sop_class, profile) is None and reason_to_review(dataset, sop_class)
                if not waits or pixel_keyword(dataset) is None:
                    continue
                name, uid = review_class(dataset), str(dataset.get("SOPInstanceUID") or "")
        except DataError:
            continue
        if name not in profile.reviewed:
            order = blake2b(uid.encode("utf-8", "replace"), digest_size=_SEED_BYTES).digest()
            samples.setdefault(name, _Sample()).add(path, order, tiles)
    return samples


def _write_sheet(files: list[Path], path: Path, title: str, name: str) -> list[dict[str, object]]:
    """Write one sheet; returns its rows of the table."""
    from PIL import Image, ImageDraw

    across = min(_TILES_ACROSS, len(files))
    down = -(-len(files) // across)
    sheet = Image.new("RGB", (across * _TILE_PX, down * (_TILE_PX + _CAPTION_PX) + _CAPTION_PX), (24, 24, 24))
    draw = ImageDraw.Draw(sheet)
    draw.text((4, 3), title, fill=(255, 255, 255))
    rows: list[dict[str, object]] = []
    for number, file in enumerate(files, start=1):
        left = (number - 1) % across * _TILE_PX
        top = (number - 1) // across * (_TILE_PX + _CAPTION_PX) + _CAPTION_PX
        tile = _tile(file)
        texts = own = 0
        held: str | None = "The pixels cannot be decoded"
        if tile is not None:
            sheet.paste(tile.picture, (left, top + _CAPTION_PX))
            texts = sum(text.rank != MARK for text in tile.cleaned.boxes)
            own, held = sum(text.rank == RED for text in tile.cleaned.boxes), tile.cleaned.held
        caption = f"{number}: {texts} texts, {own} of the patient" + (", HELD BACK" if held else "")
        draw.text((left + 4, top + 3), caption, fill=(255, 255, 255))
        row = (name, path.name, number, str(file), texts, own, held or "")
        rows.append(dict(zip(COLUMNS, row, strict=True)))
    write_atomically(path, lambda temporary: sheet.save(temporary, format="PNG"))
    return rows


def _tile(file: Path) -> _Tile | None:
    """A thumbnail of the frame in which the first text is, with all boxes drawn; None where it cannot be decoded."""
    try:
        (_, dataset), *_ = readable_datasets([file])
        with convert_dicom_errors(file):
            if decoded_bytes(dataset) > MAX_DECODED_BYTES:
                return None
            values = frozenset(nested_identity_values(dataset))
            cleaned = clean_pixels(dataset, values)
            frames = [text.frame for text in cleaned.boxes if text.frame is not None]
            index = min(frames, default=number_of_frames(dataset) // 2)
            return _Tile(_draw(make_picture(decode_frame(dataset, index), dataset, index=index), cleaned), cleaned)
    except (DataError, ValueError):
        return None


def _draw(picture: np.ndarray, cleaned: CleanedPixels) -> "Image":
    """A picture reduced to a tile, with frames around what was found."""
    from PIL import Image, ImageDraw

    image = Image.fromarray(picture).convert("RGB")
    image.thumbnail((_TILE_PX, _TILE_PX))
    scale_y, scale_x = image.height / picture.shape[0], image.width / picture.shape[1]
    draw = ImageDraw.Draw(image)
    frames = [(box, _OUTSIDE) for box in cleaned.blanked]
    ranked = sorted(cleaned.boxes, key=lambda text: RANKS.index(text.rank), reverse=True)
    frames += [(text.box, _OUTLINES[text.rank]) for text in ranked]  # the patient's own on top
    for box, colour in frames:
        corners = (box.x0 * scale_x, box.y0 * scale_y, box.x1 * scale_x - 1, box.y1 * scale_y - 1)
        draw.rectangle(
            (corners[0], corners[1], max(corners[2], corners[0]), max(corners[3], corners[1])), outline=colour
        )
    return image
