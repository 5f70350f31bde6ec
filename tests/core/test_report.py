"""A report shows tables whole: long texts in lines, numbers in columns."""

import pandas as pd
import pytest

from firstread.core.errors import SettingError
from firstread.core.report import Report


def test_a_long_text_in_a_table_is_whole_and_takes_several_lines():
    reason = "An encapsulated document: its pages may name the patient, and no rule <reads> them"
    table = pd.DataFrame([(reason, 3), ("short", 1)], columns=["reason", "files"])
    html = Report("Held back").add_table(table).html()
    assert "<td>An encapsulated document: its pages may name the patient, and no rule &lt;reads&gt; them</td>" in html
    assert 'class="dataframe text-1"' in html, "the whole column is flush left"
    assert ".text-1 td:nth-child(1)" in html
    named = Report("Held back").add_table(table.set_index(pd.Index(["a", "b"]))).html()
    assert 'class="dataframe text-2"' in named, "the index is a column of the page"


def test_links_lead_to_files_beside_the_page_only():
    html = Report("Steps").add_links({"40-cohort/report.html": "who is <in>"}).html()
    assert '<a href="40-cohort/report.html">40-cohort/report.html</a>: who is &lt;in&gt;' in html
    for elsewhere in ("javascript:alert(1)", "//other.example/a", "../vault/key", "/etc/passwd", "https://a.b/c"):
        with pytest.raises(SettingError, match="is no file beside the page"):
            Report("Steps").add_links({elsewhere: "?"})
