"""A table as text: what a spreadsheet writes is read as it stands, and what would shift columns is refused."""

import pytest

from firstread.core.errors import DataError
from firstread.datasets.table_text import read_table


@pytest.mark.parametrize("lines", ["1,2,5,a\n2,3,5,b\n", "1,2,5,a\n2,3,b\n", "1,2,b\n2,3,5,b\n"])
def test_a_decimal_comma_between_commas_is_refused(tmp_path, lines):
    path = tmp_path / "table.csv"
    path.write_text("id,value,text\n" + lines)
    with pytest.raises(DataError, match=r"more cells than|cannot be read"):
        read_table(path)


def test_a_decimal_comma_between_semicolons_or_in_quotation_marks_is_read(tmp_path):
    for text in ("id;value;text\n1;2,5;a\n", 'id,value,text\n1,"2,5",a\n'):
        (tmp_path / "table.csv").write_text(text)
        assert read_table(tmp_path / "table.csv").to_numpy().tolist() == [["1", "2,5", "a"]]


def test_lines_that_end_with_the_separator_are_read(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("id;value;\n1;2;\n2;;\n")
    table = read_table(path)
    assert table["id"].tolist() == ["1", "2"]
    assert table["value"].isna().tolist() == [False, True]
