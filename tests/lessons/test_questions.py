"""Questions: clicked or typed, the first answer counts, a wrong one says which is right and why; buttons leave no trace."""

import pytest

from firstread.lessons.buttons import WIDGET_VIEW, have_buttons, strip_widget_views
from firstread.lessons.questions import Question

VALUES = {
    "text": "Which lung is <collapsed>?",
    "options": ["left", "right & wrong", "neither"],
    "answer": "b",
    "because": "Look at the trachea.",
}


@pytest.fixture
def asked():
    answers = []
    question = Question("side", VALUES, lambda *answer: answers.append(answer))
    question.told = answers
    return question


@pytest.mark.parametrize("typed", ["b", "B", " b ", "b)", "(b)", '"b"'])
def test_a_letter_in_any_form_is_an_answer(asked, typed):
    assert asked.answer(typed).good
    assert asked.told == [("b", True)]


@pytest.mark.parametrize("typed", ["", "d", "right", "?"])
def test_something_else_is_not_recorded(asked, typed):
    assert 'one of the letters "a", "b", "c"' in asked.answer(typed).text
    assert asked.told == []
    assert not asked.is_complete


def test_a_wrong_answer_says_which_one_is_right_and_why(asked):
    said = asked.answer("a")
    assert said.good is False
    assert "Right is b) right & wrong." in said.text
    assert "Look at the trachea." in said.text
    assert asked.told == [("a", False)]


def test_buttons_answer_once_and_mark_what_was_right(asked):
    widgets = pytest.importorskip("ipywidgets")
    box = asked._make_widget()
    buttons = [one for one in box.children if isinstance(one, widgets.Button)]
    assert [one.description for one in buttons] == ["a) left", "b) right & wrong", "c) neither"]
    buttons[2].click()
    buttons[1].click()
    assert asked.told == [("c", False)]
    assert [one.description[0] for one in buttons] == ["a", "✓", "✗"]
    assert 'role="alert"' in box.children[-1].value
    assert "Right is b)" in box.children[-1].value


def test_as_text_it_is_whole_and_escaped(asked):
    for shown in (asked._repr_html_(), repr(asked)):
        assert "neither" in shown
        assert 'lesson.question("side", "a")' in shown.replace("&quot;", '"')
    assert "<collapsed>" not in asked._repr_html_()
    asked.answer("a")
    assert "✗ <b>a)</b>" in asked._repr_html_()
    assert "Look at the trachea." in asked._repr_html_()


def test_outside_a_notebook_there_are_no_buttons(monkeypatch):
    assert not have_buttons()
    monkeypatch.setattr("firstread.lessons.buttons.in_notebook", lambda: True)
    assert have_buttons()
    monkeypatch.setenv("FIRSTREAD_BUTTONS", "off")
    assert not have_buttons()


def test_a_saved_notebook_holds_no_buttons_but_what_stands_for_them():
    widget = {WIDGET_VIEW: {"model_id": "1"}}
    outputs = [
        {"output_type": "display_data", "data": {**widget, "text/html": "the question", "text/plain": "the question"}},
        {"output_type": "display_data", "data": {**widget, "text/plain": "somebody's own widget"}},
        {"output_type": "stream", "text": "x"},
    ]
    model = {"type": "notebook", "content": {"cells": [{"cell_type": "code", "outputs": outputs}, {"source": "text"}]}}
    strip_widget_views(model, path="x.ipynb", contents_manager=None)
    assert outputs[0]["data"] == {"text/html": "the question", "text/plain": "the question"}
    assert WIDGET_VIEW in outputs[1]["data"]
    for other in ({"type": "file", "content": "text"}, {"type": "notebook", "content": None}, {"type": "directory"}):
        strip_widget_views(other)
