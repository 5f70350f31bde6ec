"""The grammar of criteria: what it reads, what it answers, and what it says of a mistake."""

import contextlib
import operator

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.core.errors import SettingError
from firstread.curation.criterion_parser import MAX_DEPTH, parse_criterion
from firstread.curation.criterion_syntax import (
    And,
    Between,
    Column,
    Comparison,
    Literal,
    Membership,
    Missing,
    Not,
    Or,
    Sum,
    Truth,
)
from firstread.curation.criterion_tokens import MAX_CHARACTERS
from firstread.curation.criterion_values import check_criterion, evaluate_criterion
from firstread.curation.eligibility_tables import ArchiveTables

NUMBERS, WORDS, FACTS = ("number", "other"), ("word", "name"), ("fact",)
#: values of a column -> what Python makes of them
ROWS = st.fixed_dictionaries(
    {
        **{name: st.none() | st.integers(-3, 3) for name in NUMBERS},
        **{name: st.none() | st.sampled_from(["a", "b", "it's"]) for name in WORDS},
        **{name: st.none() | st.booleans() for name in FACTS},
    }
)
number = st.sampled_from([Column("series", name) for name in NUMBERS]) | st.integers(-3, 3).map(Literal)
sums = st.builds(Sum, number, st.sampled_from("+-"), number)
operand = number | sums | st.builds(Sum, sums, st.sampled_from("+-"), number)
word = st.sampled_from([Column("series", name) for name in WORDS])
word_literal = st.sampled_from(["a", "b", "it's", "never", 'a "b" \\', "unknown"]).map(Literal)
test = st.one_of(
    st.builds(Comparison, operand, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), operand),
    st.builds(Comparison, word, st.sampled_from(["==", "!="]), word | word_literal),
    st.builds(Membership, operand, st.lists(st.integers(-3, 3).map(Literal), min_size=1).map(tuple), st.booleans()),
    st.builds(Membership, word, st.lists(word_literal, min_size=1).map(tuple), st.booleans()),
    st.builds(Between, operand, operand, operand, st.booleans()),
    st.builds(Missing, operand | word, st.booleans()),
    st.just(Truth(Column("series", "fact"))),
)


def _joined(parts):
    several = st.lists(parts, min_size=2, max_size=3).map(tuple)
    return st.builds(Not, parts) | several.map(And) | several.map(Or)


expression = st.recursive(test, _joined, max_leaves=8)


def tables_of(rows):
    """Tables with one series a row."""
    kinds = dict.fromkeys(NUMBERS, pa.int64()) | dict.fromkeys(WORDS, pa.string()) | dict.fromkeys(FACTS, pa.bool_())
    keys = [f"S{number}" for number in range(len(rows))]
    columns = {name: pa.array([row[name] for row in rows], kind) for name, kind in kinds.items()}
    study = pa.table({"study": keys, "patient": keys})
    return ArchiveTables.join(series=pa.table({"series": keys, "study": keys, "patient": keys, **columns}), study=study)


def value(node, row):
    """Value of an operand in plain Python; None where it is missing."""
    if isinstance(node, Literal):
        return node.value
    if isinstance(node, Column):
        return row[node.name]
    left, right = value(node.left, row), value(node.right, row)
    return None if left is None or right is None else left + right if node.sign == "+" else left - right


COMPARE = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def compare(sign, left, right):
    return None if left is None or right is None else COMPARE[sign](left, right)


def all_of(answers):
    return False if False in answers else None if None in answers else True


def opposite(answer):
    return None if answer is None else not answer


def answer(node, row):
    """The answer in plain Python, three-valued."""
    if isinstance(node, And):
        return all_of([answer(one, row) for one in node.operands])
    if isinstance(node, Or):
        return opposite(all_of([opposite(answer(one, row)) for one in node.operands]))
    if isinstance(node, Not):
        return opposite(answer(node.operand, row))
    if isinstance(node, Truth):
        return row[node.column.name]
    if isinstance(node, Comparison):
        return compare(node.operator, value(node.left, row), value(node.right, row))
    if isinstance(node, Missing):
        found = value(node.operand, row) is None
    elif isinstance(node, Between):
        low, high = value(node.low, row), value(node.high, row)
        found = all_of([compare(">=", value(node.operand, row), low), compare("<=", value(node.operand, row), high)])
    else:
        own = value(node.operand, row)
        found = None if own is None else own in [one.value for one in node.values]
    return opposite(found) if node.negated else found


@given(expression)
def test_a_printed_criterion_is_read_as_the_same(tree):
    assert parse_criterion(str(tree)) == tree


