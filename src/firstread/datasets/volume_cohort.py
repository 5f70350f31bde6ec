"""A cohort of volumes with label maps, from the files of each case."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from firstread.core.cohort import Cohort
from firstread.core.errors import DataError
from firstread.core.geometry import same_grid
from firstread.core.images import ImageInfo, read_info
from firstread.core.progress_bar import track
from firstread.core.provenance import Origin, Step
from firstread.core.tables import Tables
from firstread.core.tasks import Segmentation
from firstread.core.version import package_version
from firstread.core.windows import WindowLike
from firstread.datasets.patient_groups import assign_components


@dataclass(frozen=True)
class VolumeFiles:
    """The files of one case.

    Attributes:
        case: identifier.
        images: name -> file, such as {"image": ct.nii.gz}.
        mask: label map of all structures, or None.
        split: "train", "validation", "test" or None.
    """

    case: str
    images: Mapping[str, Path]
    mask: Path | None = None
    split: str | None = None


@dataclass
class _Rows:
    cases: list[dict[str, Any]] = field(default_factory=list)
    images: list[dict[str, Any]] = field(default_factory=list)
    targets: list[dict[str, Any]] = field(default_factory=list)


def build_volume_cohort(
    files: Sequence[VolumeFiles],
    *,
    values: Mapping[str, Sequence[int]],
    name: str,
    window: WindowLike,
    parameters: Mapping[str, Any],
    base: Path,
) -> Cohort:
    """Read the headers of all volumes and build the cohort.

    Args:
        files: of each case.
        values: structure -> its numbers in the label maps.
        name: of the data set.
        window: of pictures of the volumes.
        parameters: of the step "opened".
        base: folder that holds all of them.

    Raises:
        DataError: a file cannot be read, or a label map lies on another grid than its image.
    """
    rows = _Rows()
    for one in track(files, "Looking at the volumes"):
        _add_case(rows, one, values)
    patients = [dict(row.pop("stated")) for row in rows.cases]
    assign_components(patients, base=base)
    for row, patient in zip(rows.cases, patients, strict=True):
        row |= {name: patient[name] for name in ("component", "patient_source")}
    step = Step("opened", {**parameters, "stray_files": 0}, version=package_version())
    origin = Origin(name, "volumes of your own, with label maps")
    tables = Tables.from_rows(rows.cases, rows.images, rows.targets)
    return Cohort(tables, Segmentation(tuple(values)), origin, (step,), window)


def _add_case(rows: _Rows, files: VolumeFiles, values: Mapping[str, Sequence[int]]) -> None:
    infos = {name: read_info(path) for name, path in files.images.items()}
    first = next(iter(infos.values()))
    names = ("component", "patient", "study", "series")
    stated = {name: getattr(first, name) for name in names}
    stated |= {"file": str(next(iter(files.images.values()))), "frame": 0}  # a volume is a stack of slices
    rows.cases.append(
        {"case": files.case, "unit": "series", "split": files.split, "patient": first.patient, "stated": stated}
    )
    rows.images += [image_row(files.case, name, [files.images[name]], info) for name, info in infos.items()]
    if files.mask is None:
        return
    _check_grid(read_info(files.mask), first, files.mask)
    rows.targets += [
        {
            "case": files.case,
            "kind": "mask",
            "name": structure,
            "value": " ".join(map(str, numbers)),
            "image": next(iter(infos)),
            "file": str(files.mask),
        }
        for structure, numbers in values.items()
    ]


def image_row(case: str, name: str, files: Sequence[Path], info: ImageInfo) -> dict[str, Any]:
    """Row of the table `images` for a volume, from what its header states."""
    row: dict[str, Any] = {"case": case, "name": name, "files": [str(file) for file in files]}
    row |= {"series": info.series, "study": info.study, "modality": info.modality, "unit": info.unit or None}
    row |= {"rows": info.rows, "columns": info.columns, "slices": info.frames}
    if info.geometry is not None:
        row |= {
            "spacing_mm": list(info.geometry.spacing_mm_zyx),
            "affine_lps": info.geometry.affine_lps.ravel().tolist(),
        }
    return row


def _check_grid(mask: ImageInfo, image: ImageInfo, path: Path) -> None:
    if mask.geometry is None or image.geometry is None:
        return
    try:
        same_grid(image.geometry, mask.geometry, names=("image", "label map"))
    except DataError as error:
        raise DataError(error.what, where=f"{path}; {error.where}", expected=error.expected, do=error.do) from None
