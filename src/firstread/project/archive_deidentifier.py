"""Step `deidentify`: the archive of a project under pseudonyms, by shards; what needs a person is held back."""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds

from firstread.core.errors import DataError, SettingError, StorageError
from firstread.core.files import read_json, translate_os_errors, write_json
from firstread.core.version import package_version
from firstread.deidentification.pseudonym_keys import PseudonymKeys
from firstread.deidentification.text_detector import load_text_detector
from firstread.dicom.archive_index import INSTANCES
from firstread.project.deidentification_tables import write_results
from firstread.project.file_outcomes import (
    ACTIONS,
    OUTCOMES,
    DeidentificationWork,
    deidentify_rows,
    failure_rows,
    is_current,
    open_store,
)
from firstread.project.hold_decisions import Decisions
from firstread.project.index import index_folder
from firstread.project.locks import file_lock
from firstread.project.outcome_store import OutcomeStore
from firstread.project.output_files import find_outputs, missing_outputs, remove_orphans
from firstread.project.profile_file import ProjectProfile, choose_profile
from firstread.project.project_folder import ProjectFolder
from firstread.project.review import reviewed
from firstread.project.shard_passes import run_pass
from firstread.project.shards import ShardPlan, ShardWork
from firstread.project.step_states import now

_SCHEMAS = {"outcomes": OUTCOMES, "actions": ACTIONS}
_FINISHED = "finished.json"
_RESULTS = ("held-back.parquet", "actions.parquet", "report.html", "deidentification.json", "verification.json")


@dataclass(frozen=True)
class DeidentificationSettings:
    """How the step is run.

    Attributes:
        options: of PS3.15 Annex E; None: those of `profile.toml`, else the default.
        anonymous: forget the key and remove dates; None: as `profile.toml` says.
        replace: delete the outputs of another profile first.
        processes: worker processes.
        part: (I, N): every N-th shard.
        ray: address of a Ray cluster that runs the shards.
    """

    options: tuple[str, ...] | None = None
    anonymous: bool | None = None
    replace: bool = False
    processes: int = 1
    part: tuple[int, int] = (1, 1)
    ray: str | None = None


def deidentify_archive(
    project: ProjectFolder, passphrase: str | None, settings: DeidentificationSettings | None = None
) -> dict[str, Any]:
    """De-identify the archive of a project into `20-deidentified`; what is done is not done again.

    Args:
        project: whose archive is indexed.
        passphrase: that opens the key; not needed for anonymous outputs, whose key is made here and forgotten.
        settings: options, processes, part.

    Returns:
        Counts without identities; `shards_left` where other parts are not done yet.

    Raises:
        DataError: the archive is not indexed, or has changed since.
        SettingError: the passphrase is wrong, or there are outputs of another profile.
        StorageError: another run is at work, or the disk is full.
    """
    settings = settings or DeidentificationSettings()
    chosen = choose_profile(project.paths["profile"], settings.options, anonymous=settings.anonymous)
    project.check_vault()
    project.check_current("index")
    if chosen.anonymous and settings.part != (1, 1):
        raise SettingError(
            "Anonymous outputs cannot be made in parts: the key exists in one run only", do="leave --shard out"
        )
    if "clean_pixel_data" in chosen.profile:
        load_text_detector()  # where it is not installed, that is said before anything is done
    secret = None if chosen.anonymous else project.open_key(passphrase)
    with _one_profile(project, shared=settings.part != (1, 1)):
        with _one_at_a_time(project):
            _prepare(project, chosen, replace=settings.replace)
        work = _make_work(project, chosen, secret)
        return _run(project, chosen, work, secret, settings)


