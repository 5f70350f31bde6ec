"""What becomes of one file of an archive: written under pseudonyms, or held back and why; called in a worker."""

from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from firstread.core.errors import DataError
from firstread.core.files import write_atomically
from firstread.deidentification.dataset_deidentifier import deidentify_dataset
from firstread.deidentification.file_deidentifier import output_path, reason_not_opened
from firstread.deidentification.folder_deidentifier import COPY
from firstread.deidentification.identity import Identity
from firstread.deidentification.profile import Profile
from firstread.deidentification.pseudonym_keys import PseudonymKeys
from firstread.deidentification.review_class import review_class
from firstread.deidentification.storage_classes import reason_to_hold_class
from firstread.dicom.headers import convert_dicom_errors, open_dicom_object
from firstread.dicom.raw_elements import save_dataset
from firstread.project.archive_names import locate
from firstread.project.hold_decisions import Decision, Decisions
from firstread.project.identity_store import IdentityStore, identity_digest
from firstread.project.review import reviewed, waits_for_review

if TYPE_CHECKING:
    from pydicom import Dataset

#: one row a file of the archive; it names the original, so it lies in the vault
OUTCOMES = pa.schema(
    {
        "file": pa.string(),
        "held": pa.string(),
        "status": pa.string(),
        "output": pa.string(),
        "rule": pa.string(),
        "reason": pa.string(),
        "review_class": pa.string(),
        "was_reviewed": pa.bool_(),
        "patient": pa.string(),
        "key": pa.string(),
        "person": pa.string(),
        "instance": pa.string(),
        "basis": pa.string(),
    }
)
#: one row a file and rule, without any value: which rules changed how many elements
ACTIONS = pa.schema({"file": pa.string(), "rule": pa.string(), "count": pa.int64()})
_DROPPED = "A person decided that it stays out"


@dataclass(frozen=True)
class DeidentificationWork:
    """All that a worker needs to know.

    Attributes:
        archive: folder of the originals.
        index: folder of the identified index.
        folder: of the outputs.
        profile: options; review classes that were released are added to it.
        keys: of the pseudonyms.
        decisions: of people about what was held back.
        engine: digest of what the bytes of every output depend on.
    """

    archive: Path
    index: Path
    folder: Path
    profile: Profile
    keys: PseudonymKeys
    decisions: Decisions
    engine: str = field(default="")


def deidentify_rows(work: DeidentificationWork, name: str) -> dict[str, list[dict[str, Any]]]:
    """De-identify one file; its rows for the tables `outcomes` and `actions`."""
    store = open_store(work.index)
    _, stated, instance = store.file(name)
    key = work.decisions.key_of(name, stated)
    row = dict.fromkeys(OUTCOMES.names) | {
        "file": name,
        "held": work.keys.file_name("H", name),
        "status": "held",
        "key": key,
        "instance": instance,
        "basis": file_basis(work, store, name),
    }
    decision = work.decisions.of(name, key, None)
    repeated = store.repeated(name)
    if decision is not None and decision.verb == "drop":
        return _rows(row | {"rule": "dropped", "reason": _DROPPED})
    if repeated and not (decision is not None and decision.verb == "keep"):
        return _rows(row | {"rule": "copy" if repeated[1] == COPY else "same_uid", "reason": repeated[1]})
    path = locate(work.archive, name)
    try:
        dataset = open_dicom_object(path)
        with convert_dicom_errors(path):
            return _deidentify(work, store, dataset, row, decision)
    except DataError as error:
        return _rows(row | {"rule": "file", "reason": reason_not_opened(path, error, work.profile)})


def failure_rows(work: DeidentificationWork, name: str, reason: str) -> dict[str, list[dict[str, Any]]]:
    """Rows of a file that could not be finished."""
    row = dict.fromkeys(OUTCOMES.names) | {"file": name, "held": work.keys.file_name("H", name), "status": "held"}
    return _rows(row | {"key": "", "rule": "file", "reason": f"Not finished: {reason}", "basis": ""})


def file_basis(work: DeidentificationWork, store: IdentityStore, name: str) -> str:
    """Digest of all that a file's outcome depends on, but for the answer about its review class."""
    digest, stated, _ = store.file(name)
    key = work.decisions.key_of(name, stated)
    members = "".join(identity_digest(store.patient(member)) for member in work.decisions.members(key))
    parts = (work.engine, str(digest), members, work.decisions.basis(name, key, None), str(store.repeated(name)))
    return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def is_current(work: DeidentificationWork, store: IdentityStore, row: dict[str, Any]) -> bool:
    """Whether a row of an earlier run is what this run would find again."""
    if row["basis"] != file_basis(work, store, row["file"]):
        return False
    if row["review_class"] and bool(row["was_reviewed"]) != (row["review_class"] in work.profile.reviewed):
        return False
    return row["status"] == "held" or (work.folder / row["output"]).is_file()


@lru_cache(maxsize=4)
def open_store(folder: Path) -> IdentityStore:
    """The store of identities of an index, opened once a process."""
    return IdentityStore(folder)


def _deidentify(
    work: DeidentificationWork,
    store: IdentityStore,
    dataset: "Dataset",
    row: dict[str, Any],
    decision: Decision | None,
) -> dict[str, list[dict[str, Any]]]:
    identity = resolve_identity(work.decisions, store, dataset, row["key"])
    pseudonym = work.keys.patient(identity.key)
    waits = waits_for_review(dataset, work.profile)
    name = review_class(dataset) if waits else None
    profile = work.profile
    if name and decision is not None and (decision.verb, decision.kind) == ("release", "file"):
        profile = reviewed(profile, [name])
    row |= {
        "patient": pseudonym if identity.key else None,
        "person": identity.key,
        "review_class": name,
        "was_reviewed": name in work.profile.reviewed if name else None,
    }
    found = deidentify_dataset(dataset, profile=profile, keys=work.keys, identity=identity)
    if found.dataset is None:
        reason = str(found.held)
        return _rows(row | {"rule": _rule(reason, dataset, identity, profile, name), "reason": reason})
    output = found.dataset
    path = output_path(dataset, pseudonym, work.keys)
    write_atomically(work.folder / path, lambda temporary: save_dataset(output, temporary))
    written = row | {"status": "written", "output": path.as_posix()}
    return _rows(written, [{"file": path.as_posix(), "rule": rule, "count": n} for rule, n in found.actions.items()])


def resolve_identity(decisions: Decisions, store: IdentityStore, dataset: "Dataset", key: str) -> Identity:
    """Whose a file is: what all files say of its patient, and what people decided."""
    stated = Identity.of(dataset)
    identity = replace(stated, key=key)
    for member in decisions.members(key):
        known = store.patient(member)
        identity = identity.merged(known) if known else identity
    birth_date, sex = (next(iter(values), None) for values in (stated.birth_dates, stated.sexes))
    return decisions.resolve(identity, birth_date, sex)


def _rule(reason: str, dataset: "Dataset", identity: Identity, profile: Profile, waiting: str | None) -> str:
    """Short name of the rule that held a file back."""
    if reason == reason_to_hold_class(str(dataset.get("SOPClassUID") or ""), profile):
        return "class"
    if reason == identity.reason_to_hold():
        return "patient"
    return "pixels" if waiting and waiting not in profile.reviewed else "content"


def _rows(row: dict[str, Any], actions: list[dict[str, Any]] | None = None) -> dict[str, list[dict[str, Any]]]:
    return {"outcomes": [row], "actions": actions or []}
