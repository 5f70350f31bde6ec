"""Tokens of a criterion: names, numbers, texts and signs, each with its place."""

import math
import re
from dataclasses import dataclass

from firstread.core.errors import SettingError
from firstread.curation.criterion_syntax import COMPARISONS, KEYWORDS, Value

MAX_CHARACTERS = 2_000
_PATTERN = re.compile(
    r"""(?P<space>\s+)
    |(?P<column>[A-Za-z_][A-Za-z0-9_]*\.[A-Za-z_][A-Za-z0-9_]*)
    |(?P<word>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    |(?P<sign>==|!=|<=|>=|<|>|[()\[\],+\-])""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
#: signs of other languages -> what is written here
_OTHER_SIGNS = {"=": "==", "&": "and", "&&": "and", "|": "or", "||": "or", "!": "not", "<>": "!=", "≥": ">=", "≤": "<="}
_MAX_DIGITS = 15


@dataclass(frozen=True)
class Token:
    """A piece of a criterion.

    Attributes:
        kind: "column", "word" (of the grammar), "number", "text", "sign" or "end".
        value: as it is written; of a number or a text, the value.
        place: of its first character, from 1.
    """

    kind: str
    value: Value
    place: int


def tokenize(text: str) -> list[Token]:
    """The tokens of a criterion, with one of the kind "end" behind them.

    Raises:
        SettingError: it is too long, or holds a character that no criterion has.

    Example:
        >>> [token.value for token in tokenize("study.day >= 3")]
        ['study.day', '>=', 3, '']
    """
    if len(text) > MAX_CHARACTERS:
        raise SettingError(
            f"A criterion has {len(text):,} characters", expected=f"at most {MAX_CHARACTERS:,}", do="divide it in two"
        )
    tokens, position = [], 0
    while position < len(text):
        match = _PATTERN.match(text, position)
        if match is None or match.lastgroup is None:
            raise _strange_character(text, position)
        if match.lastgroup != "space":
            tokens.append(_token(match.lastgroup, match.group(), position + 1))
        position = match.end()
    return [*tokens, Token("end", "", len(text) + 1)]


def _token(kind: str, text: str, place: int) -> Token:
    if kind == "text":
        return Token(kind, _ESCAPE.sub(r"\1", text[1:-1]), place)
    if kind == "number":
        return Token(kind, _number(text, place), place)
    if kind == "word":
        if text.lower() not in KEYWORDS:
            raise SettingError(
                f'"{text}" says nothing in a criterion',
                where=f"character {place}",
                expected=f"a column with its table, such as series.{text}, or a text in quotation marks, '{text}'",
            )
        return Token(kind, text.lower(), place)
    return Token(kind, text, place)


def _number(text: str, place: int) -> int | float:
    value = int(text) if text.isdigit() and len(text) <= _MAX_DIGITS else float(text)
    if not math.isfinite(value) or (isinstance(value, float) and text.isdigit()):
        raise SettingError("A number is too large", where=f"character {place}", expected=f"up to {_MAX_DIGITS} digits")
    return value


def _strange_character(text: str, position: int) -> SettingError:
    found = next((sign for sign in sorted(_OTHER_SIGNS, key=len, reverse=True) if text.startswith(sign, position)), "")
    where = f"character {position + 1}"
    if found:
        return SettingError(f'"{found}" is not used in criteria', where=where, do=f'write "{_OTHER_SIGNS[found]}"')
    if text[position] in "'\"":
        return SettingError("A text has no end", where=where, do="close it with the same quotation mark")
    return SettingError(
        f'"{text[position]}" has no meaning here', where=where, expected=f"{', '.join(COMPARISONS)}, and, or, not, in"
    )
