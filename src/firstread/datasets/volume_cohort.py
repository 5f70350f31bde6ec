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
from firstread.dicom.pseudonyms import make_pseudonym


@dataclass(frozen=True)
class VolumeFiles:
    """The files of one case.

    Attributes:
        case: identifier.
        images: name -> file, such as {"image": ct.nii.gz}.
        mask: label map of all structures, or None.
        split: "train", "validation", "test" or None.
        group: cases that belong together, such as the folder of a patient; None where nothing says so.
    """

    case: str
    images: Mapping[str, Path]
    mask: Path | None = None
    split: str | None = None
    group: str | None = None


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
) -> Cohort:
    """Read the headers of all volumes and build the cohort.

    Args:
        files: of each case.
        values: structure -> its numbers in the label maps.
        name: of the data set.
        window: of pictures of the volumes.
        parameters: of the step "opened".

    Raises:
        DataError: a file cannot be read, or a label map lies on another grid than its image.
    """
    rows = _Rows()
    for one in track(files, "Looking at the volumes"):
        _add_case(rows, one, values)
    step = Step("opened", {**parameters, "stray_files": 0}, version=package_version())
    origin = Origin(name, "volumes of your own, with label maps")
    tables = Tables.from_rows(rows.cases, rows.images, rows.targets)
    return Cohort(tables, Segmentation(tuple(values)), origin, (step,), window)


def _add_case(rows: _Rows, files: VolumeFiles, values: Mapping[str, Sequence[int]]) -> None:
    infos = {name: read_info(path) for name, path in files.images.items()}
    first = next(iter(infos.values()))
    source, key = ("folder", files.group) if files.group else ("file", str(next(iter(files.images.values()))))
    component = make_pseudonym(f"{source}:{key}", prefix="U")
    if first.component:
        source, component = "stated", first.component
    fact = {"unit": "series", "split": files.split, "patient_source": source, "component": component}
    rows.cases.append({"case": files.case, **fact, **({"patient": first.patient} if first.patient else {})})
    rows.images += [_image_row(files.case, name, files.images[name], info) for name, info in infos.items()]
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


def _image_row(case: str, name: str, path: Path, info: ImageInfo) -> dict[str, Any]:
    row: dict[str, Any] = {"case": case, "name": name, "files": [str(path)], "rows": info.rows, "columns": info.columns}
    row |= {"slices": info.frames, "modality": info.modality, "unit": info.unit or None}
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