def plan_deidentification(project: ProjectFolder, settings: DeidentificationSettings) -> dict[str, Any]:
    """What the step would do: files, options, outputs that are there.

    Raises:
        DataError: the archive is not indexed, or has changed since.
        SettingError: an option that does not exist, or options that exclude each other.
    """
    chosen = choose_profile(project.paths["profile"], settings.options, anonymous=settings.anonymous)
    project.check_vault()
    outputs = find_outputs(project.paths["deidentified"])
    return {
        "files": len(_list_names(index_folder(project))),
        **_parameters(chosen),
        "outputs": sum(1 for _ in outputs),
    }


def _run(
    project: ProjectFolder,
    chosen: ProjectProfile,
    work: DeidentificationWork,
    secret: bytes | None,
    settings: DeidentificationSettings,
) -> dict[str, Any]:
    started, names = now(), _list_names(work.index)
    basis = work.engine + work.index.name + work.decisions.digest
    plan = ShardPlan(names, settings.part, settings.processes, basis=basis)
    with _one_at_a_time(project):
        if settings.part != (1, 1) and (finished := _finished_before(project, plan.digest)):
            return finished
        project.states.reopen("deidentify")
    parts = project.vault_outcomes / "parts" / plan.digest
    known = None if chosen.anonymous else partial(_known_rows, work, project.vault_outcomes)
    shards = ShardWork(partial(deidentify_rows, work), partial(failure_rows, work), parts, _SCHEMAS, known)
    if left := run_pass(shards, plan, ray=settings.ray):
        return {"files": len(names), "shards_left": left}
    with _one_at_a_time(project):
        if finished := _finished_before(project, plan.digest):  # by another part, at the same moment
            return finished
        return _finish_step(project, chosen, work, secret, plan, started)


def _finish_step(
    project: ProjectFolder,
    chosen: ProjectProfile,
    work: DeidentificationWork,
    secret: bytes | None,
    plan: ShardPlan,
    started: str,
) -> dict[str, Any]:
    parts = project.vault_outcomes / "parts" / plan.digest
    with project.step("deidentify", parameters=_parameters(chosen), started=started) as counts:
        _finish(project, chosen, work, secret, parts)
        counts.update(count_outcomes(parts))
        write_json(project.vault_outcomes / _FINISHED, {"plan": plan.digest, "counts": counts})
        shutil.rmtree(project.vault_outcomes / "parts", ignore_errors=True)
    return counts


def _finished_before(project: ProjectFolder, digest: str) -> dict[str, Any] | None:
    """Counts of this very run where another part has finished it."""
    path = project.vault_outcomes / _FINISHED
    state = next(one.state for one in project.status() if one.name == "deidentify")
    if state != "done" or not path.is_file():
        return None
    content = read_json(path, max_bytes=1_000_000)
    return dict(content["counts"]) if content["plan"] == digest else None


def _finish(
    project: ProjectFolder, chosen: ProjectProfile, work: DeidentificationWork, secret: bytes | None, parts: Path
) -> None:
    """Make the outputs those of the parts, no more and no fewer, and write the tables."""
    lost = missing_outputs(parts, work.folder)
    if lost:
        shutil.rmtree(parts, ignore_errors=True)
        raise DataError(
            f"{lost:,} outputs were taken away while the archive was de-identified",
            where=work.folder,
            do="run the same command again",
        )
    remove_orphans(parts, work.folder)
    write_results(project, chosen, work, parts, secret=secret)


def count_outcomes(parts: Path) -> dict[str, Any]:
    """Counts without identities: files written and held back, by rule."""
    table = ds.dataset(parts / "outcomes", schema=OUTCOMES).to_table(columns=["status", "rule"])
    statuses = dict(zip(*table.group_by("status").aggregate([("status", "count")]).to_pydict().values(), strict=True))
    rules = table.group_by("rule").aggregate([("rule", "count")]).to_pylist()
    held = {str(row["rule"]): row["rule_count"] for row in rules if row["rule"]}
    return {
        "files": len(table),
        "written": statuses.get("written", 0),
        "held": statuses.get("held", 0),
        "rules": dict(sorted(held.items())),
    }


