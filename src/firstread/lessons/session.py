"""Running lesson inside a notebook: its data, recipe, experiment groups, questions, and recorded results."""

import json
import os
import secrets
import time
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from firstread.core.errors import SettingError, suggest
from firstread.core.files import read_json, write_json
from firstread.core.paths import runs_folder
from firstread.lessons.class_runs import ClassRuns, read_class_runs
from firstread.lessons.events import emit_event, get_spool_folder, set_current_step
from firstread.lessons.lesson_info import LessonInfo, find_lesson
from firstread.lessons.preload import preload_when_idle


class Note:
    """Message that renders as HTML in a notebook and as text in a terminal."""

    def __init__(self, text: str, *, good: bool | None = None, options: list[str] | None = None) -> None:
        self.text, self.good, self.options = text, good, options or []

    def __repr__(self) -> str:
        lines = [f"  {letter}) {option}" for letter, option in zip("abcdefgh", self.options, strict=False)]
        return "\n".join([self.text, *lines])

    def _repr_html_(self) -> str:
        color = {True: "#009E73", False: "#D55E00", None: "#0072B2"}[self.good]
        options = "".join(
            f"<div style='margin:.15em 0 0 1em'><b>{letter})</b> {escape(option)}</div>"
            for letter, option in zip("abcdefgh", self.options, strict=False)
        )
        text = escape(self.text).replace("\n", "<br>")
        return f"<div style='border-left:4px solid {color};padding:.4em .9em;margin:.3em 0'>{text}{options}</div>"


@dataclass
class Lesson:
    """Lesson that runs in a notebook.

    Attributes:
        info: the lesson's description (lesson.toml).
        data: name or path of the data that it runs on.
        seed: of everything random in it.
        folder: of this learner's results; `result.json` is updated with each.
    """

    info: LessonInfo
    data: str
    seed: int
    folder: Path
    _started_at: float = field(default_factory=time.time, repr=False)

    @property
    def title(self) -> str:
        """Title for display."""
        return self.info.title

    @property
    def recipe(self) -> dict[str, Any]:
        """Training settings for this lesson's data."""
        return self.info.recipe(self.data)

    @property
    def in_class(self) -> bool:
        """True if this notebook belongs to a class."""
        return get_spool_folder() is not None

    def arm(self, name: str) -> str:
        """Experiment group assigned to this learner, such as "on"."""
        arms = self.info.values.get("arms", {})
        if name not in arms:
            raise SettingError(f'The lesson has no experiment "{name}".{suggest(name, arms)}')
        return arm(name, tuple(arms[name]))

    def check_arms(self, ran: dict[str, str]) -> Note:
        """Compare the groups that the learner typed with the assigned ones, and record both."""
        arms = self.info.values.get("arms", {})
        assigned = {name: self.arm(name) for name in ran}
        for name, value in ran.items():
            if value not in arms[name]:
                choices = " or ".join(f'"{choice}"' for choice in arms[name])
                return Note(
                    f'Not yet: {name.upper()} is "{value}". Type {choices} in the cell above, and run it.', good=False
                )
        self.record("arms", {"assigned": assigned, "ran": ran})
        if ran == assigned:
            return Note("Success! You will run the group that you were drawn into.", good=True)
        return Note("Success! You chose another group than the one you were drawn into. Both are recorded.", good=True)

    def step(self, name: str) -> None:
        """Record that the learner has reached a step."""
        step_ids = [step["id"] for step in self.info.steps]
        if name not in step_ids:
            raise SettingError(f'The lesson has no step "{name}".{suggest(name, step_ids)}')
        self._update_result_file("steps", {name: round(time.time() - self._started_at, 1)})
        set_current_step(name, lesson=self.info.name)

    def question(self, name: str, answer: str | None = None) -> Note:
        """Show a question, or check an answer: `lesson.question("flip", "c")`."""
        questions = self.info.questions()
        if name not in questions:
            raise SettingError(f'The lesson has no question "{name}".{suggest(name, questions)}')
        question = questions[name]
        letters = "abcdefgh"[: len(question["options"])]
        if answer is None:
            hint = f'To answer, run:  lesson.question("{name}", "{letters[0]}")'
            return Note(f"Question. {question['text']}\n{hint}", options=question["options"])
        given = str(answer).strip().lower()
        if given not in letters:
            return Note(f"Answer with one letter: {', '.join(letters)}.", good=False)
        is_correct = given == question["answer"]
        self._update_result_file("answers", {name: {"answer": given, "right": is_correct}})
        emit_event("answer", question=name, answer=given, right=is_correct)
        return Note(f"{'Right.' if is_correct else 'Not quite.'} {question['because']}", good=is_correct)

    def record(self, name: str, value: Any) -> None:
        """Record a result of the lesson, as JSON values."""
        self._update_result_file("results", {name: value})
        emit_event("record", name=name, value=value)

    def class_runs(self) -> "ClassRuns | Note":
        """Runs of the other participants together with the own one; a note outside a class."""
        class_runs = read_class_runs(self.info.name)
        if class_runs is None:
            return Note("You are on your own here: in a class, the others' results would stand beside yours.")
        if not class_runs.runs:
            minimum = f"The class's results are shown once at least {class_runs.min_runs} others have one."
            return Note(f"{minimum} Run this cell again later.")
        results = self._read_results()
        return class_runs.with_own_run(results.get("evaluation"), results.get("arms", {}).get("ran", {}))

    def finish(self, **files: Path) -> Note:
        """Record the end of the lesson, and show the paths of its results."""
        self._update_result_file("files", {name: str(path) for name, path in files.items()})
        emit_event("finish")
        lines = [f"Done. Your results are in {self.folder}"]
        lines += [f"{name}: {path}" for name, path in files.items()]
        return Note("\n".join(lines), good=True)

    def _read_results(self) -> dict[str, Any]:
        """Read the results recorded so far."""
        file = self.folder / "result.json"
        return read_json(file).get("results", {}) if file.exists() else {}

    def _update_result_file(self, part: str, values: dict[str, Any]) -> None:
        file = self.folder / "result.json"
        header: dict[str, Any] = {"lesson": self.info.name, "data": self.data, "seed": self.seed}
        result = read_json(file) if file.exists() else header
        result.setdefault(part, {}).update(values)
        write_json(file, result)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align:left'>{number}. {escape(step['title'])}</td><td>{step['minutes']} min</td></tr>"
            for number, step in enumerate(self.info.steps, start=1)
        )
        return f"<p><b>{escape(self.title)}</b>, data: {escape(self.data)}, seed {self.seed}</p><table>{rows}</table>"


