"""DICOM segmentations (SEG) by highdicom: label maps read on the grid of their scan, and written for it.

A SEG stores a frame for each segment and slice, leaves empty ones out, and states the place of each in the patient. So
every frame is put where it says that it lies, whatever the order of frames, and a left-right flip cannot happen. For
the same reason a tilted gantry is no obstacle, though highdicom's own volumes refuse sheared axes.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from firstread.core.errors import DataError, FirstreadError, SettingError, suggest
from firstread.core.files import write_atomically
from firstread.core.geometry import Geometry, same_grid
from firstread.core.version import package_version
from firstread.core.volume import Volume
from firstread.dicom.functional_groups import functional_group
from firstread.dicom.headers import convert_dicom_errors, open_dicom
from firstread.dicom.image_plane import ImagePlane, read_image_plane
from firstread.dicom.pixel_elements import number_of_frames
from firstread.readers.dicom_series import SliceStack, group_series
from firstread.readers.dicom_slices import SEGMENTATION_CLASSES

if TYPE_CHECKING:
    from highdicom.seg import Segmentation, SegmentDescription
    from pydicom import Dataset

#: how far a segmentation's voxels may lie from the scan's, in voxels
_OFF_GRID = 0.1
#: structure in lower case -> category and type, as keywords of SNOMED CT codes in pydicom (PS3.16 CID 7150, 7151)
_CODES = {
    "liver": ("AnatomicalStructure", "Liver"),
    "spleen": ("AnatomicalStructure", "Spleen"),
    "kidney": ("AnatomicalStructure", "Kidney"),
    "pancreas": ("AnatomicalStructure", "Pancreas"),
    "lung": ("AnatomicalStructure", "Lung"),
    "heart": ("AnatomicalStructure", "Heart"),
    "lesion": ("MorphologicallyAbnormalStructure", "Lesion"),
    "tumor": ("MorphologicallyAbnormalStructure", "Neoplasm"),
    "tumour": ("MorphologicallyAbnormalStructure", "Neoplasm"),
    "metastasis": ("MorphologicallyAbnormalStructure", "Neoplasm"),
}
_OTHER_CODES = ("Tissue", "Tissue")
_MAX_LABEL_CHARACTERS = 64
#: of patient and study; may be empty, must be there (type 2), and are removed by some de-identification
_EMPTY_WHERE_MISSING = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
)


class LabelMap(NamedTuple):
    """A segmentation on the grid of its scan.

    Attributes:
        labels: number of the structure of each voxel, 0 for none: uint8, or uint16 with more than 255 structures.
        structures: number in the labels -> name.
    """

    labels: Volume
    structures: Mapping[int, str]


def read_segmentation(path: str | Path, *, grid: Geometry, structures: Sequence[str] | None = None) -> LabelMap:
    """Read a DICOM segmentation as labels on the grid of the scan that it was made for.

    Args:
        path: the SEG file: binary, fractional (a voxel belongs to a segment from one half on) or label map.
        grid: of the scan, see `firstread.core.images.read_volume`; sheared too.
        structures: names of the segments to read; None is all of them. Segments that overlap must be read one by one,
            because a voxel has one label.

    Returns:
        LabelMap; a segment keeps the number that it has in the file.

    Raises:
        DataError: no segmentation; its voxels are not those of the scan, or lie outside; segments overlap.

    Source: DICOM PS3.3 C.8.20.
    """
    path = Path(path)
    segmentation = _open_segmentation(path)
    with convert_dicom_errors(path):
        names = _choose(segmentation, structures)
        labels = np.zeros(grid.size_zyx, np.uint8 if max(names) < 256 else np.uint16)
        for frame in range(number_of_frames(segmentation)):
            plane = read_image_plane(segmentation, frame)
            for number, mask in _frame_masks(segmentation, frame, names):
                voxels = _locate(mask, plane, grid, path)
                if labels[voxels].any():
                    raise DataError(
                        "Segments overlap, or a frame occurs twice, and a voxel can have one label only",
                        where=path,
                        do='read one segment at a time, by structures=("liver",)',
                    )
                labels[voxels] = number
    return LabelMap(Volume(labels, grid), names)


def segment_names(path: str | Path) -> tuple[str, ...]:
    """Names of the segments of a DICOM segmentation, in the order of their numbers.

    Raises:
        DataError: no segmentation, or one without segments.
    """
    path = Path(path)
    segmentation = _open_segmentation(path)
    with convert_dicom_errors(path):
        return tuple(_choose(segmentation, None).values())


def _open_segmentation(path: Path) -> "Segmentation":
    from highdicom.seg import Segmentation

    dataset = open_dicom(path)
    with convert_dicom_errors(path):
        if str(dataset.get("SOPClassUID")) not in SEGMENTATION_CLASSES:
            raise DataError("This DICOM file is no segmentation", where=path, expected="a SEG object")
        return Segmentation.from_dataset(dataset, copy=False)


def _choose(segmentation: "Segmentation", structures: Sequence[str] | None) -> dict[int, str]:
    names = {
        int(number): str(segmentation.get_segment_description(number).segment_label)
        for number in segmentation.segment_numbers
        if number > 0
    }
    unknown = next((name for name in structures or () if name not in names.values()), None)
    if unknown is not None:
        raise SettingError(f'The segmentation has no segment "{unknown}".{suggest(unknown, names.values())}')
    chosen = {number: name for number, name in names.items() if structures is None or name in structures}
    if not chosen:
        raise DataError("The segmentation has no segments", where=getattr(segmentation, "filename", None))
    return chosen


def _frame_masks(
    segmentation: "Segmentation", frame: int, names: Mapping[int, str]
) -> Iterator[tuple[int, np.ndarray]]:
    """Number and pixels, bool (rows, columns), of each wanted segment in a frame."""
    kind = segmentation.segmentation_type.value
    if kind == "LABELMAP":
        stored = segmentation.get_stored_frame(frame + 1)
        yield from ((number, stored == number) for number in np.unique(stored).tolist() if number in names)
        return
    item = functional_group(segmentation, frame, "SegmentIdentificationSequence")
    number = int(item.ReferencedSegmentNumber) if item is not None else 1
    if number in names:
        threshold = float(segmentation.MaximumFractionalValue) / 2 if kind == "FRACTIONAL" else 1
        yield number, segmentation.get_stored_frame(frame + 1) >= max(threshold, 1)


def _locate(mask: np.ndarray, plane: ImagePlane, grid: Geometry, path: Path) -> tuple[np.ndarray, ...]:
    """Indices in the grid of a frame's pixels: mask (rows, columns) -> (z, y, x) of those that are set."""
    rows, columns = mask.shape
    frame = plane.geometry((1, rows, columns), plane.normal)
    corners = grid.to_indices(frame.to_mm([(0, row, column) for row in (0, rows - 1) for column in (0, columns - 1)]))
    steps = grid.to_indices(frame.to_mm([(0, 0, 0), (0, 1, 0), (0, 0, 1)]))
    first, down, right = np.rint(steps[0]), np.rint(steps[1] - steps[0]), np.rint(steps[2] - steps[0])
    expected = [first + down * row + right * column for row in (0, rows - 1) for column in (0, columns - 1)]
    if np.abs(corners - expected).max() > _OFF_GRID:
        raise DataError(
            "The voxels of the segmentation are not those of the scan",
            where=f"{path}: frames of {frame.describe()}; scan: {grid.describe()}",
            expected="a segmentation of this scan",
            do="take the scan that it was made for, or resample it",
        )
    row, column = np.nonzero(mask)
    indices = (first + row[:, None] * down + column[:, None] * right).astype(np.int64)
    if (indices < 0).any() or (indices >= grid.size_zyx).any():
        raise DataError(
            "A part of the segmentation lies outside the scan",
            where=f"{path}; scan: {grid.describe()}",
            expected="a segmentation of this scan",
            do="take the scan that it was made for",
        )
    return tuple(indices.T)


