"""Who is in, in a lesson: a file as text, one criterion changed, flow, Table 1 and bias; without a clinical table too."""

import re

import pytest

from firstread.core.errors import DataError, SettingError
from firstread.lessons import find_lesson
from firstread.lessons.pile import Pile
from firstread.lessons.pile_curation import PileCuration
from firstread.lessons.pile_eligibility import EligibilityFile

FILE = find_lesson("archive").folder / "eligibility.toml"


@pytest.fixture(scope="module")
def curation(small_pile):
    return PileCuration.of(Pile.open(small_pile / "dicom"))


@pytest.fixture
def eligibility():
    return EligibilityFile.read(FILE, has_clinical=True)


def test_the_file_is_shown_as_it_is(eligibility):
    assert repr(eligibility) == FILE.read_text(encoding="utf-8")
    assert "where = &quot;clinical.liver_surgery&quot;" in eligibility._repr_html_()
    assert "<mark>" not in eligibility._repr_html_()


def test_a_changed_criterion_is_marked_and_the_others_stay(eligibility):
    changed = eligibility.change("Large enough", where="clinical.largest_mm >= 30")
    assert re.findall("<mark>(.*?)</mark>", changed._repr_html_()) == ["where = &quot;clinical.largest_mm &gt;= 30&quot;"]
    assert changed.names == eligibility.names
    assert changed.text.replace(">= 30", ">= 10 or clinical.metastases == 0") == eligibility.text
    assert eligibility.changed == ()


def test_quotation_marks_of_both_kinds_may_be_typed(eligibility):
    for where in ("series.phase == 'arterial'", 'series.phase == "arterial"'):
        changed = eligibility.change("Portal venous CT", where=where)
        assert str(changed.eligibility.criteria[0].where) == "series.phase == 'arterial'"


@pytest.mark.parametrize(
    ("name", "where", "said"),
    [
        ("Adults", "clinical.age_years >= 18", 'no criterion "Adults"'),
        ("Large enough", "clinical.largest_mm >=", "Large enough"),
        ("Large enough", "__import__('os').system('ls')", "Large enough"),
    ],
)
def test_what_cannot_be_read_is_said_and_nothing_is_run(eligibility, name, where, said):
    with pytest.raises(SettingError, match=said):
        eligibility.change(name, where=where)


def test_the_flow_follows_the_file_and_table_1_counts_who_is_in(eligibility, curation):
    planned = eligibility.apply(curation)
    # patients 0 and 1 have a fine venous series; slices of 2 are missing, and 3 lies under two pseudonyms
    assert planned.counts["Assessed for eligibility"] == 5
    assert planned.counts["Portal venous CT"] == 2
    assert planned.table_one.sizes == {"assessed": 5, "included": planned.counts["Included"]}
    shown = planned._repr_html_()
    assert shown.count("<svg") == 1
    assert "Table 1" in shown
    assert planned.to_json()["flow"] == planned.counts


def test_a_weaker_criterion_leaves_no_fewer(eligibility, curation):
    strict = eligibility.change("Large enough", where="clinical.largest_mm >= 60")
    weak = eligibility.change("Large enough", where="clinical.largest_mm >= 0 or clinical.metastases == 0")
    assert strict.apply(curation).counts["Included"] <= weak.apply(curation).counts["Included"]
    assert set(strict.apply(curation).patients) <= set(weak.apply(curation).patients)


def test_a_typo_names_the_nearest_column(eligibility, curation):
    with pytest.raises(SettingError, match='Did you mean "phase"'):
        eligibility.change("Portal venous CT", where="series.phse == 'venous'").apply(curation)


def test_bias_is_said_with_the_criteria_that_bring_it(eligibility, curation):
    rows = {name: criteria for name, _, criteria in eligibility.apply(curation).bias.rows}
    assert rows["Operated or biopsied patients only"] == "Proven by histology"
    assert rows["Available cases"] == "Portal venous CT, Large enough"


def test_without_a_clinical_table_its_criteria_are_left_out_and_it_is_said(curation):
    own = EligibilityFile.read(FILE, has_clinical=False)
    assert own.names == ("Portal venous CT",)
    assert own.left_out == ("Large enough", "Liver operated before", "Proven by histology")
    assert "Left out, because there is no clinical table: Large enough" in own._repr_html_()
    assert own.change("Large enough", where="clinical.largest_mm >= 30") is own


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match="eligibility file cannot be read"):
        EligibilityFile.read(tmp_path / "none.toml", has_clinical=True)
