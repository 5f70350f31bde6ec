"""Command of a participant's pod: prepares their home and execs their Jupyter server.

`python -m firstread.classroom.cluster.pod`
"""

import os
import sys
from pathlib import Path

from firstread.classroom.home_directory import create_home, write_resume_word
from firstread.core.errors import FirstreadError

#: environment variables for this command, removed before the server starts
LESSON_VARIABLE, SHARED_VARIABLE = "FIRSTREAD_LESSON", "FIRSTREAD_SHARED"
RESUME_WORD_VARIABLE = "FIRSTREAD_RESUME_WORD"


def prepare_pod(environment: dict[str, str]) -> dict[str, str]:
    """Create the home; returns the environment of the server."""
    removed = (LESSON_VARIABLE, SHARED_VARIABLE, RESUME_WORD_VARIABLE)
    server_environment = {name: value for name, value in environment.items() if name not in removed}
    home, shared = Path(environment["HOME"]), Path(environment[SHARED_VARIABLE])
    create_home(home, shared=shared, lesson=environment[LESSON_VARIABLE])
    if word := environment.get(RESUME_WORD_VARIABLE):
        write_resume_word(home, word)
    Path(environment["JUPYTER_RUNTIME_DIR"]).mkdir(mode=0o700, parents=True, exist_ok=True)
    return server_environment


def main() -> None:
    """Prepare the home and exec the server."""
    os.umask(0o077)
    try:
        environment = prepare_pod(dict(os.environ))
    except (FirstreadError, OSError) as error:
        raise SystemExit(f"The participant's home cannot be prepared: {error}") from None
    except KeyError as error:
        raise SystemExit(f"{error.args[0]} is missing: this command is for the pods that the hub starts") from None
    os.chdir(environment["HOME"])
    command = [sys.executable, "-m", "jupyterhub.singleuser", *sys.argv[1:]]
    os.execve(sys.executable, command, environment)  # noqa: S606 - our own command, no shell


if __name__ == "__main__":
    main()
