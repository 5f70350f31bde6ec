"""A package with a task of its own: the code of docs/how-to/add-a-task.md keeps the contract of all tasks."""

from dataclasses import replace

import numpy as np
import pytest

import firstread as fr
from firstread.core.cohort import Cohort
from firstread.core.errors import DataError, SettingError
from firstread.core.predictions import Predictions
from firstread.core.provenance import Origin
from firstread.core.tables import Tables
from firstread.learning.models import load_model

from .examples import Example, patient_cases
from .task_contract import check_rules, check_task


@pytest.fixture
def package(install_page):
    """The page's package, and the code that uses it."""
    return install_page("add-a-task.md", "measurement")


def make_cohort(values, **said):
    from measurement import Measurement

    cases = patient_cases()
    targets = [
        {"case": case["case"], "kind": "number", "name": "width", "value": value, **said}
        for case, value in zip(cases, values, strict=False)
    ]
    images = [{"case": case["case"], "name": "image", "files": [case["case"] + ".png"]} for case in cases]
    return Cohort(Tables.from_rows(cases, images, targets), Measurement("width", "mm"), Origin("widths"))


def test_the_page_runs(package, capsys):
    session = {}
    for code in package:
        exec(compile(code, "add-a-task.md", "exec"), session)
    shown = capsys.readouterr().out
    assert "mean absolute error (lower is better)" in shown
    assert "rule: mean of training" in shown
    found = fr.evaluate(Predictions.load("heights.parquet"))
    assert found.predictions.task == session["cohort"].task
    assert found.comparison["role"].tolist() == ["network", "trivial rule"]
    network, rule = found.comparison["error"]
    assert network == pytest.approx(8 * np.sqrt(2 / np.pi), abs=2)  # the mean of a half-normal distribution
    assert found.metric("upper limit of agreement").value == pytest.approx(1.96 * 8, abs=5)
    assert rule > 2 * network
    assert session["run"].history[-1]["train_loss"] < session["run"].history[0]["train_loss"] / 2
    learnt = fr.evaluate(fr.predict(session["model"], session["cohort"].test))
    assert learnt.comparison["error"][0] < rule
    again = load_model(session["model"].save("meter.safetensors"))
    assert again.task == session["cohort"].task
    answers = [fr.predict(one, session["cohort"].test).table["value"].tolist() for one in (again, session["model"])]
    assert answers[0] == pytest.approx(answers[1], abs=1e-3)  # in mm; another memory format rounds otherwise


def test_a_case_without_a_number_cannot_be_learnt_from(package):
    cohort = make_cohort([str(10.5 + i * i) for i in range(7)])
    model = fr.build_model(task=cohort.task)
    with pytest.raises(DataError, match="1 training cases have no truth"):
        fr.train(model, cohort, epochs=1, quiet=True)
    with pytest.raises(SettingError, match="A measurement is predicted for a cohort"):
        fr.predict(model, cohort[0])


@pytest.fixture
def example(package):
    """Sixteen widths, and a network that is two millimetres off."""
    cohort = make_cohort([str(10.5 + i * i) for i in range(16)])
    truth = cohort.task.targets(cohort.test.tables)
    noise = np.random.default_rng(0).normal(0, 2, len(truth))
    table = cohort.test.table.assign(value=truth + noise, truth_value=truth)
    answers = Predictions(table, cohort.task, "net", cohort=cohort.test)
    return Example(cohort, answers, np.array([3.5]))


def test_it_keeps_the_contract(example):
    check_task("measurement", example)


def test_a_rule_that_looks_at_the_truth_breaks_the_contract(example, monkeypatch):
    import measurement

    honest = measurement.mean_of_training

    def peeking(train, cases):
        (rule,) = honest(train, cases)
        return (replace(rule, table=rule.table.assign(value=rule.table["truth_value"].fillna(0))),)

    monkeypatch.setattr(measurement, "mean_of_training", peeking)
    with pytest.raises(AssertionError, match="are different"):
        check_rules("measurement", example.cohort)


def test_the_limits_of_agreement_are_those_of_bland_and_altman(package):
    cohort = make_cohort([str(i) for i in range(16)])
    error = np.array([1.0, -2, 3, 0, 1, -1, 2, 4])
    truth = cohort.task.targets(cohort.test.tables)
    table = cohort.test.table.assign(value=truth + error, truth_value=truth)
    found = fr.evaluate(Predictions(table, cohort.task, cohort=cohort.test))
    assert found.metric("bias").value == pytest.approx(1)
    assert found.metric("lower limit of agreement").value == pytest.approx(1 - 1.96 * error.std(ddof=1))
    assert found.comparison["error"].tolist() == pytest.approx([1.75, np.abs(3.5 - truth).mean()])


def test_what_is_no_number_is_told_in_a_sentence(package):
    with pytest.raises(DataError, match='A value of "width" is no number'):
        make_cohort(["wide", "3"]).task.check(make_cohort(["wide", "3"]).tables)
    cohort = make_cohort(["1", "2"])
    with pytest.raises(DataError, match="are no numbers"):
        Predictions(cohort.test.table.assign(value=np.nan, truth_value=1), cohort.task)
    with pytest.raises(DataError, match="No case has a truth"):
        fr.evaluate(Predictions(cohort.test.table.assign(value=1, truth_value=None), cohort.task))
