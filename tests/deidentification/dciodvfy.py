"""Errors that dciodvfy of dicom3tools finds in a file, without the values and numbers of items that it prints."""

import re
import subprocess


def errors_of_dciodvfy(path):
    run = subprocess.run(["dciodvfy", path], capture_output=True, timeout=60, check=False)
    lines = (run.stdout + run.stderr).decode("latin-1").splitlines()
    return {re.sub(r"\[\d+\]|<[\d.]+>|= <[^>]*>|= \d+", "", line) for line in lines if line.startswith("Error")}


def new_errors(original, output):
    """Errors of an output that its original does not have."""
    return errors_of_dciodvfy(output) - errors_of_dciodvfy(original)
