"""A question of a lesson: options to click or to type, and after the answer which one is right, and why."""

from collections.abc import Callable
from functools import partial
from html import escape
from typing import Any

from firstread.lessons.buttons import Clickable, make_button, make_html
from firstread.lessons.notes import Note, frame

_LETTERS = "abcdefgh"


class Question(Clickable):
    """Question that a notebook shows with a button for each option.

    Args:
        name: id in quiz.toml.
        values: its text, options, answer (a letter) and because.
        on_answer: is told the letter and whether it is right.
    """

    def __init__(self, name: str, values: dict[str, Any], on_answer: Callable[[str, bool], None]) -> None:
        self.name, self.values, self.on_answer = name, values, on_answer
        self.given: str | None = None

    @property
    def options(self) -> dict[str, str]:
        """Letter -> option."""
        return dict(zip(_LETTERS, self.values["options"], strict=False))

    @property
    def is_complete(self) -> bool:
        """True once it is answered."""
        return self.given is not None

    def answer(self, answer: str) -> Note:
        """Take an answer, a letter in upper or lower case, and say whether it is right, and why."""
        letter = str(answer).strip().strip("().\"'").strip().lower()
        if letter not in self.options:
            letters = ", ".join(f'"{letter}"' for letter in self.options)
            return Note(f"Answer with one of the letters {letters}.", good=False)
        self.given = letter
        self.on_answer(letter, letter == self.values["answer"])
        return self.verdict

    @property
    def verdict(self) -> Note:
        """After the answer: right or not, which option is right, and why."""
        right = self.values["answer"]
        if self.given == right:
            return Note(f"Right. {self.values['because']}", good=True)
        return Note(f"Not quite. Right is {right}) {self.options[right]}.\n{self.values['because']}", good=False)

    def _make_widget(self) -> Any:
        import ipywidgets

        buttons: dict[str, Any] = {}
        verdict = make_html("")

        def click(letter: str) -> None:
            if self.is_complete:  # the first answer counts; whoever runs the cell again is asked again
                return
            self.answer(letter)
            for name, mark, style in self._marks():
                buttons[name].description = f"{mark} {name}) {self.options[name]}"
                buttons[name].add_class(style)
            verdict.value = frame(_lines(self.verdict.text), good=self.verdict.good, role="alert")

        for letter, option in self.options.items():
            buttons[letter] = make_button(f"{letter}) {option}", partial(click, letter))
        text = make_html(f"<b>Question.</b> {escape(self.values['text'])}", with_style=True)
        layout = ipywidgets.Layout(max_width="46em", padding="4px 4px 4px 14px", border_left="4px solid #0b5394")
        return ipywidgets.VBox([text, *buttons.values(), verdict], layout=layout)

    def _marks(self) -> list[tuple[str, str, str]]:
        """Letter, mark and style of the options that stand out after the answer."""
        right = self.values["answer"]
        marks = [(right, "✓", "firstread-right")]
        return marks if self.given in (None, right) else [*marks, (str(self.given), "✗", "firstread-wrong")]

    def __repr__(self) -> str:
        lines = [f"  {letter}) {option}" for letter, option in self.options.items()]
        last = self.verdict.text if self.is_complete else self._hint
        return "\n".join([f"Question. {self.values['text']}", *lines, last])

    @property
    def _hint(self) -> str:
        return f'Run this cell to answer by clicking, or run in a cell of its own: lesson.question("{self.name}", "a")'

    def _repr_html_(self) -> str:
        marks = {letter: mark for letter, mark, _ in self._marks()} if self.is_complete else {}
        options = "".join(
            f"<div style='margin:.15em 0 0 1em'>{marks.get(letter, '')} <b>{letter})</b> {escape(option)}</div>"
            for letter, option in self.options.items()
        )
        text = frame(f"<b>Question.</b> {escape(self.values['text'])}{options}")
        if self.is_complete:
            return text + self.verdict._repr_html_()
        return text + f"<div style='margin-left:1.2em;color:#555'>{escape(self._hint)}</div>"


def _lines(text: str) -> str:
    return escape(text).replace("\n", "<br>")
