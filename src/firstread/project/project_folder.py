"""A project: one folder, numbered steps, nothing in it names a patient.

```
my-project/
  project.toml          title, question, task; where the originals lie; the vault
  state.json            what is done, with which inputs            (firstread.project.step_states)
  audit.jsonl           what was done, as a hash chain             (firstread.project.audit_log)
  10-index/             counts of the archive, without identities
  20-deidentified/      P.../T.../S.../I....dcm, what was held back, verification, report
  25-clinical/          the department's clinical table under pseudonyms, where there is one
  30-curated/           stacks, studies, faults, what is left out and why, datasheet
  40-cohort/            who is in and why: eligibility.toml, included, flow, Table 1, bias, report
  50-splits/            who trains, validates and is tested; the seal of the test set
```

The originals stay where they are and are opened read-only. The identified index and the key lie in the vault
(`firstread.project.vault`). An archive that is de-identified already is curated where it lies: `new --deidentified`.
"""

import getpass
import os
import re
import secrets
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from firstread.core.errors import DataError, SettingError
from firstread.core.files import read_json, translate_os_errors, write_text
from firstread.project.audit_log import AuditLog
from firstread.project.identity_records import IdentityRecords
from firstread.project.input_fingerprints import Subfolders
from firstread.project.locks import file_lock
from firstread.project.step_states import Step, StepStates, StepStatus
from firstread.project.vault import Vault, derive_key

FORMAT = 1
_MAX_TOML_BYTES = 100_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _\-]{0,63}")
STEPS = (
    Step("index", ("archive",), ("index",)),
    Step("deidentify", ("archive", "profile", "decisions"), ("deidentified",), needs=("index",)),
    Step("verify", ("deidentified",), ("verification",), needs=("deidentify",)),
    Step("curate", ("image folder", "curation decisions"), ("curated series", "excluded"), needs=("verify",)),
    Step("clinical", ("clinical source",), ("clinical",), needs=("deidentify",), optional=True),
    Step(
        "cohort",
        ("curated series", "curated studies", "curated faults", "clinical", "eligibility"),
        ("included",),
        needs=("curate",),
        uses=("clinical",),
    ),
    Step("split", ("included", "eligibility", "clinical"), ("splits",), needs=("cohort",)),
)
#: steps that do not apply to an archive that is de-identified already
_IDENTIFIED_STEPS = ("index", "deidentify", "verify")
_DEIDENTIFIED = "the archive was stated to be de-identified already"


@dataclass(frozen=True)
class Settings:
    """What `project.toml` says.

    Attributes:
        identifier: random, binds vault and folder.
        title: of the project.
        archive: folder of the originals; opened read-only.
        vault: folder of the vault.
        question: that the project asks, in words.
        deidentified: the archive was stated to be de-identified already; it is used in place.
    """

    identifier: str
    title: str
    archive: Path
    vault: Path
    question: str = ""
    deidentified: bool = False


