"""De-identify files with one program, in the environment of that program; prints one line of JSON.

Usage: deidentify_files.py PROGRAM LIST OUT: LIST names a file a line, each is written to OUT/NUMBER.dcm.
The default recipe of each program is used; one process, one file after the other.
"""

import contextlib
import json
import logging
import re
import sys
import time
import warnings
from pathlib import Path


def dicom_anonymizer():
    from dicomanonymizer import anonymize_dicom_file

    return lambda source, target: anonymize_dicom_file(str(source), str(target))


def deid():
    from deid.dicom import get_identifiers, replace_identifiers

    def run(source, target):
        ids = get_identifiers([str(source)])
        replaced = replace_identifiers([str(source)], ids=ids, save=False, overwrite=True)
        replaced[0].save_as(target)

    return run


def dicognito():
    from dicognito.anonymizer import Anonymizer
    from pydicom import dcmread

    anonymizer = Anonymizer(seed="benchmark")

    def run(source, target):
        dataset = dcmread(source, force=True)
        anonymizer.anonymize(dataset)
        dataset.save_as(target)

    return run


def main():
    program, names, out = sys.argv[1], Path(sys.argv[2]).read_text().splitlines(), Path(sys.argv[3])
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    run = {"dicom-anonymizer": dicom_anonymizer, "deid": deid, "dicognito": dicognito}[program]()
    with contextlib.suppress(Exception):  # imports and tables are read once
        run(names[0], out / "first")
    failed, start, cpu = 0, time.perf_counter(), time.process_time()
    for number, name in enumerate(names):
        try:
            run(name, out / f"{number}.dcm")
        except Exception:  # any error of a peer is one file that it could not do
            failed += 1
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    status = Path("/proc/self/status").read_text()  # ru_maxrss begins with that of the program that started this one
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu, "failed": failed, "peak_mib": peak}), flush=True)


if __name__ == "__main__":
    main()
