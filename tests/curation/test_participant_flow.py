"""Who is in: criteria one after the other, for the same series; what cannot be answered; rows of the flow."""

import itertools

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.core.errors import DataError, SettingError
from firstread.curation.eligibility import parse_eligibility
from firstread.curation.eligibility_tables import ArchiveTables
from firstread.curation.participant_flow import select_participants


def tables(series, *, studies=None, clinical=None):
    """Tables from (patient, study, phase, plane) of each series."""
    rows = [
        {"series": f"S{n}", "study": study, "patient": patient, "phase": phase, "plane": plane}
        for n, (patient, study, phase, plane) in enumerate(series)
    ]
    found = dict.fromkeys((study, patient) for patient, study, _, _ in series)
    studies = studies or [{"study": study, "patient": patient, "day": 0} for study, patient in found]
    return ArchiveTables.join(
        series=pa.Table.from_pylist(rows),
        study=pa.Table.from_pylist(studies),
        clinical=None if clinical is None else pa.table(clinical),
    )


def criterion(where, *, side="include", **more):
    lines = [f"[[{side}]]", f'name = "{where}"', f'where = "{where}"']
    return "\n".join([*lines, *(f'{key} = "{value}"' for key, value in more.items())]) + "\n"


def select(text, data):
    found = select_participants(parse_eligibility(text), data)
    kept = found.tables.rows.filter(pa.array(found.included))
    return found, kept


def flow(found):
    return [(row["side"], row["before"], row["left"], row["after"]) for row in found.flow.to_pylist()]


VENOUS_AXIAL = [
    ("P1", "T1", "venous", "axial"),
    ("P2", "T2", "venous", "coronal"),
    ("P2", "T2", "arterial", "axial"),
    ("P3", "T3", "unknown", "axial"),
]


def test_criteria_about_series_hold_for_the_same_series():
    text = criterion("series.phase == 'venous'") + criterion("series.plane == 'axial'")
    found, kept = select(text, tables(VENOUS_AXIAL))
    assert kept["series.series"].to_pylist() == ["S0"]
    assert flow(found) == [
        ("start", 3, 0, 3),
        ("include", 3, 0, 3),
        ("missing", 3, 1, 2),
        ("include", 2, 1, 1),
        ("included", 1, 0, 1),
    ]
    (remark,) = found.remarks
    assert remark.endswith("cannot be answered for 1 patient, because series.phase is not stated: not included.")


def test_a_criterion_can_be_about_the_whole_patient():
    text = criterion("series.phase == 'arterial'", applies_to="patient") + criterion("series.phase == 'venous'")
    _, kept = select(text, tables(VENOUS_AXIAL))
    assert kept["series.series"].to_pylist() == ["S1"]
    text = criterion("series.phase == 'arterial'", side="exclude", applies_to="patient", missing="include")
    _, kept = select(text, tables(VENOUS_AXIAL))
    assert kept["patient.patient"].to_pylist() == ["P1", "P3"]


def test_whoever_cannot_be_judged_can_be_kept_and_is_counted():
    found, kept = select(criterion("series.phase == 'venous'", missing="include"), tables(VENOUS_AXIAL))
    assert set(kept["patient.patient"].to_pylist()) == {"P1", "P2", "P3"}
    assert found.flow["undecided"].to_pylist() == [0, 1, 0]
    assert "included all the same" in found.remarks[0]


def test_an_exclusion_that_cannot_be_answered_excludes_and_is_said():
    clinical = {"patient": ["P1", "P2"], "surgery": [True, None]}
    data = tables(VENOUS_AXIAL, clinical=clinical)
    found, kept = select(criterion("clinical.surgery", side="exclude"), data)
    assert kept["patient.patient"].to_pylist() == []
    assert flow(found)[1:3] == [("exclude", 3, 1, 2), ("missing", 2, 2, 0)]
    assert "leaves nobody" in found.remarks[-1]


def test_a_window_of_days_counts_from_the_clinical_fact():
    studies = [{"study": f"T{n}", "patient": "P1", "day": day} for n, day in enumerate((0, 40, 100))]
    series = [("P1", f"T{n}", "venous", "axial") for n in range(3)]
    clinical = {"patient": ["P1"], "surgery_day": [50]}
    for side, kept in (("around", ["T1"]), ("before", ["T1"]), ("after", [])):
        text = f'[window]\nwithin_days = 20\nof = "clinical.surgery_day"\nside = "{side}"\n'
        _, rows = select(text, tables(series, studies=studies, clinical=clinical))
        assert rows["study.study"].to_pylist() == kept


