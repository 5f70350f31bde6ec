"""Cases that a lesson shows: what is held out, one of each class, the hardest ones, an image of the learner's own."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from firstread.core.errors import DataError, SettingError, suggest
from firstread.lessons.notes import Note

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from firstread.core.case import Case
    from firstread.core.cohort import Cohort
    from firstread.core.predictions import Predictions

#: fewer test cases than these say nothing: the validation cases are measured instead, and it is said
FEWEST_TEST_CASES = 10
_IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".dcm", ".tif", ".tiff", ".bmp")


def choose_held_out(cohort: "Cohort") -> "Cohort":
    """The labelled test cases; the validation cases where there are fewer than 10 of them.

    Raises:
        DataError: neither has a labelled case.
    """
    test, validation = (part[part.targets >= 0] for part in (cohort.test, cohort.validation))
    chosen = test if len(test) >= FEWEST_TEST_CASES or not len(validation) else validation
    if not len(chosen):
        raise DataError(
            "No case with a label is held out", where=cohort.origin.name, expected="a test or a validation split"
        )
    return chosen


def describe_held_out(cohort: "Cohort", held_out: "Cohort") -> str:
    """Which cases the network is measured on, and what that means."""
    if held_out.table["split"].eq("test").all():
        return f"Held out: the {len(held_out)} test images. The network has never met them."
    labelled = int((cohort.test.targets >= 0).sum())
    return (
        f"This set has {labelled} labelled test images, too few to measure anything. We measure on its {len(held_out)} "
        "validation images instead. They are watched during training, so treat the result as too good rather than too "
        "bad."
    )


def first_of(cohort: "Cohort", label: str) -> "Case":
    """The first case of a class.

    Raises:
        SettingError: no such class, or no case of it.
    """
    if label not in cohort.classes:
        raise SettingError(f'There is no class called "{label}".{suggest(label, cohort.classes)}')
    found = cohort[cohort.targets == cohort.classes.index(label)]
    if not len(found):
        raise SettingError(f'No case of the class "{label}" is here', where=cohort.origin.name)
    return found[0]


def one_of_each(cohort: "Cohort") -> "Cohort":
    """One case of each class, of the test split if it has them, else of the validation split.

    Test images without a label are taken as they come: as many as there are classes.
    """
    count = len(cohort.classes)
    for part in (cohort.test, cohort.validation):
        positions = [part.targets.tolist().index(k) for k in range(count) if k in part.targets]
        if len(positions) == count:
            return part[[index in positions for index in range(len(part))]]
        if len(part) >= count and not positions:
            return part[:count]
    raise DataError("Neither the test nor the validation images hold each class", where=cohort.origin.name)


def show_answers(predictions: "Predictions") -> "Figure":
    """The images of a few predictions, each with the network's answer and its score above it."""
    from firstread.core.figures import show_images

    cases = _cases_of(predictions)
    titles = [
        f"{answer}?  {scores.max():.2f}"
        for answer, scores in zip(predictions.table["prediction"], predictions.scores, strict=True)
    ]
    return show_images([case.image() for case in cases], titles, columns=min(4, len(cases)), size_inches=3.5)


class HardestCases:
    """The cases whose true class got the lowest score, worst first; a notebook shows them as images."""

    def __init__(self, predictions: "Predictions", count: int) -> None:
        self.table = predictions.hardest(count)
        by_name = {case.case: case for case in _cases_of(predictions)}
        self.cases = [by_name[name] for name in self.table["case"]]

    def __getitem__(self, index: int) -> "Case":
        return self.cases[index]

    def __len__(self) -> int:
        return len(self.cases)

    def show(self) -> "Figure":
        """Draw them, each with what it is and what the network said."""
        from firstread.core.figures import show_images

        titles = [
            f"is {row.truth}\nsaid {row.prediction} ({row.score_of_truth:.2f})" for row in self.table.itertuples()
        ]
        return show_images([case.image() for case in self.cases], titles, columns=4, size_inches=2.6)


def own_case(file: str) -> "Case":
    """An image of the learner's own as a case.

    Raises:
        DataError: there is no such file; the message names the images that are there.
    """
    from firstread.core.case import Case

    path = Path(file.strip().strip("\"'")).expanduser()
    if not path.is_file():
        there = sorted(one.name for one in Path.cwd().iterdir() if one.suffix.lower() in _IMAGE_SUFFIXES)
        expected = f"one of {', '.join(there[:8])}" if there else "the name of an image beside this notebook"
        raise DataError(
            "There is no such file", where=f"my_image = {file!r}", expected=expected, do="put it there, or check the name"
        )
    return Case(case="my image", file=str(path))


def name_best_epoch(losses: Sequence[float]) -> Note:
    """Which epoch had the lowest validation loss."""
    best = min(range(len(losses)), key=losses.__getitem__)
    return Note(f"Lowest validation loss: {losses[best]:.3f}, in epoch {best + 1} of {len(losses)}.")


def _cases_of(predictions: "Predictions") -> "list[Case]":
    """The cases of predictions, in their order.

    Raises:
        SettingError: the predictions do not know their cases.
    """
    if predictions.cohort is None:
        raise SettingError("These predictions do not know their images", do="predict(model, cohort)")
    return list(predictions.cohort)
