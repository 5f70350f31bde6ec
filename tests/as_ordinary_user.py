"""Run a command as an ordinary user, so that root can test what a class of an ordinary user does.

The interpreter and this checkout may lie in a folder that only root may enter; the command sees them all the same, in a
mount namespace of its own. Nothing on the machine is changed. Anybody else runs the command as they are.

Usage: python tests/as_ordinary_user.py pytest -m "not slow" tests/classroom
"""

import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

#: an account that every Debian has, and whose user nothing else runs as (PostgreSQL wants one with a name)
ACCOUNT = "games"
#: environment variables that the command inherits
KEPT = ("LANG", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "PYTHONPATH", "FIRSTREAD_ATTACK_LOG", "FIRSTREAD_SHARED_DATA")
CHECKOUT = Path(__file__).resolve().parents[1]


def hidden_parent(path: Path) -> Path | None:
    """The topmost folder on the way to `path` that others may not enter."""
    return next((folder for folder in reversed(path.parents) if not folder.stat().st_mode & stat.S_IXOTH), None)


def mount(*arguments: object) -> None:
    """Call mount(8)."""
    subprocess.run(["mount", *map(str, arguments)], check=True)


def make_reachable(paths: list[Path]) -> None:
    """In this mount namespace, replace folders that others may not enter by ones with these paths alone."""
    handles = {path: os.open(path, os.O_PATH) for path in paths if hidden_parent(path)}
    for folder in {hidden_parent(path) for path in handles}:
        mount("-t", "tmpfs", "-o", "mode=0755", "none", folder)
    for path, handle in handles.items():
        path.mkdir(parents=True, exist_ok=True)
        os.set_inheritable(handle, True)
        subprocess.run(
            ["mount", "--no-canonicalize", "--bind", f"/proc/self/fd/{handle}", str(path)],
            check=True,
            pass_fds=[handle],
        )


def main() -> None:
    """Become the ordinary user, and run the command that the arguments give."""
    command = [sys.executable, "-m", *sys.argv[1:]]
    if os.geteuid() != 0:
        os.execv(sys.executable, command)
    if os.environ.get("FIRSTREAD_MOUNTS") != "private":  # once more, in a mount namespace of its own
        again = ["unshare", "--mount", "--propagation", "private", sys.executable, __file__, *sys.argv[1:]]
        os.execvpe("unshare", again, {**os.environ, "FIRSTREAD_MOUNTS": "private"})
    prefixes = (sys.base_prefix, sys.prefix)
    make_reachable(sorted({CHECKOUT, *(Path(prefix).resolve() for prefix in prefixes)}))
    account, home = pwd.getpwnam(ACCOUNT), tempfile.mkdtemp(prefix="firstread-user-")
    os.chown(home, account.pw_uid, account.pw_gid)
    kept = {name: value for name, value in os.environ.items() if name in KEPT}
    environment = kept | {
        "HOME": home,
        "USER": ACCOUNT,
        "TMPDIR": home,
        "PYTHONDONTWRITEBYTECODE": "1",
        "HYPOTHESIS_STORAGE_DIRECTORY": f"{home}/hypothesis",
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
    }
    try:
        user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        ran = subprocess.run(command, check=False, cwd=CHECKOUT, env=environment, **user)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    sys.exit(ran.returncode)


if __name__ == "__main__":
    main()
