"""Step `verify`: every file of the project folder is searched for every identity value of the originals.

Outputs are searched by shards: decoded, as bytes, by name, for the values of their own patient in every spelling.
Everything else in the folder (state, audit log, tables, pages, names of files) is searched for the words of all.
"""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.dataset as ds

from firstread.core.errors import DataError
from firstread.core.files import write_json
from firstread.deidentification.identity import Identity
from firstread.deidentification.verification import Finding, Verification, decoded_texts, search_file
from firstread.dicom.headers import convert_dicom_errors, open_dicom_object
from firstread.project.file_outcomes import open_store
from firstread.project.file_texts import file_texts
from firstread.project.hold_decisions import Decisions
from firstread.project.identity_store import IdentityStore
from firstread.project.identity_words import text_words
from firstread.project.index import index_folder
from firstread.project.input_fingerprints import fingerprint
from firstread.project.outcome_store import OutcomeStore
from firstread.project.output_files import find_outputs
from firstread.project.own_words import own_words
from firstread.project.profile_file import ProjectProfile
from firstread.project.shard_passes import run_pass
from firstread.project.shards import ShardPlan, ShardWork
from firstread.project.step_states import now

if TYPE_CHECKING:
    from firstread.project.project_folder import ProjectFolder

FINDINGS = pa.schema({"file": pa.string(), "element": pa.string(), "kind": pa.string()})
_SCHEMAS = {"findings": FINDINGS}
_MAX_SHOWN = 10_000
_SEARCHED = (
    "Searched were the outputs (every element decoded, nested ones too; their bytes in the character sets of DICOM; "
    "their names) for the values of their own patient, or of everybody where nobody can say whose they are; and all "
    "other files of the project folder for the words of everybody. Not searched were the pixels of pictures: text in "
    "them is the matter of the option clean-pixel-data and of the people who look at the sheets."
)


@dataclass(frozen=True)
class VerificationWork:
    """What a worker needs to know.

    Attributes:
        folder: of the outputs.
        index: folder of the identified index.
        outcomes: folder of the outcomes, which say whose an output is.
        decisions: which patients are one person.
        options: of the profile; what they keep is not searched for.
    """

    folder: Path
    index: Path
    outcomes: Path
    decisions: Decisions
    options: frozenset[str]


def verify_project(
    project: "ProjectFolder", *, processes: int = 1, part: tuple[int, int] = (1, 1)
) -> tuple[Verification | None, int]:
    """Search the project folder; writes `verification.json` and `verification.html`.

    Returns:
        What was searched and found, and the number of shards of other parts that are not done yet (then None).

    Raises:
        DataError: the archive is not de-identified, or the index is stale.
    """
    project.check_vault()
    project.check_current("deidentify")
    folder = project.paths["deidentified"]
    work = VerificationWork(
        folder,
        index_folder(project),
        project.vault_outcomes,
        Decisions.read(project.vault.folder),
        ProjectProfile.read(project.paths["profile"]).profile.options,
    )
    started = now()
    names = [path.relative_to(folder).as_posix() for path in find_outputs(folder)]
    plan = ShardPlan(names, part, processes, basis=fingerprint(folder))
    parts = project.settings.vault / "verification" / plan.digest
    shards = ShardWork(partial(verify_rows, work), _failure, parts, _SCHEMAS)
    if left := run_pass(shards, plan):
        return None, left
    with project.step("verify", started=started) as counts:
        found = [Finding(**row) for row in _rows(parts)]
        others = list(_other_files(project))
        found += _search_others(project.folder, others, open_store(work.index))
        result = Verification(
            len(names) + len(others), open_store(work.index).count_values(), tuple(dict.fromkeys(found))
        )
        write_json(project.paths["verification"], to_json(result))
        result.report().add_text(_SEARCHED).write(folder / "verification.html")
        counts.update({"files": result.files, "values": result.values, "findings": len(result.findings)})
        shutil.rmtree(project.settings.vault / "verification", ignore_errors=True)
    return result, 0


