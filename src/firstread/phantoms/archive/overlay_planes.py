"""Overlay planes with a name drawn in them: in an element of their own (60xx,3000), or in unused bits of the pixels."""

import numpy as np
from pydicom.dataset import Dataset

from firstread.phantoms.archive.drawn_text import TextLine, render_ink, text_actions
from firstread.phantoms.archive.studies import Instance
from firstread.phantoms.archive.truth import Action

HIGH_BIT = 15


def add_overlay(instance: Instance, line: TextLine, *, group: int = 0x6000) -> None:
    """Add a 1-bit overlay plane with a line of text (PS3.3 C.9.2)."""
    dataset = instance.dataset
    plane, box = draw_plane(line, dataset.Rows, dataset.Columns)
    _describe(dataset, group, bit_position=0, bits_allocated=1)
    packed = np.packbits(plane.ravel(), bitorder="little").tobytes()
    dataset.add_new((group, 0x3000), "OW", packed + b"\0" * (len(packed) % 2))
    dataset.add_new((group, 0x1500), "LO", line.text)
    note = "overlay plane; its label and description are in no edition's table"
    instance.actions += [
        *_as_overlay(text_actions(line, box, note=note), group, 0x3000),
        Action(f"({group:04x},1500)", "OverlayLabel", "text_removed", line.text, note=note),
    ]


def add_high_bit_overlay(instance: Instance, line: TextLine, *, group: int = 0x6000) -> None:
    """Put a line of text into bit 15 of 12-bit pixels (retired in 2004, still in archives; deid 201)."""
    dataset = instance.dataset
    plane, box = draw_plane(line, dataset.Rows, dataset.Columns)
    stored = np.frombuffer(dataset.PixelData, "<u2").reshape(plane.shape)
    dataset.PixelData = (stored | (plane.astype("<u2") << HIGH_BIT)).astype("<u2").tobytes()
    dataset["PixelData"].VR = "OW"
    _describe(dataset, group, bit_position=HIGH_BIT, bits_allocated=16)
    note = "overlay in unused bits of the pixel data (deid 201)"
    instance.actions += _as_overlay(text_actions(line, box, note=note), group, 0x0102)
    instance.violations.append("</Overlay")


def draw_plane(line: TextLine, rows: int, columns: int) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """A line of text as bits in the upper left corner: uint8 (rows, columns), and its box."""
    ink = (render_ink(line.text, line.font, line.size_px) > 0.4)[: rows - 6, : columns - 6]
    plane = np.zeros((rows, columns), np.uint8)
    plane[5 : 5 + ink.shape[0], 4 : 4 + ink.shape[1]] = ink
    return plane, (5, 4, 5 + ink.shape[0], 4 + ink.shape[1])


def _describe(dataset: Dataset, group: int, *, bit_position: int, bits_allocated: int) -> None:
    dataset.add_new((group, 0x0010), "US", dataset.Rows)
    dataset.add_new((group, 0x0011), "US", dataset.Columns)
    dataset.add_new((group, 0x0040), "CS", "G")
    dataset.add_new((group, 0x0050), "SS", [1, 1])
    dataset.add_new((group, 0x0100), "US", bits_allocated)
    dataset.add_new((group, 0x0102), "US", bit_position)


def _as_overlay(actions: list[Action], group: int, element: int) -> list[Action]:
    path = f"({group:04x},{element:04x})"
    return [
        Action(
            path, "OverlayData", a.action, a.value, box=a.box, contrast=255, font=a.font, font_px=a.font_px, note=a.note
        )
        for a in actions
    ]
