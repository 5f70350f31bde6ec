"""`evaluate`: metrics with confidence intervals for predictions of any kind, beside their trivial baselines.

Each kind of task has its metrics in a module of its own, registered under the entry point group `firstread.metrics`:
`firstread.evaluation.classification`, `firstread.evaluation.segmentation`. Another package adds a kind the same way,
see docs/how-to/add-a-metric.md.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from inspect import signature
from typing import TYPE_CHECKING, Any, ClassVar, Self

from firstread.core.errors import SettingError, suggest
from firstread.core.files import to_jsonable
from firstread.core.predictions import Predictions
from firstread.core.registry import find_registered
from firstread.evaluation.intervals import Estimate

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Evaluation(ABC):
    """Result of `evaluate`, whatever the kind of task: metrics, the trivial rules, notes, figures.

    Attributes:
        summary: name of a metric -> its estimate. A name says where lower is better, and which structure is meant.
        comparison: the network and each trivial rule, with at least `name` and `role` ("network", "trivial rule").
        notes: remarks for the reader: what is positive, cases left out, metrics that could not be computed.
        predictions: the evaluated predictions.
    """

    #: metrics that a notebook shows at once, the others folded; empty shows all
    main_metrics: ClassVar[tuple[str, ...]] = ()

    summary: dict[str, Estimate]
    comparison: "pd.DataFrame"
    notes: tuple[str, ...]
    predictions: Predictions = field(repr=False)

    @cached_property
    def table(self) -> "pd.DataFrame":
        """The summary as a table: `metric`, `value`, `low`, `high`, `method`; `cases` and `remark` if stated."""
        import pandas as pd

        rows = [(name, e.value, e.low, e.high, e.method) for name, e in self.summary.items()]
        table = pd.DataFrame(rows, columns=["metric", "value", "low", "high", "method"])
        for column in ("cases", "remark"):
            values = [getattr(estimate, column) for estimate in self.summary.values()]
            if any(value not in (None, "") for value in values):
                place = 4 if column == "cases" else len(table.columns)
                table.insert(place, column, pd.Series(values, dtype=object))
        return table

    def metric(self, name: str) -> Estimate:
        """One metric by name, such as "AUC" or "liver: Dice"."""
        if name not in self.summary:
            raise SettingError(f'There is no metric "{name}"', expected=", ".join(self.summary))
        return self.summary[name]

    @abstractmethod
    def figure(self) -> "Figure":
        """Figure of the main results, the trivial rules among them."""

    def details(self) -> "Figure | None":
        """Figure with more detail, where a kind has one."""
        return None

    def headline(self) -> str:
        """The main result in a sentence or two, the best trivial rule beside it; the first words of a report."""
        name, estimate = next(iter(self.summary.items()))
        return f"{self.predictions.model}, {name}: {estimate}."

    def tables(self) -> "dict[str, pd.DataFrame]":
        """Caption -> further tables of the kind, for a report."""
        return {}

    def show(self) -> Self:
        """Return the evaluation, which a notebook displays as tables and figures."""
        return self

    def to_json(self) -> dict[str, Any]:
        """Metrics, comparison, notes and what the kind adds, as JSON-serializable values; infinite becomes None."""
        values: dict[str, Any] = to_jsonable(
            {
                "model": self.predictions.model,
                "cases": len(self.predictions),
                "metrics": self.table.set_index("metric").to_dict("index"),
                "comparison": self.comparison.to_dict("records"),
                **self._extra_json(),
                "notes": self.notes,
            }
        )
        return values

    def __repr__(self) -> str:
        return "\n\n".join(
            [_to_text(self.table), _to_text(self.comparison, missing=""), *self._extra_text(), *self.notes]
        )

    def _repr_html_(self) -> str:
        from html import escape

        from firstread.core.figures import figure_html

        table = to_html(self.table)
        if self.main_metrics:
            folded = fold(f"All {len(self.table)} metrics, and how each was found", table)
            table = to_html(self._main_table()) + folded
        pictures = "".join(f"<div>{figure_html(figure)}</div>" for figure in self._figures())
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        return f"{table}<h4>Beside trivial rules</h4>{self._comparison_html()}{pictures}{notes}"

    def _main_table(self) -> "pd.DataFrame":
        """The main metrics, each with its interval as text."""
        import pandas as pd

        rows = [(name, str(self.summary[name])) for name in self.main_metrics if name in self.summary]
        return pd.DataFrame(rows, columns=["metric", "value [interval]"])

    def _comparison_html(self) -> str:
        """The network and the trivial rules, as a notebook shows them."""
        return to_html(self.comparison, missing="")

    def _figures(self) -> "tuple[Figure, ...]":
        """The main results as a notebook shows them: figures that are read at the width of its page."""
        return (self.figure(),)

    def _extra_text(self) -> tuple[str, ...]:
        """Tables that a kind adds to the text."""
        return ()

    def _extra_json(self) -> dict[str, Any]:
        """Values that a kind adds to `to_json`."""
        return {}


def evaluate(predictions: Predictions, **options: Any) -> Evaluation:
    """Evaluate predictions: metrics with confidence intervals, always beside their trivial baselines.

    A radiologist should care because a number without its interval, its missed cases and a trivial rule beside it can
    be read as anything.

    Args:
        predictions: from `predict`, or any table with the columns of its task. Cases without a truth are left out and
            counted.
        **options: of the task's metrics. Of all: `confidence` (0.95). Classification: `threshold` (0.5, or
            "validation:sensitivity=0.95" with `validation`), `prevalence`, `by` (subgroups), `external` (a second
            cohort); see `firstread.evaluation.classification.evaluate_classification`. Segmentation: `tolerance_mm`
            (2), `organ`, `lesions`, `seed` (0) of the bootstrap; see
            `firstread.evaluation.segmentation.evaluate_segmentation`.

    Returns:
        Tables, figures and notes of the task's kind.

    Raises:
        DataError: no case has a truth.
        SettingError: an option that the kind does not have, or an impossible value.
        MissingDependencyError: no installed package has metrics for this kind of task.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"case": list("abcd"), "truth": list("nynn"), "score_n": [0.9, 0.2, 0.8, 0.7]})
        >>> from firstread.core.tasks import Classification
        >>> answers = Predictions(table.assign(score_y=1 - table["score_n"]), Classification(("n", "y")))
        >>> str(evaluate(answers).metric("accuracy"))
        '1.000 [0.510, 1.000]'
    """
    measure: Callable[..., Evaluation] = find_registered("metrics", predictions.task.kind)
    known = list(signature(measure).parameters)[1:]
    for name in options:
        if name not in known:
            raise SettingError(f'{predictions.task.kind} has no option "{name}".{suggest(name, known)}')
    found = measure(predictions, **options)
    return replace(found, notes=(*predictions.warnings, *found.notes)) if predictions.warnings else found


def _to_text(table: "pd.DataFrame", *, missing: str = "not defined") -> str:
    return table.to_string(index=False, float_format=_number, na_rep=missing)


def fold(title: str, html: str) -> str:
    """HTML behind a line that opens it."""
    return f"<details><summary>{title}</summary>{html}</details>"


def to_html(table: "pd.DataFrame", *, missing: str = "not defined") -> str:
    """HTML of a table with three decimals; `missing` stands for what is not defined."""
    return table.to_html(index=False, float_format=_number, border=0, na_rep=missing)


def _number(value: float) -> str:
    """Three decimals, one from 10 on."""
    if abs(value) == float("inf"):
        return "infinite"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
