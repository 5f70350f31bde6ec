"""Append-only audit log: one JSON line an action, each with the hash of the line before (a hash chain).

A line cannot be changed or taken out without breaking the chain. That the last lines were cut off, no chain can tell by
itself, so the number of lines and the hash of the last one are also kept in the vault (`firstread.project.vault`). No
line holds an identity value: actions, counts, pseudonyms and reasons.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from firstread.core.errors import DataError
from firstread.core.files import to_jsonable, translate_os_errors
from firstread.project.locks import file_lock

#: hash before the first line
GENESIS = "0" * 64
_MAX_LINE_BYTES = 1_000_000


@dataclass(frozen=True)
class ChainHead:
    """The end of an audit log: how many lines it has, and the hash of the last one."""

    lines: int = 0
    sha256: str = GENESIS


class AuditLog:
    """The audit log of a project.

    Example:
        >>> import tempfile
        >>> log = AuditLog(Path(tempfile.mkdtemp()) / "audit.jsonl")
        >>> head = log.append("index", "done", actor="tester", counts={"files": 12})
        >>> head.lines, log.verify() == head
        (1, True)
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, step: str, action: str, *, actor: str, counts: Mapping[str, Any] | None = None) -> ChainHead:
        """Append a line, flushed to disk; returns the new end of the chain.

        Args:
            step: of the project, such as "deidentify".
            action: what was done, in a few words, or the reason that was given.
            actor: who or what did it.
            counts: numbers and pseudonyms; never an identity value.
        """
        with file_lock(self.path.with_suffix(".lock")), translate_os_errors(self.path):
            head = self._read_head()
            entry = {
                "line": head.lines + 1,
                "time": datetime.now(UTC).isoformat(timespec="seconds"),
                "step": step,
                "action": action,
                "actor": actor,
                "counts": to_jsonable(dict(counts or {})),
                "previous": head.sha256,
            }
            line = json.dumps(entry, ensure_ascii=False, sort_keys=True).encode()
            with open(self.path, "ab") as file:
                file.write(line + b"\n")
                file.flush()
                os.fsync(file.fileno())
        return ChainHead(head.lines + 1, hashlib.sha256(line).hexdigest())

    def read(self) -> list[dict[str, Any]]:
        """All entries, checked.

        Raises:
            DataError: the chain is broken; the message says in which line.
        """
        return [entry for entry, _ in self._lines()]

    def verify(self, known: ChainHead | None = None) -> ChainHead:
        """Check the chain, and that it still holds a line that is known to have been in it.

        Args:
            known: an earlier end of the chain.

        Raises:
            DataError: a line was changed, added in between or taken out, or lines at the end are missing.
        """
        head, at_known = ChainHead(), known is None or not known.lines
        for number, (_, digest) in enumerate(self._lines(), start=1):
            head = ChainHead(number, digest)
            at_known = at_known or head == known
        if not at_known:
            raise DataError(
                f"The audit log ends before line {known.lines if known else 0}, which was written to it",
                where=self.path,
                expected="every line that was ever written",
                do="take the log from a backup, and ask who had access to the folder",
            )
        return head

    def _lines(self) -> list[tuple[dict[str, Any], str]]:
        """Entry and hash of each line."""
        found: list[tuple[dict[str, Any], str]] = []
        previous = GENESIS
        if not self.path.exists():
            return found
        with open(self.path, "rb") as file:
            for number, raw in enumerate(iter(lambda: file.readline(_MAX_LINE_BYTES), b""), start=1):
                line = raw.rstrip(b"\n")
                try:
                    entry = json.loads(line)
                    is_next = entry["previous"] == previous and entry["line"] == number and raw.endswith(b"\n")
                except (ValueError, KeyError, TypeError):
                    is_next = False
                if not is_next:
                    raise DataError(
                        f"The audit log is broken in line {number}: it was changed, or its end was not written",
                        where=self.path,
                        do="take the log from a backup, and ask who had access to the folder",
                    )
                previous = hashlib.sha256(line).hexdigest()
                found.append((entry, previous))
        return found

    def _read_head(self) -> ChainHead:
        lines = self._lines()
        return ChainHead(len(lines), lines[-1][1]) if lines else ChainHead()
