"""One department's images as three data sets, and what the choice does to the number that is measured."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firstread.core.errors import SettingError, suggest
from firstread.core.progress_bar import ProgressBar

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from firstread.core.cohort import Cohort
    from firstread.core.predictions import Predictions
    from firstread.evaluation.intervals import Estimate
    from firstread.learning.models.classifier import Classifier

CLASSES = ("no lesion", "lesion")
#: shares of training, validation and test: a quarter to test, because there are few patients
FRACTIONS = (0.65, 0.10, 0.25)
#: a lesion of this diameter is large
LARGE_MM = 25.0
AS_IT_LIES, CURATED, LARGE_ONLY = "as it lies", "curated", "large lesions only"
_RULE = "rule: nearest training image"


@dataclass(frozen=True, eq=False)
class DatasetVersions:
    """Data sets made from the same images, and a test set that none of them has seen.

    Attributes:
        cohorts: name of a version -> its cohort, with splits.
        clean: images of other patients, without faults: the same test for all.
    """

    cohorts: "Mapping[str, Cohort]"
    clean: "Cohort"

    @classmethod
    def open(cls, folder: Path, *, seed: int) -> "DatasetVersions":
        """Make the versions from the images of `folder` (slices.csv).

        Args:
            folder: of `phantoms.archive.teaching_slices`.
            seed: of the splits.
        """
        import pandas as pd

        from firstread.core.splits import split_by_patient, split_random

        table = pd.read_csv(folder / "slices.csv")
        table["case"] = table["file"].str.removesuffix(".png")
        table["label"] = [CLASSES[int(size > 0)] for size in table["lesion_mm"]]
        table["file"] = [str(folder / file) for file in table["file"]]
        department, clean = (table[table["part"] == part] for part in ("department", "clean"))
        copies = department[department["twice"]]
        pile = pd.concat([department, copies.assign(case=copies["case"] + " again")], ignore_index=True)
        curated = department[department["phase"] == "venous"]
        size = curated["lesion_mm"]
        large = curated[(size == 0) | (size >= LARGE_MM)]
        cohorts = {
            AS_IT_LIES: split_random(_cohort(pile, AS_IT_LIES), fractions=FRACTIONS, seed=seed),
            CURATED: split_by_patient(_cohort(curated, CURATED), fractions=FRACTIONS, seed=seed),
            LARGE_ONLY: split_by_patient(_cohort(large, LARGE_ONLY), fractions=FRACTIONS, seed=seed),
        }
        return cls(cohorts, _cohort(clean.assign(split="test"), "clean test set"))

    def __getitem__(self, name: str) -> "Cohort":
        if name not in self.cohorts:
            raise SettingError(f'There is no version "{name}".{suggest(name, self.cohorts)}')
        return self.cohorts[name]

    @property
    def table(self) -> "pd.DataFrame":
        """One row a version, and the clean test set: images, patients, with a lesion, in the own test, divided by."""
        import pandas as pd

        rows = [
            (name, *_count(cohort), len(cohort.test), "image" if name == AS_IT_LIES else "patient")
            for name, cohort in self.cohorts.items()
        ]
        rows.append(("clean test set", *_count(self.clean), len(self.clean), "none of them in any other"))
        columns = ["data set", "patients", "images", "with a lesion", "in its own test", "divided by"]
        return pd.DataFrame(rows, columns=columns)

    def compare(
        self, trained: "Mapping[str, Classifier]", *, recipe: Mapping[str, Any], seed: int
    ) -> "VersionResults":
        """Train a network on each version that is not yet trained, and measure all on their own and on the clean test.

        Args:
            trained: name of a version -> network that was trained on it already.
            recipe: settings of the network and of its two phases, `frozen` and `unfrozen`.
            seed: of everything random.
        """
        from firstread.learning.prediction import predict

        measured = []
        with ProgressBar("Training on each data set", len(self.cohorts), unit="network") as bar:
            for name, cohort in self.cohorts.items():
                model = trained.get(name) or train_on(cohort, recipe=recipe, seed=seed)
                answers = {"own": predict(model, cohort.test), "clean": predict(model, self.clean)}
                rules = {"own": _nearest(cohort, cohort.test), "clean": _nearest(cohort, self.clean)}
                measured.append(VersionResult(name, answers, rules))
                bar.update()
        return VersionResults(tuple(measured))

    def __repr__(self) -> str:
        return self.table.to_string(index=False)

    def _repr_html_(self) -> str:
        return self.table.to_html(index=False, border=0)


def train_on(cohort: "Cohort", *, recipe: Mapping[str, Any], seed: int) -> "Classifier":
    """A network trained on one version: first its last layers, then all of it."""
    import firstread as fr  # by its public name, which a class's warm-up cuts to one epoch

    network = {name: recipe[name] for name in ("backbone", "size", "weights")}
    model: Classifier = fr.build_model(classes=cohort.classes, seed=seed, **network)
    first = fr.train(model, cohort, freeze=True, **recipe["frozen"], seed=seed, checkpoints=False, quiet=True)
    fr.train(model, cohort, resume=first, **recipe["unfrozen"], seed=seed, checkpoints=False, quiet=True)
    return model


@dataclass(frozen=True, eq=False)
class VersionResult:
    """What was measured of one version.

    Attributes:
        name: of the version.
        answers: "own" or "clean" -> answers of its network on that test.
        rules: the same of the nearest training image, a rule that knows nothing of lesions.
    """

    name: str
    answers: "Mapping[str, Predictions]" = field(repr=False)
    rules: "Mapping[str, Predictions]" = field(repr=False)

    def auc(self, test: str, *, rule: bool = False) -> "Estimate":
        """AUC on a test with its interval by patient."""
        from firstread.evaluation.evaluation import evaluate

        return evaluate((self.rules if rule else self.answers)[test]).metric("AUC")


@dataclass(frozen=True, eq=False)
class VersionResults:
    """The numbers of all versions: on the test that each divided off from itself, and on the clean one."""

    rows: tuple[VersionResult, ...]

    @property
    def table(self) -> "pd.DataFrame":
        """One row a version: AUC with interval on its own test and on the clean one, and of the rule."""
        import pandas as pd

        found = [
            (row.name, *(str(row.auc(test, rule=rule)) for rule in (False, True) for test in ("own", "clean")))
            for row in self.rows
        ]
        columns = ["trained on", "AUC, own test", "AUC, clean test", "nearest image, own", "nearest image, clean"]
        return pd.DataFrame(found, columns=columns)

    def figure(self) -> "Figure":
        """AUC with intervals: each version on its own test and on the clean one, the rule beside it."""
        from firstread.core.figures import PALETTE, new_figure

        figure, axes = new_figure(panel_width_inches=7.5, panel_height_inches=1.0 + 0.85 * len(self.rows))
        axis = axes[0, 0]
        looks = {"own": ("o", PALETTE[1], "white", -0.16), "clean": ("s", PALETTE[0], PALETTE[0], 0.16)}
        for place, row in enumerate(self.rows):
            for test, (marker, color, fill, shift) in looks.items():
                auc = row.auc(test)
                label = f"{test} test" if place == 0 else None
                axis.plot([auc.low, auc.high], [place + shift] * 2, color=color, linewidth=2.5)
                axis.plot(
                    auc.value, place + shift, marker, color=color, markerfacecolor=fill, markersize=9, label=label
                )
                rule = row.auc(test, rule=True).value
                named = "nearest training image" if place == 0 and test == "own" else None
                axis.plot(rule, place + shift, "x", color=PALETTE[6], markersize=8, markeredgewidth=2, label=named)
        axis.set_yticks(range(len(self.rows)), [row.name for row in self.rows])
        axis.set(xlim=(0.4, 1.02), ylim=(len(self.rows) - 0.5, -0.5), xlabel="AUC with its 95% interval by patient")
        axis.axvline(0.5, color="#999999", linewidth=1, linestyle=":")
        axis.legend(loc="upper center", bbox_to_anchor=(0.4, 1.22), ncols=3, fontsize=9)
        return figure

    def to_json(self) -> dict[str, Any]:
        """AUC of each version on both tests, as JSON values."""
        return {row.name: {test: row.auc(test).value for test in ("own", "clean")} for row in self.rows}

    def __repr__(self) -> str:
        return self.table.to_string(index=False)

    def _repr_html_(self) -> str:
        from firstread.core.figures import figure_html

        return f"{figure_html(self.figure())}{self.table.to_html(index=False, border=0)}"


def _cohort(table: "pd.DataFrame", name: str) -> "Cohort":
    from firstread.core.cohort import Cohort
    from firstread.core.columns import make_table
    from firstread.core.provenance import Origin

    columns = [column for column in ("case", "file", "label", "patient", "split", "lesion_mm") if column in table]
    rows = [dict(zip(columns, row, strict=True)) for row in table[columns].itertuples(index=False)]
    return Cohort.from_table(make_table(rows), CLASSES, Origin(name, "liver slices of phantom patients", "Apache-2.0"), ())


def _count(cohort: "Cohort") -> Iterator[int]:
    yield cohort.table["patient"].nunique()
    yield len(cohort)
    yield int((cohort.targets == 1).sum())


def _nearest(cohort: "Cohort", test: "Cohort") -> "Predictions":
    """Answers of the rule that looks for the most similar training image."""
    from firstread.curation.baselines import trivial_baselines

    return next(one for one in trivial_baselines(cohort.train, test) if one.model == _RULE)
