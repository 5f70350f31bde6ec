"""Every registered task, with its metrics and its trivial rules, keeps the contract."""

import pytest

from firstread.core.registry import find_registered, registered

from .examples import make_example
from .task_contract import check_decoding, check_form, check_metrics, check_needs, check_rows, check_rules

KINDS = sorted(registered("tasks"))


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """Example of a kind, made once."""
    made = {}

    def get(kind):
        if kind not in made:
            made[kind] = make_example(kind, tmp_path_factory.mktemp(kind))
        return made[kind]

    return get


@pytest.mark.parametrize("kind", KINDS)
def test_a_task_is_frozen_and_comes_back_from_json(kind, examples):
    check_form(kind, examples(kind).task)


@pytest.mark.parametrize("kind", KINDS)
def test_a_task_says_what_a_cohort_needs(kind, examples):
    check_needs(examples(kind).cohort)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_have_the_columns_of_the_schema(kind, examples):
    check_rows(examples(kind))
    check_decoding(examples(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_trivial_rules_answer_for_all_cases_and_see_no_truth(kind, examples):
    check_rules(kind, examples(kind).cohort)


@pytest.mark.parametrize("kind", KINDS)
def test_metrics_have_intervals_and_rules_beside_them(kind, examples):
    check_metrics(examples(kind).answers)


@pytest.mark.parametrize("group", ["metrics", "baselines", "models"])
def test_what_is_registered_for_a_kind_of_task_can_be_loaded(group):
    kinds = registered(group)
    assert set(kinds) <= set(KINDS)
    for kind in kinds:
        found = find_registered(group, kind)
        assert callable(found)
        if group == "models":
            assert callable(found.build)
            assert callable(found.from_description)
