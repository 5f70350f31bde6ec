"""A package with metrics of its own: the code of docs/how-to/add-a-metric.md, found through its entry points."""

import pytest

from firstread.core.errors import SettingError
from firstread.core.task_protocol import task_from_json, task_to_json
from firstread.evaluation.evaluation import evaluate


@pytest.fixture
def counter(install_page):
    """The page's code as an installed package `counter`."""
    install_page("add-a-metric.md", "counter")
    return __import__("counter")


def test_evaluate_finds_it_and_shows_it_like_any_other(counter):
    predictions = counter.Predictions(counter.counts, counter.Counting(), "counter").with_baselines(
        [counter.always_two]
    )
    found = evaluate(predictions, confidence=0.9)
    assert type(found).__name__ == "CountingEvaluation"
    assert found.metric("absolute error (lower is better)").value == pytest.approx(0.5)
    assert list(found.comparison["role"]) == ["network", "trivial rule"]
    assert "data:image/png;base64," in found._repr_html_()
    assert found.to_json()["metrics"]["absolute error (lower is better)"]["cases"] == 6
    with pytest.raises(SettingError, match=r'counting has no option "threshold"\. There is: confidence'):
        evaluate(predictions, threshold=0.5)
    assert task_from_json(task_to_json(counter.Counting())) == counter.Counting()