class ProjectFolder:
    """A project folder: its settings, vault, state and audit log."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.folder)!r})"

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder, self.settings = folder, settings
        self.vault = Vault(settings.identifier, settings.vault)
        self.audit = AuditLog(folder / "audit.jsonl")
        self.reread_paths()

    def reread_paths(self) -> None:
        """Take the paths of inputs as they are now: where the clinical table lies stands in the vault."""
        skipped = dict.fromkeys(_IDENTIFIED_STEPS, _DEIDENTIFIED) if self.settings.deidentified else {}
        paths = {**self.paths, "image folder": self._images}
        self.states = StepStates(self.folder / "state.json", STEPS, paths, skipped)

    @classmethod
    def create(
        cls,
        folder: str | Path,
        *,
        archive: str | Path,
        passphrase: str | None = None,
        vault: str | Path | None = None,
        question: str = "",
        deidentified: bool = False,
    ) -> tuple[Self, str]:
        """Make a project folder and its vault.

        Args:
            folder: that does not exist yet, or is empty.
            archive: folder of the originals.
            passphrase: that opens the key, at least 12 characters; None with `deidentified`, where there is no key.
            vault: folder of the vault; None is one in firstread's own folder, apart from the project.
            question: that the project asks.
            deidentified: the archive is de-identified already: it is curated where it lies, and no step before is
                needed. Nothing checks that it is so.

        Returns:
            The project, and the recovery code, which is written nowhere; "" where there is no key.

        Raises:
            DataError: the folder holds something already, or there is no such archive.
            SettingError: the name or the passphrase cannot be used, or the vault would lie where others get it.
        """
        folder, archive = check_new_folder(folder), Path(archive).expanduser().resolve()
        if not archive.is_dir():
            raise DataError("There is no such archive", where=archive, expected="a folder of DICOM files")
        identifier = f"{re.sub('[^a-z0-9]+', '-', folder.name.lower()).strip('-')}-{secrets.token_hex(4)}"
        own = Vault(identifier, Path(vault).expanduser().resolve() if vault is not None else None)
        _check_apart(folder, archive, own.folder.resolve())
        if passphrase is None and not deidentified:
            raise SettingError("A project needs a passphrase, which opens its key", do="state one")
        code = own.create(None if deidentified else passphrase)
        settings = Settings(identifier, folder.name, archive, own.folder, question, deidentified)
        with translate_os_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / "project.toml", _to_toml(settings))
        project = cls(folder, settings)
        project.log("new", f"created; {_DEIDENTIFIED}" if deidentified else "created")
        return project, code

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """Open a project folder.

        Raises:
            DataError: it is none, or its `project.toml` is damaged.
        """
        folder = Path(folder).expanduser().resolve()
        path = folder / "project.toml"
        if not path.is_file():
            raise DataError(
                "This folder is no project",
                where=folder,
                expected="a folder with project.toml",
                do="go into the project's folder, or make one: firstread project new NAME --archive FOLDER",
            )
        return cls(folder, _read_toml(path))

    @property
    def paths(self) -> dict[str, Path]:
        """Name of an input or output of a step -> where it lies."""
        return {
            "archive": self.settings.archive,
            "profile": self.folder / "profile.toml",
            "index": self.vault_index,
            "decisions": self.settings.vault / "decisions.json",
            "deidentified": self.folder / "20-deidentified",
            "verification": self.folder / "20-deidentified" / "verification.json",
            "curated": self.folder / "30-curated",
            "curated series": self.folder / "30-curated" / "series.parquet",
            "excluded": self.folder / "30-curated" / "excluded.csv",
            "curation decisions": self.folder / "curation-decisions.json",
            "curated studies": self.folder / "30-curated" / "studies.parquet",
            "curated faults": self.folder / "30-curated" / "faults.parquet",
            "clinical": self.folder / "25-clinical" / "clinical.parquet",
            "clinical source": self._clinical_source,
            "cohort": self.folder / "40-cohort",
            "eligibility": self.folder / "40-cohort" / "eligibility.toml",
            "included": self.folder / "40-cohort" / "included.parquet",
            "split folder": self.folder / "50-splits",
            "splits": self.folder / "50-splits" / "splits.parquet",
            "seal": self.folder / "50-splits" / "seal.json",
        }

    @property
    def _clinical_source(self) -> Path:
        path = self.settings.vault / "clinical-source.json"
        if not path.is_file():
            return path
        try:
            return Path(read_json(path, max_bytes=_MAX_TOML_BYTES)["path"])
        except (KeyError, TypeError, DataError):
            return path

    @property
    def image_folder(self) -> Path:
        """Folder of the de-identified images: the outputs, or the archive where that is de-identified already."""
        return self.settings.archive if self.settings.deidentified else self.paths["deidentified"]

    @property
    def _images(self) -> Path | Subfolders:
        return self.settings.archive if self.settings.deidentified else Subfolders(self.image_folder, "P")

    @property
    def vault_index(self) -> Path:
        """The identified index, in the vault."""
        return self.settings.vault / "index"

    @property
    def vault_outcomes(self) -> Path:
        """What became of each original, in the vault."""
        return self.settings.vault / "deidentified"

    def records(self, secret: bytes) -> IdentityRecords:
        """The encrypted records of who is behind each pseudonym."""
        return IdentityRecords(
            self.settings.vault / "identities.bin", derive_key(secret, "records"), project=self.settings.identifier
        )

    def check_vault(self) -> None:
        """Refuse a vault that is not there, belongs to another project, or is open to others.

        Raises:
            DataError: says which of them.
        """
        self.vault.check()

    def check_current(self, name: str) -> None:
        """Refuse to build on a step that is not done, or is stale.

        Raises:
            DataError: says which, and why.
        """
        status = next(one for one in self.status() if one.name == name)
        if status.state == "skipped":
            self.states.check_applies(name)
        if status.state != "done":
            why = f": {status.reason}" if status.reason else ""
            raise DataError(
                f'The step "{name}" is {"stale" if status.reason else "not done yet"}{why}',
                where=self.folder,
                do=f"firstread project {name}",
            )

    def open_key(self, passphrase: str | None) -> bytes:
        """The secret of the project.

        Raises:
            SettingError: there is no passphrase, or it does not open the key.
        """
        if not passphrase:
            raise SettingError("The key of the project opens with its passphrase", do="type it, or name its file")
        return self.vault.open(passphrase)

    def status(self) -> list[StepStatus]:
        """State of each step, in their order."""
        return list(self.states.statuses())

    @contextmanager
    def step(
        self, name: str, *, parameters: Mapping[str, Any] | None = None, started: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """Run a step: one writer at a time; state and audit log are written when it is done, not when it fails.

        Args:
            name: of the step.
            parameters: with which it ran.
            started: when work on it began, where that was before.

        Yields:
            A dictionary for the counts of the step, without identities.
        """
        with file_lock(self.folder / ".lock", wait=False):
            begun, counts = self.states.begin(name), dict[str, Any]()
            yield counts
            self.states.finish(name, started=started or begun, parameters=parameters or {}, counts=counts)
            self.log(name, "done", counts)

    def log(self, step: str, action: str, counts: Mapping[str, Any] | None = None) -> None:
        """Write a line of the audit log, and keep its end in the vault.

        Raises:
            DataError: the log was changed or cut since its last line.
        """
        self.check_audit()
        self.vault.remember(self.audit.append(step, action, actor=current_user(), counts=counts))

    def check_audit(self) -> int:
        """Check the audit log against the vault; returns the number of its lines.

        Raises:
            DataError: it was changed or cut.
        """
        return self.audit.verify(self.vault.remembered()).lines


def check_new_folder(folder: str | Path) -> Path:
    """The whole path of a folder in which a project can be made.

    Raises:
        DataError: it holds something already.
        SettingError: its name cannot be used.
    """
    folder = Path(folder).expanduser().resolve()
    if not _NAME.fullmatch(folder.name):
        raise SettingError(f'A project cannot be called "{folder.name}"', expected="letters, digits, blanks, - and _")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError("This folder holds something already", where=folder, do="choose another name")
    return folder


def _check_apart(folder: Path, archive: Path, vault: Path) -> None:
    """Refuse folders within one another: originals are never written to, and a project is given away, a vault never."""
    if folder.is_relative_to(archive) or archive.is_relative_to(folder):
        raise SettingError(
            "The project and the archive would lie within one another",
            where=folder,
            do="choose a folder outside of the archive: the originals are opened read-only",
        )
    if vault.is_relative_to(folder) or folder.is_relative_to(vault):
        raise SettingError("The vault would lie in the project folder", do="choose a folder outside of it")
    if vault.is_relative_to(archive) or archive.is_relative_to(vault):
        raise SettingError("The vault and the archive would lie within one another", do="choose another --vault")


def current_user() -> str:
    """The account that firstread runs as; it stands in the audit log."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"user {os.getuid()}"


def _to_toml(settings: Settings) -> str:
    import json

    values = {
        "format": FORMAT,
        "identifier": settings.identifier,
        "title": settings.title,
        "question": settings.question,
        "archive": str(settings.archive),
        "vault": str(settings.vault),
        "deidentified": settings.deidentified,
    }
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    return "# A project of firstread. Nothing in this folder names a patient.\n" + "\n".join(lines) + "\n"


def _read_toml(path: Path) -> Settings:
    try:
        if path.stat().st_size > _MAX_TOML_BYTES:
            raise ValueError("too large")
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        if values["format"] != FORMAT:
            raise DataError(
                "The project was made by another version of firstread", where=path, expected=f"format {FORMAT}"
            )
        texts = {name: values[name] for name in ("identifier", "title", "archive", "vault", "question")}
        if not all(isinstance(text, str) for text in texts.values()) or not re.fullmatch(
            r"[a-z0-9-]+", texts["identifier"]
        ):
            raise ValueError("not text")
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            "The description of the project is damaged", where=path, do="mend it, or take it from a backup"
        ) from error
    return Settings(
        texts["identifier"],
        texts["title"],
        Path(texts["archive"]),
        Path(texts["vault"]),
        texts["question"],
        values.get("deidentified") is True,
    )
