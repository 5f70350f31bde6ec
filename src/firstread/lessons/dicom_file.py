"""One DICOM file as a lesson shows it: its header as a table, its pixels in a window, its values before and after."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from firstread.core.errors import DataError, SettingError
from firstread.core.windows import CT_WINDOWS
from firstread.dicom.headers import convert_dicom_errors, open_dicom_object

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure
    from pydicom import Dataset
    from pydicom.dataelem import DataElement

    from firstread.core.windows import WindowLike

#: characters of a value that a table shows
SHOWN_CHARACTERS = 70
#: lines that a table shows at once
_SHOWN_LINES = 500


@dataclass(frozen=True)
class HeaderLine:
    """One element of a header, as a table shows it.

    Attributes:
        place: tags from the outermost sequence to the element, such as "(0040,0275) > (0010,0010)".
        depth: sequences around it.
        name: of the element, in words.
        keyword: of the element; "" for a private one.
        vr: value representation, two letters.
        value: as text, whole.
    """

    place: str
    depth: int
    name: str
    keyword: str
    vr: str
    value: str

    @property
    def tag(self) -> str:
        """Tag of the element itself, without the sequences around it."""
        return self.place.rsplit(" > ", 1)[-1]

    @property
    def excerpt(self) -> str:
        """The value, cut where it is long."""
        text = " ".join(self.value.split())
        return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"

    def matches(self, text: str) -> bool:
        """Whether a text stands in the tag, the name or the value."""
        wanted = text.casefold()
        return any(wanted in part.casefold() for part in (self.place, self.name, self.keyword, self.value))


@dataclass(frozen=True)
class HeaderTable:
    """Lines of a header, shown as a table that scrolls.

    Attributes:
        lines: that are shown.
        total: lines of the whole header.
        find: text that the lines were chosen by.
    """

    lines: tuple[HeaderLine, ...]
    total: int
    find: str = ""

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def summary(self) -> str:
        """How many lines there are."""
        found = f' with "{self.find}"' if self.find else ""
        shown = f", the first {_SHOWN_LINES} are shown" if len(self.lines) > _SHOWN_LINES else ""
        return f"{len(self.lines)} of {self.total} lines{found}{shown}"

    def __repr__(self) -> str:
        rows = (f"{'  ' * line.depth}{line.place:28} {line.vr} {line.name}: {line.excerpt}" for line in self._shown)
        return "\n".join([*rows, self.summary])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='white-space:nowrap' title='{escape(line.place)}'>{escape(line.tag)}</td><td>{escape(line.vr)}</td>"
            f"<td style='padding-left:{0.6 + 1.2 * line.depth}em'>{escape(line.name)}</td>"
            f"<td style='overflow-wrap:anywhere'>{escape(line.excerpt)}</td></tr>"
            for line in self._shown
        )
        head = "<tr><th>tag</th><th>VR</th><th>name</th><th>value</th></tr>"
        return f"{scroll_box(head + rows, label='header')}<div>{escape(self.summary)}</div>{LEFT_ALIGNED}"

    @property
    def _shown(self) -> tuple[HeaderLine, ...]:
        return self.lines[:_SHOWN_LINES]


#: notebooks set the cells of tables flush right
LEFT_ALIGNED = "<style>table.firstread-header td, table.firstread-header th { text-align: left !important; }</style>"


def scroll_box(rows: str, *, label: str) -> str:
    """HTML rows as a table in a box that scrolls, with the keyboard too."""
    style = "max-height:26em;overflow:auto;border:1px solid #ccc"
    head = f"<div style='{style}' tabindex='0' role='region' aria-label='{escape(label, quote=True)}'>"
    return f"{head}<table class='firstread-header'>{rows}</table></div>"


@dataclass(frozen=True)
class DicomFile:
    """A DICOM file.

    Attributes:
        path: of the file.

    Example:
        >>> from pydicom.data import get_testdata_file
        >>> image = DicomFile(get_testdata_file("CT_small.dcm"))
        >>> image.header("PatientName").lines[0].value
        'CompressedSamples^CT1'
    """

    path: Path

    def dataset(self) -> "Dataset":
        """The file as pydicom gives it."""
        return open_dicom_object(Path(self.path))

    def header(self, find: str = "") -> HeaderTable:
        """The header as a table; `find` shows the lines in whose tag, name or value a text stands."""
        lines = tuple(read_lines(self.dataset(), Path(self.path)))
        return HeaderTable(tuple(line for line in lines if line.matches(find)), len(lines), find)

    def show(self, window: "WindowLike" = "file") -> "Figure":
        """The picture in a window, as `fr.read_dicom` reads it."""
        from firstread.core.figures import show_images

        pixels, title = self._picture(window)
        return show_images([pixels], [title], columns=1, size_inches=4.0)

    def _picture(self, window: "WindowLike") -> "tuple[np.ndarray, str]":
        """The picture and what it is shown in; a named window is of CT, other pictures are shown as their file says."""
        from firstread.readers.dicom_pixels import read_dicom

        if window == "file":
            return read_dicom(self.path), "window of the file"
        if window in CT_WINDOWS and str(self.dataset().get("Modality")) != "CT":
            return read_dicom(self.path), f'window of the file ("{window}" is one of CT)'
        return read_dicom(self.path, window=window), f"window: {window}"

    def values(self, points: Sequence[tuple[int, int]] = ()) -> "pd.DataFrame":
        """What is stored at some points (row, column), and what it means: stored value x slope + intercept.

        Without points: a corner, a place at the left, and the middle.

        Raises:
            SettingError: a point lies outside of the picture.
        """
        import pandas as pd

        from firstread.dicom.headers import open_dicom
        from firstread.dicom.pixel_units import linear_rescale, modality_transform, pixel_unit
        from firstread.readers.decoders import decode_frame

        dataset = open_dicom(self.path)
        with convert_dicom_errors(Path(self.path)):
            pixels = decode_frame(dataset, 0)
            slope, intercept = linear_rescale(modality_transform(dataset)) or (1.0, 0.0)
            unit = pixel_unit(dataset)
        height, width = pixels.shape[:2]
        shares = ((0.04, 0.04), (0.5, 0.3125), (0.5, 0.5))
        rows: list[tuple[object, ...]] = []
        for row, column in points or [(int(y * height), int(x * width)) for y, x in shares]:
            if not (0 <= row < height and 0 <= column < width):
                raise SettingError(
                    f"The point ({row}, {column}) lies outside of the picture",
                    expected=f"row 0 to {height - 1}, column 0 to {width - 1}",
                )
            if pixels.ndim == 3:
                color = ", ".join(map(str, pixels[row, column]))
                rows.append((row, column, color, "none", color, "red, green, blue"))
                continue
            stored = int(pixels[row, column])
            sign = "-" if intercept < 0 else "+"
            rescale = f"x {slope:g} {sign} {abs(intercept):g}"
            rows.append((row, column, stored, rescale, f"{stored * slope + intercept:g}", unit))
        return pd.DataFrame(rows, columns=["row", "column", "stored", "rescale", "value", "unit"])


def read_lines(dataset: "Dataset", path: Path) -> Iterator[HeaderLine]:
    """Lines of a dataset, those of the file meta information first; pixels are named, not shown."""
    meta = getattr(dataset, "file_meta", None)
    if meta is not None:
        yield from _lines(meta, "", 0, path)
    yield from _lines(dataset, "", 0, path)


def _lines(dataset: "Dataset", outer: str, depth: int, path: Path) -> Iterator[HeaderLine]:
    for tag in sorted(dataset.keys()):
        place = f"{outer}({tag.group:04X},{tag.element:04X})"
        try:
            with convert_dicom_errors(path):
                element = dataset[tag]
                line = HeaderLine(place, depth, element.name, element.keyword, element.VR, _text(element))
        except DataError:  # an element that is none, such as text behind the end of the file
            raw = dataset.get_item(tag)
            yield HeaderLine(place, depth, "No element: text behind the end", "", "??", printable(getattr(raw, "value", b"")))
            continue
        yield line
        if element.VR == "SQ":
            for item in element.value:
                yield from _lines(item, f"{place} > ", depth + 1, path)


def printable(data: object) -> str:
    """Bytes as text: what is no ASCII becomes a blank."""
    return "".join(chr(byte) if 32 <= byte < 127 else " " for byte in data).strip() if isinstance(data, bytes) else ""


def _text(element: "DataElement") -> str:
    value = element.value
    if element.VR == "SQ":
        return f"{len(value)} item{'' if len(value) == 1 else 's'}"
    if isinstance(value, bytes):
        return f"{len(value):,} bytes" if element.tag.group in (0x7FE0, 0x6000) else printable(value)
    if value is None:
        return ""
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) or hasattr(value, "append") else str(value)
