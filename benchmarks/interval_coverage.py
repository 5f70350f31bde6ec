"""Simulated coverage of every interval that `evaluate` shows, and how often `compare` calls equal recipes different.

Scores are binormal and turned into calibrated probabilities (a network that knows the prevalence), so that the true
value of every metric is known from a million cases.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from scipy.stats import norm

from firstread.core.predictions import Predictions
from firstread.core.tasks import Classification
from firstread.evaluation.class_metrics import binary_metrics
from firstread.evaluation.comparison import compare
from firstread.evaluation.scored_cases import ScoredCases
from firstread.evaluation.scorer import Scorer

CLASSES = ("normal", "disease")
#: AUC, prevalence, cases
DESIGNS = tuple(
    (auc, prevalence, cases) for prevalence in (0.5, 0.1) for auc in (0.8, 0.95, 0.99) for cases in (20, 40, 200)
)
#: patients, images a patient, correlation of the latent score within a patient
CLUSTERED = ((12, 10, 0.6), (40, 5, 0.6), (20, 10, 0.3))
CLINIC_PREVALENCE = 0.05
#: two equal recipes on the same cases: patients, images of each, seeds, and how seeds and images depend on one another
NULL_DESIGNS: dict[str, dict[str, Any]] = {
    "40 cases": {"patients": 40},
    "200 cases": {"patients": 200},
    "40 cases, 3 seeds": {"patients": 40, "seeds": 3},
    "40 cases, 3 seeds that differ": {"patients": 40, "seeds": 3, "seed_spread": 0.5},
    "200 cases, 3 seeds that differ": {"patients": 200, "seeds": 3, "seed_spread": 0.5},
    "40 patients x 5 images, correlation 0.6": {"patients": 40, "images": 5, "correlation": 0.6},
    "20 patients x 10 images, correlation 0.6": {"patients": 20, "images": 10, "correlation": 0.6},
    "20 patients x 30 images, correlation 0.6": {"patients": 20, "images": 30, "correlation": 0.6},
    "20 patients x 10 images, 3 seeds": {"patients": 20, "images": 10, "correlation": 0.6, "seeds": 3},
}


def interval_coverage(quick: bool) -> dict[str, Any]:
    """Coverage of 95 % intervals: design -> metric -> coverage, mean width, share of studies without an interval."""
    with ProcessPoolExecutor() as pool:
        names = [name for name, _ in _designs()]
        return dict(zip(names, pool.map(partial(_coverage_of, runs=60 if quick else 1000), names), strict=True))


def comparison_type_one(quick: bool) -> dict[str, Any]:
    """Share of comparisons of two equal recipes in which one is called better, at a nominal 5 %."""
    with ProcessPoolExecutor() as pool:
        found = pool.map(partial(_type_one_of, runs=60 if quick else 1000), NULL_DESIGNS)
        return dict(zip(NULL_DESIGNS, found, strict=True))


def _coverage_of(design: str, *, runs: int) -> dict[str, dict[str, float | None]]:
    draw, rng = dict(_designs())[design], np.random.default_rng(0)
    truth, scores, _ = draw(rng, 1_000_000)
    true = {**_metrics(truth, scores, None), **_metrics(truth, scores, CLINIC_PREVALENCE)}
    found: dict[str, list[tuple[bool, float]]] = {name: [] for name in true}
    for _ in range(runs):
        truth, scores, patients = draw(rng, None)
        if len(np.unique(truth)) < 2:
            continue
        scorer = Scorer(_cases(truth, scores, patients))
        for name, estimate in {
            **binary_metrics(scorer),
            **binary_metrics(scorer, prevalence=CLINIC_PREVALENCE),
        }.items():
            if np.isfinite([estimate.low, estimate.high]).all():
                inside = estimate.low - 1e-9 <= true[name] <= estimate.high + 1e-9
                found[name].append((inside, estimate.high - estimate.low))
    return {
        name: {
            "coverage": round(float(np.mean([inside for inside, _ in hits])), 3) if hits else None,
            "width": round(float(np.mean([width for _, width in hits])), 3) if hits else None,
            "no interval": round(1 - len(hits) / runs, 3),
        }
        for name, hits in found.items()
    }


def _type_one_of(design: str, *, runs: int) -> dict[str, dict[str, float]]:
    rng, settings = np.random.default_rng(1), NULL_DESIGNS[design]
    better = dict.fromkeys(("accuracy", "sensitivity", "specificity", "AUC"), 0)
    covered = dict.fromkeys(better, 0)
    for _ in range(runs):
        first, second = _equal_recipes(rng, **settings)
        comparison = compare({"a": first, "b": second})
        for metric in better:
            pair = comparison.difference("a", "b", metric)
            better[metric] += pair.shown(0.95)
            covered[metric] += bool(pair.estimate.low <= 0 <= pair.estimate.high)
    return {
        metric: {"called better": better[metric] / runs, "interval covers 0": covered[metric] / runs}
        for metric in better
    }


def _designs() -> Iterator[tuple[str, Callable[..., tuple[np.ndarray, np.ndarray, np.ndarray | None]]]]:
    for auc, prevalence, cases in DESIGNS:
        yield f"AUC {auc}, prevalence {prevalence}, {cases} cases", _independent(auc, prevalence, cases)
    for patients, images, correlation in CLUSTERED:
        yield (
            f"AUC 0.8, {patients} patients x {images}, correlation {correlation}",
            _clustered(0.8, patients, images, correlation),
        )


def _independent(auc: float, prevalence: float, cases: int) -> Callable[..., tuple[np.ndarray, np.ndarray, None]]:
    shift = norm.ppf(auc) * np.sqrt(2)

    def draw(rng: np.random.Generator, count: int | None) -> tuple[np.ndarray, np.ndarray, None]:
        truth = (rng.random(count or cases) < prevalence).astype(int)
        latent = rng.normal(size=len(truth)) + shift * truth
        return truth, expit(shift * latent - shift**2 / 2 + logit(prevalence)), None

    return draw


def _clustered(
    auc: float, patients: int, images: int, correlation: float
) -> Callable[..., tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Half of the patients are positive in all images; the latent score of a patient's images is correlated."""
    shift = norm.ppf(auc) * np.sqrt(2)

    def draw(rng: np.random.Generator, count: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        number = patients if count is None else count // images
        truth = np.repeat((rng.random(number) < 0.5).astype(int), images)
        latent = np.sqrt(correlation) * np.repeat(rng.normal(size=number), images)
        latent += np.sqrt(1 - correlation) * rng.normal(size=number * images) + shift * truth
        return truth, expit(shift * latent - shift**2 / 2), np.repeat(np.arange(number), images)

    return draw


def _metrics(truth: np.ndarray, scores: np.ndarray, prevalence: float | None) -> dict[str, float]:
    """Metrics of so many cases that they are taken for true."""
    from firstread.evaluation import metrics

    predicted = (scores >= 0.5).astype(int)
    proportions = {k: hits / trials for k, (hits, trials) in metrics.binary_proportions(truth, predicted).items()}
    values = {name: proportions[name] for name in ("accuracy", "sensitivity", "specificity")}
    if prevalence is None:
        values |= {"PPV": proportions["PPV"], "NPV": proportions["NPV"]}
    else:
        from firstread.evaluation.thresholds import predictive_values

        ppv, npv = predictive_values(values["sensitivity"], values["specificity"], prevalence=prevalence)
        values |= {f"PPV at {prevalence:.0%}": ppv, f"NPV at {prevalence:.0%}": npv}
    return values | {
        "F1": metrics.f1_score(truth, predicted),
        "AUC": metrics.auc(truth, scores),
        "partial AUC (specificity >= 0.8)": metrics.partial_auc(truth, scores),
        "average precision": metrics.average_precision(truth, scores),
        "Brier score (lower is better)": float(((scores - truth) ** 2).mean()),
    }


def _cases(truth: np.ndarray, scores: np.ndarray, patients: np.ndarray | None) -> ScoredCases:
    return ScoredCases.of(_predictions(truth, scores, {} if patients is None else {"patient": patients.astype(str)}))


def _predictions(truth: np.ndarray, scores: np.ndarray, columns: dict[str, np.ndarray]) -> Predictions:
    case = columns.pop("case", np.arange(len(truth)).astype(str))
    names = np.array(CLASSES)[truth]
    table = {"case": case, "truth": names, "score_normal": 1 - scores, "score_disease": scores, **columns}
    return Predictions(pd.DataFrame(table), Classification(CLASSES), "net")


def _equal_recipes(
    rng: np.random.Generator,
    *,
    patients: int,
    images: int = 1,
    correlation: float = 0.0,
    seeds: int = 1,
    seed_spread: float = 0.0,
) -> tuple[Predictions, Predictions]:
    """Two recipes of the same skill on the same cases: patients' difficulty is shared, errors of each are its own."""
    count = patients * images
    truth = np.repeat(np.arange(patients) % 2, images)
    shared = np.repeat(rng.normal(size=patients), images)
    recipes = []
    for _ in range(2):
        rows = []
        for seed in range(seeds):
            own = np.repeat(rng.normal(size=patients), images)
            latent = 0.6 * shared + np.sqrt(correlation) * 0.8 * own
            latent = latent + np.sqrt(1 - correlation) * 0.8 * rng.normal(size=count)
            skill = 1.2 + seed_spread * rng.normal()
            scores = expit(1.2 * (latent + skill * (truth - 0.5)))
            columns = {"case": np.arange(count).astype(str), "seed": np.full(count, seed)}
            if images > 1:
                columns["patient"] = np.repeat(np.arange(patients), images).astype(str)
            rows.append((truth, scores, columns))
        merged = {name: np.concatenate([columns[name] for *_, columns in rows]) for name in rows[0][2]}
        recipes.append(
            _predictions(np.concatenate([t for t, *_ in rows]), np.concatenate([s for _, s, _ in rows]), merged)
        )
    return recipes[0], recipes[1]
