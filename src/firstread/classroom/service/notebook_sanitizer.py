"""The copy of a notebook that somebody allowed the instructor to see, made safe to look at.

It comes from a stranger. So all of it is text that will be escaped; HTML, scripts, SVG and widgets in outputs are named and not shown; of images
only PNG of limited size.
"""

import base64
import binascii
import json
import re
import struct
from dataclasses import dataclass
from typing import Any

from firstread.core.errors import DataError

MOST_CELLS, MOST_OUTPUTS, MOST_CHARACTERS = 400, 20, 6000
MOST_IMAGES, MOST_IMAGE_BYTES, MOST_PIXELS = 40, 2 * 2**20, 4096
_PNG = b"\x89PNG\r\n\x1a\n"
# what terminals colour with: ECMA-48, section 5.4
_COLOURS = re.compile(r"\x1b\[[0-9;:]*[A-Za-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")


@dataclass(frozen=True)
class Output:
    """What a cell said: "text", "error", "image" (base64 of a PNG) or "left out"."""

    kind: str
    text: str


@dataclass(frozen=True)
class CopiedCell:
    """A cell of the copy."""

    number: int
    kind: str
    source: str
    outputs: tuple[Output, ...]

    @property
    def failed(self) -> bool:
        """True if it shows an error."""
        return any(output.kind == "error" for output in self.outputs)


def read_copy(text: str) -> list[CopiedCell]:
    """The cells of a copied notebook.

    Raises:
        DataError: it is no notebook.
    """
    try:
        cells = json.loads(text)["cells"]
        if not isinstance(cells, list):
            raise TypeError
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError("The copy of the notebook cannot be read", expected="a notebook as JSON") from error
    images = _Images()
    found = [
        _cell(number, cell, images) for number, cell in enumerate(cells[:MOST_CELLS], start=1) if isinstance(cell, dict)
    ]
    if len(cells) > MOST_CELLS:
        found.append(CopiedCell(MOST_CELLS + 1, "markdown", f"... and {len(cells) - MOST_CELLS} more cells", ()))
    return found


class _Images:
    """Lets so many images through."""

    def __init__(self) -> None:
        self.left = MOST_IMAGES

    def check(self, data: str) -> Output:
        """The image, if it is a PNG that a browser can show without harm."""
        encoded = "".join(data.split())
        if len(encoded) > MOST_IMAGE_BYTES * 4 // 3 + 4 or self.left <= 0:
            return Output("left out", "an image that is too large, or one too many")
        try:
            raw = base64.b64decode(encoded, validate=True)
            width, height = struct.unpack(">II", raw[16:24])
        except (binascii.Error, ValueError, struct.error):
            return Output("left out", "an image that cannot be read")
        if (
            not raw.startswith(_PNG)
            or raw[12:16] != b"IHDR"
            or not 0 < width <= MOST_PIXELS
            or not 0 < height <= MOST_PIXELS
        ):
            return Output("left out", "an image that is no PNG of ordinary size")
        self.left -= 1
        return Output("image", base64.b64encode(raw).decode("ascii"))


def _cell(number: int, cell: dict[str, Any], images: _Images) -> CopiedCell:
    outputs = cell.get("outputs")
    kept = [one for one in outputs if isinstance(one, dict)] if isinstance(outputs, list) else []
    shown = [_output(one, images) for one in kept[:MOST_OUTPUTS]]
    if len(kept) > MOST_OUTPUTS:
        shown.append(Output("left out", f"{len(kept) - MOST_OUTPUTS} more outputs"))
    kind = "code" if cell.get("cell_type") == "code" else "markdown"
    return CopiedCell(number, kind, _text(cell.get("source")), tuple(shown))


def _output(output: dict[str, Any], images: _Images) -> Output:
    kind, data = output.get("output_type"), output.get("data")
    if kind == "stream":
        return Output("text", _text(output.get("text")))
    if kind == "error":
        said = _text(output.get("traceback")) or f"{_text(output.get('ename'))}: {_text(output.get('evalue'))}"
        return Output("error", said)
    if isinstance(data, dict) and "image/png" in data:
        return images.check(_whole(data["image/png"]))
    if isinstance(data, dict) and "text/plain" in data:
        return Output("text", _text(data["text/plain"]))
    return Output("left out", "something that is not shown here")


def _text(value: object) -> str:
    """Text of a notebook, which may be a list of lines, as one, without colours and not too long."""
    text = _COLOURS.sub("", _whole(value))
    return (
        text
        if len(text) <= MOST_CHARACTERS
        else f"{text[:MOST_CHARACTERS]}\n... ({len(text) - MOST_CHARACTERS} more characters)"
    )


def _whole(value: object) -> str:
    if isinstance(value, list):
        lines = [line for line in value if isinstance(line, str)]
        return ("" if any(line.endswith("\n") for line in lines) or len(lines) < 2 else "\n").join(lines)
    return value if isinstance(value, str) else ""
