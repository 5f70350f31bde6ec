"""Sentences for the slips of somebody who has never programmed: what Python's errors mean, and what to do."""

import ast
import linecache
import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from firstread.core.errors import FirstreadError

_QUOTES = ("'", '"')
#: typographic characters that word processors and telephones put in place of straight ones
_TYPOGRAPHIC = "“”„‟«»‘’‚"
_BRACKETS = {"(": ")", "[": "]", "{": "}"}
_TRUTH_WORDS = {"true": "True", "false": "False", "none": "None"}
#: words that a lesson wants typed between quotation marks
_LESSON_WORDS = ("on", "off", "yes", "no", *"abcdefgh")


def explain_error(error: BaseException, *, namespace: Mapping[str, Any], cells: Mapping[str, str]) -> list[str] | None:
    """What happened and what to do, in sentences; None for an error that has to speak for itself.

    Args:
        error: that a cell raised.
        namespace: the names that the notebook knows.
        cells: name -> first line of the lesson's cell that makes it.
    """
    if isinstance(error, FirstreadError):
        return error._render_traceback_()
    if isinstance(error, KeyboardInterrupt):
        return ["You stopped this cell.", "What it had finished is kept. Run it again whenever you like."]
    if isinstance(error, NameError):
        return _explain_name(str(error.name or ""), namespace, cells)
    if isinstance(error, SyntaxError):
        return _explain_syntax(error)
    for kind, explain in _EXPLANATIONS.items():
        if isinstance(error, kind):
            return explain(error)
    return None


def names_made_by(cells: Iterable[str]) -> dict[str, str]:
    """Name -> first line of code of the cell that makes it first."""
    made: dict[str, str] = {}
    for source in cells:
        lines = [line for line in source.splitlines() if line.strip() and not line.startswith("#")]
        try:
            tree = ast.parse(source)
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                made.setdefault(node.id, lines[0])
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                for alias in node.names:
                    made.setdefault((alias.asname or alias.name).split(".")[0], lines[0])
    return made


def _explain_name(name: str, namespace: Mapping[str, Any], cells: Mapping[str, str]) -> list[str]:
    if name in cells:
        return [
            f"There is nothing called {name} yet: the cell above that makes it has not been run.",
            f"What to do: run the cell that begins with   {cells[name]}   and then this one again.",
        ]
    if name.lower() in _TRUTH_WORDS:
        return [f"Python writes {_TRUTH_WORDS[name.lower()]} with a capital letter.", "What to do: type it so."]
    quoted = f'put it between quotation marks: "{name}"'
    if name.lower() in _LESSON_WORDS:
        return [f"Python takes {name} for the name of a thing, because it has no quotation marks.", f"What to do: {quoted}."]
    known = [one for one in {**cells, **namespace} if not one.startswith("_")]
    close = get_close_matches(name, known, n=1, cutoff=0.75)
    lines = [f"Python knows nothing called {name}."]
    if close:
        return [*lines, f"What to do: did you mean {close[0]}? If {name} is a word, {quoted}."]
    return [*lines, f"What to do: if {name} is a word, {quoted}. If a cell above makes it, run that one first."]


def _explain_syntax(error: SyntaxError) -> list[str]:
    what, do = _find_slip(error)
    shown = (error.text or "").rstrip("\n")
    stripped = shown.lstrip()
    lines = [f"Python cannot read line {error.lineno} of this cell: {what}"]
    if stripped:
        place = max(0, (error.offset or 1) - 1 - (len(shown) - len(stripped)))
        lines += [f"    {stripped}", f"    {' ' * place}^"]
    return [*lines, f"What to do: {do}"]


