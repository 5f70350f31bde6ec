"""`write_report`: one self-contained HTML page of data, network, training, results, and how to reproduce them."""

import json
from pathlib import Path
from typing import Any

from firstread.core.cohort import Cohort
from firstread.core.patient_sources import describe_patient_sources
from firstread.core.predictions import Predictions
from firstread.core.report import Report
from firstread.core.run import Run
from firstread.evaluation.evaluation import Evaluation
from firstread.explanation.saliency import explain
from firstread.explanation.sanity_check import sanity_check
from firstread.learning.models import Classifier

HARDEST_CASE_COUNT = 4


def write_report(
    path: str | Path,
    *,
    cohort: Cohort,
    run: Run,
    model: Classifier,
    evaluation: Evaluation,
    predictions: Predictions,
) -> Path:
    """Write a self-contained HTML report.

    Args:
        path: the HTML file; an existing one is replaced atomically.
        cohort: all the data, with their splits.
        run: the training.
        model: the trained network.
        evaluation: of `predictions`.
        predictions: of cases of `cohort`.

    Returns:
        The path.

    Example:
        >>> cohort = fr.split_by_patient(fr.simulate_patients(10, size=64))
        >>> model = fr.build_model(classes=cohort.classes, size=96)
        >>> run = fr.train(model, cohort, epochs=1, freeze=True, quiet=True)
        >>> predictions = fr.predict(model, cohort.test)
        >>> evaluation = fr.evaluate(predictions)
        >>> facts = {"run": run, "model": model, "evaluation": evaluation, "predictions": predictions}
        >>> fr.write_report("report.html", cohort=cohort, **facts).name
        'report.html'
    """
    report = Report(
        f"{cohort.origin.name}: {' or '.join(cohort.classes)}", f"{model.backbone_name}, {run.epochs} epochs"
    )
    _add_summary(report, evaluation)
    _add_data(report, cohort)
    _add_training(report, model, run)
    _add_results(report, evaluation)
    _add_cases(report, cohort, model, predictions)
    _add_reproduction(report, cohort, model, run)
    return report.write(path)


def _add_summary(report: Report, evaluation: Evaluation) -> None:
    report.add_text(evaluation.headline())
    for note in evaluation.notes:
        report.add_text(note)


def _add_data(report: Report, cohort: Cohort) -> None:
    origin = cohort.origin
    report.add_heading("Data")
    report.add_text(f"{origin.name}. {origin.description} Licence: {origin.license or 'not stated'}. {origin.citation}")
    patients = describe_patient_sources(cohort.patient_sources) or "The patient of every case is stated."
    report.add_text(patients)
    report.add_table(cohort.counts(), caption="Cases of each class in each split")
    report.add_figure(cohort.show(10), caption="Ten cases, chosen by a fixed seed", alt="contact sheet of ten cases")


def _add_training(report: Report, model: Classifier, run: Run) -> None:
    report.add_heading("Network and training")
    report.add_text(f"{model!r}.")
    if run.arms:
        report.add_text("Experiment groups as really run: " + ", ".join(f"{k} {v}" for k, v in run.arms.items()) + ".")
    report.add_figure(run.plot(), caption="Loss and accuracy by epoch", alt="training curves")
    for message in run.metadata.get("messages", []):
        report.add_text(message)


def _add_results(report: Report, evaluation: Evaluation) -> None:
    report.add_heading("Results")
    report.add_table(evaluation.table, caption="Each metric with its 95 % interval and how it was found")
    report.add_figure(evaluation.figure(), alt="figure of the main results")
    report.add_heading("Beside trivial rules")
    report.add_text(
        "Each rule was fitted on the training cases and looks at one thing that is not anatomy. Where a rule does as "
        "well as the network, the network's accuracy says little about what it has learnt."
    )
    report.add_table(evaluation.comparison)
    report.add_heading("In detail")
    for caption, table in evaluation.tables().items():
        report.add_table(table, caption=caption)
    details = evaluation.details()
    if details is not None:
        report.add_figure(details, alt="figure of the details")


def _add_cases(report: Report, cohort: Cohort, model: Classifier, predictions: Predictions) -> None:
    report.add_heading("The hardest cases, and where the network looked")
    report.add_text("The held-out cases whose true class got the lowest score, worst first.")
    cases = {case.case: case for case in cohort}
    hardest = [row for row in predictions.hardest(HARDEST_CASE_COUNT).itertuples() if row.case in cases]
    for row in hardest:
        figure = explain(model, cases[str(row.case)]).show()
        caption = (
            f"{row.case}: is {row.truth}, the network said {row.prediction} ({row.score_of_truth:.2f} for {row.truth})"
        )
        report.add_figure(figure, caption=caption, alt=f"case {row.case} and its map")
    if hardest:
        check = sanity_check(model, cases[str(hardest[0].case)])
        report.add_text(f"Of the first of these maps ({check.explanation.method}): {check}")
        if not check.explanation.is_blank:
            report.add_figure(
                check.figure(),
                caption="The first of these maps, and those of the network while it is made random from the head down",
                alt="maps of the network and of its randomized copies",
            )


def _add_reproduction(report: Report, cohort: Cohort, model: Classifier, run: Run) -> None:
    report.add_heading("How to do it again")
    steps = list(cohort.describe()["steps"])
    for caption, value in (
        ("What was done to the data", steps),
        ("Network", model.describe()),
        ("Training, one entry a call", run.settings),
        ("Versions", run.metadata.get("versions", {})),
    ):
        report.add_code(_to_json(value), caption=caption)


def _to_json(value: Any) -> str:
    return json.dumps(value, indent=2, default=str)
