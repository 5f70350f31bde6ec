"""The learner's own look through a pile: a button for what is wrong with each series, then beside what was planted."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from firstread.core.errors import SettingError
from firstread.lessons.first_read import ImageReading
from firstread.lessons.notes import Note
from firstread.lessons.pile import BUTTON_OF, Pile, PileSeries

if TYPE_CHECKING:
    from firstread.core.case import Case
    from firstread.lessons.pile_curation import PileCuration, ReadingComparison

#: series that a learner looks through: each fault once, both of a pair, and some that are fine
_FINE = 4
_WITHOUT_TRUTH = 12


class PileReading(ImageReading):
    """Series of a pile that a learner looks through before a program does; answers are the buttons of `BUTTON_OF`."""

    picture_pixels, tile_pixels = 302, 250
    cases: "tuple[PileSeries, ...]"

    def score(self) -> Note:
        """How many were named as they were planted.

        Raises:
            NotYetError: not every series has an answer.
        """
        answers = self._read()
        if any(one.label is None for one in self.cases):
            return Note("Nobody knows what is wrong with these. Compare your answers with what a program finds.")
        correct = self._count(answers)
        self._on_score(correct)
        lines = [f"You named {correct} of {len(self.cases)} as they were planted."]
        rows = zip(self.cases, answers, strict=True)
        lines += [
            f"Image {number} is {one.label}: you said {said}."
            for number, (one, said) in enumerate(rows, start=1)
            if said != one.label
        ]
        return Note("\n".join(lines))

    def compare(self, curation: "PileCuration") -> "ReadingComparison":  # type: ignore[override]
        """The learner beside a curation of the same series, with its evidence.

        Raises:
            NotYetError: not every series has an answer.
        """
        from firstread.lessons.pile_curation import ReadingComparison

        return ReadingComparison.of(self.cases, self._read(), curation)

    def _caption(self, case: "Case | PileSeries") -> str:
        return case.caption if isinstance(case, PileSeries) else ""


def choose_series(pile: Pile, *, seed: int) -> list[PileSeries]:
    """The series that a learner looks through: one of each fault, both of a pair, four that are fine; a dozen unknown.

    Raises:
        SettingError: the pile is empty.
    """
    rng = np.random.default_rng(seed)
    if not len(pile):
        raise SettingError("The pile is empty", where=pile.folder)
    if not pile.has_truth:
        return [pile.series[i] for i in sorted(rng.permutation(len(pile))[:_WITHOUT_TRUTH])]
    chosen: list[PileSeries] = []
    for fault in BUTTON_OF:
        candidates = [one for one in pile.series if one.planted == fault]
        if fault == "twice":
            chosen += _pair(candidates, rng)
        else:
            picked = rng.permutation(len(candidates))[: _FINE if fault == "fine" else 1]
            chosen += [candidates[i] for i in picked]
    return [chosen[i] for i in rng.permutation(len(chosen))]


def _pair(candidates: Sequence[PileSeries], rng: np.random.Generator) -> Iterable[PileSeries]:
    """A series and its copy, of one patient."""
    counts = Counter(one.patient for one in candidates)
    patients = sorted(patient for patient, count in counts.items() if count == 2)
    drawn = patients[int(rng.integers(len(patients)))] if patients else ""
    return [one for one in candidates if one.patient == drawn]
