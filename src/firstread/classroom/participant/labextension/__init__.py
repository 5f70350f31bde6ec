"""The bar above a participant's notebook: a JupyterLab extension that needs no build, and its way into a class's folder."""

import hashlib
import shutil
from pathlib import Path

from firstread.core.files import read_json, write_bytes, write_json

NAME = "firstread-bar"
_HERE = Path(__file__).resolve().parent


def put_bar(jupyter: Path) -> Path:
    """Put the extension where servers find it that have this folder on JUPYTER_PATH; what is there and the same stays.

    Its files lie in a folder that is named after what they hold, so no browser takes yesterday's for today's.
    """
    sources = sorted(file for file in (_HERE / "static").iterdir() if file.is_file())
    sums = [f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}" for file in sources]
    mark = hashlib.sha256("\n".join(sums).encode()).hexdigest()[:16]
    folder = jupyter / "labextensions" / NAME
    for file in sources:
        there = folder / mark / file.name
        if not there.exists() or there.read_bytes() != file.read_bytes():
            write_bytes(there, file.read_bytes())
    described = read_json(_HERE / "package.json")
    described["jupyterlab"]["_build"]["load"] = f"{mark}/remoteEntry.js"
    described["version"] = f"{described['version']}+{mark}"
    write_json(folder / "package.json", described)
    for old in folder.iterdir():
        if old.is_dir() and old.name != mark:
            shutil.rmtree(old, ignore_errors=True)
    return folder