def lesson(name: str) -> Lesson:
    """Start or resume a lesson inside its notebook.

    FIRSTREAD_LESSON_DATA, FIRSTREAD_SEED and FIRSTREAD_LESSON_FOLDER override its data, seed and folder, as
    `firstread run` does.

    Example:
        >>> fr.lesson("hello-world").data
        'hello-world'
    """
    preload_when_idle()
    info = find_lesson(name)
    folder = os.environ.get("FIRSTREAD_LESSON_FOLDER")
    return Lesson(
        info=info,
        data=os.environ.get("FIRSTREAD_LESSON_DATA") or info.values["data"],
        seed=_learner_seed(),
        folder=Path(folder) if folder else runs_folder() / "lessons" / info.name,
    )


def arm(name: str, choices: tuple[str, ...] = ("on", "off")) -> str:
    """Experiment group of this learner: assigned by the class, or, outside a class, drawn by seed.

    Args:
        name: of the experiment, such as "augmentation".
        choices: names of the groups.

    Example:
        >>> fr.arm("augmentation") in ("on", "off")
        True
    """
    try:
        assigned = json.loads(os.environ.get("FIRSTREAD_ARMS", "{}")).get(name)
    except (ValueError, AttributeError):
        assigned = None
    return assigned if assigned in choices else draw_arm(name, choices, seed=_learner_seed())


def draw_arm(name: str, choices: Any, *, seed: int) -> str:
    """Draw an experiment group reproducibly from name and seed; uniform over seeds, independent between names."""
    import numpy as np

    return str(np.random.default_rng([seed, *name.encode()]).choice(list(choices)))


def _learner_seed() -> int:
    """Seed from FIRSTREAD_SEED, or one drawn once for this learner and stored."""
    given = os.environ.get("FIRSTREAD_SEED")
    if given is not None:
        try:
            return int(given)
        except ValueError as error:
            raise SettingError("FIRSTREAD_SEED is not a whole number", where="environment") from error
    file = runs_folder() / "learner.json"
    if not file.exists():
        write_json(file, {"seed": secrets.randbelow(1_000_000)})
    return int(read_json(file)["seed"])
