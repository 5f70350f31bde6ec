"""What a series is and what is wrong with it: cases of public reports, by their numbers in phantom-archive.md."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file

from firstread.curation.curation_schemas import FAULT_KINDS, FAULTS_FOUND, INSTANCES, KINDS, PHASES, PLANES, SERIES
from firstread.curation.series_description import describe_series

from .ct_files import AXIAL, abdomen, describe, fault, kinds, ramp, write_series

CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)


@pytest.fixture(scope="module")
def venous(tmp_path_factory):
    """Files of a portal venous CT that is called so."""
    folder = tmp_path_factory.mktemp("venous")
    return write_series(
        folder,
        abdomen(),
        SeriesDescription="Abdomen ven 5.0",
        BodyPartExamined="ABDOMEN",
        ContrastBolusAgent="Iohexol",
        ContrastBolusStartTime="101000",
        AcquisitionTime="101110",
    )


def test_a_portal_venous_ct_of_the_liver(venous):
    found = describe(venous)
    (row,) = found.stacks
    assert (row["kind"], row["plane"], row["phase"], row["body_part"]) == ("original", "axial", "venous", "abdomen")
    assert min(row["plane_confidence"], row["phase_confidence"], row["body_part_confidence"]) > 0.9
    assert "70 s after the injection" in row["phase_evidence"]
    assert row["is_volume"]
    assert row["selected"]
    assert (row["slices"], row["missing_slices"], row["overlap_slices"], row["gantry_tilt_deg"]) == (24, 0, 0, 0.0)
    assert row["coverage_mm"] == 240
    assert row["liver_hu"] == pytest.approx(110, abs=20)
    assert row["aorta_hu"] == pytest.approx(155, abs=15)
    assert found.faults == []


def test_rows_fit_their_tables_and_say_only_what_the_tables_allow(venous):
    found = describe(venous)
    series = pa.Table.from_pylist(found.stacks, SERIES)
    pa.Table.from_pylist(found.instances, INSTANCES)
    pa.Table.from_pylist(found.faults, FAULTS_FOUND)
    assert set(found.stacks[0]) == set(SERIES.names)
    assert set(found.instances[0]) == set(INSTANCES.names)
    assert series["plane"][0].as_py() in PLANES
    assert series["phase"][0].as_py() in PHASES
    assert series["kind"][0].as_py() in KINDS
    assert {row["stack"] for row in found.instances} == {0}


def test_nothing_of_the_description_but_known_words_gets_into_evidence(tmp_path):
    paths = write_series(tmp_path, ramp(), SeriesDescription="Mueller Abdomen ven", ProtocolName="for Mueller")
    found = describe(paths)
    row = found.stacks[0]
    assert "ueller" not in f"{row['phase_evidence']} {row['body_part_evidence']} {row['kind_evidence']} {row['reason']}"


def test_case_25_missing_slices_are_counted_in_one_series(tmp_path):
    """dcm2niix 468: slices 13 to 78 of a series are missing; not ten series, but one with 66 missing."""
    heights = [10.0 * index for index in (*range(12), *range(78, 110))]
    found = describe(write_series(tmp_path, ramp(len(heights)), heights=heights))
    (row,) = found.stacks
    assert row["missing_slices"] == 66
    assert not row["is_volume"]
    assert not row["selected"]
    assert row["reason"] == "missing_slices"
    assert fault(found, "missing_slices")["evidence"].startswith("66 of 110 slices are missing")


def test_case_25_a_position_twice(tmp_path):
    found = describe(write_series(tmp_path, ramp(7), heights=[0, 10, 20, 20, 30, 40, 50]))
    assert kinds(found) == ["duplicate_position"]
    assert found.stacks[0]["overlap_slices"] == 1


def test_case_25_slices_between_others(tmp_path):
    found = describe(write_series(tmp_path, ramp(9), heights=[0, 10, 20, 24, 30, 34, 40, 50, 60]))
    assert kinds(found) == ["overlapping_slices"]
    assert found.stacks[0]["overlap_slices"] == 2
    assert found.stacks[0]["missing_slices"] == 0


def test_uneven_distances_are_neither_missing_nor_overlapping(tmp_path):
    found = describe(write_series(tmp_path, ramp(7), heights=[0, 10, 20, 33, 43, 57, 67]))
    assert kinds(found) == ["irregular_spacing"]
    assert found.stacks[0]["missing_slices"] == 0


def test_few_slices_far_apart_are_not_called_missing(tmp_path):
    """Four key images of a long scan: no distance is the usual one."""
    found = describe(write_series(tmp_path, ramp(4), heights=[0, 1.25, 110, 205]))
    assert kinds(found) == ["irregular_spacing"]


def test_case_25_varying_exposure_and_absent_numbers_are_notes(tmp_path):
    """dcm2niix 287, 468: one series, whatever the tube current of its slices."""
    per_slice = [{"XRayTubeCurrent": 100 + 10 * index, "InstanceNumber": None} for index in range(6)]
    found = describe(write_series(tmp_path, ramp(), per_slice=per_slice))
    assert kinds(found) == ["exposure_varies", "instance_number_absent"]
    assert [row["excluded"] for row in found.faults] == [False, False]
    assert len(found.stacks) == 1
    assert found.stacks[0]["selected"]


def test_a_tilted_gantry_is_measured_and_not_believed(tmp_path):
    """dcm2niix 259, 232, 253: the tag says 0, the geometry 12 degrees, and the other way round."""
    angle = np.radians(12)
    tilted = (1, 0, 0, 0, float(np.cos(angle)), float(-np.sin(angle)))
    place = [{"ImagePositionPatient": [-190, -190, 10.0 * index]} for index in range(6)]
    found = describe(write_series(tmp_path / "t", ramp(), orientation=tilted, per_slice=place, GantryDetectorTilt=0))
    assert found.stacks[0]["gantry_tilt_deg"] == pytest.approx(12, abs=0.05)
    assert kinds(found) == ["gantry_tilt"]
    straight = describe(write_series(tmp_path / "s", ramp(), GantryDetectorTilt=12))
    assert straight.stacks[0]["gantry_tilt_deg"] == 0
    assert kinds(straight) == []


def passes(folder, *, shift=0.0, numbered=True, lost=()):
    """Three passes over one region in one series, unenhanced, arterial and venous."""
    paths = []
    number = 0
    for index, phase in enumerate(("unenhanced", "arterial", "portal")):
        values = abdomen(phase)
        kept = [z for z in range(len(values) - 1, -1, -1) if not (index == 1 and z in lost)]
        per_slice = []
        for _ in kept:
            number += 1
            per_slice.append({"InstanceNumber": number})
        heights = [10.0 * z + (shift if index == 2 else 0.0) for z in kept]
        paths += write_series(
            folder / phase,
            values[kept],
            heights=heights,
            per_slice=per_slice,
            SeriesInstanceUID="1.2.3.4",
            SeriesDescription="Abdomen ven 5.0",
            BodyPartExamined="ABDOMEN",
            AcquisitionNumber=index + 1 if numbered else None,
        )
    return paths


@pytest.mark.parametrize(
    "settings_of_passes",
    [{}, {"shift": 0.6}, {"numbered": False}, {"lost": (8, 9)}, {"numbered": False, "lost": (8, 9)}],
    ids=["numbered", "one shifted by 0.6 mm", "without AcquisitionNumber", "slices lost", "lost, without number"],
)
def test_case_24_passes_in_one_series_are_stacks_with_a_phase_each(tmp_path, settings_of_passes):
    """vtk-dicom 220; Slicer 4801; monai-deploy 532."""
    paths = passes(tmp_path, **settings_of_passes)
    found = describe_series(paths, root=tmp_path)
    assert sorted(row["phase"] for row in found.stacks) == ["arterial", "unenhanced", "venous"]
    assert "several_passes" in kinds(found)
    assert "phase_contradiction" not in kinds(found)  # the description speaks of one of three
    if "lost" in settings_of_passes:
        assert fault(found, "missing_slices")["evidence"].startswith("2 of 24")
    guessed = not settings_of_passes.get("numbered", True)
    assert (fault(found, "several_passes")["confidence"] < 0.8) is guessed


def test_case_27_a_localizer_among_axial_slices_is_a_stack_of_its_own(tmp_path):
    """dcm2niix 140, 404, 894."""
    paths = write_series(tmp_path, ramp(), SeriesInstanceUID="1.2.3.4")
    paths += write_series(
        tmp_path / "scout",
        ramp(1, size=20),
        orientation=CORONAL,
        SeriesInstanceUID="1.2.3.4",
        ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"],
    )
    found = describe_series(paths, root=tmp_path)
    assert sorted((row["kind"], row["slices"]) for row in found.stacks) == [("localizer", 1), ("original", 6)]
    assert kinds(found) == ["localizer_among_axials"]
    assert [row["selected"] for row in found.stacks if row["kind"] == "original"] == [True]


def test_case_28_a_reformation_is_derived_and_not_chosen(tmp_path):
    """heudiconv 813, 624."""
    paths = write_series(
        tmp_path,
        ramp(),
        orientation=CORONAL,
        ImageType=["DERIVED", "SECONDARY", "MPR"],
        SeriesDescription="Abdomen ven 5.0",
    )
    (row,) = describe(paths).stacks
    assert (row["kind"], row["plane"], row["selected"]) == ("derived", "coronal", False)


def test_case_23_the_same_file_twice_is_listed_and_used_once(tmp_path):
    """dcm4chee 4754, 4518."""
    paths = write_series(tmp_path, ramp())
    shutil.copy(paths[2], tmp_path / "copy.dcm")
    found = describe([*paths, tmp_path / "copy.dcm"])
    assert kinds(found) == ["duplicate_same_content"]
    assert fault(found, "duplicate_same_content")["file"] == "copy.dcm"
    assert (found.stacks[0]["slices"], found.stacks[0]["is_volume"], found.stacks[0]["selected"]) == (6, True, True)


def test_case_23_one_uid_with_other_pixels_excludes_both_files(tmp_path):
    paths = write_series(tmp_path, ramp())
    dataset = pydicom.dcmread(paths[2])
    dataset.PixelData = dataset.PixelData[:-2] + b"\x34\x02"
    dataset.save_as(tmp_path / "resent.dcm")
    found = describe([*paths, tmp_path / "resent.dcm"])
    assert sorted(row["file"] for row in found.faults) == sorted([paths[2].name, "resent.dcm"])
    assert all("pixels differ" in row["evidence"] for row in found.faults)
    assert (found.stacks[0]["selected"], found.stacks[0]["reason"]) == (False, "duplicate_other_content")


def test_a_file_that_ends_early_is_named_and_its_slice_is_not_called_missing(tmp_path):
    paths = write_series(tmp_path, ramp())
    data = paths[3].read_bytes()
    paths[3].write_bytes(data[: len(data) - 200])
    found = describe(paths)
    assert kinds(found) == ["truncated_file"]
    assert fault(found, "truncated_file")["file"] == paths[3].name
    assert found.stacks[0]["missing_slices"] == 0
    assert (found.stacks[0]["selected"], found.stacks[0]["reason"]) == (False, "truncated_file")


def test_files_that_are_no_dicom_are_rows_and_no_exception(tmp_path):
    (tmp_path / "empty.dcm").write_bytes(b"")
    (tmp_path / "text.dcm").write_bytes(b"not an image" * 40)
    found = describe([tmp_path / "empty.dcm", tmp_path / "text.dcm"])
    assert kinds(found) == ["truncated_file"]
    assert [row["status"] for row in found.instances] == ["broken", "broken"]
    assert found.stacks == []


def test_an_unenhanced_series_that_is_called_venous_has_no_phase(tmp_path):
    paths = write_series(
        tmp_path,
        abdomen("unenhanced"),
        SeriesDescription="Abdomen ven 5.0",
        ContrastBolusAgent="Iohexol",
        BodyPartExamined="ABDOMEN",
    )
    found = describe(paths)
    assert found.stacks[0]["phase"] == "unknown"
    assert fault(found, "phase_contradiction")["evidence"].startswith("called venous, looks unenhanced (aorta ")


def test_a_scan_that_ends_within_the_liver(tmp_path):
    values = abdomen()
    for name, part in (("top", values[:15]), ("bottom", values[11:])):
        found = describe(write_series(tmp_path / name, part, BodyPartExamined="ABDOMEN"))
        assert f"in the {name} slice" in fault(found, "low_coverage")["evidence"]


def test_a_noisy_scan_is_measured_against_its_thickness_and_kernel(tmp_path):
    noise = np.random.default_rng(0).normal(0, 60, abdomen().shape)
    noisy = abdomen() + noise
    found = describe(write_series(tmp_path / "soft", noisy, ConvolutionKernel="B30f", BodyPartExamined="ABDOMEN"))
    assert fault(found, "noise")["excluded"]
    assert found.stacks[0]["noise_hu"] == pytest.approx(60, rel=0.15)
    sharp = describe(write_series(tmp_path / "sharp", noisy, ConvolutionKernel="B70f", BodyPartExamined="ABDOMEN"))
    assert "noise" not in kinds(sharp)


def test_a_field_of_view_that_is_smaller_than_the_body(tmp_path):
    found = describe(write_series(tmp_path, abdomen()[:, 20:76, 20:76], BodyPartExamined="ABDOMEN"))
    assert "of the edge of the field of view" in fault(found, "truncated_field_of_view")["evidence"]


def test_an_abdomen_with_the_tag_of_a_knee(tmp_path):
    found = describe(write_series(tmp_path, abdomen(), BodyPartExamined="KNEE"))
    assert fault(found, "wrong_body_part")["evidence"].startswith("the tag says extremity, looks like abdomen")
    assert found.stacks[0]["body_part"] == "abdomen"


def test_a_thigh_is_not_called_an_abdomen(shared_data):
    """A sarcoma of the thigh on CT, cropped: the only series of it in the public data of this project."""
    files = sorted((shared_data / "ibsi-sts" / "ibsi_validation" / "dicom" / "STS_001" / "CT" / "image").glob("*.dcm"))
    found = describe(files)
    (row,) = found.stacks
    assert (row["body_part"], row["phase"], row["plane"]) == ("extremity", "unknown", "axial")
    assert kinds(found) == ["truncated_field_of_view"]


def test_every_published_file_is_described_or_reported_and_nothing_is_surely_wrong(shared_data):
    """Malformed, compressed, multi-frame and segmentation files: no exception; a phase is never sure without organs."""
    folders = ("pydicom-tests", "pydicom-data", "dcmqi", "highdicom-tests", "dcm4che-testdata", "failing-inputs")
    count = 0
    for folder in folders:
        for path in sorted((shared_data / folder).rglob("*.dcm")):
            found = describe_series([path], root=shared_data)
            count += 1
            assert {str(row["kind"]) for row in found.faults} <= set(FAULT_KINDS)
            for row in found.stacks:
                assert row["phase"] in ("unknown", "none") or row["phase_confidence"] < 0.8, path
                if row["body_part_confidence"] and row["body_part_confidence"] >= 0.8:
                    stated = str(pydicom.dcmread(path, force=True, stop_before_pixels=True).get("BodyPartExamined"))
                    assert stated, path
    assert count > 200


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(132, 4_000), st.integers(0, 255)), max_size=12), st.integers(0, 3_000))
def test_a_damaged_header_is_a_row_and_no_exception(tmp_path_factory, changes, cut):
    data = bytearray(Path(get_testdata_file("CT_small.dcm")).read_bytes())
    for place, value in changes:
        data[place] = value
    path = tmp_path_factory.mktemp("damage") / "file.dcm"
    path.write_bytes(bytes(data[: len(data) - cut]))
    found = describe_series([path], root=path.parent)
    assert len(found.instances) == 1
    for name, schema in (("stacks", SERIES), ("faults", FAULTS_FOUND), ("instances", INSTANCES)):
        pa.Table.from_pylist(getattr(found, name), schema)


@settings(max_examples=8)
@given(st.permutations(range(8)))
def test_the_order_of_files_does_not_matter(tmp_path_factory, order):
    folder = tmp_path_factory.mktemp("order")
    heights = [0, 10, 20, 30, 50, 60, 64, 70]
    paths = write_series(folder, ramp(8), heights=heights, SeriesDescription="Abdomen nativ")
    found, again = describe(paths), describe_series([paths[index] for index in order], root=folder)
    assert again == found


@settings(max_examples=8)
@given(st.tuples(*[st.floats(-500, 500)] * 3))
def test_shifting_all_positions_changes_nothing(tmp_path_factory, shift):
    folder = tmp_path_factory.mktemp("shift")
    heights = np.array([0, 10, 20, 30, 50, 60, 64, 70.0])
    here = [{"ImagePositionPatient": [0.0, 0.0, z]} for z in heights]
    there = [{"ImagePositionPatient": [round(v, 3) for v in (shift[0], shift[1], z + shift[2])]} for z in heights]
    rows = [
        describe(write_series(folder / name, ramp(8), per_slice=place, orientation=AXIAL, SeriesInstanceUID="1.2"))
        for name, place in (("here", here), ("there", there))
    ]
    assert rows[0].stacks == rows[1].stacks
    assert [row["evidence"] for row in rows[0].faults] == [row["evidence"] for row in rows[1].faults]
