"""De-identification of a phantom archive, scored against its truth: firstread and three programs on the same files.

Every row of the archive's `actions.parquet` is one thing that must have happened to one element, file or box of
pixels, in the words of MIDI-B. The score is the share of rows that did. A file that a program did not write shows
nobody anything, so its text and pixels count as removed; its other rows are not scored, and how many files were not
written is stated apart. A row that holds under an option of PS3.15 is scored where the program has that option; where
it has not, a date must be gone, and what the option would keep may stay or go.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from deidentification_rows import ArchiveMappings, Output, check_row
from deidentify import PEERS, find_program

HERE = Path(__file__).resolve().parent
#: program -> options of PS3.15 that it has as it is run here, in the words of the truth
OPTIONS = {
    "firstread": {
        "clean descriptors",
        "retain longitudinal temporal information with modified dates",
        "retain patient characteristics",
        "clean structured content",
    },
    "dicognito": {"retain longitudinal temporal information with modified dates"},
}
#: what is hidden where a file is not written
HIDDEN = frozenset({"text_removed", "pixels_hidden"})
#: faults of whole files, for which the right answer is to hold them back
FAULTS_TO_HOLD = frozenset(
    {"truncated_file", "blank_patient_id", "two_patients_one_id", "duplicate_same_content", "duplicate_other_content"}
)
MAX_MISSES = 30


def score_deidentification(*, quick: bool, peers: bool = True, archive: Path | None = None) -> dict[str, Any]:
    """Score each program by action; `archive` is written anew where none is given."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("FIRSTREAD_BENCHMARK_FOLDER")) as folder:
        archive = archive or _write_archive(Path(folder, "archive"), patients=2 if quick else 16)
        actions = pd.read_parquet(archive / "truth" / "actions.parquet")
        files = pd.read_parquet(archive / "truth" / "files.parquet")
        results: dict[str, Any] = {"patients": files["patient"].nunique(), "files": len(files), "rows": len(actions)}
        for program in ["firstread", *(PEERS if peers else [])]:
            out = Path(folder, program)
            out.mkdir()
            outputs = run_program(program, archive, list(files["file"]), out)
            results[program] = score_outputs(program, archive, actions, outputs) if outputs is not None else SKIPPED
    return results


SKIPPED = {"skipped": "cannot be installed here"}


