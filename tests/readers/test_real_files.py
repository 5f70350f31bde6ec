"""Every real DICOM file of the shared data is read, or refused with a DataError; none crashes, warns or hangs.

REFUSED lists the expected error of each file that is not read, so that a change of any of them is noticed.
"""

import re
import shutil
import subprocess
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from firstread.core.errors import DataError
from firstread.core.images import read_image, sniff_format
from firstread.readers.dicom_pixels import read_dicom, read_header

NO_IMAGE = "holds no image"
CUT = "cut short"
UNKNOWN = "in a form that no decoder here reads"
DAMAGED = "are broken: they cannot be decoded"
NO_PIXELS = "is cut short, or was written without its pixels"
BROKEN = "is broken, or holds"
NO_SIZE = "does not state its"

#: end of the path (a regular expression) -> expected error message; every other file must be read
REFUSED = {
    r"DICOMDIR.*": NO_IMAGE,
    r"Tag-0040-A170-VR-CS.dcm|rwvm.dcm|sr.dcm|sm_annotations.dcm|sr_document.*.dcm|mask/RS.dcm": NO_IMAGE,
    r"reportsi.*.dcm|rtplan.*.dcm|rtstruct.dcm|test-SR.dcm|waveform_ecg.dcm": NO_IMAGE,
    r"ExplVR_(Big|Lit)EndNoMeta.dcm": NO_IMAGE,
    r"UN_sequence.dcm|no_meta_group_length.dcm|[^_]priv_SQ.dcm": NO_PIXELS,
    r"chr(JapMulti|JapMultiExplicitIR6|KoreanMulti|SQEncoding|SQEncoding1).dcm": NO_PIXELS,
    r"TINY_ALPHA/PT000000/ST000000/SE000000/IM0000..": NO_PIXELS,
    r"emri_small_jpeg_2k_lossless_too_short.dcm": NO_PIXELS,
    r"empty_charset_LEI.dcm|badVR.dcm|/no_meta.dcm": BROKEN,
    r"meta_missing_tsyntax.dcm|nested_priv_SQ.dcm": NO_SIZE,
    r"MR_truncated.dcm": CUT,
    # JPEG XL; Deflated Image Frame; RLE of single bits; JPEG Extended of 12 bits; a stream that is not JPEG 2000
    r"will-jxl.dcm|liver_(nonbyte_aligned_)?(deflate|rle).dcm|JPEG-lossy.dcm|JPGExtended.dcm": UNKNOWN,
    r"JPEG2000-embedded-sequence-delimiter.dcm|bad_codestream.dcm": DAMAGED,
    r"cut_j2k.dcm": NO_PIXELS,
    r"no_photometric.dcm": "does not state its PhotometricInterpretation",
}


def dicom_files(root: Path) -> list[Path]:
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return [path for path in files if path.suffix == ".dcm" or (not path.suffix and sniff_format(path) == "dicom")]


def expected_refusal(path: Path) -> str | None:
    return next((words for pattern, words in REFUSED.items() if re.search(f"({pattern})$", path.as_posix())), None)


def outcome(path: Path) -> str | None:
    try:
        image = read_dicom(path)
    except DataError as error:
        return str(error)
    assert image.dtype == np.uint8
    assert image.ndim == 2 or image.shape[2:] == (3,)
    return None


def test_every_real_file_is_read_or_refused_in_a_sentence(shared_data):
    files = dicom_files(shared_data)
    assert sum(path.suffix == ".dcm" for path in files) >= 305
    unexpected, slow = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for path in files:
            start = time.monotonic()
            message, expected = outcome(path), expected_refusal(path)
            if time.monotonic() - start > 10:
                slow.append(path.name)
            if (message is None) != (expected is None) or (expected and expected not in message):
                unexpected.append((path.relative_to(shared_data).as_posix(), message, expected))
    assert not unexpected
    assert not slow


def test_no_refusal_tells_who_the_patient_is(shared_data):
    for path in dicom_files(shared_data):
        if expected_refusal(path) is None:
            continue
        message = (outcome(path) or "").replace(str(path), "")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                dataset = dcmread(path, force=True)
            values = [str(dataset.get(name, "")) for name in ("PatientName", "PatientID", "PatientBirthDate")]
        except Exception:
            continue
        assert not [value for value in values if len(value) > 3 and value in message], path.name


def test_files_packed_with_zstandard_are_read_once_unpacked(shared_data, tmp_path):
    program = shutil.which("zstd")
    if program is None:
        pytest.skip("the program zstd is not here")
    packed = sorted((shared_data / "dicom-test-files").rglob("*.zst"))
    read = 0
    for path in packed:
        target = tmp_path / "one.dcm"
        subprocess.run([program, "-dqf", str(path), "-o", str(target)], check=True)
        message = outcome(target)
        assert message is None or NO_IMAGE in message, path.name
        read += message is None
    assert read > len(packed) // 2
    with pytest.raises(DataError, match="not an image"):
        read_image(packed[0])


