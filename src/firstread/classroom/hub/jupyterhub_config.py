"""What JupyterHub reads: `jupyterhub -f .../hub/config.py`, with the class's folder in FIRSTREAD_CLASS."""

import os
from pathlib import Path

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.hub.configuration import configure

configure(get_config(), ClassFolder(Path(os.environ["FIRSTREAD_CLASS"])))  # noqa: F821 - JupyterHub provides it
