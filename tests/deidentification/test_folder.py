"""A folder: resumed where it stopped, never mixed, anonymous without keys, reported without values."""

import hashlib
import os
import signal
import subprocess
import sys
import time

import pydicom
import pytest

import firstread as fr
from firstread.core.errors import DataError, SettingError
from firstread.deidentification import Profile, PseudonymKeys, deidentify, verify

from .identified_files import KEYS, identified_ct, write
from .independent_search import find_values


@pytest.fixture
def archive(tmp_path):
    """Three patients with two images each."""
    for patient in range(3):
        for image in range(2):
            number = f"{patient}{image}"
            dataset = identified_ct(
                PatientID=f"HID-{patient}{patient}{patient}",
                PatientName=f"Hidden{'abc'[patient]}^Harriet",
                StudyInstanceUID=f"1.2.{patient}.1",
                SeriesInstanceUID=f"1.2.{patient}.2",
                SOPInstanceUID=f"1.2.{patient}.3.{image}",
            )
            write(dataset, tmp_path / "in" / f"Hidden{patient}" / f"{number}.dcm")
    return tmp_path / "in"


def digests(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*.dcm")
    }


def test_a_folder_is_written_and_verified(archive, tmp_path):
    result = fr.deidentify(archive, tmp_path / "out", keys=KEYS)
    assert (result.written, result.existed, result.held) == (6, 0, ())
    assert verify(archive, tmp_path / "out", keys=KEYS).passed
    assert verify(archive, tmp_path / "out").passed
    assert find_values(tmp_path / "out", ["Hidden", "Harriet", "HID-", "Referrer", "ACC990011", "1.2.0.1"]) == []


def test_a_second_run_writes_nothing_and_another_folder_gets_the_same_bytes(archive, tmp_path):
    deidentify(archive, tmp_path / "out", keys=KEYS)
    again = deidentify(archive, tmp_path / "out", keys=KEYS)
    assert (again.written, again.existed) == (0, 6)
    deidentify(archive, tmp_path / "other", keys=KEYS)
    assert digests(tmp_path / "out") == digests(tmp_path / "other")


def test_a_killed_run_goes_on_to_the_same_bytes(archive, tmp_path):
    deidentify(archive, tmp_path / "whole", keys=KEYS)
    code = (
        "import sys, time; from firstread.deidentification import PseudonymKeys, deidentify\n"
        "from firstread.core import files\n"
        "write = files.write_atomically\n"
        "import firstread.deidentification.file_deidentifier as module\n"
        "module.write_atomically = lambda *args: (write(*args), time.sleep(0.3))\n"
        "deidentify(sys.argv[1], sys.argv[2], keys=PseudonymKeys.from_secret(bytes(range(32))))\n"
    )
    run = subprocess.Popen([sys.executable, "-c", code, str(archive), str(tmp_path / "out")])
    deadline = time.monotonic() + 60
    while not list((tmp_path / "out").rglob("I*.dcm")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    assert 0 < len(digests(tmp_path / "out")) < 6
    deidentify(archive, tmp_path / "out", keys=KEYS)
    assert digests(tmp_path / "out") == digests(tmp_path / "whole")


def test_other_keys_or_another_profile_are_not_mixed_in(archive, tmp_path):
    deidentify(archive, tmp_path / "out", keys=KEYS)
    for profile, keys in ((Profile(), PseudonymKeys.from_secret(bytes(32))), (Profile.basic(), KEYS), (None, None)):
        with pytest.raises(SettingError, match="must not be mixed"):
            deidentify(archive, tmp_path / "out", profile=profile, keys=keys)


def test_without_keys_the_outputs_are_anonymous(archive, tmp_path):
    result = deidentify(archive, tmp_path / "out")
    assert result.anonymous
    outputs = [pydicom.dcmread(path) for path in (tmp_path / "out").rglob("*.dcm")]
    assert {output.StudyDate for output in outputs} == {""}
    assert {output.LongitudinalTemporalInformationModified for output in outputs} == {"REMOVED"}
    assert len({output.PatientID for output in outputs}) == 3
    deidentify(archive, tmp_path / "other")
    assert not set(digests(tmp_path / "out")) & set(digests(tmp_path / "other"))


def test_a_patient_who_passes_89_in_a_later_run_is_written_again(tmp_path):
    write(identified_ct(PatientAge="089Y", PatientBirthDate="19340101"), tmp_path / "in" / "a.dcm")
    deidentify(tmp_path / "in", tmp_path / "out", keys=KEYS)
    later = identified_ct(PatientAge="091Y", PatientBirthDate="19340101", SOPInstanceUID="1.9", StudyInstanceUID="1.8")
    write(later, tmp_path / "in" / "b.dcm")
    deidentify(tmp_path / "in", tmp_path / "out", keys=KEYS)
    assert {pydicom.dcmread(path).PatientAge for path in (tmp_path / "out").rglob("*.dcm")} == {"090Y"}


def test_an_output_is_taken_back_when_a_later_file_makes_the_patient_doubtful(tmp_path):
    write(identified_ct(), tmp_path / "in" / "a.dcm")
    assert deidentify(tmp_path / "in", tmp_path / "out", keys=KEYS).written == 1
    other = identified_ct(PatientBirthDate="19800101", SOPInstanceUID="1.9", StudyInstanceUID="1.8")
    write(other, tmp_path / "in" / "b.dcm")
    assert len(deidentify(tmp_path / "in", tmp_path / "out", keys=KEYS).held) == 2
    assert list((tmp_path / "out").rglob("*.dcm")) == []


def test_outputs_among_the_originals_are_refused(archive):
    with pytest.raises(SettingError, match="among the originals"):
        deidentify(archive, archive / "out", keys=KEYS)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="no such file or folder"):
        deidentify(tmp_path / "missing", tmp_path / "out", keys=KEYS)
    with pytest.raises(DataError, match="no such file or folder"):
        verify(tmp_path / "missing", tmp_path)


def test_links_are_not_followed(archive, tmp_path):
    (archive / "link.dcm").symlink_to(tmp_path / "elsewhere.dcm")
    write(identified_ct(PatientID="OTHER-1"), tmp_path / "elsewhere.dcm")
    assert deidentify(archive, tmp_path / "out", keys=KEYS).written == 6


def test_the_report_says_what_was_done(archive, tmp_path):
    (archive / "notes.txt").write_text("Hidden")
    result = deidentify(archive, tmp_path / "out", keys=KEYS)
    page = result.report().html()
    for said in ("6 out, 1 held", "113107", "moved by a number of whole days", "E.1-1 (0010,0010) Z", "Pseudonymous"):
        assert said in page
    assert "Hidden" not in page
    assert "notes.txt" not in page
    anonymous = deidentify(archive, tmp_path / "anonymous")
    assert "secret that existed in this run only" in anonymous.report().html()


def test_originals_are_as_they_were(archive, tmp_path):
    before = digests(archive)
    deidentify(archive, tmp_path / "out", keys=KEYS)
    assert digests(archive) == before
