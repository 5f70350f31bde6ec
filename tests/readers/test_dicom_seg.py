"""DICOM segmentations: labels on the grid of the scan, whatever the order and axes of the frames; written and read."""

import random

import highdicom
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.sr.codedict import codes

from firstread.core.errors import DataError, FirstreadError, SettingError
from firstread.core.geometry import Geometry
from firstread.core.volume import Volume
from firstread.readers.dicom_reader import read_volume
from firstread.readers.dicom_seg import read_segmentation, write_segmentation

from .dicom_files import make_frame_group, save_dicom, save_enhanced, save_series

#: what DICOM requires of a study, which `save_series` leaves out as de-identification may
STUDY = {
    **{"StudyID": "1", "StudyDate": "", "StudyTime": "", "AccessionNumber": ""},
    **{"PatientBirthDate": "", "PatientSex": "O", "SliceThickness": 5},
}
LABELS = np.zeros((4, 6, 8), np.uint8)
LABELS[1:3, 2:5, 1:4] = 1
LABELS[3, 0, 7] = 2
NAMES = ("liver", "lesion")


@pytest.fixture
def scan(tmp_path):
    paths = save_series(tmp_path / "ct", LABELS.astype(np.int16) * 100)
    return paths, read_volume(paths)


def write(path, labels, geometry, paths, names=NAMES):
    return write_segmentation(path, Volume(labels, geometry), names, paths)


def test_what_is_written_comes_back_on_the_grid_of_the_scan(tmp_path, scan):
    paths, volume = scan
    path = write(tmp_path / "new" / "seg.dcm", LABELS, volume.geometry, paths[::-1])
    read = read_segmentation(path, grid=volume.geometry)
    assert np.array_equal(read.labels.values, LABELS)
    assert (read.labels.values > 0).sum() == (volume.values > 0).sum()
    assert dict(read.structures) == {1: "liver", 2: "lesion"}
    assert read.labels.geometry == volume.geometry


def test_the_file_says_what_made_it_and_what_for(tmp_path, scan):
    paths, volume = scan
    dataset = dcmread(write(tmp_path / "seg.dcm", LABELS, volume.geometry, paths))
    assert dataset.SegmentationType == "BINARY"
    assert dataset.Manufacturer == "firstread"
    assert "research" in dataset.SeriesDescription
    segment = dataset.SegmentSequence[0]
    assert segment.SegmentationAlgorithmIdentificationSequence[0].AlgorithmName == "firstread"
    assert segment.SegmentedPropertyTypeCodeSequence[0].CodeValue == codes.SCT.Liver.value
    assert dataset.StudyInstanceUID == dcmread(paths[0]).StudyInstanceUID
    referenced = {
        item.ReferencedSOPInstanceUID for item in dataset.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    }
    assert referenced == {dcmread(path).SOPInstanceUID for path in paths}


def test_highdicom_reads_the_same_voxels(tmp_path, scan):
    paths, volume = scan
    theirs = highdicom.seg.segread(write(tmp_path / "seg.dcm", LABELS, volume.geometry, paths))
    grid = highdicom.VolumeGeometry(volume.geometry.affine_lps, volume.geometry.size_zyx, "PATIENT")
    assert np.array_equal(theirs.get_volume(combine_segments=True).match_geometry(grid).array, LABELS)


@pytest.mark.parametrize("turn", ["none", "feet first", "rows reversed", "columns reversed", "sagittal"])
def test_a_grid_with_other_axes_gets_each_voxel_at_its_place(tmp_path, scan, turn):
    paths, volume = scan
    path = write(tmp_path / "seg.dcm", LABELS, volume.geometry, paths)
    order, flips = (
        ((2, 0, 1), ())
        if turn == "sagittal"
        else ((0, 1, 2), {"none": (), "feet first": (0,), "rows reversed": (1,), "columns reversed": (2,)}[turn])
    )
    affine, labels = volume.geometry.affine_lps[:, [*order, 3]].copy(), LABELS.transpose(order)
    for axis in flips:
        labels = np.flip(labels, axis)
        affine[:3, 3] += affine[:3, axis] * (labels.shape[axis] - 1)
        affine[:3, axis] *= -1
    read = read_segmentation(path, grid=Geometry(labels.shape, affine))
    assert np.array_equal(read.labels.values, labels)


def test_a_tilted_scan_keeps_its_labels(tmp_path):
    positions = np.array([(0.0, 2 * index, 5 * index) for index in range(4)])
    paths = save_series(tmp_path / "ct", LABELS.astype(np.int16), positions=positions, **STUDY)
    volume = read_volume(paths)
    assert volume.geometry.is_sheared
    read = read_segmentation(write(tmp_path / "s.dcm", LABELS, volume.geometry, paths), grid=volume.geometry)
    assert np.array_equal(read.labels.values, LABELS)


def test_frames_of_a_multi_frame_scan_are_matched(tmp_path):
    groups = [make_frame_group(position=(0, 0, 30 - 3 * index)) for index in (2, 0, 3, 1)]
    tags = {"PositionReferenceIndicator": "", "FrameOfReferenceUID": "1.2.3.5", **STUDY}
    path = save_enhanced(tmp_path / "mr.dcm", LABELS[[2, 0, 3, 1]].astype(np.uint16), groups, **tags)
    volume = read_volume([path])
    read = read_segmentation(write(tmp_path / "s.dcm", LABELS, volume.geometry, [path]), grid=volume.geometry)
    assert np.array_equal(read.labels.values, LABELS)


