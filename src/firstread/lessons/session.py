"""What a notebook uses while it runs: its data, its recipe, the learner's group, questions, and a record of what was done."""

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
from firstread.lessons.lesson_info import LessonInfo, find_lesson
from firstread.lessons.preload import load_between_cells
from firstread.lessons.events import at_step, spool, tell


class Note:
    """A few words that look well in a notebook and in a terminal."""

    def __init__(self, text: str, *, good: bool | None = None, options: list[str] | None = None) -> None:
        self.text, self.good, self.options = text, good, options or []

    def __repr__(self) -> str:
        lines = [f"  {letter}) {option}" for letter, option in zip("abcdefgh", self.options, strict=False)]
        return "\n".join([self.text, *lines])

    def _repr_html_(self) -> str:
        colour = {True: "#009E73", False: "#D55E00", None: "#0072B2"}[self.good]
        options = "".join(
            f"<div style='margin:.15em 0 0 1em'><b>{letter})</b> {escape(option)}</div>"
            for letter, option in zip("abcdefgh", self.options, strict=False)
        )
        text = escape(self.text).replace("\n", "<br>")
        return f"<div style='border-left:4px solid {colour};padding:.4em .9em;margin:.3em 0'>{text}{options}</div>"


@dataclass
class Lesson:
    """A running lesson.

    Attributes:
        info: what lesson.toml says.
        data: name or path of the data that it runs on.
        seed: of everything random in it.
        folder: where this learner's results go; `result.json` is written as they come.
    """

    info: LessonInfo
    data: str
    seed: int
    folder: Path
    _started: float = field(default_factory=time.time, repr=False)

    @property
    def title(self) -> str:
        """For people."""
        return self.info.title

    @property
    def recipe(self) -> dict[str, Any]:
        """How the network is trained on these data."""
        return self.info.recipe(self.data)

    @property
    def in_class(self) -> bool:
        """True if others go through the lesson at the same time, on the same computer."""
        return spool() is not None

    def arm(self, name: str) -> str:
        """The group that this learner was drawn into, such as "on"."""
        arms = self.info.values.get("arms", {})
        if name not in arms:
            raise SettingError(f'The lesson has no experiment "{name}".{suggest(name, arms)}')
        return arm(name, tuple(arms[name]))

    def check_arms(self, ran: dict[str, str]) -> Note:
        """Compare what the learner typed with the group they were drawn into; both are recorded."""
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
        """Mark that the learner has reached a step."""
        known = [step["id"] for step in self.info.steps]
        if name not in known:
            raise SettingError(f'The lesson has no step "{name}".{suggest(name, known)}')
        self._update("steps", {name: round(time.time() - self._started, 1)})
        at_step(name, lesson=self.info.name)

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
        right = given == question["answer"]
        self._update("answers", {name: {"answer": given, "right": right}})
        tell("answer", question=name, answer=given, right=right)
        return Note(f"{'Right.' if right else 'Not quite.'} {question['because']}", good=right)

    def record(self, name: str, value: Any) -> None:
        """Keep a result with the lesson, as plain values."""
        self._update("results", {name: value})
        tell("record", name=name, value=value)

    def class_runs(self) -> "ClassRuns | Note":
        """The runs of the others in this class, beside one's own; outside a class, a note that there is none."""
        found = read_class_runs(self.info.name)
        if found is None:
            return Note("You are on your own here: in a class, the others' results would stand beside yours.")
        if not found.runs:
            return Note(f"The class's results are shown once at least {found.fewest} others have one. Run this cell again later.")
        results = self._results()
        return found.beside(results.get("evaluation"), results.get("arms", {}).get("ran", {}))

    def finish(self, **files: Path) -> Note:
        """The end of the lesson: where its results lie."""
        self._update("files", {name: str(path) for name, path in files.items()})
        tell("finish")
        lines = [f"Done. Your results are in {self.folder}"]
        lines += [f"{name}: {path}" for name, path in files.items()]
        return Note("\n".join(lines), good=True)

    def _results(self) -> dict[str, Any]:
        """What was recorded so far."""
        file = self.folder / "result.json"
        return read_json(file).get("results", {}) if file.exists() else {}

    def _update(self, part: str, values: dict[str, Any]) -> None:
        file = self.folder / "result.json"
        whole = read_json(file) if file.exists() else {"lesson": self.info.name, "data": self.data, "seed": self.seed}
        whole.setdefault(part, {}).update(values)
        write_json(file, whole)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align:left'>{number}. {escape(step['title'])}</td><td>{step['minutes']} min</td></tr>"
            for number, step in enumerate(self.info.steps, start=1)
        )
        return f"<p><b>{escape(self.title)}</b>, data: {escape(self.data)}, seed {self.seed}</p><table>{rows}</table>"


def lesson(name: str) -> Lesson:
    """Begin (or take up again) a lesson inside its notebook.

    Which data, seed and folder it uses can be set from outside with FIRSTREAD_LESSON_DATA, FIRSTREAD_SEED and
    FIRSTREAD_LESSON_FOLDER, as `firstread run` does.
    """
    load_between_cells()
    info = find_lesson(name)
    folder = os.environ.get("FIRSTREAD_LESSON_FOLDER")
    return Lesson(
        info=info,
        data=os.environ.get("FIRSTREAD_LESSON_DATA") or info.values["data"],
        seed=_seed(),
        folder=Path(folder) if folder else runs_folder() / "lessons" / info.name,
    )


def arm(name: str, choices: tuple[str, ...] = ("on", "off")) -> str:
    """The experiment group of this learner: the one that their class assigned, or, outside a class, one drawn by seed.

    Args:
        name: of the experiment, such as "augmentation".
        choices: the groups.
    """
    try:
        assigned = json.loads(os.environ.get("FIRSTREAD_ARMS", "{}")).get(name)
    except (ValueError, AttributeError):
        assigned = None
    return assigned if assigned in choices else draw_arm(name, choices, seed=_seed())


def draw_arm(name: str, choices: Any, *, seed: int) -> str:
    """The same name and seed give the same group; over many seeds every combination is as frequent."""
    import numpy as np

    return str(np.random.default_rng([seed, *name.encode()]).choice(list(choices)))


def _seed() -> int:
    """FIRSTREAD_SEED, or a number drawn once for this learner and kept."""
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
