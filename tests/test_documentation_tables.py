"""The tables of the documentation are those of the kept results, and claim no certainty at the limit."""

import importlib
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def generator():
    """benchmarks/documentation_tables.py."""
    before = dict(sys.modules)
    sys.path.insert(0, str(ROOT / "benchmarks"))
    yield importlib.import_module("documentation_tables")
    sys.path.remove(str(ROOT / "benchmarks"))
    for name in set(sys.modules) - set(before):
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(ROOT / "benchmarks")):
            del sys.modules[name]


@pytest.mark.parametrize(
    "page",
    ["measured.md", "bundled-weights.md", "phantoms.md", "deidentification.md", "burned-in-text.md", "curation.md"],
)
def test_every_table_is_that_of_the_kept_results(generator, page):
    text = (ROOT / "docs" / "explanation" / page).read_text(encoding="utf-8")
    blocks = list(generator.TABLE_BLOCK.finditer(text))
    assert blocks
    for block in blocks:
        expected = f"{block[1]}{generator.TABLES[block[2]]()}{block[3]}"
        assert block[0] == expected, "run: python benchmarks/documentation_tables.py"


def test_no_table_claims_certainty(generator):
    for name in ("few-rsna", "few-openi", "accuracy", "outcome"):
        assert not re.search(r"\[1\.0+, 1\.0+\]", generator.TABLES[name]()), name


def test_the_metric_stands_in_the_table(generator):
    header = generator.TABLES["few-openi"]().strip().splitlines()[0]
    assert "AUC" in header
    assert "accuracy" in generator.TABLES["few-rsna"]().strip().splitlines()[0]


def test_a_perfect_auc_is_as_sure_as_the_smaller_class_allows(generator):
    assert "1.0000 [0.9082, 1.0000]" in generator.TABLES["accuracy"](), "Wilson's bound for 38 of 38"
    assert "1.000 [0.896, 1.000]" in generator.TABLES["few-openi"](), "Wilson's bound for 33 of 33"


def test_the_time_to_a_target_says_who_did_not_reach_it(generator, monkeypatch):
    row = {"framework": "x 1", "epochs": [3, 40], "best_accuracy": [1.0, 0.6], "peak_memory_mb": 900}
    result = {"target_accuracy": 0.95, "limit_seconds": 300.0, "images": 77, "held_out_images": [26, 25]}
    result["trainings"] = {"one": row | {"seconds_to_target": [4.21, None]}}
    monkeypatch.setattr(generator, "load_newest", lambda name: (result, {}))
    table = generator.outcome_table()
    assert "| one (x 1) | 4.2, not within 5 min | 3, 40 | 1.000, 0.600 | 900 |" in table
    assert "0.95" in table.splitlines()[1]