@given(st.text(max_size=40), st.integers(-(10**14), 10**14) | st.floats(allow_nan=False, allow_infinity=False))
def test_any_text_and_number_is_read_back(text, number):
    tree = Or((Comparison(Column("a", "b"), "==", Literal(text)), Comparison(Column("a", "b"), "<", Literal(number))))
    assert parse_criterion(str(tree)) == tree


@given(expression, st.lists(ROWS, min_size=1, max_size=5))
def test_answers_are_those_of_plain_python(tree, rows):
    assert evaluate_criterion(tree, tables_of(rows)).to_pylist() == [answer(tree, row) for row in rows]


@given(st.text(max_size=60))
def test_no_text_does_anything_but_be_refused(text):
    with contextlib.suppress(SettingError):
        parse_criterion(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("series.phase = 'venous'", 'write "=="'),
        ("phase == 'venous'", "series.phase"),
        ("series.phase == 'venous", "A text has no end"),
        ("1 < series.slices < 3", "x between 1 and 3"),
        ("series.slices ==", "ends too early"),
        ("(series.slices == 1", 'Expected: "\\)"'),
        ("series.slices is 3", "is missing"),
        ("series.slices && series.rows", 'write "and"'),
        ("series.phase in []", '"]" cannot stand here'),
        ("__import__('os').system('true')", "says nothing in a criterion"),
        ("series.slices == 9999999999999999999", "too large"),
        ("not " * (MAX_DEPTH + 2) + "series.selected", "levels of parentheses"),
        ("(" * (MAX_DEPTH + 2) + "series.selected", "levels of parentheses"),
        ("series.a == 1 and " * 3 + "x" * MAX_CHARACTERS, "characters"),
    ],
)
def test_a_mistake_is_said_in_a_sentence(text, said):
    with pytest.raises(SettingError, match=said):
        parse_criterion(text)


@pytest.fixture
def archive():
    series = pa.table(
        {
            "series": ["S1", "S2"],
            "study": ["T1", "T2"],
            "patient": ["P1", "P2"],
            "phase": pa.array(["venous", "unknown"]).dictionary_encode(),
            "slices": [40, 60],
            "phase_confidence": pa.array([0.7, 0.9], pa.float32()),
            "selected": [True, False],
            "positions": [[1.0], [2.0]],
            "kernel": pa.nulls(2),
        }
    )
    return ArchiveTables.join(series=series, study=pa.table({"study": ["T1", "T2"], "patient": ["P1", "P2"]}))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("serie.phase == 'venous'", 'no table "serie". Did you mean "series"'),
        ("series.phse == 'venous'", 'no column "phse". Did you mean "phase"'),
        ("study.slices > 3", 'Did you mean "series.slices"'),
        ("clinical.age > 3", "no clinical table yet"),
        ("series.slices == 'many'", "cannot be compared"),
        ("series.phase > 'venous'", '">" is for numbers'),
        ("series.phase == 3", "series.phase \\(texts\\) and 3 \\(numbers\\)"),
        ("series.selected == 1", "cannot be compared"),
        ("series.slices", "alone is no question"),
        ("series.positions == 3", "neither numbers nor texts"),
        ("series.phase - 1 == 3", "cannot be compared"),
    ],
)
def test_what_does_not_fit_the_tables_is_said(archive, text, said):
    with pytest.raises(SettingError, match=said):
        evaluate_criterion(parse_criterion(text), archive)


def test_a_word_that_never_occurs_is_warned_of_with_the_nearest(archive):
    assert check_criterion(parse_criterion("series.phase == 'venos'"), archive) == [
        "series.phase is never 'venos'. Did you mean \"venous\"?"
    ]
    (warning,) = check_criterion(parse_criterion("series.phase in ['venous', 'Unknown']"), archive)
    assert "write series.phase is missing" in warning
    assert check_criterion(parse_criterion("series.kernel == 'soft'"), archive) == [
        "series.kernel holds no value at all."
    ]


def test_unknown_counts_as_missing(archive):
    assert evaluate_criterion(parse_criterion("series.phase == 'venous'"), archive).to_pylist() == [True, None]
    assert evaluate_criterion(parse_criterion("series.phase is missing"), archive).to_pylist() == [False, True]


def test_a_number_is_equal_to_itself_in_a_column_of_single_precision(archive):
    assert evaluate_criterion(parse_criterion("series.phase_confidence >= 0.7"), archive).to_pylist() == [True, True]
    assert evaluate_criterion(parse_criterion("0.7 == series.phase_confidence"), archive).to_pylist() == [True, False]
