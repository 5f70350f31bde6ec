"""What a task, its metrics and its trivial rules promise, as functions that raise AssertionError."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from firstread.core.cohort import Cohort
from firstread.core.errors import DataError, SettingError
from firstread.core.masks import read_mask
from firstread.core.predictions import Predictions
from firstread.core.registry import find_registered, registered
from firstread.core.tables import Tables
from firstread.core.task_protocol import Task, task_from_json, task_to_json
from firstread.evaluation.evaluation import evaluate
from firstread.evaluation.intervals import Estimate

from .examples import Example, with_other_test_targets, with_targets, without_test_targets


def check_task(kind: str, example: Example) -> None:
    """The whole contract of a registered kind of task."""
    check_form(kind, example.task)
    check_needs(example.cohort)
    check_rows(example)
    check_decoding(example)
    check_rules(kind, example.cohort)
    check_metrics(example.answers)


def check_form(kind: str, task: Task) -> None:
    """Frozen, of plain values, registered under its own kind, with metrics beside it."""
    assert isinstance(task, Task)
    assert task.kind == kind
    assert type(task) is find_registered("tasks", kind)
    assert kind in registered("metrics")
    assert kind in registered("baselines")
    assert dataclasses.is_dataclass(task)
    field = dataclasses.fields(task)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(task, field, getattr(task, field))
    again = task_from_json(json.loads(json.dumps(task_to_json(task))))
    assert (again, hash(again)) == (task, hash(task))
    with pytest.raises(DataError, match=f'not a "{kind}" task'):
        task_from_json({**task_to_json(task), "a field of another version": 1})


def check_needs(cohort: Cohort) -> None:
    """A cohort with the reference standard is accepted, one without is refused; so are readers who were not joined."""
    task, tables = cohort.task, cohort.tables
    task.check(tables)
    strata = task.strata(tables)
    assert (strata.shape, strata.dtype) == ((len(tables),), np.int64)
    assert (strata >= 0).all()
    partly = task.strata(without_test_targets(cohort).tables)
    assert np.array_equal(partly >= 0, (cohort.table["split"] == "train").to_numpy())
    nothing = Tables(tables.cases, tables.images, tables.targets.slice(0, 0))
    assert (task.strata(nothing) == -1).all()
    with pytest.raises(DataError, match="Expected"):
        task.check(nothing)
    two_readers = with_targets(cohort, _said_by_two).tables
    for ask in (task.check, task.strata):
        with pytest.raises(DataError, match="2 readers"):
            ask(two_readers)


def _said_by_two(targets: pa.Table) -> pa.Table:
    index = targets.column_names.index("reader")
    return pa.concat_tables(
        [targets.set_column(index, "reader", pa.array([name] * len(targets))) for name in ("A", "B")],
        promote_options="permissive",
    )


def check_rows(example: Example) -> None:
    """`complete_rows` gives the schema's columns in a table of its own, or says what is missing."""
    task, schema = example.task, example.task.schema()
    assert "case" in schema.key
    assert not set(schema.truth) & {*schema.rows, *schema.key}
    table = example.answers.table
    before = table.copy()
    columns = dict.fromkeys((*schema.key, *schema.rows, *schema.truth))
    assert set(columns) <= set(task.complete_rows(table).columns)
    pd.testing.assert_frame_equal(task.complete_rows(task.complete_rows(table)), task.complete_rows(table))
    pd.testing.assert_frame_equal(table, before)
    for name in columns:
        try:
            said = "" if name not in Predictions(table.drop(columns=name), task).table else f"{name} is worked out"
        except DataError as error:
            said = str(error)
        assert name in said, f"{name} is missing, and nothing says so"
    with pytest.raises(DataError, match="predicted twice"):
        Predictions(pd.concat([table, table]), task)


class _Rows:
    """A sink that keeps what a task decodes."""

    def __init__(self) -> None:
        self.rows: list[dict] = []
        self.masks: list[np.ndarray] = []

    def add_row(self, values) -> None:
        self.rows.append(dict(values))

    def write_mask(self, case, values, geometry) -> str:
        assert (values.dtype, values.shape) == (np.uint8, geometry.size_zyx)
        self.masks.append(values)
        return f"{case}.nii.gz"


