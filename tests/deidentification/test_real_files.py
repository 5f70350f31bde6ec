"""Published DICOM files: written or held back with a reason, nothing of them left, no new error of dciodvfy."""

import shutil

import pydicom
import pytest

from firstread.core.errors import DataError
from firstread.deidentification import deidentify_file
from firstread.deidentification.identity import IDENTITY_KEYWORDS
from firstread.dicom.headers import convert_dicom_errors

from .dciodvfy import new_errors
from .identified_files import KEYS, all_options_for

FOLDERS = ("dcm4che-testdata", "dcmqi", "dicom-test-files", "highdicom-tests", "pydicom-data", "pydicom-tests")
#: UIDs and texts shorter than this may be in a file by chance
MIN_LENGTH = 6


def dicom_files(shared_data, step):
    files = []
    for folder in FOLDERS:
        for path in sorted((shared_data / folder).rglob("*")):
            if path.is_file():
                with open(path, "rb") as file:
                    if file.read(132)[128:] == b"DICM":
                        files.append(path)
    return files[::step]


def own_values(path):
    """Names, identifiers and UIDs of a file, read with pydicom alone."""
    found, words = set(), set()
    for element in pydicom.dcmread(path).iterall():
        if element.keyword in ("StudyID", "StudyDescription") and str(element.value).isalpha():
            words.add(str(element.value))  # "Thyroid" as the number of a study names nobody
        named = element.VR == "PN" or element.keyword in IDENTITY_KEYWORDS
        is_uid = element.keyword in (
            "StudyInstanceUID",
            "SeriesInstanceUID",
            "SOPInstanceUID",
            "ReferencedSOPInstanceUID",
        )
        if (named or is_uid) and element.value:
            values = element.value if element.VM > 1 else [element.value]
            found |= {str(value) for value in values if len(str(value)) >= MIN_LENGTH}
    return {value for value in found - words if not value.isdigit() or len(value) > 7}


@pytest.mark.parametrize("step", [9, pytest.param(1, marks=pytest.mark.slow)])
def test_published_files(shared_data, tmp_path, step):
    written, done = 0, set()
    for path in dicom_files(shared_data, step):
        result = deidentify_file(path, tmp_path, profile=all_options_for(path), keys=KEYS)
        assert (result.output is None) == (result.held is not None)
        if result.output is None or result.output in done:
            continue
        written += 1
        done.add(result.output)
        data = (tmp_path / result.output).read_bytes()
        left = [value for value in own_values(path) if value.encode() in data]
        assert left == [], path.name
    assert written > 20


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is not installed")
@pytest.mark.parametrize("step", [13, pytest.param(1, marks=pytest.mark.slow)])
def test_no_error_of_dciodvfy_that_the_original_did_not_have(shared_data, tmp_path, step):
    checked = 0
    for path in dicom_files(shared_data, step):
        result = deidentify_file(path, tmp_path, profile=all_options_for(path), keys=KEYS)
        if result.output is None or result.existed:
            continue
        checked += 1
        assert new_errors(path, tmp_path / result.output) == set(), path.name
    assert checked > 15


def test_compressed_pixels_decode_as_before(shared_data, tmp_path):
    checked = 0
    for path in dicom_files(shared_data, 11):
        result = deidentify_file(path, tmp_path, profile=all_options_for(path), keys=KEYS)
        if result.output is None or result.existed:
            continue
        try:
            with convert_dicom_errors(path):
                before = pydicom.dcmread(path).pixel_array
        except DataError:
            continue
        assert (pydicom.dcmread(tmp_path / result.output).pixel_array == before).all()
        checked += 1
    assert checked > 10
