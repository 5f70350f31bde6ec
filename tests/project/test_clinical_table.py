"""Step `clinical`: joined by the key of the project, nobody named, days in place of dates."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest

from firstread.core.errors import DataError, SettingError
from firstread.project.project import Project
from project.curated_archive import make_curated_project
from project.test_cohort_step import KILLED
from readers.dicom_files import save_series

PASSPHRASE = "four words of my own"
NAMES = ("Hiddena", "Hiddenb", "Hiddenc")
TABLE = """MRN;Surname;Birthday;age;surgery date;stage;seen by;CEA
HID-0001;Hiddena;21.03.1970;41;11.03.2011;II;Hiddenc;1,5
hid 2;Hiddenb;22.03.1920;91;02.01.2011;III;Hiddenc;12
HID-0003;Hiddenc;23.03.1970;40;;II;nobody;
HID-0099;Elsewhere;01.01.1950;60;01.01.2011;II;nobody;3
;;;;;;;4
"""


def write_archive(folder):
    for number, name in enumerate(NAMES, start=1):
        for study, day in enumerate(("20110301", "20110401")):
            save_series(
                folder / f"{number}{study}",
                np.zeros((2, 8, 8), np.int16),
                PatientID=f"HID-000{number}",
                PatientName=f"{name}^Harriet",
                PatientBirthDate=f"197003{20 + number}" if number != 2 else "19200322",
                StudyInstanceUID=f"1.2.{number}.{study + 1}",
                SeriesInstanceUID=f"1.2.{number}.{study + 1}.1",
                StudyDate=day,
            )


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    base = tmp_path_factory.mktemp("clinical")
    write_archive(base / "archive")
    made, _ = Project.create(base / "liver", archive=base / "archive", passphrase=PASSPHRASE, vault=base / "vault")
    made.index()
    made.deidentify(passphrase=PASSPHRASE)
    (base / "table.csv").write_text(TABLE)
    return made


@pytest.fixture
def joined(project):
    return project.clinical(source(project), id_column="MRN", passphrase=PASSPHRASE)


def source(project):
    return project.settings.archive.parent / "table.csv"


def test_rows_are_joined_by_any_spelling_and_others_are_counted(project, joined):
    counts = joined.counts
    assert (counts["rows"], counts["matched"], counts["unmatched"], counts["without_identifier"]) == (5, 3, 1, 1)
    rows = pq.read_table(project.paths["clinical"]).to_pylist()
    pseudonyms = {path.name for path in project.image_folder.glob("P*")}
    assert {row["patient"] for row in rows} == pseudonyms
    by_cea = {row["cea"]: row for row in rows}
    assert by_cea[1.5] | {"patient": ""} == {"patient": "", "age": 41, "surgery_day": 10, "stage": "II", "cea": 1.5}
    assert (by_cea[12.0]["age"], by_cea[12.0]["surgery_day"]) == (90, -58)
    assert by_cea[None]["surgery_day"] is None


def test_a_row_that_stands_twice_in_two_spellings_counts_once(project, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("MRN;x\nHID-0001;1\nhid 1;1\n")
    counts = project.clinical(path, id_column="MRN", passphrase=PASSPHRASE).counts
    assert (counts["matched"], counts["patients"]) == (2, 1)


def test_columns_that_identify_are_dropped_with_the_reason(project, joined):
    dropped = joined.counts["dropped"]
    assert set(dropped) == {"Surname", "Birthday", "seen by"}
    assert "name somebody" in dropped["seen by"]
    text = (project.paths["clinical"].parent / "columns.csv").read_text()
    assert "surgery date,surgery_day,date," in text


def test_nothing_in_the_folder_names_anybody(project, joined):
    for path in project.folder.rglob("*"):
        if path.is_file() and path.parent.name != "20-deidentified":
            content = path.read_bytes().lower()
            assert not any(word.lower().encode() in content for word in (*NAMES, "HID-00", "2011-03-11", "19700321"))
    assert project.verify().passed


def test_a_column_asked_for_by_name_stays_only_if_it_names_nobody(project):
    counts = project.clinical(
        source(project), id_column="MRN", passphrase=PASSPHRASE, keep=("seen by", "Birthday")
    ).counts
    assert "seen by" in counts["dropped"]
    assert counts["dropped"]["Birthday"] == "it holds birth dates"


def test_a_changed_table_is_stale_and_nothing_is_run(project, joined):
    before = project.paths["clinical"].read_bytes()
    source(project).write_text(TABLE + "HID-0100;;;;;;;1\n")
    status = {one.name: one for one in project.status()}["clinical"]
    assert (status.state, status.reason) == ("stale", "clinical source has changed since")
    assert {one.name: one for one in Project.open(project.folder).status()}["clinical"].state == "stale"
    assert project.paths["clinical"].read_bytes() == before
    source(project).write_text(TABLE)


def test_an_eligibility_file_that_names_somebody_is_refused(project, joined, tmp_path):
    project.curate()
    path = tmp_path / "who.toml"
    path.write_text("[[include]]\nname = 'All but Hiddena'\nwhere = 'series.selected'\n")
    with pytest.raises(SettingError, match=r"names somebody of the archive \(name\)") as caught:
        project.cohort(source=path)
    assert "Hiddena" not in str(caught.value)
    assert not project.paths["eligibility"].exists()
    path.write_text("[[include]]\nname = 'All'\nwhere = 'clinical.age >= 0'\n")
    assert project.cohort(source=path).counts["patients"] == 3


@pytest.mark.parametrize(
    ("text", "id_column", "said"),
    [
        (TABLE, "MNR", 'Did you mean "MRN"'),
        ("MRN;x\nHID-0050;1\n", "MRN", "No row is of a patient"),
        ("MRN;x\nHID-0001;1\nHID-0001;2\n", "MRN", "1 patients have several rows"),
        ("", "MRN", "cannot be read"),
    ],
)
def test_what_cannot_be_is_said_without_naming_anybody(project, tmp_path, text, id_column, said):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises((DataError, SettingError), match=said) as caught:
        project.clinical(path, id_column=id_column, passphrase=PASSPHRASE)
    assert "HID" not in str(caught.value)


def test_the_passphrase_is_needed(project):
    with pytest.raises(SettingError, match="passphrase"):
        project.clinical(source(project), id_column="MRN")


def test_an_archive_that_came_deidentified_takes_identifiers_as_they_are(tmp_path):
    project = make_curated_project(tmp_path)
    path = tmp_path / "t.csv"
    path.write_text("patient,metastases,operated on\nP1,2,2019-02-13\nP2,0,2019-02-01\nP9,1,\n")
    with pytest.raises(DataError, match='"curate" is not done yet'):
        project.clinical(path, id_column="patient")
    project.curate()
    counts = project.clinical(path, id_column="patient").counts
    assert (counts["matched"], counts["unmatched"], counts["archive_patients_without_row"]) == (2, 1, 1)
    rows = pq.read_table(project.paths["clinical"]).to_pylist()
    assert rows == [
        {"patient": "P1", "metastases": 2, "operated_on_day": 10},
        {"patient": "P2", "metastases": 0, "operated_on_day": -2},
    ]


@pytest.mark.slow
def test_killed_anywhere_and_started_again_the_table_is_the_same(project, joined, tmp_path):
    def digest():
        return hashlib.sha256(project.paths["clinical"].read_bytes()).hexdigest()

    whole = digest()
    arguments = {"source": str(source(project)), "id_column": "MRN", "passphrase": PASSPHRASE}
    for writes in (0, 1, 2, 3):
        command = [sys.executable, "-c", KILLED, str(project.folder), str(writes), "clinical", repr(arguments)]
        assert subprocess.run(command, check=False).returncode == -9
        project.clinical(source(project), id_column="MRN", passphrase=PASSPHRASE)
        assert digest() == whole
    assert json.loads((project.vault.folder / "clinical-source.json").read_text())["path"] == str(source(project))
