"""NIfTI headers: opening files that may be broken, size limits, the grid in LPS, and what firstread adds to a header.

NIfTI's affine maps voxels (i, j, k) to millimetres to the right, anterior and superior (RAS). It is turned here, once:
arrays become (k, j, i) = (z, y, x), and x and y of the patient change their sign (LPS). Nothing is reoriented.

The header stores 32-bit numbers and no unit of the values. So files that firstread writes carry a header extension (a
comment, code 6) with the unit and the affine in full; it counts only as long as it agrees with the header.
"""

import gzip
import json
import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from firstread.core.errors import DataError, FirstreadError, SettingError
from firstread.core.geometry import Geometry
from firstread.core.images import MAX_VOXELS

if TYPE_CHECKING:
    from nibabel import Nifti1Image

_CHUNK_BYTES = 1 << 22
_COMMENT = 6
_EXTENSION_BEGIN = b'{"firstread": '
_MM_PER_UNIT = {"meter": 1000.0, "micron": 0.001}
#: (i, j, k) in RAS <-> (z, y, x) in LPS
_REVERSED_AXES = [2, 1, 0, 3]
_RAS_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def open_nifti(path: Path) -> "Nifti1Image":
    """Open a NIfTI file without reading its voxels.

    Raises:
        DataError: not NIfTI, flat, broken, or larger than firstread reads.
    """
    import nibabel

    if not path.is_file():
        raise DataError("There is no such file", where=path, do="check the path")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of nibabel, about damage that it can live with
            return cast("Nifti1Image", _check_kind(nibabel.load(path, mmap=False), path))
    except FirstreadError:
        raise
    except FileNotFoundError:
        raise _half_pair_error(path) from None
    except Exception:  # a broken file can make nibabel raise anything
        raise broken_file_error(path) from None


def check_length(image: Any, path: Path) -> None:
    """Refuse a file that is too short for its voxels; a compressed one is decompressed to its end for that.

    Of a pair of files (.hdr, .img) it is the second that is measured.

    Raises:
        DataError: the file is cut short.
    """
    voxels = int(np.prod([int(n) for n in image.shape])) * image.get_data_dtype().itemsize
    needed_bytes = int(image.dataobj.offset) + voxels
    try:
        count = _count_bytes(Path(image.file_map["image"].filename), needed_bytes)
    except FileNotFoundError:
        raise _half_pair_error(path) from None
    if count < needed_bytes:
        raise broken_file_error(path)


def _half_pair_error(path: Path) -> DataError:
    return DataError(
        "The NIfTI header lacks the file of its voxels",
        where=path,
        expected="a file of the same name that ends in .img beside it",
        do="put both files into one folder",
    )


def _count_bytes(path: Path, needed_bytes: int) -> int:
    """Count the bytes of the file, uncompressed; decompression stops well past `needed_bytes`."""
    if path.suffix.lower() != ".gz":
        return path.stat().st_size
    total = 0
    try:
        with gzip.open(path) as file:
            while total <= 2 * needed_bytes + _CHUNK_BYTES and (chunk := file.read(_CHUNK_BYTES)):
                total += len(chunk)
    except (OSError, EOFError, zlib.error):
        raise broken_file_error(path) from None
    return total


def _check_kind(image: Any, path: Path) -> Any:
    """The image, if it is a NIfTI volume (version 1 or 2, one file or two) of a size and type that is read."""
    from nibabel.nifti1 import Nifti1Pair

    shape = image.shape
    if not isinstance(image, Nifti1Pair):
        raise DataError(
            "This is an ANALYZE 7.5 file, which does not say where left and right are",
            where=path,
            expected="NIfTI",
            do="convert it to NIfTI with the program that wrote it",
        )
    if image.get_data_dtype().kind == "c":
        raise DataError("The NIfTI file holds complex numbers", where=path, expected="integers or real numbers")
    if len(shape) == 2:
        raise DataError("The NIfTI file is flat, with two axes", where=path, expected="a volume with three axes")
    if len(shape) < 2 or min(shape) < 1 or np.prod([float(n) for n in shape]) > MAX_VOXELS:
        raise DataError(
            "The volume has a size that firstread does not read", where=path, expected=f"1 to {MAX_VOXELS:,} voxels"
        )
    return image