@pytest.mark.parametrize(
    ("name", "program"),
    [
        ("pydicom-data/JPEG-LL.dcm", "dcmdjpeg"),
        ("pydicom-data/JPGLosslessP14SV1_1s_1f_8b.dcm", "dcmdjpeg"),
        ("pydicom-tests/src/pydicom/data/test_files/MR_small_jpeg_ls_lossless.dcm", "dcmdjpls"),
        ("pydicom-data/emri_small_jpeg_ls_lossless.dcm", "dcmdjpls"),
        ("pydicom-data/emri_small_RLE.dcm", "dcmdrle"),
        ("pydicom-data/OBXXXX1A_rle.dcm", "dcmdrle"),
        ("pydicom-data/emri_small_big_endian.dcm", "dcmconv"),
    ],
)
def test_stored_values_are_those_of_dcmtk(shared_data, tmp_path, name, program):
    from firstread.dicom.headers import open_dicom
    from firstread.readers.decoders import decode_frame

    if shutil.which(program) is None:
        pytest.skip(f"{program} of dcmtk is not here")
    plain = tmp_path / "plain.dcm"
    options = ["+te"] if program == "dcmconv" else []
    subprocess.run([program, *options, str(shared_data / name), str(plain)], check=True, capture_output=True)
    ours, theirs = open_dicom(shared_data / name), dcmread(plain)
    frames = int(ours.get("NumberOfFrames") or 1)
    kind = np.dtype(f"<{'i' if theirs.PixelRepresentation else 'u'}{theirs.BitsAllocated // 8}")
    stored = np.frombuffer(theirs.PixelData, kind)[: frames * ours.Rows * ours.Columns]
    stored = stored.reshape(frames, ours.Rows, ours.Columns)
    for frame in (0, frames - 1):
        assert np.array_equal(decode_frame(ours, frame), stored[frame])


@pytest.mark.parametrize(
    ("name", "window", "options"),
    [
        ("pydicom-tests/src/pydicom/data/test_files/CT_small.dcm", (40, 400), ["+Ww", "40", "400"]),
        ("pydicom-data/693_UNCR.dcm", "file", ["+Wi", "1"]),
        ("pydicom-data/MR2_UNCR.dcm", "file", ["+Wi", "1"]),
        ("pydicom-data/JPGLosslessP14SV1_1s_1f_8b.dcm", "full", ["+Wm"]),
        ("pydicom-tests/src/pydicom/data/test_files/MR_small.dcm", "full", ["+Wm"]),
        ("pydicom-data/vlut_04.dcm", "file", ["+Wl", "1"]),
        ("pydicom-data/mlut_18.dcm", "file", []),
    ],
)
def test_what_is_shown_is_what_dcmtk_shows(shared_data, tmp_path, name, window, options):
    from PIL import Image

    program = shutil.which("dcmj2pnm") or shutil.which("dcm2pnm")
    if program is None:
        pytest.skip("dcmj2pnm of dcmtk is not here")
    picture = tmp_path / "dcmtk.pgm"
    subprocess.run([program, "+op", *options, str(shared_data / name), str(picture)], capture_output=True, check=True)
    theirs = np.asarray(Image.open(picture).convert("L")).astype(int)
    ours = read_dicom(shared_data / name, window=window).astype(int)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= 1


#: why a file does not look as in dcmtk with the range from darkest to brightest; everything else does
NOT_AS_IN_DCMTK = {
    r"ovly_p01.dcm|MR-SIEMENS-DICOM-WithOverlays.dcm|examples_overlay.dcm": "dcmtk draws the overlay into the picture",
    r"0[123].dcm|CT1_(JPLL|RLE)|693_UNC[IR].dcm": "padding does not count as the darkest pixel here",
    r"seg_image_ct_binary.dcm|seg_image_sm_control_labelmap.dcm": "a frame of one value",
    r"dx_image.dcm": "dcmtk does not stretch this one; with the window of the file both are equal",
    r"width_lt_1.dcm": "dcmtk rounds small numbers to 0",
    r"rtdose_expb(_1frame)?.dcm": "big-endian 32 bits; the little-endian file of the same dose is equal",
}


@pytest.mark.slow
def test_every_real_picture_is_that_of_dcmtk(shared_data, tmp_path):
    from PIL import Image

    program = shutil.which("dcmj2pnm") or shutil.which("dcm2pnm")
    if program is None:
        pytest.skip("dcmj2pnm of dcmtk is not here")
    compared, different = 0, []
    for path in dicom_files(shared_data):
        if expected_refusal(path) is not None:
            continue
        header = read_header(path)
        options = ["+Wm"] if header["photometric"].startswith("MONOCHROME") else []
        for frame in {0, header["frames"] - 1}:
            for old in tmp_path.iterdir():
                old.unlink()
            arguments = [program, "+op", "+F", str(frame + 1), *options, str(path), str(tmp_path / "one.pnm")]
            subprocess.run(arguments, capture_output=True, check=False)
            pictures = list(tmp_path.iterdir())
            if not pictures:  # dcmtk has no decoder for it
                continue
            theirs = np.asarray(Image.open(pictures[0]).convert("RGB")).astype(int)
            ours = read_dicom(path, frame=frame, window="full")
            ours = np.repeat(ours[..., None], 3, axis=2) if ours.ndim == 2 else ours
            compared += 1
            if ours.shape != theirs.shape or np.abs(ours - theirs).max() > 2:
                different.append(path.as_posix())
    assert compared > 300
    assert not [name for name in different if not re.search(f"({'|'.join(NOT_AS_IN_DCMTK)})$", name)]