@contextmanager
def _one_profile(project: ProjectFolder, *, shared: bool) -> Iterator[None]:
    """Parts of one run work side by side; two runs, which may have other profiles or decisions, do not."""
    with file_lock(project.folder / ".deidentify.lock", wait=False, shared=shared):
        yield


@contextmanager
def _one_at_a_time(project: ProjectFolder) -> Iterator[None]:
    """What parts of one run do one after the other: the beginning and the end."""
    with file_lock(project.folder / ".run.lock"):
        yield


def _prepare(project: ProjectFolder, chosen: ProjectProfile, *, replace: bool) -> None:
    """Write the profile; refuse, or remove, outputs of another one. Anonymous outputs always start anew."""
    path, folder = project.paths["profile"], project.paths["deidentified"]
    before = ProjectProfile.read(path) if path.is_file() else None
    with translate_os_errors(folder):
        if folder.is_symlink():
            raise StorageError("The folder of the outputs is a link", where=folder, do="remove the link")
        folder.mkdir(exist_ok=True)
    has_outputs = next(find_outputs(folder), None) is not None
    if before != chosen and has_outputs and not replace:
        raise SettingError(
            "There are outputs of another profile, which must not be mixed with new ones",
            where=folder,
            expected="the options of profile.toml" if before else "an empty folder",
            do="leave the options out to go on as before, or delete the outputs and start anew with --replace",
        )
    if chosen.anonymous or before != chosen:
        shutil.rmtree(project.vault_outcomes, ignore_errors=True)
        for entry in folder.iterdir():
            if entry.name in _RESULTS or entry.name.startswith("P"):
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    if before != chosen:
        chosen.write(path)


def _make_work(project: ProjectFolder, chosen: ProjectProfile, secret: bytes | None) -> DeidentificationWork:
    keys = PseudonymKeys.from_secret(secret) if secret is not None else PseudonymKeys.forgotten()
    decisions = Decisions.read(project.vault.folder)
    profile = reviewed(chosen.profile, decisions.released_classes)
    engine = "|".join([*sorted(chosen.profile.options), keys.digest("record"), str(package_version())])
    return DeidentificationWork(
        archive=project.settings.archive,
        index=index_folder(project),
        folder=project.paths["deidentified"],
        profile=profile,
        keys=keys,
        decisions=decisions,
        engine=sha256(engine.encode()).hexdigest(),
    )


def _list_names(index: Path) -> list[str]:
    """Files of the index, those of patients who withdrew left out."""
    return list(ds.dataset(index / "instances", schema=INSTANCES).to_table(columns=["file"])["file"].to_pylist())


def _known_rows(
    work: DeidentificationWork, folder: Path, names: Sequence[str]
) -> Mapping[str, dict[str, list[dict[str, Any]]]]:
    """Rows of the last run that this run would find again, with their actions."""
    try:
        store = OutcomeStore(folder)
    except DataError:
        return {}
    with store:
        found = {name: row for name in names if (row := store.of_file(name))}
    identities = open_store(work.index)
    current = {name: row for name, row in found.items() if is_current(work, identities, row)}
    actions = _actions_of(work.folder, {row["output"] for row in current.values() if row["output"]})
    rows = {}
    for name, row in current.items():
        if row["status"] == "held" or row["output"] in actions:
            rows[name] = {"outcomes": [row], "actions": actions.get(row["output"], [])}
    return rows


def _actions_of(folder: Path, outputs: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    path, wanted = folder / "actions.parquet", list(outputs)
    if not path.is_file() or not wanted:
        return {}
    table = ds.dataset(path, schema=ACTIONS).to_table(filter=ds.field("file").isin(wanted))
    found: dict[str, list[dict[str, Any]]] = {}
    for row in table.to_pylist():
        found.setdefault(row["file"], []).append(row)
    return found


def _parameters(chosen: ProjectProfile) -> dict[str, Any]:
    return {"options": sorted(chosen.profile.options), "anonymous": chosen.anonymous}