def broken_file_error(path: Path) -> DataError:
    """The error for a file that is cut short, or that nibabel cannot read."""
    return DataError(
        "The NIfTI file is broken or cut short",
        where=path,
        expected="a whole .nii or .nii.gz volume",
        do="copy it again from where it came from, or leave it out",
    )


def read_geometry(image: Any, path: Path) -> Geometry:
    """Geometry of the first volume in the file's own grid, (z, y, x) = (k, j, i), in LPS.

    The affine is the sform if it has a code, else the qform, else the spacing alone, as nibabel decides; lengths that
    the file states in metres or microns become millimetres.

    Raises:
        DataError: the affine is not one of a volume.
    """
    try:
        return geometry_from_ras(image.affine, image.shape[:3], image.header.get_xyzt_units()[0], _stated(image)[1])
    except (SettingError, KeyError):
        raise DataError(
            "The NIfTI file states an impossible place of its voxels in the patient (sform or qform)",
            where=path,
            expected="three independent axes of finite length",
            do="write it again from the original images",
        ) from None


def geometry_from_ras(
    affine_ras: np.ndarray, shape_ijk: tuple[int, ...], unit: str = "mm", exact: np.ndarray | None = None
) -> Geometry:
    """Geometry in (z, y, x) and LPS from an affine (4, 4) of (i, j, k) in RAS.

    Args:
        unit: of length: "mm", "meter", "micron" or "unknown".
        exact: the affine in (z, y, x) and LPS as firstread's header extension states it; it counts if it agrees.
    """
    affine = (_RAS_LPS @ np.asarray(affine_ras, np.float64))[:, _REVERSED_AXES]
    affine[:3] *= _MM_PER_UNIT.get(unit, 1.0)
    if exact is not None and np.allclose(exact, affine, rtol=1e-5, atol=1e-4 * np.abs(affine[:3, :3]).max()):
        affine = exact  # the same in full, where the header rounds to 32 bits
    slices, rows, columns = reversed(shape_ijk)
    return Geometry((slices, rows, columns), affine)


def affine_to_ras(geometry: Geometry) -> np.ndarray:
    """Affine (4, 4) of (i, j, k) = (x, y, z) in RAS."""
    affine: np.ndarray = (_RAS_LPS @ geometry.affine_lps)[:, _REVERSED_AXES]
    return affine


def read_unit(image: Any) -> str:
    """Unit of the values as firstread's header extension states it, or "": NIfTI itself has no place for it."""
    return _stated(image)[0]


def make_extension(geometry: Geometry, unit: str) -> Any:
    """The header extension that keeps the unit and the affine in full."""
    from nibabel.nifti1 import Nifti1Extension

    content = {"firstread": 1, "unit": unit, "affine_lps": geometry.affine_lps.tolist()}
    return Nifti1Extension("comment", json.dumps(content).encode())


def _stated(image: Any) -> tuple[str, np.ndarray | None]:
    """Unit and affine as firstread's header extension states them; "" and None without one."""
    for extension in getattr(image.header, "extensions", ()):
        content = bytes(extension.get_content()) if extension.get_code() == _COMMENT else b""
        if content.startswith(_EXTENSION_BEGIN):
            try:
                stated = json.loads(content.rstrip(b"\0"))
                affine = np.array(stated["affine_lps"], np.float64).reshape(4, 4)
                return str(stated["unit"]), affine
            except (ValueError, TypeError, KeyError):  # changed by another program: the header itself counts
                return "", None
    return "", None
