"""Sanitizer for the copy of a notebook that a participant sent to the instructor.

The copy is untrusted input. Markdown is rendered without scripts, styles, links and pictures, all else is kept as text
that the page escapes; HTML, scripts, SVG and widgets in outputs are named and not shown; of images only PNG of limited
size is kept.
"""

import base64
import binascii
import json
import re
import struct
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from firstread.classroom.service.markdown_renderer import render_markdown
from firstread.core.errors import DataError

MAX_CELLS, MAX_OUTPUTS, MAX_TEXT_CHARACTERS = 400, 20, 6000
MAX_IMAGES, MAX_IMAGE_BYTES, MAX_IMAGE_SIDE_PIXELS = 40, 2 * 2**20, 4096
#: of all cells together; further ones are shown as text, because rendering takes time
MAX_MARKDOWN_CHARACTERS = 100_000
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# terminal control sequences: ECMA-48, section 5.4
_ANSI_ESCAPES = re.compile(r"\x1b\[[0-9;:]*[A-Za-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")

_HEADING = re.compile(r"^#{1,3}\s", re.MULTILINE)
_STEP_TAG = "step-"


@dataclass(frozen=True)
class SanitizedOutput:
    """An output of a cell; `kind` is "text", "error", "image" (base64 of a PNG) or "left out"."""

    kind: str
    text: str


@dataclass(frozen=True)
class SanitizedCell:
    """A cell of the copy.

    Attributes:
        kind: "code", "markdown" or "text".
        html: the rendered text of a markdown cell; empty of others.
        step: id of the step of the lesson that this cell is the first code cell of, as the copy says.
    """

    number: int
    kind: str
    source: str
    outputs: tuple[SanitizedOutput, ...] = ()
    html: Markup = field(default_factory=Markup)
    step: str = ""

    @property
    def has_error(self) -> bool:
        """True if the cell shows an error."""
        return any(output.kind == "error" for output in self.outputs)


def sanitize_notebook(text: str) -> list[SanitizedCell]:
    """Parse a notebook and return its cells as plain text and checked images.

    Raises:
        DataError: it is not a notebook.
    """
    try:
        cells = json.loads(text)["cells"]
        if not isinstance(cells, list):
            raise TypeError
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError("The copy of the notebook cannot be read", expected="a notebook as JSON") from error
    images, sanitized, markdown_characters = _ImageSanitizer(), [], 0
    for number, cell in enumerate(cells[:MAX_CELLS], start=1):
        if isinstance(cell, dict):
            kind, source = _kind(cell), _sanitize_text(cell.get("source"))
            markdown_characters += len(source) if kind == "markdown" else 0
            is_rendered = kind == "markdown" and markdown_characters <= MAX_MARKDOWN_CHARACTERS
            html = render_markdown(source) if is_rendered else Markup()
            outputs = _sanitize_outputs(cell, images)
            sanitized.append(SanitizedCell(number, kind, source, outputs, html, _step(cell)))
    if len(cells) > MAX_CELLS:
        sanitized.append(SanitizedCell(MAX_CELLS + 1, "text", f"... and {len(cells) - MAX_CELLS} more cells"))
    return sanitized


def find_step(cells: list[SanitizedCell], step: str | None) -> int | None:
    """Number of the cell with the heading of a step, as the bar finds it; None if the copy has no such step."""
    index = next((index for index, cell in enumerate(cells) if step and cell.step == step), None)
    if index is None:
        return None
    begin = index
    while begin > 0 and cells[begin - 1].kind == "markdown":
        begin -= 1
        if _HEADING.search(cells[begin].source):
            break
    return cells[begin].number


class _ImageSanitizer:
    """Check images, up to a maximum number for one notebook."""

    def __init__(self) -> None:
        self.remaining = MAX_IMAGES

    def sanitize(self, data: str) -> SanitizedOutput:
        """Return the image if it is a PNG of limited size."""
        encoded = "".join(data.split())
        if len(encoded) > MAX_IMAGE_BYTES * 4 // 3 + 4 or self.remaining <= 0:
            return SanitizedOutput("left out", "an image that is too large, or one too many")
        try:
            raw = base64.b64decode(encoded, validate=True)
            width, height = struct.unpack(">II", raw[16:24])
        except (binascii.Error, ValueError, struct.error):
            return SanitizedOutput("left out", "an image that cannot be read")
        if (
            not raw.startswith(_PNG_SIGNATURE)
            or raw[12:16] != b"IHDR"
            or not 0 < width <= MAX_IMAGE_SIDE_PIXELS
            or not 0 < height <= MAX_IMAGE_SIDE_PIXELS
        ):
            return SanitizedOutput("left out", "an image that is no PNG of ordinary size")
        self.remaining -= 1
        return SanitizedOutput("image", base64.b64encode(raw).decode("ascii"))


def _kind(cell: dict[str, Any]) -> str:
    kind = cell.get("cell_type")
    return kind if kind in ("code", "markdown") else "text"


def _step(cell: dict[str, Any]) -> str:
    metadata = cell.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    names = [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
    return next((name.removeprefix(_STEP_TAG) for name in names if name.startswith(_STEP_TAG)), "")


def _sanitize_outputs(cell: dict[str, Any], images: _ImageSanitizer) -> tuple[SanitizedOutput, ...]:
    outputs = cell.get("outputs")
    valid = [output for output in outputs if isinstance(output, dict)] if isinstance(outputs, list) else []
    shown = [_sanitize_output(output, images) for output in valid[:MAX_OUTPUTS]]
    if len(valid) > MAX_OUTPUTS:
        shown.append(SanitizedOutput("left out", f"{len(valid) - MAX_OUTPUTS} more outputs"))
    return tuple(shown)


def _sanitize_output(output: dict[str, Any], images: _ImageSanitizer) -> SanitizedOutput:
    kind, data = output.get("output_type"), output.get("data")
    if kind == "stream":
        return SanitizedOutput("text", _sanitize_text(output.get("text")))
    if kind == "error":
        message = f"{_sanitize_text(output.get('ename'))}: {_sanitize_text(output.get('evalue'))}"
        return SanitizedOutput("error", _sanitize_text(output.get("traceback")) or message)
    if isinstance(data, dict) and "image/png" in data:
        return images.sanitize(_join_lines(data["image/png"]))
    if isinstance(data, dict) and "text/plain" in data:
        return SanitizedOutput("text", _sanitize_text(data["text/plain"]))
    return SanitizedOutput("left out", "something that is not shown here")


def _sanitize_text(value: object) -> str:
    """Join the lines of a text, remove terminal colors and limit its length."""
    text = _ANSI_ESCAPES.sub("", _join_lines(value))
    if len(text) <= MAX_TEXT_CHARACTERS:
        return text
    return f"{text[:MAX_TEXT_CHARACTERS]}\n... ({len(text) - MAX_TEXT_CHARACTERS} more characters)"


def _join_lines(value: object) -> str:
    if isinstance(value, list):
        lines = [line for line in value if isinstance(line, str)]
        return ("" if any(line.endswith("\n") for line in lines) or len(lines) < 2 else "\n").join(lines)
    return value if isinstance(value, str) else ""