def to_json(result: Verification) -> dict[str, Any]:
    """A verification as JSON values; the first findings of very many."""
    shown = [asdict(finding) for finding in result.findings[:_MAX_SHOWN]]
    return {
        "passed": result.passed,
        "files": result.files,
        "values": result.values,
        "number_of_findings": len(result.findings),
        "findings": shown,
    }


def verify_rows(work: VerificationWork, name: str) -> dict[str, list[dict[str, Any]]]:
    """Findings in one output; called in a worker."""
    store, path = open_store(work.index), work.folder / name
    with OutcomeStore(work.outcomes) as outcomes:
        row = outcomes.of_output(name)
    if row is None:  # anonymous: nobody can say whose it is, so the words of all patients are searched
        found = list(_search_words(path, name, store, work.options))
    else:
        values = frozenset().union(*(store.nested_values(key) for key in work.decisions.members(row["key"])))
        searched = Identity("", values=values).searched_values(work.options)
        uids: Any = frozenset() if "retain_uids" in work.options else _KnownUids(store)
        found = list(search_file(path, Path(name), searched, uids))
    return {"findings": [asdict(finding) for finding in dict.fromkeys(found)]}


class _KnownUids:
    """UIDs of all originals, looked up."""

    def __init__(self, store: IdentityStore) -> None:
        self._store = store

    def __contains__(self, uid: object) -> bool:
        return self._store.holds_uid(str(uid))


def _failure(name: str, reason: str) -> dict[str, list[dict[str, Any]]]:
    return {"findings": [{"file": name, "element": f"not searched: {reason}", "kind": "unknown"}]}


def _search_words(path: Path, name: str, store: IdentityStore, options: frozenset[str]) -> Iterator[Finding]:
    with suppress(DataError):
        dataset = open_dicom_object(path)
        with convert_dicom_errors(path):
            found = list(decoded_texts(dataset))
        for place, text in found:
            if "retain_uids" not in options and store.holds_uid(text):
                yield Finding(name, place, "uid")
            yield from (Finding(name, place, kind) for kind in word_kinds(store, text))
        return
    yield Finding(name, "not searched: it cannot be read", "unknown")


def word_kinds(store: IdentityStore, text: str) -> set[str]:
    """Kinds of the identity values of anybody whose words stand in a text."""
    own = own_words()
    return {kind for word, kind in store.kinds_of_words(text_words(text)) if word not in own}


def _search_others(folder: Path, files: list[Path], store: IdentityStore) -> Iterator[Finding]:
    for path in files:
        relative = path.relative_to(folder)
        yield from (
            Finding(relative.as_posix(), "name of the file", kind) for kind in word_kinds(store, relative.as_posix())
        )
        if not path.is_file():  # a link that leads nowhere, a pipe: it has a name only
            continue
        try:
            kinds = set().union(*(word_kinds(store, text) for text in file_texts(path)))
        except (OSError, ValueError):
            yield Finding(relative.as_posix(), "not searched: it cannot be read", "unknown")
            continue
        yield from (Finding(relative.as_posix(), "text", kind) for kind in sorted(kinds))


def _other_files(project: "ProjectFolder") -> Iterator[Path]:
    """All files of a project folder but for the outputs, which have been searched."""
    outputs = project.paths["deidentified"]
    known = {"verification.json", "verification.html"}
    for path in sorted(project.folder.rglob("*")):
        if path.is_dir() or path.name.endswith(".lock") or (path.parent == outputs and path.name in known):
            continue
        if not (path.is_relative_to(outputs) and path.match("P*/T*/S*/I*.dcm")):
            yield path


def _rows(parts: Path) -> list[dict[str, Any]]:
    if not (parts / "findings").is_dir():  # nothing was written, so there was nothing to search
        return []
    return list(ds.dataset(parts / "findings", schema=FINDINGS).to_table().sort_by("file").to_pylist())
