"""Temperature scaling: the order stays, scores become probabilities, and validation cases are no test cases."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, softmax

from firstread.core.errors import DataError
from firstread.core.predictions import Predictions
from firstread.core.tasks import Classification
from firstread.evaluation.calibration import calibration_slope
from firstread.evaluation.intervals import Estimate
from firstread.evaluation.metrics import auc
from firstread.evaluation.recalibration import Temperature, fit_temperature

TASK = Classification(("no", "yes"))


def binary(truth, scores, name="v", **columns):
    table = pd.DataFrame({"case": [f"{name}{i}" for i in range(len(truth))], **columns})
    table["truth"] = np.where(np.asarray(truth) == 1, "yes", "no")
    return Predictions(table.assign(score_no=1 - scores, score_yes=scores), TASK, "network")


def overconfident(n, *, name="v", seed=0, **columns):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, n)
    return binary((rng.random(n) < expit(logits)).astype(int), expit(2.5 * logits), name, **columns)


def test_an_overconfident_network_becomes_calibrated():
    found = fit_temperature(overconfident(4000))
    assert found.temperature == pytest.approx(2.5, abs=0.15)
    assert found.interval.low < 2.5 < found.interval.high
    assert found.fitted_on == 4000
    test = overconfident(4000, name="t", seed=1)
    after = found.apply(test)
    assert calibration_slope(test.truth, test.scores[:, 1]).high < 0.5
    slope = calibration_slope(after.truth, after.scores[:, 1])
    assert slope.low < 1 < slope.high
    assert auc(after.truth, after.scores[:, 1]) == auc(test.truth, test.scores[:, 1])
    assert after.model == "network, recalibrated"
    assert test.model == "network"
    assert str(found).endswith("fitted on 4000 cases")


def test_several_rows_of_a_patient_widen_the_interval():
    one = overconfident(100)
    repeated = pd.concat([one.table.assign(seed=seed, patient=one.table["case"]) for seed in range(4)])
    alone, found = fit_temperature(one), fit_temperature(Predictions(repeated, TASK))
    assert found.temperature == pytest.approx(alone.temperature, rel=1e-6)
    assert found.interval.high - found.interval.low > 0.85 * (alone.interval.high - alone.interval.low)


def test_several_classes_keep_their_answers():
    rng = np.random.default_rng(0)
    classes = ("a", "b", "c")
    logits = rng.normal(0, 1.5, (2000, 3))
    truth = np.array([rng.choice(3, p=row) for row in softmax(logits, axis=1)])
    table = pd.DataFrame(softmax(2 * logits, axis=1), columns=[f"score_{name}" for name in classes])
    table.insert(0, "truth", np.array(classes)[truth])
    validation = Predictions(table.assign(case=[f"v{i}" for i in range(2000)]), Classification(classes))
    found = fit_temperature(validation)
    assert found.interval.low < 2 < found.interval.high
    test = Predictions(table.assign(case=[f"t{i}" for i in range(2000)]), Classification(classes))
    after = found.apply(test)
    assert (after.predicted == test.predicted).all()
    assert after.scores == pytest.approx(softmax(logits * 2 / found.temperature, axis=1), abs=1e-3)


@given(
    st.lists(st.floats(0, 1), min_size=2, max_size=40),
    st.floats(0.05, 50),
)
def test_the_order_of_cases_and_their_ties_stay_exactly(scores, temperature):
    scores = np.array(scores)
    interval = Estimate(temperature, temperature, temperature, "given")
    test = binary(np.arange(len(scores)) % 2, scores, "t")
    after = Temperature(temperature, interval, 10, TASK.classes, frozenset()).apply(test).scores[:, 1]
    assert (np.sign(after[:, None] - after) == np.sign(scores[:, None] - scores)).all()
    assert ((after >= 0) & (after <= 1)).all()


def test_a_temperature_of_1_changes_nothing():
    test = overconfident(50, name="t")
    after = Temperature(1.0, Estimate(1.0, 1.0, 1.0, "given"), 10, TASK.classes, frozenset()).apply(test)
    assert after.scores == pytest.approx(test.scores, abs=1e-6)


def test_cases_and_patients_of_the_validation_are_refused():
    found = fit_temperature(overconfident(60, patient=[f"p{i}" for i in range(60)]))
    with pytest.raises(DataError, match="fitted on cases of these predictions: 60 are the same"):
        found.apply(overconfident(60))
    with pytest.raises(DataError, match="fitted on patients of these predictions: 1 are the same"):
        found.apply(overconfident(60, name="t", patient=[f"q{i}" for i in range(59)] + ["p3"]))
    found.apply(overconfident(60, name="t", patient=[f"q{i}" for i in range(60)]))


@pytest.mark.parametrize("split", ["test", "train"])
def test_other_parts_than_the_validation_are_refused(split):
    with pytest.raises(DataError, match=f"These are predictions of the {split} part"):
        fit_temperature(overconfident(60, split=[split] * 60))
    fit_temperature(overconfident(60, split=["validation"] * 60))


def test_what_cannot_be_fitted_is_refused_in_a_sentence():
    truth = np.arange(40) % 2
    with pytest.raises(DataError, match="Every validation case is answered correctly"):
        fit_temperature(binary(truth, np.where(truth == 1, 0.8, 0.3)))
    with pytest.raises(DataError, match="do not agree with the truth more than chance"):
        fit_temperature(binary(truth, np.where(truth == 1, 0.2, 0.7)))
    with pytest.raises(DataError, match="do not agree with the truth more than chance"):
        fit_temperature(binary(truth, np.full(40, 0.5)))
    with pytest.raises(DataError, match="cannot be fitted on 4 patients"):
        fit_temperature(overconfident(40, patient=[f"p{i % 4}" for i in range(40)]))
    other = Predictions(
        overconfident(9).table.rename(columns={"score_no": "score_x"}).assign(truth=None), Classification(("x", "yes"))
    )
    with pytest.raises(DataError, match="fitted for other classes"):
        fit_temperature(overconfident(60)).apply(other)
