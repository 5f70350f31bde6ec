"""Columns of a clinical table: what stays, what goes and why, and what becomes of the values."""

from datetime import date

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.core.errors import SettingError
from firstread.curation.clinical_columns import check_columns, convert_values, decide_columns

PATIENTS = 8
MRN = [f"H{number}" for number in range(PATIENTS)]


def decide(values, *, name="fact", keep=(), names=(), birth_dates=()):
    table = pd.DataFrame({"mrn": MRN, name: values})
    (found,) = decide_columns(
        table, key="mrn", keep=keep, names_somebody=lambda text: text in names, birth_dates=birth_dates
    )
    return found


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "2,5", "-3", "4", "5", "6", None, "1e3"], "number"),
        (["yes", "no", "Ja", "nein", None, "TRUE", "n", "y"], "truth"),
        (["a", "b", "a", "b", "a", None, "b", "a"], "category"),
        (
            ["2020-01-31", "31.01.2020", "20200131", "2020-01-31 10:30", None, "1.2.2020", "2020-02-01", "2020-02-02"],
            "date",
        ),
        (["31/01/2020", "01/02/2020", None, None, None, None, None, None], "date"),
    ],
)
def test_kinds_are_told_by_the_values(values, kind):
    assert decide(values).kind == kind


@pytest.mark.parametrize(
    "name",
    ["PatientName", "Nachname", "birth_date", "Geburtsdatum", "DOB", "patient_id", "Accession No.", "e-mail", "PLZ"]
    + ["Referring physician", "Comment", "Telefon", "nhs number", "Adresse"],
)
def test_names_of_columns_that_identify(name):
    found = decide(["a", "b"] * 4, name=name)
    assert (found.kind, "its name says" in found.reason) == ("dropped", True)
    assert decide(["a", "b"] * 4, name=name, keep=(name,)).kind == "category"


@pytest.mark.parametrize(
    "name", ["tumor_stage", "Lesions", "Response", "valid", "grade", "days_to_event", "image", "nodes"]
)
def test_names_of_columns_that_do_not(name):
    assert decide(["a", "b"] * 4, name=name).kind == "category"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([f"text {n}" for n in range(PATIENTS)], "all different"),
        ([f"10{n}4711" for n in range(PATIENTS)], "as identifiers are"),
        (["03/04/2020", "05/06/2020"] * 4, "told apart"),
        ([None] * PATIENTS, "no values"),
        ([f"19{n}0-01-01" for n in range(1, 9)], "as birth dates do"),
    ],
)
def test_values_that_identify(values, said):
    found = decide(values)
    assert found.kind == "dropped"
    assert said in found.reason


def test_a_value_that_names_somebody_drops_the_column_even_where_it_is_asked_for():
    values = ["seen by Hiddena", "ok"] * 4
    found = decide(values, keep=("fact",), names=("seen by Hiddena",))
    assert (found.kind, found.reason) == ("dropped", "values in it name somebody, or look as if they did")
    assert decide(values, keep=("fact",)).kind == "category"


def test_own_birth_dates_are_found_under_any_name():
    dates = [f"2011-0{n}-01" for n in range(1, 9)]
    known = [frozenset({value.replace("-", "")}) for value in dates]
    assert decide(dates, name="start", birth_dates=known).reason == "it holds birth dates"
    assert decide(dates, name="start", birth_dates=known[1:] + known[:1]).kind == "date"


def test_a_name_of_a_column_that_names_somebody_is_not_repeated():
    found = decide(["a", "b"] * 4, name="Hiddena", names=("Hiddena",))
    assert (found.source, found.name) == ("column 2", "column_2")


def test_names_become_such_that_criteria_can_ask():
    table = pd.DataFrame(
        [["H1", "1", "1", "2", "2020-01-01"]], columns=["mrn", "CEA (µg/l)", "cea µg l", "2nd", "Op-Datum"]
    )
    found = decide_columns(table, key="mrn", names_somebody=lambda text: False)
    assert [column.name for column in found] == ["cea_g_l", "cea_g_l_2", "column_2nd", "op_day"]


def test_a_column_that_is_not_there_is_named():
    table = pd.DataFrame({"mrn": MRN, "age": ["1"] * PATIENTS})
    with pytest.raises(SettingError, match=r'no column "MRN_"\. Did you mean "mrn"'):
        check_columns(table, key="MRN_")
    with pytest.raises(SettingError, match="twice"):
        check_columns(pd.DataFrame([["1", "2"]], columns=["mrn", "mrn"]), key="mrn")


@given(st.integers(-4000, 4000))
def test_dates_become_days_since_the_first_study(days):
    first = date(2015, 6, 1)
    value = date.fromordinal(first.toordinal() + days)
    for text in (value.isoformat(), f"{value:%d.%m.%Y}", f"{value:%Y%m%d}"):
        assert convert_values([text, text, None], "date", [first, None, first]) == [days, None, None]


def test_ages_and_truths():
    assert convert_values(["89", "90", "104", "x"], "age", [None] * 4) == [89.0, 90.0, 90.0, None]
    assert convert_values(["yes", "Nein", None], "truth", [None] * 3) == [True, False, None]
