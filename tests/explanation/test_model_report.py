"""The report is one file that opens anywhere, holds everything, and runs no script."""

import re

from firstread.evaluation.evaluation import evaluate
from firstread.explanation.model_report import write_report
from firstread.learning.models import build_model
from firstread.learning.prediction import predict
from firstread.learning.training import train


def test_one_self_contained_page(tiny_cohort, tmp_path):
    model = build_model("resnet18", classes=tiny_cohort.classes, size=32)
    run = train(model, tiny_cohort, epochs=1, folder=tmp_path / "run", arms={"dropout": "<b>on</b>"})
    predictions = predict(model, tiny_cohort.test)
    path = write_report(
        tmp_path / "report.html",
        cohort=tiny_cohort,
        run=run,
        model=model,
        evaluation=evaluate(predictions),
        predictions=predictions,
    )
    page = path.read_text()
    for part in ("Data", "Network and training", "Beside trivial rules", "The hardest cases", "How to do it again"):
        assert part in page
    assert "Not a medical device" in page
    assert "<script" not in page
    assert "<b>on</b>" not in page
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert page.count("data:image/png;base64,") >= 5
