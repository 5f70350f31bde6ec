"""What a person has to look at before an image goes on: the class of an image, and contact sheets.

The one place where the project asks the room of de-identification about pixels.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from firstread.deidentification.profile import Profile
from firstread.deidentification.storage_classes import reason_to_hold_pixels

if TYPE_CHECKING:
    from pydicom import Dataset


def review_class(dataset: "Dataset") -> str:
    """Name of an image's review class."""
    return str(dataset.get("Modality") or "").strip().upper()


def waits_for_review(dataset: "Dataset", profile: Profile) -> bool:
    """Whether the pixels of an image wait, or would wait, until a person has looked at them."""
    unreviewed = replace(profile, reviewed_modalities=frozenset())
    return reason_to_hold_pixels(dataset, str(dataset.get("SOPClassUID") or ""), unreviewed) is not None


def reviewed(profile: Profile, classes: Iterable[str]) -> Profile:
    """A profile by which images of some review classes no longer wait."""
    return replace(profile, reviewed_modalities=profile.reviewed_modalities | set(classes))


def reviewed_classes(profile: Profile) -> frozenset[str]:
    """Review classes that a person has said yes to."""
    return profile.reviewed_modalities


def write_sheets(files: Iterable[Path], folder: Path) -> list[Path]:
    """Contact sheets of images that wait."""
    from firstread.core.errors import MissingDependencyError

    raise MissingDependencyError("Contact sheets are not part of this build")
