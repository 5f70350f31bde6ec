"""Result of a de-identification, and its page for a data protection officer: what was done and held back, no values."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from firstread.core.report import Report
from firstread.deidentification.profile import BASIC_PROFILE_CODE, Profile
from firstread.deidentification.recognizable_features import FACE_KEPT

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
_FACES = (
    "Warning: {} files show a head in three dimensions. A face can be drawn from them and compared with photographs; "
    "it was not removed."
)
_PIXELS = (
    "Pixels of images that may carry text were searched for it; what was found is black. The search misses some text, "
    "most of all faint text. A person has looked at sheets of {} classes of images and said yes."
)


@dataclass(frozen=True)
class HeldFile:
    """A file that was held back.

    Args:
        source: the original; its name may name a patient, so it is shown nowhere but here, on request.
        reason: why, a sentence without values of the file.
    """

    source: Path = field(repr=False)
    reason: str


@dataclass(frozen=True, repr=False)
class Deidentification:
    """What became of a folder: how many files were written, which were held back and why, which rules did what."""

    folder: Path
    profile: Profile
    anonymous: bool
    written: int
    existed: int
    held: tuple[HeldFile, ...]
    actions: Mapping[str, int] = field(repr=False)

    def held_reasons(self) -> dict[str, int]:
        """Number of files held back by reason, the most frequent first."""
        return dict(Counter(file.reason for file in self.held).most_common())

    @property
    def faces(self) -> int:
        """Number of slices and volumes of a head that were written in this run, from which a face can be drawn."""
        return self.actions.get(FACE_KEPT, 0)

    @property
    def summary(self) -> str:
        """What became of the files, in a sentence."""
        how = "anonymous: the key was forgotten" if self.anonymous else "pseudonymous: the key is kept"
        return f"{self.written + self.existed} files written, {len(self.held)} held back; {how}."

    def __repr__(self) -> str:
        reasons = (f"  {count} held back: {reason}" for reason, count in self.held_reasons().items())
        return "\n".join([self.summary, *reasons, *self._warnings()])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{count}</td><td style='text-align:left'>{escape(reason)}</td></tr>"
            for reason, count in self.held_reasons().items()
        )
        table = f"<table><tr><th>held back</th><th style='text-align:left'>why</th></tr>{rows}</table>" if rows else ""
        warnings = "".join(f"<p>{escape(warning)}</p>" for warning in self._warnings())
        return f"<p><b>{escape(self.summary)}</b></p>{table}{warnings}"

    def _warnings(self) -> list[str]:
        return [_FACES.format(self.faces)] if self.faces else []

    def report(self) -> Report:
        """A page for a data protection officer: what was done, by which rules, and what was held back."""
        report = Report("De-identification", count_files(self.written + self.existed, len(self.held)))
        add_method(report, self.profile, anonymous=self.anonymous, faces=self.faces)
        add_held_files(report, self.held_reasons())
        return add_rules(report, self.actions)


def count_files(out: int, held: int) -> str:
    """Subtitle of a page of de-identification."""
    return f"{out + held:,} files: {out:,} out, {held:,} held back"


def add_method(report: Report, profile: Profile, *, anonymous: bool, faces: int) -> Report:
    """Section of a page: anonymous or pseudonymous, dates, faces, pixels, profile and options."""
    import pandas as pd

    report.add_heading("What was done").add_text(_EXPLAINED[anonymous])
    report.add_text(_DATES[profile.temporal_information()])
    if faces:
        report.add_text(_FACES.format(faces))
    if "clean_pixel_data" in profile:
        report.add_text(_PIXELS.format(len(profile.reviewed)))
    return report.add_table(
        pd.DataFrame(list(profile.codes()), columns=["code (DCM)", "profile or option"]),
        caption=f"DICOM PS3.15 Annex E: {BASIC_PROFILE_CODE[1]} and its options, as stated in each file",
    )


def add_held_files(report: Report, reasons: Mapping[str, int]) -> Report:
    """Section of a page: how many files were held back for which reason."""
    import pandas as pd

    report.add_heading("What was held back")
    report.add_text("A file is held back where no rule is complete for it. Nothing of it is in the output folder.")
    table = pd.DataFrame([(number, reason) for reason, number in reasons.items()], columns=["files", "reason"])
    return report.add_table(table, caption="Files held back by reason")


def add_rules(report: Report, actions: Mapping[str, int]) -> Report:
    """Section of a page: which rules changed how many elements."""
    import pandas as pd

    report.add_heading("Which rules changed elements")
    rules = pd.DataFrame(list(actions.items()), columns=["rule", "elements"])
    return report.add_table(rules, caption="E.1-1: row of PS3.15 table E.1-1 and the code applied. No values are kept.")
