"""Running lesson inside a notebook: its data, recipe, experiment groups, questions, and recorded results."""

import os
import secrets
import shutil
import time
import zlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firstread.core.errors import SettingError, suggest
from firstread.core.paths import runs_folder
from firstread.lessons import lesson_cases, lesson_displays
from firstread.lessons.archive_steps import ArchiveSteps
from firstread.lessons.class_runs import ClassRuns, read_class_runs
from firstread.lessons.events import emit_event, get_spool_folder, set_current_step
from firstread.lessons.experiment_groups import (
    Group,
    arm,
    learner_seed,
    make_augmentation,
    make_group,
    train_all_groups,
)
from firstread.lessons.first_read import ImageReading
from firstread.lessons.lesson_data import find_dicom_folder
from firstread.lessons.lesson_info import LessonInfo, find_lesson
from firstread.lessons.notebook_errors import explain_errors
from firstread.lessons.notes import Note
from firstread.lessons.preload import preload_when_idle
from firstread.lessons.questions import Question
from firstread.lessons.result_file import ResultFile

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from firstread.core.case import Case
    from firstread.core.cohort import Cohort
    from firstread.core.predictions import Predictions
    from firstread.core.run import Run
    from firstread.deidentification.pseudonym_keys import PseudonymKeys
    from firstread.evaluation.comparison import Comparison
    from firstread.evaluation.evaluation import Evaluation
    from firstread.learning.models.classifier import Classifier
    from firstread.lessons.patient_files import PatientFiles


