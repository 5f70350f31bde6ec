"""De-identification of published DICOM files: firstread and three programs, each in an environment of its own.

Speed is measured in one process, one file after the other, headers only (no program reads text in pixels here), on
the files that firstread writes without a person's word on their pixels, so that each program does the same work; what
is left is counted with a search that none of them has: bytes of each output for the names, identifiers and UIDs of
its original.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pydicom

from peer_environments import peer_python

HERE = Path(__file__).resolve().parent
PEERS = {
    "dicom-anonymizer": "dicom-anonymizer>=2.1,<3",
    "deid": "deid>=0.4.13,<0.5",
    "dicognito": "dicognito>=0.19,<0.20",
}
FOLDERS = ("dcm4che-testdata", "dcmqi", "dicom-test-files", "highdicom-tests", "pydicom-data", "pydicom-tests")
IDENTITY = {
    "PatientID",
    "AccessionNumber",
    "InstitutionName",
    "InstitutionAddress",
    "StationName",
    "DeviceSerialNumber",
}
UIDS = {"StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "ReferencedSOPInstanceUID", "FrameOfReferenceUID"}
MIN_LENGTH = 6


def measure_deidentification(*, quick: bool, peers: bool = True) -> dict[str, Any]:
    """What each program writes and leaves of all files, and its speed on those that firstread writes, in one run."""
    files = list_files(Path(os.environ["FIRSTREAD_DATA_MIRROR"]))[:: 20 if quick else 1]
    values = [own_values(file) for file in files]
    results: dict[str, Any] = {"files": len(files), "values": sum(map(len, values))}
    timed: list[Path] = []
    with tempfile.TemporaryDirectory() as folder:
        for program in ["firstread", *(PEERS if peers else [])]:
            python, script = find_program(program)
            if python is None:
                results[program] = {"skipped": "cannot be installed here"}
                continue
            out = Path(folder, program)
            row = run_program([str(python), str(script), program], files, out)
            left = [count_left(out / f"{number}.dcm", found) for number, found in enumerate(values)]
            if program == "firstread":
                timed = [file for file, count in zip(files, left, strict=True) if count is not None]
                results["files_timed"] = len(timed)
            speed = run_program([str(python), str(script), program], timed, Path(folder, f"{program}-timed"))
            results[program] = {
                "files_per_second": round(len(timed) / speed["seconds"], 1),
                "files_per_cpu_second": round(len(timed) / speed["cpu_seconds"], 1),
                "written": sum(count is not None for count in left),
                "failed": row["failed"],
                "held": row.get("held", 0),
                "peak_mib": round(row["peak_mib"]),
                "values_left": sum(filter(None, left)),
                "files_with_values_left": sum(bool(count) for count in left),
            }
    return results


def run_program(command: list[str], files: list[Path], out: Path) -> dict[str, Any]:
    """Run a program on files; output NUMBER.dcm in `out` is that of the file at this place."""
    out.mkdir()
    names = out / "files.txt"
    names.write_text("\n".join(map(str, files)))
    run = subprocess.run([*command, str(names), str(out)], capture_output=True, text=True, check=True, env=os.environ)
    return dict(json.loads(run.stdout.strip().splitlines()[-1]))


def find_program(program: str) -> tuple[Path | None, Path]:
    """Python of a program's environment, None where it cannot be installed, and the script to run with it."""
    if program == "firstread":
        return Path(sys.executable), Path(__file__).resolve()
    return peer_python(program, PEERS[program]), HERE / "peers" / "deidentify_files.py"


def list_files(data: Path) -> list[Path]:
    """DICOM files with a preamble in the folders of published data."""
    files = []
    for folder in FOLDERS:
        for path in sorted((data / folder).rglob("*")):
            if path.is_file():
                with open(path, "rb") as file:
                    if file.read(132)[128:] == b"DICM":
                        files.append(path)
    return files


def own_values(path: Path) -> set[bytes]:
    """Names, identifiers and UIDs of a file as bytes; digits alone only where they are many."""
    found: set[str] = set()
    try:
        for element in pydicom.dcmread(path, force=True).iterall():
            if (element.VR == "PN" or element.keyword in IDENTITY | UIDS) and element.value:
                found |= {str(value) for value in (element.value if element.VM > 1 else [element.value])}
    except Exception:  # a file that pydicom cannot read has no values to search for
        return set()
    named = (value for value in found if not value.startswith("1.2.840.10008."))
    return {value.encode() for value in named if len(value) >= (8 if value.isdigit() else MIN_LENGTH)}


def count_left(output: Path, values: set[bytes]) -> int | None:
    """Values in the bytes of an output; None where there is none."""
    if not output.is_file():
        return None
    data = output.read_bytes()
    return sum(value in data for value in values)


def run_firstread(names: Path, out: Path) -> dict[str, float]:
    """De-identify the files of a list as the peers do; an output is moved away, so that repetitions are done again."""
    from firstread.deidentification import Profile, PseudonymKeys, deidentify_file

    keys = PseudonymKeys.from_secret(bytes(32))
    profile = Profile().with_options("clean_structured_content")
    files, held = names.read_text().splitlines(), 0
    deidentify_file(files[0], out / "first", profile=profile, keys=keys)  # as the peers: tables are read once
    start, cpu = time.perf_counter(), time.process_time()
    for number, name in enumerate(files):
        result = deidentify_file(name, out, profile=profile, keys=keys)
        if result.output is None:
            held += 1
        else:
            (out / result.output).rename(out / f"{number}.dcm")
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    status = Path("/proc/self/status").read_text()  # ru_maxrss begins with that of the program that started this one
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024
    return {"seconds": seconds, "cpu_seconds": cpu, "failed": 0, "held": held, "peak_mib": peak}


if __name__ == "__main__":
    print(json.dumps(run_firstread(Path(sys.argv[2]), Path(sys.argv[3]))))
