"""Recipes are refused before hours are spent on them, and an interrupted one gives no figures."""

import pytest

from firstread.core.errors import SettingError
from firstread.learning import trainer
from firstread.learning.cross_validation import cross_validate, repeat_split

RECIPE = {"backbone": "mobilenetv3_small_050", "size": 32, "phases": [{"epochs": 1}]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"backbone": None}, 'no "backbone"'),
        ({"phases": []}, 'no "phases"'),
        ({"phases": [{"freeze": True}]}, "epochs or minutes, and neither"),
        ({"phases": [{"epochs": 1, "learning_rat": 1}]}, 'Did you mean "learning_rate"'),
        ({"augmentation": {"rotate": 3}}, 'Augmentation has no "rotate"'),
        ({"sise": 32}, 'Did you mean "size"'),
    ],
)
def test_impossible_recipes(tiny_cohort, change, message):
    with pytest.raises(SettingError, match=message):
        cross_validate(tiny_cohort, recipe={**RECIPE, **change}, folds=2, seeds=(0,))


def test_an_unknown_split(tiny_cohort):
    with pytest.raises(SettingError, match='Did you mean "contiguous"'):
        repeat_split(tiny_cohort, recipe=RECIPE, split="contigous")


def test_interrupting_a_measurement_ends_it(tiny_cohort, monkeypatch):
    def interrupted(*_a, **_k):
        raise KeyboardInterrupt

    monkeypatch.setattr(trainer, "run_one_epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cross_validate(tiny_cohort, recipe=RECIPE, folds=2, seeds=(0,))


def test_measuring_is_quiet(tiny_cohort, capsys):
    repeat_split(tiny_cohort, recipe=RECIPE, seeds=(0,))
    assert "validation" not in capsys.readouterr().err
