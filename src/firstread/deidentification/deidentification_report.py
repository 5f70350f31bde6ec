"""Report of a de-identification, for a data protection officer: what was done, what was held back, no values."""

from typing import TYPE_CHECKING

from firstread.core.report import Report
from firstread.deidentification.profile import BASIC_PROFILE_CODE

if TYPE_CHECKING:
    from firstread.deidentification.folder_deidentifier import Deidentification

_EXPLAINED = {
    True: "Anonymous: pseudonyms and UIDs were made with a secret that existed in this run only and was not stored. "
    "Dates were removed.",
    False: "Pseudonymous: who holds the project's secret can tell which patient a pseudonym stands for. The secret is "
    "not in this folder; as long as it exists, the images are personal data.",
}
_DATES = {
    "MODIFIED": "Dates were moved by a number of whole days, one number a patient; times of day are as they were.",
    "REMOVED": "Dates and times were removed or replaced by a constant.",
    "UNMODIFIED": "Dates and times are as they were.",
}


def make_report(result: "Deidentification") -> Report:
    """Page with counts, options, rules and reasons; neither file names nor values of the originals are in it."""
    import pandas as pd

    total = result.written + result.existed + len(result.held)
    report = Report(
        "De-identification", f"{total} files: {result.written + result.existed} out, {len(result.held)} held"
    )
    report.add_heading("What was done").add_text(_EXPLAINED[result.anonymous])
    report.add_text(_DATES[result.profile.temporal_information()])
    codes = [code for code in result.profile.codes()]
    report.add_table(
        pd.DataFrame(codes, columns=["code (DCM)", "profile or option"]),
        caption=f"DICOM PS3.15 Annex E: {BASIC_PROFILE_CODE[1]} and its options, as stated in each file",
    )
    report.add_heading("What was held back")
    report.add_text("A file is held back where no rule is complete for it. Nothing of it is in the output folder.")
    reasons = pd.DataFrame(list(result.held_reasons().items()), columns=["reason", "files"])
    report.add_table(reasons, caption="Files held back by reason")
    report.add_heading("Which rules changed elements")
    rules = pd.DataFrame(list(result.actions.items()), columns=["rule", "elements"])
    return report.add_table(rules, caption="E.1-1: row of PS3.15 table E.1-1 and the code applied. No values are kept.")
