"""Files that all participants of a class share."""

import json

import pytest

pytest.importorskip("jupyterhub", reason="the classroom needs firstread[classroom]")

from firstread.classroom.shared_folder import write_template
from firstread.lessons.lesson_info import find_lessons, get_step_id


@pytest.mark.parametrize("lesson", find_lessons(), ids=lambda lesson: lesson.name)
def test_in_a_class_the_lesson_speaks_of_the_class(tmp_path, lesson):
    write_template(tmp_path / "template.ipynb", lesson)
    text = (tmp_path / "template.ipynb").read_text(encoding="utf-8")
    for word in ("Restart Kernel", "Colab", "Kaggle", "pip"):
        assert word not in text, word
    alone = lesson.notebook().cells
    source = "".join(cell.source for cell in alone)
    assert "importlib.util.find_spec" in source, "outside a class the lesson installs what it needs"
    assert ("Restart and catch up" in text) == ("Restart Kernel" in source)
    # nothing else is missing, and a cell has the id of its place in the lesson
    cells = json.loads(text)["cells"]
    places = [int(cell["id"].removeprefix("cell-")) for cell in cells]
    assert len(alone) - len(cells) == 1
    assert [alone[place - 1].cell_type for place in places] == [cell["cell_type"] for cell in cells]
    kept = [alone[place - 1] for place in places]
    assert [get_step_id(cell) for cell in kept if get_step_id(cell)] == [step["id"] for step in lesson.steps]
