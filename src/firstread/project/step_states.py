"""State of the steps of a project: done, stale, or not done yet; in `state.json`.

A step is stale when an input has changed since it ran, or when a step before it is stale. What is stale is said, and
nothing runs again by itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from firstread.core.errors import DataError
from firstread.core.files import read_json, write_json
from firstread.core.version import package_version
from firstread.project.input_fingerprints import Subfolders, fingerprint

_MAX_STATE_BYTES = 10_000_000


@dataclass(frozen=True)
class Step:
    """A step of a project.

    Attributes:
        name: the verb, as in `firstread project index`.
        inputs: names of paths that it reads, see `StepStates`.
        outputs: names of paths that it writes.
        needs: steps that must be done before.
        uses: optional steps whose results it reads where they are done; they may be left out.
        optional: nothing waits for it.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    needs: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    optional: bool = False


@dataclass(frozen=True)
class StepRecord:
    """What is known of a step that ran: when, with which inputs and parameters, and how many of what came out."""

    started: str
    finished: str
    inputs: dict[str, str]
    outputs: dict[str, str]
    parameters: dict[str, Any] = field(default_factory=dict)
    counts: dict[str, Any] = field(default_factory=dict)
    version: str | None = None


@dataclass(frozen=True)
class StepStatus:
    """State of a step for a person: "done", "stale", "open", "optional" (open, may stay so), or "skipped", and why."""

    name: str
    state: str
    reason: str = ""
    record: StepRecord | None = None


class StepStates:
    """The states of all steps of one project.

    Args:
        path: of `state.json`.
        steps: in their order.
        paths: name of an input or output -> where it lies.
        skipped: steps that do not apply to this project -> why, in words; no other step needs them.
    """

    def __init__(
        self,
        path: Path,
        steps: Sequence[Step],
        paths: Mapping[str, Path | Subfolders],
        skipped: Mapping[str, str] | None = None,
    ) -> None:
        self._path, self._paths, self._skipped = path, dict(paths), dict(skipped or {})
        kept = (replace(step, needs=tuple(need for need in step.needs if need not in self._skipped)) for step in steps)
        self._steps = {step.name: step for step in kept}

    def path_of(self, name: str) -> Path | Subfolders:
        """Where an input or output lies."""
        return self._paths[name]

    def check_ready(self, name: str) -> None:
        """Refuse a step before which another is missing.

        Raises:
            DataError: a step before it is not done, the message names it; or the step does not apply.
        """
        self.check_applies(name)
        records = self._read()
        missing = [need for need in self._steps[name].needs if need not in records]
        if missing:
            raise DataError(
                f'The step "{name}" needs "{missing[0]}" before it',
                where=self._path.parent,
                do=f"firstread project {missing[0]}",
            )

    def check_applies(self, name: str) -> None:
        """Refuse a step that is none of this project.

        Raises:
            DataError: says why.
        """
        if name in self._skipped:
            raise DataError(f'The step "{name}" does not apply: {self._skipped[name]}', where=self._path.parent)

    def begin(self, name: str) -> str:
        """The time at which a step starts."""
        self.check_ready(name)
        return now()

    def finish(self, name: str, *, started: str, parameters: Mapping[str, Any], counts: Mapping[str, Any]) -> None:
        """Record that a step is done, with the fingerprints of what it read and wrote."""
        step = self._steps[name]
        record = StepRecord(
            started,
            now(),
            {key: fingerprint(self._paths[key]) for key in step.inputs},
            {key: fingerprint(self._paths[key]) for key in step.outputs},
            dict(parameters),
            dict(counts),
            package_version(),
        )
        self._write(self._read() | {name: record})

    def reopen(self, name: str) -> None:
        """Take a step for not done: its outputs are about to change."""
        records = self._read()
        if records.pop(name, None) is not None:
            self._write(records)

    def refresh(self, name: str, inputs: Sequence[str]) -> None:
        """Take inputs as they are now for those of a step that is done: what changed in them is in its outputs."""
        records = self._read()
        if name in records:
            known = records[name]
            changed = known.inputs | {key: fingerprint(self._paths[key]) for key in inputs}
            self._write(records | {name: replace(known, inputs=changed)})

    def statuses(self) -> Iterator[StepStatus]:
        """The status of each step, in their order."""
        records = self._read()
        stale: set[str] = set()
        for name, step in self._steps.items():
            if name in self._skipped:
                yield StepStatus(name, "skipped", self._skipped[name])
                continue
            record = records.get(name)
            if record is None and step.optional:
                yield StepStatus(name, "optional")
                continue
            reason = self._why_stale(step, record, stale) if record else ""
            if reason or not record:
                stale.add(name)
            yield StepStatus(name, "stale" if reason else "done" if record else "open", reason, record)

    def _why_stale(self, step: Step, record: StepRecord, stale: set[str]) -> str:
        before = next((need for need in (*step.needs, *step.uses) if need in stale), None)
        if before is not None:
            return f'"{before}" before it is stale or not done'
        for key in step.inputs:
            if fingerprint(self._paths[key]) != record.inputs.get(key):
                return f"{key} has changed since"
        missing = next((key for key in step.outputs if not self._paths[key].exists()), None)
        return f"{missing} is not there any more" if missing else ""

    def _write(self, records: Mapping[str, StepRecord]) -> None:
        write_json(self._path, {"steps": {key: asdict(value) for key, value in records.items()}})

    def _read(self) -> dict[str, StepRecord]:
        if not self._path.is_file():
            return {}
        content = read_json(self._path, max_bytes=_MAX_STATE_BYTES)
        try:
            return {name: StepRecord(**entry) for name, entry in content["steps"].items() if name in self._steps}
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(
                "The state of the project is damaged",
                where=self._path,
                do="delete the file; the steps will count as not done, and their results are kept",
            ) from error


def now() -> str:
    """The time, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
