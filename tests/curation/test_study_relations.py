"""Copies, split studies and two patients in one study, from tables alone."""

import pyarrow as pa
import pytest

from firstread.curation.curation_schemas import INSTANCES, SERIES, STUDIES
from firstread.curation.study_relations import describe_studies, relate

CT = "1.2.840.10008.5.1.4.1.1.2"


def instance(number, **columns):
    row = dict.fromkeys(INSTANCES.names) | {
        "file": f"{number}.dcm",
        "status": "ok",
        "instance": f"i{number}",
        "series": "s1",
        "stack": 0,
        "study": "t1",
        "patient": "p1",
        "modality": "CT",
        "sop_class": CT,
        "frame_of_reference": "f1",
        "sha256": f"h{number}",
        "pixel_sha256": f"x{number}",
        "study_date": "20200102",
        "study_time_s": 36_000.0,
        "scanner": "A B",
    }
    return row | columns


def stack(series="s1", **columns):
    row = dict.fromkeys(SERIES.names) | {"series": series, "stack": 0, "study": "t1", "patient": "p1"}
    return row | {"kind": "original", "modality": "CT", "phase": "unknown", "phase_confidence": 0.0} | columns


def found(instances, series=()):
    tables = pa.Table.from_pylist(list(instances), INSTANCES), pa.Table.from_pylist(list(series), SERIES)
    studies = pa.Table.from_pylist(describe_studies(*tables), STUDIES)
    return relate(tables[1], studies, tables[0])


def kinds(faults):
    return sorted({row["kind"] for row in faults})


def test_an_ordinary_study_has_no_fault():
    assert found([instance(1), instance(2), instance(3, series="s2")], [stack(), stack("s2")]) == []


def test_empty_tables():
    assert found([]) == []


def test_one_uid_in_two_series():
    same = [instance(1), instance(2, instance="i1", series="s2", pixel_sha256="x1")]
    assert kinds(found(same)) == ["duplicate_same_content"]
    other = [instance(1), instance(2, instance="i1", series="s2")]
    faults = found(other)
    assert kinds(faults) == ["duplicate_other_content"]
    assert sorted(row["file"] for row in faults) == ["1.dcm", "2.dcm"]


def test_a_series_sent_again_under_new_uids():
    images = [instance(n) for n in range(3)] + [instance(n + 3, series="s2", pixel_sha256=f"x{n}") for n in range(3)]
    (fault,) = found(images)
    assert (fault["kind"], fault["series"]) == ("duplicate_same_content", "s2")
    assert fault["evidence"].startswith("3 images have the pixels of another series")


def test_the_same_images_under_two_patients():
    images = [instance(n) for n in range(3)]
    images += [
        instance(n + 3, series="s2", study="t2", patient="p2", frame_of_reference="f2", pixel_sha256=f"x{n}")
        for n in range(3)
    ]
    faults = found(images)
    assert kinds(faults) == ["images_under_two_ids"]
    assert {(row["patient"], row["series"]) for row in faults} == {("p1", "s1"), ("p2", "s2")}


def test_one_image_among_many_that_two_patients_share_is_not_enough():
    images = [instance(n) for n in range(3)]
    images += [instance(n + 3, series="s2", study="t2", patient="p2", frame_of_reference="f2") for n in range(3)]
    images[3]["pixel_sha256"] = "x0"
    assert found(images) == []


def test_masks_that_are_alike_are_no_copies():
    seg = "1.2.840.10008.5.1.4.1.1.66.4"
    images = [instance(n, series=f"s{n}", sop_class=seg, pixel_sha256="x") for n in range(3)]
    assert found(images) == []


def test_case_29_one_session_under_two_studies_is_linked_and_not_merged():
    """heudiconv 377, 490."""
    images = [instance(1), instance(2, series="s2", study="t2")]
    (fault,) = found(images)
    assert (fault["kind"], fault["action"], fault["excluded"]) == ("split_study", "note", False)
    rows = describe_studies(pa.Table.from_pylist(images, INSTANCES), pa.Table.from_pylist([], SERIES))
    assert {row["study"]: row["linked_study"] for row in rows} == {"t1": "t2", "t2": "t1"}


@pytest.mark.parametrize(
    ("other", "is_linked"),
    [
        ({"frame_of_reference": "f2"}, True),  # same machine, same hour
        ({"frame_of_reference": "f2", "study_time_s": 80_000.0}, False),
        ({"frame_of_reference": "f2", "scanner": "C D"}, False),
        ({"frame_of_reference": "f2", "modality": "MR"}, False),
        ({"study_date": "20200301"}, False),  # a frame of reference that was registered later
        ({"patient": "p2"}, False),
        ({"study_date": None, "study_time_s": None}, True),
        ({"study_date": None, "study_time_s": None, "frame_of_reference": "f2"}, False),
    ],
)
def test_when_two_studies_are_one_session(other, is_linked):
    images = [instance(1), instance(2, series="s2", study="t2", **other)]
    assert ("split_study" in kinds(found(images))) is is_linked


def test_one_session_is_linked_where_one_of_its_studies_states_two_patients():
    images = [instance(1), instance(2, patient="0p1"), instance(3, series="s2", study="t2")]
    assert kinds(found(images)) == ["split_study", "two_ids_in_one_study"]


def test_two_patients_in_one_study():
    (fault,) = found([instance(1), instance(2, series="s2", patient="p2")])
    assert (fault["kind"], fault["study"]) == ("two_ids_in_one_study", "t1")
    assert "p2" not in fault["evidence"]


def test_case_28_a_derived_series_with_the_number_of_the_original():
    series = [stack(series_number=3), stack("s2", series_number=3, kind="derived")]
    (fault,) = found([instance(1)], series)
    assert (fault["kind"], fault["series"]) == ("derived_same_number", "s2")
    series[1]["series_number"] = 4
    assert found([instance(1)], series) == []


def test_a_venous_phase_before_the_arterial_one():
    def phase(name, seconds, series):
        return stack(series, phase=name, phase_confidence=0.9, acquisition_s=seconds)

    right = [phase("unenhanced", 10.0, "s1"), phase("arterial", 100.0, "s2"), phase("venous", 140.0, "s3")]
    assert found([instance(1)], right) == []
    wrong = [phase("venous", 100.0, "s1"), phase("arterial", 140.0, "s2")]
    assert kinds(found([instance(1)], wrong)) == ["contradicting_phases"]
    over_midnight = [phase("arterial", 86_390.0, "s1"), phase("venous", 20.0, "s2")]
    assert found([instance(1)], over_midnight) == []


def test_a_broken_file_that_belongs_to_no_series_is_reported():
    row = instance(1, status="broken", series=None, study=None, patient=None, reason="The file is empty")
    (fault,) = found([row])
    assert (fault["kind"], fault["file"]) == ("truncated_file", "1.dcm")


def test_studies_have_days_and_no_dates():
    images = [instance(1), instance(2, study="t2", series="s2", study_date="20200301", frame_of_reference="f2")]
    images.append(instance(3, study="t3", series="s3", study_date=None, patient="p2"))
    rows = describe_studies(pa.Table.from_pylist(images, INSTANCES), pa.Table.from_pylist([stack()], SERIES))
    assert {row["study"]: row["day"] for row in rows} == {"t1": 0, "t2": 59, "t3": None}
    assert not any("2020" in str(value) for row in rows for value in row.values())
