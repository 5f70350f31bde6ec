"""A report shows tables whole: long texts in lines, numbers in columns."""

import pandas as pd

from firstread.core.report import Report


def test_a_long_text_in_a_table_is_whole_and_takes_several_lines():
    reason = "An encapsulated document: its pages may name the patient, and no rule <reads> them"
    html = Report("Held back").add_table(pd.DataFrame([(reason, 3)], columns=["reason", "files"])).html()
    assert (
        '<td class="text">An encapsulated document: its pages may name the patient, and no rule &lt;reads&gt; them</td>'
        in html
    )
    assert "<td>3</td>" in html
