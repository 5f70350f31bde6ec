"""What a participant's pod runs: it puts the lesson into their volume and becomes their Jupyter server (`python -m firstread.classroom.cluster.pod`)."""

import os
import sys
from pathlib import Path

from firstread.classroom.home_directory import furnish, keep_word
from firstread.core.errors import FirstreadError

#: what the hub tells this command and nobody after it
LESSON, SHARED, WORD = "FIRSTREAD_LESSON", "FIRSTREAD_SHARED", "FIRSTREAD_RESUME_WORD"


def prepare(environment: dict[str, str]) -> dict[str, str]:
    """Furnish the home; what is left of the environment for the server."""
    left = {name: value for name, value in environment.items() if name not in (LESSON, SHARED, WORD)}
    home = furnish(Path(environment["HOME"]), shared=Path(environment[SHARED]), lesson=environment[LESSON])
    if word := environment.get(WORD):
        keep_word(home, word)
    Path(environment["JUPYTER_RUNTIME_DIR"]).mkdir(mode=0o700, parents=True, exist_ok=True)
    return left


def main() -> None:
    """Furnish, and become the server."""
    os.umask(0o077)
    try:
        environment = prepare(dict(os.environ))
    except (FirstreadError, OSError) as error:
        raise SystemExit(f"The participant's home cannot be prepared: {error}") from None
    except KeyError as error:
        raise SystemExit(f"{error.args[0]} is missing: this command is for the pods that the hub starts") from None
    os.chdir(environment["HOME"])
    command = [sys.executable, "-m", "jupyterhub.singleuser", *sys.argv[1:]]
    os.execve(sys.executable, command, environment)  # noqa: S606 - our own command, no shell


if __name__ == "__main__":
    main()
