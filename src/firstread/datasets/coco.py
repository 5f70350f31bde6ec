"""Open a data set in the format of COCO: a JSON file of images, categories and boxes.

Source: the data format of Lin 2014 (doi 10.1007/978-3-319-10602-1_48), cocodataset.org/#format-data. Boxes become
targets in pixels, half open: x0 and y0 belong to the box, x1 and y1 do not. Polygons and key points are not read.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from firstread.core.cohort import Cohort
from firstread.core.errors import DataError
from firstread.core.files import read_json
from firstread.core.provenance import Origin, Step
from firstread.core.tables import Tables
from firstread.core.tasks import Classification
from firstread.core.version import package_version
from firstread.core.windows import WindowLike
from firstread.datasets.patient_groups import assign_components

_MAX_JSON_BYTES = 1_000_000_000
_KEYS = ("images", "annotations", "categories")


def is_coco_file(path: Path) -> bool:
    """Whether a JSON file has the three lists of COCO, by its first and last part."""
    if path.suffix.lower() != ".json" or not path.is_file():
        return False
    with open(path, "rb") as file:
        head = file.read(1 << 16)
        file.seek(max(0, path.stat().st_size - (1 << 16)))
        text = head + file.read(1 << 16)
    return b'"annotations"' in text and (b'"images"' in text or b'"categories"' in text)


def open_coco(path: Path, *, window: WindowLike = None) -> Cohort:
    """Open a COCO file as a Cohort whose targets are boxes.

    Images are looked for beside the file, in a folder "images", and in one that is called like the file.

    Raises:
        DataError: the file is broken, an image is missing, or a box does not lie on its image.
    """
    content = read_json(path, max_bytes=_MAX_JSON_BYTES)
    if not isinstance(content, dict) or not all(isinstance(content.get(key), list) for key in _KEYS):
        raise DataError("This is no COCO file", where=path, expected=f"lists {', '.join(_KEYS)}")
    try:
        categories = {entry["id"]: str(entry["name"]) for entry in content["categories"]}
        images = {entry["id"]: entry for entry in content["images"]}
        rows = [_image_row(entry, path) for entry in images.values()]
        targets = [
            _box_row(entry, number, images, categories, path) for number, entry in enumerate(content["annotations"], 1)
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError("An entry of the COCO file is broken", where=path, expected="id, file_name, bbox") from error
    patients: list[dict[str, Any]] = [{"file": row["files"][0], "frame": None, "label": None} for row in rows]
    assign_components(patients, base=path.parent)
    cases = [
        {"case": row["case"], "unit": "frame", "patient_source": one["patient_source"], "component": one["component"]}
        for row, one in zip(rows, patients, strict=True)
    ]
    step = Step("opened", {"file": path.name, "format": "COCO", "stray_files": 0}, version=package_version())
    origin = Origin(path.stem, "images with boxes of your own")
    return Cohort(Tables.from_rows(cases, rows, targets), Classification(()), origin, (step,), window)


def _image_row(entry: Mapping[str, Any], path: Path) -> dict[str, Any]:
    name = str(entry["file_name"]).replace("\\", "/")
    base = path.parent.resolve()
    places = [base / name, base / "images" / name, base / path.stem / name]
    file = next((place for place in places if place.is_file() and place.resolve().is_relative_to(base)), None)
    if file is None:
        raise DataError("An image that the COCO file names is not there", where=path.parent / Path(name).name)
    return {
        "case": name,
        "name": "image",
        "files": [str(file)],
        "rows": int(entry["height"]),
        "columns": int(entry["width"]),
    }


def _box_row(
    entry: Mapping[str, Any], number: int, images: Mapping[Any, Any], categories: Mapping[Any, str], path: Path
) -> dict[str, Any]:
    x, y, width, height = (float(value) for value in entry["bbox"])
    image = images.get(entry["image_id"])
    if image is None or entry["category_id"] not in categories:
        raise DataError(f"Annotation {number} is of an image or a category that is not described", where=path)
    is_on_image = x >= -1 and y >= -1 and x + width <= image["width"] + 1 and y + height <= image["height"] + 1
    if width <= 0 or height <= 0 or not is_on_image:
        raise DataError(
            f"The box of annotation {number} does not lie on its image", where=path, expected="[x, y, width, height]"
        )
    corners = {"x0": x, "y0": y, "z0": 0.0, "x1": x + width, "y1": y + height, "z1": 1.0}
    name = categories[entry["category_id"]]
    return {
        "case": str(image["file_name"]).replace("\\", "/"),
        "kind": "box",
        "name": name,
        "image": "image",
        "space": "pixel",
        "lesion": str(number),
        **corners,
    }