def run_program(program: str, archive: Path, files: list[str], out: Path) -> dict[str, Output] | None:
    """De-identify all files of an archive; file -> what became of it. None where the program cannot be installed."""
    python, script = find_program(program)
    if python is None:
        return None
    names = out / "files.txt"
    names.write_text("\n".join(str(archive / "dicom" / file) for file in files))
    script = Path(__file__).resolve() if program == "firstread" else script
    command = [str(python), str(script), program, str(names), str(out)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    stated = json.loads(run.stdout.strip().splitlines()[-1])
    named = stated.get("outputs", {})
    held = stated.get("held_files", {})
    return {
        file: Output(out / f"{number}.dcm", named.get(str(number), ""), held.get(str(number), "not written"))
        for number, file in enumerate(files)
    }


def score_outputs(program: str, archive: Path, actions: pd.DataFrame, outputs: dict[str, Output]) -> dict[str, Any]:
    """Share of the truth's rows that are right, by action and overall, and the files that were not written."""
    options = OPTIONS.get(program, set())
    mappings = ArchiveMappings.of(actions, outputs)
    right: Counter[str] = Counter()
    scored: Counter[str] = Counter()
    hidden_by_holding: Counter[str] = Counter()
    misses: Counter[tuple[str, str, str]] = Counter()
    for file, rows in actions.groupby("file", observed=True, sort=False):
        output = outputs.get(str(file))
        if output is None:
            continue
        original = archive / "dicom" / str(file)
        for row in rows.itertuples(index=False):
            if not output.written:
                if row.action in HIDDEN:
                    scored[row.action] += 1
                    right[row.action] += 1
                    hidden_by_holding[row.action] += 1
                continue
            found = check_row(row, output, original, mappings, has_option=not row.option or row.option in options)
            if found is None:
                continue
            scored[row.action] += 1
            right[row.action] += found
            if not found:
                misses[row.action, row.keyword or row.tag_path, row.note] += 1
    actions_scored = {
        action: {"right": right[action], "scored": count, "share": round(right[action] / count, 5)}
        for action, count in sorted(scored.items())
    }
    total = sum(scored.values())
    return {
        "overall": round(sum(right.values()) / total, 5),
        "scored": total,
        "by_action": actions_scored,
        "hidden_by_holding": dict(hidden_by_holding),
        "misses": [[*key, count] for key, count in misses.most_common(MAX_MISSES)],
        **_held(archive, outputs),
    }


def _held(archive: Path, outputs: dict[str, Output]) -> dict[str, Any]:
    """Files that were not written: what a person has to look at, what a fault demands, and what neither explains."""
    truth = archive / "truth"
    files, faults = (pd.read_parquet(truth / f"{name}.parquet") for name in ("files", "faults"))
    faulty = _files_of_faults(files, faults[faults["kind"].isin(FAULTS_TO_HOLD)], archive)
    counts: Counter[str] = Counter()
    reasons: dict[str, Counter[str]] = defaultdict(Counter)
    for row in files.itertuples(index=False):
        output = outputs[row.file]
        if row.needs_person or "a person has to look" in output.held:
            kind = "waits for a person"
        else:
            kind = "fault" if row.file in faulty else "plain"
        counts[kind] += 1
        if not output.written:
            counts[f"{kind}, not written"] += 1
            reasons[kind][output.held] += 1
    plain = counts["plain"]
    return {
        "not_written": sum(count for kind, count in counts.items() if kind.endswith("not written")),
        "not_written_of_plain_files": round(counts["plain, not written"] / plain, 5) if plain else None,
        "files_by_kind": dict(counts),
        "reasons": {kind: dict(found.most_common(8)) for kind, found in reasons.items()},
    }


def _files_of_faults(files: pd.DataFrame, faults: pd.DataFrame, archive: Path) -> set[str]:
    """Files that a fault concerns: its file, or all files of its study, or all of its patient's."""
    import pydicom

    found: set[str] = set(faults["file"]) - {""}
    patients = set(faults.loc[faults["kind"] == "two_patients_one_id", "patient"])
    studies = set(faults.loc[faults["file"] == "", "study"])
    ids: set[str] = set()
    for row in files.itertuples(index=False):
        header = pydicom.dcmread(archive / "dicom" / row.file, stop_before_pixels=True, force=True)
        if row.patient in patients:
            ids.add(str(header.get("PatientID", "")))
        if str(header.get("StudyInstanceUID", "")) in studies:
            found.add(row.file)
    for row in files.itertuples(index=False):
        header = pydicom.dcmread(archive / "dicom" / row.file, specific_tags=["PatientID"], force=True)
        if str(header.get("PatientID", "")) in ids - {""}:
            found.add(row.file)
    return found


def _write_archive(folder: Path, *, patients: int) -> Path:
    from firstread.phantoms.archive import write_archive

    return write_archive(folder, patients=patients, matrix=32, slices=12, processes=1)


def run_firstread(names: Iterable[str], out: Path) -> dict[str, Any]:
    """De-identify the archive of a list of files as a project does, and give each output the number of its file."""
    import pydicom

    from firstread.deidentification import Profile, PseudonymKeys, deidentify

    keys = PseudonymKeys.from_secret(bytes(32))
    profile = Profile().with_options("clean_structured_content", "clean_graphics")
    files = [Path(name) for name in names]
    archive = Path(os.path.commonpath([str(file.parent) for file in files]))
    result = deidentify(archive, out / "work", profile=profile, keys=keys, quiet=True)
    held = {file.source: file.reason for file in result.held}
    written = {path.stem: path for path in (out / "work").rglob("*.dcm")}
    outputs, reasons = {}, {}
    for number, file in enumerate(files):
        if file in held:
            reasons[number] = held[file]
            continue
        header = pydicom.dcmread(file, specific_tags=["SOPInstanceUID"], force=True)
        path = written[keys.file_name("I", str(header.SOPInstanceUID))]
        outputs[number] = path.relative_to(out / "work").as_posix()
        (out / f"{number}.dcm").write_bytes(path.read_bytes())
    return {"outputs": outputs, "held_files": reasons}


if __name__ == "__main__":
    print(json.dumps(run_firstread(Path(sys.argv[2]).read_text().splitlines(), Path(sys.argv[3]))))
