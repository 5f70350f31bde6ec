"""Curation of small CT series: series a second beside dcm2niix and heudiconv, memory at 1,000 and 10,000 series.

All three answer which files are one series or stack, of what size, orientation and kind: dcm2niix writes its sidecars
without volumes, a patient's folder at a time; heudiconv groups its files a study at a time. firstread also reads
pixels, looks for faults and writes tables. Each runs in an environment of its own, one after the other.
"""

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from peer_environments import peer_python
from project_memory import descendants, peak_kb

HERE = Path(__file__).resolve().parent
PEERS = {"dcm2niix": "dcm2niix>=1.0.20260724", "heudiconv": "heudiconv>=1.5,<2"}
SLICES, SIZE, SERIES_A_PATIENT = 5, 64, 10
PLANES = {
    "axial": (1, 0, 0, 0, 1, 0),
    "coronal": (1, 0, 0, 0, 0, -1),
    "sagittal": (0, 1, 0, 0, 0, -1),
}
TABLES = ("series.parquet", "studies.parquet", "faults.parquet", "excluded.csv")
_ROOT_UID = "1.2.826.0.1.3680043.8.499"


def measure_curation(*, quick: bool, peers: bool = True) -> dict[str, Any]:
    """Series a second of each program on one archive; firstread's memory on two; the same tables by parts and Ray."""
    small, large = (20, 40) if quick else (1_000, 10_000)
    results: dict[str, Any] = {"series": small, "files": small * SLICES}
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        write_series(base / "small", small)
        for program in PEERS if peers else ():
            python, script = peer_python(program, PEERS[program]), HERE / "peers" / "group_series.py"
            if python is None:
                results[program] = {"skipped": "cannot be installed here"}
                continue
            run = run_peer([str(python), str(script), program], base / "small", base / program)
            results[program] = rates(small, run)
        first = curate(base, "small", "one")
        results["firstread"] = rates(small, first)
        results["same_tables"] = {"by_parts": digests(base, "parts") == digests(base, "one") if parts(base) else None}
        if importlib.util.find_spec("ray"):
            curate(base, "small", "ray", "--ray", "local", "--processes", "2")
            results["same_tables"]["by_ray"] = digests(base, "ray") == digests(base, "one")
        write_series(base / "large", large)
        memory = [curate(base, name, f"memory-{name}", "--processes", "2") for name in ("small", "large")]
        results["memory"] = {
            str(size): {key: row[key] for key in ("parent_mb", "worker_mb", "seconds")}
            for size, row in zip((small, large), memory, strict=True)
        }
        results["growth"] = {key: round(memory[1][key] / memory[0][key] - 1, 3) for key in ("parent_mb", "worker_mb")}
        results["firstread_large"] = rates(large, memory[1])
    return results


