"""Evaluation of segmentation: Dice, surface distances with misses counted, volumes, and lesion by lesion.

What a mean hides stands beside it: a structure that was missed has a Dice of 0 and infinite distances, and is counted;
a case that does not have the structure leaves both and is counted among possible false positives. Intervals are by
patient. Each trivial rule stands beside the network, with the difference on the same patients.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from firstread.core.errors import FirstreadError
from firstread.core.predictions import Predictions
from firstread.evaluation.case_measures import MeasureSettings, read_pair
from firstread.evaluation.evaluation import Evaluation
from firstread.evaluation.intervals import Estimate, validate_confidence
from firstread.evaluation.lesion_matches import DEFAULT_RULE, LesionRule
from firstread.evaluation.segmentation_summary import (
    compare_with_rules,
    count_lesions,
    lesion_structures,
    measure_models,
    summarize_cases,
    summarize_lesions,
)
from firstread.evaluation.units import independent_units

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from firstread.evaluation.segmentation_plots import Contours

#: cases in the table of the worst ones
_WORST_SHOWN = 12


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class SegmentationEvaluation(Evaluation):
    """Result of `evaluate_segmentation`; see `Evaluation` for what it shares with other kinds.

    Attributes:
        comparison: one row a structure and model: `name`, `role`, `structure`, `Dice` with `low` and `high`, `missed`,
            `HD95 in mm` (median), and for rules `difference` in Dice (network minus rule) with its interval.
        cases: one row a model, case and structure: `name`, `role`, and what `measure_pair` measures.
        lesions: one row a model and piece of a structure that is counted by piece, see `match_lesions`.
        settings: tolerance, organ and matching rule.
    """

    cases: "pd.DataFrame" = field(repr=False)
    lesions: "pd.DataFrame" = field(repr=False)
    settings: MeasureSettings

    @cached_property
    def structures(self) -> tuple[str, ...]:
        """Names of the structures, in the order of the predictions."""
        return tuple(dict.fromkeys(self.cases["structure"]))

    def worst_case(self, structure: str) -> str | None:
        """Case with the lowest Dice of the network among those that have the structure; None if none has it."""
        cases = self.cases.query("role == 'network' and structure == @structure").dropna(subset="dice")
        return None if cases.empty else str(cases["case"].iloc[int(cases["dice"].argmin())])

    def figure(self) -> "Figure":
        """Figure of each structure: Dice by case beside the trivial rules, Bland-Altman of volumes, the worst case."""
        from firstread.evaluation.segmentation_plots import plot_overview

        worst = {structure: self._contours(structure) for structure in self.structures}
        return plot_overview(self.cases, self.comparison, worst)

    def headline(self) -> str:
        """Dice of each structure with its misses, and of the best trivial rule."""
        sentences = []
        for structure, rows in self.comparison.groupby("structure", sort=False):
            network, rules = rows.iloc[0], rows.iloc[1:]
            text = f"{structure}: Dice {self.metric(f'{structure}: Dice')}"
            if len(rules) and rules["Dice"].notna().any():
                best = rules.iloc[int(np.nanargmax(rules["Dice"]))]
                text += f"; the best trivial rule, {best['name'].removeprefix('rule: ')}, {best['Dice']:.3f}"
            sentences.append(f"{text}." if np.isfinite(network["Dice"]) else f"{structure}: in no case.")
        return " ".join(sentences)

    def tables(self) -> "dict[str, pd.DataFrame]":
        """The cases of the network, worst first."""
        columns = ["case", "structure", "outcome", "dice", "surface_dice", "hd95_mm", "truth_ml", "predicted_ml"]
        network = self.cases[self.cases["role"] == "network"].sort_values("dice", kind="stable")
        return {"The cases with the lowest Dice": network[columns].head(_WORST_SHOWN).reset_index(drop=True)}

    def _contours(self, structure: str) -> "Contours | None":
        """Masks of the worst case, and its scan if it is at hand."""
        from firstread.evaluation.segmentation_plots import Contours

        case = self.worst_case(structure)
        if case is None:
            return None
        table = self.predictions.table
        row = table[(table["case"] == case) & (table["structure"] == structure)].iloc[0]
        scan = None
        if self.predictions.cohort is not None:
            with suppress(FirstreadError):  # a picture without its scan is better than none
                scan = self.predictions.cohort.find(case).volume()
        return Contours(case, *read_pair(row), scan)

    def _extra_json(self) -> dict[str, Any]:
        return {
            "cases": int(self.predictions.table["case"].nunique()),
            "tolerance_mm": self.settings.tolerance_mm,
            "lesions": {name: count_lesions(pieces) for name, pieces in _network_pieces(self.lesions)},
        }


def evaluate_segmentation(
    predictions: Predictions,
    *,
    tolerance_mm: float = 2.0,
    organ: str | None = None,
    lesions: LesionRule = DEFAULT_RULE,
    confidence: float = 0.95,
    seed: int = 0,
) -> SegmentationEvaluation:
    """Segmentation metrics with intervals by patient, always beside trivial baselines (entry point of `metrics`).

    Args:
        predictions: of a `Segmentation`. `value` and `truth_value` are the numbers of the structure in the files, of
            a region several ("1 2 3"); where they are missing all that is not 0 counts. Rows without `truth_file` are
            left out and counted. Where the predictions know their cohort, the scan is drawn under the contours.
        tolerance_mm: distance of surfaces that counts as agreement, for the surface Dice: what two readers differ by.
        organ: structure whose share the others are, such as "liver" for the share that is tumour.
        lesions: which structures are counted by piece, and the rule of matching.
        confidence: of all intervals.
        seed: of the bootstrap.

    Returns:
        Tables, figures and notes.

    Raises:
        DataError: no case has a truth, a mask cannot be read, or it does not lie on the grid of its truth.
        SettingError: an unknown structure, an impossible tolerance or confidence.

    Source: Maier-Hein 2024, Metrics reloaded, doi 10.1038/s41592-023-02151-z.
    """
    validate_confidence(confidence)
    settings = MeasureSettings(tolerance_mm, organ, lesions)
    cases, pieces = measure_models(predictions, settings)
    network = cases[cases["role"] == "network"]
    counted = lesion_structures(network, lesions)
    settings = replace(settings, lesions=replace(lesions, structures=counted))
    pieces = pieces[pieces["structure"].isin(counted)]
    summary: dict[str, Estimate] = {}
    for structure in dict.fromkeys(network["structure"]):
        rows = network[network["structure"] == structure]
        measures = summarize_cases(rows, settings, confidence=confidence, seed=seed)
        if structure in counted:
            mine = pieces[(pieces["role"] == "network") & (pieces["structure"] == structure)]
            measures |= summarize_lesions(mine, rows, confidence=confidence)
        summary |= {f"{structure}: {name}": estimate for name, estimate in measures.items()}
    evaluation = SegmentationEvaluation(
        summary=summary,
        comparison=compare_with_rules(cases, confidence=confidence, seed=seed),
        notes=(),
        predictions=predictions,
        cases=cases,
        lesions=pieces,
        settings=settings,
    )
    return replace(evaluation, notes=tuple(_make_notes(evaluation)))


def _make_notes(evaluation: SegmentationEvaluation) -> Iterator[str]:
    """Remarks for the reader: cases left out, misses, the rule of matching, merged and split, rules that do as well."""
    table = evaluation.predictions.table
    network = evaluation.cases[evaluation.cases["role"] == "network"]
    left_out = int(table["truth_file"].isna().sum())
    if left_out:
        yield f"{left_out} rows have no known truth and were left out."
    for structure, rows in network.groupby("structure", sort=False):
        missed, absent = int((rows["outcome"] == "missed").sum()), int((rows["truth_ml"] == 0).sum())
        if missed:
            yield (
                f"{structure}: {missed} of {len(rows) - absent} missed, without a voxel in common. Their Dice is 0, "
                "and where nothing was predicted at all their distance is infinite; nothing is averaged over the rest."
            )
        if absent:
            yield f"{structure}: {absent} of {len(rows)} cases do not have it and enter the false positives only."
    pieces = list(_network_pieces(evaluation.lesions))
    if pieces:
        yield f"Counted by piece: {', '.join(name for name, _ in pieces)}. {evaluation.settings.lesions.describe()}"
    for structure, rows in pieces:
        counts = count_lesions(rows)
        yield (
            f"{structure}: {counts['found']} of {counts['lesions']} found one to one ({counts['touched']} touched at "
            f"all), {counts['false positives']} false positives ({counts['false positives that touch no lesion']} that "
            f"touch none), {counts['merged']} merged, {counts['split']} split."
        )
    if "seed" in table and table["seed"].nunique() > 1:
        yield f"Of {table['seed'].nunique()} seeds: every case counts once a seed, and intervals are by patient."
    if note := independent_units(network).note:
        yield note
    yield from _rule_notes(evaluation)


def _rule_notes(evaluation: SegmentationEvaluation) -> Iterator[str]:
    """Which trivial rules do as well as the network, or cannot be told apart from it."""
    rules = evaluation.comparison[evaluation.comparison["role"] == "trivial rule"]
    if rules.empty:
        yield "No trivial rule stands beside these predictions: the training cases are not known."
    for _, row in rules.iterrows():
        name = f"{row['name']} ({row['structure']}: Dice {row['Dice']:.3f})"
        if row["difference"] <= 0:
            yield f"A trivial rule does as well as the network or better: {name}. What has it learnt?"
        elif row["difference low"] <= 0:
            yield f"The network cannot be told apart from a trivial rule on these cases: {name}."


def _network_pieces(lesions: "pd.DataFrame") -> "Iterator[tuple[str, pd.DataFrame]]":
    """Pieces of the network's masks and of their truth, by structure."""
    for structure, rows in lesions[lesions["role"] == "network"].groupby("structure", sort=False):
        yield str(structure), rows
