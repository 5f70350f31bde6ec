"""Files of a phantom archive are valid DICOM but for what is planted, and refer to one another."""

import shutil
import subprocess
from collections import defaultdict

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.pixels import pixel_array
from pydicom.uid import UID

from firstread.phantoms.abdomen import LABELS, AbdomenPatient, label_map
from firstread.phantoms.archive.studies import ARCHIVE_VERSION


def one_of_each(archive):
    """First file of each folder and SOP class, and every file with a planted violation."""
    table = archive.files.reset_index()
    table["folder"] = table.file.str.rsplit("/", n=1).str[0]
    first = table.groupby(["folder", "sop_class_uid"]).head(1)
    return {row.file: list(row.violations) for row in first.itertuples()} | {
        row.file: list(row.violations) for row in table.itertuples() if len(row.violations)
    }


def run(program: str, *arguments: str) -> subprocess.CompletedProcess:
    if shutil.which(program) is None:
        pytest.skip(f"the program {program} is not here")
    return subprocess.run([program, *arguments], capture_output=True, check=False)


def test_dciodvfy_reports_the_planted_errors_only(archive):
    unexpected, planted = [], set()
    for file, violations in one_of_each(archive).items():
        said = run("dciodvfy", "-new", str(archive.dicom / file)).stderr.decode("utf-8", "replace")
        errors = [line for line in said.splitlines() if line.startswith("Error")]
        unexpected += [(file, line) for line in errors if not any(part in line for part in violations)]
        planted |= {part for part in violations if any(part in line for line in errors)}
    assert unexpected == []
    assert {"Seek failed", "</Overlay", "Tags out of order - trailing garbage"} <= planted


def test_dcmtk_reads_all_but_the_truncated_file_and_the_trailing_bytes(archive):
    failed = set()
    for file in one_of_each(archive):
        if run("dcmdump", "-q", str(archive.dicom / file)).returncode:
            failed.add(file)
    planted = archive.files[archive.files.violations.map(lambda v: any("Seek" in p or "Tags out" in p for p in v))]
    assert failed <= set(planted.index)


def test_every_image_opens(archive):
    kinds = defaultdict(int)
    for file, violations in one_of_each(archive).items():
        if file.endswith("DICOMDIR") or "Seek failed" in violations:
            continue
        dataset = dcmread(archive.dicom / file)
        if "PixelData" not in dataset:
            continue
        pixels = pixel_array(dataset)
        frames = int(dataset.get("NumberOfFrames", 1))
        assert pixels.shape[:1] == (frames,) if frames > 1 else pixels.ndim in (2, 3)
        kinds[dataset.PhotometricInterpretation, dataset.file_meta.TransferSyntaxUID.name] += 1
    photometric = {name for name, _ in kinds}
    assert photometric == {"MONOCHROME1", "MONOCHROME2", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT"}
    assert len({syntax for _, syntax in kinds}) >= 5


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT"])
def test_colours_of_the_velocity_bar_are_red_above_and_blue_below(archive, photometric):
    """A reader that mixes planes or takes YBR for RGB turns it green (deid 228; RSNA Anonymizer 39)."""
    seen = 0
    for file, row in archive.files[archive.files.modality == "US"].iterrows():
        dataset = dcmread(archive.dicom / file)
        if dataset.PhotometricInterpretation != photometric or not dataset.UltrasoundColorDataPresent:
            continue
        seen += 1
        first = pixel_array(dataset, index=0).astype(int)
        red, blue = first[232, 26], first[346, 26]
        assert red[0] > 150 > red[2], (file, red)
        assert blue[2] > 150 > blue[0], (file, blue)
        assert UID(row.sop_class_uid) == dataset.SOPClassUID
    assert seen


def test_references_lead_to_instances_of_the_archive(archive):
    known = set(archive.files.sop_instance_uid)
    referring = archive.files[archive.files.modality.isin(["SEG", "RTSTRUCT", "SR", "PR"])]
    assert set(referring.modality) == {"SEG", "RTSTRUCT", "SR", "PR"}
    studies = {dcmread(archive.dicom / file).StudyInstanceUID for file in referring.index}
    for file in referring.index:
        found = {
            str(element.value)
            for element in dcmread(archive.dicom / file).iterall()
            if element.keyword == "ReferencedSOPInstanceUID"
        }
        assert found
        assert found - known - studies == set(), file


def test_the_segment_of_the_liver_is_the_phantoms(archive):
    file = archive.files[(archive.files.modality == "SEG") & (archive.files.patient == "A0000")].index[0]
    dataset = dcmread(archive.dicom / file)
    frames = pixel_array(dataset)
    shared = dataset.SharedFunctionalGroupsSequence[0]  # of a liver without lesions
    liver = [
        index
        for index, group in enumerate(dataset.PerFrameFunctionalGroupsSequence)
        if (group if 0x0062000A in group else shared).SegmentIdentificationSequence[0].ReferencedSegmentNumber == 1
    ]
    anatomy = AbdomenPatient.draw(np.random.default_rng([ARCHIVE_VERSION, 0, 0, 3]))
    grid = anatomy.geometry((8, 32, 32), spacing_mm_zyx=(32, 12.4, 12.4))
    truth = label_map(anatomy, geometry=grid).values == LABELS["liver"]
    assert frames[liver].sum() == truth.sum() > 0


def test_an_identity_is_written_in_the_character_sets_of_its_region(archive):
    sets = {}
    for patient, rows in archive.files[archive.files.modality == "CT"].groupby("patient"):
        dataset = dcmread(archive.dicom / rows.index[0])
        sets[patient] = list(np.atleast_1d(dataset.SpecificCharacterSet))
        names = archive.table("identities").query("patient == @patient and kind == 'name'").value
        assert any(name in str(dataset.PatientName) for name in names)
    assert sets["A0001"] == ["", "ISO 2022 IR 87"]
    name = dcmread(archive.dicom / archive.files[archive.files.patient == "A0001"].index[0]).PatientName
    assert name.ideographic
    assert name.phonetic
