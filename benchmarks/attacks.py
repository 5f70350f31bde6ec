"""Attack a running class (`make attack`), as root and as an ordinary user; what each attack got goes into the docs.

As root the tests run twice: once as root, once as an ordinary user (tests/as_ordinary_user.py). An ordinary user runs
them once, and the documentation stays as it is.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "explanation" / "security.md"
BEGIN, END = "<!-- table: attacks -->\n", "<!-- end of table -->"
TESTS = ["pytest", "-q", "-p", "no:cacheprovider", "tests/classroom/test_attacks.py"]


def attack(command: list[str]) -> dict[tuple[str, str], str]:
    """Run the attacks; (finding, attack) -> what it got. Exits if one of them was not refused."""
    with tempfile.TemporaryDirectory(prefix="firstread-attacks-") as folder:
        log = Path(folder) / "attacks.jsonl"
        log.touch()
        Path(folder).chmod(0o755)
        log.chmod(0o666)
        ran = subprocess.run(command, cwd=ROOT, env={**os.environ, "FIRSTREAD_ATTACK_LOG": str(log)}, check=False)
        if ran.returncode:
            raise SystemExit("An attack was not refused, or could not be made: see above.")
        records = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return {(finding, name): result for finding, name, result in records}


def write_table(by_user: dict[str, dict[tuple[str, str], str]]) -> None:
    """Replace the table in the documentation."""
    users = list(by_user)
    lines = [f"|  | attack | {' | '.join(users)} |", f"| --- | --- | {' | '.join('---' for _ in users)} |"]
    for finding, name in by_user[users[0]]:
        results = (by_user[user].get((finding, name), "not tried") for user in users)
        cells = " | ".join(result.replace("|", "\\|").replace("\n", " ") for result in results)
        lines.append(f"| {finding} | {name} | {cells} |")
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END, 1)[1]
    PAGE.write_text(f"{before}{BEGIN}\n" + "\n".join(lines) + f"\n\n{END}{after}", encoding="utf-8")


def main() -> None:
    """Attack, and write the table."""
    own = [sys.executable, "-m", *TESTS]
    if os.geteuid() != 0:
        results = attack(own)
        print(f"{len(results)} attacks as an ordinary user, none succeeded")
        return
    ordinary = [sys.executable, str(ROOT / "tests" / "as_ordinary_user.py"), *TESTS]
    by_user = {"class of root": attack(own), "class of an ordinary user": attack(ordinary)}
    write_table(by_user)
    for user, results in by_user.items():
        print(f"{len(results)} attacks, {user}: none succeeded")


if __name__ == "__main__":
    main()
