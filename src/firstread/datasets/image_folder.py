"""Open an image folder as a Cohort: one folder per class, or train, validation and test folders of such folders.

```
mine/                     mine/                       mine/
  abdomen/ a.png ...        train/  abdomen/ chest/     anything/ IM0001 ...   (DICOM, names as they come)
  chest/   b.dcm ...        val/    abdomen/ chest/     labels.csv             (file, label, ...)
                            test/   abdomen/ chest/
```

Classes are in alphabetical order, so with two the alphabetically second is the positive one. Images outside any
class folder are kept without a label.
"""

import re
import warnings
from pathlib import Path

from natsort import natsorted, ns

from firstread.core.class_names import class_spellings, describe_spellings
from firstread.core.cohort import Cohort
from firstread.core.columns import parse_split_name
from firstread.core.errors import DataError
from firstread.core.windows import WindowLike
from firstread.datasets.file_scan import FileScan, build_cohort, scan_files
from firstread.datasets.folder_contents import FolderContents, find_data_root, list_files
from firstread.datasets.folder_levels import FolderLevels, interpret_folders, without_containers
from firstread.datasets.nifti_pairs import find_pairs, open_pairs
from firstread.datasets.patient_evidence import is_container

#: extensions of pictures; below the folders of patients, theirs may be classes
PICTURE_EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".webp")
_MASK_FOLDER = re.compile(r"(?i)(segmentation|seg|mask|label|annotation|gt|groundtruth|ground[_ -]truth)s?")


def open_folder(folder: Path, *, window: WindowLike = None) -> Cohort:
    """Open an image folder as a Cohort; class and split come from the names of the folders.

    NIfTI volumes with label maps of matching names are opened as pairs, see `firstread.datasets.nifti_pairs`.

    Raises:
        DataError: no images, an empty class, a single class, or most of the images broken.
    """
    folder = Path(folder)
    base = find_data_root(folder)
    listing = list_files(base)
    if not listing.images:
        raise DataError(
            "The folder holds no images",
            where=folder,
            expected="one folder of images for each class",
            do="check the path; PNG, JPEG, TIFF, BMP, GIF, WebP, DICOM and NIfTI are found, in folders within it too",
        )
    if pairs := find_pairs(base, listing.images):
        return open_pairs(base, pairs, window=window)
    _check_links(base, listing)
    _check_masks(base)
    folders = [path.relative_to(base).parts[:-1] for path in listing.images]
    are_pictures = all(path.suffix.lower() in PICTURE_EXTENSIONS for path in listing.images)
    levels = interpret_folders(folders, are_pictures=are_pictures)
    spellings = class_spellings([label for label in levels.labels if label])
    if levels.has_patient_folders and not spellings:
        _warn_of_patient_folders("by their names one for each patient")
    if text := describe_spellings(spellings):
        warnings.warn(text, UserWarning, stacklevel=4)
    labels = [spellings.get(label or "") for label in levels.labels]
    classes = natsorted(set(spellings.values()), alg=ns.IGNORECASE)
    _check_classes(base, listing, classes, levels)
    known = [{"label": label, "split": split} for label, split in zip(labels, levels.splits, strict=True)]
    labeled = list(zip(listing.images, known, strict=True))
    scan = scan_files(labeled, base=base)
    if _hold_one_patient_each(scan, classes):
        classes = []
        for row in scan.rows:
            row["label"] = None
        _warn_of_patient_folders("each the DICOM files of one patient")
    _check_classes_readable(scan, classes, base)
    parameters = {
        "folder": folder.name,
        "stray_files": len(listing.stray_files),
        "stray_names": listing.stray_files[:50],
        "other_files": listing.other_files,
        "unlabeled": sum(row.get("label") is None for row in scan.rows),
    }
    return build_cohort(
        scan,
        classes=classes,
        name=folder.name,
        window=window,
        parameters=parameters,
        description="images in a folder of your own",
    )


def _warn_of_patient_folders(why: str) -> None:
    warnings.warn(
        f"The folders are {why}, so they were not taken for classes, and the images have no labels. Labels can come "
        "from a table beside them; folders that are classes need names that say so.",
        UserWarning,
        stacklevel=5,
    )


def _check_classes(base: Path, listing: FolderContents, classes: list[str], levels: FolderLevels) -> None:
    depth = levels.class_depth
    non_empty = {without_containers(path.relative_to(base).parts[:-1])[:depth] for path in listing.images}
    for folder in [] if levels.has_patient_folders else listing.folders:
        parts = without_containers(folder.relative_to(base).parts)
        is_in_split = not levels.has_split_folders or parse_split_name(parts[0] if parts else None)
        if len(parts) == depth and parts not in non_empty and is_in_split and not is_container(folder.name):
            raise DataError(
                "A class folder holds no images",
                where=folder,
                expected="images in every class folder",
                do="put images into it, or remove it",
            )
    if len(classes) == 1:
        raise DataError(
            f'There is only one class, "{classes[0]}"',
            where=base,
            expected="one folder for each of at least two classes",
            do="add a folder with images of another class; to open images without classes, give their own folder",
        )


def _check_masks(base: Path) -> None:
    """Refuse pictures with masks beside them, which would become two classes."""
    names = [path.name for path in base.iterdir() if path.is_dir()]
    masks = [name for name in names if _MASK_FOLDER.fullmatch(name)]
    if masks and len(masks) < len(names) and all(is_container(name) or name in masks for name in names):
        raise DataError(
            f'"{masks[0]}" seems to hold masks of the images beside it, and masks are not read from pictures',
            where=base,
            expected="NIfTI volumes with label maps, a data set of nnU-Net, or boxes in the format of COCO",
            do="convert the masks to NIfTI; to open the images alone, give their own folder",
        )


def _check_links(base: Path, listing: FolderContents) -> None:
    if listing.repeated:
        first, second = (path.relative_to(base).as_posix() for path in listing.repeated[0])
        raise DataError(
            f'"{first}" and "{second}" are one folder, by a link, so its images would be there twice',
            where=base,
            expected="each folder of images once",
            do="remove the link, or put a copy of the other images in its place",
        )


def _hold_one_patient_each(scan: FileScan, classes: list[str]) -> bool:
    """Whether this is a DICOM export with one folder a patient (or study), and not one folder a class."""
    complete = all(row.get("series") and row.get("component") and row.get("split") is None for row in scan.rows)
    pairs = {(row.get("label"), row.get("component")) for row in scan.rows}
    return complete and len(classes) > 2 and len(pairs) == len(classes) == len({component for _, component in pairs})


def _check_classes_readable(scan: FileScan, classes: list[str], base: Path) -> None:
    labels = {row.get("label") for row in scan.rows}
    for name in classes:
        if name not in labels:
            raise DataError(
                f'No image of the class "{name}" can be read', where=base / name, do="mend or replace its images"
            )
    splits = {row.get("split") for row in scan.rows}
    trained_classes = {row.get("label") for row in scan.rows if row.get("split") == "train"}
    missing = [name for name in classes if name not in trained_classes]
    if "train" in splits and missing:
        raise DataError(
            f'The class "{missing[0]}" has no images to train on',
            where=base,
            expected="the same class folders under train, validation and test",
            do="check the spelling of the class folders",
        )
