"""Memory and speed of a project's steps as the archive grows: 1,000 and 10,000 small files of a few invented patients.

Each step runs in a process of its own; the largest resident memory of the parent and of each worker is read from the
kernel while it runs. Files are copies of phantom CT slices, 40 a series, with UIDs of their own.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pydicom

PASSPHRASE = "four words of my own"
STEPS = ("index", "deidentify", "verify")


def measure_project(*, quick: bool) -> dict[str, Any]:
    """Peak memory of parent and workers (MB) and files a second, by step, number of files and processes."""
    sizes, counts = ((200, 400), (1,)) if quick else ((1_000, 10_000), (1, 2))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        for size in sizes:
            write_copies(base / f"archive-{size}", size, base / "phantoms")
            for processes in counts if size == sizes[0] or quick else counts[-1:]:
                rows += run_steps(base, size, processes)
    growth = {}
    for step in STEPS:
        for who in ("parent_mb", "worker_mb"):
            found = {row["files"]: row[who] for row in rows if row["step"] == step and row["processes"] == counts[-1]}
            growth[f"{step} {who}"] = round(found[sizes[1]] / found[sizes[0]] - 1, 3)
    return {"rows": rows, "growth": growth}


def write_copies(folder: Path, size: int, phantoms: Path) -> None:
    """Write `size` CT files: slices of two phantom patients, each copy an instance of its own."""
    from firstread.phantoms.archive import write_archive

    write_archive(phantoms, patients=2, processes=1, matrix=32, slices=8)
    slices = [path for path in sorted((phantoms / "dicom").rglob("*")) if path.is_file() and is_ct(path)][:40]
    templates = [pydicom.dcmread(path) for path in slices]
    for dataset in templates:  # one person, whatever faults were planted
        dataset.PatientID, dataset.PatientBirthDate, dataset.PatientSex = "BENCH-4711", "19700321", "F"
        dataset.StudyInstanceUID, dataset.IssuerOfPatientID = "1.2.826.0.1.3680043.8.497.1", "BENCH"
    for number in range(size):
        dataset = templates[number % len(templates)]
        dataset.SeriesInstanceUID = f"1.2.826.0.1.3680043.8.497.2.{number // len(templates)}"
        dataset.SOPInstanceUID = f"{dataset.SeriesInstanceUID}.{number % len(templates) + 1}"
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        path = folder / f"{number // 1_000:03d}" / f"{number:06d}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        dataset.save_as(path)


def is_ct(path: Path) -> bool:
    """Whether a file is a CT image."""
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True)
    except (pydicom.errors.InvalidDicomError, OSError, EOFError):
        return False
    return str(header.get("SOPClassUID")) == "1.2.840.10008.5.1.4.1.1.2" and "PatientID" in header


def run_steps(base: Path, size: int, processes: int) -> list[dict[str, Any]]:
    """Run the steps of a new project on the archive of a size; one row a step."""
    from firstread.project.project import Project

    name = f"project-{size}-{processes}"
    project, _ = Project.create(
        base / name, archive=base / f"archive-{size}", passphrase=PASSPHRASE, vault=base / f"vault-{size}-{processes}"
    )
    passphrase = base / "passphrase"
    passphrase.write_text(PASSPHRASE)
    rows = []
    for step in STEPS:
        words = [sys.executable, "-m", "firstread", "project", step, "-C", str(project.folder)]
        words += ["--processes", str(processes), "--json"]
        words += ["--passphrase-file", str(passphrase)] if step == "deidentify" else []
        started = time.monotonic()
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(words, stdout=output, stderr=errors)
            parent, worker = watch(process)
            seconds = time.monotonic() - started
            output.seek(0)
            errors.seek(0)
            if process.returncode:
                raise RuntimeError(f"{step} ended with {process.returncode}: {errors.read().decode()}")
            counts = json.loads(output.read())
        rows.append(
            {
                "step": step,
                "files": size,
                "processes": processes,
                "files_per_second": round(counts["files"] / seconds, 1),
                "parent_mb": parent,
                "worker_mb": worker,
            }
        )
    return rows


def watch(process: "subprocess.Popen[bytes]") -> tuple[float, float]:
    """Peak resident memory (MB) of a process and of its largest descendant, until it ends."""
    peaks: dict[int, int] = {}
    while process.poll() is None:
        for pid in [process.pid, *descendants(process.pid)]:
            peaks[pid] = max(peaks.get(pid, 0), peak_kb(pid))
        time.sleep(0.2)
    workers = [peak for pid, peak in peaks.items() if pid != process.pid]
    return round(peaks.get(process.pid, 0) / 1024, 1), round(max(workers, default=0) / 1024, 1)


def descendants(pid: int) -> list[int]:
    """Processes below a process."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(word) for word in task.read_text().split()]
        except OSError:
            continue
        for child in children:
            found += [child, *descendants(child)]
    return found


def peak_kb(pid: int) -> int:
    """The largest resident memory that a process has had, in KB; 0 where it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


if __name__ == "__main__":
    print(json.dumps(measure_project(quick="--quick" in sys.argv), indent=1))
