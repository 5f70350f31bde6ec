"""Table E.1-1: every row, by edition, code and option, as counted in the standard."""

from collections import Counter

import pytest

from firstread.deidentification.annex_e import annex_by_tag, annex_rows
from firstread.deidentification.iod_attributes import attribute_type, known_sop_classes
from firstread.deidentification.profile import OPTION_CODES


def test_rows_of_two_editions():
    assert Counter(row.edition for row in annex_rows()) == {"2024e": 621, "2026c": 35}
    assert len({row.tag for row in annex_rows()}) == 656
    assert len(annex_by_tag()) == 655  # all but private attributes


def test_codes_of_the_basic_profile_in_2024e():
    rows = [row for row in annex_rows() if row.edition == "2024e"]
    assert Counter(row.basic_profile for row in rows) == {
        "X": 384,
        "D": 92,
        "U": 54,
        "Z": 42,
        "X/D": 22,
        "X/Z": 11,
        "X/Z/D": 8,
        "Z/D": 6,
        "X/Z/U*": 2,
    }


@pytest.mark.parametrize(
    ("option", "codes"),
    [
        ("clean_descriptors", {"C": 125}),
        ("retain_full_dates", {"K": 165}),
        ("retain_modified_dates", {"C": 165}),
        ("retain_uids", {"K": 59}),
        ("retain_device_identity", {"K": 46, "C": 11}),
        ("retain_patient_characteristics", {"K": 9, "C": 4}),
        ("retain_institution_identity", {"K": 10}),
        ("clean_graphics", {"C": 4}),
        ("clean_structured_content", {"C": 3}),
        ("retain_safe_private", {"C": 1}),
    ],
)
def test_codes_of_the_options(option, codes):
    assert Counter(row.options[option] for row in annex_rows() if option in row.options) == codes
    assert option in OPTION_CODES


def test_attributes_of_objects_come_with_their_type():
    ct, segmentation = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.66.4"
    assert len(known_sop_classes()) == 180
    assert attribute_type(ct, None, 0x00100010) == "2"  # PatientName
    assert attribute_type(ct, None, 0x00620002) is None  # SegmentSequence is of segmentations
    assert attribute_type(segmentation, None, 0x00620002) == "1"
    assert attribute_type(segmentation, 0x00620002, 0x00620004) == "1"  # SegmentNumber in it
