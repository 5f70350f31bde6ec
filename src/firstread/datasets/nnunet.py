"""Open a data set in the format of nnU-Net (version 1 or 2): dataset.json, imagesTr, labelsTr, imagesTs.

Source: documentation/dataset_format.md of nnU-Net (Isensee 2021, doi 10.1038/s41592-020-01008-z). The format is read,
the program is not needed. Channels become images of a case, labels become structures. What is in imagesTs is the test
split where it has label maps (labelsTs), and else in no split. A label that is a list of numbers (a region) is their
union; the label "ignore" is left out.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from natsort import natsorted, ns

from firstread.core.cohort import Cohort
from firstread.core.errors import DataError
from firstread.core.files import read_json
from firstread.core.windows import WindowLike
from firstread.datasets.frames import without_extension
from firstread.datasets.volume_cohort import VolumeFiles, build_volume_cohort

_MAX_JSON_BYTES = 10_000_000
_EXTENSIONS = (".nii.gz", ".nii")
_CHANNEL = re.compile(r"^(?P<case>.+)_(?P<channel>\d{4})$")


def is_nnunet_dataset(folder: Path) -> bool:
    """Whether a folder has the layout of nnU-Net."""
    return (folder / "dataset.json").is_file() and (folder / "imagesTr").is_dir()


def open_nnunet(folder: Path, *, window: WindowLike = None) -> Cohort:
    """Open a data set in nnU-Net's format as a Cohort for segmentation.

    Raises:
        DataError: dataset.json is broken or too large, a channel or a label map is missing, or no image is there.
    """
    description = _read_description(folder / "dataset.json")
    channels = description.get("channel_names") or description.get("modality") or {"0": "image"}
    names = {int(number): str(name) for number, name in channels.items() if str(number).isdigit()}
    values = _structure_values(description.get("labels"), folder)
    files = [
        *_find_cases(folder / "imagesTr", folder / "labelsTr", names, split=None),
        *_find_cases(folder / "imagesTs", folder / "labelsTs", names, split="test"),
    ]
    if not any(one.split is None for one in files):
        raise DataError("The data set has no training images", where=folder / "imagesTr", expected="case_0000.nii.gz")
    missing = [one.case for one in files if one.split is None and one.mask is None]
    if missing:
        raise DataError(
            f"{len(missing)} training images have no label map",
            where=folder / "labelsTr",
            expected=f"{missing[0]}.nii.gz",
            do="add the label maps, or move the images to imagesTs",
        )
    files = _split_as_given(files)
    name = str(description.get("name") or folder.name)
    parameters = {"folder": folder.name, "format": "nnU-Net", "channels": list(names.values())}
    return build_volume_cohort(files, values=values, name=name, window=window, parameters=parameters, base=folder)


def _split_as_given(files: Sequence[VolumeFiles]) -> list[VolumeFiles]:
    """Training and test split where test images have label maps; else no split is given, and one is made later."""
    if any(one.split == "test" and one.mask is not None for one in files):
        splits = ["train" if one.split is None else "test" if one.mask is not None else None for one in files]
    else:
        splits = [None for _ in files]
    return [replace(one, split=split) for one, split in zip(files, splits, strict=True)]


def _read_description(path: Path) -> Mapping[str, Any]:
    description = read_json(path, max_bytes=_MAX_JSON_BYTES)
    channels = description.get("channel_names") or description.get("modality") if isinstance(description, dict) else []
    if not isinstance(description, dict) or not isinstance(channels or {}, dict):
        raise DataError("This is no description of a data set", where=path, expected="dataset.json of nnU-Net")
    return description


def _structure_values(labels: Any, folder: Path) -> dict[str, Sequence[int]]:
    """Structure -> numbers in the label maps, from {"liver": 1} (version 2) or {"1": "liver"} (version 1)."""
    values: dict[str, Sequence[int]] = {}
    for key, value in labels.items() if isinstance(labels, dict) else ():
        name, numbers = (str(value), [int(key)]) if str(key).isdigit() else (str(key), value)
        numbers = numbers if isinstance(numbers, list) else [numbers]
        if not all(isinstance(number, int) and 0 <= number <= 65535 for number in numbers):
            raise DataError(f'The label "{name}" has no whole number', where=folder / "dataset.json")
        if name.lower() not in ("background", "ignore") and numbers != [0]:
            values[name] = numbers
    if not values:
        raise DataError("No structure is described", where=folder / "dataset.json", expected='"labels": {"liver": 1}')
    return dict(sorted(values.items(), key=lambda item: -len(item[1])))  # a region before the parts that lie in it


def _find_cases(images: Path, labels: Path, names: Mapping[int, str], *, split: str | None) -> list[VolumeFiles]:
    found: dict[str, dict[str, Path]] = {}
    for path in natsorted(images.iterdir(), alg=ns.IGNORECASE) if images.is_dir() else []:
        match = _CHANNEL.match(_stem(path) or "")
        if match and int(match["channel"]) in names:
            found.setdefault(match["case"], {})[names[int(match["channel"])]] = path
    incomplete = [case for case, channels in found.items() if len(channels) < len(names)]
    if incomplete:
        raise DataError(
            f"{len(incomplete)} cases lack a channel",
            where=images,
            expected=f"{incomplete[0]}_0000.nii.gz to _{max(names):04d}.nii.gz",
        )
    masks = {stem: path for path in labels.iterdir() if (stem := _stem(path))} if labels.is_dir() else {}
    return [VolumeFiles(case, channels, masks.get(case), split) for case, channels in found.items()]


def _stem(path: Path) -> str | None:
    """Name of a NIfTI file without its extension; None for any other file."""
    is_nifti = path.name.lower().endswith(_EXTENSIONS) and not path.name.startswith(".")
    return without_extension(path.name) if is_nifti else None
