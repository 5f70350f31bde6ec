"""Environments of peers: each program is installed into one of its own, beside the project."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def peer_python(program: str, requirement: str) -> Path | None:
    """Python of a program's environment, made if it is missing; None where it cannot be installed."""
    environment = ROOT / f".venv-{program}"
    python, ready = environment / "bin" / "python", environment / ".ready"
    if not ready.exists():
        try:
            subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
            subprocess.run([str(python), "-m", "pip", "install", "-q", requirement], check=True)
        except subprocess.CalledProcessError:
            return None
        ready.touch()
    return python
