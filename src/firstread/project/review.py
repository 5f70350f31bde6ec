"""What a person has to look at before an image goes on, and contact sheets of it in the vault."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from firstread.core.files import write_text
from firstread.deidentification.pixel_review import write_review_sheets
from firstread.deidentification.profile import Profile
from firstread.deidentification.storage_classes import reason_to_hold_pixels

if TYPE_CHECKING:
    from pydicom import Dataset

_TABLE = "tiles.csv"


def waits_for_review(dataset: "Dataset", profile: Profile) -> bool:
    """Whether the pixels of an image wait, or would wait, until a person has looked at them."""
    unreviewed = replace(profile, reviewed=frozenset())
    return reason_to_hold_pixels(dataset, str(dataset.get("SOPClassUID") or ""), unreviewed) is not None


def reviewed(profile: Profile, classes: Iterable[str]) -> Profile:
    """A profile by which images of some review classes no longer wait."""
    return replace(profile, reviewed=profile.reviewed | set(classes))


def write_sheets(files: Mapping[Path, str], folder: Path, *, profile: Profile) -> list[Path]:
    """Contact sheets of images that wait, with a table that says which tile is which file.

    Args:
        files: file -> its key in the table of what was held back.
        folder: in the vault: the sheets show originals.
        profile: of the project; classes that it names as reviewed are left out.

    Raises:
        MissingDependencyError: the extra `pixels` is not installed.
    """
    sheets = write_review_sheets(files, folder, profile=profile)
    path, text = folder / _TABLE, StringIO()
    with open(path, encoding="utf-8", newline="") as table:
        stated = list(csv.DictReader(table))
    rows = [{**row, "held": files.get(Path(row["file"]), ""), "why_held": row["held"]} for row in stated]
    writer = csv.DictWriter(text, [*(rows[0] if rows else {"held": ""})], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())
    return sheets