def write_series(folder: Path, count: int) -> None:
    """Write series of five slices in three orientations, every tenth derived, ten a patient, two studies each."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]
    inside = np.hypot(rows, columns) < 0.7
    for number in range(count):
        dataset = make_header(number)
        normal = np.cross(dataset.ImageOrientationPatient[:3], dataset.ImageOrientationPatient[3:])
        target = folder / f"P{number // SERIES_A_PATIENT:05d}" / f"S{number:06d}"
        target.mkdir(parents=True)
        for index in range(SLICES):
            dataset.InstanceNumber = index + 1
            dataset.SOPInstanceUID = f"{dataset.SeriesInstanceUID}.{index + 1}"
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
            dataset.ImagePositionPatient = [float(f"{value:.4f}") for value in normal * 5 * index]
            values = np.where(inside, 40 + rng.normal(0, 8, inside.shape), -1000).astype(np.int16)
            dataset.PixelData = values.tobytes()
            dataset.save_as(target / f"{index}.dcm", enforce_file_format=True)


def make_header(number: int) -> pydicom.Dataset:
    """Header of all slices of a series."""
    patient, plane = number // SERIES_A_PATIENT, list(PLANES)[number % len(PLANES)]
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = CTImageStorage
    dataset.PatientID = dataset.PatientName = f"P{patient:05d}"
    dataset.PatientSex, dataset.PatientAge = "FM"[patient % 2], f"{40 + patient % 50:03d}Y"
    dataset.StudyInstanceUID = f"{_ROOT_UID}.{patient}.{number % 2}"
    dataset.SeriesInstanceUID = f"{dataset.StudyInstanceUID}.{number}"
    dataset.FrameOfReferenceUID = f"{dataset.StudyInstanceUID}.9"
    dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = ("20190203", "20190410")[number % 2]
    dataset.StudyTime = dataset.SeriesTime = dataset.AcquisitionTime = f"10{number % SERIES_A_PATIENT:02d}00"
    dataset.StudyID, dataset.SeriesNumber, dataset.AcquisitionNumber = "1", number % SERIES_A_PATIENT + 1, 1
    dataset.Modality, dataset.Manufacturer = "CT", "SIEMENS"
    dataset.SeriesDescription = dataset.ProtocolName = f"{plane} abdomen"
    dataset.ImageType = ["DERIVED", "SECONDARY", "MPR"] if number % 10 == 9 else ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.ImageOrientationPatient, dataset.PixelSpacing = list(PLANES[plane]), [6, 6]
    dataset.SliceThickness, dataset.KVP, dataset.ConvolutionKernel = 5, 120, "B30f"
    dataset.Rows = dataset.Columns = SIZE
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 1
    dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = 1, 0, "HU"
    return dataset


def curate(base: Path, archive: str, name: str, *more: str) -> dict[str, float]:
    """Run `firstread project curate` on a de-identified archive; seconds, processor seconds, memory and counts."""
    from firstread.project.project import Project

    if not (base / name).exists():
        Project.create(base / name, archive=base / archive, vault=base / f"{name}-vault", deidentified=True)
    words = [sys.executable, "-m", "firstread", "project", "curate", "-C", str(base / name), "--json"]
    words += [] if "--processes" in more else ["--processes", "1"]
    started = time.monotonic()
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen([*words, *more], stdout=output, stderr=errors)
        parent, worker, cpu_seconds = watch_all(process)
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            raise RuntimeError(f"curate ended with {process.returncode}: {errors.read().decode()[-2000:]}")
        counts = json.loads(output.read())
    return {
        "seconds": round(time.monotonic() - started, 1),
        "cpu_seconds": cpu_seconds,
        "parent_mb": parent,
        "worker_mb": worker,
        "groups": counts.get("stacks", 0),
    }


def watch_all(process: "subprocess.Popen[bytes]") -> tuple[float, float, float]:
    """Peak memory (MB) of a process and of its largest descendant, and processor seconds of all, until it ends."""
    peaks: dict[int, int] = {}
    ticks: dict[int, int] = {}
    while process.poll() is None:
        for pid in [process.pid, *descendants(process.pid)]:
            peaks[pid] = max(peaks.get(pid, 0), peak_kb(pid))
            ticks[pid] = max(ticks.get(pid, 0), cpu_ticks(pid))
        time.sleep(0.1)
    workers = [peak for pid, peak in peaks.items() if pid != process.pid]
    seconds = sum(ticks.values()) / os.sysconf("SC_CLK_TCK")
    return round(peaks.get(process.pid, 0) / 1024, 1), round(max(workers, default=0) / 1024, 1), round(seconds, 2)


def cpu_ticks(pid: int) -> int:
    """Processor time of one process so far, in clock ticks; 0 where it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def parts(base: Path) -> bool:
    """Curate in two parts of a job array: once for the files, once for the series; True when both are through."""
    for _ in ("files", "series"):
        for part in (1, 2):
            found = curate(base, "small", "parts", "--shard", f"{part}/2")
    return bool(found["groups"])


def digests(base: Path, name: str) -> dict[str, str]:
    """SHA-256 of each table of a project."""
    folder = base / name / "30-curated"
    return {table: hashlib.sha256((folder / table).read_bytes()).hexdigest() for table in TABLES}


def rates(series: int, run: dict[str, float]) -> dict[str, Any]:
    """Series a second and a second of processor time, and how many groups a program found."""
    return {
        "series_per_second": round(series / run["seconds"], 1),
        "series_per_cpu_second": round(series / run["cpu_seconds"], 1),
        "groups_found": int(run["groups"]),
        "peak_mb": run.get("peak_mb") or run.get("worker_mb"),
    }


def run_peer(command: list[str], archive: Path, out: Path) -> dict[str, float]:
    """Run a peer on all folders of patients; it prints one line of JSON."""
    out.mkdir()
    run = subprocess.run([*command, str(archive), str(out)], capture_output=True, text=True, check=True, env=os.environ)
    return dict(json.loads(run.stdout.strip().splitlines()[-1]))


if __name__ == "__main__":
    print(json.dumps(measure_curation(quick="--quick" in sys.argv), indent=1))
