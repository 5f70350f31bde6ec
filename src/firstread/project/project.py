"""`Project`: a project on a department's own DICOM studies, from Python; each verb is a step of `firstread project`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from firstread.core.errors import DataError
from firstread.project.project_folder import ProjectFolder

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from firstread.core.cohort import Cohort
    from firstread.deidentification.verification import Verification
    from firstread.project.withdrawal import WithdrawalResult


@dataclass(frozen=True)
class StepResult:
    """What a step did: numbers, no identity.

    Attributes:
        step: its name.
        counts: such as {"files": 5, "written": 4, "held": 1}.
    """

    step: str
    counts: Mapping[str, Any]

    def table(self) -> "pd.DataFrame":
        """The counts as a table: `what`, `count`."""
        import pandas as pd

        rows = [(name, value) for name, value in self.counts.items() if not isinstance(value, Mapping)]
        for name, values in self.counts.items():
            rows += [(f"{name}: {key}", value) for key, value in values.items()] if isinstance(values, Mapping) else []
        return pd.DataFrame(rows, columns=["what", "count"])


class Project(ProjectFolder):
    """A project: one folder that names nobody, an archive that is only read, a vault that leads back.

    Made by `Project.create`, opened by `Project.open`; each step is a method, in the order of `status`.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import firstread as fr
        >>> from pydicom.data import get_testdata_file
        >>> base = Path(tempfile.mkdtemp())
        >>> (base / "archive").mkdir()
        >>> _ = (base / "archive" / "1.dcm").write_bytes(Path(get_testdata_file("CT_small.dcm")).read_bytes())
        >>> project, recovery_code = fr.Project.create(
        ...     base / "liver", archive=base / "archive", passphrase="four words of my own", vault=base / "vault"
        ... )
        >>> project.index().counts["patients"]
        1
        >>> project.deidentify(passphrase="four words of my own").counts["written"]
        1
        >>> project.verify().passed
        True
        >>> project.curate().counts["stacks"]
        1
        >>> [(status.name, status.state) for status in project.status()][:4]
        [('index', 'done'), ('deidentify', 'done'), ('verify', 'done'), ('curate', 'done')]
    """

    def index(self, *, processes: int = 1) -> StepResult:
        """Index the archive into the vault.

        Args:
            processes: workers; a script that asks for several needs `if __name__ == "__main__":`.

        Raises:
            DataError: the archive is empty, or the vault is not that of this project.
        """
        from firstread.project.index import index_archive

        return StepResult("index", index_archive(self, processes=processes))

    def deidentify(
        self,
        *,
        passphrase: str | None = None,
        options: tuple[str, ...] | None = None,
        anonymous: bool | None = None,
        replace: bool = False,
        processes: int = 1,
    ) -> StepResult:
        """De-identify the archive into `20-deidentified`; what no rule is complete for is held back.

        Args:
            passphrase: or recovery code; not needed for anonymous outputs.
            options: of PS3.15 Annex E, such as ("retain-dates-shifted", "clean-descriptors"); None: as before.
            anonymous: forget the key and remove dates; None: as before.
            replace: delete the outputs of another profile first.
            processes: workers.

        Raises:
            DataError: the archive is not indexed, or has changed since.
            SettingError: the passphrase is wrong, or there are outputs of another profile.
            StorageError: another run is at work, or the disk is full.
        """
        from firstread.project.archive_deidentifier import DeidentificationSettings, deidentify_archive

        settings = DeidentificationSettings(options, anonymous, replace, processes)
        return StepResult("deidentify", deidentify_archive(self, passphrase, settings))

    def verify(self, *, processes: int = 1) -> "Verification":
        """Search every file of the project for every identity value of the originals.

        Raises:
            DataError: the archive is not de-identified, or something has changed since.
        """
        from firstread.project.project_verification import verify_project

        found, left = verify_project(self, processes=processes)
        if found is None:
            raise DataError(f"{left} shards are not searched", where=self.folder, do="run the same step again")
        return found

    def curate(self, *, processes: int = 1) -> StepResult:
        """Describe the de-identified images stack by stack into `30-curated`; say what is left out, and why.

        Args:
            processes: workers.

        Raises:
            DataError: the outputs are not verified, have changed since, or there are none.
            StorageError: another run is at work, or the disk is full.
        """
        from firstread.project.archive_curator import CurationSettings, curate_archive

        return StepResult("curate", curate_archive(self, CurationSettings(processes)))

    def excluded(self) -> "pd.DataFrame":
        """What `curate` left out or somebody put back: one row a stack, series or file, with its reason and an id.

        Raises:
            DataError: the images are not curated yet.
        """
        from firstread.project.curation_choices import list_excluded

        return list_excluded(self).to_pandas()

    def put_back(self, identifier: str, *, reason: str) -> int:
        """Put back what `curate` left out; it takes effect when `curate` runs again.

        Args:
            identifier: S... (a stack), T... (a study), a patient's pseudonym, or F... (a fault).
            reason: in words that name nobody; kept in the audit log.

        Returns:
            Number of stacks, or of files, that the decision is about.

        Raises:
            DataError: there is nothing of this name, or the images are not curated yet.
            SettingError: the reason is empty or names somebody, or what is named cannot be put back.
        """
        from firstread.project.curation_choices import decide_curation

        return decide_curation(self, "put back", identifier, reason=reason)

    def exclude(self, identifier: str, *, reason: str) -> int:
        """Leave out a stack, a study or a patient; as `put_back` otherwise."""
        from firstread.project.curation_choices import decide_curation

        return decide_curation(self, "exclude", identifier, reason=reason)

    def holds(self, *, files: bool = False) -> "pd.DataFrame":
        """What is held back, why, and what can be decided about it.

        Args:
            files: one row a file.

        Raises:
            DataError: the archive is not de-identified yet.
        """
        from firstread.project.holds import list_holds

        return list_holds(self, files=files).to_pandas()

    def hold(self, verb: str, *identifiers: str, reason: str) -> int:
        """Decide about what is held back: "release", "drop", "keep", "join", "separate"; then `deidentify` again.

        Args:
            verb: what is decided.
            identifiers: as in the column `id` of `holds`.
            reason: in words that name nobody; kept in the audit log.

        Returns:
            Number of files that the decision is about.

        Raises:
            SettingError: the verb does not fit, or the reason names somebody of the archive.
        """
        from firstread.project.holds import decide

        return decide(self, verb, identifiers, reason=reason)

    def withdraw(self, pseudonym: str, *, passphrase: str, reason: str) -> "WithdrawalResult":
        """Remove a patient for good, and say which trainings saw them. The archive is only read, and stays.

        Raises:
            SettingError: the passphrase is wrong, or the reason names somebody.
            DataError: nobody has this pseudonym.
        """
        from firstread.project.withdrawal import withdraw

        return withdraw(self, passphrase, pseudonym, reason=reason)

    def clinical(
        self,
        source: "str | Path",
        *,
        id_column: str,
        passphrase: str | None = None,
        keep: tuple[str, ...] = (),
    ) -> StepResult:
        """Join the department's clinical table to the pseudonyms: `25-clinical/clinical.parquet`; optional.

        Columns that identify people are dropped, dates become days since the patient's first study, ages over 89 become
        90. `25-clinical/columns.csv` says what became of each column.

        Args:
            source: CSV with one row a patient; it is only read.
            id_column: of the patients' identifiers.
            passphrase: or recovery code; not needed for an archive that came de-identified.
            keep: columns that stay although they look identifying, if no value in them names anybody.

        Raises:
            DataError: the table cannot be read, no row is of a patient of the archive, or a patient has several rows.
            SettingError: there is no such column, or the passphrase is wrong.
        """
        from pathlib import Path

        from firstread.project.clinical_table import join_clinical

        counts = join_clinical(self, Path(source), id_column=id_column, passphrase=passphrase, keep=keep)
        return StepResult("clinical", counts)

    def cohort(self, *, source: "str | Path | None" = None, draw: bool = False) -> StepResult:
        """Choose who is in, by `40-cohort/eligibility.toml`; writes the flow, Table 1 and the bias beside it.

        Args:
            source: an eligibility file, which is taken over first.
            draw: write one from what the archive has (a posteriori), where there is none.

        Returns:
            Numbers; `remarks` holds in sentences what a reader must know, such as who could not be judged.

        Raises:
            DataError: the archive is not curated, or there is no eligibility file.
            SettingError: the file is wrong; the message says where.
        """
        from pathlib import Path

        from firstread.project.cohort_step import choose_cohort

        path = None if source is None else Path(source).expanduser()
        return StepResult("cohort", choose_cohort(self, source=path, draw=draw))

    def split(self, *, method: str = "holdout", reason: str | None = None, **settings: Any) -> StepResult:
        """Divide the cohort by patient, and seal the test set.

        Args:
            method: "holdout", "folds", "nested", "temporal", "site" or "contiguous".
            reason: why another test set is drawn after the last one was opened.
            **settings: `fractions`, `folds`, `inner`, `by`, `sites`, `gap`, `seed`; see
                `firstread.project.split_plan.SplitPlan`.

        Raises:
            DataError: there is no cohort, or it has too few patients.
            SettingError: a setting does not fit; or the test set was opened, and this split has another one.
        """
        from firstread.project.split_plan import make_plan
        from firstread.project.split_step import split_cohort

        return StepResult("split", split_cohort(self, make_plan(method, settings), reason=reason))

    def cases(self, *, fold: int | None = None, inner_fold: int | None = None, slices: int | None = None) -> "Cohort":
        """The series that are in, for `fr.train`: all but the sealed test set, which `open_test` opens.

        Args:
            fold: of "folds", the one that validates; of "nested", the one that is tested.
            inner_fold: of "nested", the one that validates.
            slices: cases are so many slices of each series, equally far apart, instead of whole volumes.

        Raises:
            DataError: there is no cohort, or a step before it is stale.
        """
        from firstread.project.cohort_cases import open_cohort

        return open_cohort(self, fold=fold, inner_fold=inner_fold, slices=slices)

    def open_test(self, *, reason: str, slices: int | None = None) -> "Cohort":
        """Open the sealed test set: the whole cohort, whose `test` is measured. It is recorded, with the reason.

        From the second time on, every evaluation of these cases and every report says how often it was opened.

        Args:
            reason: in words that name nobody; kept in the audit log and in `50-splits/seal.json`.
            slices: as in `cases`.

        Raises:
            DataError: there is no sealed test set, or it is not the one that was sealed.
            SettingError: the reason is empty, or names somebody.
        """
        from firstread.project.cohort_cases import open_tested_cohort

        return open_tested_cohort(self, reason=reason, slices=slices)

    def seal_warning(self) -> str:
        """What every report on the test set must say: that it was opened before, or changed since; else ""."""
        from firstread.project.sealed_test import seal_warning

        return seal_warning(self)
