"""Steps of a lesson on an archive: the pile, who is in, data sets made of it, and the learner's report."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firstread.lessons.lesson_data import archive_folder
from firstread.lessons.lesson_info import LessonInfo

if TYPE_CHECKING:
    from firstread.learning.models.classifier import Classifier
    from firstread.lessons.dataset_versions import DatasetVersions, VersionResults
    from firstread.lessons.pile import Pile
    from firstread.lessons.pile_curation import PileCuration
    from firstread.lessons.pile_eligibility import EligibilityFile, Inclusion
    from firstread.lessons.pile_marks import PileReading
    from firstread.lessons.result_file import ResultFile

#: data of the experiment, whatever pile is opened: what is so of an image must be known
_EXPERIMENT_DATA = "archive-pile"


class ArchiveSteps:
    """What `fr.lesson` offers on an archive; `Lesson` has what is named here."""

    info: LessonInfo
    data: str
    seed: int
    folder: Path
    if TYPE_CHECKING:

        @property
        def _file(self) -> ResultFile: ...

        @property
        def recipe(self) -> dict[str, Any]: ...

        def record(self, name: str, value: Any) -> Any: ...

    def open_pile(self) -> "Pile":
        """The lesson's pile of DICOM series, or that of a folder of one's own."""
        from firstread.lessons.pile import Pile

        return Pile.open(archive_folder(self.data))

    def read_series(self, pile: "Pile") -> "PileReading":
        """Twelve series of the pile, drawn by the learner's seed, to be looked through by clicking.

        What was clicked is kept: a notebook that is run again shows it.
        """
        from firstread.lessons.pile import BUTTON_OF
        from firstread.lessons.pile_marks import PileReading, choose_series

        chosen = choose_series(pile, seed=self.seed)
        return PileReading(
            chosen,
            tuple(BUTTON_OF.values()),
            answers=self._file.read("reading"),
            on_change=lambda answers: self._file.update("reading", answers),
            on_score=lambda correct: self.record("my_reading", {"correct": correct, "of": len(chosen)}),
        )

    def curate(self, pile: "Pile") -> "PileCuration":
        """What firstread's curation finds in each series of a pile, and between series, studies and patients."""
        from firstread.lessons.pile_curation import PileCuration

        return PileCuration.of(pile)

    def eligibility(self, curation: "PileCuration") -> "EligibilityFile":
        """The lesson's eligibility file; criteria on a clinical table are left out where there is none."""
        from firstread.lessons.pile_eligibility import EligibilityFile

        has_clinical = curation.pile.clinical_table() is not None
        return EligibilityFile.read(self.info.folder / "eligibility.toml", has_clinical=has_clinical)

    def dataset_versions(self) -> "DatasetVersions":
        """Three data sets of the same phantom images, and a clean test set of other patients."""
        from firstread.lessons.dataset_versions import DatasetVersions

        return DatasetVersions.open(archive_folder(_EXPERIMENT_DATA).parent / "slices", seed=self.seed)

    def compare_versions(
        self, versions: "DatasetVersions", trained: "Mapping[str, Classifier]"
    ) -> "VersionResults":
        """Networks of all data sets, those that are missing trained now, on their own test and on the clean one."""
        return versions.compare(trained, recipe=self.recipe, seed=self.seed)

    def write_archive_report(self, inclusion: "Inclusion", curation: "PileCuration", results: "VersionResults") -> Path:
        """Write the learner's report: what was found in the pile, who is in and why, what the choice did."""
        from firstread.lessons.archive_report import write_archive_report

        return write_archive_report(self.folder / "report.html", inclusion, curation, results)