def check_decoding(example: Example) -> None:
    """A network's outputs become rows of the schema for the case that was asked."""
    sink, schema = _Rows(), example.task.schema()
    case, before = example.answers.table["case"].iloc[0], example.outputs.copy()
    example.task.decode(case, example.outputs, grid=example.grid, image=example.grid, sink=sink)
    assert sink.rows
    assert all(set(row) == {*schema.key, *schema.rows} for row in sink.rows)
    assert {row["case"] for row in sink.rows} == {case}
    assert np.array_equal(example.outputs, before)
    assert len(Predictions(pd.DataFrame(sink.rows).assign(**dict.fromkeys(schema.truth)), example.task)) > 0


def check_rules(kind: str, cohort: Cohort) -> None:
    """The trivial rules answer for the cases that are asked for, whatever is true of them."""
    rules = _answers_of_rules(kind, cohort)
    assert rules
    for answers in rules.values():
        assert list(dict.fromkeys(answers["case"])) == cohort.test.table["case"].tolist()
    for other in (without_test_targets(cohort), with_other_test_targets(cohort)):
        assert not np.array_equal(_targets_of(other.test), _targets_of(cohort.test))
        again = _answers_of_rules(kind, other)
        assert list(again) == list(rules)
        for name, answers in rules.items():
            pd.testing.assert_frame_equal(again[name], answers)


def _answers_of_rules(kind: str, cohort: Cohort) -> dict[str, pd.DataFrame]:
    """Name of each rule -> key and answer of each row; a mask as its voxels, because its file may have another name."""
    found = {}
    for rule in find_registered("baselines", kind)(cohort.train, cohort.test):
        assert rule.task == cohort.task
        assert rule.model.startswith("rule: ")
        schema = rule.task.schema()
        table = rule.table[list(dict.fromkeys((*schema.key, *schema.rows)))].reset_index(drop=True)
        for name in (column for column in table if str(column).endswith("_file")):
            table[name] = [read_mask(file).values.tobytes() for file in table[name]]
        found[rule.model] = table
    return found


def _targets_of(cohort: Cohort) -> list[dict]:
    return cohort.tables.targets.to_pylist()


def check_metrics(answers: Predictions) -> None:
    """Each metric has an interval or says why there is none; the rules stand beside; other options are refused."""
    before = answers.table.copy()
    found = evaluate(answers)
    assert found.summary
    for name, estimate in found.summary.items():
        check_estimate(name, estimate)
    roles = found.comparison["role"].tolist()
    assert roles[0] == "network"
    assert "trivial rule" in roles
    assert set(found.comparison["name"]) == {answers.model, *(rule.model for rule in answers.baselines)}
    json.dumps(found.to_json(), allow_nan=False)
    assert "data:image/png;base64," in found._repr_html_()
    assert found.headline()
    pd.testing.assert_frame_equal(answers.table, before)
    with pytest.raises(SettingError, match='Did you mean "confidence"'):
        evaluate(answers, confidense=0.9)
    _check_order_of_rows(answers, {name: estimate.value for name, estimate in found.summary.items()})


def check_estimate(name: str, estimate: Estimate) -> None:
    """The value lies within its interval, or there is none, and the method says why."""
    assert isinstance(estimate, Estimate), name
    if np.isnan(estimate.low):
        assert np.isnan(estimate.high), name
        assert "not " in estimate.method or "no interval" in estimate.method, name
    else:
        assert estimate.low <= estimate.value <= estimate.high, name
        assert estimate.method, name


def _check_order_of_rows(answers: Predictions, values: dict[str, float]) -> None:
    """Metrics do not depend on the order of the rows."""
    turned = Predictions(answers.table.iloc[::-1], answers.task, answers.model, rules=answers.baselines)
    again = {name: estimate.value for name, estimate in evaluate(turned).summary.items()}
    assert again == pytest.approx(values, nan_ok=True)