def test_patients_without_images_are_assessed_and_leave_where_images_are_asked_for():
    clinical = {"patient": ["P1", "P9"], "age": [50, 60]}
    data = tables(VENOUS_AXIAL[:1], clinical=clinical)
    found, _ = select(criterion("clinical.age > 10") + criterion("series.phase == 'venous'"), data)
    assert flow(found)[:3] == [("start", 2, 0, 2), ("include", 2, 0, 2), ("include", 2, 1, 1)]


def test_studies_can_be_counted():
    data = tables([("P1", "T1", "venous", "axial"), ("P1", "T2", "arterial", "axial")])
    found, _ = select('unit = "study"\n' + criterion("series.phase == 'venous'"), data)
    assert flow(found)[-1] == ("included", 1, 0, 1)
    assert found.flow["patients_after"].to_pylist()[-1] == 1


def test_classes_come_from_a_column_or_a_question():
    clinical = {"patient": ["P1", "P2"], "response": ["partial", None], "metastases": [2, 0]}
    data = tables(VENOUS_AXIAL, clinical=clinical)
    found, _ = select('[target]\nname = "response"\ncolumn = "clinical.response"\n', data)
    assert found.targets.to_pylist() == ["partial", None, None, None]
    assert found.remarks == ("The target is not stated for 2 patients who are in: they get no class.",)
    found, _ = select('[target]\nname = "metastasis"\nwhere = "clinical.metastases > 0"\n', data)
    assert found.targets.to_pylist() == ["metastasis", "no metastasis", "no metastasis", None]
    with pytest.raises(SettingError, match="would be numbers"):
        select('[target]\nname = "metastases"\ncolumn = "clinical.metastases"\n', data)


def test_a_key_that_stands_twice_is_refused():
    with pytest.raises(DataError, match="has a patient twice"):
        tables(VENOUS_AXIAL, clinical={"patient": ["P1", "P1"]})
    with pytest.raises(DataError, match='no column "study"'):
        ArchiveTables.join(series=pa.table({"series": ["S"], "patient": ["P"]}), study=pa.table({"patient": ["P"]}))


WORDS = st.sampled_from(["venous", "arterial", "unknown"])
ROW = st.tuples(st.sampled_from("abcd"), WORDS, st.sampled_from(["axial", "coronal"]))


@given(
    st.lists(ROW, min_size=1, max_size=12),
    st.lists(
        st.tuples(
            st.sampled_from(["include", "exclude"]),
            st.sampled_from(["series.phase == 'venous'", "series.plane == 'axial'", "series.phase in ['arterial']"]),
            st.sampled_from(["include", "exclude"]),
            st.sampled_from(["row", "patient"]),
        ),
        max_size=4,
        unique_by=lambda one: one[1],
    ),
)
def test_the_flow_adds_up_and_only_ever_goes_down(rows, criteria):
    data = tables([(patient, f"T{patient}", phase, plane) for patient, phase, plane in rows])
    text = "".join(
        criterion(where, side=side, missing=missing, applies_to=level) for side, where, missing, level in criteria
    )
    found, kept = select(text, data)
    lines = found.flow.to_pylist()
    for first, second in itertools.pairwise(lines):
        assert second["before"] == first["after"]
        assert second["before"] - second["left"] == second["after"]
        assert second["left"] >= 0
        assert second["series_after"] <= first["series_after"]
    assert lines[-1]["after"] == len(set(kept["patient.patient"].to_pylist()))


def test_an_archive_without_images_is_no_error():
    empty = ArchiveTables.join(
        series=pa.table({name: pa.array([], pa.string()) for name in ("series", "study", "patient", "phase")}),
        study=pa.table({name: pa.array([], pa.string()) for name in ("study", "patient")}),
        clinical=pa.table({"patient": ["P1"], "age": [50]}),
    )
    text = criterion("clinical.age > 10", applies_to="study") + criterion("series.phase == 'venous'")
    found, _ = select(text, empty)
    assert flow(found) == [("start", 1, 0, 1), ("include", 1, 0, 1), ("include", 1, 1, 0), ("included", 0, 0, 0)]
