"""datasheet.md: the seven sections of Gebru 2021; what nobody states stays open, and what people write is kept."""

import pyarrow as pa
import pytest

from firstread.core.errors import DataError
from firstread.curation.curation_schemas import FAULTS_FOUND, SERIES, STUDIES
from firstread.project.curation_exclusions import EXCLUDED
from firstread.project.datasheet import OPEN, read_answers, write_datasheet
from project.curated_archive import make_curated_project


@pytest.fixture
def project(tmp_path):
    project = make_curated_project(tmp_path, patients=("P3",))
    project.paths["curated"].mkdir()
    return project


def write(project, ages=(61, 90)):
    stacks = [
        dict.fromkeys(SERIES.names) | {"series": f"2.25.{number}", "stack": 0, "modality": "CT", "selected": not number}
        for number in range(2)
    ]
    studies = [
        dict.fromkeys(STUDIES.names)
        | {"study": f"2.25.{number}", "patient": "P1", "age_years": age, "day": 35 * number}
        for number, age in enumerate(ages)
    ]
    return write_datasheet(
        project,
        series=pa.Table.from_pylist(stacks, schema=SERIES),
        studies=pa.Table.from_pylist(studies, schema=STUDIES),
        faults=FAULTS_FOUND.empty_table(),
        excluded=EXCLUDED.empty_table(),
    )


def test_the_seven_sections_in_their_order(project):
    lines = write(project).read_text().splitlines()
    assert [line for line in lines if line.startswith("## ")] == [
        "## Motivation",
        "## Composition",
        "## Collection process",
        "## Preprocessing, cleaning, labeling",
        "## Uses",
        "## Distribution",
        "## Maintenance",
    ]


def test_what_is_known_is_stated_and_the_rest_is_open(project):
    answers = read_answers(write(project))
    assert answers["What do the instances represent, and how many are there?"] == (
        "2 stacks of slices, of 2 radiological studies of 1 patients: 1 are selected, 1 left out."
    )
    assert "Age from 61 to 90 or more years" in answers["Does it identify subpopulations (age, sex)?"]
    assert "longest follow-up of a patient is 35 days" in answers["Over what time were the data collected?"]
    assert (
        "firstread did not check that" in answers["Does it hold data that are confidential, or that identify people?"]
    )
    assert answers["Who funded it?"] == OPEN


def test_answers_of_people_are_kept(project):
    path = write(project)
    question = "*Who funded it?*\n\n"
    path.write_text(
        path.read_text().replace(f"{question}{OPEN}", f"{question}A foundation.\n\nIn two lines, *all* of it.")
    )
    assert read_answers(write(project))["Who funded it?"] == "A foundation.\n\nIn two lines, *all* of it."


def test_ages_that_nobody_states_are_said(project):
    answers = read_answers(write(project, ages=(None, None)))
    assert "Age is not stated" in answers["Does it identify subpopulations (age, sex)?"]


def test_a_datasheet_that_is_no_text_is_refused(project):
    (project.paths["curated"] / "datasheet.md").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="The datasheet cannot be read"):
        write(project)
