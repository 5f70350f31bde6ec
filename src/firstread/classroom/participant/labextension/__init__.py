"""JupyterLab extension with the class bar above a participant's notebook: plain ES modules without a build."""

import hashlib
import shutil
from pathlib import Path

from firstread.core.files import read_json, write_bytes, write_json

EXTENSION_NAME = "firstread-bar"
_HERE = Path(__file__).resolve().parent


def install_labextension(jupyter_path: Path) -> Path:
    """Install the extension into a folder of JUPYTER_PATH; unchanged files are not written again.

    The modules go into a folder named after their hash, so that no browser uses a cached older version.
    """
    sources = sorted(file for file in (_HERE / "static").iterdir() if file.is_file())
    hashes = [f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}" for file in sources]
    version_hash = hashlib.sha256("\n".join(hashes).encode()).hexdigest()[:16]
    folder = jupyter_path / "labextensions" / EXTENSION_NAME
    for file in sources:
        target = folder / version_hash / file.name
        if not target.exists() or target.read_bytes() != file.read_bytes():
            write_bytes(target, file.read_bytes())
    package = read_json(_HERE / "package.json")
    package["jupyterlab"]["_build"]["load"] = f"{version_hash}/remoteEntry.js"
    package["version"] = f"{package['version']}+{version_hash}"
    write_json(folder / "package.json", package)
    for old in folder.iterdir():
        if old.is_dir() and old.name != version_hash:
            shutil.rmtree(old, ignore_errors=True)
    return folder
