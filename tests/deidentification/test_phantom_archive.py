"""A phantom archive, de-identified: nothing of its people is left, references resolve, all runs give the same bytes."""

import hashlib
import shutil
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
import pydicom
import pytest

from firstread.deidentification import Profile, deidentify, deidentify_shard, gather_identities
from firstread.phantoms.archive import write_archive

from .dciodvfy import new_errors
from .identified_files import KEYS
from .independent_search import find_values

#: what needs no person to look at pixels
PROFILE = Profile().with_options("clean_structured_content", "clean_graphics")
#: UIDs that name an instance, a series, a study or a frame of reference
REFERENCES = {
    "ReferencedSOPInstanceUID",
    "SeriesInstanceUID",
    "StudyInstanceUID",
    "FrameOfReferenceUID",
    "ReferencedFrameOfReferenceUID",
    "SOPInstanceUID",
}
#: objects that refer to images
REFERRING = {"SEG", "RTSTRUCT", "SR", "PR"}
#: faults for which whole studies are held back
HELD_FAULTS = ("two_patients_one_id", "two_ids_in_one_study", "blank_patient_id", "one_patient_two_ids")
#: shorter values, and parts of names that are words, are found by chance
MIN_LENGTH = 5


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("archive") / "a"
    return write_archive(folder, patients=1, processes=1, matrix=32, slices=8, faults=dict.fromkeys(HELD_FAULTS, 0))


@pytest.fixture(scope="module")
def outputs(archive, tmp_path_factory):
    folder = tmp_path_factory.mktemp("outputs")
    deidentify(archive / "dicom", folder, profile=PROFILE, keys=KEYS, quiet=True)
    return folder


def dicom_files(archive):
    return [archive / "dicom" / file for file in pd.read_parquet(archive / "truth" / "files.parquet")["file"]]


def uids(dataset):
    """UIDs by keyword, of a dataset and the items of its sequences."""
    return {
        (element.keyword, str(uid))
        for element in dataset.iterall()
        if element.VR == "UI" and element.keyword in REFERENCES and element.value
        for uid in (element.value if element.VM > 1 else [element.value])
    }


def test_no_value_of_anybody_is_left(archive, outputs):
    identities = pd.read_parquet(archive / "truth" / "identities.parquet")
    values = {value for value in identities["value"] if len(value) >= MIN_LENGTH or not value.isascii()}
    assert find_values(outputs, values) == []
    # the same search finds them in the originals
    assert len({value for _, value in find_values(archive / "dicom", values)}) > len(values) / 2


def test_references_resolve(archive, outputs):
    """To an output, or to an image that was held back (cut short, or one of two with the same UID)."""
    originals = [pydicom.dcmread(path, stop_before_pixels=True, force=True) for path in dicom_files(archive)]
    held = {KEYS.uid(str(original.get("SOPInstanceUID", ""))) for original in originals}
    datasets = [pydicom.dcmread(path, stop_before_pixels=True) for path in sorted(outputs.rglob("*.dcm"))]
    known = set().union(*(uids(dataset) for dataset in datasets if dataset.Modality not in REFERRING))
    names = {uid for _, uid in known}
    names |= {str(uid) for dataset in datasets for uid in (dataset.SOPInstanceUID, dataset.SeriesInstanceUID)}
    seen = set()
    for dataset in datasets:
        if dataset.Modality in REFERRING:
            referred = {uid for keyword, uid in uids(dataset) if keyword != "SOPInstanceUID"}
            assert referred <= names | held, dataset.Modality
            seen.add(dataset.Modality)
    assert seen == REFERRING


def test_objects_that_are_done_apart_refer_to_the_same(archive, outputs, tmp_path):
    """Each referring object alone, without the images it refers to, as in another run."""
    together = {
        str(dataset.SOPInstanceUID): uids(dataset) for dataset in map(pydicom.dcmread, sorted(outputs.rglob("*.dcm")))
    }
    checked = 0
    for path in dicom_files(archive):
        if pydicom.dcmread(path, stop_before_pixels=True, force=True).get("Modality") not in REFERRING:
            continue
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        deidentify(path, tmp_path / "out", profile=PROFILE, keys=KEYS, quiet=True)
        for output in map(pydicom.dcmread, (tmp_path / "out").rglob("*.dcm")):
            assert uids(output) == together[str(output.SOPInstanceUID)]
            checked += 1
    assert checked >= len(REFERRING)


def _digests(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(Path(folder).rglob("*.dcm"))
    }


def _run_shard(files, folder, identities):
    deidentify_shard(files, folder, profile=PROFILE, keys=KEYS, identities=identities)


def test_another_order_and_two_processes_give_the_same_bytes(archive, tmp_path):
    files = dicom_files(archive)[::3]
    identities = gather_identities(files)
    _run_shard(files, tmp_path / "one", identities)
    backwards = gather_identities(files[::-1])
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for done in [pool.submit(_run_shard, files[::-1][part::2], tmp_path / "two", backwards) for part in range(2)]:
            done.result()
    assert _digests(tmp_path / "one") == _digests(tmp_path / "two")
    assert len(_digests(tmp_path / "one")) > 10


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is not installed")
@pytest.mark.parametrize("each", [1, pytest.param(None, marks=pytest.mark.slow)])
def test_no_error_of_dciodvfy_that_the_original_did_not_have(archive, outputs, each):
    """One file of each kind of object; all of them in the slow test."""
    originals = {}
    for path in dicom_files(archive):
        header = pydicom.dcmread(path, specific_tags=["SOPInstanceUID", "SOPClassUID"], force=True)
        originals[KEYS.uid(str(header.get("SOPInstanceUID", "")))] = path
    seen: dict[str, int] = {}
    for path in sorted(outputs.rglob("*.dcm")):
        header = pydicom.dcmread(path, specific_tags=["SOPInstanceUID", "SOPClassUID"])
        seen[header.SOPClassUID] = seen.get(header.SOPClassUID, 0) + 1
        if each is None or seen[header.SOPClassUID] <= each:
            assert new_errors(originals[header.SOPInstanceUID], path) == set(), path.name
    assert len(seen) >= 7
