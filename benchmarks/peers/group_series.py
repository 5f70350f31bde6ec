"""Group DICOM files into series with one program, in the environment of that program; prints one line of JSON.

Usage: group_series.py PROGRAM ARCHIVE OUT: ARCHIVE holds a folder a patient. dcm2niix writes sidecars without volumes
(`-b o`); heudiconv groups by study as its `--grouping studyUID` does, and nothing is converted.
"""

import json
import logging
import re
import resource
import subprocess
import sys
import time
import warnings
from pathlib import Path


def dcm2niix(folders, out):
    program, found = Path(sys.executable).with_name("dcm2niix"), 0
    for folder in folders:
        target = out / folder.name
        target.mkdir()
        words = [str(program), "-b", "o", "-f", "%j", "-o", str(target), str(folder)]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        found += len(list(target.glob("*.json")))
    return found


def heudiconv(folders, out):
    from heudiconv.dicoms import group_dicoms_into_seqinfos

    found = 0
    for folder in folders:
        files = sorted(str(path) for path in folder.rglob("*.dcm"))
        studies = group_dicoms_into_seqinfos(files, grouping="studyUID")
        found += sum(map(len, studies.values()))
    return found


def main():
    program, archive, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    folders = sorted(path for path in archive.iterdir() if path.is_dir())
    before = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    start = time.perf_counter()
    found = {"dcm2niix": dcm2niix, "heudiconv": heudiconv}[program](folders, out)
    seconds = time.perf_counter() - start
    after = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(new.ru_utime + new.ru_stime - old.ru_utime - old.ru_stime for old, new in zip(before, after, strict=True))
    status = Path("/proc/self/status").read_text()  # ru_maxrss begins with that of the program that started this one
    own = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])
    peak = (after[1].ru_maxrss if program == "dcm2niix" else own) / 1024
    row = {"seconds": seconds, "cpu_seconds": cpu, "groups": found, "peak_mb": round(peak, 1)}
    print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
