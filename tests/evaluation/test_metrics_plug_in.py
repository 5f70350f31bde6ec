"""A package with metrics of its own: the code of docs/how-to/add-a-metric.md, found through its entry points."""

import re
import sys
from pathlib import Path

import pytest

from firstread.core.errors import SettingError
from firstread.core.registry import registered
from firstread.core.task_protocol import task_from_json, task_to_json
from firstread.evaluation.evaluation import evaluate

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "add-a-metric.md"


@pytest.fixture
def counter(tmp_path, monkeypatch):
    """The page's code as an installed package `counter`."""
    text = PAGE.read_text(encoding="utf-8")
    code, (entry_points,) = re.findall(r"```python\n(.*?)```", text, re.S), re.findall(r"```toml\n(.*?)```", text, re.S)
    (tmp_path / "counter.py").write_text("\n".join(code), encoding="utf-8")
    folder = tmp_path / "counter-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: counter\nVersion: 1.0\n")
    lines = entry_points.replace('project.entry-points."', "").replace('"]', "]").replace('"', "")
    (folder / "entry_points.txt").write_text(lines)
    monkeypatch.syspath_prepend(tmp_path)
    registered.cache_clear()
    yield __import__("counter")
    sys.modules.pop("counter")
    monkeypatch.undo()
    registered.cache_clear()


def test_evaluate_finds_it_and_shows_it_like_any_other(counter, capsys):
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
