"""Criteria as syntax trees: what `parse_criterion` makes of a text, and `str` makes text of again."""

from dataclasses import dataclass
from typing import TypeAlias

Value: TypeAlias = str | int | float | bool
#: words of the grammar that can be no value without quotation marks
KEYWORDS = ("and", "or", "not", "in", "between", "is", "missing", "true", "false")
COMPARISONS = ("==", "!=", "<=", ">=", "<", ">")


@dataclass(frozen=True)
class Column:
    """A column of a table, such as `series.phase`."""

    table: str
    name: str

    def __str__(self) -> str:
        return f"{self.table}.{self.name}"


@dataclass(frozen=True)
class Literal:
    """A text, a number, true or false."""

    value: Value

    def __str__(self) -> str:
        if isinstance(self.value, bool):
            return str(self.value).lower()
        if not isinstance(self.value, str):
            return repr(self.value)
        quote = '"' if "'" in self.value and '"' not in self.value else "'"
        escaped = self.value.replace("\\", "\\\\").replace(quote, f"\\{quote}")
        return f"{quote}{escaped}{quote}"


@dataclass(frozen=True)
class Sum:
    """Two numbers added or subtracted; longer sums hang on the left."""

    left: "Operand"
    sign: str
    right: Column | Literal

    def __str__(self) -> str:
        return f"{self.left} {self.sign} {self.right}"


Operand: TypeAlias = Column | Literal | Sum


@dataclass(frozen=True)
class Comparison:
    """Two values compared: `==`, `!=`, `<`, `<=`, `>`, `>=`."""

    left: Operand
    operator: str
    right: Operand

    def __str__(self) -> str:
        return f"{self.left} {self.operator} {self.right}"


@dataclass(frozen=True)
class Membership:
    """A value that is one of a list, or none of it."""

    operand: Operand
    values: tuple[Literal, ...]
    negated: bool = False

    def __str__(self) -> str:
        return f"{self.operand} {'not in' if self.negated else 'in'} [{', '.join(map(str, self.values))}]"


@dataclass(frozen=True)
class Between:
    """A number between two others, both included."""

    operand: Operand
    low: Operand
    high: Operand
    negated: bool = False

    def __str__(self) -> str:
        return f"{self.operand} {'not between' if self.negated else 'between'} {self.low} and {self.high}"


@dataclass(frozen=True)
class Missing:
    """Whether a value is stated; the one test whose answer is never missing itself."""

    operand: Operand
    negated: bool = False

    def __str__(self) -> str:
        return f"{self.operand} is {'not missing' if self.negated else 'missing'}"


@dataclass(frozen=True)
class Truth:
    """A column of true and false that stands alone."""

    column: Column

    def __str__(self) -> str:
        return str(self.column)


@dataclass(frozen=True)
class Not:
    """The contrary."""

    operand: "Expression"

    def __str__(self) -> str:
        return f"not {_within(self.operand)}"


@dataclass(frozen=True)
class And:
    """All of several."""

    operands: tuple["Expression", ...]

    def __str__(self) -> str:
        return " and ".join(map(_within, self.operands))


@dataclass(frozen=True)
class Or:
    """Any of several."""

    operands: tuple["Expression", ...]

    def __str__(self) -> str:
        return " or ".join(map(_within, self.operands))


Expression: TypeAlias = Comparison | Membership | Between | Missing | Truth | Not | And | Or


def columns_of(node: Expression | Operand) -> tuple[Column, ...]:
    """All columns of an expression, each once, in their order.

    Example:
        >>> from firstread.curation.criterion_parser import parse_criterion
        >>> [str(column) for column in columns_of(parse_criterion("study.day > 3 and series.phase == 'venous'"))]
        ['study.day', 'series.phase']
    """
    return tuple(dict.fromkeys(found for part in walk(node) if isinstance(found := part, Column)))


def walk(node: Expression | Operand) -> list[Expression | Operand]:
    """An expression and all of its parts, from left to right."""
    found: list[Expression | Operand] = [node]
    for part in _parts(node):
        found += walk(part)
    return found


def _parts(node: Expression | Operand) -> tuple[Expression | Operand, ...]:
    match node:
        case And(operands) | Or(operands):
            return operands
        case Not(operand) | Missing(operand) | Truth(operand):
            return (operand,)
        case Comparison(left, _, right) | Sum(left, _, right):
            return (left, right)
        case Membership(operand, values):
            return (operand, *values)
        case Between(operand, low, high):
            return (operand, low, high)
    return ()


def _within(node: Expression) -> str:
    """Text of a part, in parentheses where it would be read otherwise."""
    return f"({node})" if isinstance(node, (And, Or)) else str(node)
