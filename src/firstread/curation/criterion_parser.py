"""Parser of criteria: text to a syntax tree, by recursive descent; nothing of it is ever run as a program.

```
expression  = conjunction { "or" conjunction }
conjunction = negation { "and" negation }
negation    = "not" negation | "(" expression ")" | test
test        = operand ( "==" | "!=" | "<" | "<=" | ">" | ">=" ) operand
            | operand [ "not" ] "in" "[" literal { "," literal } "]"
            | operand [ "not" ] "between" operand "and" operand
            | operand "is" [ "not" ] "missing"
            | column
operand     = term { ( "+" | "-" ) term }
term        = column | literal
column      = table "." name
literal     = 'text' | "text" | [ "-" ] number | "true" | "false"
```
"""

from collections.abc import Callable

from firstread.core.errors import SettingError
from firstread.curation.criterion_syntax import (
    COMPARISONS,
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
)
from firstread.curation.criterion_tokens import Token, tokenize

MAX_DEPTH = 20
MAX_PARTS = 100


def parse_criterion(text: str) -> Expression:
    """The syntax tree of a criterion.

    Args:
        text: such as "series.phase == 'venous' and clinical.age_years >= 18".

    Raises:
        SettingError: it cannot be read; the message says at which character, and what was expected.

    Example:
        >>> parse_criterion("not (series.plane == 'axial' or study.day between 0 and 42)").operand.operands[0].operator
        '=='
        >>> str(parse_criterion("clinical.sex IN ['F','M']"))
        "clinical.sex in ['F', 'M']"
    """
    parser = _Parser(tokenize(text))
    found = parser.expression(0)
    parser.expect_end()
    return found


def parse_column(text: str) -> Column:
    """A column with its table, such as "clinical.surgery_day".

    Raises:
        SettingError: it is anything else.
    """
    tokens = tokenize(text)
    if [token.kind for token in tokens] != ["column", "end"]:
        raise SettingError(f'"{text}" is no column', expected="a table and a column, such as clinical.surgery_day")
    return _column(tokens[0])


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens, self._position = tokens, 0

    def expression(self, depth: int) -> Expression:
        return self._series("or", lambda: self._conjunction(depth), Or)

    def expect_end(self) -> None:
        token = self._next
        if token.value in COMPARISONS:
            raise self._unexpected("one comparison; for a number between two others write: x between 1 and 3")
        if token.kind != "end":
            raise self._unexpected("and, or, or the end of the criterion")

    def _conjunction(self, depth: int) -> Expression:
        return self._series("and", lambda: self._negation(depth), And)

    def _series(self, word: str, part: Callable[[], Expression], node: type[And] | type[Or]) -> Expression:
        parts = [part()]
        while self._take_word(word):
            parts.append(part())
            if len(parts) > MAX_PARTS:
                raise self._unexpected(f'at most {MAX_PARTS} parts joined by "{word}"')
        return parts[0] if len(parts) == 1 else node(tuple(parts))

    def _negation(self, depth: int) -> Expression:
        if depth > MAX_DEPTH:
            raise self._unexpected(f"at most {MAX_DEPTH} levels of parentheses and not")
        if self._take_word("not"):
            return Not(self._negation(depth + 1))
        if self._take_sign("("):
            found = self.expression(depth + 1)
            self._require_sign(")")
            return found
        return self._test()

    def _test(self) -> Expression:
        left = self._operand()
        token = self._next
        if token.kind == "sign" and token.value in COMPARISONS:
            self._position += 1
            return Comparison(left, str(token.value), self._operand())
        if self._take_word("is"):
            negated = self._take_word("not")
            if not self._take_word("missing"):
                raise self._unexpected('"missing": a criterion asks "is missing" or "is not missing"')
            return Missing(left, negated)
        negated = self._take_word("not")
        if self._take_word("in"):
            return Membership(left, self._list(), negated)
        if self._take_word("between"):
            low = self._operand()
            if not self._take_word("and"):
                raise self._unexpected('"and", as in: between 1 and 3')
            return Between(left, low, self._operand(), negated)
        if isinstance(left, Column) and not negated:
            return Truth(left)
        raise self._unexpected(f"{', '.join(COMPARISONS)}, in, between or is missing")

    def _list(self) -> tuple[Literal, ...]:
        self._require_sign("[")
        values = [self._literal()]
        while self._take_sign(","):
            values.append(self._literal())
            if len(values) > MAX_PARTS:
                raise self._unexpected(f"at most {MAX_PARTS} values in a list")
        self._require_sign("]")
        return tuple(values)

    def _operand(self) -> Operand:
        found: Operand = self._term()
        for _ in range(MAX_PARTS):
            sign = next((one for one in "+-" if self._take_sign(one)), None)
            if sign is None:
                return found
            found = Sum(found, sign, self._term())
        raise self._unexpected(f"at most {MAX_PARTS} parts of a sum")

    def _term(self) -> Column | Literal:
        if self._next.kind == "column":
            self._position += 1
            return _column(self._tokens[self._position - 1])
        return self._literal()

    def _literal(self) -> Literal:
        sign = -1 if self._take_sign("-") else 1
        token = self._next
        if token.kind == "number" and not isinstance(token.value, str):
            self._position += 1
            return Literal(sign * token.value)
        if sign == 1 and (token.kind == "text" or (token.kind == "word" and token.value in ("true", "false"))):
            self._position += 1
            return Literal(token.value if token.kind == "text" else token.value == "true")
        raise self._unexpected("a column such as series.phase, a number, or a text in quotation marks")

    @property
    def _next(self) -> Token:
        return self._tokens[self._position]

    def _take_word(self, word: str) -> bool:
        return self._take("word", word)

    def _take_sign(self, sign: str) -> bool:
        return self._take("sign", sign)

    def _take(self, kind: str, value: str) -> bool:
        found = self._next.kind == kind and self._next.value == value
        self._position += found
        return found

    def _require_sign(self, sign: str) -> None:
        if not self._take_sign(sign):
            raise self._unexpected(f'"{sign}"')

    def _unexpected(self, expected: str) -> SettingError:
        token = self._next
        what = "The criterion ends too early" if token.kind == "end" else f'"{token.value}" cannot stand here'
        return SettingError(what, where=f"character {token.place}", expected=expected)


def _column(token: Token) -> Column:
    table, _, name = str(token.value).partition(".")
    return Column(table, name)