def _find_slip(error: SyntaxError) -> tuple[str, str]:
    """What is wrong with a line, and what to do."""
    message, text = _plain_message(error), error.text or ""
    if any(mark in message or mark in text for mark in _TYPOGRAPHIC):
        return "a quotation mark is a typographic one.", 'delete it and type a straight one, " or \', on both sides.'
    if "unterminated" in message and "string" in message or _has_odd_quotes(text):
        return "a quotation mark is missing.", "each text has a quotation mark before it and the same one after it."
    if (found := re.search(r"'([(\[{])' was never closed", message)) is not None:
        closing = _BRACKETS[found[1]]
        return f"a bracket {found[1]} is open.", f"type the closing bracket {closing} where it belongs."
    if (found := re.search(r"unmatched '(.)'", message)) is not None:
        return f"there is a {found[1]} too many.", "delete it, or type the opening bracket that it belongs to."
    if "does not match opening parenthesis" in message:
        return "two brackets do not belong together.", "each ( needs a ), each [ a ], each { a }."
    if "Missing parentheses" in message:
        return "print needs brackets.", 'write print("Hello").'
    if "keyword argument repeated" in message:
        name = message.rsplit(" ", 1)[-1]
        return f"{name} is given twice.", f"leave one {name}=... in the line."
    if isinstance(error, IndentationError):
        return "its beginning is not where Python expects it.", "take away the spaces at its beginning."
    if "forgot a comma" in message:
        return "a comma or a quotation mark is missing.", "look just before the mark ^."
    return "something is missing or too much.", "look at the place above the mark ^: brackets, quotation marks, commas."


def _plain_message(error: SyntaxError) -> str:
    """Python's own words; IPython, which waits for more lines, has "incomplete input" for an open bracket."""
    if error.msg != "incomplete input":
        return error.msg or ""
    try:
        compile("".join(linecache.getlines(error.filename or "")), "cell", "exec")
    except SyntaxError as plain:
        return plain.msg or ""
    return error.msg


def _has_odd_quotes(text: str) -> bool:
    code = text.split("#", maxsplit=1)[0]
    return any(code.count(quote) % 2 for quote in _QUOTES)


def _explain_type(error: BaseException) -> list[str] | None:
    message = str(error)
    if (found := re.search(r"multiple values for (?:keyword )?argument '(\w+)'", message)) is not None:
        return [f"{found[1]} is given twice.", f"What to do: leave one {found[1]}=... in the line."]
    if (found := re.search(r"(\w+)\(\) got an unexpected keyword argument '(\w+)'", message)) is not None:
        close = re.search(r"Did you mean '(\w+)'", message)
        meant = f" Did you mean {close[1]}?" if close else ""
        return [f"{found[1]} has no setting called {found[2]}.{meant}", "What to do: check the spelling."]
    if (found := re.search(r"(\w+)\(\) missing .*: (.*)$", message)) is not None:
        return [f"{found[1]} needs more: {found[2]}.", "What to do: look at how the lesson writes it."]
    if (found := re.search(r"'(\w+)' object is not callable", message)) is not None:
        return [f"Something of the kind {found[1]} was used like a function.", "What to do: take away the brackets ( )."]
    return None


def _explain_attribute(error: BaseException) -> list[str] | None:
    if not isinstance(error, AttributeError) or error.name is None:
        return [str(error), "What to do: check the spelling."] if str(error).startswith("firstread") else None
    close = get_close_matches(error.name, [name for name in dir(error.obj) if name[0] != "_"], n=1, cutoff=0.6)
    kind = type(error.obj).__name__
    what = f"A {kind} has nothing called {error.name}."
    return [what, f"What to do: {f'did you mean {close[0]}? C' if close else 'c'}heck the spelling."]


def _explain_file(error: BaseException) -> list[str]:
    name = getattr(error, "filename", None) or "of this name"
    return [f"There is no file {name}.", "What to do: put it beside this notebook, or check the name."]


def _explain_module(error: BaseException) -> list[str]:
    name = getattr(error, "name", None) or "of this name"
    return [f"Python does not find {name}.", "What to do: check the spelling; `firstread doctor` says what is missing."]


_EXPLANATIONS: dict[type[BaseException], Callable[[BaseException], list[str] | None]] = {
    TypeError: _explain_type,
    AttributeError: _explain_attribute,
    FileNotFoundError: _explain_file,
    ModuleNotFoundError: _explain_module,
}
