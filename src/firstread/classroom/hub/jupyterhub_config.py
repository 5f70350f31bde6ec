"""JupyterHub configuration file: `jupyterhub -f .../jupyterhub_config.py`, the class's folder in FIRSTREAD_CLASS."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.hub.configuration import configure_hub

if TYPE_CHECKING:
    from traitlets.config import get_config  # JupyterHub puts it into the namespace of this file

configure_hub(get_config(), ClassFolder(Path(os.environ["FIRSTREAD_CLASS"])))
