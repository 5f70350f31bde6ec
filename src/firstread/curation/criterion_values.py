"""Answers of a criterion for each row of the tables: true, false, or missing (three-valued logic of Kleene)."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from firstread.core.errors import SettingError, suggest
from firstread.curation.criterion_syntax import (
    And,
    Between,
    Column,
    Comparison,
    Expression,
    Literal,
    Membership,
    Missing,
    Not,
    Operand,
    Or,
    Sum,
    Truth,
    columns_of,
    walk,
)
from firstread.curation.eligibility_tables import UNKNOWN, ArchiveTables

_COMPUTE = {
    "==": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
#: texts of a column that can be counted by heart; more are no words that somebody mistypes
_MOST_WORDS = 50


def check_criterion(expression: Expression, tables: ArchiveTables) -> list[str]:
    """Check that a criterion fits the tables; returns warnings, in sentences.

    Raises:
        SettingError: a table or a column is not there, or what is compared is not of one kind.
    """
    warnings = []
    for node in walk(expression):
        match node:
            case Comparison(left, operator, right):
                _check_kinds(operator, [left, right], tables)
                warnings += _unheard_words([left, right], tables)
            case Membership(operand, values):
                _check_kinds("in", [operand, *values], tables)
                warnings += _unheard_words([operand, *values], tables)
            case Between(operand, low, high):
                _check_kinds("between", [operand, low, high], tables)
            case Sum(left, sign, right):
                _check_kinds(sign, [left, right], tables)
            case Truth(column):
                if _kind(column, tables) not in ("true or false", "nothing"):
                    raise SettingError(
                        f"{column} alone is no question: it holds {_kind(column, tables)}",
                        do=f"compare it, as in {column} == ..., or ask {column} is not missing",
                    )
    warnings += [f"{column} holds no value at all." for column in columns_of(expression) if _is_empty(column, tables)]
    return list(dict.fromkeys(warnings))


def evaluate_criterion(expression: Expression, tables: ArchiveTables) -> Any:
    """The answer for each row: Arrow array (N,) of true, false and null (a value that it asks for is missing).

    Where a row has no series, or no study, whatever is asked of one is false: there is none that it could be true of.

    Raises:
        SettingError: see `check_criterion`.

    Example:
        >>> from firstread.curation.criterion_parser import parse_criterion
        >>> study = pa.table({"study": ["T1", "T2", "T3"], "patient": ["P1", "P2", "P3"], "age": [50, 12, None]})
        >>> series = pa.table({"series": ["S1"], "study": ["T1"], "patient": ["P1"]})
        >>> tables = ArchiveTables.join(series=series, study=study)
        >>> evaluate_criterion(parse_criterion("study.age >= 18"), tables).to_pylist()
        [True, False, None]
    """
    check_criterion(expression, tables)
    answers = _answers(expression, tables)
    asked = np.ones(len(tables), bool)
    for table in {column.table for column in columns_of(expression)} & {"series", "study"}:
        asked &= tables.present[table]
    answer: Any = pc.if_else(pa.array(asked), answers, pa.scalar(False))
    return answer


def column_kind(kind: pa.DataType) -> str:
    """What a column of a type holds: "numbers", "texts", "true or false", "nothing", or "something else"."""
    if pa.types.is_boolean(kind):
        return "true or false"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return "numbers"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind):
        return "texts"
    return "nothing" if pa.types.is_null(kind) else "something else"


def _answers(node: Expression, tables: ArchiveTables) -> Any:
    match node:
        case And(operands):
            answers = _fold(pc.and_kleene, [_answers(one, tables) for one in operands])
        case Or(operands):
            answers = _fold(pc.or_kleene, [_answers(one, tables) for one in operands])
        case Not(operand):
            answers = pc.invert(_answers(operand, tables))
        case Truth(column):
            answers = tables.column(column).combine_chunks().cast(pa.bool_())
        case _:
            answers = _test_answers(node, tables)
            answers = pc.invert(answers) if getattr(node, "negated", False) else answers
    return answers


def _test_answers(node: Comparison | Between | Membership | Missing, tables: ArchiveTables) -> Any:
    """Answers of a single test, not negated."""
    match node:
        case Missing(operand):
            return pc.is_null(_values(operand, tables))
        case Comparison(left, operator, right):
            return _compare(operator, left, right, tables)
        case Between(operand, low, high):
            return pc.and_kleene(_compare(">=", operand, low, tables), _compare("<=", operand, high, tables))
        case Membership(operand, values):
            return _fold(pc.or_kleene, [_compare("==", operand, one, tables) for one in values])


def _compare(operator: str, left: Operand, right: Operand, tables: ArchiveTables) -> Any:
    first, second = _values(left, tables), _values(right, tables)
    if pa.types.is_null(first.type) or pa.types.is_null(second.type):
        return pa.nulls(len(tables), pa.bool_())
    if pa.types.is_float32(first.type) and isinstance(right, Literal):
        second = second.cast(pa.float32(), safe=False)  # 0.7 is the nearest float32 to 0.7, not less than it
    if pa.types.is_float32(second.type) and isinstance(left, Literal):
        first = first.cast(pa.float32(), safe=False)
    return _COMPUTE[operator](first, second)


def _values(operand: Operand, tables: ArchiveTables) -> Any:
    """Values of an operand, (N,)."""
    match operand:
        case Column():
            return tables.column(operand).combine_chunks()
        case Literal(value):
            return pa.repeat(pa.scalar(value), len(tables))
        case Sum(left, sign, right):
            first, second = (_values(one, tables).cast(pa.float64()) for one in (left, right))
            return pc.add(first, second) if sign == "+" else pc.subtract(first, second)


def _fold(function: Any, answers: list[Any]) -> Any:
    total = answers[0]
    for one in answers[1:]:
        total = function(total, one)
    return total


def _kind(operand: Operand, tables: ArchiveTables) -> str:
    match operand:
        case Literal(value):
            return "true or false" if isinstance(value, bool) else "texts" if isinstance(value, str) else "numbers"
        case Sum():
            return "numbers"
        case Column():
            return column_kind(tables.column(operand).type)


def _check_kinds(operator: str, operands: list[Operand], tables: ArchiveTables) -> None:
    kinds = {operand: _kind(operand, tables) for operand in operands}
    for operand, kind in kinds.items():
        if kind == "something else":
            raise SettingError(f"{operand} holds neither numbers nor texts, so no criterion can ask it")
    known = {kind: operand for operand, kind in reversed(kinds.items()) if kind != "nothing"}
    if len(known) > 1:
        (second, other), *_, (first, one) = known.items()
        raise SettingError(
            f"{one} ({first}) and {other} ({second}) cannot be compared",
            expected="numbers with numbers, and texts, in quotation marks, with texts",
        )
    if operator not in ("==", "!=", "in") and set(known) - {"numbers"}:
        raise SettingError(
            f'"{operator}" is for numbers, and {next(iter(known.values()))} is none', expected="==, != or in"
        )


def _unheard_words(operands: list[Operand], tables: ArchiveTables) -> list[str]:
    """Sentences about texts that a column never holds."""
    words = [one.value for one in operands if isinstance(one, Literal) and isinstance(one.value, str)]
    columns = [one for one in operands if isinstance(one, Column)]
    if not words or not columns:
        return []
    found = []
    for column in columns:
        values = tables.column(column)
        if column_kind(values.type) != "texts":
            continue
        known = [value for value in pc.unique(values).to_pylist() if value is not None]
        for word in words:
            if str(word).strip().lower() == UNKNOWN:
                found.append(
                    f"{column} is never '{word}': what is unknown counts as missing; write {column} is missing."
                )
            elif word not in known:
                hint = suggest(str(word), known) if 0 < len(known) <= _MOST_WORDS else ""
                found.append(f"{column} is never '{word}'.{hint}")
    return found


def _is_empty(column: Column, tables: ArchiveTables) -> bool:
    values = tables.column(column)
    return len(values) > 0 and values.null_count == len(values)
