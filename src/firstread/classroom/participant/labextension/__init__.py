"""JupyterLab extension with the class bar above a participant's notebook: plain ES modules without a build."""

from pathlib import Path

from firstread.lessons.page_extension import install_extension

EXTENSION_NAME = "firstread-bar"


def install_labextension(jupyter_path: Path) -> Path:
    """Install the class bar into a folder of JUPYTER_PATH."""
    return install_extension(Path(__file__).resolve().parent, jupyter_path)
