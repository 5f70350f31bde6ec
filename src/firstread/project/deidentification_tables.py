"""Tables and pages of the step `deidentify`: held-back.parquet, actions.parquet, report.html, without names."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from firstread.core.files import read_json, write_atomically, write_json
from firstread.core.report import Report
from firstread.core.version import package_version
from firstread.deidentification.deidentification_result import add_held_files, add_method, add_rules, count_files
from firstread.deidentification.folder_deidentifier import RECORD
from firstread.deidentification.recognizable_features import FACE_KEPT
from firstread.project.file_outcomes import ACTIONS, OUTCOMES, DeidentificationWork, open_store
from firstread.project.hold_decisions import Decision, Decisions
from firstread.project.outcome_store import OutcomeStore, write_outcome_store
from firstread.project.profile_file import ProjectProfile
from firstread.project.project_folder import ProjectFolder
from firstread.project.review import reviewed

#: one row a file that was held back; `held` leads to the original in the vault only
HELD_BACK = pa.schema(
    {
        "held": pa.string(),
        "review_class": pa.string(),
        "rule": pa.string(),
        "reason": pa.string(),
        "score": pa.float64(),
        "decision": pa.string(),
        "decided_by": pa.string(),
        "decided_at": pa.string(),
        "patient": pa.string(),
    }
)
_ROWS_A_PASS = 2_000_000
_ROWS_AT_ONCE = 500
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def write_results(
    project: ProjectFolder, chosen: ProjectProfile, work: DeidentificationWork, parts: Path, *, secret: bytes | None
) -> None:
    """Write all tables of a run that is finished, the vault's records, and the page."""
    actions = _write_actions(parts, work.folder / "actions.parquet")
    write_outcome_store(project.vault_outcomes, _kept_rows(parts, anonymous=chosen.anonymous))
    if secret is not None:
        _write_records(project, work, parts, secret)
    write_json(
        work.folder / RECORD,
        {
            "options": sorted(chosen.profile.options),
            "anonymous": chosen.anonymous,
            "keys": work.keys.digest("record"),
            "firstread": package_version(),
            "actions": actions,
        },
    )
    write_held_back(project)
    write_page(project)


def write_held_back(project: ProjectFolder) -> pa.Table:
    """Write `held-back.parquet` from the outcomes and the decisions as they are now; returns it."""
    decisions = Decisions.read(project.vault.folder)
    with OutcomeStore(project.vault_outcomes) as store:
        rows = [_held_row(row, decisions.of(row["file"], row["key"], row["review_class"])) for row in store.held()]
    table = pa.Table.from_pylist(sorted(rows, key=lambda row: row["held"]), schema=HELD_BACK)
    path = project.paths["deidentified"] / "held-back.parquet"
    write_atomically(path, lambda temporary: pq.write_table(table, temporary))
    return table


def write_page(project: ProjectFolder) -> Path:
    """Write `report.html`, for a data protection officer: what was done, held back, decided, checked."""
    folder = project.paths["deidentified"]
    record = read_json(folder / RECORD, max_bytes=10_000_000)
    chosen = ProjectProfile.read(project.paths["profile"])
    held = pq.read_table(folder / "held-back.parquet")
    counts = Counter(held["reason"].to_pylist())
    report = Report(f"De-identification of {project.settings.title}", count_files(_count_written(project), len(held)))
    report.add_text(
        f"Made by firstread {package_version()} from an archive that was opened read-only and stays where it is. "
        "The key, the index of the originals and the way back from a pseudonym to a person lie in a vault outside of "
        "this folder, encrypted or for its owner alone. Every step is a line in audit.jsonl, a chain of hashes."
    )
    profile = reviewed(chosen.profile, Decisions.read(project.vault.folder).released_classes)
    add_method(report, profile, anonymous=chosen.anonymous, faces=record["actions"].get(FACE_KEPT, 0))
    add_held_files(report, dict(counts.most_common()))
    _add_decisions(report, held)
    add_rules(report, record["actions"])
    report.add_heading("What this page does not say")
    report.add_text(
        "Whether a person can be recognized by the picture itself, by a rare disease, or together with other data, no "
        "rule decides. The search for identity values is a step of its own: verification.html."
    )
    return report.write(folder / "report.html")


