"""Agreement of AUCs, their variances and their paired test with R's pROC (Debian: r-base-core, r-cran-proc)."""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import norm

from firstread.evaluation import metrics
from firstread.evaluation.influence import Sample, auc_influence

SCRIPT = """
library(pROC)
folder <- commandArgs(trailingOnly = TRUE)[1]
for (file in list.files(folder, pattern = "csv$", full.names = TRUE)) {
  d <- read.csv(file)
  a <- roc(d$truth, d$first, quiet = TRUE, direction = "<")
  b <- roc(d$truth, d$second, quiet = TRUE, direction = "<")
  partial <- auc(a, partial.auc = c(1, 0.8), partial.auc.correct = TRUE)
  values <- c(auc(a), var(a), partial, auc(b), var(b), roc.test(a, b, method = "delong")$p.value)
  cat(basename(file), sprintf("%.12f", values), "\\n")
}
"""


def compare_with_proc(quick: bool) -> dict[str, Any]:
    """Largest absolute difference to pROC, over data sets of different size, prevalence and number of ties."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        return {"skipped": "Rscript is not installed (Debian: r-base-core, r-cran-proc)"}
    with tempfile.TemporaryDirectory() as folder:
        cases = {f"{number}.csv": _draw(number) for number in range(5 if quick else 100)}
        for name, columns in cases.items():
            np.savetxt(
                Path(folder) / name, columns, delimiter=",", header="truth,first,second", comments="", fmt="%.9g"
            )
        (Path(folder) / "agreement.R").write_text(SCRIPT, encoding="utf-8")
        command = [rscript, str(Path(folder) / "agreement.R"), folder]
        output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600).stdout
    worst = dict.fromkeys(("AUC", "variance of the AUC", "partial AUC", "p value of the paired test"), 0.0)
    for line in output.splitlines():
        name, *texts = line.split()
        found, expected = _ours(cases[name]), [float(text) for text in texts]
        gaps = np.abs(np.array(found) - expected)
        for key, gap in zip(worst, (max(gaps[0], gaps[3]), max(gaps[1], gaps[4]), gaps[2], gaps[5]), strict=True):
            worst[key] = max(worst[key], float(gap))
    version = subprocess.run(
        [rscript, "-e", 'cat(as.character(packageVersion("pROC")))'], check=True, capture_output=True, text=True
    )
    return {"data sets": len(cases), "pROC": version.stdout, "largest difference": worst}


def _draw(seed: int) -> np.ndarray:
    """(N, 3): truth and two correlated scores, of which every other set has many ties."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(12, 300))
    truth = np.r_[1, 1, 0, 0, (rng.random(count - 4) < rng.uniform(0.1, 0.5)).astype(int)]
    shared = rng.normal(size=count)
    scores = [shared + gain * truth + rng.normal(size=count) for gain in (1.5, 1.0)]
    return np.stack([truth, *(np.round(score, 0 if seed % 2 else 6) for score in scores)], axis=1)


def _ours(columns: np.ndarray) -> list[float]:
    truth, sample = columns[:, 0].astype(int), Sample.of(np.arange(len(columns)))
    first, second = (auc_influence(truth, columns[:, column], sample) for column in (1, 2))
    difference = first.minus(second)
    p_value = 2 * norm.sf(abs(difference.value) / difference.error) if difference.variance > 0 else np.nan
    partial = metrics.partial_auc(truth, columns[:, 1])
    return [first.value, first.variance, partial, second.value, second.variance, float(p_value)]


if __name__ == "__main__":
    print(json.dumps(compare_with_proc(quick=False), indent=2))
