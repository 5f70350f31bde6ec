"""The truth of a phantom archive is exact: what a row says stands in the file, and what stands there has a row."""

import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.pixels import pixel_array

from firstread.phantoms.archive.drawn_text import render_ink
from firstread.phantoms.archive.pixel_data import JPEG_QUALITY
from firstread.phantoms.archive.truth import ACTIONS

STEP = re.compile(r"\(([0-9a-f]{4}),([0-9a-f]{4})\)(?:\[(\d+)\])?")


def texts_at(dataset: Dataset, tag_path: str) -> list[str]:
    """Text of the element that a tag path leads to; bytes as Latin-1."""
    for step in tag_path.split("."):
        group, element, item = STEP.fullmatch(step).groups()
        found = dataset[int(group, 16), int(element, 16)]
        if item is not None:
            dataset = found.value[int(item)]
    if isinstance(found.value, bytes):
        return [found.value.decode("latin-1")]
    values = (
        [str(value) for value in found.value] if isinstance(found.value, (MultiValue, list)) else [str(found.value)]
    )
    return [*values, "\\".join(values)]


def outside(path: Path, place: str) -> str:
    data = path.read_bytes()
    return (data[:128] if place == "preamble" else data[-300:]).decode("latin-1")


def read(path: Path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dcmread(path, force=True)


def header_rows(actions: pd.DataFrame) -> pd.DataFrame:
    return actions[~actions.action.isin(["pixels_hidden", "pixels_retained", "text_notnull", "tag_retained"])]


def test_every_header_row_is_in_its_file(archive):
    wrong = []
    for file, rows in header_rows(archive.actions).groupby("file", observed=True):
        if file.endswith("DICOMDIR"):
            continue
        path = archive.dicom / file
        dataset = read(path)
        for row in rows.itertuples():
            if row.tag_path == "path":
                texts = [file]
            elif row.tag_path in ("preamble", "trailing"):
                texts = [outside(path, row.tag_path)]
            elif row.keyword == "EncapsulatedDocument":
                document = dataset.EncapsulatedDocument
                texts = [document.decode("utf-8" if document.startswith(b"<?xml") else "cp1252")]
            elif row.tag_path.startswith("(0002"):
                texts = texts_at(dataset.file_meta, row.tag_path)
            else:
                texts = texts_at(dataset, row.tag_path)
            if not any(row.value in text for text in texts):
                wrong.append((file, row.tag_path, row.value))
    assert wrong == []


def test_what_must_not_be_empty_holds_a_value(archive):
    rows = archive.actions[archive.actions.action == "text_notnull"]
    sample = rows.drop_duplicates(["keyword", "patient"])
    assert set(sample.keyword) >= {"PatientID", "SOPInstanceUID", "StudyInstanceUID", "Modality"}


def test_a_directory_repeats_what_its_rows_say(archive):
    rows = header_rows(archive.actions)
    rows = rows[rows.file.astype(str).str.endswith("DICOMDIR") & (rows.action == "text_removed")]
    assert len(rows) > 3
    directory = read(archive.dicom / rows.file.iloc[0])
    rows = rows[rows.tag_path != "path"]
    assert all(any(row.value in text for text in texts_at(directory, row.tag_path)) for row in rows.itertuples())


def test_every_identity_in_bytes_has_a_row(archive):
    """Search each file for each identity value of its patient, in its character sets and in UTF-8."""
    identities, missed = archive.table("identities"), []
    removed = archive.actions[archive.actions.action.isin(["text_removed", "pixels_hidden", "date_shifted"])]
    values_by_file = {file: " ".join(rows.value) for file, rows in removed.groupby("file", observed=True)}
    by_patient = {
        patient: [value for value in rows.value if len(value) >= 5] for patient, rows in identities.groupby("patient")
    }
    for file, row in archive.files.iterrows():
        if file not in values_by_file:
            continue  # truncated: no rows
        data = (archive.dicom / file).read_bytes()
        for value in by_patient[row.patient]:
            codings = ("utf-8", "latin-1", "gb18030", "iso8859_2", "iso8859_5", "iso8859_7")
            forms = {value.encode(coding, "ignore") for coding in codings}
            if any(len(form) >= 5 and form in data for form in forms) and value not in values_by_file[file]:
                missed.append((file, value))
    assert missed == []


def test_drawn_text_is_ink_of_one_gray_in_its_box(archive):
    """Pixels that are all ink have one value in lossless files, and nearly one under JPEG."""
    rows = archive.actions[(archive.actions.keyword == "PixelData") & (archive.actions.font.astype(str) != "")]
    assert len(rows) > 40
    assert JPEG_QUALITY > 80
    for file, lines in rows.groupby("file", observed=True):
        dataset = read(archive.dicom / file)
        pixels = pixel_array(dataset, raw=True).astype(float)
        pixels = pixels.reshape(int(dataset.get("NumberOfFrames", 1)), dataset.Rows, dataset.Columns, -1)[..., 0]
        pixels = pixels / (2**dataset.BitsStored - 1) * 255
        tolerance = 14 if "JPEG Baseline" in dataset.file_meta.TransferSyntaxUID.name else 1.5
        for line in lines.itertuples():
            y0, x0, y1, x1 = line.box
            ink = render_ink(line.value, line.font, line.font_px)[: y1 - y0, : x1 - x0]
            assert ink.shape == (y1 - y0, x1 - x0)
            frames = pixels if np.isnan(line.frame) else pixels[[int(line.frame)]]
            full = frames[:, y0:y1, x0:x1][:, ink > 0.99]
            if full.shape[1] >= 3:
                assert np.ptp(np.median(full, axis=1)) <= tolerance, (file, line.value)
                assert np.abs(full - np.median(full)).max() <= tolerance * 2, (file, line.value)


def test_text_of_a_run_stands_in_its_frame_only(archive):
    rows = archive.actions[archive.actions.frame.notna() & (archive.actions.action == "pixels_hidden")]
    assert len(rows) >= 2
    line = rows.sort_values("contrast").iloc[-1]
    frames = pixel_array(read(archive.dicom / line.file)).astype(float)
    y0, x0, y1, x1 = line.box
    ink = render_ink(line.value, line.font, line.font_px) > 0.99
    spread = [np.std(frame[y0:y1, x0:x1][ink]) for frame in frames]
    assert int(np.argmin(spread)) == int(line.frame)
    assert np.min(spread) < 1 < np.median(spread)


def test_overlays_hold_their_text(archive):
    rows = archive.actions[archive.actions.keyword == "OverlayData"]
    assert {path[6:10] for path in rows.tag_path.astype(str)} == {"3000", "0102"}
    for row in rows.itertuples():
        dataset = read(archive.dicom / row.file)
        if "0102" in row.tag_path:
            plane = np.frombuffer(dataset.PixelData, "<u2").reshape(dataset.Rows, dataset.Columns) >> 15
        else:
            plane = dataset.overlay_array(0x6000)
        y0, x0, y1, x1 = row.box
        ink = render_ink(row.value, row.font, row.font_px) > 0.4
        assert np.array_equal(plane[y0:y1, x0:x1], ink[: y1 - y0, : x1 - x0])
        assert plane.sum() == plane[y0:y1, x0:x1].sum() > 0


def test_unknown_vr_is_written_as_such(archive):
    """PhysiciansOfRecord as UN (case 3), at the top and in an item."""
    notes = archive.actions.note.astype(str)
    rows = archive.actions[notes.str.startswith("case 3:") & (archive.actions.action == "text_removed")]
    assert {path.count(".") for path in rows.tag_path.astype(str)} == {0, 1}
    for row in rows.itertuples():
        data = (archive.dicom / row.file).read_bytes()
        assert data.count(b"\x08\x00\x48\x10UN\0\0") == 2


def test_rows_are_of_known_actions_and_files(archive):
    assert set(archive.actions.action) == set(ACTIONS)
    assert set(archive.actions.file) <= set(archive.files.index)
    on_disk = {path.relative_to(archive.dicom).as_posix() for path in archive.dicom.rglob("*") if path.is_file()}
    assert on_disk == set(archive.files.index)


CASES = [*range(1, 6), *range(7, 10), *range(11, 14), *range(15, 22), *range(23, 26), *range(27, 30), 31, 35]


@pytest.mark.parametrize("case", CASES)
def test_each_case_of_a_public_report_is_in_the_archive(archive, case):
    notes = {*archive.actions.note.astype(str), *archive.table("faults").note}
    assert any(note.startswith(f"case {case}:") for note in notes), sorted(notes)


def test_words_of_a_report_that_name_nobody_stay_with_clean_structured_content(archive):
    rows = archive.actions[archive.actions.keyword == "TextValue"]
    kept = rows[rows.value.isin(["Liver", "Lesion 1"])]
    assert len(kept)
    assert set(kept.action) == {"text_retained"}
    assert set(kept.option) == {"clean structured content"}
    assert set(archive.table("identities").value) & set(rows[rows.action == "text_removed"].value)


def test_dates_within_original_attributes_go_because_the_sequence_goes(archive):
    """PS3.15 E.1-1 (0400,0561) X under every option."""
    rows = archive.actions[archive.actions.tag_path.str.startswith("(0400,0561)")]
    assert len(rows)
    assert set(rows[rows.keyword == "AttributeModificationDateTime"].action) == {"text_removed"}
    assert "date_shifted" not in set(rows.action)
