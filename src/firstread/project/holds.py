"""What was held back and waits for a person: listed by what can be decided, and decided."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from firstread.core.errors import DataError, SettingError
from firstread.core.files import translate_os_errors
from firstread.deidentification.profile import Profile
from firstread.project.archive_names import locate
from firstread.project.deidentification_tables import write_held_back
from firstread.project.file_outcomes import open_store
from firstread.project.hold_decisions import VERBS, Decision, Decisions, class_identifier
from firstread.project.index import index_folder
from firstread.project.locks import file_lock
from firstread.project.outcome_store import OutcomeStore
from firstread.project.profile_file import ProjectProfile
from firstread.project.project_folder import ProjectFolder, current_user
from firstread.project.reasons import check_reason
from firstread.project.review import reviewed, write_sheets
from firstread.project.step_states import now

#: one row a thing that can be decided, or a reason that nobody can decide away
HOLDS = pa.schema(
    {
        "id": pa.string(),
        "files": pa.int64(),
        "rule": pa.string(),
        "what": pa.string(),
        "can": pa.string(),
        "decision": pa.string(),
    }
)
_CAN = {
    "pixels": "release, drop",
    "patient": "join, separate, drop",
    "same_uid": "keep, drop",
    "nobody": "join, drop",
}


@dataclass(frozen=True)
class _Target:
    """What a decision is about."""

    kind: str
    targets: tuple[str, ...]
    rule: str
    files: int


def list_holds(project: ProjectFolder, *, files: bool = False) -> pa.Table:
    """What is held back: review classes (C...), patients (P...), files (H...), and reasons that stand.

    Args:
        files: one row a file.

    Raises:
        DataError: the archive is not de-identified yet.
    """
    path = project.paths["deidentified"] / "held-back.parquet"
    if not path.is_file():
        raise DataError("Nothing was held back yet", where=project.folder, do="firstread project deidentify")
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in pq.read_table(path).to_pylist():
        groups.setdefault(_group(row, files=files), []).append(row)
    rows: list[dict[str, Any]] = [
        {
            "id": name,
            "files": len(held),
            "rule": rule,
            "what": what,
            "can": _can(held[0]) if name else "",
            "decision": "; ".join(sorted({row["decision"] for row in held if row["decision"]})) or None,
        }
        for (name, rule, what), held in groups.items()
    ]
    rows.sort(key=_place)
    return pa.Table.from_pylist(rows, schema=HOLDS)


def decide(project: ProjectFolder, verb: str, identifiers: Sequence[str], *, reason: str) -> int:
    """Keep a decision; `deidentify` acts on it when it runs again.

    Args:
        project: that was de-identified.
        verb: of `firstread.project.hold_decisions.VERBS`.
        identifiers: C... (a review class), P... (a patient), H... (a file), as `list_holds` names them.
        reason: in words that name nobody.

    Returns:
        Number of files that the decision is about.

    Raises:
        SettingError: the verb does not fit what it is about, or the reason names somebody.
        DataError: there is nothing of this name.
    """
    project.check_vault()
    if verb not in VERBS:
        raise SettingError(f'There is no decision "{verb}"', expected=", ".join(VERBS))
    text = check_reason(project, reason)
    with _nobody_else(project):
        with OutcomeStore(project.vault_outcomes) as store:
            found = [_find(store, name) for name in identifiers]
            made = list(_decisions(project, store, verb, found, "; ".join(identifiers), text))
        decisions = Decisions.read(project.vault.folder)
        for decision in made:
            decisions = decisions.added(decision)
        decisions.write(project.vault.folder)
        write_held_back(project)
        count = sum(target.files for target in found)
        project.log("hold", f"{verb} {' '.join(identifiers)}: {text}", {"files": count})
    return count


def write_contact_sheets(project: ProjectFolder) -> list[Path]:
    """Draw what waits for a person into the vault, and return the sheets.

    Raises:
        DataError: nothing waits.
    """
    project.check_vault()
    with OutcomeStore(project.vault_outcomes) as store:
        names = {row["file"]: row["held"] for row in store.held() if row["rule"] == "pixels"}
    if not names:
        raise DataError("No image waits for a person to look at its pixels", where=project.folder)
    folder = project.settings.vault / "sheets"
    with translate_os_errors(folder):
        folder.mkdir(exist_ok=True, mode=0o700)
    files = {locate(project.settings.archive, name): held for name, held in names.items()}
    sheets = write_sheets(files, folder, profile=_profile(project))
    project.log("hold", "sheets were drawn", {"files": len(names), "sheets": len(sheets)})
    return sheets


def _profile(project: ProjectFolder) -> Profile:
    decisions = Decisions.read(project.vault.folder)
    return reviewed(ProjectProfile.read(project.paths["profile"]).profile, decisions.released_classes)


@contextmanager
def _nobody_else(project: ProjectFolder) -> Iterator[None]:
    with (
        file_lock(project.folder / ".deidentify.lock", wait=False),
        file_lock(project.folder / ".lock", wait=False),
    ):
        yield


def _group(row: dict[str, Any], *, files: bool) -> tuple[str, str, str]:
    """Identifier, rule and words of the row of `list_holds` that a file belongs to."""
    rule, reason = row["rule"], row["reason"]
    if files or rule == "same_uid" or _is_nobody(row):
        return row["held"], rule, reason
    if rule == "pixels":
        return class_identifier(row["review_class"]), rule, row["review_class"] or "no class is stated"
    return (row["patient"] or "" if rule == "patient" else ""), rule, reason


def _place(row: dict[str, Any]) -> tuple[bool, str, int, str]:
    """Order of the rows: what can be decided first, the most files first."""
    return not row["id"], row["rule"], -row["files"], row["id"]


def _is_nobody(row: dict[str, Any]) -> bool:
    return row["rule"] == "patient" and not row["patient"]


def _can(row: dict[str, Any]) -> str:
    return _CAN.get("nobody" if _is_nobody(row) else row["rule"], "drop")


def _find(store: OutcomeStore, identifier: str) -> _Target:
    """What an identifier stands for."""
    name = identifier.strip()
    if name.startswith("H") and (row := store.of_held(name)):
        return _Target("file", (row["file"],), "nobody" if _is_nobody(row) else row["rule"], 1)
    if name.startswith("P") and (rows := list(store.of_patient(name))):
        held = [row for row in rows if row["status"] == "held" and row["rule"] == "patient"]
        keys = tuple(sorted({row["key"] for row in rows}))
        return _Target("patient", keys, "patient" if held else "known", len(held or rows))
    if name.startswith("C"):
        waiting = [row["review_class"] for row in store.all() if row["review_class"]]
        found = sorted({one for one in waiting if class_identifier(one) == name})
        if found:
            return _Target("class", tuple(found), "pixels", sum(one in found for one in waiting))
    raise DataError(
        "Nothing that is held back has this name",
        expected="C... (a class), P... (a patient) or H... (a file)",
        do="firstread project hold list",
    )


def _decisions(
    project: ProjectFolder, store: OutcomeStore, verb: str, found: Sequence[_Target], shown: str, reason: str
) -> Iterator[Decision]:
    """The decisions that a call makes: one, but for `keep`, which drops the other files of the UID."""
    kinds = [target.kind for target in found]
    by, at = current_user(), now()
    if verb == "join":
        if kinds == ["file", "patient"] and found[0].rule == "nobody":
            yield Decision(verb, "file", (*found[0].targets, found[1].targets[0]), shown, reason, by, at)
            return
        if not kinds or set(kinds) != {"patient"}:
            raise SettingError(
                "Only patients can be one person, or a file that states nobody and a patient",
                expected="join P... [P... ...], or join H... P...",
            )
        keys = tuple(sorted({key for target in found for key in target.targets}))
        yield Decision(verb, "patient", keys, shown, reason, by, at)
        return
    for target in found:
        _check_fits(verb, target)
        if verb == "release" and "clean_pixel_data" not in ProjectProfile.read(project.paths["profile"]).profile:
            raise SettingError(
                "Pixels are cleaned only with the option clean-pixel-data: without it these images stay out",
                do="firstread project deidentify --option clean-pixel-data ... --replace, then release",
            )
        yield Decision(verb, target.kind, target.targets, shown, reason, by, at)
        if verb == "keep":
            identities = open_store(index_folder(project))
            instance = str((store.of_file(target.targets[0]) or {}).get("instance"))
            others = tuple(name for name in identities.same_instance(instance) if name not in target.targets)
            yield Decision("drop", "file", others, f"others than {shown}", reason, by, at)


def _check_fits(verb: str, target: _Target) -> None:
    allowed = {
        "release": (("class", "file"), ("pixels",)),
        "keep": (("file",), ("same_uid", "dropped")),
        "separate": (("patient",), ("patient", "known")),
    }
    kinds, rules = allowed.get(verb, ((target.kind,), (target.rule,)))
    if target.kind in kinds and target.rule in rules:
        return
    said = {
        "release": "Only what waits for a person to look at its pixels can be released: no rule reads anything else",
        "keep": "Only a file that shares its SOPInstanceUID with others can be kept before them",
        "separate": "Only a patient can be several people",
    }
    raise SettingError(said[verb], do="firstread project hold list says what can be decided")