def test_one_structure_is_read_by_name(tmp_path, scan):
    paths, volume = scan
    path = write(tmp_path / "seg.dcm", LABELS, volume.geometry, paths)
    read = read_segmentation(path, grid=volume.geometry, structures=["lesion"])
    assert dict(read.structures) == {2: "lesion"}
    assert np.array_equal(read.labels.values, np.where(LABELS == 2, 2, 0))
    with pytest.raises(SettingError, match='no segment "livre"'):
        read_segmentation(path, grid=volume.geometry, structures=["livre"])


def test_no_label_at_all_is_written_and_read(tmp_path, scan):
    paths, volume = scan
    path = write(tmp_path / "seg.dcm", np.zeros_like(LABELS), volume.geometry, paths)
    assert not read_segmentation(path, grid=volume.geometry).labels.values.any()


def test_another_scan_is_refused(tmp_path, scan):
    paths, volume = scan
    path = write(tmp_path / "seg.dcm", LABELS, volume.geometry, paths)
    half_a_voxel = volume.geometry.resampled([5, 0.8, 0.35])
    for grid, words in (
        (half_a_voxel, "not those of the scan"),
        (volume.geometry.cropped((0, 0, 0.3), LABELS.shape), "not those of the scan"),
        (volume.geometry.cropped((0, 0, 0), (2, 6, 8)), "lies outside the scan"),
    ):
        with pytest.raises(DataError, match=words):
            read_segmentation(path, grid=grid)
    with pytest.raises(DataError, match="The scan and the label map have different numbers of voxels"):
        write(tmp_path / "x.dcm", LABELS[:2], volume.geometry.cropped((0, 0, 0), (2, 6, 8)), paths)


@pytest.mark.parametrize(
    ("labels", "names", "words"),
    [
        (LABELS + 1, NAMES, "numbers from 0 to 2"),
        (LABELS.astype(np.float32), NAMES, "numbers from 0 to 2"),
        (LABELS, ("liver", "liver"), "cannot be written"),
        (LABELS, ("liver", "x" * 65), "cannot be written"),
    ],
)
def test_labels_and_names_that_do_not_fit_are_refused(tmp_path, scan, labels, names, words):
    paths, volume = scan
    with pytest.raises(SettingError, match=words):
        write(tmp_path / "seg.dcm", labels, volume.geometry, paths, names)
    assert not (tmp_path / "seg.dcm").exists()


def test_what_is_no_segmentation_or_no_scan_is_refused(tmp_path, scan):
    paths, volume = scan
    with pytest.raises(DataError, match="is no segmentation"):
        read_segmentation(paths[0], grid=volume.geometry)
    seg = write(tmp_path / "seg.dcm", LABELS, volume.geometry, paths)
    with pytest.raises(DataError, match="This is a segmentation, not an image"):
        read_volume([seg])
    with pytest.raises(DataError, match="slices are missing"):
        write(
            tmp_path / "x.dcm",
            LABELS,
            volume.geometry,
            [one.path for index, one in enumerate(_in_order(paths)) if index != 1],
        )
    lonely = save_dicom(tmp_path / "bare.dcm", LABELS[0])
    with pytest.raises(DataError, match="no usable position"):
        write(tmp_path / "x.dcm", LABELS[:1], volume.geometry.cropped((0, 0, 0), (1, 6, 8)), [lonely])


@pytest.mark.filterwarnings("ignore:The value length")
def test_no_message_of_highdicom_reaches_the_user(tmp_path):
    paths = save_series(tmp_path, LABELS.astype(np.int16), **{**STUDY, "PatientSex": "SECRET"})
    with pytest.raises(DataError, match="No DICOM segmentation can be made") as error:
        write(tmp_path / "x.dcm", LABELS, read_volume(paths).geometry, paths)
    assert "SECRET" not in str(error.value)


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL", "LABELMAP"])
def test_every_type_of_segmentation_is_read(tmp_path, kind):
    paths = save_series(tmp_path / "ct", LABELS.astype(np.int16), **STUDY)
    volume = read_volume(paths)
    segmentation = highdicom.seg.Segmentation(
        source_images=[dcmread(one.path) for one in _in_order(paths)],
        pixel_array=LABELS,
        segmentation_type=kind,
        segment_descriptions=[
            highdicom.seg.SegmentDescription(number, name, codes.SCT.Tissue, codes.SCT.Tissue, "MANUAL")
            for number, name in enumerate(NAMES, start=1)
        ],
        series_instance_uid="1.2.9",
        series_number=2,
        sop_instance_uid="1.2.9.1",
        instance_number=1,
        manufacturer="other",
        manufacturer_model_name="other",
        software_versions="1",
        device_serial_number="1",
    )
    segmentation.save_as(tmp_path / "seg.dcm")
    read = read_segmentation(tmp_path / "seg.dcm", grid=volume.geometry)
    assert np.array_equal(read.labels.values, LABELS)
    assert set(read.structures.values()) == set(NAMES)


def test_damaged_segmentations_are_labels_or_a_sentence(tmp_path, scan):
    paths, volume = scan
    data = write(tmp_path / "seg.dcm", LABELS, volume.geometry, paths).read_bytes()
    rng = random.Random(0)
    for _ in range(60):
        changed = bytearray(data)
        for _ in range(rng.choice([1, 3, 20])):
            changed[rng.randrange(len(data))] = rng.randrange(256)
        (tmp_path / "x").write_bytes(changed[: rng.choice([len(data), rng.randrange(len(data))])])
        try:
            outcome = str(read_segmentation(tmp_path / "x", grid=volume.geometry).labels.values.shape)
        except FirstreadError as error:
            outcome = str(error)
        assert outcome == "(4, 6, 8)" or "Where" in outcome
        assert "SECRET" not in outcome


def _in_order(paths):
    from firstread.readers.dicom_series import group_series

    return group_series(paths)[0].slices
