"""Files that are damaged on purpose: cut, with wrong bytes, zeroed blocks, bytes left out or doubled.

Run as a program it reads a folder of mutated files, in a process that a decoder may crash without harm to others:

    python mutations.py FOLDER          one line a file: its name and "refused", "read", "unreadable" or "error"
"""

import io
import random
import sys
import warnings
from pathlib import Path

import numpy as np

#: real files of `shared_data`, of each way in which pixels are stored
REAL_FILES = (
    "pydicom-tests/src/pydicom/data/test_files/CT_small.dcm",
    "pydicom-tests/src/pydicom/data/test_files/MR_small_jpeg_ls_lossless.dcm",
    "pydicom-tests/src/pydicom/data/test_files/SC_rgb_jpeg_gdcm.dcm",
    "pydicom-tests/src/pydicom/data/test_files/image_dfl.dcm",
    "pydicom-data/emri_small_big_endian.dcm",
    "pydicom-data/emri_small_jpeg_2k_lossless.dcm",
    "pydicom-data/emri_small_RLE.dcm",
    "pydicom-data/JPGLosslessP14SV1_1s_1f_8b.dcm",
    "pydicom-data/OBXXXX1A.dcm",
    "pydicom-data/vlut_04.dcm",
)


def make_pictures(folder: Path) -> list[Path]:
    """Small whole pictures and volumes of every format that is no DICOM."""
    from PIL import Image

    from firstread.core.geometry import Geometry
    from firstread.core.volume import Volume
    from firstread.readers.nifti import write_nifti

    rng = np.random.default_rng(0)
    gray = rng.integers(0, 255, (24, 20)).astype(np.uint8)
    color = rng.integers(0, 255, (24, 20, 3)).astype(np.uint8)
    pages = [Image.fromarray(np.roll(gray, shift)) for shift in range(4)]
    pages[0].save(folder / "pages.tif", save_all=True, append_images=pages[1:], compression="tiff_lzw")
    pages[0].save(folder / "plain.tif", save_all=True, append_images=pages[1:])
    pages[0].save(folder / "moving.gif", save_all=True, append_images=pages[1:])
    Image.fromarray(color).save(folder / "still.webp")
    pages[0].save(folder / "moving.webp", save_all=True, append_images=pages[1:])
    Image.fromarray(gray).save(folder / "gray.bmp")
    Image.fromarray(gray).save(folder / "gray.png")
    Image.fromarray(gray.astype(np.uint16) * 200).save(folder / "deep.png")
    Image.fromarray(color).save(folder / "color.jpg")
    grid = Geometry.from_spacing((5, 6, 7), spacing_mm_zyx=(3, 1, 1))
    volume = Volume(rng.integers(-1000, 1000, (5, 6, 7)).astype(np.int16), grid, unit="HU")
    write_nifti(folder / "volume.nii", volume)
    write_nifti(folder / "volume.nii.gz", volume)
    return sorted(folder.iterdir())


def mutate(content: bytes, rng: random.Random) -> bytes:
    """The content with one kind of damage."""
    data = bytearray(content)
    start = rng.randrange(len(data))
    if rng.random() < 0.5:  # pixels are mostly in the second half
        start = rng.randrange(len(data) // 2, len(data))
    length = rng.choice([1, 4, 64, 512])
    kind = rng.choice(["cut", "bytes", "bytes", "zeros", "left out", "doubled"])
    if kind == "cut":
        return bytes(data[:start])
    if kind == "bytes":
        for _ in range(rng.choice([1, 3, 20])):
            data[rng.randrange(min(start, len(data) - 1), len(data))] = rng.randrange(256)
    elif kind == "zeros":
        data[start : start + length] = bytes(len(data[start : start + length]))
    elif kind == "left out":
        del data[start : start + length]
    else:
        data[start:start] = data[start : start + length]
    return bytes(data)


def write_mutations(sources: list[Path], folder: Path, *, each: int, seed: int = 0) -> int:
    """Write `each` mutations of every source into `folder`; returns how many."""
    rng = random.Random(seed)
    for source in sources:
        content = source.read_bytes()
        for number in range(each):
            (folder / f"{number:04d}_{source.name}").write_bytes(mutate(content, rng))
    return each * len(sources)


def read_all(path: Path) -> str:
    """How a file fares: "refused" when it is opened, "read" to the last frame, or "unreadable" after it was opened."""
    from firstread.core.errors import FirstreadError
    from firstread.core.images import read_image, read_info, read_volume
    from firstread.core.square_pixels import read_square_pixels

    try:
        info = read_info(path)
    except FirstreadError:
        return "refused"
    try:
        for frame in range(info.frames):
            if read_image(path, frame=frame).dtype != np.uint8:
                return "error no uint8"
        read_square_pixels(path)
        if info.geometry is not None:
            read_volume(path)
            read_volume(path, frame=info.frames - 1)
    except FirstreadError as error:
        return f"unreadable {error}"
    return "read"


def main(folder: Path) -> None:
    """Read every file of a folder, and print what happened."""
    warnings.simplefilter("ignore")
    for path in sorted(folder.iterdir()):
        print(f"{path.name}\t", end="", flush=True)  # a crash is the fault of the last name
        try:
            print(read_all(path), flush=True)
        except Exception as error:
            print(f"error {type(error).__name__} {error}", flush=True)


if __name__ == "__main__":
    sys.stdout = io.TextIOWrapper(sys.stdout.buffer, errors="replace")
    main(Path(sys.argv[1]))
