"""The learner's report of lesson 4: the pile, who is in and why, and what the choice of data did to a result."""

from pathlib import Path
from typing import TYPE_CHECKING

from firstread.core.report import Report

if TYPE_CHECKING:
    from firstread.lessons.dataset_versions import VersionResults
    from firstread.lessons.pile_curation import PileCuration
    from firstread.lessons.pile_eligibility import Inclusion


def write_archive_report(
    path: Path, inclusion: "Inclusion", curation: "PileCuration", results: "VersionResults"
) -> Path:
    """Write the report as one HTML page; returns its path."""
    import pandas as pd

    report = Report("From archive to dataset", curation.pile.summary)
    report.add_heading("What was found in the pile").add_table(curation.counts)
    found = curation.table[curation.table["found"] != "fine"].drop(columns=["planted"])
    report.add_table(found.reset_index(drop=True), caption="Each finding, with its evidence")
    report.add_heading("Who is in").add_code(inclusion.file.text, caption="The eligibility file")
    flow = pd.DataFrame(list(inclusion.counts.items()), columns=["step", "patients left"])
    report.add_table(flow, caption="Flow of participants")
    for remark in inclusion.participants.remarks:
        report.add_text(remark)
    report.add_table(inclusion.table_one.rows.drop(columns=["small_cells"]), caption="Table 1")
    report.add_heading("Bias of the selection")
    for name, text, criteria in inclusion.bias.rows:
        report.add_text(f"{name}{f' ({criteria})' if criteria else ''}. {text}")
    report.add_heading("What the choice of data did").add_figure(
        results.figure(), caption="AUC of three networks, each on its own test set and on the same clean one"
    )
    report.add_table(results.table)
    return report.write(path)
