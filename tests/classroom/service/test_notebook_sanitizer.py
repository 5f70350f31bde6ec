"""A stranger's notebook is shown as text, and their images only if they are PNG of ordinary size."""

import base64
import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.classroom.service.notebook_sanitizer import (
    MAX_CELLS,
    MAX_IMAGES,
    MAX_MARKDOWN_CHARACTERS,
    MAX_TEXT_CHARACTERS,
    find_step,
    sanitize_notebook,
)
from firstread.core.errors import DataError

from ..simulated_class import make_png, malicious_notebook


def one_output(output):
    """What is shown of one output."""
    return sanitize_notebook(json.dumps({"cells": [{"cell_type": "code", "source": "", "outputs": [output]}]}))[
        0
    ].outputs[0]


def image(data):
    return one_output({"output_type": "display_data", "data": {"image/png": data}})


def test_the_kinds_of_output():
    cells = sanitize_notebook(malicious_notebook())
    assert [cell.kind for cell in cells] == ["markdown", "code", "code"]
    assert [one.kind for one in cells[1].outputs] == [
        "text",
        "text",
        "image",
        "left out",
        "left out",
        "left out",
        "error",
    ]
    assert cells[1].outputs[0].text.startswith("Hello, World!"), "colours of a terminal are taken out"
    assert cells[1].has_error
    assert not cells[2].has_error


@pytest.mark.parametrize(
    "data",
    [
        "",
        "not base64 ☺",
        base64.b64encode(b"GIF89a").decode(),
        base64.b64encode(make_png()[:20]).decode(),
        base64.b64encode(make_png()[:16] + struct.pack(">II", 60_000, 60_000) + make_png()[24:]).decode(),
        base64.b64encode(make_png()[:16] + struct.pack(">II", 0, 5) + make_png()[24:]).decode(),
        base64.b64encode(make_png() + b"\0" * 3 * 2**20).decode(),
        'x" onerror="alert(1)',
        {"a": 1},
        None,
    ],
)
def test_other_images_are_left_out(data):
    assert image(data).kind == "left out"


def test_an_image_in_lines_is_shown_whole():
    encoded = base64.encodebytes(make_png()).decode().splitlines(keepends=True)
    assert base64.b64decode(image(encoded).text) == make_png()


def test_there_is_an_end_to_everything():
    many = {"output_type": "display_data", "data": {"image/png": base64.b64encode(make_png()).decode()}}
    cells = [{"cell_type": "code", "source": "x" * 50_000, "outputs": [many]}] * (MAX_CELLS + 5)
    read = sanitize_notebook(json.dumps({"cells": cells}))
    assert len(read) == MAX_CELLS + 1
    assert "5 more cells" in read[-1].source
    assert sum(one.kind == "image" for cell in read for one in cell.outputs) == MAX_IMAGES
    assert len(read[0].source) < MAX_TEXT_CHARACTERS + 100


def step_cell(number, *, step=None, source="", kind="code"):
    """A cell of a copy, with the tag of a step."""
    tags = {"tags": [f"step-{step}"]} if step else {}
    return {"cell_type": kind, "source": source, "metadata": tags, "id": str(number)}


def test_a_step_begins_at_its_heading():
    cells = [
        step_cell(1, kind="markdown", source="# Lesson"),
        step_cell(2, step="hello"),
        step_cell(3, kind="markdown", source="## 2. Look"),
        step_cell(4, kind="markdown", source="and look again"),
        step_cell(5, step="look"),
        step_cell(6, step="guess"),
    ]
    read = sanitize_notebook(json.dumps({"cells": cells}))
    assert [find_step(read, step) for step in ("hello", "look", "guess", "no such", "", None)] == [
        *(1, 3, 6),
        *(None, None, None),
    ]


def test_only_so_much_markdown_is_rendered():
    cells = [{"cell_type": "markdown", "source": "*a* " * 1500}] * 30
    read = sanitize_notebook(json.dumps({"cells": cells}))
    assert sum(len(cell.source) for cell in read if cell.html) <= MAX_MARKDOWN_CHARACTERS
    assert read[-1].source
    assert not read[-1].html


@pytest.mark.parametrize("text", ["", "no", "[]", "{}", '{"cells": 7}', '{"cells": {}}', "null", "[" * 100_000])
def test_what_is_no_notebook_is_said_to_be_none(text):
    with pytest.raises(DataError, match="cannot be read"):
        sanitize_notebook(text)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inside: (
        st.lists(inside, max_size=4)
        | st.dictionaries(
            st.sampled_from(["cells", "source", "outputs", "data", "output_type", "image/png", "text/plain", "text"]),
            inside,
        )
    ),
    max_leaves=20,
)


@given(st.lists(plain, max_size=5))
def test_whatever_is_in_a_copy_it_is_read(cells):
    for cell in sanitize_notebook(json.dumps({"cells": cells})):
        assert isinstance(cell.source, str)
        assert all(isinstance(one.text, str) for one in cell.outputs)
