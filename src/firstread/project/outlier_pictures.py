"""The picture `outliers.png`: stacks by the features of their pixels, the outermost with their thumbnails and names."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from firstread.core.errors import DataError, FirstreadError
from firstread.core.figures import PALETTE, new_figure, png_bytes
from firstread.core.files import write_atomically
from firstread.core.images import to_grayscale
from firstread.core.square_pixels import read_square_pixels
from firstread.curation.curation_schemas import FEATURES
from firstread.curation.stack_outliers import MIN_STACKS, ClassPlane, FeaturePlane, project_features, separate_classes
from firstread.project.archive_names import locate
from firstread.project.curation_decisions import stack_identifier
from firstread.project.project_folder import ProjectFolder

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: outermost stacks that are named, of each modality
NAMED = 4
_MAX_MODALITIES = 3
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
#: columns of a clinical table that state the type of the lesions of a patient
CLASS_COLUMNS = ("lesion_type", "lesion_kind", "diagnosis", "histology", "class", "label")


@dataclass(frozen=True)
class OutlierPictures:
    """The picture as PNG, None where there is none, and what it shows, in words."""

    png: bytes | None
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class _Panel:
    modality: str
    plane: FeaturePlane
    series: pa.Table

    @property
    def names(self) -> list[str]:
        pairs = zip(self.series["series"].to_pylist(), self.series["stack"].to_pylist(), strict=True)
        return [stack_identifier(*pair) for pair in pairs]


def write_outlier_pictures(project: ProjectFolder, series: pa.Table) -> OutlierPictures:
    """Draw `outliers.png` of original images, by modality; removes an old one where there is nothing to draw."""
    path = project.paths["curated"] / "outliers.png"
    shown = _comparable(series)
    panels = list(_panels(shown))
    classes, sentence = _classes(project, shown)
    if not panels:
        path.unlink(missing_ok=True)
        words = f"Fewer than {MIN_STACKS} original stacks of one modality have measured features: none is outermost."
        return OutlierPictures(None, (words, sentence))
    png = _draw(project, panels, classes)
    write_atomically(path, lambda temporary: temporary.write_bytes(png))
    return OutlierPictures(png, (*(_describe(panel) for panel in panels), sentence))


def _comparable(series: pa.Table) -> pa.Table:
    """Original stacks with measured features."""
    is_original = pc.equal(series["kind"].cast(pa.string()), "original")
    return series.filter(pc.and_(is_original, pc.is_valid(series["feature_mean"])))


def _panels(series: pa.Table) -> list[_Panel]:
    modalities = series["modality"].cast(pa.string())
    counted = sorted(modalities.value_counts().to_pylist(), key=lambda row: (-row["counts"], str(row["values"])))
    panels = []
    for row in counted[:_MAX_MODALITIES]:
        part = series.filter(pc.equal(modalities, row["values"]))
        plane = project_features(_features(part))
        if plane is not None:
            panels.append(_Panel(str(row["values"]), plane, part))
    return panels


def _features(series: pa.Table) -> np.ndarray:
    return np.column_stack([series[name].to_numpy().astype(float) for name in FEATURES])


def _describe(panel: _Panel) -> str:
    named = [f"{panel.names[row]} ({panel.plane.distances[row]:.1f})" for row in panel.plane.outermost(NAMED)]
    return (
        f"{panel.modality}: {len(panel.series):,} stacks; two components hold "
        f"{panel.plane.explained.sum():.0%} of the variance of {len(FEATURES)} features. The outermost, with their "
        f"distance from the middle in robust standard deviations: {', '.join(named)}. Nothing is left out for this: "
        "look at them."
    )


def _classes(project: ProjectFolder, series: pa.Table) -> tuple[ClassPlane | None, str]:
    """The plane that separates types of lesions, if any are known, and a sentence about it."""
    known = _class_of_patients(project)
    if not known:
        columns = ", ".join(CLASS_COLUMNS)
        return (
            None,
            f"No class of the lesions is known (a clinical table with one of the columns {columns}), so none is drawn.",
        )
    name, by_patient = known
    modalities = series["modality"].cast(pa.string())
    patients = series["patient"].cast(pa.string())
    wanted = pc.and_(pc.equal(modalities, "CT"), pc.is_in(patients, pa.array(list(by_patient))))
    part = series.filter(pc.and_(wanted, series["selected"]))
    owners = np.array(part["patient"].cast(pa.string()).to_pylist(), dtype=str)
    classes = np.array([by_patient[owner] for owner in owners], dtype=str)
    plane = separate_classes(_features(part), classes, owners) if len(part) else None
    if plane is None:
        return None, f'The classes of the column "{name}" have too few patients with selected CT stacks to be drawn.'
    return plane, (
        f'Linear discriminant analysis of CT stacks by "{name}": {plane.accuracy:.0%} of stacks of left-out patients '
        f"are named rightly, against {plane.majority:.0%} for the most frequent class. The plane is drawn from the "
        "stacks that it was fitted to, so it looks better than it is."
    )


def _class_of_patients(project: ProjectFolder) -> tuple[str, dict[str, str]] | None:
    path = project.paths.get("clinical")
    if path is None or not path.is_file():
        return None
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError("The clinical table is damaged", where=path, do="run the step clinical again") from error
    name = next((column for column in CLASS_COLUMNS if column in table.column_names), None)
    if name is None or "patient" not in table.column_names:
        return None
    pairs = zip(table["patient"].to_pylist(), table[name].to_pylist(), strict=True)
    return name, {str(patient): str(value) for patient, value in pairs if patient is not None and value is not None}


def _draw(project: ProjectFolder, panels: Sequence[_Panel], classes: ClassPlane | None) -> bytes:
    columns = 1 + NAMED
    figure, axes = new_figure(len(panels) + bool(classes), columns, panel_width_inches=2.6, panel_height_inches=2.6)
    for row, panel in zip(axes, panels, strict=False):
        _draw_plane(row[0], panel)
        outermost = panel.plane.outermost(NAMED)
        for number, (ax, index) in enumerate(zip(row[1:], outermost, strict=False), start=1):
            _draw_thumbnail(ax, _thumbnail(project, panel.series.slice(index, 1).to_pylist()[0]))
            ax.set_title(f"{number}  {panel.names[index]}", fontsize=8)
        for ax in row[1 + len(outermost) :]:
            ax.set_axis_off()
    if classes is not None:
        _draw_classes(axes[-1][0], classes)
        for ax in axes[-1][1:]:
            ax.set_axis_off()
    return png_bytes(figure)


def _draw_plane(ax: "Axes", panel: _Panel) -> None:
    points = panel.plane.points
    ax.scatter(points[:, 0], points[:, 1], s=8, color=PALETTE[0], alpha=0.5)
    for number, index in enumerate(panel.plane.outermost(NAMED), start=1):
        ax.scatter(points[index, 0], points[index, 1], s=26, facecolor="none", edgecolor=PALETTE[1])
        ax.annotate(str(number), points[index], textcoords="offset points", xytext=(4, 4), fontsize=9)
    ax.set_title(f"{panel.modality}, {len(points):,} stacks", fontsize=9)
    ax.set_xlabel(f"component 1 ({panel.plane.explained[0]:.0%})", fontsize=8)
    ax.set_ylabel(f"component 2 ({panel.plane.explained[1]:.0%})", fontsize=8)
    ax.tick_params(labelsize=7)


def _draw_classes(ax: "Axes", classes: ClassPlane) -> None:
    for number, name in enumerate(np.unique(classes.classes)):
        points = classes.points[classes.classes == name]
        across = points[:, 1] if points.shape[1] > 1 else np.full(len(points), float(number))
        marker = _MARKERS[number % len(_MARKERS)]
        ax.scatter(
            points[:, 0], across, s=10, alpha=0.6, color=PALETTE[number % len(PALETTE)], marker=marker, label=name
        )
    ax.set_title("Classes (LDA)", fontsize=9)
    ax.set_xlabel("discriminant 1", fontsize=8)
    ax.set_ylabel("discriminant 2" if classes.points.shape[1] > 1 else "class", fontsize=8)
    ax.tick_params(labelsize=7)
    ax.legend(fontsize=7)


def _draw_thumbnail(ax: "Axes", image: np.ndarray | None) -> None:
    ax.set_axis_off()
    if image is None:
        ax.text(0.5, 0.5, "no picture", ha="center", va="center", fontsize=8)
    else:
        ax.imshow(image, cmap="gray", vmin=0, vmax=255)


def _thumbnail(project: ProjectFolder, row: Mapping[str, object]) -> np.ndarray | None:
    """The middle slice of a stack; None where it cannot be shown."""
    with suppress(FirstreadError):
        name, frame = _middle_slice(project.paths["curated"] / "instances", row)
        return to_grayscale(read_square_pixels(locate(project.image_folder, name), frame=frame))
    return None


def _middle_slice(instances: Path, row: Mapping[str, Any]) -> tuple[str, int | None]:
    """File and frame of the middle slice of a stack."""
    wanted = (ds.field("series") == row["series"]) & (ds.field("stack") == row["stack"])
    files = ds.dataset(instances).to_table(columns=["file", "position_mm"], filter=wanted).sort_by("position_mm")
    if len(files) < 2 < (row["slices"] or 0):
        return row["first_file"], row["slices"] // 2
    return (files["file"][len(files) // 2].as_py() if len(files) else row["first_file"]), None
