"""Stacks of slices: order by position, several stacks in a series, and series that make no volume."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.core.errors import DataError
from firstread.readers.dicom_reader import read_volume
from firstread.readers.dicom_series import group_series
from firstread.readers.stack_tags import split_by_tags

from .dicom_files import AXIAL, make_frame_group, save_dicom, save_enhanced, save_series

SLICES = np.arange(6, dtype=np.int16)[:, None, None] * 10 + np.zeros((6, 4, 5), np.int16)


def place(*heights):
    return np.array([(0.0, 0.0, height) for height in heights])


def problem_of(paths):
    (stack,) = group_series(paths)
    assert stack.geometry is None
    with pytest.raises(DataError) as error:
        read_volume(paths)
    assert "SECRET" not in str(error.value)
    return str(error.value)


def test_slices_are_ordered_by_position_not_by_name_or_number(tmp_path):
    volume = read_volume(save_series(tmp_path, SLICES))
    assert volume.values[:, 0, 0].tolist() == [0, 10, 20, 30, 40, 50]
    assert volume.geometry.spacing_mm_zyx == (5.0, 0.8, 0.7)
    assert volume.geometry.origin_mm_lps == (-100.0, -120.0, 30.0)
    assert volume.geometry.orientation_zyx == "SPL"


@pytest.mark.parametrize(
    ("orientation", "letters"),
    [
        (AXIAL, "SPL"),
        ((-1, 0, 0, 0, 1, 0), "IPR"),  # prone, rows to the right: the normal points to the feet
        ((1, 0, 0, 0, 0, -1), "PIL"),  # coronal
        ((0, 1, 0, 0, 0, -1), "RIP"),  # sagittal: the normal points to the right
    ],
)
def test_axes_are_those_of_the_scanner(tmp_path, orientation, letters):
    volume = read_volume(save_series(tmp_path, SLICES, orientation=orientation))
    assert volume.geometry.orientation_zyx == letters
    assert volume.values[:, 0, 0].tolist() == [0, 10, 20, 30, 40, 50]


def test_a_tilted_gantry_is_a_sheared_geometry(tmp_path):
    positions = place(*range(0, 30, 5)) + np.outer(np.arange(6), (0, 2, 0))
    geometry = read_volume(save_series(tmp_path, SLICES, positions=positions)).geometry
    assert geometry.is_sheared
    assert geometry.to_mm([(5, 0, 0)])[0] == pytest.approx([0, 10, 25])
    assert geometry.voxel_volume_ml == pytest.approx(5 * 0.8 * 0.7 / 1000)


def test_positions_that_the_file_rounds_are_regular(tmp_path):
    positions = place(*np.round(np.arange(6) * 1.25, 1))
    assert read_volume(save_series(tmp_path, SLICES, positions=positions)).geometry.spacing_mm_zyx[0] == pytest.approx(
        1.25, abs=0.02
    )


def test_missing_slices_are_named(tmp_path):
    words = problem_of(save_series(tmp_path, SLICES, positions=place(0, 5, 10, 25, 30, 40)))
    assert "3 of 9 slices are missing: at 15.0, 20.0, 35.0 mm" in words
    assert "a slice every 5 mm" in words


@pytest.mark.parametrize("lost", range(1, 5))
def test_any_one_missing_slice_is_noticed(tmp_path, lost):
    kept = [index for index in range(6) if index != lost]
    words = problem_of(save_series(tmp_path, SLICES[kept], positions=place(*[5.0 * index for index in kept])))
    assert f"1 of 6 slices are missing: at {5.0 * lost:.1f} mm" in words


def test_uneven_and_shifted_slices_make_no_volume(tmp_path):
    assert "unevenly: from 2.50 to 6.00 mm" in problem_of(
        save_series(tmp_path / "a", SLICES, positions=place(0, 2.5, 8.5, 14.5, 20.5, 26.5))
    )
    shifted = place(*range(0, 30, 5))
    shifted[3, 0] = 4
    assert "shifted against one another" in problem_of(save_series(tmp_path / "b", SLICES, positions=shifted))


def test_a_slice_far_away_is_not_a_million_missing_ones(tmp_path):
    assert "unevenly" in problem_of(save_series(tmp_path / "a", SLICES[:4], positions=place(0, 5, 10, 1e5)))
    with pytest.raises(DataError, match="3 slices; 1 slice, no volume: The image states no usable position"):
        read_volume(save_series(tmp_path / "b", SLICES[:4], positions=place(0, 5, 10, 1e200)))


def test_a_copy_of_a_file_is_refused(tmp_path):
    paths = save_series(tmp_path, SLICES)
    (tmp_path / "copy.dcm").write_bytes(paths[0].read_bytes())
    assert "hold the same image (SOPInstanceUID): 000.dcm and copy.dcm" in problem_of([*paths, tmp_path / "copy.dcm"])


def test_repeated_positions_that_nothing_tells_apart_are_refused(tmp_path):
    words = problem_of(save_series(tmp_path, SLICES, positions=place(0, 5, 5, 10, 15, 20)))
    assert "1 of 5 positions hold several slices" in words
    assert "5.0 mm along the normal" in words


@pytest.mark.parametrize(
    ("tag", "values"),
    [
        ("AcquisitionNumber", (1, 2)),
        ("EchoTime", (2.3, 4.6)),
        ("EchoNumbers", (1, 2)),
        ("TemporalPositionIdentifier", (1, 2)),
        ("TriggerTime", (0, 450)),
        ("DiffusionBValue", (0.0, 800.0)),
        ("ImageType", (["ORIGINAL", "PRIMARY", "W"], ["ORIGINAL", "PRIMARY", "F"])),
        ("ConvolutionKernel", ("B30f", "B70f")),
        ("ContentTime", ("101010", "101210")),
    ],
)
def test_two_stacks_at_the_same_positions_are_told_apart(tmp_path, tag, values):
    own = [{tag: values[index % 2], "SliceThickness": 5} for index in range(6)]
    paths = save_series(tmp_path, SLICES, positions=place(0, 0, 5, 5, 10, 10), per_slice=own)
    stacks = group_series(paths)
    assert [stack.separated_by for stack in stacks] == [(tag,)] * 2
    found = sorted([one.path for one in stack.slices] for stack in stacks)
    assert sorted(path for part in found for path in part) == paths
    assert {tuple(read_volume(stack.files).values[:, 0, 0].tolist()) for stack in stacks} == {(0, 20, 40), (10, 30, 50)}
    with pytest.raises(DataError, match=rf"hold 2 stacks of slices.*3 slices \(by {tag}\)"):
        read_volume(paths)


def test_phases_of_different_lengths_are_told_apart(tmp_path):
    own = [{"AcquisitionNumber": 1}] * 2 + [{"AcquisitionNumber": 2}] * 4
    paths = save_series(tmp_path, SLICES, positions=place(0, 5, 0, 5, 10, 15), per_slice=own)
    assert sorted(len(stack.files) for stack in group_series(paths)) == [2, 4]


def test_a_time_of_each_slice_of_its_own_does_not_cut_a_stack_to_pieces(tmp_path):
    own = [{"ContentTime": f"10101{index}"} for index in range(6)]
    numbers = [{**times, "InstanceNumber": index} for index, times in enumerate(own)]
    paths = save_series(tmp_path, SLICES, positions=place(0, 5, 10, 0, 5, 10), per_slice=numbers)
    stacks = group_series(paths)
    assert [stack.separated_by for stack in stacks] == [("InstanceNumber",)] * 2
    assert {tuple(read_volume(stack.files).values[:, 0, 0].tolist()) for stack in stacks} == {(0, 10, 20), (30, 40, 50)}


def test_two_tags_together_tell_four_stacks_apart(tmp_path):
    values = np.arange(8, dtype=np.int16)[:, None, None] + np.zeros((8, 2, 2), np.int16)
    own = [{"EchoTime": 1 + index % 2, "TriggerTime": index // 2 % 2} for index in range(8)]
    stacks = group_series(save_series(tmp_path, values, positions=place(0, 0, 0, 0, 5, 5, 5, 5), per_slice=own))
    assert [stack.separated_by for stack in stacks] == [("EchoTime", "TriggerTime")] * 4
    assert all(stack.geometry for stack in stacks)


def test_a_slice_of_another_size_and_a_localiser_stand_apart(tmp_path):
    paths = save_series(tmp_path / "a", SLICES)
    place_tags = {"ImageOrientationPatient": list(AXIAL), "PixelSpacing": [0.8, 0.7], "SliceThickness": 5}
    odd = save_dicom(
        tmp_path / "odd.dcm",
        np.zeros((9, 9), np.int16),
        ImagePositionPatient=[0, 0, 60],
        FrameOfReferenceUID="1.2.3.5",
        **place_tags,
    )
    assert [len(stack.files) for stack in group_series([*paths, odd])] == [6, 1]
    for kind, words in (("LOCALIZER", "localiser"), ("MOSAIC", "many slices side by side")):
        tags = {"ImagePositionPatient": [0, 0, 0], "ImageType": ["ORIGINAL", "PRIMARY", kind], **place_tags}
        assert words in problem_of([save_dicom(tmp_path / "scout.dcm", SLICES[0], **tags)])


def test_several_series_are_several_stacks(tmp_path):
    first = save_series(tmp_path / "a", SLICES)
    second = save_series(tmp_path / "b", SLICES, SeriesInstanceUID="1.2.3.9")
    stacks = group_series([*first, *second])
    assert len({stack.series for stack in stacks}) == len(stacks) == 2


@pytest.mark.filterwarnings("ignore:Invalid value for VR DS")
@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"ImagePositionPatient": None}, "no usable position"),
        ({"ImagePositionPatient": ["nan", "0", "0"]}, "no usable position"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "no usable orientation"),
        ({"ImageOrientationPatient": [0, 0, 0, 0, 0, 0]}, "no usable orientation"),
        ({"PixelSpacing": [0, 0.7]}, "no usable pixel spacing"),
        ({"PixelSpacing": None}, "no usable pixel spacing"),
    ],
)
def test_a_place_that_is_not_stated_or_not_possible_is_named(tmp_path, tags, words):
    (path,) = save_series(tmp_path, SLICES[:1], **{"SliceThickness": 5, **tags})
    assert words in problem_of([path])


def test_one_slice_needs_a_thickness_and_two_do_not(tmp_path):
    assert "states no thickness" in problem_of(save_series(tmp_path / "a", SLICES[:1]))
    one = read_volume(save_series(tmp_path / "b", SLICES[:1], SliceThickness=3, SpacingBetweenSlices=4))
    assert one.geometry.spacing_mm_zyx[0] == 4
    two = read_volume(save_series(tmp_path / "c", SLICES[:2], SliceThickness=3))
    assert two.geometry.spacing_mm_zyx[0] == 5


def test_frames_of_an_enhanced_image_are_ordered_and_told_apart(tmp_path):
    frames = np.arange(6, dtype=np.uint16)[:, None, None] + np.zeros((6, 2, 3), np.uint16)
    groups = [
        make_frame_group(
            position=(0, 0, (10, 5, 0)[index // 2]), tags={"MREchoSequence": {"EffectiveEchoTime": 1.0 + index % 2}}
        )
        for index in range(6)
    ]
    path = save_enhanced(tmp_path / "mr.dcm", frames, groups)
    stacks = group_series([path])
    assert [stack.separated_by for stack in stacks] == [("EchoTime",)] * 2
    assert [[one.frame for one in stack.slices] for stack in stacks] == [[4, 2, 0], [5, 3, 1]]


def test_a_group_of_frames_without_positions_is_refused(tmp_path):
    path = save_dicom(tmp_path / "us", np.zeros((3, 4, 4), np.uint8), Modality="US", ImagePositionPatient=[0, 0, 0])
    assert "no usable position" in problem_of([path])


@given(
    stacks=st.integers(1, 4),
    slices=st.integers(1, 6),
    seed=st.integers(0, 1000),
    by=st.sampled_from(["EchoTime", "ContentTime", "InstanceNumber"]),
)
def test_stacks_are_complete_whatever_the_order_of_the_files(stacks, slices, seed, by):
    members = np.random.default_rng(seed).permutation(stacks * slices)
    positions, number = members % slices, members // slices
    tags = [{by: str(value)} for value in number]
    parts = split_by_tags(positions, tags, [(int(member), 0) for member in members])
    assert len(parts) == stacks
    for _, part in parts:
        assert sorted(positions[part]) == list(range(slices))
        assert len(set(number[part])) == 1


def test_highdicom_builds_the_same_volume(tmp_path):
    import highdicom
    from pydicom import dcmread

    rng = np.random.default_rng(1)
    values = rng.integers(-1000, 1000, (5, 6, 7)).astype(np.int16)
    turned = (np.cos(0.3), np.sin(0.3), 0.0, -np.sin(0.3), np.cos(0.3), 0.0)
    paths = save_series(tmp_path, values, orientation=turned, RescaleSlope=1, RescaleIntercept=-24)
    ours = read_volume(paths)
    theirs = highdicom.get_volume_from_series([dcmread(path) for path in paths])
    theirs = theirs.match_geometry(
        highdicom.VolumeGeometry(ours.geometry.affine_lps, ours.geometry.size_zyx, "PATIENT"), tol=1e-3
    )
    assert np.array_equal(theirs.array, ours.values)
    assert np.allclose(theirs.affine, ours.geometry.affine_lps, atol=1e-6)


def save_passes(folder, heights, numbers, tags=None):
    """Slices at heights with their InstanceNumbers, and further tags of each."""
    values = np.arange(len(heights), dtype=np.int16)[:, None, None] + np.zeros((len(heights), 4, 5), np.int16)
    per_slice = [{"InstanceNumber": number, **(tags[i] if tags else {})} for i, number in enumerate(numbers)]
    return group_series(save_series(folder, values, positions=place(*heights), per_slice=per_slice))


def test_a_pass_that_was_started_anew_between_the_positions_of_another_is_a_stack(tmp_path):
    heights = [5.0 * z for z in range(6)] * 2 + [5.0 * z + 0.6 for z in range(6)]
    tags = [{"AcquisitionNumber": 1 + index // 6} for index in range(18)]
    stacks = save_passes(tmp_path, heights, range(1, 19), tags)
    assert [len(stack.slices) for stack in stacks] == [6, 6, 6]
    assert all(stack.geometry for stack in stacks)


def test_passes_without_any_tag_are_told_apart_where_slices_begin_again(tmp_path):
    heights = [25.0, 20, 15, 10, 5, 0, 25, 20, 10, 5, 0, 25, 20, 15, 10, 5, 0]
    stacks = save_passes(tmp_path, heights, range(1, 18))
    assert sorted(len(stack.slices) for stack in stacks) == [5, 6, 6]
    assert {stack.separated_by for stack in stacks} == {("InstanceNumber",)}


def test_a_slice_that_is_there_twice_stays_with_its_pass(tmp_path):
    heights = [*[5.0 * z for z in range(6)] * 2, 10.0]
    tags = [{"AcquisitionNumber": 1 if index < 6 else 2} for index in range(13)]
    stacks = save_passes(tmp_path, heights, range(1, 14), tags)
    assert sorted((len(stack.slices), stack.geometry is not None) for stack in stacks) == [(6, True), (7, False)]


def test_two_regions_one_after_the_other_are_no_passes(tmp_path):
    """A break in AcquisitionNumber and a slice twice: one stack with a repeated position, as before."""
    heights = [*[5.0 * z for z in range(12)], 20.0]
    tags = [{"AcquisitionNumber": 1 if height < 30 else 2} for height in heights]
    (stack,) = save_passes(tmp_path, heights, range(1, 14), tags)
    assert "positions hold several slices" in str(stack.problem)
