"""Eligibility files: what they say, in which order, and what is said of a mistake."""

import pytest

from firstread.core.errors import DataError, SettingError
from firstread.curation.eligibility import MAX_BYTES, parse_eligibility, read_eligibility

FILE = '''
title = "Liver"
planned = "a posteriori"
unit = "study"

[[include]]
name = "CT"
where = "series.modality == 'CT'"

[[exclude]]
name = "Children"
needs = "clinical"
where = "study.age_years < 18"
why = """not
[[include]]
asked"""

[window]
within_days = 42
of = "clinical.surgery_day"
side = "before"

[[include]]
name = "Axial"
where = "series.plane == 'axial'"
missing = "include"

[target]
name = "metastasis"
where = "clinical.metastases > 0"
'''


def test_the_order_of_the_file_is_the_order_of_the_flow():
    found = parse_eligibility(FILE)
    assert [(one.side, one.name) for one in found.criteria] == [
        ("include", "CT"),
        ("exclude", "Children"),
        ("include", "Study within 42 days before clinical.surgery_day"),
        ("include", "Axial"),
    ]
    assert (found.unit, found.planned, found.title) == ("study", "a posteriori", "Liver")
    assert found.criteria[1].why == "not [[include]] asked"
    assert str(found.criteria[2].where) == "study.day - clinical.surgery_day between -42 and 0"
    assert (found.target.name, found.target.otherwise) == ("metastasis", "no metastasis")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[include]\n", "no TOML"),
        ("[[includ]]\nname='a'", 'Did you mean "include"'),
        ("[include]\nname='a'", r"write \[\[include\]\]"),
        ("[[include]]\nwhere='series.selected'", '"name" is missing'),
        ("[[include]]\nname='a'", '"where" is missing'),
        ("[[include]]\nname='a'\nwhere='series.phase = 3'", r'include "a", character 14'),
        ("[[include]]\nname='a'\nwhere='series.selected'\nneeds='image'", 'Did you mean "imaging"'),
        ("[[include]]\nname='a'\nwhere='series.selected'\nmissing=3", '"missing" is missing, or no text'),
        ("[[include]]\nname='a'\nwhere='series.selected'\n" * 2, 'Two criteria are called "a"'),
        ("[[include]]\nname='a'\nwhere='series.selected'\nunits='patient'", '"units" has no meaning here'),
        ("include=[{name='a',where='series.selected'}]", "order of the criteria cannot be told"),
        ("[window]\nof='clinical.day'", "no number of days"),
        ("[window]\nwithin_days=3\nof='day'", "says nothing in a criterion"),
        ("unit='lesion'", 'unit = "lesion" is not possible'),
        ("[target]\nname='a'", "a question or a column"),
        ("[target]\nname='a'\nwhere='series.selected'\notherwise='a'", "one name"),
        ("window=3", "no table"),
        ("include=3", "one pair of brackets"),
        ("".join(f"[[include]]\nname='{n}'\nwhere='series.selected'\n" for n in range(51)), "51 criteria"),
        ('why = """\n' + "[[include]]\n" * 5000 + '"""', '"why" has no meaning here'),
        ('title = """\n' + "[[include]]\n" * 5000 + '"""', "5000 criteria"),
        ("a" * 60 + "=" + "[" * 5000, "no TOML"),
    ],
)
def test_a_mistake_is_said_in_a_sentence(text, said):
    with pytest.raises((SettingError, DataError), match=said):
        parse_eligibility(text)


def test_a_file_that_is_not_there_or_too_large_is_said(tmp_path):
    with pytest.raises(DataError, match="cohort --draw"):
        read_eligibility(tmp_path / "none.toml")
    (tmp_path / "large.toml").write_text("#" * (MAX_BYTES + 1))
    with pytest.raises(DataError, match="too large"):
        read_eligibility(tmp_path / "large.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="UTF-8"):
        read_eligibility(tmp_path / "binary.toml")