@dataclass
class Lesson(ArchiveSteps):
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

    @cached_property
    def _file(self) -> ResultFile:
        return ResultFile(
            self.folder / "result.json", {"lesson": self.info.name, "data": self.data, "seed": self.seed}
        )

    # ---- steps, questions, records

    def step(self, name: str) -> None:
        """Record that the learner has reached a step."""
        step_ids = [step["id"] for step in self.info.steps]
        if name not in step_ids:
            raise SettingError(f'The lesson has no step "{name}".{suggest(name, step_ids)}')
        self._file.update("steps", {name: round(time.time() - self._started_at, 1)})
        set_current_step(name, lesson=self.info.name)

    def question(self, name: str, answer: str | None = None) -> Question | Note:
        """Show a question, to be answered by clicking; or check an answer: `lesson.question("flip", "c")`."""
        questions = self.info.questions()
        if name not in questions:
            raise SettingError(f'The lesson has no question "{name}".{suggest(name, questions)}')

        def on_answer(letter: str, is_right: bool) -> None:
            self._file.update("answers", {name: {"answer": letter, "right": is_right}})
            emit_event("answer", question=name, answer=letter, right=is_right)

        question = Question(name, questions[name], on_answer)
        return question if answer is None else question.answer(answer)

    def record(self, name: str, value: Any) -> Any:
        """Record a result of the lesson, as JSON values or what has `to_json`; returns it, to be shown."""
        plain = value.to_json() if hasattr(value, "to_json") else value
        self._file.update("results", {name: plain})
        emit_event("record", name=name, value=plain)
        return value

    def finish(self, **files: Path) -> Note:
        """Record the end of the lesson, and show the paths of its results."""
        self._file.update("files", {name: str(path) for name, path in files.items()})
        emit_event("finish")
        lines = [f"Done. Your results are in {self.folder}"]
        lines += [f"{name}: {path}" for name, path in files.items()]
        return Note("\n".join(lines), good=True)

    # ---- cases

    def held_out(self, cohort: "Cohort") -> "Cohort":
        """The cases that the network is measured on; says which they are, and why."""
        held_out = lesson_cases.choose_held_out(cohort)
        print(lesson_cases.describe_held_out(cohort, held_out))
        return held_out

    def read_ten(self, held_out: "Cohort") -> ImageReading:
        """Ten held-out images, drawn by the learner's seed, to be read by clicking.

        What was clicked is kept: a notebook that is run again shows it.
        """
        drawn = held_out.table.sample(min(10, len(held_out)), random_state=self.seed).index
        return ImageReading(
            [held_out[int(index)] for index in drawn],
            held_out.classes,
            answers=self._file.read("reading"),
            on_change=lambda answers: self._file.update("reading", answers),
            on_score=lambda correct: self.record("my_reading", {"correct": correct, "of": len(drawn)}),
        )

    def one_of_each(self, cohort: "Cohort") -> "Cohort":
        """One new case of each class."""
        return lesson_cases.one_of_each(cohort)

    def first(self, cohort: "Cohort", label: str) -> "Case":
        """The first case of a class."""
        return lesson_cases.first_of(cohort, label)

    def show_answers(self, predictions: "Predictions") -> "Figure":
        """The images with the network's answer and its score above each."""
        return lesson_cases.show_answers(predictions)

    def hardest(self, predictions: "Predictions", count: int = 8) -> lesson_cases.HardestCases:
        """The cases whose true class got the lowest score, worst first."""
        return lesson_cases.HardestCases(predictions, count)

    def own_case(self, file: str) -> "Case":
        """The learner's own image; without a name, a simulated brain MR, which no network of this lesson has met."""
        if file:
            return lesson_cases.own_case(file)
        from firstread.phantoms.patients import simulate_patients

        return simulate_patients(1, kinds=("brain MR",), seed=self.seed, folder=self.folder / "brain")[0]

    # ---- DICOM files

    def open_patient(self) -> "PatientFiles":
        """The DICOM files of the lesson's patient, or of a folder of one's own."""
        from firstread.lessons.patient_files import PatientFiles

        return PatientFiles.open(
            find_dicom_folder(self.data),
            kept=self._file.read("by_hand").get("removed", []),
            on_change=lambda keywords: self._file.update("by_hand", {"removed": keywords}),
        )

    def new_keys(self) -> "PseudonymKeys":
        """Keys of a project: from a secret that is drawn now and kept as long as the notebook runs."""
        from firstread.deidentification.pseudonym_keys import PseudonymKeys

        return PseudonymKeys.from_secret(secrets.token_bytes(32))

    def new_folder(self, name: str) -> Path:
        """An empty folder among the learner's results; what an earlier run left in it is deleted."""
        folder = self.folder / "outputs" / name
        shutil.rmtree(folder, ignore_errors=True)
        return folder

    # ---- experiments

    def arm(self, name: str) -> str:
        """Experiment group assigned to this learner, such as "on"."""
        arms = self.info.values.get("arms", {})
        if name not in arms:
            raise SettingError(f'The lesson has no experiment "{name}".{suggest(name, arms)}')
        return arm(name, tuple(arms[name]))

    def join_group(self, **chosen: str) -> Group:
        """The group that the learner typed, such as `augmentation="on", dropout="off"`; it is recorded beside the draw.

        Raises:
            NotYetError: something else than a group was typed.
        """
        group = make_group(self.info.values.get("arms", {}), chosen, self.recipe)
        self.record("arms", {"assigned": group.assigned, "ran": group.arms})
        return group

    def show_augmentation(self, case: "Case") -> "Figure":
        """What the lesson's augmentation makes of one image."""
        return make_augmentation(self.recipe).show(case.image())

    def class_runs(self) -> "ClassRuns | Note":
        """Runs of the other participants together with the own one; a note outside a class."""
        class_runs = read_class_runs(self.info.name)
        if class_runs is None:
            return Note("You are on your own here: in a class, the others' results would stand beside yours.")
        if not class_runs.runs:
            minimum = f"The class's results are shown once at least {class_runs.min_runs} others have one."
            return Note(f"{minimum} Run this cell again later.")
        results = self._file.read("results")
        return class_runs.with_own_run(results.get("evaluation"), results.get("arms", {}).get("ran", {}))

    def compare_groups(self, cohort: "Cohort", held_out: "Cohort", *, train_all: bool) -> "Comparison | Note":
        """All groups, trained with the same images and the same seed; else a note that says how to."""
        from firstread.evaluation.comparison import compare

        if not train_all:
            return Note("Nothing was trained. To train all groups, write train_all=True and run the cell again.")
        arms = self.info.values.get("arms", {})
        return compare(train_all_groups(cohort, held_out, arms=arms, recipe=self.recipe, seed=self.seed))

    def plant_wrong_labels(self, cohort: "Cohort", *, share: float) -> "Cohort":
        """A copy of the data in which a share of the training and validation labels is wrong."""
        from firstread.curation.synthetic_shortcuts import add_label_noise

        return add_label_noise(cohort, share=share, seed=self.seed)

    def plant_marker(self, cohort: "Cohort", *, on: str) -> "Cohort":
        """A copy of the data with a side marker on every image of one class."""
        from firstread.curation.synthetic_shortcuts import add_marker

        labels = cohort.table[["case", "label"]].to_csv(index=False)
        folder = self.folder / "marked" / f"{zlib.crc32(f'{on} {labels}'.encode()):08x}"
        return add_marker(cohort, on=[on], folder=folder)

    # ---- displays

    def window_table(self, values_hu: list[float], windows: list[str]) -> "pd.DataFrame":
        """Gray levels (0 to 255) of CT values in some windows."""
        return lesson_displays.window_table(values_hu, windows)

    def show_batch(self, cohort: "Cohort", *, size: int) -> "Figure":
        """A dozen images as the network gets them."""
        return lesson_displays.show_batch(cohort, size=size, seed=self.seed)

    def best_epoch(self, run: "Run") -> Note:
        """Which epoch of a training had the lowest validation loss."""
        return lesson_cases.name_best_epoch([row["validation_loss"] for row in run.history])

    def learning_curve(self) -> "Figure":
        """How accuracy grows with the number of training images, as it was measured."""
        return lesson_displays.show_learning_curve(self.info.folder)

    def open_box(self, name: str) -> lesson_displays.SourceCode:
        """The code behind a step, as it runs; lesson.toml names the boxes of a lesson under `[boxes]`."""
        boxes = self.info.values.get("boxes", {})
        if name not in boxes:
            raise SettingError(f'The lesson has no box "{name}".{suggest(name, boxes)}')
        return lesson_displays.SourceCode.of(boxes[name])

    def write_report(self, model: "Classifier", run: "Run", evaluation: "Evaluation") -> Path:
        """Write the learner's report: data, network, curves, results, the hardest cases."""
        from firstread.explanation.model_report import write_report

        predictions = evaluation.predictions
        if predictions.cohort is None:
            raise SettingError("This evaluation does not know its images", do="fr.evaluate(fr.predict(model, held_out))")
        cohort = predictions.cohort.parent or predictions.cohort
        note = lesson_cases.describe_held_out(cohort, predictions.cohort)
        told = replace(evaluation, notes=(note, *evaluation.notes))
        facts: dict[str, Any] = {"cohort": cohort, "run": run, "model": model, "predictions": predictions}
        return write_report(self.folder / "report.html", evaluation=told, **facts)

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
    info = find_lesson(name)
    if not info.is_on_dicom:
        preload_when_idle()
    explain_errors(info)
    folder = os.environ.get("FIRSTREAD_LESSON_FOLDER")
    return Lesson(
        info=info,
        data=os.environ.get("FIRSTREAD_LESSON_DATA") or info.values["data"],
        seed=learner_seed(),
        folder=Path(folder) if folder else runs_folder() / "lessons" / info.name,
    )