def write_segmentation(
    path: str | Path, labels: Volume, structures: Sequence[str], source_files: Sequence[str | Path]
) -> Path:
    """Write a label map as a DICOM segmentation that refers to the images it was made from, atomically.

    Args:
        path: of the new file.
        labels: 0 for the background, else the position in `structures` from 1, on the grid of the scan.
        structures: names of the segments.
        source_files: DICOM files of the scan, in any order.

    Raises:
        DataError: the source files are no single volume, lack what DICOM requires of a study, or have another grid.
        SettingError: a label without a structure, or a name that DICOM cannot hold.

    Source: DICOM PS3.3 A.51.
    """
    stack = _source_stack(source_files)
    same_grid(stack.geometry or labels.geometry, labels.geometry, names=("scan", "label map"))
    values = _check_labels(labels, structures)
    path = Path(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # highdicom's warnings hold values of the patient, as its errors may
            segmentation = _make_segmentation(stack, values, structures)
    except FirstreadError:
        raise
    except AttributeError as error:
        raise _unwritable(stack, f": they lack {error.name}" if error.name else "") from None
    except Exception:
        raise _unwritable(stack, "") from None
    return write_atomically(path, lambda temporary: segmentation.save_as(temporary, enforce_file_format=True))


def _unwritable(stack: SliceStack, reason: str) -> DataError:
    return DataError(
        f"No DICOM segmentation can be made for these images{reason}",
        where=stack.files[0].parent,
        expected="images as a scanner writes them, with the identifiers of patient, study and series",
        do="write the labels as NIfTI instead: firstread.readers.nifti.write_nifti",
    )


def _source_stack(source_files: Sequence[str | Path]) -> SliceStack:
    stacks = group_series(source_files)
    if len(stacks) != 1:
        raise DataError(
            f"The source files hold {len(stacks)} stacks of slices",
            where=Path(source_files[0]).parent if source_files else "no files",
            expected="the images of one volume",
        )
    if stacks[0].problem is not None:
        raise stacks[0].problem
    return stacks[0]


def _check_labels(labels: Volume, structures: Sequence[str]) -> np.ndarray:
    values = labels.values
    if values.dtype.kind not in "iub" or values.min() < 0 or values.max() > len(structures):
        raise SettingError(
            f"The labels are not numbers from 0 to {len(structures)}", expected="an integer label for each structure"
        )
    long = next((name for name in structures if not 0 < len(name) <= _MAX_LABEL_CHARACTERS), None)
    if long is not None or len(set(structures)) != len(structures) or not structures:
        raise SettingError(
            f"These names of structures cannot be written: {', '.join(structures)[:200]}",
            expected=f"different names of 1 to {_MAX_LABEL_CHARACTERS} characters",
        )
    return values.astype(np.uint8 if len(structures) < 256 else np.uint16)


def _make_segmentation(stack: SliceStack, values: np.ndarray, structures: Sequence[str]) -> "Segmentation":
    from highdicom import UID
    from highdicom.seg import Segmentation, SegmentationTypeValues

    if len(set(stack.files)) < len(stack.slices):  # frames of one file: in the order of the file
        frames = [one.frame for one in stack.slices]
        values = values[np.argsort(frames)]
    files = list(dict.fromkeys(stack.files))
    version = package_version()
    return Segmentation(
        source_images=[_open_source(file, stack) for file in files],
        pixel_array=values,
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[_describe(number, name) for number, name in enumerate(structures, start=1)],
        series_instance_uid=UID(),
        series_number=1,
        sop_instance_uid=UID(),
        instance_number=1,
        manufacturer="firstread",
        manufacturer_model_name="firstread",
        software_versions=version,
        device_serial_number=version,
        content_label="SEGMENTATION",
        content_description="firstread: for teaching and research only",
        series_description="firstread, research use only",
    )


def _open_source(file: Path, stack: SliceStack) -> "Dataset":
    """The header of a source image with what highdicom asks of it and files may lack."""
    dataset = open_dicom(file, load_pixels=False)
    if not dataset.get("SpecificCharacterSet"):
        dataset.pop("SpecificCharacterSet", None)
    for keyword in _EMPTY_WHERE_MISSING:
        if keyword not in dataset:
            setattr(dataset, keyword, None)
    if not dataset.get("SliceThickness") and stack.geometry is not None:
        dataset.SliceThickness = round(stack.geometry.spacing_mm_zyx[0], 6)
    return dataset


def _describe(number: int, name: str) -> "SegmentDescription":
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.seg import SegmentAlgorithmTypeValues, SegmentDescription
    from pydicom.sr.codedict import codes

    category, kind = _CODES.get(name.lower(), _OTHER_CODES)
    algorithm = AlgorithmIdentificationSequence(
        name="firstread", version=package_version(), family=codes.DCM.ArtificialIntelligence
    )
    snomed: Any = codes.SCT
    return SegmentDescription(
        segment_number=number,
        segment_label=name,
        segmented_property_category=getattr(snomed, category),
        segmented_property_type=getattr(snomed, kind),
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=algorithm,
    )
