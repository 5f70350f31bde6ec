"""outliers.png: the outermost are named by short ids, with pictures; classes where a clinical table states them."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from firstread.core.errors import DataError
from firstread.curation.curation_schemas import FEATURES, SERIES
from firstread.project.curation_decisions import stack_identifier
from firstread.project.outlier_pictures import write_outlier_pictures
from project.curated_archive import make_curated_project

STACKS = 24


@pytest.fixture
def project(tmp_path):
    project = make_curated_project(tmp_path, patients=("P3",))
    (project.paths["curated"] / "instances").mkdir(parents=True)
    return project


def series(project, *, odd=7, kind="original"):
    rng = np.random.default_rng(0)
    first = next((project.settings.archive / "P3" / "study0").glob("*.dcm"))
    rows = []
    for number in range(STACKS):
        row = dict.fromkeys(SERIES.names) | {"series": f"2.25.{number}", "stack": 0, "patient": f"P{number}"}
        row |= {"modality": "CT", "kind": kind, "selected": True, "slices": 1}
        row |= {"first_file": first.relative_to(project.settings.archive).as_posix()}
        row |= dict(zip(FEATURES, rng.normal(size=len(FEATURES)) + 9 * (number == odd), strict=True))
        rows.append(row)
    table = pa.Table.from_pylist([{"file": rows[0]["first_file"], "series": "x", "stack": 0, "position_mm": 0.0}])
    pq.write_table(table, project.paths["curated"] / "instances" / "part-00000.parquet")
    return pa.Table.from_pylist(rows, schema=SERIES)


def clinical(project, **columns):
    path = project.paths["clinical"]
    path.parent.mkdir()
    pq.write_table(pa.table({"patient": [f"P{number}" for number in range(STACKS)], **columns}), path)


def test_the_outermost_are_named(project):
    found = write_outlier_pictures(project, series(project))
    assert found.png == (project.paths["curated"] / "outliers.png").read_bytes()
    assert found.png.startswith(b"\x89PNG")
    assert f"robust standard deviations: {stack_identifier('2.25.7', 0)} (" in found.sentences[0]
    assert "Nothing is left out for this" in found.sentences[0]
    assert "No class of the lesions is known" in found.sentences[-1]


def test_the_picture_is_the_same_again(project):
    table = series(project)
    assert write_outlier_pictures(project, table).png == write_outlier_pictures(project, table).png


def test_without_original_stacks_there_is_no_picture_and_an_old_one_goes(project):
    write_outlier_pictures(project, series(project))
    found = write_outlier_pictures(project, series(project, kind="derived"))
    assert found.png is None
    assert not (project.paths["curated"] / "outliers.png").exists()
    assert "none is outermost" in found.sentences[0]


def test_classes_of_a_clinical_table_are_drawn_with_their_accuracy(project):
    clinical(project, lesion_type=["cyst", "metastasis"] * (STACKS // 2))
    found = write_outlier_pictures(project, series(project))
    assert 'by "lesion_type"' in found.sentences[-1]
    assert "against 50% for the most frequent class" in found.sentences[-1]


def test_too_few_of_a_class_are_said(project):
    clinical(project, lesion_type=["cyst"] * (STACKS - 1) + ["metastasis"])
    assert "too few patients" in write_outlier_pictures(project, series(project)).sentences[-1]


def test_a_clinical_table_without_a_class_is_said(project):
    clinical(project, age_years=[60] * STACKS)
    assert "No class of the lesions is known" in write_outlier_pictures(project, series(project)).sentences[-1]


def test_a_damaged_clinical_table_is_a_sentence(project):
    project.paths["clinical"].parent.mkdir()
    project.paths["clinical"].write_bytes(b"PAR1")
    with pytest.raises(DataError, match="The clinical table is damaged"):
        write_outlier_pictures(project, series(project))
