"""The sealed test set: which patients it has, and every time that it was opened, with the reason.

`50-splits/seal.json` holds the seals, newest last. Openings also stand in the audit log, whose lines cannot be taken
out unnoticed, so that a deleted `seal.json` forgets nothing.
"""

import hashlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from firstread.core.errors import DataError, SettingError
from firstread.core.files import read_json, write_json
from firstread.project.step_states import now

if TYPE_CHECKING:
    from firstread.project.project_folder import ProjectFolder

OPEN_TEST = "open-test"
_FORMAT = 1
_MAX_BYTES = 10_000_000


@dataclass(frozen=True)
class Opening:
    """One opening of a test set: when, by whom, and why, in words that name nobody."""

    time: str
    actor: str
    reason: str


@dataclass(frozen=True)
class Seal:
    """A test set that was drawn.

    Attributes:
        sealed: when.
        sha256: of its patients, see `digest_test_set`.
        patients: how many it has.
        openings: oldest first.
        ended: why another seal follows, or "".
    """

    sealed: str
    sha256: str
    patients: int
    openings: tuple[Opening, ...] = ()
    ended: str = ""


def digest_test_set(splits: pa.Table) -> str:
    """Digest of the patients of a test set; "" where there is none.

    Example:
        >>> digest_test_set(pa.table({"patient": ["P1", "P2"], "split": ["train", "test"]}))[:8]
        'acbbb742'
    """
    patients = sorted(splits.filter(pc.equal(splits["split"], "test"))["patient"].to_pylist())
    return hashlib.sha256("\0".join(patients).encode("utf-8", "surrogatepass")).hexdigest() if patients else ""


def read_seals(project: "ProjectFolder") -> list[Seal]:
    """All seals of a project, newest last.

    Raises:
        DataError: the file is damaged.
    """
    path = _path(project)
    if not path.is_file():
        return []
    content = read_json(path, max_bytes=_MAX_BYTES)
    try:
        return [
            Seal(**{**entry, "openings": tuple(Opening(**opening) for opening in entry["openings"])})
            for entry in content["seals"]
        ]
    except (KeyError, TypeError) as error:
        raise DataError(
            "The seal of the test set is damaged",
            where=path,
            do="take the file from a backup; the audit log has it too",
        ) from error


def check_new_split(project: "ProjectFolder", splits: pa.Table, *, reason: str | None) -> list[Seal]:
    """The seals that hold once a split is written.

    Args:
        project: of the split.
        splits: that is to be written.
        reason: why another test set is drawn after the last one was opened; None where nobody asked for it.

    Raises:
        SettingError: the test set was opened, and this split has another one.
    """
    seals, digest = read_seals(project), digest_test_set(splits)
    last = seals[-1] if seals else None
    if last is not None and last.sha256 == digest and not last.ended:
        return seals
    if last is None:  # of a seal that is lost the audit log knows
        openings = _openings_in_audit(project, None) - _openings_in_audit(project, digest)
    else:
        openings = 0 if last.sha256 == digest else max(len(last.openings), _openings_in_audit(project, last.sha256))
    if openings and reason is None:
        raise SettingError(
            f"The test set was opened {_times(openings)}, and this split has another one",
            where=_path(project),
            expected="the split that was sealed",
            do='if it must change, say why: firstread project split --new-seal --reason "..."; all openings stay known',
        )
    if last is not None and not last.ended:
        seals[-1] = replace(last, ended=reason or "drawn anew before it was opened")
    return [*seals, Seal(now(), digest, _count_test(splits))] if digest else seals


def write_seals(project: "ProjectFolder", seals: list[Seal]) -> None:
    """Write the seals."""
    write_json(_path(project), {"format": _FORMAT, "seals": [asdict(seal) for seal in seals]})


def open_test_set(project: "ProjectFolder", *, reason: str, actor: str) -> str:
    """Record that the test set is opened; returns what every report must say from now on, or "".

    Raises:
        DataError: there is no test set, or it is not the one that was sealed.
    """
    splits = read_splits(project)
    seals = read_seals(project)
    if not seals or seals[-1].ended or not seals[-1].sha256:
        raise DataError(
            "This project has no sealed test set", where=_path(project), do="firstread project split, with a test set"
        )
    if seals[-1].sha256 != digest_test_set(splits):
        raise DataError(_CHANGED, where=project.paths["splits"], do="take it from a backup, or split again")
    last = seals[-1]
    project.log(OPEN_TEST, reason, {"sha256": last.sha256, "patients": last.patients})
    write_seals(project, [*seals[:-1], replace(last, openings=(*last.openings, Opening(now(), actor, reason)))])
    return seal_warning(project)


def seal_warning(project: "ProjectFolder") -> str:
    """What every report on the test set must say: that it was opened before, or is not the sealed one; else "".

    The audit log counts where `seal.json` knows of fewer openings.
    """
    seals = read_seals(project)
    total = max(sum(len(seal.openings) for seal in seals), _openings_in_audit(project, None))
    if not total:
        return ""
    last = seals[-1] if seals else None
    here = max(len(last.openings), _openings_in_audit(project, last.sha256)) if last else 0
    sentences = []
    if here > 1:
        sentences.append(
            f"The test set was opened {_times(here)}: what was learnt from it the first time may have gone into what "
            "is tested now, so this result is too good by an unknown amount."
        )
    if total > here:
        sentences.append(
            f"Earlier test sets of this project were opened {_times(total - here)} before this one was drawn; patients "
            "of it may have been among them."
        )
    if last is not None and project.paths["splits"].is_file() and last.sha256 != digest_test_set(read_splits(project)):
        sentences.append(_CHANGED + ".")
    return " ".join(sentences)


_CHANGED = "The test set is not the one that was sealed: patients of it were taken out or added since"


def read_splits(project: "ProjectFolder") -> pa.Table:
    """The splits of a project.

    Raises:
        DataError: there are none.
    """
    path = project.paths["splits"]
    if not path.is_file():
        raise DataError("The cohort is not split yet", where=project.folder, do="firstread project split")
    try:
        return pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError("The splits are damaged", where=path, do="firstread project split") from error


def _openings_in_audit(project: "ProjectFolder", digest: str | None) -> int:
    """Openings that the audit log knows of: of one test set, or of all."""
    entries: list[dict[str, Any]] = [entry for entry in project.audit.read() if entry["step"] == OPEN_TEST]
    return sum(1 for entry in entries if digest is None or entry["counts"].get("sha256") == digest)


def _count_test(splits: pa.Table) -> int:
    return len(splits.filter(pc.equal(splits["split"], "test")))


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _path(project: "ProjectFolder") -> Path:
    return project.paths["seal"]
