"""One run of each counts, whatever stands in their notebooks."""

from types import SimpleNamespace

import pytest

from firstread.classroom.outcomes.participant_runs import runs_table

ARMS = {"augmentation": ["on", "off"]}
ANA = SimpleNamespace(id=1, number=1, arms={"augmentation": "on"})
BEA = SimpleNamespace(id=2, number=2, arms={"augmentation": "off"})


def record(who, name, value, at=0):
    return SimpleNamespace(participant_id=who.id, values={"name": name, "value": value}, received=at)


def evaluated(value, metric="accuracy"):
    return {"metrics": {metric: {"value": value}}}


def runs(*events):
    return runs_table([ANA, BEA], events, ARMS).set_index("participant")


def test_the_first_evaluation_counts_with_the_groups_confirmed_before_it():
    table = runs(
        record(BEA, "evaluation", evaluated(0.7)),
        record(ANA, "arms", {"ran": {"augmentation": "on"}}),
        record(ANA, "arms", {"ran": {"augmentation": "off"}}),
        record(ANA, "evaluation", evaluated(0.8)),
        record(ANA, "arms", {"ran": {"augmentation": "on"}}),
        record(ANA, "evaluation", evaluated(1.0)),
    )
    assert table.loc[1, ["assigned augmentation", "ran augmentation", "accuracy", "runs"]].tolist() == [
        "on",
        "off",
        0.8,
        2,
    ]
    assert table.loc[2, "assigned augmentation"] == "off"
    assert (
        table.loc[2, "ran augmentation"] is None or table.loc[2, "ran augmentation"] != table.loc[2, "ran augmentation"]
    )


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        "x",
        [],
        {},
        {"metrics": 1},
        {"metrics": {"accuracy": 1.0}},
        evaluated("1"),
        evaluated(True),
        evaluated(float("nan")),
        evaluated(1e9),
        evaluated(-1),
        evaluated(0.9, "AUC"),
    ],
)
def test_what_is_no_result_is_none(value):
    assert len(runs(record(ANA, "evaluation", value))) == 0


@pytest.mark.parametrize(
    "told", [None, "on", {"ran": "on"}, {"ran": {"augmentation": "sideways"}}, {"ran": {"augmentation": ["on"]}}]
)
def test_a_group_that_the_lesson_does_not_have_is_none(told):
    table = runs(record(ANA, "arms", told), record(ANA, "evaluation", evaluated(0.9)))
    assert table["ran augmentation"].isna().all()


def test_strangers_and_other_records_are_left_out():
    stranger = SimpleNamespace(id=9)
    assert len(runs(record(stranger, "evaluation", evaluated(1.0)), record(ANA, "my_reading", {"correct": 9}))) == 0
