"""Faults that only images show are in the files as the truth says."""

import numpy as np
import pytest
from pydicom import dcmread

from firstread.phantoms.abdomen import LABELS, AbdomenPatient, label_map
from firstread.phantoms.archive.studies import ARCHIVE_VERSION


def series_of(archive, kind):
    """The fault's row, and the data sets of its series by height, from the feet up."""
    faults = archive.table("faults")
    row = faults[faults.kind == kind].iloc[0]
    return row, datasets(archive, row.patient, row.series)


def datasets(archive, patient, series):
    files = archive.files[(archive.files.patient == patient) & (archive.files.modality == "CT")].index
    found = [dcmread(archive.dicom / file) for file in files]
    chosen = [one for one in found if one.SeriesInstanceUID == series]
    return sorted(chosen, key=lambda one: float(one.ImagePositionPatient[2]))


def hounsfield(dataset):
    stored = np.frombuffer(dataset.PixelData, "<u2").reshape(dataset.Rows, dataset.Columns)
    return (stored & 0x0FFF).astype(float) - 1024


def test_a_scan_ends_within_the_liver(archive):
    row, slices = series_of(archive, "low_coverage")
    anatomy = AbdomenPatient.draw(np.random.default_rng([ARCHIVE_VERSION, 0, int(row.patient[1:]), 3]))
    grid = anatomy.geometry((52, 32, 32), spacing_mm_zyx=(5, 12.4, 12.4))
    areas = (label_map(anatomy, geometry=grid).values == LABELS["liver"]).sum(axis=(1, 2))
    heights = grid.origin_mm_lps[2] + 5 * np.arange(52)
    end = float(slices[-1 if "top" in row.note else 0].ImagePositionPatient[2])
    outside = heights > end if "top" in row.note else heights < end
    assert areas[outside].sum() > 0.05 * areas.sum()


def test_noise_of_a_low_dose_is_added(archive):
    _, slices = series_of(archive, "noise")
    assert {int(one.XRayTubeCurrent) for one in slices} == {18}
    deviation = np.median([np.abs(np.diff(hounsfield(one)[8:24, 8:24], axis=1)).mean() for one in slices])
    assert deviation > 35


def test_a_smaller_field_of_view_has_smaller_pixels_in_the_same_place(archive):
    row, slices = series_of(archive, "truncated_field_of_view")
    other = next(
        one
        for one in archive.table("studies").query("patient == @row.patient and phase == 'venous'").itertuples()
        if one.kind == "original"
    )
    whole = datasets(archive, row.patient, other.series)[0]
    small = slices[0]
    assert small.Rows == whole.Rows
    share = float(small.PixelSpacing[0]) / float(whole.PixelSpacing[0])
    assert 0.4 < share < 0.7
    middles = [
        float(one.ImagePositionPatient[0]) + float(one.PixelSpacing[1]) * (one.Columns - 1) / 2
        for one in (small, whole)
    ]
    assert middles[0] == pytest.approx(middles[1], abs=float(whole.PixelSpacing[1]))
    assert (hounsfield(small)[:, 0] > -300).any()  # the body lies at the edge


def test_a_protocol_of_another_part_of_the_body(archive):
    _, slices = series_of(archive, "wrong_body_part")
    assert len({one.BodyPartExamined for one in slices}) == 1
    assert slices[0].BodyPartExamined in ("HEAD", "KNEE", "NECK")


def test_slices_lie_between_others(archive):
    faults = archive.table("faults")
    row = faults[faults.kind == "overlapping_slices"].iloc[0]
    phase = "arterial" if int(row.patient[1:]) % 2 else "unenhanced"
    stacks = archive.table("studies")
    stacks = stacks[(stacks.patient == row.patient) & (stacks.phase == phase) & (stacks.kind == "original")]
    uids = set(stacks.iloc[0].sop_instance_uids)  # the series may have been joined to another one
    slices = [one for series in set(stacks.series) for one in datasets(archive, row.patient, series)]
    heights = [float(one.ImagePositionPatient[2]) for one in slices if one.SOPInstanceUID in uids]
    gaps = np.diff(sorted(heights))
    between = int(row.note.split()[0])
    assert between >= 2
    assert (gaps < 0.7 * gaps.max()).sum() == 2 * between


def test_the_same_images_lie_under_two_ids(archive):
    faults = archive.table("faults").query("kind == 'images_under_two_ids'")
    assert len(faults) == 2
    first, second = (datasets(archive, row.patient, row.series) for row in faults.itertuples())
    pixels = [{one.PixelData for one in series} for series in (first, second)]
    assert pixels[0] == pixels[1]
    assert {one.PatientID for one in first}.isdisjoint({one.PatientID for one in second})
    assert {one.SOPInstanceUID for one in first}.isdisjoint({one.SOPInstanceUID for one in second})


def test_a_follow_up_has_noise_of_its_own(archive):
    """A second scan of one anatomy is no copy of the first."""
    stacks = archive.table("studies").query("phase == 'venous' and kind == 'original'")
    for patient, rows in stacks.groupby("patient"):
        if len(rows) == 2:
            first, second = (datasets(archive, patient, series) for series in rows.series)
            assert {one.PixelData for one in first}.isdisjoint({one.PixelData for one in second})