def _add_decisions(report: Report, held: pa.Table) -> None:
    import pandas as pd

    frame = held.to_pandas()
    classes = frame[frame["rule"] == "pixels"].groupby("review_class", dropna=False)
    rows = [(name, len(part), "; ".join(sorted(set(part["decision"].dropna()))) or "open") for name, part in classes]
    if rows:
        table = pd.DataFrame(rows, columns=["review class", "files", "decision"])
        report.add_table(table, caption="Images whose pixels wait until a person has looked at them")
    decided = frame.dropna(subset=["decision"]).groupby(["decision", "decided_by", "decided_at"])
    rows = [(*name, len(part)) for name, part in decided]
    if rows:
        table = pd.DataFrame(rows, columns=["decision", "by", "at (UTC)", "files"])
        report.add_table(table, caption="Decisions of people about files that are held back")


def _count_written(project: ProjectFolder) -> int:
    with OutcomeStore(project.vault_outcomes) as store:
        return store.count("written")


def _held_row(row: dict[str, Any], decision: Decision | None) -> dict[str, Any]:
    decided = (decision.verb, decision.by, decision.at) if decision else (None, None, None)
    values = dict(zip(("decision", "decided_by", "decided_at"), decided, strict=True))
    return {**{name: row.get(name) for name in HELD_BACK.names}, **values}


def _kept_rows(parts: Path, *, anonymous: bool) -> Iterator[dict[str, Any]]:
    """Rows for the vault: of anonymous outputs none says which original they are of."""
    number = 0
    for batch in ds.dataset(parts / "outcomes", schema=OUTCOMES).to_batches(batch_size=_ROWS_AT_ONCE):
        for row in batch.to_pylist():
            if anonymous and row["status"] == "written":
                number += 1
                yield dict.fromkeys(row) | {"file": f"/{number}", "status": "written", "key": ""}
            elif anonymous and row["rule"] != "patient":  # other files of the patient may be among the outputs
                yield row | {"patient": None, "person": None}
            else:
                yield row


def _write_actions(parts: Path, path: Path) -> dict[str, int]:
    """Write `actions.parquet` in the order of outputs, which says nothing of originals; returns counts by rule."""
    found = ds.dataset(parts / "actions", schema=ACTIONS)
    totals: Counter[str] = Counter()
    count = found.count_rows()
    starts = [""] if count <= _ROWS_A_PASS else [f"P{character}" for character in _CROCKFORD]

    def write(temporary: Path) -> None:
        with pq.ParquetWriter(temporary, ACTIONS) as writer:
            for start in starts:
                table = found.to_table(filter=pc.starts_with(ds.field("file"), start) if start else None)
                table = table.sort_by([("file", "ascending"), ("rule", "ascending")])
                writer.write_table(table)
                sums = table.group_by("rule").aggregate([("count", "sum")])
                totals.update(dict(zip(sums["rule"].to_pylist(), sums["count_sum"].to_pylist(), strict=True)))

    write_atomically(path, write)
    return dict(sorted(totals.items(), key=lambda pair: (-pair[1], pair[0])))


def _write_records(project: ProjectFolder, work: DeidentificationWork, parts: Path, secret: bytes) -> None:
    """Add who is behind each pseudonym to the encrypted records of the vault."""
    table = ds.dataset(parts / "outcomes", schema=OUTCOMES).to_table(columns=["patient", "key", "person"])
    pairs = table.group_by(["patient", "key", "person"]).aggregate([]).to_pylist()
    store = open_store(work.index)
    found: dict[str, dict[str, str]] = {}
    for row in pairs:
        if row["patient"] and row["key"]:
            values = store.person(row["key"], row["person"] if row["person"].startswith(row["key"]) else row["key"])
            known = found.get(row["patient"], {})
            found[row["patient"]] = {name: _joined(known.get(name, ""), text) for name, text in values.items()}
    project.records(secret).add(dict(sorted(found.items())))


def _joined(first: str, second: str) -> str:
    return "; ".join(sorted({*first.split("; "), *second.split("; ")} - {""}))
