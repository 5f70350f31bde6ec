"""Coverage of the intervals of calibration, by simulation: how many of them hold the true value.

Scores are binormal, turned into the probabilities that they are (calibrated), or with twice their logit (overconfident:
true slope 0.5). Of several cases of a patient the scores err together (correlation 0.6).
"""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import norm

from firstread.evaluation.calibration import calibration_intercept, calibration_slope, observed_minus_expected
from firstread.evaluation.decision_curve import decision_curve

CORRELATION = 0.6
THRESHOLD = 0.3


@dataclass(frozen=True)
class Setting:
    """One cell of the simulation.

    Attributes:
        patients, cases: number of patients, and of cases of each.
        same_truth: all cases of a patient are of one class, as several seeds of one case are.
        stretch: of the logit of the calibrated score; 2 is overconfident.
    """

    patients: int
    cases: int
    same_truth: bool
    prevalence: float
    auc: float
    stretch: float

    def draw(self, rng: np.random.Generator, patients: int | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(truth, scores, groups) of one study."""
        patients = patients or self.patients
        groups = np.repeat(np.arange(patients), self.cases)
        drawn = rng.random(patients)[groups] if self.same_truth else rng.random(len(groups))
        truth = (drawn < self.prevalence).astype(int)
        shared = CORRELATION if self.cases > 1 else 0.0
        noise = np.sqrt(shared) * rng.normal(size=patients)[groups] + np.sqrt(1 - shared) * rng.normal(size=len(groups))
        distance = np.sqrt(2) * norm.ppf(self.auc)
        calibrated = distance * (distance * (truth - 0.5) + noise) + logit(self.prevalence)
        return truth, expit(self.stretch * calibrated), groups

    def true_values(self) -> dict[str, float]:
        """Slope, intercept, observed minus expected and net benefit of all patients that there could be."""
        truth, scores, _ = self.draw(np.random.default_rng(1), 1_000_000 // self.cases)
        logits = logit(np.clip(scores, 1e-6, 1 - 1e-6))
        intercept = brentq(lambda a: expit(logits + a).mean() - truth.mean(), -8, 8, xtol=1e-6)
        positive = scores >= THRESHOLD
        benefit = (positive & (truth == 1)).mean() - (positive & (truth == 0)).mean() * THRESHOLD / (1 - THRESHOLD)
        calibrated = self.stretch == 1
        return {
            "slope": 1 / self.stretch,
            "intercept": 0.0 if calibrated else float(intercept),
            "observed minus expected": 0.0 if calibrated else float((truth - scores).mean()),
            "net benefit": float(benefit),
        }


def settings() -> list[Setting]:
    """All cells."""
    designs = [(n, 1, False) for n in (20, 40, 200)]
    designs += [(n, cases, same) for n, cases in ((10, 4), (20, 5), (40, 5)) for same in (False, True)]
    return [
        Setting(*design, prevalence, auc, stretch)
        for design in designs
        for prevalence in (0.5, 0.1)
        for auc in (0.8, 0.95)
        for stretch in (1.0, 2.0)
    ]


def _net_benefit(truth: np.ndarray, scores: np.ndarray, groups: np.ndarray) -> Any:
    row = decision_curve(truth, scores, groups, thresholds=[THRESHOLD]).iloc[0]
    return type("Bounds", (), {"low": row["low"], "high": row["high"]})


MEASURES: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], Any]] = {
    "slope": calibration_slope,
    "intercept": calibration_intercept,
    "observed minus expected": observed_minus_expected,
    "net benefit": _net_benefit,
}


def calibration_coverage(quick: bool) -> dict[str, Any]:
    """Coverage of 95 % intervals, one row a cell and measure.

    Args:
        quick: 20 studies a cell, to see that it runs, instead of 400.

    Returns:
        `rows`: the setting, `measure`, `truth`, `estimable` (share of studies with an interval), `coverage` (of these),
        `wrong` (share of all studies whose interval leaves out the truth), `too high`, `too low` (its two sides).
    """
    runs = 20 if quick else 400
    with ProcessPoolExecutor() as pool:
        cells = pool.map(partial(_cell, runs=runs), settings())
        return {"runs": runs, "rows": [row for rows in cells for row in rows]}


def _cell(setting: Setting, *, runs: int) -> list[dict[str, Any]]:
    """One row a measure."""
    truths, rows = setting.true_values(), []
    rng = np.random.default_rng(2026)
    bounds = {name: np.full((runs, 2), np.nan) for name in MEASURES}
    for run in range(runs):
        study = setting.draw(rng)
        for name, measure in MEASURES.items():
            found = measure(*study)
            bounds[name][run] = found.low, found.high
    for name, found in bounds.items():
        low, high = found[~np.isnan(found).any(axis=1)].T
        too_high, too_low = (low > truths[name]).sum(), (high < truths[name]).sum()
        wrong = too_high + too_low
        rows.append(
            {
                **vars(setting),
                "measure": name,
                "truth": round(truths[name], 3),
                "estimable": len(low) / runs,
                "coverage": round(1 - wrong / len(low), 3) if len(low) else None,
                "wrong": wrong / runs,
                "too high": too_high / runs,
                "too low": too_low / runs,
            }
        )
    return rows
