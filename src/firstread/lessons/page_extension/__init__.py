"""JupyterLab extension with the look of a lesson: plain ES modules without a build, as the class bar is."""

import hashlib
import shutil
from pathlib import Path

from firstread.core.files import read_json, write_bytes, write_json

_HERE = Path(__file__).resolve().parent


def install_lesson_extension(jupyter_path: Path) -> Path:
    """Install the look of a lesson into a folder of JUPYTER_PATH."""
    return install_extension(_HERE, jupyter_path)


def install_extension(source: Path, jupyter_path: Path) -> Path:
    """Install an extension into a folder of JUPYTER_PATH; unchanged files are not written again.

    The modules go into a folder named after their hash, so that no browser uses a cached older version.

    Args:
        source: folder with `package.json` and the modules in `static`.
        jupyter_path: where JupyterLab looks for `labextensions`.

    Returns:
        The folder of the installed extension.
    """
    sources = sorted(file for file in (source / "static").iterdir() if file.is_file())
    hashes = [f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}" for file in sources]
    version_hash = hashlib.sha256("\n".join(hashes).encode()).hexdigest()[:16]
    package = read_json(source / "package.json")
    folder = jupyter_path / "labextensions" / package["name"]
    for file in sources:
        target = folder / version_hash / file.name
        if not target.exists() or target.read_bytes() != file.read_bytes():
            write_bytes(target, file.read_bytes())
    package["jupyterlab"]["_build"]["load"] = f"{version_hash}/remoteEntry.js"
    package["version"] = f"{package['version']}+{version_hash}"
    write_json(folder / "package.json", package)
    for old in folder.iterdir():
        if old.is_dir() and old.name != version_hash:
            shutil.rmtree(old, ignore_errors=True)
    return folder
