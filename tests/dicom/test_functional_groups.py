"""Functional groups: those of a frame before those that all frames share."""

from pydicom import Dataset, Sequence

from firstread.dicom.functional_groups import frame_groups, functional_group


def group(**sequences):
    result = Dataset()
    for keyword, thickness in sequences.items():
        item = Dataset()
        item.SliceThickness = thickness
        setattr(result, keyword, Sequence([item] if thickness else []))
    return result


def test_a_frame_has_its_own_group_else_the_shared_one():
    image = Dataset()
    image.SharedFunctionalGroupsSequence = Sequence([group(PixelMeasuresSequence=5)])
    image.PerFrameFunctionalGroupsSequence = Sequence(
        [group(PixelMeasuresSequence=3), group(PixelMeasuresSequence=None)]
    )
    assert [functional_group(image, frame, "PixelMeasuresSequence").SliceThickness for frame in range(3)] == [3, 5, 5]
    assert functional_group(image, 0, "PlanePositionSequence") is None
    assert frame_groups(Dataset(), 0) == ()
